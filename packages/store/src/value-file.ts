/**
 * One file of values: bytes one behind the other; what they mean is said in LevelDB. A write is durable when it returns, and always behind what is
 * used. Bytes there are of a write that failed, or of the file's life before. Small writes are one writev through a descriptor with O_DSYNC,
 * right behind the last; large ones go past the page cache and begin in a page of their own, so the two never meet in a page:
 *
 *   │ small │ small │ (rest of the page) │ large ………………………… │ small │ …
 */
import { Buffer } from "node:buffer";
import { close, closeSync, constants, fdatasync, ftruncate, open, openSync, readSync, readv, writev } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "@headrace/bytes";
import { DamagedValue } from "./damaged-value.ts";
import { type DirectWriter, wholePages } from "./direct-writer.ts";
import type { ValueMemory } from "./value-memory.ts";
import type { ValuePointer } from "./value-row.ts";

/** Not everywhere: without it a durable write is a write and a sync. */
const O_DSYNC: number | undefined = constants.O_DSYNC;
const NAME = /^values-(\d{10})\.val$/;

export function valueFileName(file: number): string {
  return `values-${String(file).padStart(10, "0")}.val`;
}

/** The number in the name; null when it is not a value file. */
export function valueFileNumber(name: string): number | null {
  const match = NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

// Not `node:fs/promises`: its handles throw when a store that was never closed is collected as garbage.
const openFile = promisify(open);
const closeFile = promisify(close);
const truncateFile = promisify(ftruncate);
const syncData = promisify(fdatasync);
const readInto = promisify(readv);
const writeAll = promisify(writev);

export class ValueFile {
  readonly file: number;
  readonly path: string;
  /** Length on disk. */
  sizeBytes: number;
  /** Where the next write goes. */
  usedBytes: number;
  /** Of the used ones, those that a pointer names; a hint for the collector, which looks for itself. */
  liveBytes: number;
  /** What is in it is compressed, or was found not to be worth it. */
  isSettled: boolean;
  /** Nothing is written to it any more. */
  isSealed: boolean;
  #descriptor: Promise<number> | null;
  /** While it is written; -1 when there is none. */
  #directFd: number;
  #readers: number;

  constructor(directory: string, file: number, sizeBytes: number) {
    this.file = file;
    this.path = join(directory, valueFileName(file));
    this.sizeBytes = sizeBytes;
    this.usedBytes = 0;
    this.liveBytes = 0;
    this.isSettled = false;
    this.isSealed = true;
    this.#descriptor = null;
    this.#directFd = -1;
    this.#readers = 0;
  }

  /** Whether closing it would disturb nobody. */
  get isIdle(): boolean {
    return this.isSealed && this.#readers === 0;
  }

  /** Opens it for writing; with `isNew` it must not exist, and its name in the directory is the caller's to sync. */
  async openForWrites(isNew: boolean): Promise<void> {
    await this.close();
    const creating = isNew ? constants.O_CREAT | constants.O_EXCL : 0;
    this.#descriptor = openFile(this.path, constants.O_RDWR | (O_DSYNC ?? 0) | creating, 0o640);
    try {
      await this.#descriptor;
    } catch (error) {
      this.#descriptor = null;
      throw error;
    }
    this.isSealed = false;
  }

  /** Answers the offset of the first; durable when it resolves. After a failure what is used is as before. */
  async append(values: readonly Uint8Array[], totalBytes: number, direct: DirectWriter | null): Promise<number> {
    const isDirect = direct !== null && (await this.#appendDirectly(values, totalBytes, direct));
    if (!isDirect) await this.#append(values, totalBytes);
    return this.usedBytes - totalBytes;
  }

  async #append(values: readonly Uint8Array[], totalBytes: number): Promise<void> {
    const fd = await this.#opened();
    const end = this.usedBytes + totalBytes;
    let rest = values;
    for (let at = this.usedBytes; at < end;) {
      const { bytesWritten } = await writeAll(fd, rest, at);
      if (bytesWritten === 0) throw new Error(`nothing was written to ${this.path}`);
      at += bytesWritten;
      if (at < end) rest = behind(rest, bytesWritten);
    }
    if (O_DSYNC === undefined) await syncData(fd);
    this.usedBytes = end;
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  /** False if the file system does not allow it. */
  async #appendDirectly(values: readonly Uint8Array[], totalBytes: number, direct: DirectWriter): Promise<boolean> {
    const start = wholePages(this.usedBytes);
    try {
      if (this.#directFd < 0) this.#directFd = await openFile(this.path, constants.O_RDWR | constants.O_DIRECT);
      await direct.write(this.#directFd, values, start);
    } catch (error) {
      if (direct.isRefusal(error)) return false;
      throw error;
    }
    await syncData(this.#directFd);
    this.usedBytes = start + totalBytes;
    this.sizeBytes = Math.max(this.sizeBytes, wholePages(this.usedBytes));
    return true;
  }

  /** Nothing is written to it any more. */
  async seal(): Promise<void> {
    this.isSealed = true;
    const fd = this.#directFd;
    this.#directFd = -1;
    if (fd >= 0) await closeFile(fd);
  }

  /** Gives back the space that a failed append took beyond the file's former end. */
  async cutToSize(): Promise<void> {
    await truncateFile(await this.#opened(), this.sizeBytes);
  }

  /** Values as they are stored, those that lie one behind the other in one call, each in memory of its own. Throws DamagedValue. */
  async read(run: readonly ValuePointer[], memory: ValueMemory): Promise<readonly Uint8Array[]> {
    this.#readers++;
    try {
      const fd = await this.#opened();
      const start = run[0]!.offset;
      const last = run[run.length - 1]!;
      const values = run.map((pointer) => memory.take(pointer.length));
      const bytesRead = await readFully(fd, values, start, last.offset + last.length);
      run.forEach((pointer, i) => {
        const isWhole = pointer.offset + pointer.length <= start + bytesRead;
        if (isWhole && crc32(values[i]!) === pointer.crc) return;
        const what = isWhole ? "does not match its checksum" : "is cut off";
        throw new DamagedValue(`the value of ${pointer.length} bytes at ${this.path}:${pointer.offset} ${what}`);
      });
      return values;
    } finally {
      this.#readers--;
    }
  }

  /** One value as it is stored, in memory of its own, while everything else waits. Throws DamagedValue. */
  readNow(pointer: ValuePointer): Uint8Array {
    const fd = openSync(this.path, constants.O_RDONLY);
    try {
      const value = Buffer.allocUnsafeSlow(pointer.length);
      const bytesRead = readSync(fd, value, 0, pointer.length, pointer.offset);
      if (bytesRead === pointer.length && crc32(value) === pointer.crc) return value;
      const what = bytesRead === pointer.length ? "does not match its checksum" : "is cut off";
      throw new DamagedValue(`the value of ${pointer.length} bytes at ${this.path}:${pointer.offset} ${what}`);
    } finally {
      closeSync(fd);
    }
  }

  async close(): Promise<void> {
    await this.seal();
    const opening = this.#descriptor;
    this.#descriptor = null;
    if (opening === null) return;
    // One that could not be opened has nothing to close; whoever asked for it was told.
    const fd = await opening.catch(() => null);
    if (fd !== null) await closeFile(fd);
  }

  async remove(): Promise<void> {
    await this.close();
    try {
      await unlink(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }

  async #opened(): Promise<number> {
    this.#descriptor ??= openFile(this.path, constants.O_RDONLY);
    const opening = this.#descriptor;
    try {
      return await opening;
    } catch (error) {
      if (this.#descriptor === opening) this.#descriptor = null;
      if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new DamagedValue(`${this.path} is missing`);
      throw error;
    }
  }
}

/** Answers how many bytes there were. */
async function readFully(fd: number, into: readonly Uint8Array[], start: number, end: number): Promise<number> {
  let rest = into;
  let at = start;
  while (at < end) {
    const { bytesRead } = await readInto(fd, rest, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    if (at < end) rest = behind(rest, bytesRead);
  }
  return at - start;
}

function behind(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skipped = bytes;
  let first = 0;
  while (skipped >= chunks[first]!.length) skipped -= chunks[first++]!.length;
  return [chunks[first]!.subarray(skipped), ...chunks.slice(first + 1)];
}
