/**
 * The one way into the store: large values into a value file, durably; then one synced LevelDB batch with the small values, the pointers, the places
 * and the counts of all files whose live bytes change. A crash between the two leaves bytes that nothing names. One write at a time.
 */
import type { Database } from "./database.ts";
import type { DeletedRanges } from "./deleted-ranges.ts";
import { InlineKeys } from "./inline-keys.ts";
import { RowBatch } from "./row-batch.ts";
import type { ValueFiles } from "./value-files.ts";
import {
  countsKey,
  countsRow,
  type FileCounts,
  inlineRow,
  placesKey,
  placesRow,
  pointerOf,
  pointerRow,
} from "./value-row.ts";
import type { WritePlan } from "./write-plan.ts";
import type { StoreBytes } from "./written-bytes.ts";

/** Copied into a batch between two turns of the event loop: 4 MiB at once hold the process up for 15 ms and more. */
const SLICE_BYTES = 256 * 1024;
/** Values that one row of places tells about: the collector takes it as a whole. */
const PLACES_BYTES = 1024 * 1024;
/** Such a row with blocks of the usual size. */
const PLACES_ROW_BYTES = 1500;

/** What the collector has done with a file, and goes with the batch. */
export interface Collected {
  readonly placesKeys: readonly Uint8Array[];
  /** Its places have all been looked at. */
  readonly endedFile: number | null;
  /** There is nothing in it that is worth compressing. */
  readonly settledFile: number | null;
}

export class RowWriter {
  readonly #database: Database;
  readonly #files: ValueFiles;
  readonly #inlineKeys: InlineKeys = new InlineKeys();
  readonly #deleted: DeletedRanges;
  readonly #written: StoreBytes;
  #spoiltBy: unknown = null;

  constructor(database: Database, files: ValueFiles, deleted: DeletedRanges, written: StoreBytes) {
    this.#database = database;
    this.#files = files;
    this.#deleted = deleted;
    this.#written = written;
  }

  /**
   * A batch failed inside LevelDB. Its log may end in half a record, and it would write on behind that: then the next opening drops what follows without
   * a word. So nothing is written into this database any more; reading is safe.
   */
  get isSpoilt(): boolean {
    return this.#spoiltBy !== null;
  }

