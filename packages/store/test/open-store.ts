/** A store in a directory of its own, small enough that a few values fill a file. */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KvChange, KvRow, KvSnapshot, KvStore, Result } from "@headrace/ports";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { type LevelStoreOptions, openLevelStore } from "../src/index.ts";

export const smallFiles: LevelStoreOptions = { valueFileBytesMin: 32, valueFileBytes: 2000, freeValueFilesMax: 2 };

/** Files are tried for compression as soon as they are full and no write waits. */
export const compressing: LevelStoreOptions = { ...smallFiles, compressionRestFactor: 0 };

export function tryToOpen(directory: string, options: LevelStoreOptions = smallFiles): Promise<Result<KvStore>> {
  return settleByWaiting<KvStore>((done) => openLevelStore(directory, options, done));
}

export async function open(directory: string, options: LevelStoreOptions = smallFiles): Promise<KvStore> {
  return valueOf(await tryToOpen(directory, options));
}

export async function close(store: KvStore): Promise<void> {
  valueOf(await settleByWaiting<void>((done) => store.close(done)));
}

/** Pairs of key and value; null deletes. */
export async function write(store: KvStore, pairs: readonly (readonly [string, string | null])[]): Promise<void> {
  const changes: KvChange[] = pairs.map(([key, value]) => ({
    key: Buffer.from(key, "latin1"),
    value: value === null ? null : Buffer.from(value, "latin1"),
  }));
  valueOf(await settleByWaiting<void>((done) => store.write(changes, done)));
}

export function tryToGet(
  store: KvStore,
  key: string,
  snapshot: KvSnapshot | null = null,
): Promise<Result<Uint8Array | null>> {
  return settleByWaiting<Uint8Array | null>((done) => store.get(Buffer.from(key, "latin1"), snapshot, done));
}

export async function get(store: KvStore, key: string, snapshot: KvSnapshot | null = null): Promise<string | null> {
  const found = valueOf(await tryToGet(store, key, snapshot));
  return found === null ? null : Buffer.from(found).toString("latin1");
}

const END = new Uint8Array(9).fill(255);

export function tryToScan(store: KvStore, snapshot: KvSnapshot | null = null): Promise<Result<readonly KvRow[]>> {
  return settleByWaiting<readonly KvRow[]>((done) => store.scan(Uint8Array.of(0), END, 100_000, 1e9, snapshot, done));
}

/** All of it, in the order of the keys. */
export async function all(store: KvStore, snapshot: KvSnapshot | null = null): Promise<readonly [string, string][]> {
  const rows = valueOf(await tryToScan(store, snapshot));
  return rows.map(({ key, value }) => [Buffer.from(key).toString("latin1"), Buffer.from(value).toString("latin1")]);
}

/** A value of that length that no other seed gives. */
export function valueOfLength(length: number, seed: number | string): string {
  return `${seed}:`.padEnd(length, "abcdefghij").slice(0, length);
}

/** The same, but nothing that compression could make smaller. */
export function noiseOfLength(length: number, seed: number | string): string {
  let noise = "";
  for (let i = 0; noise.length < length; i++) noise += createHash("sha512").update(`${seed}:${i}`).digest("latin1");
  return noise.slice(0, length);
}

export async function valueFilesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, "values"));
  return names.toSorted().map((name) => join(directory, "values", name));
}

export async function valueFileBytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const path of await valueFilesIn(directory)) bytes += (await stat(path)).size;
  return bytes;
}

export async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "headrace-store-"));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A step of the collector or of compression goes between two writes: so many writes are more steps than there can be work. */
export async function letMove(store: KvStore, writes: number = 100): Promise<void> {
  for (let i = 1; i <= writes; i++) await write(store, [["small", String(i)]]);
}
