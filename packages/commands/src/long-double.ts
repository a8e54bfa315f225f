/**
 * The arithmetic of INCRBYFLOAT and HINCRBYFLOAT: x86's long double, with a significand of 64 bits, as Redis computes, so that sums print alike. A number is a
 * whole one times a power of two; everything is exact and rounded once, ties to even. Source: util.c string2ld, ld2string(LD_STR_HUMAN); glibc strtold.
 */

/** sign × significand × 2^exponent, significand < 2^64. */
export interface LongDouble {
  readonly significand: bigint;
  readonly exponent: number;
}

const SIGNIFICAND_BITS = 64;
/** Of the last bit of the smallest and of the largest number. */
const EXPONENT_MIN = -16_445;
const EXPONENT_MAX = 16_383 - 63;
/** MAX_LONG_DOUBLE_CHARS. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;
/** Beyond these powers of ten nothing is a number any more, whatever digits (at most `TEXT_BYTES_MAX`) stand in front. */
const DECIMAL_EXPONENT_MAX = 20_000;
const DECIMALS = 17;
const TEN_TO_DECIMALS = 10n ** BigInt(DECIMALS);

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?(?:[pP]([+-]?\d+))?$/;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** What a string says: null is no number, "infinite" one without end. */
export function parseLongDouble(text: string): LongDouble | "infinite" | null {
  if (text.length === 0 || text.length > TEXT_BYTES_MAX) return null;
  if (INFINITE.test(text)) return "infinite";
  const hex = HEXADECIMAL.exec(text);
  const [, sign, whole = "", fraction = "", power] = hex ?? DECIMAL.exec(text) ?? [];
  if (whole + fraction === "") return null;
  const digits = BigInt(hex === null ? whole + fraction : `0x${whole}${fraction}`);
  if (digits === 0n) return ZERO;
  const given = Number(power ?? "0");
  if (Math.abs(given) > DECIMAL_EXPONENT_MAX) return null;
  const signed = sign === "-" ? -digits : digits;
  const read =
    hex === null ? fromDecimal(signed, given - fraction.length) : rounded(signed, 1n, given - 4 * fraction.length);
  // Too large, or so small that nothing is left: ERANGE.
  return read === null || read.significand === 0n ? null : read;
}

const ZERO: LongDouble = { significand: 0n, exponent: 0 };

export function longDoubleOf(value: bigint): LongDouble {
  return rounded(value, 1n, 0)!;
}

function fromDecimal(digits: bigint, power: number): LongDouble | null {
  return power >= 0 ? rounded(digits * 10n ** BigInt(power), 1n, 0) : rounded(digits, 10n ** BigInt(-power), 0);
}

/** Null: it is infinite. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble | null {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.significand << BigInt(a.exponent - exponent)) + (b.significand << BigInt(b.exponent - exponent));
  return rounded(sum, 1n, exponent);
}

/** A whole number times this, rounded up to a whole one; null: it is infinite. */
export function ceiledProduct({ significand, exponent }: LongDouble, factor: bigint): bigint | null {
  const product = rounded(significand * factor, 1n, exponent);
  if (product === null) return null;
  if (product.exponent >= 0) return product.significand << BigInt(product.exponent);
  return -(-product.significand >> BigInt(-product.exponent));
}

/** The nearest number to dividend / divisor × 2^exponent; null: it is infinite. */
function rounded(dividend: bigint, divisor: bigint, exponent: number): LongDouble | null {
  if (dividend === 0n) return ZERO;
  const isNegative = dividend < 0n;
  const size = isNegative ? -dividend : dividend;
  // So that the quotient has 64 or 65 bits, or fewer where numbers end.
  let shift = SIGNIFICAND_BITS - (bitLength(size) - bitLength(divisor));
  if (exponent - shift < EXPONENT_MIN) shift = exponent - EXPONENT_MIN;
  let significand = dividedRounding(size, divisor, shift);
  if (bitLength(significand) > SIGNIFICAND_BITS) {
    // One bit too many: once more, so that it is rounded once.
    shift--;
    significand = dividedRounding(size, divisor, shift);
  }
  let last = exponent - shift;
  if (bitLength(significand) > SIGNIFICAND_BITS) {
    significand >>= 1n;
    last++;
  }
  if (bitLength(significand) + last > EXPONENT_MAX + SIGNIFICAND_BITS) return null;
  return { significand: isNegative ? -significand : significand, exponent: last };
}

/** size × 2^shift / divisor, ties to even. */
function dividedRounding(size: bigint, divisor: bigint, shift: number): bigint {
  const above = shift >= 0 ? size << BigInt(shift) : size;
  const below = shift >= 0 ? divisor : divisor << BigInt(-shift);
  return divideRounding(above, below);
}

function divideRounding(above: bigint, below: bigint): bigint {
  const quotient = above / below;
  const twice = (above % below) * 2n;
  const isUp = twice > below || (twice === below && (quotient & 1n) === 1n);
  return isUp ? quotient + 1n : quotient;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(16).length * 4 - LEADING_ZEROS[Number.parseInt(value.toString(16)[0]!, 16)]!;
}

/** Of a hexadecimal digit. */
const LEADING_ZEROS: readonly number[] = [4, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];

/** %.17Lf without zeros at the end. */
export function longDoubleText({ significand, exponent }: LongDouble): string {
  const size = (significand < 0n ? -significand : significand) * TEN_TO_DECIMALS;
  const scaled = exponent >= 0 ? size << BigInt(exponent) : divideRounding(size, 1n << BigInt(-exponent));
  const digits = scaled.toString().padStart(DECIMALS + 1, "0");
  const whole = digits.slice(0, -DECIMALS);
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, "");
  const text = fraction === "" ? whole : `${whole}.${fraction}`;
  return significand < 0n && text !== "0" ? `-${text}` : text;
}
