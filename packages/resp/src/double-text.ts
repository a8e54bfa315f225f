/** Doubles as Redis 7.0 prints them: C's %.17g, which every double comes back from. */

/** Whole numbers below are written as they are. */
const PLAIN_MAX = 1e17;
const DIGITS = 17;

export function doubleText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  if (Number.isNaN(value)) return "nan";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  if (Number.isSafeInteger(value)) return String(value);
  const [digits, exponent] = roundedDigits(Math.abs(value));
  const sign = value < 0 ? "-" : "";
  const shown = digits.replace(/0+$/, "");
  if (exponent < -4 || Math.abs(value) >= PLAIN_MAX || exponent >= DIGITS) {
    const fraction = shown.length > 1 ? `.${shown.slice(1)}` : "";
    return `${sign}${shown[0]!}${fraction}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${shown}`;
  const whole = digits.slice(0, exponent + 1);
  const fraction = shown.slice(exponent + 1);
  return fraction === "" ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

/** Seventeen digits, and the power of ten of the first. Where V8 rounds a half up, C rounds it to even. */
function roundedDigits(value: number): readonly [digits: string, exponent: number] {
  const [digits, exponent] = partsOf(value.toExponential(DIGITS - 1));
  const [longer] = partsOf(value.toExponential(DIGITS));
  if (!longer.endsWith("5") || !/^50*$/.test(partsOf(value.toExponential(100))[0].slice(DIGITS)))
    return [digits, exponent];
  const down = longer.slice(0, DIGITS);
  return Number(down.at(-1)) % 2 === 0 ? [down, exponent] : [digits, exponent];
}

function partsOf(text: string): readonly [digits: string, exponent: number] {
  const [mantissa, exponent] = text.split("e") as [string, string];
  return [mantissa.replace(".", ""), Number(exponent)];
}
