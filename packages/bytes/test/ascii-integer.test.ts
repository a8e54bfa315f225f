/** Digits against String(), integers against Redis' string2ll rules as BigInt sees them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { digitCount, readInt64, readInteger, writeDigits } from "../src/index.ts";

const SEED = 20261121;
const bytes = new Uint8Array(32);

function written(value: number): string {
  const end = writeDigits(bytes, 3, value);
  return Buffer.from(bytes.subarray(3, end)).toString("latin1");
}

/** Powers of ten and multiples of 10^9, with their neighbours: where the parts of a number meet. */
const edges = [
  ...Array.from({ length: 16 }, (_, power) => 10 ** power),
  ...[1, 7, 4194303, 4194304, 8388607, 8388608, 9007198, 9007199].map((high) => high * 1e9),
  Number.MAX_SAFE_INTEGER,
].flatMap((edge) => [edge - 1, edge, edge + 1].filter((value) => Number.isSafeInteger(value)));

test("digits are those of String, at every edge", () => {
  for (const edge of edges) {
    expect(written(edge)).toBe(String(edge));
    expect(digitCount(edge)).toBe(String(edge).length);
  }
});

test(`digits are those of String, and are read back (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 52 }), (large, shift) => {
      const value = Math.floor(large / 2 ** shift);
      const text = written(value);
      expect(text).toBe(String(value));
      expect(digitCount(value)).toBe(text.length);
      expect(readInteger(bytes, 3, 3 + text.length)).toBe(value);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test.each([
  ["9223372036854775807", 2n ** 63n - 1n],
  ["-9223372036854775808", -(2n ** 63n)],
  ["9223372036854775808", null],
  ["-9223372036854775809", null],
  ["9007199254740993", 2n ** 53n + 1n],
  ["01", null],
  ["-0", null],
  ["+1", null],
  ["-", null],
  ["", null],
  ["1 ", null],
])("the 64-bit integer in %j is %s", (text, expected) => {
  const source = Buffer.from(text, "latin1");
  expect(readInt64(source, 0, source.length)).toBe(expected);
});
