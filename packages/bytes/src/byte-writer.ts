import { allocate, copyBytes } from "./byte-copy.ts";
import { writeDigits } from "./ascii-integer.ts";
import { bytesOf, writeLatin1 } from "./latin1.ts";

/**
 * A growing buffer with the cursor exposed. Hot code may take `reserve(n)`, write into `bytes` from `length` by itself and set `length`.
 * `bytes` may be replaced by any call that grows it: never keep it across calls. Multi-byte numbers are little-endian.
 */
export class ByteWriter {
  bytes: Uint8Array;
  length: number;
  #view: DataView;

  constructor(capacityBytes: number = 256) {
    this.bytes = allocate(capacityBytes);
    this.length = 0;
    this.#view = viewOf(this.bytes);
  }

  /** Makes room for `moreBytes` behind `length`. */
  reserve(moreBytes: number): void {
    const needed = this.length + moreBytes;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.#view.setUint16(this.length, value, true);
    this.length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A whole number ≥ 0 up to 2^53 − 1, seven bits a byte, the lowest first: small ones take one byte. */
  varint(value: number): void {
    this.reserve(8);
    while (value > 0x7f) {
      // Above 2^31 bit operations would lose what is beyond.
      this.bytes[this.length++] = (value % 128) | 0x80;
      value = value < 0x8000_0000 ? value >>> 7 : Math.floor(value / 128);
    }
    this.bytes[this.length++] = value;
  }

  /** Any double; also how safe integers beyond 32 bits are written. */
  f64(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Overwrites four bytes written before: lengths that become known later. */
  patchU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  raw(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    this.length = copyBytes(this.bytes, this.length, source, start, end);
  }

  all(source: Uint8Array): void {
    this.raw(source, 0, source.length);
  }

  latin1(text: string): void {
    this.reserve(text.length);
    this.length = writeLatin1(this.bytes, this.length, text);
  }

  /** A latin1 string behind its u32 length. */
  string(text: string): void {
    this.u32(text.length);
    this.latin1(text);
  }

  /** Decimal digits of a safe integer, negative too. */
  digits(value: number): void {
    this.reserve(21);
    if (value < 0) {
      this.bytes[this.length++] = 45;
      value = -value;
    }
    this.length = writeDigits(this.bytes, this.length, value);
  }

  /** The content as a view into `bytes`; valid until the next write. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Hands the content over and starts anew with a fresh buffer. The answer is the caller's. */
  take(nextCapacityBytes: number = this.bytes.length): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    this.bytes = allocate(nextCapacityBytes);
    this.#view = viewOf(this.bytes);
    this.length = 0;
    return taken;
  }

  clear(): void {
    this.length = 0;
  }

  #grow(needed: number): void {
    // Twice as much, or what somebody has asked for who knew how much would come.
    const doubled = Math.max(this.bytes.length * 2, 64);
    const grown = allocate(needed <= doubled ? doubled : wholeUnits(needed));
    copyBytes(grown, 0, this.bytes, 0, this.length);
    this.bytes = grown;
    this.#view = viewOf(grown);
  }
}

/** Few sizes, so that the allocator meets them again. */
function wholeUnits(bytes: number): number {
  const unit = bytes < 4096 ? 64 : 4096;
  return Math.ceil(bytes / unit) * unit;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Convenience for constants. */
export function asciiBytes(text: string): Uint8Array {
  return bytesOf(text);
}
