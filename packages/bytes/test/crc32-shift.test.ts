/** CRC-32 put together from parts, against zlib going over all of it. */
import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import { expect, test } from "vitest";
import { crc32Join, crc32Shift } from "../src/crc32-shift.ts";

test("what is joined is the checksum of both parts, one behind the other", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 70_000, size: "max" }), (a, b) => {
      const whole = Buffer.concat([a, b]);
      expect(crc32Join(zlibCrc32(a), zlibCrc32(b), b.length)).toBe(zlibCrc32(whole));
    }),
  );
});

test("a seed goes in and out of a checksum by shifting it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(0xffff_ffff), (bytes, seed) => {
      expect((zlibCrc32(bytes, seed) ^ crc32Shift(seed, bytes.length)) >>> 0).toBe(zlibCrc32(bytes));
    }),
  );
});

test("every length up to a few words, and lengths around powers of two", () => {
  const lengths = [
    ...Array(70).keys(),
    ...[8, 12, 16, 20, 23].flatMap((bit) => [2 ** bit - 1, 2 ** bit, 2 ** bit + 1]),
  ];
  for (const length of lengths) {
    const zeros = Buffer.alloc(length);
    expect(crc32Join(0x1234_5678, zlibCrc32(zeros), length), `${length}`).toBe(zlibCrc32(zeros, 0x1234_5678));
  }
});
