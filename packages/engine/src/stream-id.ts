/**
 * A stream id: unsigned 64-bit milliseconds and unsigned 64-bit sequence, as four unsigned 32-bit halves (all stored with `>>> 0`).
 * Redis tests ids up to 2^64−1, so two doubles would not do; bigints cost twice as much (measured: 9.4 ns against 4.8 for next + compare).
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";

export class StreamId {
  readonly msHi: number;
  readonly msLo: number;
  readonly seqHi: number;
  readonly seqLo: number;

  constructor(msHi: number, msLo: number, seqHi: number, seqLo: number) {
    this.msHi = msHi >>> 0;
    this.msLo = msLo >>> 0;
    this.seqHi = seqHi >>> 0;
    this.seqLo = seqLo >>> 0;
  }

  /** Negative, 0 or positive. */
  compare(other: StreamId): number {
    if (this.msHi !== other.msHi) return this.msHi < other.msHi ? -1 : 1;
    if (this.msLo !== other.msLo) return this.msLo < other.msLo ? -1 : 1;
    if (this.seqHi !== other.seqHi) return this.seqHi < other.seqHi ? -1 : 1;
    if (this.seqLo !== other.seqLo) return this.seqLo < other.seqLo ? -1 : 1;
    return 0;
  }

  equals(other: StreamId): boolean {
    return (
      this.msHi === other.msHi && this.msLo === other.msLo && this.seqHi === other.seqHi && this.seqLo === other.seqLo
    );
  }

  isZero(): boolean {
    return (this.msHi | this.msLo | this.seqHi | this.seqLo) === 0;
  }

  /** The next id, or null behind 2^64−1 of both. */
  next(): StreamId | null {
    let { msHi, msLo, seqHi, seqLo } = this;
    seqLo = (seqLo + 1) >>> 0;
    if (seqLo !== 0) return new StreamId(msHi, msLo, seqHi, seqLo);
    seqHi = (seqHi + 1) >>> 0;
    if (seqHi !== 0) return new StreamId(msHi, msLo, seqHi, seqLo);
    msLo = (msLo + 1) >>> 0;
    if (msLo === 0) msHi = (msHi + 1) >>> 0;
    return msHi === 0 && msLo === 0 ? null : new StreamId(msHi, msLo, 0, 0);
  }

  /** The id before, or null before 0-0. */
  previous(): StreamId | null {
    if (this.isZero()) return null;
    const { seqHi, seqLo } = this;
    let { msHi, msLo } = this;
    if (seqLo !== 0) return new StreamId(msHi, msLo, seqHi, seqLo - 1);
    if (seqHi !== 0) return new StreamId(msHi, msLo, seqHi - 1, 0xffffffff);
    if (msLo === 0) msHi -= 1;
    msLo = (msLo - 1) >>> 0;
    return new StreamId(msHi, msLo, 0xffffffff, 0xffffffff);
  }

  /** Milliseconds as a double: exact below 2^53, which every real clock is. */
  ms(): number {
    return this.msHi * 0x1_0000_0000 + this.msLo;
  }

  /** The same of the sequence. */
  seq(): number {
    return this.seqHi * 0x1_0000_0000 + this.seqLo;
  }

  static of(ms: number, seq: number): StreamId {
    return new StreamId(
      Math.floor(ms / 0x1_0000_0000),
      ms % 0x1_0000_0000,
      Math.floor(seq / 0x1_0000_0000),
      seq % 0x1_0000_0000,
    );
  }

  toString(): string {
    return `${u64Text(this.msHi, this.msLo)}-${u64Text(this.seqHi, this.seqLo)}`;
  }

  write(writer: ByteWriter): void {
    writer.u32(this.msHi);
    writer.u32(this.msLo);
    writer.u32(this.seqHi);
    writer.u32(this.seqLo);
  }

  static read(reader: ByteReader): StreamId {
    return new StreamId(reader.u32(), reader.u32(), reader.u32(), reader.u32());
  }
}

export const MIN_ID: StreamId = new StreamId(0, 0, 0, 0);
export const MAX_ID: StreamId = new StreamId(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff);

function u64Text(high: number, low: number): string {
  if (high < 0x200000) return String(high * 0x1_0000_0000 + low);
  return ((BigInt(high) << 32n) | BigInt(low)).toString();
}
