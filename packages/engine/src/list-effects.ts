/** Effects of lists. LREM logs how many it takes and what, LTRIM how many at each end: never what is in the list. */
import { assert, type ByteReader } from "@headrace/bytes";
import { EffectType } from "./effect-format.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { behindElement, type ElementSource, writeListElement } from "./list-leaf.ts";
import { ListValue } from "./list-value.ts";
import type { ListEffects } from "./value-api.ts";
import type { EffectSink } from "./value-effects.ts";
import type { ValueKey } from "./value-key.ts";

export class ListChanges implements ListEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  push(key: string, isLeft: boolean, source: ElementSource, from: number, to: number): void {
    const isNew = this.#keyspace.find(key) === null;
    if (!isNew) this.#existing(key);
    assert(from < to, "nothing is pushed");
    const writer = this.#sink.begin(EffectType.pushList);
    writer.string(key);
    writer.u8(isLeft ? 1 : 0);
    for (let i = from; i < to; i++) writeListElement(writer, source.bytes, source.start(i), source.end(i));
    this.#sink.end(EffectType.pushList);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    this.#sink.said(KeyEventClass.list, isLeft ? "lpush" : "rpush", key);
  }

  cut(key: string, left: number, right: number, event: "lpop" | "rpop" | "ltrim"): void {
    const { length } = this.#existing(key);
    assert(left >= 0 && right >= 0 && left + right <= length, "more is taken than there is");
    const writer = this.#sink.begin(EffectType.cutList);
    writer.string(key);
    writer.u32(left);
    writer.u32(right);
    this.#sink.end(EffectType.cutList);
    this.#taken(key, event, left + right === length);
  }

  set(key: string, index: number, source: Uint8Array, start: number, end: number): void {
    const { length } = this.#existing(key);
    assert(index >= 0 && index < length, "an element that the list has");
    this.#put(EffectType.setListElement, key, index, source, start, end);
    this.#sink.said(KeyEventClass.list, "lset", key);
  }

  insert(key: string, index: number, source: Uint8Array, start: number, end: number): void {
    const { length } = this.#existing(key);
    assert(index >= 0 && index <= length, "a place that the list has");
    this.#put(EffectType.insertListElement, key, index, source, start, end);
    this.#sink.said(KeyEventClass.list, "linsert", key);
  }

  #put(type: EffectType, key: string, index: number, source: Uint8Array, start: number, end: number): void {
    const writer = this.#sink.begin(type);
    writer.string(key);
    writer.u32(index);
    writeListElement(writer, source, start, end);
    this.#sink.end(type);
  }

  remove(key: string, source: Uint8Array, start: number, end: number, count: number, fromRight: boolean): void {
    const { length } = this.#existing(key);
    assert(count > 0 && count <= length, "more is taken than there is");
    const writer = this.#sink.begin(EffectType.removeListElements);
    writer.string(key);
    writer.u8(fromRight ? 1 : 0);
    writer.u32(count);
    writeListElement(writer, source, start, end);
    this.#sink.end(EffectType.removeListElements);
    this.#taken(key, "lrem", count === length);
  }

  #existing(key: string): ListValue {
    const found = this.#keyspace.existing(key);
    assert(found.value instanceof ListValue, "the key holds no list");
    return found.value;
  }

  #taken(key: string, event: string, isAll: boolean): void {
    this.#sink.said(KeyEventClass.list, event, key);
    if (isAll) this.#sink.said(KeyEventClass.generic, "del", key);
  }
}

/** `reader` stands behind the key's name. */
export function applyListEffect(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  if (type === EffectType.pushList) return push(keyspace, name, reader);
  const { key, value } = existingList(keyspace, name);
  const before = value.residentBytes;
  if (type === EffectType.cutList) {
    const left = reader.u32();
    value.cut(left, reader.u32());
  } else if (type === EffectType.removeListElements) {
    const fromRight = reader.u8() === 1;
    const count = reader.u32();
    const at = reader.skip(reader.remaining);
    value.remove(reader.bytes, at, reader.offset, count, fromRight);
  } else {
    const index = reader.u32();
    const at = reader.skip(reader.remaining);
    if (type === EffectType.setListElement) value.set(index, reader.bytes, at, reader.offset);
    else value.insert(index, reader.bytes, at, reader.offset);
  }
  keyspace.changed(key, before);
  if (value.length === 0) keyspace.remove(key);
}

function push(keyspace: KeyspaceState, name: string, reader: ByteReader): void {
  const isNew = keyspace.find(name) === null;
  const { key, value } = isNew ? createdList(keyspace, name) : existingList(keyspace, name);
  const before = value.residentBytes;
  const isLeft = reader.u8() === 1;
  const { bytes, end } = reader;
  for (let at = reader.skip(reader.remaining); at < end;) {
    const next = behindElement(bytes, at);
    value.push(isLeft, bytes, at, next);
    at = next;
  }
  keyspace.changed(key, before);
  // Who waits for elements waits for the key.
  if (isNew) keyspace.signalReady(key);
}

interface FoundList {
  readonly key: ValueKey;
  readonly value: ListValue;
}

function createdList(keyspace: KeyspaceState, name: string): FoundList {
  const value = new ListValue(keyspace.meter);
  return { key: keyspace.createValue(name, value), value };
}

function existingList(keyspace: KeyspaceState, name: string): FoundList {
  const key = keyspace.existing(name);
  assert(key.stream === null && key.value instanceof ListValue, "the key holds a list");
  return { key, value: key.value };
}
