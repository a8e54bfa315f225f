/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, after Linux' lib/siphash.c hsiphash): 32 bits of a byte string under a key. Where members of a set lie is decided by
 * it, on every replica alike; who does not know the key can't choose members that all lie in one place.
 */
let v0 = 0;
let v1 = 0;
let v2 = 0;
let v3 = 0;

function round(): void {
  v0 = (v0 + v1) | 0;
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
  v0 = (v0 << 16) | (v0 >>> 16);
  v2 = (v2 + v3) | 0;
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
  v0 = (v0 + v3) | 0;
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
  v2 = (v2 + v1) | 0;
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
  v2 = (v2 << 16) | (v2 >>> 16);
}

/** An unsigned number; the key's two words are `key0` and `key1`. */
export function halfSipHash(bytes: Uint8Array, start: number, end: number, key0: number, key1: number): number {
  v0 = key0 | 0;
  v1 = key1 | 0;
  v2 = key0 ^ 0x6c796765;
  v3 = key1 ^ 0x74656462;
  const whole = start + ((end - start) & ~3);
  let at = start;
  for (; at < whole; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    v3 ^= word;
    round();
    v0 ^= word;
  }
  let last = (end - start) << 24;
  for (let shift = 0; at < end; at++, shift += 8) last |= bytes[at]! << shift;
  v3 ^= last;
  round();
  v0 ^= last;
  v2 ^= 0xff;
  round();
  round();
  round();
  return (v1 ^ v3) >>> 0;
}
