/**
 * Effects of sets. They name members: who draws some (SPOP) or computes them (SUNIONSTORE) logs whom. A set that loses its last member is gone with it.
 */
import { assert, type ByteReader } from "@headrace/bytes";
import { EffectType } from "./effect-format.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { readMembers, type MemberList } from "./member-list.ts";
import { SetValue } from "./set-value.ts";
import type { SetEffects } from "./set-api.ts";
import type { EffectSink } from "./value-effects.ts";

export class SetChanges implements SetEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  add(key: string, members: MemberList, seed: number): number {
    const found = this.#keyspace.find(key);
    assert(found === null || found.value instanceof SetValue, "the key holds no set");
    const before = found === null ? 0 : (found.value as SetValue).size;
    this.#write(EffectType.addMembers, key, seed, members);
    if (found === null) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.set, "sadd", key);
    return this.#setAt(key).size - before;
  }

  remove(key: string, members: MemberList, event: "srem" | "spop"): number {
    const before = this.#setAt(key).size;
    this.#write(EffectType.removeMembers, key, null, members);
    this.#sink.said(KeyEventClass.set, event, key);
    const left = this.#keyspace.find(key);
    if (left === null) this.#sink.said(KeyEventClass.generic, "del", key);
    return before - (left === null ? 0 : (left.value as SetValue).size);
  }

  keep(key: string, members: MemberList, event: "spop"): void {
    this.#setAt(key);
    this.#write(EffectType.keepMembers, key, null, members);
    this.#sink.said(KeyEventClass.set, event, key);
  }

  popAll(key: string): void {
    this.#setAt(key);
    this.#sink.begin(EffectType.deleteKey).string(key);
    this.#sink.end(EffectType.deleteKey);
    this.#sink.said(KeyEventClass.set, "spop", key);
    this.#sink.said(KeyEventClass.generic, "del", key);
  }

  store(key: string, members: MemberList, seed: number, event: "sinterstore" | "sunionstore" | "sdiffstore"): void {
    const isNew = this.#keyspace.find(key) === null;
    this.#write(EffectType.storeMembers, key, seed, members);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.set, event, key);
  }

  #setAt(key: string): SetValue {
    const found = this.#keyspace.find(key);
    assert(found !== null && found.value instanceof SetValue, "the key holds a set");
    return found.value;
  }

  #write(type: EffectType, key: string, seed: number | null, members: MemberList): void {
    assert(members.count > 0, "an effect names members");
    const writer = this.#sink.begin(type);
    writer.string(key);
    if (seed !== null) writer.u32(seed);
    if (type === EffectType.storeMembers) writer.u8(members.wasTable ? 0 : 1);
    members.writeTo(writer);
    this.#sink.end(type);
  }
}

/** `reader` stands behind the key's name. */
export function applySetEffect(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  const found = keyspace.find(name);
  if (type === EffectType.addMembers || type === EffectType.storeMembers) {
    const seed = reader.u32();
    if (type === EffectType.storeMembers && found !== null) keyspace.remove(found);
    const isThere = type === EffectType.addMembers && found !== null;
    const key = isThere ? found : keyspace.createValue(name, new SetValue(seed, keyspace.meter));
    assert(key.value instanceof SetValue && key.stream === null, "the key holds a set");
    const before = key.value.residentBytes;
    if (type === EffectType.storeMembers && reader.u8() !== 1) key.value.isIntset = false;
    key.value.addAll(reader);
    return keyspace.changed(key, before);
  }
  assert(found !== null && found.stream === null && found.value instanceof SetValue, "the key holds a set");
  const { value } = found;
  const before = value.residentBytes;
  if (type === EffectType.keepMembers) {
    value.clear();
    value.addAll(reader);
  } else {
    readMembers(reader, (bytes, start, end) => value.remove(bytes, start, end));
  }
  keyspace.changed(found, before);
  if (value.size === 0) keyspace.remove(found);
}
