/**
 * A backup on disk.
 *
 *   DIR/shard-00001.rows    one file a shard: { u32 length, little-endian · a chunk as its leader made it (node/snapshot-codec.ts, with CRC-32) } …
 *   DIR/manifest.json       written last (backup-manifest.ts): what is in it, with the SHA-256 of every file
 *   DIR/incomplete          there from the first byte on until the manifest is: what lies beside it may be thrown away
 *
 * Every file is synced before it is named. Must not know: what is in a chunk.
 */
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { BackupContent, BackupReader, Done, Result } from "@headrace/ports";
import { BackupError, encodeManifest, parseManifest, type Manifest, type ManifestShard } from "./backup-manifest.ts";

const MANIFEST = "manifest.json";
const INCOMPLETE = "incomplete";
const LENGTH_BYTES = 4;
const READ_BYTES = 1024 * 1024;
/** Longer ones no leader makes: a row of the largest value, and some. */
const CHUNK_BYTES_MAX = 1024 * 1024 * 1024;

/** Makes the directory ready for a new backup. Throws BackupError if it holds anything but the rest of one that was not finished. */
export function beginBackup(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    const found = readdirSync(directory);
    if (found.includes(MANIFEST))
      throw new BackupError(`${directory} holds a complete backup already; name another directory`);
    if (found.length > 0 && !found.includes(INCOMPLETE)) {
      throw new BackupError(`${directory} is not empty (found ${found[0]!}); name another directory`);
    }
    writeSynced(
      join(directory, INCOMPLETE),
      "A backup is being taken, or was not finished. Take it again, or delete this.\n",
    );
    for (const name of found) if (isOurs(name)) rmSync(join(directory, name));
    syncDirectory(directory);
  } catch (error) {
    throw notWritten(directory, error);
  }
}

/** The last step: from now on it is a backup. Throws BackupError. */
export function finishBackup(directory: string, manifest: Manifest): { readonly id: string } {
  const text = encodeManifest(manifest);
  try {
    writeSynced(join(directory, `${MANIFEST}.part`), text);
    renameSync(join(directory, `${MANIFEST}.part`), join(directory, MANIFEST));
    syncDirectory(directory);
    rmSync(join(directory, INCOMPLETE), { force: true });
    syncDirectory(directory);
  } catch (error) {
    throw notWritten(directory, error);
  }
  return { id: parseManifest(text).id };
}

function notWritten(directory: string, error: unknown): BackupError {
  if (error instanceof BackupError) return error;
  return new BackupError(`${directory} cannot be written: ${(error as Error).message}`);
}

export function shardFileName(shardId: number): string {
  return `shard-${String(shardId).padStart(5, "0")}.rows`;
}

/** One shard's file while it is being written; begun anew by making another. Everything throws BackupError. */
export class ShardFileWriter {
  readonly #directory: string;
  readonly #name: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash("sha256");
  bytes: number = 0;
  chunks: number = 0;

  private constructor(directory: string, name: string, file: FileHandle) {
    this.#directory = directory;
    this.#name = name;
    this.#file = file;
  }

  static async create(directory: string, shardId: number): Promise<ShardFileWriter> {
    const name = shardFileName(shardId);
    const file = await writing(directory, () => open(join(directory, `${name}.part`), "w"));
    return new ShardFileWriter(directory, name, file);
  }

