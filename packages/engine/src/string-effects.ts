/** Effects of strings. INCR and its like log the result; who changes a few bytes of a long string logs these. */
import { assert, type ByteReader } from "@headrace/bytes";
import { EffectType } from "./effect-format.ts";
import { assertExpiry } from "./effect-parts.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { StringValue } from "./string-value.ts";
import type { StringEffects } from "./value-api.ts";
import type { EffectSink } from "./value-effects.ts";
import type { ValueKey } from "./value-key.ts";

export class StringChanges implements StringEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  set(key: string, source: Uint8Array, start: number, end: number, expiresAtMs: number, isTimed: boolean): void {
    assertExpiry(expiresAtMs);
    const isNew = this.#keyspace.find(key) === null;
    const writer = this.#sink.begin(EffectType.setString);
    writer.string(key);
    writer.f64(expiresAtMs);
    writer.raw(source, start, end);
    this.#end(EffectType.setString, key, isNew, "set");
    if (isTimed) this.#sink.said(KeyEventClass.generic, "expire", key);
  }

  replace(key: string, source: Uint8Array, start: number, end: number, event: string): void {
    const isNew = this.#isNew(key);
    const writer = this.#sink.begin(EffectType.replaceString);
    writer.string(key);
    writer.raw(source, start, end);
    this.#end(EffectType.replaceString, key, isNew, event);
  }

  write(key: string, offset: number, source: Uint8Array, start: number, end: number, event: string | null): void {
    const isNew = this.#isNew(key);
    assert(
      Number.isSafeInteger(offset) && offset >= 0 && offset + end - start <= 0xffff_ffff,
      "a string ends too late",
    );
    const writer = this.#sink.begin(EffectType.writeString);
    writer.string(key);
    writer.u32(offset);
    writer.raw(source, start, end);
    this.#end(EffectType.writeString, key, isNew, event);
  }

  /** Asserts that a key which is there holds a string. */
  #isNew(key: string): boolean {
    const found = this.#keyspace.find(key);
    assert(found === null || found.value instanceof StringValue, "the key holds no string");
    return found === null;
  }

  #end(type: EffectType, key: string, isNew: boolean, event: string | null): void {
    this.#sink.end(type);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    if (event !== null) this.#sink.said(KeyEventClass.string, event, key);
  }
}

/** `reader` stands behind the key's name. */
export function applyStringEffect(keyspace: KeyspaceState, type: number, name: string, reader: ByteReader): void {
  const expiresAtMs = type === EffectType.setString ? reader.f64() : 0;
  const offset = type === EffectType.writeString ? reader.u32() : 0;
  const { key, value, before } = stringAt(keyspace, name);
  const length = reader.remaining;
  const at = reader.skip(length);
  if (type === EffectType.writeString) value.write(offset, reader.bytes, at, at + length);
  else value.replace(reader.bytes, at, at + length);
  if (type === EffectType.setString) keyspace.setExpiry(key, expiresAtMs);
  keyspace.changed(key, before);
}

/** The key's string, an empty one if it held none; `before`: what it took in memory. */
function stringAt(
  keyspace: KeyspaceState,
  name: string,
): { readonly key: ValueKey; readonly value: StringValue; readonly before: number } {
  const found = keyspace.find(name);
  if (found !== null && found.stream === null && found.value instanceof StringValue) {
    return { key: found, value: found.value, before: found.value.residentBytes };
  }
  if (found !== null) keyspace.remove(found);
  const value = new StringValue(keyspace.meter);
  return { key: keyspace.createValue(name, value), value, before: value.residentBytes };
}
