/** Integers as ASCII digits, written and read in place. */

/** Number of digits of a non-negative safe integer. */
export function digitCount(value: number): number {
  let count = 1;
  let rest = value;
  while (rest >= 10) {
    rest = Math.floor(rest / 10);
    count++;
  }
  return count;
}

/** Writes a non-negative safe integer in decimal; returns the offset behind it. */
export function writeDigits(bytes: Uint8Array, offset: number, value: number): number {
  if (value < 10) {
    bytes[offset] = 48 + value;
    return offset + 1;
  }
  const end = offset + digitCount(value);
  let rest = value;
  for (let i = end - 1; i >= offset; i--) {
    const quotient = Math.floor(rest / 10);
    bytes[i] = 48 + (rest - quotient * 10);
    rest = quotient;
  }
  return end;
}

/**
 * The safe integer in bytes[start, end), or NaN. Accepts what Redis' string2ll accepts: an optional minus, no plus, no leading zeros, no
 * blanks; beyond 2^53 it answers NaN although Redis goes to 2^63 (callers with 64-bit arguments use `readInt64`).
 */
export function readInteger(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return Number.NaN;
  let at = start;
  const negative = bytes[at] === 45;
  if (negative) at++;
  if (at >= end || end - at > 16) return Number.NaN;
  const first = bytes[at]!;
  if (first === 48) return end - at === 1 && !negative ? 0 : Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return negative ? -value : value;
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** The signed 64-bit integer in bytes[start, end) as a bigint, or null when it is none (string2ll's rules). Cold paths only. */
export function readInt64(bytes: Uint8Array, start: number, end: number): bigint | null {
  const small = readInteger(bytes, start, end);
  if (!Number.isNaN(small)) return BigInt(small);
  const length = end - start;
  if (length < 16 || length > 20) return null;
  let at = start;
  const negative = bytes[at] === 45;
  if (negative) at++;
  if (bytes[at] === 48) return null;
  let value = 0n;
  for (; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return null;
    value = value * 10n + BigInt(digit);
  }
  if (negative) value = -value;
  return value < INT64_MIN || value > INT64_MAX ? null : value;
}
