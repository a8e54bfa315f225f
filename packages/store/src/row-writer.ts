/**
 * The one way into the store: large values into a value file, durably; then one synced LevelDB batch with the small values, the pointers, the places
 * and the counts of all files whose live bytes change. A crash between the two leaves bytes that nothing names. One write at a time.
 */
import { crc32 } from "@headrace/bytes";
import type { Database } from "./database.ts";
import { InlineKeys } from "./inline-keys.ts";
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

/** Copied into a batch between two turns of the event loop: 4 MiB at once hold the process up for 15 ms and more. */
const SLICE_BYTES = 256 * 1024;
/** Values that one row of places tells about: the collector takes it as a whole. */
const PLACES_BYTES = 1024 * 1024;

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
  #spoiltBy: unknown = null;

  constructor(database: Database, files: ValueFiles) {
    this.#database = database;
    this.#files = files;
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
    await this.#countReplaced(plan, changes);
    const batch = this.#database.batch();
    try {
      if (plan.largeKeys.length > 0) await this.#putLarge(batch, plan, changes, collected !== null);
      await putSmall(batch, plan);
      const endedFile = collected?.endedFile ?? null;
      for (const key of collected?.placesKeys ?? []) batch.del(key);
      if (endedFile !== null) batch.del(countsKey(endedFile));
      const counts = this.#countsWith(changes, endedFile, collected?.settledFile ?? null);
      for (const count of counts) batch.put(countsKey(count.file), countsRow(count));
      await this.#commit(batch);
      for (const count of counts) this.#files.count(count);
      this.#remember(plan);
    } catch (error) {
      this.#inlineKeys.clear();
      await batch.close();
      throw error;
    }
  }

  async #commit(batch: Batch): Promise<void> {
    try {
      await batch.write({ sync: true });
    } catch (error) {
      this.#spoiltBy = error;
      throw error;
    }
  }

  /** Pointers that the keys of the plan have now will be gone. */
  async #countReplaced(plan: WritePlan, changes: Map<number, number>): Promise<void> {
    const keys = plan.smallKeys.filter((_, i) => !this.#inlineKeys.has(plan.smallNames[i]!));
    for (let i = 0; i < plan.largeKeys.length; i++) {
      if (!this.#inlineKeys.has(plan.largeNames[i]!)) keys.push(plan.largeKeys[i]!);
    }
    if (keys.length === 0) return;
    for (const row of await this.#database.getMany(keys)) {
      const pointer = row === undefined ? null : pointerOf(row);
      if (pointer !== null) changes.set(pointer.file, (changes.get(pointer.file) ?? 0) - pointer.length);
    }
  }

  #remember(plan: WritePlan): void {
    for (const name of plan.largeNames) this.#inlineKeys.delete(name);
    for (let i = 0; i < plan.smallNames.length; i++) {
      if (plan.smallValues[i] === null) this.#inlineKeys.delete(plan.smallNames[i]!);
      else this.#inlineKeys.add(plan.smallNames[i]!);
    }
  }

  async #putLarge(batch: Batch, plan: WritePlan, changes: Map<number, number>, isMoved: boolean): Promise<void> {
    const { largeKeys: keys, largeValues: values, largeValueBytes: valueBytes, largeBytes } = plan;
    const { file, offset } = await this.#files.append(values, largeBytes, isMoved);
    changes.set(file, (changes.get(file) ?? 0) + largeBytes);
    let at = offset;
    let first = 0;
    let firstAt = offset;
    for (let i = 0; i < keys.length; i++) {
      const value = values[i]!;
      batch.put(keys[i]!, pointerRow(file, at, value.length, crc32(value), valueBytes[i]!));
      at += value.length;
      if (at - firstAt < PLACES_BYTES && i + 1 < keys.length) continue;
      batch.put(placesKey(file, firstAt), placesRow(keys, values, first, i + 1));
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

type Batch = ReturnType<Database["batch"]>;

/** The chained form: 0.6 µs of the main thread a change, the array form takes 6 on Node 20. */
async function putSmall(batch: Batch, plan: WritePlan): Promise<void> {
  const { smallKeys, smallValues } = plan;
  let sliceBytes = 0;
  for (let i = 0; i < smallKeys.length; i++) {
    const key = smallKeys[i]!;
    const value = smallValues[i]!;
    if (value === null) batch.del(key);
    else batch.put(key, inlineRow(value));
    sliceBytes += key.length + (value?.length ?? 0);
    if (sliceBytes < SLICE_BYTES) continue;
    sliceBytes = 0;
    await new Promise((resume) => {
      setImmediate(resume);
    });
  }
}
