/** What a crash leaves, made by hand at each step of a write, and by kill -9. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { auditIndex } from "./index-audit.ts";
import {
  all,
  close,
  compressing,
  inDirectory,
  letMove,
  open,
  valueFilesIn,
  valueOfLength,
  write,
} from "./open-store.ts";

type Rows = readonly (readonly [string, string])[];

const before: Rows = ["a", "b", "c", "d"].map((key) => [key, valueOfLength(300, `before-${key}`)]);
const change: readonly (readonly [string, string | null])[] = [
  ["a", valueOfLength(280, "after-a")],
  ["b", null],
  ["c", "small"],
  ["e", valueOfLength(310, "after-e")],
];
const after: Rows = [change[0] as [string, string], ["c", "small"], before[3]!, change[3] as [string, string]];

interface Images {
  readonly old: string;
  readonly young: string;
  readonly crashed: string;
}

/** The same store before and after one write, closed each time; `crashed` is to be put together. */
async function withImages(body: (images: Images) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const images = {
      old: join(directory, "old"),
      young: join(directory, "young"),
      crashed: join(directory, "crashed"),
    };
    const store = await open(images.young);
    await write(store, before);
    await close(store);
    await cp(images.young, images.old, { recursive: true });
    const again = await open(images.young);
    await write(again, change);
    await close(again);
    await body(images);
  });
}

/** The image serves exactly these rows, agrees with itself, and takes writes that hold. */
async function expectSound(directory: string, candidates: readonly Rows[]): Promise<void> {
  const store = await open(directory);
  const rows = await all(store);
  expect(candidates).toContainEqual(rows);
  for (let i = 0; i < 30; i++) await write(store, [["z", valueOfLength(500, i)]]);
  const expected = [...rows, ["z", valueOfLength(500, 29)]];
  expect(await all(store)).toEqual(expected);
  await close(store);
  expect((await auditIndex(directory)).problems).toEqual([]);
  const again = await open(directory);
  expect(await all(again)).toEqual(expected);
  await close(again);
}

test("a crash between the values and the rows that name them leaves the store as it was", () =>
  withImages(async ({ old, young, crashed }) => {
    await cp(old, crashed, { recursive: true });
    await rm(join(crashed, "values"), { recursive: true });
    await cp(join(young, "values"), join(crashed, "values"), { recursive: true });
    await expectSound(crashed, [before]);
  }));

test("a torn or garbled write of values leaves the store as it was, wherever it stopped", () =>
  withImages(async ({ old, young, crashed }) => {
    const oldBytes = await readFile((await valueFilesIn(old))[0]!);
    const youngBytes = await readFile((await valueFilesIn(young))[0]!);
    for (const torn of [0, 1, 279, 280, 281, 589]) {
      for (const garbage of [0, 0xa5]) {
        await cp(old, crashed, { recursive: true });
        const [path] = await valueFilesIn(crashed);
        const tail = youngBytes.subarray(oldBytes.length, oldBytes.length + torn);
        await writeFile(path!, Buffer.concat([oldBytes, tail, Buffer.alloc(garbage === 0 ? 0 : 400, garbage)]));
        await expectSound(crashed, [before]);
        await rm(crashed, { recursive: true });
      }
    }
  }));

test("a crash inside LevelDB's own write leaves all of the batch or none of it", () =>
  withImages(async ({ old, young, crashed }) => {
    const seen = new Set<string>();
    const logs = (await readdir(young)).filter((name) => name.endsWith(".log"));
    expect(logs.length).toBe(1);
    const { length } = await readFile(join(young, logs[0]!));
    expect(length).toBeGreaterThan(100);
    for (let kept = 0; kept <= length; kept += kept + 11 > length && kept < length ? length - kept : 11) {
      await cp(young, crashed, { recursive: true });
      await truncate(join(crashed, logs[0]!), kept);
      const store = await open(crashed);
      seen.add(JSON.stringify(await all(store)));
      await close(store);
      await expectSound(crashed, [before, after]);
      await rm(crashed, { recursive: true });
    }
    expect([...seen].sort()).toEqual([JSON.stringify(after), JSON.stringify(before)].sort());
    await expectSound(old, [before]);
  }));

test("a crash anywhere while a file is compressed leaves every value as it was, here or there", () =>
  inDirectory(async (directory) => {
    const young = join(directory, "young");
    const crashed = join(directory, "crashed");
    const rows: Rows = ["a", "b", "c", "d", "e"].map((key) => [key, valueOfLength(500, key)]);
    const store = await open(young, compressing);
    for (const row of rows) await write(store, [row]);
    await letMove(store, 4);
    await close(store);
    const [log] = (await readdir(young)).filter((name) => name.endsWith(".log"));
    const { length } = await readFile(join(young, log!));
    const seen = new Set<number>();
    // Before any of it the store is marked as new, durably: 40 bytes.
    for (let kept = length; kept > 40; kept -= 23) {
      await cp(young, crashed, { recursive: true });
      await truncate(join(crashed, log!), kept);
      const again = await open(crashed);
      const found = (await all(again)).filter(([key]) => key !== "small");
      expect(found, `${kept} bytes of LevelDB's log`).toEqual(rows.slice(0, found.length));
      await close(again);
      const audit = await auditIndex(crashed);
      expect(audit.problems).toEqual([]);
      if (found.length === rows.length) seen.add(audit.compressedPointers);
      await rm(crashed, { recursive: true });
    }
    // All of the file's values have moved, or none.
    expect(seen).toEqual(new Set([4, 0]));
  }));

test("a file that was being begun, or that was let go of but is still there, is nobody's", () =>
  withImages(async ({ old }) => {
    for (const [number, length] of [
      [7, 0],
      [8, 1500],
      [9, 100_000],
    ] as const) {
      const name = `values-${String(number).padStart(10, "0")}.val`;
      await writeFile(join(old, "values", name), Buffer.alloc(length, 0xee));
    }
    await expectSound(old, [before]);
  }));

test(
  "after kill -9 in the middle of writes every acknowledged batch is there, and each batch as a whole",
  () =>
    inDirectory(async (directory) => {
      let acknowledged = -1;
      for (let round = 0; round < 4; round++) {
        const script = fileURLToPath(new URL("endless-writer.ts", import.meta.url));
        const child = spawn(process.execPath, [script, directory, String(acknowledged + 1)], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const exited = once(child, "exit");
        const enough = acknowledged + 40 + round * 17;
        for await (const line of createInterface({ input: child.stdout })) {
          acknowledged = Number(line);
          if (acknowledged === enough) child.kill("SIGKILL");
        }
        await exited;
        const store = await open(directory);
        const rows = new Map(await all(store));
        const last = Number(rows.get("last"));
        // The one behind may have been written without the news of it.
        expect(last).toBeGreaterThanOrEqual(acknowledged);
        expect(rows.size).toBe(1 + Math.min(5, last + 1) + Math.min(100, last + 1));
        for (let batch = Math.max(0, last - 4); batch <= last; batch++) {
          expect(rows.get(`k${batch % 5}`)).toBe(valueOfLength(400, batch));
        }
        for (let batch = Math.max(0, last - 99); batch <= last; batch++) {
          expect(rows.get(`kept${batch % 100}`)).toBe(valueOfLength(300, batch));
        }
        await close(store);
        const audit = await auditIndex(directory);
        expect(audit.problems).toEqual([]);
        if (last > 100) expect(audit.compressedPointers).toBeGreaterThan(0);
        acknowledged = last;
      }
    }),
  60_000,
);
