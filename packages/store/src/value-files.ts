/**
 * The set of value files: which one is written, how much of each is live, which one is worth collecting, and which is free to be written anew. It
 * knows bytes and places, not keys.
 *
 *   new or free ──begin──► current ──full──► sealed ──collected──► ended ──no older hold──► free, or removed
 *
 * Two files are written: one takes what is new, as it is; the other what the collector moves, which was tried for compression. So values that have
 * stayed lie apart from those that may die soon, and a file as a whole says whether it was tried (`settled`).
 *
 * A free file keeps its blocks on disk and is written over from the start: through the page cache that takes 0.85 ms of CPU a MiB against 2.2 for a
 * growing file; past it, where large writes go, there is no difference (bench/results/store-write.txt). What is in it is nobody's: no row names it.
 */
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DirectWriter, wholePages } from "./direct-writer.ts";
import { failureOf } from "./failure.ts";
import { FileHolds, type Hold } from "./file-holds.ts";
import { DamagedValue } from "./damaged-value.ts";
import { originalNow, originals } from "./value-compression.ts";
import { ValueFile, valueFileNumber } from "./value-file.ts";
import { ValueMemory } from "./value-memory.ts";
import type { FileCounts, ValuePointer } from "./value-row.ts";
import type { StoreBytes } from "./written-bytes.ts";

export interface ValueFilesOptions {
  /** A file is sealed when it has reached this size. */
  readonly fileBytes: number;
  /** How many free files are kept; others are removed. */
  readonly freeFilesMax: number;
  /** Writes of this size go past the page cache. */
  readonly directBytesMin: number;
  readonly written: StoreBytes;
}

/** Descriptors of sealed files that stay open for the next read. */
const OPEN_FILES_MAX = 64;
/** Kept for values that will be read: those of a few scans. */
const READ_MEMORY_BYTES = 4 * 1024 * 1024;
/** Values side by side are read together up to here. */
const RUN_BYTES_MAX = 1024 * 1024;
const RUN_VALUES_MAX = 256;
/** A sealed file with less than a third of it live is worth copying. */
const SPARSE_FACTOR = 3;
/** One with less than three quarters of it live, when there is nothing else to do: what was deleted gives its space back without more being deleted. */
const LOOSE_PART = 3 / 4;
/** A file that is being written, is filled to an eighth and wholly dead gets no further values: its space is worth more than its end. */
const DEAD_PART = 1 / 8;

export class ValueFiles {
  /** Of what is read. */
  readonly memory: ValueMemory = new ValueMemory(READ_MEMORY_BYTES);
  readonly #directory: string;
  readonly #options: ValueFilesOptions;
  readonly #direct: DirectWriter = new DirectWriter();
  readonly #files: Map<number, ValueFile> = new Map();
  /** Sealed files with a descriptor, the longest unused first. */
  readonly #open: Set<ValueFile> = new Set();
  readonly #holds: FileHolds<ValueFile> = new FileHolds((file) => this.#setFree(file));
  readonly #dead: Set<ValueFile> = new Set();
  readonly #sparse: Set<ValueFile> = new Set();
  /** Neither dead nor sparse, and never tried for compression: the longest sealed first. */
  readonly #untried: Set<ValueFile> = new Set();
  /** Tried, or never to be, and so much of them is dead that it is worth copying in peace. */
  readonly #loose: Set<ValueFile> = new Set();
  readonly #postponed: Set<ValueFile> = new Set();
  readonly #free: ValueFile[] = [];
  #removals: Promise<void> = Promise.resolve();
  #current: ValueFile | null = null;
  /** Takes what is moved. */
  #currentMoved: ValueFile | null = null;
  #lastFile = 0;