  /** Durable when it resolves. If it rejects, nothing was written, or (LevelDB's batch failed) all of it may have been. */
  async write(plan: WritePlan, collected: Collected | null): Promise<void> {
    if (this.#spoiltBy !== null) throw this.#spoiltBy;
    const changes = new Map<number, number>();
    const deletedBytes = await this.#countReplaced(plan, changes);
    const batch = new RowBatch(this.#database);
    try {
      if (plan.largeKeys.length > 0) await this.#putLarge(batch, plan, changes, collected !== null);
      await putSmall(batch, plan);
      const endedFile = collected?.endedFile ?? null;
      for (const key of collected?.placesKeys ?? []) batch.delete(key);
      if (endedFile !== null) batch.delete(countsKey(endedFile));
      const counts = this.#countsWith(changes, endedFile, collected?.settledFile ?? null);
      for (const count of counts) batch.put(countsKey(count.file), countsRow(count));
      await this.#commit(batch);
      for (const count of counts) this.#files.count(count);
      this.#remember(plan, deletedBytes);
      for (const key of collected?.placesKeys ?? []) this.#deleted.add(key, PLACES_ROW_BYTES);
    } catch (error) {
      this.#inlineKeys.clear();
      await batch.close();
      throw error;
    }
  }

  async #commit(batch: RowBatch): Promise<void> {
    try {
      await batch.commit();
      this.#written.rowBytes += batch.bytes;
    } catch (error) {
      this.#spoiltBy = error;
      throw error;
    }
  }

  /** Pointers that the keys of the plan have now will be gone. Answers the bytes of rows that will be deleted, by their place in the plan. */
  async #countReplaced(plan: WritePlan, changes: Map<number, number>): Promise<ReadonlyMap<number, number>> {
    const keys: Uint8Array[] = [];
    /** Places in the plan of keys that will be deleted, else -1. */
    const deletions: number[] = [];
    for (let i = 0; i < plan.smallKeys.length; i++) {
      const isDeletion = plan.smallValues[i] === null;
      if (!isDeletion && this.#inlineKeys.has(plan.smallNames[i]!)) continue;
      keys.push(plan.smallKeys[i]!);
      deletions.push(isDeletion ? i : -1);
    }
    for (let i = 0; i < plan.largeKeys.length; i++) {
      if (this.#inlineKeys.has(plan.largeNames[i]!)) continue;
      keys.push(plan.largeKeys[i]!);
      deletions.push(-1);
    }
    const deletedBytes = new Map<number, number>();
    const rows = keys.length === 0 ? [] : await this.#database.getMany(keys);
    for (const [i, row] of rows.entries()) {
      if (row === undefined) continue;
      if (deletions[i]! >= 0) deletedBytes.set(deletions[i]!, keys[i]!.length + row.length);
      const pointer = pointerOf(row);
      if (pointer !== null) changes.set(pointer.file, (changes.get(pointer.file) ?? 0) - pointer.length);
    }
    return deletedBytes;
  }

  #remember(plan: WritePlan, deletedBytes: ReadonlyMap<number, number>): void {
    for (const name of plan.largeNames) this.#inlineKeys.delete(name);
    for (let i = 0; i < plan.smallNames.length; i++) {
      if (plan.smallValues[i] === null) {
        this.#inlineKeys.delete(plan.smallNames[i]!);
        // The row, and the tombstone that covers it.
        const key = plan.smallKeys[i]!;
        this.#deleted.add(key, key.length + (deletedBytes.get(i) ?? 0));
      } else this.#inlineKeys.add(plan.smallNames[i]!);
    }
  }

  async #putLarge(batch: RowBatch, plan: WritePlan, changes: Map<number, number>, isMoved: boolean): Promise<void> {
    const { largeKeys: keys, largeLengths: lengths, largeValueBytes: valueBytes, largeCrcs: crcs, largeBytes } = plan;
    const { file, offset } = await this.#files.append(plan.largePieces, largeBytes, isMoved);
    changes.set(file, (changes.get(file) ?? 0) + largeBytes);
    let at = offset;
    let first = 0;
    let firstAt = offset;
    for (let i = 0; i < keys.length; i++) {
      const length = lengths[i]!;
      batch.put(keys[i]!, pointerRow(file, at, length, crcs[i]!, valueBytes[i]!));
      at += length;
      if (at - firstAt < PLACES_BYTES && i + 1 < keys.length) continue;
      batch.put(placesKey(file, firstAt), placesRow(keys, lengths, first, i + 1));
      first = i + 1;
      firstAt = at;
    }
  }

  #countsWith(
    changes: Map<number, number>,
    endedFile: number | null,
    settledFile: number | null,
  ): readonly FileCounts[] {
    if (settledFile !== null) changes.set(settledFile, changes.get(settledFile) ?? 0);
    const counts: FileCounts[] = [];
    for (const [file, change] of changes) {
      const count = file === endedFile ? null : this.#files.countsWith(file, change);
      if (count !== null) counts.push(file === settledFile ? { ...count, isSettled: true } : count);
    }
    return counts;
  }
}

async function putSmall(batch: RowBatch, plan: WritePlan): Promise<void> {
  const { smallKeys, smallValues } = plan;
  let sliceBytes = 0;
  for (let i = 0; i < smallKeys.length; i++) {
    const key = smallKeys[i]!;
    const value = smallValues[i]!;
    if (value === null) batch.delete(key);
    else batch.put(key, inlineRow(value));
    sliceBytes += key.length + (value?.length ?? 0);
    if (sliceBytes < SLICE_BYTES) continue;
    sliceBytes = 0;
    await new Promise((resume) => {
      setImmediate(resume);
    });
  }
}
