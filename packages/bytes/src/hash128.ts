/**
 * A 128-bit digest of byte strings, one behind another: MurmurHash3_x86_128 (Austin Appleby, public domain), each string seeded with the lanes
 * that the one before left. Its length goes in with every string, so `ab`, `c` and `a`, `bc` differ. It finds equal content, not attackers.
 */
const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

export class Hash128 {
  a: number;
  b: number;
  c: number;
  d: number;

  constructor() {
    this.a = 0;
    this.b = 0;
    this.c = 0;
    this.d = 0;
  }

  /** Begins anew; with seed 0 an empty string leaves no trace. */
  reset(seed: number): void {
    this.a = seed;
    this.b = seed;
    this.c = seed;
    this.d = seed;
  }

  /** Takes in bytes[start, end). */
  mix(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const tail = start + (length & ~15);
    for (let at = start; at < tail; at += 16) this.#block(bytes, at);
    this.#tail(bytes, tail, end);
    this.#finish(length);
  }

  /** Adds another digest lane by lane: the sum does not depend on the order. */
  add(other: Hash128): void {
    this.a = (this.a + other.a) | 0;
    this.b = (this.b + other.b) | 0;
    this.c = (this.c + other.c) | 0;
    this.d = (this.d + other.d) | 0;
  }

  /** Writes the sixteen bytes, lanes little-endian. */
  writeTo(bytes: Uint8Array, offset: number): void {
    let at = offset;
    for (const lane of [this.a, this.b, this.c, this.d]) {
      bytes[at++] = lane & 255;
      bytes[at++] = (lane >>> 8) & 255;
      bytes[at++] = (lane >>> 16) & 255;
      bytes[at++] = lane >>> 24;
    }
  }

  #block(bytes: Uint8Array, at: number): void {
    const a = rotate(this.a ^ scramble(wordAt(bytes, at), C1, 15, C2), 19);
    this.a = (Math.imul((a + this.b) | 0, 5) + 0x561ccd1b) | 0;
    const b = rotate(this.b ^ scramble(wordAt(bytes, at + 4), C2, 16, C3), 17);
    this.b = (Math.imul((b + this.c) | 0, 5) + 0x0bcaa747) | 0;
    const c = rotate(this.c ^ scramble(wordAt(bytes, at + 8), C3, 17, C4), 15);
    this.c = (Math.imul((c + this.d) | 0, 5) + 0x96cd1c35) | 0;
    const d = rotate(this.d ^ scramble(wordAt(bytes, at + 12), C4, 18, C1), 13);
    this.d = (Math.imul((d + this.a) | 0, 5) + 0x32ac3b17) | 0;
  }

  #tail(bytes: Uint8Array, start: number, end: number): void {
    this.d ^= scramble(partAt(bytes, start + 12, end), C4, 18, C1);
    this.c ^= scramble(partAt(bytes, start + 8, end), C3, 17, C4);
    this.b ^= scramble(partAt(bytes, start + 4, end), C2, 16, C3);
    this.a ^= scramble(partAt(bytes, start, end), C1, 15, C2);
  }

  #finish(length: number): void {
    this.a ^= length;
    this.b ^= length;
    this.c ^= length;
    this.d ^= length;
    this.#spread();
    this.a = avalanche(this.a);
    this.b = avalanche(this.b);
    this.c = avalanche(this.c);
    this.d = avalanche(this.d);
    this.#spread();
  }

  #spread(): void {
    this.a = (this.a + this.b + this.c + this.d) | 0;
    this.b = (this.b + this.a) | 0;
    this.c = (this.c + this.a) | 0;
    this.d = (this.d + this.a) | 0;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function scramble(word: number, first: number, bits: number, second: number): number {
  return Math.imul(rotate(Math.imul(word, first), bits), second);
}

function avalanche(lane: number): number {
  let mixed = lane ^ (lane >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** What there is of a word that may end early. */
function partAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let i = 0; i < 4 && at + i < end; i++) word |= bytes[at + i]! << (8 * i);
  return word;
}
