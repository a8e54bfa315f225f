/**
 * CRC-32 of bytes put together from CRC-32s of parts: what was gone over once need not be gone over again where it stands behind something else.
 *
 *   crc32(A ‖ B) = shift(crc32(A), |B|) ^ crc32(B)        crc32(B, seed) = shift(seed, |B|) ^ crc32(B)
 *
 * `shift(c, n)` is c · x^(8n) modulo zlib's polynomial, bits reflected. x^(8 · 2^k) are tables; the rest is one multiplication for each bit of n: below a
 * microsecond, which is what 3 KiB take to be gone over. Found in Adler's crc32_combine; written anew for numbers of JavaScript.
 */

/** From so many bytes on joining costs clearly less than going over them. */
export const CRC_JOIN_BYTES_MIN = 8 * 1024;

const POLYNOMIAL = 0xedb8_8320;
/** x^0, reflected: bit 31. */
const ONE = 0x8000_0000;
/** Of lengths below 2^32. */
const LENGTH_BITS = 32;

function times(a: number, b: number): number {
  let product = 0;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= b;
    b = (b & 1) === 0 ? b >>> 1 : (b >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

/** x^(8 · 2^k). */
const POWERS: Uint32Array = new Uint32Array(LENGTH_BITS);
for (let k = 0, power = ONE >>> 8; k < LENGTH_BITS; k++) {
  POWERS[k] = power;
  power = times(power, power);
}

/** What a CRC-32 becomes when `bytes` zeros' worth of others follow: see above. */
export function crc32Shift(crc: number, bytes: number): number {
  if (crc === 0) return 0;
  let shifted = crc >>> 0;
  for (let rest = bytes >>> 0, k = 0; rest !== 0; rest >>>= 1, k++) {
    if ((rest & 1) !== 0) shifted = times(POWERS[k]!, shifted);
  }
  return shifted;
}

/** Of A ‖ B, where B has so many bytes. */
export function crc32Join(crcA: number, crcB: number, bytesB: number): number {
  return (crc32Shift(crcA, bytesB) ^ crcB) >>> 0;
}
