/**
 * Mixes words into four lanes by multiplying and rotating, for a digest of a state (state-hash.ts). No cryptography: it finds accidents, not attackers.
 */
import { crc32 } from "@headrace/bytes";
import type { StreamId } from "./stream-id.ts";

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

export class Mixer {
  a: number;
  b: number;
  c: number;
  d: number;

  constructor() {
    this.a = 0x9e3779b9;
    this.b = 0x85ebca6b;
    this.c = 0xc2b2ae35;
    this.d = 0x27d4eb2f;
  }

  word(value: number): void {
    const mixed = Math.imul(value ^ this.d, 0xcc9e2d51);
    const a = Math.imul(this.a ^ mixed, 0x85ebca6b);
    this.a = (this.b + ((a << 13) | (a >>> 19))) | 0;
    this.b = this.c ^ ((mixed << 15) | (mixed >>> 17));
    this.c = Math.imul(this.d + this.a, 0x1b873593);
    this.d = ((a ^ (a >>> 16)) + this.b) | 0;
  }

  number(value: number): void {
    double[0] = value;
    this.word(words[0]!);
    this.word(words[1]!);
  }

  id(id: StreamId): void {
    this.word(id.msHi);
    this.word(id.msLo);
    this.word(id.seqHi);
    this.word(id.seqLo);
  }

  text(text: string): void {
    this.word(text.length);
    for (let i = 0; i < text.length; i++) this.word(text.charCodeAt(i));
  }

  /** Bytes by their number and checksum. */
  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.word(crc32(bytes));
  }

  digest(): string {
    for (let i = 0; i < 8; i++) this.word(i);
    return [this.a, this.b, this.c, this.d].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
