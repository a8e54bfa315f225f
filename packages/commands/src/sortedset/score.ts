/**
 * Scores as words: C's strtod over all of the word, by which Redis reads them (object.c getDoubleFromObject, t_zset.c zslParseRange), decimal and hexadecimal.
 */
import type { Request } from "@headrace/resp";

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?(?:[pP]([+-]?\d+))?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
/** Beyond this power of two nothing is left of a number, or it is infinite, whatever digits stand in front. */
const POWER_MAX = 100_000;

/** A number, infinite too; NaN: it is none, or one so large or small that C says so. */
export function readScore(request: Request, i: number): number {
  const text = request.latin1(i);
  const value = doubleOf(text);
  const isInfinite = value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
  if (isInfinite && !INFINITE.test(text)) return Number.NaN;
  if (value === 0 && hasDigits(text)) return Number.NaN;
  return value;
}

/** So small that nothing is left of it: not zero itself. */
function hasDigits(text: string): boolean {
  const hex = HEXADECIMAL.exec(text);
  const digits = hex === null ? text.replace(/[eE].*$/, "") : `${hex[2] ?? ""}${hex[3] ?? ""}`;
  return /[1-9a-fA-F]/.test(digits);
}

/** Rounded to nearest; NaN: the word is none. */
function doubleOf(text: string): number {
  if (DECIMAL.test(text)) return Number(text);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const [, sign, whole = "", fraction = "", power = "0"] = HEXADECIMAL.exec(text) ?? [];
  if (whole + fraction === "") return Number.NaN;
  const exponent = Math.max(-POWER_MAX, Math.min(POWER_MAX, Number(power))) - 4 * fraction.length;
  const size = scaled(Number(BigInt(`0x${whole}${fraction}`)), exponent);
  return sign === "-" ? -size : size;
}

/** In steps: a power may be beyond a double's although the product is not. */
function scaled(value: number, exponent: number): number {
  let result = value;
  let left = exponent;
  while (left !== 0 && result !== 0 && Number.isFinite(result)) {
    const step = Math.max(-1000, Math.min(1000, left));
    result *= 2 ** step;
    left -= step;
  }
  return result;
}

/** An end of a range of scores. */
export interface ScoreBound {
  readonly score: number;
  readonly isExclusive: boolean;
}

/** Null: it is none. Blanks in front are skipped, nothing at all is 0, and the word ends at its first NUL. */
function readScoreBound(request: Request, i: number): ScoreBound | null {
  const word = request.latin1(i);
  const isExclusive = word.startsWith("(");
  const nul = word.indexOf("\0");
  const text = word.slice(isExclusive ? 1 : 0, nul < 0 ? undefined : nul);
  const trimmed = text.replace(/^[ \t\n\v\f\r]+/, "");
  // Of blanks alone strtod reads nothing, and stops in front of them.
  const score = text === "" ? 0 : doubleOf(trimmed);
  return Number.isNaN(score) ? null : { score, isExclusive };
}

export interface ScoreRange {
  readonly min: ScoreBound;
  readonly max: ScoreBound;
}

/** Null: one of them is no bound. */
export function readScoreRange(request: Request, minAt: number, maxAt: number): ScoreRange | null {
  const min = readScoreBound(request, minAt);
  const max = readScoreBound(request, maxAt);
  return min === null || max === null ? null : { min, max };
}
