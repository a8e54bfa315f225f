import { readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { expect, test } from "vitest";
import { failureOf } from "../src/failure.ts";
import { valueFileName } from "../src/value-file.ts";
import { ValueFiles } from "../src/value-files.ts";
import { noStoreBytes } from "../src/written-bytes.ts";
import {
  all,
  close,
  get,
  inDirectory,
  open,
  smallFiles,
  tryToGet,
  tryToOpen,
  tryToScan,
  valueFilesIn,
  valueOfLength,
  write,
} from "./open-store.ts";

/** Three values of 100 bytes, one behind the other, in one file. */
async function threeValues(directory: string): Promise<string> {
  const store = await open(directory);
  await write(store, [
    ["a", valueOfLength(100, "a")],
    ["b", valueOfLength(100, "b")],
    ["c", valueOfLength(100, "c")],
    ["small", "in place"],
  ]);
  await close(store);
  const [path] = await valueFilesIn(directory);
  return path!;
}

test("a flipped bit in a value file is reported as corrupt by get and scan, and the other values are served", () =>
  inDirectory(async (directory) => {
    const path = await threeValues(directory);
    const bytes = await readFile(path);
    bytes[157]! ^= 16;
    await writeFile(path, bytes);
    const store = await open(directory);
    expect(await tryToGet(store, "b")).toMatchObject({
      ok: false,
      reason: "corrupt",
      message: expect.stringMatching(/checksum/),
    });
    expect(await tryToScan(store)).toMatchObject({ ok: false, reason: "corrupt" });
    expect(await get(store, "a")).toBe(valueOfLength(100, "a"));
    expect(await get(store, "c")).toBe(valueOfLength(100, "c"));
    await close(store);
  }));

test("a value file that is too short or missing is reported as corrupt, never as an absent value", () =>
  inDirectory(async (directory) => {
    const path = await threeValues(directory);
    await truncate(path, 250);
    const short = await open(directory);
    expect(await get(short, "b")).toBe(valueOfLength(100, "b"));
    expect(await tryToGet(short, "c")).toMatchObject({ ok: false, reason: "corrupt" });
    // It is not written to any more, and its name is not used again.
    await write(short, [["d", valueOfLength(100, "d")]]);
    await close(short);
    await rename(path, join(directory, "away"));
    const without = await open(directory);
    for (const key of ["a", "b", "c"]) expect(await tryToGet(without, key)).toMatchObject({ reason: "corrupt" });
    expect(await get(without, "d")).toBe(valueOfLength(100, "d"));
    await close(without);
  }));

test("a damaged value is left where it is when its file is collected, and stays corrupt", () =>
  inDirectory(async (directory) => {
    const path = await threeValues(directory);
    const bytes = await readFile(path);
    bytes[20]! ^= 1;
    await writeFile(path, bytes);
    const store = await open(directory);
    await write(store, [
      ["b", null],
      ["c", null],
    ]);
    for (let i = 0; i < 60; i++) await write(store, [["d", valueOfLength(400, i)]]);
    expect(await tryToGet(store, "a")).toMatchObject({ ok: false, reason: "corrupt" });
    await close(store);
    const again = await open(directory);
    expect(await tryToGet(again, "a")).toMatchObject({ ok: false, reason: "corrupt" });
    expect(await get(again, "d")).toBe(valueOfLength(400, 59));
    await close(again);
  }));

test.each([
  ["flipped", async (path: string) => writeFile(path, flipped(await readFile(path), 20)), /checksum/],
  ["missing", (path: string) => rm(path), /is missing/],
] as const)("a %s value that nobody reads is told of when its file is collected, once", (_name, damage, expected) =>
  inDirectory(async (directory) => {
    const path = await threeValues(directory);
    const before = await open(directory);
    await write(before, [["e", valueOfLength(100, "e")]]);
    await close(before);
    await damage(path);
    const told: string[] = [];
    const store = await open(directory, { ...smallFiles, onDamage: (message) => void told.push(message) });
    await write(store, [
      ["b", null],
      ["c", null],
      ["e", null],
    ]);
    // Enough full files that it is tried several times.
    for (let i = 0; i < 60; i++) await write(store, [["d", valueOfLength(400, i)]]);
    await close(store);
    expect(told).toEqual([expect.stringMatching(expected)]);
  }),
);

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at]! ^= 1;
  return bytes;
}

