/**
 * How many bytes Redis' listpack takes for one element (listpack.c: lpEncodeGetType, lpEncodeBacklen), number by number: what looks like an
 * integer is packed. Stream nodes are bounded by these bytes, and `~` trimming shows where nodes end.
 */
const MINUS = 45;
const ZERO = 48;
const INT64_MAX_DIGITS = "9223372036854775807";
const INT64_MIN_DIGITS = "9223372036854775808";

/** Of an integer. */
export function integerListpackBytes(value: number): number {
  if (value >= 0 && value <= 127) return 2;
  if (value >= -4096 && value <= 4095) return 3;
  if (value >= -32_768 && value <= 32_767) return 4;
  if (value >= -8_388_608 && value <= 8_388_607) return 5;
  return value >= -2_147_483_648 && value <= 2_147_483_647 ? 6 : 10;
}

/** Of the string in bytes[start, start + length). */
export function stringListpackBytes(bytes: Uint8Array, start: number, length: number): number {
  const first = bytes[start]!;
  if (length > 0 && length <= 20 && first <= 57 && (first >= ZERO || first === MINUS)) {
    const packed = packedBytes(bytes, start, length);
    if (packed > 0) return packed;
  }
  const encoded = length < 64 ? length + 1 : length < 4096 ? length + 2 : length + 5;
  return (
    encoded + (encoded <= 127 ? 1 : encoded < 16_383 ? 2 : encoded < 2_097_151 ? 3 : encoded < 268_435_455 ? 4 : 5)
  );
}

/** 0: no integer of 64 bits. */
function packedBytes(bytes: Uint8Array, start: number, length: number): number {
  const isNegative = bytes[start] === MINUS;
  const from = isNegative ? start + 1 : start;
  const end = start + length;
  const digits = end - from;
  if (digits === 0 || digits > 19) return 0;
  if (bytes[from] === ZERO) return digits === 1 && !isNegative ? 2 : 0;
  let value = 0;
  for (let at = from; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return 0;
    value = value * 10 + digit;
  }
  if (digits === 19 && !isAtMost(bytes, from, isNegative ? INT64_MIN_DIGITS : INT64_MAX_DIGITS)) return 0;
  return integerListpackBytes(isNegative ? -value : value);
}

function isAtMost(bytes: Uint8Array, from: number, bound: string): boolean {
  for (let i = 0; i < bound.length; i++) {
    const difference = bytes[from + i]! - bound.charCodeAt(i);
    if (difference !== 0) return difference < 0;
  }
  return true;
}
