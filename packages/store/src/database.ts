/** LevelDB as this room uses it: bytes to bytes. And whether what is in it is ours. */
import { Level } from "level";
import type { Failure } from "@headrace/ports";
import { COUNTS_FROM, COUNTS_TO, decodeCounts, type FileCounts, FORMAT_KEY, FORMAT_VERSION } from "./value-row.ts";

/** What LevelDB in Node has beyond what `level` declares for browsers too. */
interface ClassicLevel {
  approximateSize(start: Uint8Array, end: Uint8Array, options: { readonly keyEncoding: "view" }): Promise<number>;
  compactRange(start: Uint8Array, end: Uint8Array, options: { readonly keyEncoding: "view" }): Promise<void>;
  getProperty(name: string): string;
}

export type Database = Level<Uint8Array, Uint8Array> & ClassicLevel;
export type Snapshot = ReturnType<Database["snapshot"]>;

export const VIEW = { keyEncoding: "view", valueEncoding: "view" } as const;

export interface DatabaseOptions {
  readonly writeBufferBytes: number;
  readonly cacheBytes: number;
}

/** The directory holds something else than this program expects. */
export class ForeignStore extends Error {
  readonly reason: Failure["reason"] = "corrupt";
}

const MIB = 1024 * 1024;

export function newDatabase(directory: string, options: DatabaseOptions): Database {
  const level = new Level<Uint8Array, Uint8Array>(directory, {
    ...VIEW,
    writeBufferSize: options.writeBufferBytes,
    cacheSize: options.cacheBytes,
    maxFileSize: 32 * MIB,
  });
  return level as Database;
}

/** Marks a new store, refuses one of another format. `hasValueFiles`: then it can't be new. */
export async function checkFormat(database: Database, hasValueFiles: boolean): Promise<void> {
  const format = await database.get(FORMAT_KEY);
  if (format !== undefined) {
    if (format.length === 1 && format[0] === FORMAT_VERSION) return;
    throw new ForeignStore(`the store has format ${format.join(".")}, this program knows format ${FORMAT_VERSION}`);
  }
  const rows = await database.keys({ limit: 1 }).all();
  if (rows.length > 0)
    throw new ForeignStore("the store has rows without a format: an older program, or another one, wrote it");
  if (hasValueFiles)
    throw new ForeignStore("the store has value files, and the rows that name what is in them are missing");
  await database.put(FORMAT_KEY, Uint8Array.of(FORMAT_VERSION), { sync: true });
}

export async function readCounts(database: Database): Promise<readonly FileCounts[]> {
  const rows = await database.iterator({ gte: COUNTS_FROM, lt: COUNTS_TO }).all();
  return rows.map(([key, row]) => decodeCounts(key, row));
}
