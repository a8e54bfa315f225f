/**
 * The one Request object that a decoder hands out again and again: offsets into the bytes where the client's arguments lie.
 *
 *   *3\r\n $4\r\nXADD\r\n $1\r\ns\r\n …
 *   ^rawStart ^headerStart(0)   ^headerStart(1), two bytes behind end(0)
 *            start(0)^   ^end(0)
 *
 * It knows nothing of how the bytes came together; the decoder moves the offsets when it moves the bytes.
 */
import { latin1, readInt64, readInteger } from "@headrace/bytes";
import type { Request } from "./api.ts";

const NO_BYTES: Uint8Array = new Uint8Array(0);
const CRLF_BYTES = 2;

export class RequestView implements Request {
  bytes: Uint8Array;
  count: number;
  rawStart: number;
  rawEnd: number;
  /** Where the first argument's header begins: behind `*n\r\n`. */
  firstHeader: number;
  starts: Int32Array;
  ends: Int32Array;

  constructor() {
    this.bytes = NO_BYTES;
    this.count = 0;
    this.rawStart = 0;
    this.rawEnd = 0;
    this.firstHeader = 0;
    this.starts = new Int32Array(16);
    this.ends = new Int32Array(16);
  }

  start(i: number): number {
    return this.starts[i]!;
  }

  end(i: number): number {
    return this.ends[i]!;
  }

  headerStart(i: number): number {
    return i === 0 ? this.firstHeader : this.ends[i - 1]! + CRLF_BYTES;
  }

  latin1(i: number): string {
    return latin1(this.bytes, this.starts[i]!, this.ends[i]!);
  }

  is(i: number, upperCase: string): boolean {
    const start = this.starts[i]!;
    const length = this.ends[i]! - start;
    if (length !== upperCase.length) return false;
    const bytes = this.bytes;
    for (let at = 0; at < length; at++) {
      let byte = bytes[start + at]!;
      if (byte >= 97 && byte <= 122) byte -= 32;
      if (byte !== upperCase.charCodeAt(at)) return false;
    }
    return true;
  }

  integer(i: number): number {
    return readInteger(this.bytes, this.starts[i]!, this.ends[i]!);
  }

  int64(i: number): bigint | null {
    return readInt64(this.bytes, this.starts[i]!, this.ends[i]!);
  }

  /** Room for one more argument than `index`; columns grow with what has arrived, never with what a client announces. */
  growTo(index: number): void {
    if (index < this.starts.length) return;
    const starts = new Int32Array(this.starts.length * 2);
    const ends = new Int32Array(this.ends.length * 2);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }

  /** The bytes were moved towards the front by `distance`. */
  shift(argumentsKnown: number, distance: number): void {
    this.rawStart -= distance;
    this.firstHeader -= distance;
    for (let i = 0; i < argumentsKnown; i++) {
      this.starts[i] = this.starts[i]! - distance;
      this.ends[i] = this.ends[i]! - distance;
    }
  }
}
