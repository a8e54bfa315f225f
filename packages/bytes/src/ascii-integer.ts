/** Integers as ASCII digits, written and read in place. */

const TEN_9 = 1_000_000_000;

/** Number of digits of a non-negative safe integer. */
export function digitCount(value: number): number {
  if (value < TEN_9) return smallDigitCount(value);
  const high = Math.floor(value / TEN_9);
  return high < TEN_9 ? 9 + smallDigitCount(high) : 9 + digitCount(high);
}

function smallDigitCount(value: number): number {
  if (value < 100_000) {
    if (value < 100) return value < 10 ? 1 : 2;
    return value < 1000 ? 3 : value < 10_000 ? 4 : 5;
  }
  if (value < 10_000_000) return value < 1_000_000 ? 6 : 7;
  return value < 100_000_000 ? 8 : 9;
}

/**
 * Writes a non-negative safe integer in decimal; returns the offset behind it. Above 10^9 in two parts, because V8 divides small integers
 * with a multiplication but doubles with a division and a floor (a clock's 13 digits: 12 ns against 60).
 */
export function writeDigits(bytes: Uint8Array, offset: number, value: number): number {
  if (value < 10) {
    bytes[offset] = 48 + value;
    return offset + 1;
  }
  if (value < TEN_9) return writeSmall(bytes, offset, value, smallDigitCount(value));
  const high = Math.floor(value / TEN_9);
  return writeSmall(bytes, writeDigits(bytes, offset, high), value - high * TEN_9, 9);
}

/** Writes `value` < 10^9 in so many digits, zeros in front. */
function writeSmall(bytes: Uint8Array, offset: number, value: number, digits: number): number {
  const end = offset + digits;
  let rest = value | 0;
  for (let i = end - 1; i >= offset; i--) {
    const quotient = (rest / 10) | 0;
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
