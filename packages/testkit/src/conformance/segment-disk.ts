/** What every SegmentDisk must do, real or simulated. Durability itself is not visible here: that is the simulator's and the kernel's. */
import type { SegmentDisk } from "@headrace/ports";
import { describe, expect, test } from "vitest";
import { type Settle, valueOf } from "./settle.ts";

export interface SegmentDiskCase {
  readonly disk: SegmentDisk;
  readonly settle: Settle;
  /** The same medium, opened anew. The former disk has been closed. */
  readonly reopen: () => Promise<SegmentDisk>;
  readonly cleanUp: () => Promise<void>;
}

const SIZE_BYTES = 64 * 1024;

export function segmentDiskConformance(name: string, make: () => Promise<SegmentDiskCase>): void {
  const withDisk = async (body: (subject: SegmentDiskCase) => Promise<void>): Promise<void> => {
    const subject = await make();
    try {
      await body(subject);
    } finally {
      await subject.cleanUp();
    }
  };

  describe(`${name} as a SegmentDisk`, () => {
    test("starts empty and lists what was created, ascending, with sizes", () =>
      withDisk(async ({ disk, settle }) => {
        expect(valueOf(await settle(disk.list.bind(disk)))).toEqual([]);
        for (const sequence of [9, 10, 11])
          valueOf(await settle<void>((done) => disk.create(sequence, SIZE_BYTES, done)));
        expect(valueOf(await settle(disk.list.bind(disk)))).toEqual(
          [9, 10, 11].map((sequence) => ({ sequence, sizeBytes: SIZE_BYTES })),
        );
      }));

    test("creates segments full of zeros, also where one was removed", () =>
      withDisk(async ({ disk, settle }) => {
        for (const sequence of [1, 2]) {
          valueOf(await settle<void>((done) => disk.create(sequence, SIZE_BYTES, done)));
          const read = valueOf(await settle<Uint8Array>((done) => disk.read(sequence, 0, SIZE_BYTES, done)));
          expect(read.length).toBe(SIZE_BYTES);
          expect(read.every((byte) => byte === 0)).toBe(true);
          const ones = new Uint8Array(SIZE_BYTES).fill(1);
          valueOf(await settle<void>((done) => disk.write(sequence, 0, [ones], true, done)));
          valueOf(await settle<void>((done) => disk.remove(sequence, done)));
        }
        expect(valueOf(await settle(disk.list.bind(disk)))).toEqual([]);
      }));

    test("writes chunks one behind the other at the offset, durable or not, and touches nothing else", () =>
      withDisk(async ({ disk, settle, reopen }) => {
        valueOf(await settle<void>((done) => disk.create(1, SIZE_BYTES, done)));
        const expected = new Uint8Array(SIZE_BYTES);
        for (const [offset, durable] of [
          [1000, true],
          [8, false],
          [SIZE_BYTES - 3000, false],
          [20_000, true],
        ] as const) {
          const chunks = [1, 700, 0, 299, 2000].map((length, i) => new Uint8Array(length).fill(i + offset));
          expected.set(Buffer.concat(chunks), offset);
          valueOf(await settle<void>((done) => disk.write(1, offset, chunks, durable, done)));
          valueOf(await settle<void>((done) => disk.sync(1, done)));
        }
        const read = async (from: SegmentDisk): Promise<Uint8Array> =>
          valueOf(await settle<Uint8Array>((done) => from.read(1, 0, SIZE_BYTES, done)));
        expect(Buffer.compare(await read(disk), expected)).toBe(0);
        valueOf(await settle<void>((done) => disk.close(done)));
        const again = await reopen();
        expect(Buffer.compare(await read(again), expected)).toBe(0);
        expect(valueOf(await settle(again.list.bind(again)))).toEqual([{ sequence: 1, sizeBytes: SIZE_BYTES }]);
        valueOf(await settle<void>((done) => again.close(done)));
      }));

    test("writes thousands of chunks in one call", () =>
      withDisk(async ({ disk, settle }) => {
        valueOf(await settle<void>((done) => disk.create(1, SIZE_BYTES, done)));
        const chunks = Array.from({ length: 3000 }, (_, i) => new Uint8Array(20).fill(i));
        valueOf(await settle<void>((done) => disk.write(1, 40, chunks, true, done)));
        const read = valueOf(await settle<Uint8Array>((done) => disk.read(1, 40, 60_000, done)));
        expect(Buffer.compare(read, Buffer.concat(chunks))).toBe(0);
      }));

    test("completes writes and syncs of a segment in the order of calling, in later events", () =>
      withDisk(async ({ disk, settle }) => {
        valueOf(await settle<void>((done) => disk.create(1, SIZE_BYTES, done)));
        const order: number[] = [];
        disk.write(1, 0, [new Uint8Array(5000).fill(1)], true, () => order.push(1));
        disk.write(1, 10, [new Uint8Array(10).fill(2)], false, () => order.push(2));
        disk.sync(1, () => order.push(3));
        disk.write(1, 15, [new Uint8Array(1).fill(3)], false, () => order.push(4));
        expect(order).toEqual([]);
        valueOf(await settle<void>((done) => disk.write(1, 0, [new Uint8Array(1).fill(9)], true, done)));
        expect(order).toEqual([1, 2, 3, 4]);
        const read = valueOf(await settle<Uint8Array>((done) => disk.read(1, 0, 22, done)));
        expect([...read]).toEqual([9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 1, 1]);
      }));

    test("reads less only at the end of the segment", () =>
      withDisk(async ({ disk, settle }) => {
        valueOf(await settle<void>((done) => disk.create(1, SIZE_BYTES, done)));
        const read = valueOf(await settle<Uint8Array>((done) => disk.read(1, SIZE_BYTES - 10, 100, done)));
        expect(read.length).toBe(10);
      }));

    test("answers missing for a segment that does not exist", () =>
      withDisk(async ({ disk, settle }) => {
        const read = await settle<Uint8Array>((done) => disk.read(5, 0, 10, done));
        const written = await settle<void>((done) => disk.write(5, 0, [new Uint8Array(8)], true, done));
        const removed = await settle<void>((done) => disk.remove(5, done));
        expect([read, written, removed]).toMatchObject(Array(3).fill({ ok: false, reason: "missing" }));
      }));

    test("answers closed after it was closed", () =>
      withDisk(async ({ disk, settle }) => {
        valueOf(await settle<void>((done) => disk.create(1, SIZE_BYTES, done)));
        valueOf(await settle<void>((done) => disk.close(done)));
        const written = await settle<void>((done) => disk.write(1, 0, [new Uint8Array(8)], true, done));
        expect(written).toMatchObject({ ok: false, reason: "closed" });
      }));
  });
}
