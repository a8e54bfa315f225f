/** Values that stay are made smaller behind everybody's back: who reads sees no difference, and damage is told as ever. */
import { readFile, truncate, writeFile } from "node:fs/promises";
import type { KvStore } from "@headrace/ports";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { expect, test } from "vitest";
import { openLevelStore } from "../src/index.ts";
import { noStoreBytes } from "../src/written-bytes.ts";
import { auditIndex } from "./index-audit.ts";
import {
  all,
  close,
  compressing,
  get,
  inDirectory,
  letMove,
  noiseOfLength,
  open,
  smallFiles,
  tryToGet,
  valueFileBytesIn,
  valueFilesIn,
  valueOfLength,
  write,
} from "./open-store.ts";

type Rows = readonly (readonly [string, string])[];

/** Rows of 500 bytes, four to a file. */
function rowsOf(count: number, valueOf: (length: number, seed: string) => string): Rows {
  return Array.from({ length: count }, (_, i) => [`key${String(i).padStart(3, "0")}`, valueOf(500, `v${i}`)]);
}

async function writeAll(store: KvStore, rows: Rows): Promise<void> {
  for (const row of rows) await write(store, [row]);
}

test("values in full files come to take less than half, and are read as they were by everybody", () =>
  inDirectory(async (directory) => {
    const rows = rowsOf(80, valueOfLength);
    const store = await open(directory, compressing);
    const before = store.snapshot();
    await writeAll(store, rows);
    const full = store.snapshot();
    await letMove(store);
    const expected = [...rows, ["small", "100"]];
    expect(await all(store)).toEqual(expected);
    expect(await all(store, before)).toEqual([]);
    expect(await all(store, full)).toEqual(rows);
    for (const [key, value] of rows) {
      expect(await get(store, key)).toBe(value);
      expect(Buffer.from(valueOf(store.getNow(Buffer.from(key)))!).toString("latin1")).toBe(value);
    }
    store.release(before);
    store.release(full);
    await close(store);
    const audit = await auditIndex(directory);
    expect(audit.problems).toEqual([]);
    // All but what is in the file that is being written.
    expect(audit.compressedPointers).toBeGreaterThanOrEqual(75);
    expect(await valueFileBytesIn(directory)).toBeLessThan((80 * 500) / 2);
    const again = await open(directory, compressing);
    expect(await all(again)).toEqual(expected);
    await close(again);
  }));

test("of a scan with a limit of bytes those count that the reader gets", () =>
  inDirectory(async (directory) => {
    const store = await open(directory, compressing);
    await writeAll(store, rowsOf(40, valueOfLength));
    await letMove(store);
    const rows = valueOf(
      await settleByWaiting<readonly unknown[]>((done) =>
        store.scan(Uint8Array.of(0), Uint8Array.of(255), 1000, 2500, null, done),
      ),
    );
    expect(rows).toHaveLength(5);
    await close(store);
  }));

test("a file that would not get smaller stays as it is, and is tried once", () =>
  inDirectory(async (directory) => {
    const rows = rowsOf(20, noiseOfLength);
    const store = await open(directory, compressing);
    await writeAll(store, rows);
    const files = await valueFilesIn(directory);
    const contents = await Promise.all(files.map((path) => readFile(path)));
    await letMove(store);
    await close(store);
    const audit = await auditIndex(directory);
    expect(audit).toMatchObject({ problems: [], compressedPointers: 0 });
    // All that are full.
    expect(audit.settledFiles).toBe(files.length - 1);
    const again = await open(directory, compressing);
    await letMove(again, 20);
    expect(await all(again)).toEqual([...rows, ["small", "20"]]);
    await close(again);
    expect(await Promise.all(files.map((path) => readFile(path)))).toEqual(contents);
  }));

test("a file that is written over is judged anew, by what is in it now", () =>
  inDirectory(async (directory) => {
    const written = noStoreBytes();
    const store = await open(directory, { ...compressing, written });
    // The first file is compressed into another one, and comes free.
    await writeAll(store, rowsOf(5, valueOfLength));
    await letMove(store);
    const { movedValueBytes } = written;
    expect(movedValueBytes).toBeGreaterThan(0);
    const noise = rowsOf(16, noiseOfLength).map(([key, value]) => [`noise-${key}`, value] as const);
    await writeAll(store, noise);
    await letMove(store);
    expect(written.movedValueBytes).toBe(movedValueBytes);
    await close(store);
    expect((await auditIndex(directory)).problems).toEqual([]);
  }));

test("in a file that is worth it, a value that is not is moved as it is", () =>
  inDirectory(async (directory) => {
    const rows: [string, string][] = [];
    for (let i = 0; i < 20; i++) {
      const value = i % 4 === 3 ? noiseOfLength(300, i) : valueOfLength(700, i);
      rows.push([`key${String(i).padStart(3, "0")}`, value]);
    }
    const store = await open(directory, compressing);
    await writeAll(store, rows);
    await letMove(store);
    expect(await all(store)).toEqual([...rows, ["small", "100"]]);
    await close(store);
    const audit = await auditIndex(directory);
    expect(audit.problems).toEqual([]);
    expect(audit.compressedPointers).toBeGreaterThan(8);
    expect(audit.compressedPointers).toBeLessThan(16);
  }));

test("values of several hundred KiB are compressed and read too", () =>
  inDirectory(async (directory) => {
    const options = { ...compressing, valueFileBytes: 600_000 };
    const rows: Rows = [1, 2, 3, 4, 5].map((i) => [`key${i}`, valueOfLength(200_000 + i, i)]);
    const store = await open(directory, options);
    await writeAll(store, rows);
    await letMove(store);
    expect((await all(store)).every(([, value], i) => i === 5 || value === rows[i]![1])).toBe(true);
    await close(store);
    expect((await auditIndex(directory)).compressedPointers).toBeGreaterThanOrEqual(3);
  }));

