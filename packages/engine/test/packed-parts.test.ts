/** What packed streams are made of, each against a simple model: bytes without zeros, slabs of records, names without strings. */
import { ByteWriter } from "@headrace/bytes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NameIndex } from "../src/name-index.ts";
import { packWords, unpackWords } from "../src/packed-words.ts";
import { RecordSlabs } from "../src/record-slabs.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);

function packed(source: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(7);
  packWords(writer, source, 0, source.length);
  return writer.take(0).subarray(1);
}

describe("bytes without their zeros", () => {
  test("are as Cap'n Proto's description of packing has them, but for its runs", () => {
    // Its example: https://capnproto.org/encoding.html#packing
    const example = Uint8Array.of(8, 0, 0, 0, 3, 0, 2, 0, 0x19, 0, 0, 0, 0xaa, 1, 0, 0);
    expect([...packed(example)]).toEqual([0x51, 8, 3, 2, 0x31, 0x19, 0xaa, 1]);
    expect([...packed(Uint8Array.of(0, 0, 5))]).toEqual([0x04, 5]);
  });

  test(`come back, whatever they were (seed ${SEED})`, () => {
    const byte = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 200 }), (bytes) => {
        const source = Uint8Array.from(bytes);
        const short = packed(source);
        expect(short.length).toBeLessThanOrEqual(Math.ceil((source.length * 9) / 8));
        const writer = new ByteWriter();
        writer.u32(1);
        expect(unpackWords(writer, short, 0, source.length)).toBe(short.length);
        expect([...writer.view().subarray(4)]).toEqual(bytes);
      }),
      { seed: SEED },
    );
  });
});

const change = fc.record({ pick: fc.nat({ max: 100_000 }), bytes: fc.nat({ max: 900 }), adds: fc.nat({ max: 9 }) });

describe(`records in slabs (seed ${SEED})`, () => {
  test("keep number and content whatever comes and goes, and never take much more than twice what they are", () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 50, maxLength: 600 }), fc.nat({ max: 7 }), (changes, bias) => {
        const slabs = new RecordSlabs();
        const model = new Map<number, Uint8Array>();
        let liveBytes = 0;
        for (const { pick, bytes, adds } of changes) {
          if (adds > bias || model.size === 0) {
            const content = new Uint8Array(bytes).fill(pick);
            const number = slabs.add(content, bytes);
            expect(model.has(number)).toBe(false);
            model.set(number, content);
            liveBytes += bytes + 6;
          } else {
            const number = [...model.keys()][pick % model.size]!;
            slabs.remove(number);
            liveBytes -= model.get(number)!.length + 6;
            model.delete(number);
          }
          expect(slabs.size).toBe(model.size);
          // Half of each slab may be dead, the newest one of half the size of all is empty at first, and numbers are not given back.
          expect(slabs.byteLength).toBeLessThanOrEqual(liveBytes * 4 + 4 * changes.length * 1.5 + 4096);
        }
        const met = new Set<number>();
        slabs.visit((number) => met.add(number));
        expect(met).toEqual(new Set(model.keys()));
        for (const [number, content] of model) {
          const at = slabs.placeOf(number);
          expect(slabs.bytesOf(number).subarray(at, at + content.length)).toEqual(Buffer.from(content));
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  test("give back what was allocated when most of them have gone, and all of it with the last", () => {
    const slabs = new RecordSlabs();
    const content = new Uint8Array(94);
    const numbers = Array.from({ length: 20_000 }, () => slabs.add(content, content.length));
    expect(slabs.byteLength).toBeLessThan(20_000 * 110);
    for (const [i, number] of numbers.entries()) if (i % 10 !== 0) slabs.remove(number);
    expect(slabs.byteLength).toBeLessThan(20_000 * 4 * 1.5 + 2_000 * 100 * 2.5);
    for (const [i, number] of numbers.entries()) if (i % 10 === 0) slabs.remove(number);
    expect(slabs.byteLength).toBe(0);
  });
});

describe(`an index of names (seed ${SEED})`, () => {
  test("finds what a map finds, also where many names meet in one cell", () => {
    const names = fc.array(fc.record({ name: fc.string({ maxLength: 2 }), adds: fc.boolean() }), { maxLength: 400 });
    fc.assert(
      fc.property(names, (changes) => {
        const numbers: string[] = [];
        const index = new NameIndex((number, name) => numbers[number] === name);
        const model = new Map<string, number>();
        for (const { name, adds } of changes) {
          expect(index.find(name)).toBe(model.get(name) ?? -1);
          if (adds && !model.has(name)) {
            numbers.push(name);
            model.set(name, numbers.length - 1);
            index.add(name, numbers.length - 1);
          } else if (!adds && model.delete(name)) {
            index.remove(name);
          }
          expect(index.size).toBe(model.size);
        }
        for (const [name, number] of model) expect(index.find(name)).toBe(number);
        for (const name of model.keys()) index.remove(name);
        expect(index.byteLength).toBe(0);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test("grows and shrinks with what is in it", () => {
    const index = new NameIndex((number, name) => name === `k${number}`);
    for (let i = 0; i < 10_000; i++) index.add(`k${i}`, i);
    for (let i = 0; i < 10_000; i++) expect(index.find(`k${i}`)).toBe(i);
    expect(index.byteLength).toBeLessThanOrEqual(10_000 * 8 * 3);
    for (let i = 0; i < 9_900; i++) index.remove(`k${i}`);
    for (let i = 0; i < 10_000; i++) expect(index.find(`k${i}`)).toBe(i < 9_900 ? -1 : i);
    expect(index.byteLength).toBeLessThanOrEqual(100 * 8 * 8 * 2);
  });
});
