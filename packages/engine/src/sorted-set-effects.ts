/**
 * Effects of sorted sets. Scores are results: what ZINCRBY and the aggregates of ZUNIONSTORE come to is computed by the leader. What goes by rank is named by
 * rank: every replica has the same order in memory.
 */
import { assert, type ByteReader, type ByteWriter } from "@headrace/bytes";
import { EffectType } from "./effect-format.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { readMember, SortedSetValue, writeElement, writeMember } from "./sorted-set-value.ts";
import type { SortedSetEffects } from "./value-api.ts";
import type { EffectSink } from "./value-effects.ts";
import type { ValueKey } from "./value-key.ts";

export class SortedSetChanges implements SortedSetEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  put(key: string, members: readonly string[], scores: readonly number[], event: string): void {
    const found = this.#keyspace.find(key);
    assert(found === null || found.value instanceof SortedSetValue, "the key holds no sorted set");
    const writer = this.#sink.begin(EffectType.putScores);
    writer.string(key);
    writeElements(writer, members, scores);
    this.#sink.end(EffectType.putScores);
    if (found === null) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.sortedSet, event, key);
  }

  store(key: string, members: readonly string[], scores: readonly number[], event: string): void {
    const isNew = this.#keyspace.find(key) === null;
    const writer = this.#sink.begin(EffectType.storeScores);
    writer.string(key);
    writeElements(writer, members, scores);
    this.#sink.end(EffectType.storeScores);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.sortedSet, event, key);
  }

  remove(key: string, members: readonly string[], event: string): void {
    const { value } = existingSet(this.#keyspace, key);
    const writer = this.#sink.begin(EffectType.removeScores);
    writer.string(key);
    writer.u32(members.length);
    for (const member of members) {
      assert(value.scoreOf(member) !== undefined, "it is a member");
      writeMember(writer, member);
    }
    this.#endRemoval(EffectType.removeScores, key, event);
  }

  removeRanks(key: string, from: number, to: number, event: string): void {
    const { value } = existingSet(this.#keyspace, key);
    assert(0 <= from && from < to && to <= value.count, "ranks of members");
    const writer = this.#sink.begin(EffectType.removeRanks);
    writer.string(key);
    writer.u32(from);
    writer.u32(to);
    this.#endRemoval(EffectType.removeRanks, key, event);
  }

  #endRemoval(type: EffectType, key: string, event: string): void {
    this.#sink.end(type);
    this.#sink.said(KeyEventClass.sortedSet, event, key);
    if (this.#keyspace.find(key) === null) this.#sink.said(KeyEventClass.generic, "del", key);
  }
}

function writeElements(writer: ByteWriter, members: readonly string[], scores: readonly number[]): void {
  assert(members.length > 0 && members.length === scores.length, "a score for each member");
  writer.u32(members.length);
  for (const [i, member] of members.entries()) {
    const score = scores[i]!;
    // Zero has one form in memory, whatever sign a client gave it: as in a listpack of Redis.
    assert(!Number.isNaN(score) && !Object.is(score, -0), "a score has a place in the order");
    writeElement(writer, member, score);
  }
}

/** `reader` stands behind the key's name. */
export function applySortedSetEffect(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  if (type === EffectType.putScores || type === EffectType.storeScores) putElements(keyspace, type, name, reader);
  else removeElements(keyspace, type, name, reader);
}

function putElements(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  const found = keyspace.find(name);
  const isKept = type === EffectType.putScores && found !== null && found.value instanceof SortedSetValue;
  if (found !== null && !isKept) keyspace.remove(found);
  const value = isKept ? (found.value as SortedSetValue) : new SortedSetValue(keyspace.meter);
  const before = value.residentBytes;
  for (let left = reader.u32(); left > 0; left--) {
    const score = reader.f64();
    value.put(readMember(reader), score);
  }
  if (isKept) {
    keyspace.changed(found as ValueKey, before);
    return;
  }
  const key = keyspace.createValue(name, value);
  keyspace.touch(key);
  // Who waits for elements waits for the key: one that held something else and is overwritten wakes nobody, as in Redis.
  if (found === null) keyspace.signalReady(key);
}

function removeElements(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  const { key, value } = existingSet(keyspace, name);
  const before = value.residentBytes;
  if (type === EffectType.removeScores)
    for (let left = reader.u32(); left > 0; left--) value.remove(readMember(reader));
  else value.removeRanks(reader.u32(), reader.u32());
  keyspace.changed(key, before);
  if (value.count === 0) keyspace.remove(key);
}

function existingSet(
  keyspace: KeyspaceState,
  name: string,
): { readonly key: ValueKey; readonly value: SortedSetValue } {
  const key = keyspace.existing(name);
  assert(key.stream === null && key.value instanceof SortedSetValue, "the key holds no sorted set");
  return { key, value: key.value };
}