  async append(chunk: Uint8Array): Promise<void> {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(chunk.length);
    for (const part of [length, chunk]) {
      this.#hash.update(part);
      await writing(this.#directory, () => this.#file.writeFile(part));
    }
    this.bytes += LENGTH_BYTES + chunk.length;
    this.chunks++;
  }

  async finish(): Promise<Pick<ManifestShard, "file" | "bytes" | "chunks" | "sha256">> {
    await writing(this.#directory, async () => {
      await this.#file.sync();
      await this.#file.close();
      renameSync(join(this.#directory, `${this.#name}.part`), join(this.#directory, this.#name));
    });
    const { bytes, chunks } = this;
    return { file: this.#name, bytes, chunks, sha256: this.#hash.digest("hex") };
  }

  async abandon(): Promise<void> {
    await this.#file.close();
  }
}

async function writing<T>(directory: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw notWritten(directory, error);
  }
}

/** What the directory says that it holds; nothing else is looked at. Throws BackupError. */
export function readManifest(directory: string): Manifest & { readonly id: string } {
  const path = join(directory, MANIFEST);
  if (!existsSync(path)) {
    const why = existsSync(join(directory, INCOMPLETE)) ? "a backup that was not finished" : "no backup";
    throw new BackupError(`${directory} holds ${why}: there is no ${MANIFEST}`);
  }
  try {
    return parseManifest(readFileSync(path, "utf8"));
  } catch (error) {
    const unknown = error instanceof BackupError && error.isUnknown;
    throw new BackupError(`backup ${directory}: ${(error as Error).message}`, unknown);
  }
}

/** Reads a backup that is complete, and nothing of any other. */
export class BackupDirectory implements BackupReader {
  readonly #directory: string;
  /** By shard id: the file, and where each chunk begins; the last number is the end. */
  readonly #files: Map<number, { readonly path: string; readonly offsets: readonly number[] }> = new Map();

  constructor(directory: string) {
    this.#directory = directory;
  }

  verify(done: Done<BackupContent>): void {
    void this.#attempt(() => this.#verify(), done);
  }

  chunk(shardId: number, number: number, done: Done<Uint8Array>): void {
    void this.#attempt(() => this.#chunk(shardId, number), done);
  }

  async #attempt<T>(read: () => Promise<T>, done: Done<T>): Promise<void> {
    let result: Result<T>;
    try {
      result = { ok: true, value: await read() };
    } catch (error) {
      const reason = !(error instanceof BackupError) ? "io" : error.isUnknown ? "unsupported" : "corrupt";
      result = { ok: false, reason, message: (error as Error).message };
    }
    done(result);
  }

  async #verify(): Promise<BackupContent> {
    const manifest = readManifest(this.#directory);
    for (const shard of manifest.shards) {
      const path = join(this.#directory, shard.file);
      try {
        this.#files.set(shard.shardId, { path, offsets: await verifiedOffsets(path, shard) });
      } catch (error) {
        throw new BackupError(`backup ${this.#directory}: ${shard.file} ${(error as Error).message}`);
      }
    }
    const { id, clusterId, featureLevel, replicas, settings } = manifest;
    return { id, clusterId, featureLevel, replicas, settings, shards: manifest.shards };
  }

  async #chunk(shardId: number, number: number): Promise<Uint8Array> {
    const { path, offsets } = this.#files.get(shardId)!;
    const from = offsets[number]! + LENGTH_BYTES;
    const bytes = Buffer.alloc(offsets[number + 1]! - from);
    const file = await open(path, "r");
    try {
      await readFully(file, bytes, from);
      return bytes;
    } finally {
      await file.close();
    }
  }
}

/** Where the chunks begin. Throws with what is wrong with the file. */
async function verifiedOffsets(path: string, shard: ManifestShard): Promise<readonly number[]> {
  if (!existsSync(path)) throw new BackupError("is missing");
  const { size } = statSync(path);
  if (size !== shard.bytes) throw new BackupError(`has ${size} bytes, not ${shard.bytes}`);
  const file = await open(path, "r");
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.alloc(READ_BYTES);
    for (let at = 0; at < size; at += READ_BYTES) {
      const part = buffer.subarray(0, Math.min(READ_BYTES, size - at));
      await readFully(file, part, at);
      hash.update(part);
    }
    if (hash.digest("hex") !== shard.sha256) throw new BackupError("does not match its checksum");
    const offsets = [0];
    const length = buffer.subarray(0, LENGTH_BYTES);
    for (let at = 0; at < size;) {
      await readFully(file, length, at);
      at += LENGTH_BYTES + length.readUInt32LE();
      if (at > size || at - offsets.at(-1)! > CHUNK_BYTES_MAX) throw new BackupError("is cut into no chunks");
      offsets.push(at);
    }
    if (offsets.length !== shard.chunks + 1)
      throw new BackupError(`has ${offsets.length - 1} chunks, not ${shard.chunks}`);
    return offsets;
  } finally {
    await file.close();
  }
}

async function readFully(file: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let got = 0; got < into.length;) {
    const { bytesRead } = await file.read(into, got, into.length - got, position + got);
    if (bytesRead === 0) throw new BackupError("ends too early");
    got += bytesRead;
  }
}

function isOurs(name: string): boolean {
  return /^shard-\d{5}\.rows(\.part)?$/.test(name) || name === `${MANIFEST}.part`;
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, "w");
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(directory: string): void {
  const file = openSync(directory, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