test("with compression off nothing is compressed, and what was is read and moved as it is", () =>
  inDirectory(async (directory) => {
    const rows = rowsOf(40, valueOfLength);
    const store = await open(directory, compressing);
    await writeAll(store, rows);
    await letMove(store);
    await close(store);
    const { compressedPointers } = await auditIndex(directory);
    const off = await open(directory, { ...compressing, compression: false });
    const more = rowsOf(40, valueOfLength).map(([key, value]) => [`more-${key}`, value] as const);
    await writeAll(off, more);
    // Most of what was compressed dies: what is left in its files moves.
    const gone = rows.filter((_, i) => i % 8 !== 0);
    await write(
      off,
      gone.map(([key]) => [key, null]),
    );
    await letMove(off);
    const left = rows.filter((_, i) => i % 8 === 0);
    expect(await all(off)).toEqual([...left, ...more, ["small", "100"]]);
    await close(off);
    const audit = await auditIndex(directory);
    expect(audit.problems).toEqual([]);
    expect(audit.compressedPointers).toBeGreaterThan(0);
    expect(audit.compressedPointers).toBeLessThan(compressedPointers);
  }));

test("what a store without compression has written is compressed by the next one", () =>
  inDirectory(async (directory) => {
    const rows = rowsOf(40, valueOfLength);
    const off = await open(directory, { ...smallFiles, compression: false });
    await writeAll(off, rows);
    await close(off);
    expect((await auditIndex(directory)).compressedPointers).toBe(0);
    const store = await open(directory, compressing);
    await letMove(store);
    expect(await all(store)).toEqual([...rows, ["small", "100"]]);
    await close(store);
    expect((await auditIndex(directory)).compressedPointers).toBeGreaterThanOrEqual(35);
  }));

test(
  "no value comes back changed whatever is done to its file: a byte flipped at every offset, and cut at every length",
  () =>
    inDirectory(async (directory) => {
      const rows = rowsOf(9, valueOfLength);
      const store = await open(directory, compressing);
      await writeAll(store, rows);
      await letMove(store);
      await close(store);
      const { files: lived } = await auditIndex(directory);
      // The file with compressed values; the other has the one that is still as it was.
      const [compressedFile] = lived.filter((file) => file.compressedPointers > 0);
      const path = (await valueFilesIn(directory)).find((each) => each.endsWith(compressedFile!.name))!;
      const whole = await readFile(path);
      const { usedBytes } = compressedFile!;
      expect(compressedFile!.compressedPointers).toBe(8);
      const damagedStore = await open(directory, { ...smallFiles, compression: false });
      const read = async (place: string): Promise<string[]> => {
        const corrupt: string[] = [];
        for (const [key, value] of rows) {
          const found = await tryToGet(damagedStore, key);
          const now = damagedStore.getNow(Buffer.from(key));
          expect(now.ok, place).toBe(found.ok);
          if (found.ok) expect(Buffer.from(found.value!).toString("latin1"), place).toBe(value);
          else expect(found.reason, place).toBe("corrupt");
          if (!found.ok) corrupt.push(key);
        }
        return corrupt;
      };
      for (let offset = 0; offset < usedBytes; offset++) {
        const bytes = Buffer.from(whole);
        bytes[offset]! ^= 1 << (offset % 8);
        await writeFile(path, bytes);
        expect(await read(`flipped at ${offset}`), `flipped at ${offset}`).toHaveLength(1);
      }
      for (let length = usedBytes - 1; length >= 0; length--) {
        await truncate(path, length);
        expect((await read(`cut to ${length}`)).length, `cut to ${length}`).toBeGreaterThanOrEqual(1);
      }
      await writeFile(path, whole);
      expect(await read("put back")).toEqual([]);
      await close(damagedStore);
    }),
  60_000,
);

test.each(["length", "frame"] as const)(
  "a compressed value whose %s is not what the index says is corrupt, also where its checksum is right",
  (what) =>
    inDirectory(async (directory) => {
      const store = await open(directory, compressing);
      await writeAll(store, rowsOf(9, valueOfLength));
      await letMove(store);
      await close(store);
      const { changePointer } = await import("./index-audit.ts");
      // A frame that is whole but another value's, or a length that no frame has.
      await changePointer(directory, "key001", "key002", what);
      const again = await open(directory, { ...smallFiles, compression: false });
      expect(await tryToGet(again, "key001")).toMatchObject({ ok: false, reason: "corrupt" });
      await close(again);
    }),
);

test("a damaged value in a file that is being compressed is told of, once, and stays where it is", () =>
  inDirectory(async (directory) => {
    const rows = rowsOf(8, valueOfLength);
    const off = await open(directory, { ...smallFiles, compression: false });
    await writeAll(off, rows);
    await close(off);
    const [path] = await valueFilesIn(directory);
    const bytes = await readFile(path!);
    bytes[600]! ^= 1;
    await writeFile(path!, bytes);
    const told: string[] = [];
    const done = (message: string): void => void told.push(message);
    const store = valueOf(
      await settleByWaiting<KvStore>((opened) => openLevelStore(directory, { ...compressing, onDamage: done }, opened)),
    );
    await writeAll(
      store,
      rowsOf(40, noiseOfLength).map(([key, value]) => [`other-${key}`, value] as const),
    );
    await letMove(store);
    expect(await tryToGet(store, "key001")).toMatchObject({ ok: false, reason: "corrupt" });
    expect(await get(store, "key002")).toBe(rows[2]![1]);
    await close(store);
    expect(told).toEqual([expect.stringMatching(/checksum/)]);
  }));
