/**
 * Walks through a listpack, Redis' packed list of strings and integers. Every length is checked, that of each element behind it too.
 *
 *   u32 bytes · u16 elements (0xffff: not counted) · elements · 0xff                          little-endian; listpack.c
 *   element  0xxxxxxx            7-bit integer            · its length behind it, 7 bits in a byte, last byte first
 *            10LLLLLL            string of L bytes
 *            110xxxxx + 1 byte   13-bit integer, signed
 *            1110LLLL + 1 byte   string of L bytes, big-endian
 *            0xf0 + u32          string of that many bytes
 *            0xf1 0xf2 0xf3 0xf4 integer of 2, 3, 4, 8 bytes, signed
 */
import type { ByteWriter } from "@headrace/bytes";
import { BadDumpError } from "./bad-dump.ts";
import type { ByteSpan } from "./rdb-reader.ts";

const HEAD_BYTES = 6;
const UNCOUNTED = 0xffff;
const END = 0xff;

export class Listpack {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  readonly #end: number;
  /** Of the last element, when it is a string: bytes[stringStart, stringEnd). */
  stringStart: number;
  stringEnd: number;
  /** Of the last element, when it is an integer. */
  integer: bigint;
  isString: boolean;

  /** Throws BadDumpError when head or end are wrong. */
  constructor({ bytes, start, end }: ByteSpan) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start + HEAD_BYTES;
    this.#end = end - 1;
    this.stringStart = 0;
    this.stringEnd = 0;
    this.integer = 0n;
    this.isString = false;
    if (end - start < HEAD_BYTES + 1) throw new BadDumpError("listpack: too short");
    if (this.#view.getUint32(start, true) !== end - start) throw new BadDumpError("listpack: wrong size");
    if (bytes[this.#end] !== END) throw new BadDumpError("listpack: no end");
    this.#checkCount(this.#view.getUint16(start + 4, true));
  }

  #checkCount(stated: number): void {
    const first = this.#at;
    let count = 0;
    for (; !this.isAtEnd; this.next()) count++;
    this.#at = first;
    if (stated !== UNCOUNTED && stated !== count) throw new BadDumpError("listpack: miscounted");
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Reads one element into the fields. */
  next(): void {
    const start = this.#at;
    const first = this.#byteAt(start);
    const header = headerBytes(first);
    if (start + header > this.#end) throw new BadDumpError("listpack: cut off");
    this.isString = isString(first);
    let length = header;
    if (this.isString) {
      length += this.#stringBytes(first, start);
      this.stringStart = start + header;
      this.stringEnd = start + length;
    } else {
      this.integer = this.#integerAt(first, start);
    }
    if (start + length > this.#end) throw new BadDumpError("listpack: cut off");
    this.#at = this.#behindBackLength(start + length, length);
  }

  #byteAt(at: number): number {
    if (at >= this.#end) throw new BadDumpError("listpack: cut off");
    return this.bytes[at]!;
  }

  #stringBytes(first: number, start: number): number {
    if (first < 0xc0) return first & 63;
    return first === 0xf0 ? this.#view.getUint32(start + 1, true) : ((first & 15) << 8) | this.bytes[start + 1]!;
  }

  #integerAt(first: number, start: number): bigint {
    const view = this.#view;
    if (first < 0x80) return BigInt(first);
    if (first < 0xe0) return BigInt(((((first & 31) << 8) | this.bytes[start + 1]!) << 19) >> 19);
    if (first === 0xf1) return BigInt(view.getInt16(start + 1, true));
    if (first === 0xf2) return BigInt(view.getUint16(start + 1, true) | (view.getInt8(start + 3) << 16));
    if (first === 0xf3) return BigInt(view.getInt32(start + 1, true));
    return view.getBigInt64(start + 1, true);
  }

  #behindBackLength(at: number, length: number): number {
    const groups = backLengthBytes(length);
    let rest = length;
    for (let group = groups - 1; group >= 0; group--, rest = Math.floor(rest / 128)) {
      const expected = (rest % 128) | (group === 0 ? 0 : 128);
      if (this.#byteAt(at + group) !== expected) throw new BadDumpError("listpack: wrong length behind an element");
    }
    return at + groups;
  }

  /** The next element as an integer that counts or measures something. */
  count(): number {
    const value = this.nextInteger();
    if (value < 0n || value > BigInt(this.bytes.length)) throw new BadDumpError("listpack: not a count");
    return Number(value);
  }

  nextInteger(): bigint {
    this.next();
    if (this.isString) throw new BadDumpError("listpack: not an integer");
    return this.integer;
  }

  /** Appends the next element as a RESP bulk string. */
  copyBulk(writer: ByteWriter): void {
    this.next();
    if (!this.isString) {
      const text = this.integer.toString();
      writer.latin1(`$${text.length}\r\n${text}\r\n`);
      return;
    }
    writer.latin1(`$${this.stringEnd - this.stringStart}\r\n`);
    writer.raw(this.bytes, this.stringStart, this.stringEnd);
    writer.latin1("\r\n");
  }
}

/** Redis takes one byte more for the last length that would fit. */
function backLengthBytes(length: number): number {
  if (length <= 127) return 1;
  if (length < 16_383) return 2;
  if (length < 2_097_151) return 3;
  return length < 268_435_455 ? 4 : 5;
}

/** Bytes in front of a string, or all of an integer. */
function headerBytes(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xf0) return 2;
  if (first === 0xf0) return 5;
  if (first === 0xf1) return 3;
  if (first === 0xf2) return 4;
  if (first === 0xf3) return 5;
  if (first === 0xf4) return 9;
  throw new BadDumpError("listpack: unknown element");
}

function isString(first: number): boolean {
  return (first >= 0x80 && first < 0xc0) || (first >= 0xe0 && first <= 0xf0);
}