  constructor(directory: string, options: ValueFilesOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  /** The size at which files are sealed. */
  get fileBytes(): number {
    return this.#options.fileBytes;
  }

  /** The numbers of the files on disk; creates the directory if it is missing. */
  async list(): Promise<readonly number[]> {
    await mkdir(this.#directory, { recursive: true });
    await syncDirectory(dirname(this.#directory));
    const numbers = (await readdir(this.#directory)).map((name) => valueFileNumber(name));
    return numbers.filter((number) => number !== null);
  }

  /** What is on disk, and how LevelDB counts it. Files without counts are free. */
  async load(numbers: readonly number[], counts: readonly FileCounts[]): Promise<void> {
    const onDisk = new Map<number, ValueFile>();
    for (const number of numbers) {
      const path = new ValueFile(this.#directory, number, 0).path;
      onDisk.set(number, new ValueFile(this.#directory, number, (await stat(path)).size));
      this.#lastFile = Math.max(this.#lastFile, number);
    }
    for (const { file: number, usedBytes, liveBytes, isSettled } of counts) {
      // One that is missing or too short is told to whoever reads from it.
      const file = onDisk.get(number) ?? new ValueFile(this.#directory, number, 0);
      file.usedBytes = usedBytes;
      file.liveBytes = liveBytes;
      file.isSettled = isSettled;
      this.#files.set(number, file);
      this.#lastFile = Math.max(this.#lastFile, number);
    }
    for (const file of onDisk.values()) if (!this.#files.has(file.file)) this.#setFree(file);
    for (const file of this.#files.values()) this.#judge(file);
    await this.#removals;
    this.#current = await this.#resumed(false);
    this.#currentMoved = await this.#resumed(true);
  }

  /** One durable write for all, one behind the other. They are nobody's until `count` tells of them. One call at a time. */
  async append(
    values: readonly Uint8Array[],
    totalBytes: number,
    isMoved: boolean,
  ): Promise<{ readonly file: number; readonly offset: number }> {
    const current = isMoved ? this.#currentMoved : this.#current;
    const isFull = current !== null && current.usedBytes >= this.#options.fileBytes;
    if (isFull) this.#seal(current);
    const file = current === null || isFull ? await this.#begin(isMoved) : current;
    const isDirect = totalBytes >= this.#options.directBytesMin && this.#direct.isPossible;
    try {
      const offset = await file.append(values, totalBytes, isDirect ? this.#direct : null);
      const bytes = isDirect ? wholePages(totalBytes) : totalBytes;
      if (isMoved) this.#options.written.movedValueBytes += bytes;
      else this.#options.written.valueBytes += bytes;
      return { file: file.file, offset };
    } catch (error) {
      // Only to give space back; the failure that counts is the first.
      await file.cutToSize().catch(() => {});
      // A disk that is full may be tried again at the same place. Of any other failure nobody knows what it has left there.
      if (failureOf(error).reason !== "space") this.#abandon(file);
      throw error;
    }
  }

  /** What the counts are with `change` more bytes live. */
  countsWith(number: number, change: number): FileCounts | null {
    const file = this.#files.get(number);
    if (file === undefined) return null;
    const { usedBytes, isSettled } = file;
    return { file: number, usedBytes, liveBytes: Math.max(0, file.liveBytes + change), isSettled };
  }

  /** The batch with these counts is durable. */
  count(counts: FileCounts): void {
    const file = this.#files.get(counts.file);
    if (file === undefined) return;
    file.liveBytes = counts.liveBytes;
    file.isSettled = counts.isSettled;
    const isDead = file.liveBytes === 0 && file.usedBytes >= this.#options.fileBytes * DEAD_PART;
    if (isDead && (file === this.#current || file === this.#currentMoved)) this.#seal(file);
    else this.#judge(file);
  }

  /** A file that is worth collecting: wholly dead ones first. */
  collectable(): number | null {
    for (const file of this.#dead) return file.file;
    for (const file of this.#sparse) return file.file;
    return null;
  }

  /** A file that was never tried for compression: the one that was sealed first. */
  compressible(): number | null {
    for (const file of this.#untried) return file.file;
    return null;
  }

  /** A file that is worth copying when nobody wants anything. */
  loose(): number | null {
    for (const file of this.#loose) return file.file;
    return null;
  }

  /** It can't be collected now: tried again when its counts change or the next file is full. */
  postpone(number: number): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    this.#unlist(file);
    this.#postponed.add(file);
  }

  /** It was collected: durably, no row names it any more. */
  end(number: number): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    this.#unlist(file);
    this.#holds.end(file);
  }

  /** In the order of the pointers. Throws DamagedValue. */
  async read(pointers: readonly ValuePointer[]): Promise<readonly Uint8Array[]> {
    return originals(pointers, await this.readStored(pointers));
  }

  /** The same as they lie there, compressed ones too; those side by side in one call. Throws DamagedValue. */
  async readStored(pointers: readonly ValuePointer[]): Promise<readonly Uint8Array[]> {
    const values: Uint8Array[] = [];
    for (let from = 0; from < pointers.length;) {
      const to = runEnd(pointers, from);
      const { file: number, offset } = pointers[from]!;
      const file = this.#files.get(number);
      if (file === undefined) throw new DamagedValue(`value file ${number} is not known, wanted at offset ${offset}`);
      this.#keepOpen(file);
      for (const value of await file.read(pointers.slice(from, to), this.memory)) values.push(value);
      from = to;
    }
    return values;
  }

  /** One value, while everything else waits. Throws DamagedValue. */
  readNow(pointer: ValuePointer): Uint8Array {
    const file = this.#files.get(pointer.file);
    if (file === undefined)
      throw new DamagedValue(`value file ${pointer.file} is not known, wanted at ${pointer.offset}`);
    return originalNow(pointer, file.readNow(pointer));
  }

  /** From now until it is released nothing is written over that a pointer names now. */
  hold(): Hold {
    return this.#holds.hold();
  }

  release(hold: Hold): void {
    this.#holds.release(hold);
  }

  async close(): Promise<void> {
    await this.#removals;
    this.#current = null;
    this.#currentMoved = null;
    for (const file of this.#files.values()) await file.close();
  }

  /** Goes on with the least filled file of the kind, if it has room and is as long as it should be. */
  async #resumed(isMoved: boolean): Promise<ValueFile | null> {
    let least: ValueFile | null = null;
    for (const file of this.#files.values()) {
      if (file.usedBytes > file.sizeBytes || file.liveBytes === 0 || file.isSettled !== isMoved) continue;
      if (least === null || file.usedBytes < least.usedBytes) least = file;
    }
    if (least === null || least.usedBytes * 2 > this.#options.fileBytes) return null;
    await least.openForWrites(false);
    this.#unlist(least);
    return least;
  }

  async #begin(isMoved: boolean): Promise<ValueFile> {
    // A free file may still be closing.
    await this.#removals;
    const free = this.#free.pop();
    const file = free ?? new ValueFile(this.#directory, this.#lastFile + 1, 0);
    this.#lastFile = Math.max(this.#lastFile, file.file);
    try {
      await file.openForWrites(free === undefined);
      if (free === undefined) await syncDirectory(this.#directory);
    } catch (error) {
      await file.remove().catch(() => {});
      throw error;
    }
    file.usedBytes = 0;
    file.liveBytes = 0;
    file.isSettled = isMoved;
    this.#files.set(file.file, file);
    if (isMoved) this.#currentMoved = file;
    else this.#current = file;
    return file;
  }

  #seal(file: ValueFile): void {
    if (file === this.#currentMoved) this.#currentMoved = null;
    else this.#current = null;
    // All that was written through the descriptors is durable: nothing can be lost with them.
    file.seal().catch(() => {});
    this.#keepOpen(file);
    this.#judge(file);
    for (const postponed of this.#postponed) this.#judge(postponed);
  }

  #abandon(file: ValueFile): void {
    this.#seal(file);
    if (file.usedBytes > 0) return;
    this.#unlist(file);
    this.#files.delete(file.file);
    this.#remove(file);
  }

  #judge(file: ValueFile): void {
    const isDead = file.isSealed && file.liveBytes === 0;
    const isSparse = file.isSealed && !isDead && file.liveBytes * SPARSE_FACTOR < file.usedBytes;
    list(this.#dead, file, isDead);
    list(this.#sparse, file, isSparse);
    const isFull = file.isSealed && !isDead && !isSparse;
    list(this.#untried, file, isFull && !file.isSettled);
    list(this.#loose, file, isFull && file.liveBytes < file.usedBytes * LOOSE_PART);
    this.#postponed.delete(file);
  }

  #unlist(file: ValueFile): void {
    for (const listed of [this.#dead, this.#sparse, this.#untried, this.#loose, this.#postponed]) listed.delete(file);
  }

  #setFree(file: ValueFile): void {
    this.#files.delete(file.file);
    const isUsual = file.sizeBytes > 0 && file.sizeBytes <= this.#options.fileBytes * 2;
    if (isUsual && this.#free.length < this.#options.freeFilesMax) {
      this.#open.delete(file);
      this.#removals = this.#removals.then(() => file.close()).catch(() => {});
      this.#free.push(file);
    } else this.#remove(file);
  }

  #remove(file: ValueFile): void {
    this.#open.delete(file);
    // One that stays has no counts: it is free when the files are loaded the next time.
    this.#removals = this.#removals.then(() => file.remove()).catch(() => {});
  }

  #keepOpen(file: ValueFile): void {
    if (!file.isSealed) return;
    this.#open.delete(file);
    this.#open.add(file);
    if (this.#open.size <= OPEN_FILES_MAX) return;
    for (const unused of this.#open) {
      if (unused === file || !unused.isIdle) continue;
      this.#open.delete(unused);
      // All that was written through the descriptor is durable: nothing can be lost with it.
      unused.close().catch(() => {});
      return;
    }
  }
}

/** One that is listed already keeps its place. */
function list(files: Set<ValueFile>, file: ValueFile, belongs: boolean): void {
  if (belongs) files.add(file);
  else files.delete(file);
}

function runEnd(pointers: readonly ValuePointer[], from: number): number {
  let to = from + 1;
  let bytes = pointers[from]!.length;
  for (; to < pointers.length && to - from < RUN_VALUES_MAX; to++) {
    const last = pointers[to - 1]!;
    const next = pointers[to]!;
    bytes += next.length;
    if (next.file !== last.file || next.offset !== last.offset + last.length || bytes > RUN_BYTES_MAX) break;
  }
  return to;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
