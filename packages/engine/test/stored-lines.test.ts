/** Lines of blocks from pages of them, beside the list that was written. */
import fc from "fast-check";
import { ByteReader, ByteWriter } from "@headrace/bytes";
import { expect, test } from "vitest";
import { DamagedRowError } from "../src/api.ts";
import { BLOCK_ENTRIES_MAX, type BlockLine, PAGE_BITS } from "../src/block.ts";
import { writeLine } from "../src/block-line.ts";
import { checked } from "../src/checked.ts";
import { StoredLines } from "../src/stored-lines.ts";
import { StreamId } from "../src/stream-id.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const id = fc.tuple(u32, u32, u32, u32).map((words) => new StreamId(...words));
const line = fc
  .record({
    number: fc.integer({ min: 1, max: 400 }),
    firstId: id,
    lastId: id,
    count: fc.integer({ min: 2, max: BLOCK_ENTRIES_MAX }),
    byteLength: u32,
    opensCount: u32,
    opensFirst: fc.boolean(),
    opensDigest: u32,
    crc: u32,
    isScattered: fc.boolean(),
  })
  .map(({ isScattered, ...of }): BlockLine => ({ ...of, fragments: isScattered ? [0, of.count - 1] : [0] }));

function pageOf(lines: readonly BlockLine[]): ByteReader {
  const writer = new ByteWriter();
  writer.u32(lines.length);
  for (const one of lines) writeLine(writer, one);
  return new ByteReader(writer.view().slice());
}

test("lines are what was written, in the order of their numbers, whichever page comes first; the last block's and later ones stand behind", () => {
  const lines = fc.uniqueArray(line, { selector: ({ number }) => number, maxLength: 200 });
  fc.assert(
    fc.property(lines, fc.infiniteStream(fc.nat()), fc.option(line, { nil: null }), (written, draws, tail) => {
      const sorted = written.toSorted((a, b) => a.number - b.number);
      const pages = new Map<number, BlockLine[]>();
      for (const one of sorted) {
        const page = one.number >>> PAGE_BITS;
        pages.set(page, [...(pages.get(page) ?? []), one]);
      }
      const left = [...pages];
      const found = new StoredLines();
      while (left.length > 0) {
        const [[page, onIt]] = left.splice(draws.next().value! % left.length, 1) as [[number, BlockLine[]]];
        const reader = pageOf(onIt);
        found.takePage(page, reader, 0);
        expect(reader.remaining).toBe(0);
      }
      const before = sorted.filter(({ number }) => tail === null || number < tail.number);
      expect(found.countBefore(tail)).toBe(before.length);
      expect(before.map((_, at) => found.line(at))).toEqual(before);
      expect(new Set(found.scattered)).toEqual(new Set(written.filter(({ fragments }) => fragments.length > 1)));
    }),
  );
});

test("a line that says what cannot be, one on another's page and a page that ends early are damage", () => {
  fc.assert(
    fc.property(line, fc.constantFrom(0, BLOCK_ENTRIES_MAX + 1), (good, count) => {
      const page = good.number >>> PAGE_BITS;
      const take = (lines: readonly BlockLine[], at: number) => () => {
        checked(() => new StoredLines().takePage(at, pageOf(lines), 0));
      };
      expect(take([good], page)).not.toThrow();
      expect(take([{ ...good, count }], page)).toThrow(DamagedRowError);
      expect(take([{ ...good, fragments: [1] }], page)).toThrow(DamagedRowError);
      expect(take([{ ...good, fragments: [] }], page)).toThrow(DamagedRowError);
      expect(take([good], page + 1)).toThrow(DamagedRowError);
      const whole = pageOf([good, good]).bytes;
      for (let end = 0; end < whole.length; end++) {
        const cut = new ByteReader(whole, 0, end);
        expect(() => checked(() => new StoredLines().takePage(page, cut, 0))).toThrow(DamagedRowError);
      }
    }),
    { numRuns: 30 },
  );
});
