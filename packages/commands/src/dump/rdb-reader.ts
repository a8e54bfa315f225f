/**
 * The elements of Redis' RDB format in bytes[offset, end): lengths, strings, raw numbers. Every read is checked against the end, and what strings
 * unpack to against a budget, so that a small payload can't become much memory.
 *
 *   length  00LLLLLL · 01LLLLLL + 1 byte · 0x80 + u32 big-endian · 0x81 + u64 big-endian
 *   string  length + bytes · 0xc0 i8 · 0xc1 i16 · 0xc2 i32 (little-endian) · 0xc3 length packed, length unpacked, LZF                 (rdb.c)
 */
import { asciiBytes, latin1 } from "@headrace/bytes";
import { StreamId } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { LZF_FACTOR_MAX, lzfDecompress } from "./lzf.ts";

/** Bytes that lie somewhere. */
export interface ByteSpan {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class RdbReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;
  readonly #end: number;
  #unpackedBytesLeft: number;

  constructor(bytes: Uint8Array, offset: number, end: number, bytesMax: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
    this.#end = end;
    // Listpacks may hold deleted entries beside those that become part of the image.
    this.#unpackedBytesLeft = bytesMax * 2;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#end;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (!(start + length <= this.#end)) throw new BadDumpError("cut off");
    this.#offset = start + length;
    return start;
  }

  u64(): bigint {
    const first = this.#bytes[this.#take(1)]!;
    if (first >>> 6 === 0) return BigInt(first);
    if (first >>> 6 === 1) return BigInt(((first & 63) << 8) | this.#bytes[this.#take(1)]!);
    if (first === 0x80) return BigInt(this.#view.getUint32(this.#take(4)));
    if (first === 0x81) return this.#view.getBigUint64(this.#take(8));
    throw new BadDumpError("not a length");
  }

  /** A length as a number; above 2^53 it is rounded, which no count of ours can reach. */
  length(): number {
    return Number(this.u64());
  }

  /** Milliseconds; signed, little-endian. */
  timeMs(): number {
    return Number(this.#view.getBigInt64(this.#take(8), true));
  }

  /** Little-endian. */
  double(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** An id as two lengths. */
  id(): StreamId {
    return idOf(this.u64(), this.u64());
  }

  /** An id as sixteen bytes, big-endian. */
  rawId(): StreamId {
    const at = this.#take(16);
    const view = this.#view;
    return new StreamId(view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12));
  }

  string(): ByteSpan {
    const first = this.#bytes[this.#offset];
    if (this.#offset < this.#end && first! >>> 6 === 3) return this.#encodedString(this.#bytes[this.#take(1)]! & 63);
    const length = this.length();
    const start = this.#take(length);
    return { bytes: this.#bytes, start, end: start + length };
  }

  text(): string {
    const { bytes, start, end } = this.string();
    return latin1(bytes, start, end);
  }

  #encodedString(encoding: number): ByteSpan {
    if (encoding === 0) return spanOf(this.#view.getInt8(this.#take(1)));
    if (encoding === 1) return spanOf(this.#view.getInt16(this.#take(2), true));
    if (encoding === 2) return spanOf(this.#view.getInt32(this.#take(4), true));
    if (encoding !== 3) throw new BadDumpError("not a string");
    const packed = this.length();
    const length = this.length();
    const start = this.#take(packed);
    if (length > packed * LZF_FACTOR_MAX || length > this.#unpackedBytesLeft)
      throw new BadDumpError("unpacks to too much");
    this.#unpackedBytesLeft -= length;
    const bytes = lzfDecompress(this.#bytes, start, start + packed, length);
    return { bytes, start: 0, end: length };
  }
}

function spanOf(value: number): ByteSpan {
  const bytes = asciiBytes(String(value));
  return { bytes, start: 0, end: bytes.length };
}

const LOW_32 = 0xffff_ffffn;

/** Both parts modulo 2^64. */
export function idOf(ms: bigint, seq: bigint): StreamId {
  const wrappedMs = BigInt.asUintN(64, ms);
  const wrappedSeq = BigInt.asUintN(64, seq);
  return new StreamId(
    Number(wrappedMs >> 32n),
    Number(wrappedMs & LOW_32),
    Number(wrappedSeq >> 32n),
    Number(wrappedSeq & LOW_32),
  );
}
