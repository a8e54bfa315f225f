/**
 * Effects of hashes. They carry fields and values as they stand on the wire and in memory, and results: HINCRBY and HINCRBYFLOAT log the sum. A hash that loses its
 * last field is gone with it.
 */
import { assert, type ByteReader } from "@headrace/bytes";
import { EffectType } from "./effect-format.ts";
import type { FieldEvent, HashEffects } from "./hash-api.ts";
import { HashValue } from "./hash-value.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { readMembers, type MemberList } from "./member-list.ts";
import type { EffectSink } from "./value-effects.ts";

export class HashChanges implements HashEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  put(key: string, bytes: Uint8Array, start: number, end: number, seed: number, event: FieldEvent): number {
    assert(start < end, "an effect names fields");
    const isNew = this.#keyspace.find(key) === null;
    const before = isNew ? 0 : this.#hashAt(key).size;
    const writer = this.#sink.begin(EffectType.putFields);
    writer.string(key);
    writer.u32(seed);
    writer.raw(bytes, start, end);
    this.#sink.end(EffectType.putFields);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.hash, event, key);
    return this.#hashAt(key).size - before;
  }

  remove(key: string, fields: MemberList): number {
    assert(fields.count > 0, "an effect names fields");
    const before = this.#hashAt(key).size;
    const writer = this.#sink.begin(EffectType.removeFields);
    writer.string(key);
    fields.writeTo(writer);
    this.#sink.end(EffectType.removeFields);
    this.#sink.said(KeyEventClass.hash, "hdel", key);
    const left = this.#keyspace.find(key);
    if (left === null) this.#sink.said(KeyEventClass.generic, "del", key);
    return before - (left === null ? 0 : (left.value as HashValue).size);
  }

  #hashAt(key: string): HashValue {
    const found = this.#keyspace.find(key);
    assert(found !== null && found.value instanceof HashValue, "the key holds a hash");
    return found.value;
  }
}

/** `reader` stands behind the key's name. */
export function applyHashEffect(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  const found = keyspace.find(name);
  if (type === EffectType.putFields) {
    const seed = reader.u32();
    const key = found ?? keyspace.createValue(name, new HashValue(seed));
    assert(key.stream === null && key.value instanceof HashValue, "the key holds a hash");
    const before = key.value.residentBytes;
    key.value.putAll(reader, keyspace.meter);
    return keyspace.changed(key, before);
  }
  assert(found !== null && found.stream === null && found.value instanceof HashValue, "the key holds a hash");
  const { value } = found;
  const before = value.residentBytes;
  readMembers(reader, (bytes, start, end) => value.remove(bytes, start, end));
  keyspace.changed(found, before);
  if (value.size === 0) keyspace.remove(found);
}
