/**
 * Effects on keys that hold no streams: how the leader writes them, and the one `apply` for each. Their numbers and bodies are drawn in effect-format.ts. Each
 * begins with the key's name; those of a kind are in that kind's own file, which is named in the table here.
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { UnknownEffectError } from "./api.ts";
import { EffectType } from "./effect-format.ts";
import { assertExpiry } from "./effect-parts.ts";
import type { HashEffects } from "./hash-api.ts";
import { applyHashEffect, HashChanges } from "./hash-effects.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { applyListEffect, ListChanges } from "./list-effects.ts";
import type { AnyKey } from "./stored-key.ts";
import { applySortedSetEffect, SortedSetChanges } from "./sorted-set-effects.ts";
import { applyStringEffect, StringChanges } from "./string-effects.ts";
import type { ListEffects, SortedSetEffects, StringEffects, ValueEffects } from "./value-api.ts";
import { applySetEffect, SetChanges } from "./set-effects.ts";
import type { SetEffects } from "./set-api.ts";
import { readImage } from "./value-image.ts";

/** The open batch, as a kind's effects see it. */
export interface EffectSink {
  /** The body follows, and then `end`, which applies it. */
  begin(type: EffectType): ByteWriter;
  end(type: EffectType): void;
  /** Instead of `end`, for an effect that the leader applies in another way than others do. */
  endWith(apply: (reader: ByteReader) => void): void;
  said(eventClass: KeyEventClass, event: string, key: string): void;
}

export class ValueChanges implements ValueEffects {
  readonly sets: SetEffects;
  readonly strings: StringEffects;
  readonly hashes: HashEffects;
  readonly lists: ListEffects;
  readonly sortedSets: SortedSetEffects;
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
    this.sets = new SetChanges(keyspace, sink);
    this.hashes = new HashChanges(keyspace, sink);
    this.strings = new StringChanges(keyspace, sink);
    this.lists = new ListChanges(keyspace, sink);
    this.sortedSets = new SortedSetChanges(keyspace, sink);
  }

  put(key: string, image: Uint8Array, expiresAtMs: number, event: "copy_to" | "restore"): void {
    assertExpiry(expiresAtMs);
    const isNew = this.#keyspace.find(key) === null;
    const writer = this.#sink.begin(EffectType.putValue);
    writer.string(key);
    writer.f64(expiresAtMs);
    writer.all(image);
    this.#sink.end(EffectType.putValue);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.generic, event, key);
  }
}

/** `reader` stands behind the key's name. */
type Apply = (keyspace: KeyspaceState, type: number, name: string, reader: ByteReader) => void;

const APPLIES: ReadonlyMap<number, Apply> = new Map<number, Apply>([
  [EffectType.putValue, putValue],
  [EffectType.addMembers, applySetEffect],
  [EffectType.removeMembers, applySetEffect],
  [EffectType.keepMembers, applySetEffect],
  [EffectType.storeMembers, applySetEffect],
  [EffectType.setString, applyStringEffect],
  [EffectType.replaceString, applyStringEffect],
  [EffectType.writeString, applyStringEffect],
  [EffectType.putFields, applyHashEffect],
  [EffectType.removeFields, applyHashEffect],
  [EffectType.pushList, applyListEffect],
  [EffectType.cutList, applyListEffect],
  [EffectType.setListElement, applyListEffect],
  [EffectType.insertListElement, applyListEffect],
  [EffectType.removeListElements, applyListEffect],
  [EffectType.putScores, applySortedSetEffect],
  [EffectType.storeScores, applySortedSetEffect],
  [EffectType.removeScores, applySortedSetEffect],
  [EffectType.removeRanks, applySortedSetEffect],
]);

/** Whether `applyValueEffect` knows it. */
export function isValueEffect(type: number): boolean {
  return APPLIES.has(type);
}

/** `reader` stands at the effect's body and ends behind it. */
export function applyValueEffect(keyspace: KeyspaceState, type: number, reader: ByteReader): void {
  const apply = APPLIES.get(type);
  if (apply === undefined) throw new UnknownEffectError(`effect type ${type}`);
  apply(keyspace, type, reader.string(), reader);
}

function putValue(keyspace: KeyspaceState, _type: number, name: string, reader: ByteReader): void {
  const replaced: AnyKey | null = keyspace.find(name);
  if (replaced !== null) keyspace.remove(replaced);
  const expiresAtMs = reader.f64();
  const key = keyspace.createValue(name, readImage(reader, keyspace.meter));
  keyspace.setExpiry(key, expiresAtMs);
  keyspace.touchReady(key);
}
