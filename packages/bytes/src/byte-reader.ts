import { latin1 } from "./latin1.ts";

/** Thrown when bytes end early: the caller decides whether that means damage or a bad peer. */
export class TruncatedError extends Error {
  override name: string = "TruncatedError";
}

/** Reads what `ByteWriter` wrote. Every read is checked against the end. */
export class ByteReader {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, offset: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  varint(): number {
    let byte = this.bytes[this.#take(1)]!;
    let value = byte & 0x7f;
    for (let scale = 128; byte >= 0x80; scale *= 128) {
      byte = this.bytes[this.#take(1)]!;
      value += (byte & 0x7f) * scale;
    }
    return value;
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  string(): string {
    const length = this.u32();
    const start = this.#take(length);
    return latin1(this.bytes, start, start + length);
  }

  /** Moves over `length` bytes; returns where they begin. */
  skip(length: number): number {
    return this.#take(length);
  }

  #take(length: number): number {
    const start = this.offset;
    if (start + length > this.end) {
      throw new TruncatedError(`${length} bytes wanted at ${start}, ends at ${this.end}`);
    }
    this.offset = start + length;
    return start;
  }
}
