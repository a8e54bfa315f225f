/**
 * A string: the bytes that a reader receives. Few bytes are a latin1 string of V8, which takes a third of a buffer's memory; more have a buffer with room to
 * grow, so that who appends does not copy all of it each time.
 *
 *   head   u32 length · the bytes, if there are at most 64 KiB
 *   part   number n: bytes from n × 64 KiB on, at most as many; of longer strings only
 *   image  the bytes
 */
import { allocate, bytesOf, copyBytes, copyOf, latin1, type ByteReader, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { Mixer } from "./mixer.ts";
import type { StringView } from "./value-api.ts";
import { partEnd, ValueParts } from "./value-parts.ts";
import { Value, type ValueKindRecord } from "./value.ts";

/** In rows and images, for ever. */
export const STRING_KIND = 1;
export const STRING_PART_BYTES = 64 * 1024;
/** Longer ones are buffers. */
const TEXT_BYTES_MAX = 64;
/** Room that is made beside what is needed: as much again, up to this. */
const SPARE_BYTES_MAX = 1024 * 1024;
/** The object with what V8 puts in front of a string, and the same for a buffer. */
const TEXT_OVERHEAD_BYTES = 88;
const BUFFER_OVERHEAD_BYTES = 240;
/** Redis' embstr. */
const EMBEDDED_BYTES_MAX = 44;
const INT64_TEXT_MAX = 20;
const NO_BYTES = new Uint8Array(0);

export class StringValue extends Value implements StringView {
  length: number;
  /** Null: they are in the buffer. */
  #text: string | null;
  #buffer: Uint8Array;
  #parts: ValueParts | null;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    super();
    this.length = 0;
    this.#text = "";
    this.#buffer = NO_BYTES;
    this.#parts = null;
    this.#meter = meter;
  }

  get kind(): number {
    return STRING_KIND;
  }

  get type(): "string" {
    return "string";
  }

  get text(): string | null {
    return this.#text;
  }

  get bytes(): Uint8Array {
    return this.#text === null ? this.#buffer : bytesOf(this.#text);
  }

  get parts(): ValueParts | null {
    return this.#parts;
  }

  /** By the bytes alone; Redis' `raw` of a short string that was changed in place is shown as what it would be anew. */
  get encoding(): string {
    if (this.length > EMBEDDED_BYTES_MAX) return "raw";
    return this.#text !== null && isInt64(this.#text) ? "int" : "embstr";
  }

  get residentBytes(): number {
    return this.#text === null ? BUFFER_OVERHEAD_BYTES + this.#buffer.length : TEXT_OVERHEAD_BYTES + this.#text.length;
  }

  get headBytes(): number {
    return this.length > STRING_PART_BYTES ? 4 : 4 + this.length;
  }

  /** Becomes source[start, end). */
  replace(source: Uint8Array, start: number, end: number): void {
    const before = this.length;
    const length = end - start;
    this.#take(source, start, length);
    this.#changed(0, length, before);
  }

  #take(source: Uint8Array, start: number, length: number): void {
    this.length = length;
    if (length <= TEXT_BYTES_MAX) {
      this.#text = latin1(source, start, start + length);
      this.#buffer = NO_BYTES;
    } else {
      this.#text = null;
      this.#buffer = copyOf(source, start, start + length);
    }
  }

  /** source[start, end) from `offset` on; zeros in between when it ended before. */
  write(offset: number, source: Uint8Array, start: number, end: number): void {
    const before = this.length;
    const to = offset + end - start;
    const length = Math.max(before, to);
    this.#makeRoom(length);
    const buffer = this.#buffer;
    if (offset > before) buffer.fill(0, before, offset);
    copyBytes(buffer, offset, source, start, end);
    this.length = length;
    if (length <= TEXT_BYTES_MAX) this.#take(buffer, 0, length);
    this.#changed(Math.min(offset, before), to, before);
  }

  /** A buffer that holds what there is, and has room for `length` bytes. */
  #makeRoom(length: number): void {
    if (this.#text === null && length <= this.#buffer.length) return;
    const from = this.bytes;
    const spare = this.length === 0 ? 0 : Math.min(length, SPARE_BYTES_MAX + (length >>> 3));
    const buffer = allocate(length + spare);
    copyBytes(buffer, 0, from, 0, this.length);
    this.#buffer = buffer;
    this.#text = null;
  }

  /** Bytes from `from` to `to` are others now, and the length was `before`. */
  #changed(from: number, to: number, before: number): void {
    const { length } = this;
    if (length <= STRING_PART_BYTES && before <= STRING_PART_BYTES) return;
    this.#parts ??= new ValueParts(this.#meter);
    const first = length > STRING_PART_BYTES && before <= STRING_PART_BYTES ? 0 : from;
    if (length > STRING_PART_BYTES) this.#mark(first, to);
    // What it had and has no more.
    if (length < before) this.#mark(length > STRING_PART_BYTES ? length : 0, before);
  }

  #mark(from: number, to: number): void {
    for (let number = Math.floor(from / STRING_PART_BYTES); number * STRING_PART_BYTES < to; number++) {
      this.#parts!.mark(number, STRING_PART_BYTES);
    }
  }

  writeHead(writer: ByteWriter): void {
    writer.u32(this.length);
    if (this.length <= STRING_PART_BYTES) this.writeImage(writer);
  }

  writePart(number: number, writer: ByteWriter): boolean {
    if (this.length <= STRING_PART_BYTES) return false;
    const end = partEnd(number, STRING_PART_BYTES, this.length);
    if (end < 0) return false;
    writer.raw(this.#buffer, number * STRING_PART_BYTES, end);
    return true;
  }

  get imageBytesMax(): number {
    return this.length;
  }

  writeImage(writer: ByteWriter): void {
    if (this.#text === null) writer.raw(this.#buffer, 0, this.length);
    else writer.latin1(this.#text);
  }

  hash(mixer: Mixer): void {
    mixer.bytes(this.bytes.subarray(0, this.length));
  }

  verify(): void {
    const held = this.#text === null ? this.#buffer.length : this.#text.length;
    if (this.#text === null ? held < this.length : held !== this.length) throw new Error("a string of another length");
  }

  static read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): StringValue {
    const length = head.u32();
    if (length <= STRING_PART_BYTES) {
      if (parts.size > 0) throw new DamagedRowError("parts of a string that has none");
      if (head.remaining !== length) throw new DamagedRowError("a string is cut off, or too long");
      return StringValue.readImage(head, meter);
    }
    const value = new StringValue(meter);
    const buffer = allocate(length);
    const stored = new ValueParts(meter);
    if (parts.size !== Math.ceil(length / STRING_PART_BYTES))
      throw new DamagedRowError("parts are missing or left over");
    for (const [number, reader] of parts) {
      const end = partEnd(number, STRING_PART_BYTES, length);
      const start = number * STRING_PART_BYTES;
      if (end < 0 || reader.remaining !== end - start) throw new DamagedRowError("a string's part does not fit");
      copyBytes(buffer, start, reader.bytes, reader.offset, reader.skip(end - start) + end - start);
      stored.stored.add(number);
    }
    value.#buffer = buffer;
    value.#text = null;
    value.#parts = stored;
    value.length = length;
    return value;
  }

  static readImage(reader: ByteReader, meter: DirtyMeter): StringValue {
    const value = new StringValue(meter);
    const length = reader.remaining;
    const at = reader.skip(length);
    value.replace(reader.bytes, at, at + length);
    return value;
  }
}

/** As Redis' string2ll takes it. */
function isInt64(text: string): boolean {
  if (text.length > INT64_TEXT_MAX || !/^(?:0|-?[1-9]\d*)$/.test(text)) return false;
  return text.length < INT64_TEXT_MAX - 1 || BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

export const stringKind: ValueKindRecord = {
  kind: STRING_KIND,
  type: "string",
  read: (head, parts, meter) => StringValue.read(head, parts, meter),
  readImage: (reader, meter) => StringValue.readImage(reader, meter),
};
