/** Space of rows inside LevelDB comes back too, and what is written is counted by kind. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { KvStore } from "@headrace/ports";
import { expect, test } from "vitest";
import { noStoreBytes } from "../src/index.ts";
import { type DeletedRange, DeletedRanges } from "../src/deleted-ranges.ts";
import { tableBytesIn } from "../src/written-bytes.ts";
import {
  all,
  close,
  compressing,
  inDirectory,
  noiseOfLength,
  open,
  smallFiles,
  valueOfLength,
  write,
} from "./open-store.ts";

const ROWS = 4000;
const LENGTH = 500;
const rowBytes = ROWS * LENGTH;
const options = { valueFileBytesMin: 1000, deletedBytesMin: 200_000, writeBufferBytes: 256 * 1024 };

/** Keys of one generation, as the node's begin. */
function keyOf(generation: number, i: number): string {
  return `gen${generation}/${String(i).padStart(6, "0")}`;
}

async function fill(store: KvStore, generation: number): Promise<void> {
  for (let i = 0; i < ROWS; i += 200) {
    const rows = Array.from(
      { length: 200 },
      (_, j) => [keyOf(generation, i + j), noiseOfLength(LENGTH, i + j)] as const,
    );
    await write(store, rows);
  }
}

async function sweep(store: KvStore, generation: number, rows: number = ROWS): Promise<void> {
  for (let i = 0; i < rows; i += 200) {
    await write(
      store,
      Array.from({ length: 200 }, (_, j) => [keyOf(generation, i + j), null] as const),
    );
  }
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory, { recursive: true })) {
    // LevelDB may have deleted it since it was listed.
    const found = await stat(join(directory, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (found?.isFile() === true) bytes += found.size;
  }
  return bytes;
}

test("rows of a generation that was swept leave the disk, without anybody writing there again", () =>
  inDirectory(async (directory) => {
    const store = await open(directory, options);
    await fill(store, 1);
    await fill(store, 2);
    await close(store);
    const full = await bytesIn(directory);
    expect(full).toBeGreaterThan(2 * rowBytes);
    const written = noStoreBytes();
    const again = await open(directory, { ...options, written });
    await sweep(again, 1);
    await write(again, [["after", "1"]]);
    // LevelDB's thread is at it, piece by piece; closing waits for the piece that is under way, not for all.
    while ((await bytesIn(directory)) >= full - rowBytes * 0.8) await write(again, [["after", "1"]]);
    expect(written.tableBytes).toBeGreaterThan(0);
    await close(again);
    expect(await bytesIn(directory)).toBeLessThan(full - rowBytes * 0.8);
    const third = await open(directory, options);
    const rows = await all(third);
    expect(rows).toHaveLength(ROWS + 1);
    expect(rows.filter(([key]) => key.startsWith("gen2/"))).toHaveLength(ROWS);
    await close(third);
  }));

test("a range of which little was deleted is not merged for it", () =>
  inDirectory(async (directory) => {
    const written = noStoreBytes();
    const store = await open(directory, options);
    await fill(store, 1);
    await close(store);
    const again = await open(directory, {
      ...options,
      deletedBytesMin: 20_000,
      writeBufferBytes: 64 * 1024 * 1024,
      written,
    });
    // Every twentieth row, from one end to the other: 5 % of the range.
    for (let i = 0; i < ROWS; i += 20) await write(again, [[keyOf(1, i), null]]);
    await close(again);
    expect(written.tableBytes).toBe(0);
    expect(written.rowBytes).toBeGreaterThan((ROWS / 20) * "gen1/000000".length);
  }));

test("rows that a snapshot sees stay until it is released", () =>
  inDirectory(async (directory) => {
    const store = await open(directory, options);
    await fill(store, 1);
    const snapshot = store.snapshot();
    await sweep(store, 1);
    expect(await all(store, snapshot)).toHaveLength(ROWS);
    expect(await all(store)).toEqual([]);
    store.release(snapshot);
    await close(store);
    expect(await bytesIn(directory)).toBeLessThan(rowBytes * 0.3);
  }));

test("what the store writes is counted by kind", () =>
  inDirectory(async (directory) => {
    const written = noStoreBytes();
    const store = await open(directory, { ...compressing, written });
    for (let i = 0; i < 40; i++) await write(store, [[`key${i}`, valueOfLength(500, i)]]);
    expect(written.valueBytes).toBe(40 * 500);
    for (let i = 0; i < 50; i++) await write(store, [["small", String(i)]]);
    // Nine full files of four were compressed to less than half.
    expect(written.movedValueBytes).toBeGreaterThan(0);
    expect(written.movedValueBytes).toBeLessThan((40 * 500) / 2);
    // Keys and pointers of forty values, twice; keys and values of fifty rows.
    expect(written.rowBytes).toBeGreaterThan(2 * 40 * (5 + 20) + 50 * 7);
    await close(store);
    // The counts go on where the store is opened again in one process.
    const before = written.valueBytes;
    const again = await open(directory, { ...smallFiles, written });
    await write(again, [["more", valueOfLength(500, "more")]]);
    expect(written.valueBytes).toBe(before + 500);
    await close(again);
  }));

test("LevelDB's own account of its tables is read line by line", () => {
  const stats = `                               Compactions
Level  Files Size(MB) Time(sec) Read(MB) Write(MB)
--------------------------------------------------
  0        2        8         0        0        12
  1        5       30         1       40        38
`;
  expect(tableBytesIn(stats)).toBe(50 * 1024 * 1024);
  expect(tableBytesIn("")).toBe(0);
});

test("deleted keys are gathered by what they begin with, and a long range is cut into pieces", () => {
  const ranges = new DeletedRanges(1000);
  const due: (readonly [string, string])[] = [];
  const key = (text: string): Uint8Array => Buffer.from(text);
  const text = (range: DeletedRange): readonly [string, string] => [
    Buffer.from(range.first).toString(),
    Buffer.from(range.last).toString(),
  ];
  ranges.add(key("aaaa1.5"), 600);
  ranges.add(key("bbbb1.1"), 600);
  expect(ranges.due()).toBe(null);
  ranges.add(key("aaaa1.2"), 600);
  const first = ranges.due()!;
  expect(text(first)).toEqual(["aaaa1.2", "aaaa1.5"]);
  ranges.postpone(first);
  expect(ranges.due()).toBe(null);
  ranges.add(key("aaaa1.9"), 1200);
  expect(ranges.due()).toBe(first);
  ranges.take(first);
  for (let i = 0; i < 40; i++) ranges.add(key(`cccc1.${String.fromCharCode(65 + i)}`), 500);
  for (let range = ranges.due(); range !== null; range = ranges.due()) {
    due.push(text(range));
    ranges.take(range);
  }
  // 8,000 bytes a piece, what is left is due as well.
  expect(due).toEqual([
    ["cccc1.A", "cccc1.P"],
    ["cccc1.Q", "cccc1.`"],
    ["cccc1.a", "cccc1.h"],
  ]);
});