test("the keys of damaged and missing values can still be listed and deleted", () =>
  inDirectory(async (directory) => {
    await rm(await threeValues(directory));
    const store = await open(directory);
    const from = Buffer.from("a");
    const to = Buffer.from("d");
    const keys = (): Promise<readonly Uint8Array[]> =>
      settleByWaiting<readonly Uint8Array[]>((done) => store.keys(from, to, 2, done)).then(valueOf);
    expect((await keys()).map((key) => Buffer.from(key).toString())).toEqual(["a", "b"]);
    await write(store, [
      ["a", null],
      ["b", null],
    ]);
    expect(await keys()).toHaveLength(1);
    await close(store);
  }));

test("a store of another format is refused with a reason", () =>
  inDirectory(async (directory) => {
    const older = new Level(directory);
    await older.put("key", "value");
    await older.close();
    expect(await tryToOpen(directory)).toMatchObject({
      ok: false,
      reason: "corrupt",
      message: expect.stringMatching(/without a format/),
    });
    await rm(directory, { recursive: true });
    await close(await open(directory));
    const newer = new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: "view", valueEncoding: "view" });
    await newer.put(Uint8Array.of(3), Uint8Array.of(9));
    await newer.close();
    expect(await tryToOpen(directory)).toMatchObject({
      ok: false,
      reason: "corrupt",
      message: expect.stringMatching(/format 9, this program knows format 2/),
    });
  }));

test("value files without the rows that name them are refused, not overwritten", () =>
  inDirectory(async (directory) => {
    const path = await threeValues(directory);
    const bytes = await readFile(path);
    const level = new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: "view", valueEncoding: "view" });
    await level.clear();
    await level.close();
    expect(await tryToOpen(directory)).toMatchObject({
      ok: false,
      reason: "corrupt",
      message: expect.stringMatching(/rows that name .* missing/),
    });
    expect(await readFile(path)).toEqual(bytes);
  }));

test.each([Infinity, 1])(
  "a full disk is a failure for space, and the same place is tried again (direct from %d)",
  (directBytesMin) =>
    inDirectory(async (directory) => {
      // Linux' own full disk: every write to it fails with ENOSPC. It can't be written directly.
      await symlink("/dev/full", join(directory, valueFileName(1)));
      const files = new ValueFiles(directory, {
        fileBytes: 2000,
        freeFilesMax: 2,
        directBytesMin,
        written: noStoreBytes(),
      });
      await files.load([1], [{ file: 1, usedBytes: 0, liveBytes: 1, isSettled: false }]);
      for (let attempt = 0; attempt < 2; attempt++) {
        const error: unknown = await files.append([new Uint8Array(10)], 10, false).catch((reason: unknown) => reason);
        expect(failureOf(error)).toMatchObject({ ok: false, reason: "space" });
        expect(files.countsWith(1, 0)).toMatchObject({ usedBytes: 0 });
      }
      await files.close();
    }),
);

test("all rows are there again when a damaged file is put back", () =>
  inDirectory(async (directory) => {
    const path = await threeValues(directory);
    const bytes = await readFile(path);
    await rm(path);
    const without = await open(directory);
    expect(await tryToScan(without)).toMatchObject({ ok: false, reason: "corrupt" });
    await close(without);
    await writeFile(path, bytes);
    const store = await open(directory);
    expect((await all(store)).map(([key]) => key)).toEqual(["a", "b", "c", "small"]);
    await close(store);
  }));
