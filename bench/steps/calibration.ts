/**
 * A loop that costs the same wherever the product changes: what a step takes is held against it, so that a budget means the same on a fast machine, a slow one and
 * one that is busy. It does what the path does: looks at bytes and copies some.
 */

const BYTES = 64 * 1024;
const PIECE = 256;
const LOOPS = 10;

/** Pieces of 256 bytes that one call looks at and copies; its time divided by this is the unit. */
export const CALIBRATION_UNITS: number = (BYTES / PIECE) * LOOPS;

/** Answers a number that depends on every byte, so that nothing can be left out. */
export function calibration(): () => number {
  const source = Uint8Array.from({ length: BYTES }, (_, i) => (i * 31) & 0xff);
  const target = new Uint8Array(BYTES);
  return () => {
    let sum = 0;
    for (let loop = 0; loop < LOOPS; loop++) {
      for (let at = 0; at < BYTES; at += PIECE) sum ^= piece(source, target, at);
    }
    return sum;
  };
}

/** FNV-1a. Its multiplication stays within 32 bits, so there is one way to compile it. */
function piece(source: Uint8Array, target: Uint8Array, from: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < from + PIECE; at++) {
    const byte = source[at]!;
    target[at] = byte;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash;
}
