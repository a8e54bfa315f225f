import { stat } from "node:fs/promises";
import { expect, test } from "vitest";
import type { KvRow, KvStore } from "@headrace/ports";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { auditIndex } from "./index-audit.ts";
import {
  all,
  close,
  get,
  inDirectory,
  compressing,
  letMove,
  open,
  smallFiles,
  valueFileBytesIn,
  valueFilesIn,
  valueOfLength,
  write,
} from "./open-store.ts";

const VALUES = 200;
const LENGTH = 250;

async function fill(store: KvStore, of: string): Promise<[string, string][]> {
  const rows: [string, string][] = [];
  for (let i = 0; i < VALUES; i++) rows.push([`key${String(i).padStart(3, "0")}`, valueOfLength(LENGTH, of + i)]);
  for (let i = 0; i < VALUES; i += 10) await write(store, rows.slice(i, i + 10));
  return rows;
}

test("the space of deleted values is given back, but for the files that are kept to be written again", () =>
  inDirectory(async (directory) => {
    const store = await open(directory);
    const rows = await fill(store, "v");
    expect(await valueFileBytesIn(directory)).toBeGreaterThanOrEqual(VALUES * LENGTH);
    await write(
      store,
      rows.map(([key]) => [key, null]),
    );
    await letMove(store);
    await close(store);
    // One is the current file, two are free.
    expect((await valueFilesIn(directory)).length).toBeLessThanOrEqual(3);
  }));

test("of a store all of whose values went nothing is left but one free file, the one that was being written included", () =>
  inDirectory(async (directory) => {
    const options = { ...smallFiles, valueFileBytes: 10_000, freeValueFilesMax: 1 };
    const store = await open(directory, options);
    const rows = await fill(store, "v");
    expect((await valueFilesIn(directory)).length).toBe(5);
    await write(
      store,
      rows.map(([key]) => [key, null]),
    );
    await letMove(store);
    expect(await all(store)).toEqual([["small", "100"]]);
    await close(store);
    expect((await valueFilesIn(directory)).length).toBe(1);
    expect((await auditIndex(directory)).problems).toEqual([]);
  }));

test("values that are left in mostly dead files are moved together, and stay what they are", () =>
  inDirectory(async (directory) => {
    const store = await open(directory);
    const rows = await fill(store, "v");
    const left = rows.filter((_, i) => i % 8 === 3);
    await write(
      store,
      rows.filter((_, i) => i % 8 !== 3).map(([key]) => [key, null]),
    );
    await letMove(store);
    expect(await all(store)).toEqual([...left, ["small", "100"]]);
    await close(store);
    // Files with less than a third live are moved, so what is there is at most three times what lives, and the current and two free files.
    expect(await valueFileBytesIn(directory)).toBeLessThan(
      left.length * LENGTH * 3 + 3 * 2 * smallFiles.valueFileBytes!,
    );
    const again = await open(directory);
    expect(await all(again)).toEqual([...left, ["small", "100"]]);
    await close(again);
  }));

test("when there is nothing else to do space comes back from files that are too much alive to be collected at once", () =>
  inDirectory(async (directory) => {
    const options = { ...compressing, compression: false };
    const store = await open(directory, options);
    const rows = await fill(store, "v");
    const left = rows.filter((_, i) => i % 5 < 2);
    await write(
      store,
      rows.filter((_, i) => i % 5 >= 2).map(([key]) => [key, null]),
    );
    await letMove(store);
    expect(await all(store)).toEqual([...left, ["small", "100"]]);
    await close(store);
    // A quarter of each file may be dead; the two that are written and a free one come on top.
    const bytesMax = (left.length * LENGTH * 4) / 3 + 3 * smallFiles.valueFileBytes!;
    expect(bytesMax).toBeLessThan(VALUES * LENGTH * 0.7);
    expect(await valueFileBytesIn(directory)).toBeLessThan(bytesMax);
    expect((await auditIndex(directory)).problems).toEqual([]);
  }));

test("space is also given back when the values died in the life of another process", () =>
  inDirectory(async (directory) => {
    const store = await open(directory);
    const rows = await fill(store, "v");
    await close(store);
    const second = await open(directory);
    // The close leaves no time to collect.
    const deleted = write(
      second,
      rows.map(([key]) => [key, null]),
    );
    const closed = close(second);
    await deleted;
    await closed;
    const third = await open(directory);
    await letMove(third);
    await close(third);
    expect((await valueFilesIn(directory)).length).toBeLessThanOrEqual(3);
  }));

test("values overwritten for long take a bounded number of files", () =>
  inDirectory(async (directory) => {
    const store = await open(directory);
    let rows: [string, string][] = [];
    for (let round = 0; round < 20; round++) rows = await fill(store, `round${round}-`);
    await letMove(store);
    expect(await all(store)).toEqual([...rows, ["small", "100"]]);
    expect(await valueFileBytesIn(directory)).toBeLessThan(VALUES * LENGTH * 4);
    await close(store);
    // A file is sealed at its size, and written over from its start: at most one write of ten values is beyond it.
    const sizes = await Promise.all((await valueFilesIn(directory)).map(async (path) => (await stat(path)).size));
    expect(Math.max(...sizes)).toBeLessThan(smallFiles.valueFileBytes! + 10 * LENGTH);
    expect((await auditIndex(directory)).problems).toEqual([]);
  }));

test("of a key that was put into one file several times only the last value is moved", () =>
  inDirectory(async (directory) => {
    const store = await open(directory, { ...smallFiles, valueFileBytes: 20_000 });
    await write(store, [["kept", valueOfLength(300, "first")]]);
    await write(store, [["kept", valueOfLength(300, "second")]]);
    for (let i = 0; i < 300; i++) await write(store, [["other", valueOfLength(300, i)]]);
    expect(await get(store, "kept")).toBe(valueOfLength(300, "second"));
    await close(store);
    expect((await auditIndex(directory)).problems).toEqual([]);
    // 90,000 bytes went through, 600 are live.
    expect(await valueFileBytesIn(directory)).toBeLessThan(4 * 20_500);
  }));

test("a snapshot reads what it saw although all of it was replaced and collected, and its files go with it", () =>
  inDirectory(async (directory) => {
    const store = await open(directory);
    const rows = await fill(store, "old");
    const snapshot = store.snapshot();
    await fill(store, "new");
    await fill(store, "newer");
    await letMove(store);
    expect(await all(store, snapshot)).toEqual(rows);
    expect(await get(store, "key007", snapshot)).toBe(rows[7]![1]);
    // Released while a read in it is under way.
    const read = all(store, snapshot);
    store.release(snapshot);
    const later = fill(store, "later");
    expect(await read).toEqual(rows);
    await later;
    const last = await fill(store, "last");
    await letMove(store);
    expect(await all(store)).toEqual([...last, ["small", "100"]]);
    await close(store);
    expect(await valueFileBytesIn(directory)).toBeLessThan(VALUES * LENGTH * 4);
  }));

test("a scan stops at about its limit of bytes although LevelDB has only places", () =>
  inDirectory(async (directory) => {
    const store = await open(directory);
    await fill(store, "v");
    const rows = valueOf(
      await settleByWaiting<readonly KvRow[]>((done) =>
        store.scan(Uint8Array.of(0), Uint8Array.of(255), 1000, LENGTH * 5, null, done),
      ),
    );
    expect(rows.length).toBe(5);
    await close(store);
  }));
