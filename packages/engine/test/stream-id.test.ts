/** Four halves against 128-bit BigInts. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "@headrace/bytes";
import { StreamId } from "../src/index.ts";

const SEED = 20261121;
const MAX = (1n << 128n) - 1n;

function big(id: StreamId): bigint {
  return (BigInt(id.msHi) << 96n) | (BigInt(id.msLo) << 64n) | (BigInt(id.seqHi) << 32n) | BigInt(id.seqLo);
}

function small(value: bigint): StreamId {
  const half = (shift: bigint): number => Number((value >> shift) & 0xffff_ffffn);
  return new StreamId(half(96n), half(64n), half(32n), half(0n));
}

// Runs of ones and zeros at every border, where carries happen.
const ids = fc
  .tuple(fc.bigInt({ min: 0n, max: MAX }), fc.constantFrom(0n, 32n, 64n, 96n, 128n), fc.bigInt({ min: -2n, max: 2n }))
  .map(([value, border, nudge]) => {
    const cut = border === 128n ? value : ((value >> border) << border) + nudge;
    return cut < 0n ? 0n : cut > MAX ? MAX : cut;
  });

test(`next, previous, compare, text and bytes agree with BigInt arithmetic (seed ${SEED})`, () => {
  fc.assert(
    fc.property(ids, ids, (a, b) => {
      const id = small(a);
      const next = id.next();
      expect(next === null ? null : big(next)).toBe(a === MAX ? null : a + 1n);
      const previous = id.previous();
      expect(previous === null ? null : big(previous)).toBe(a === 0n ? null : a - 1n);
      expect(Math.sign(id.compare(small(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
      expect(id.equals(small(b))).toBe(a === b);
      expect(id.isZero()).toBe(a === 0n);
      expect(id.toString()).toBe(`${a >> 64n}-${a & ((1n << 64n) - 1n)}`);
      const writer = new ByteWriter();
      id.write(writer);
      expect(StreamId.read(new ByteReader(writer.view())).equals(id)).toBe(true);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test("ids of safe integers keep both numbers", () => {
  const id = StreamId.of(Number.MAX_SAFE_INTEGER, 2 ** 40 + 5);
  expect(id.toString()).toBe("9007199254740991-1099511627781");
  expect(id.ms()).toBe(Number.MAX_SAFE_INTEGER);
});
