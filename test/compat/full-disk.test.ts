/** A file system that is really full: a small tmpfs (needs root, hence here). The store goes on in the same process once there is space again. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KvRow, KvStore, Result } from "@headrace/ports";
import { openLevelStore, openRecordStore, openSpaceProbe } from "@headrace/store";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

const MIB = 1024 * 1024;
const mount = mkdtempSync(join(tmpdir(), "headrace-full-"));

beforeAll(() => {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "headrace-test", mount]);
});

afterAll(() => {
  execFileSync("umount", [mount]);
  rmSync(mount, { recursive: true });
});

/** Bytes that do not shrink, and that tell the name. */
function valueOfName(name: string, bytes: number): Uint8Array {
  return createHash("shake128", { outputLength: bytes }).update(name).digest();
}

function put(store: KvStore, name: string, bytes: number): Promise<Result<void>> {
  const changes = [{ key: Buffer.from(name), value: valueOfName(name, bytes) }];
  return settleByWaiting<void>((done) => store.write(changes, done));
}

async function names(store: KvStore): Promise<readonly string[]> {
  const from = Buffer.alloc(1);
  const to = Buffer.alloc(1, 255);
  const rows = valueOf(await settleByWaiting<readonly KvRow[]>((done) => store.scan(from, to, 1e6, 1e9, null, done)));
  return rows.map(({ key, value }) => {
    const name = Buffer.from(key).toString();
    expect(Buffer.compare(value, valueOfName(name, value.length))).toBe(0);
    return name;
  });
}

test.each([
  ["in LevelDB", 3000],
  ["in value files", 100_000],
])("values %s: refused for space, kept what was durable, written again when there is space", async (_where, bytes) => {
  const directory = join(mount, `state-${bytes}`);
  const balloon = join(mount, "balloon");
  mkdirSync(directory);
  const store = valueOf(
    await settleByWaiting<KvStore>((done) => openLevelStore(directory, { writeBufferBytes: MIB }, done)),
  );
  const free = (): Promise<number> =>
    settleByWaiting<number>((done) => openSpaceProbe(mount).freeBytes(done)).then(valueOf);
  const durable: string[] = [];
  const before = await free();
  writeFileSync(balloon, Buffer.alloc(before - 6 * MIB));
  expect(await free()).toBeLessThan(before - 4 * MIB);
  let refused: Result<void> | null = null;
  for (let i = 0; refused === null; i++) {
    const name = `k${String(i).padStart(6, "0")}`;
    const result = await put(store, name, bytes);
    if (result.ok) durable.push(name);
    else refused = result;
    expect(i).toBeLessThan(100_000);
  }
  expect(refused).toMatchObject({ reason: "space" });
  expect(durable.length).toBeGreaterThan(10);
  // Again and again while it is full: as a checkpoint does.
  for (let i = 0; i < 3; i++) expect(await put(store, "again", bytes)).toMatchObject({ ok: false, reason: "space" });
  rmSync(balloon);
  let written = await put(store, "again", bytes);
  while (!written.ok) written = await put(store, "again", bytes);
  const found = await names(store);
  // The one that was refused is there or not.
  const isRefused = (name: string): boolean => name === `k${String(durable.length).padStart(6, "0")}`;
  expect(found.filter((name) => !isRefused(name))).toEqual(["again", ...durable]);
  valueOf(await settleByWaiting<void>((done) => store.close(done)));
  const again = valueOf(await settleByWaiting<KvStore>((done) => openLevelStore(directory, {}, done)));
  expect(await names(again)).toEqual(found);
  valueOf(await settleByWaiting<void>((done) => again.close(done)));
  rmSync(directory, { recursive: true });
});

test("a record that finds no space says so, and the one before is whole", async () => {
  const directory = join(mount, "records");
  const store = valueOf(
    await settleByWaiting((done: Parameters<typeof openRecordStore>[1]) => openRecordStore(directory, done)),
  );
  const balloon = join(mount, "balloon");
  const write = (content: Uint8Array): Promise<Result<void>> =>
    settleByWaiting<void>((done) => store.write("identity", content, done));
  valueOf(await write(Buffer.from("first")));
  const freeBytes = valueOf(await settleByWaiting<number>((done) => openSpaceProbe(mount).freeBytes(done)));
  writeFileSync(balloon, Buffer.alloc(freeBytes));
  expect(await write(Buffer.alloc(100_000))).toMatchObject({ ok: false, reason: "space" });
  const read = valueOf(await settleByWaiting<Uint8Array | null>((done) => store.read("identity", done)));
  expect(Buffer.from(read!).toString()).toBe("first");
  rmSync(balloon);
  valueOf(await write(Buffer.from("second")));
});
