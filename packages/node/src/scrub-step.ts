/**
 * One step of scrubbing: reads rows of a shard from one frozen view of the store until there have been enough bytes, and holds each against its
 * checksum; behind a row that names blocks it reads the rows of their entries and holds them against what their lines say. So rows that are missing or
 * of another time are found too. The view is released at the end, whatever came of it.
 *
 * Must not know: replicas, rates, what becomes of damage.
 */
import { compareBytes } from "@headrace/bytes";
import { blocksNamedBy, DamagedRowError, headerOfBlocks, rowIsIntact, type StoredBlock } from "@headrace/engine";
import type { Failure, KvRow, KvSnapshot, KvStore, Result } from "@headrace/ports";
import {
  checkpointKey,
  decodeCheckpointRow,
  GENERATION_BYTES,
  generationKey,
  slotKey,
  STATE_KEY_PREFIX_BYTES,
  stateKey,
} from "./checkpoint-row.ts";
import type { CheckpointRow, GenerationRange } from "./checkpoint-row.ts";
import { guarded, isFailure, keyBehind } from "./state-ranges.ts";

const SCAN_ROWS = 256;
const SCAN_BYTES = 64 * 1024;
const SLOT_BYTES = STATE_KEY_PREFIX_BYTES - GENERATION_BYTES;

/** Where to go on. */
export interface ScrubPlace {
  /** Slot and subkey of the next row, or less of it. */
  readonly key: Uint8Array;
  /** Of the blocks that this row names, those from this number on. */
  readonly block: number;
}

/** The checkpoint row comes first. */
export const SCRUB_START: ScrubPlace = { key: new Uint8Array(0), block: 0 };
const FIRST_ROW: ScrubPlace = { key: new Uint8Array(SLOT_BYTES), block: 0 };

export interface ScrubSource {
  readonly kvStore: KvStore;
  readonly groupId: number;
  /** What the store holds of the shard now. */
  readonly row: CheckpointRow;
  /** Enough for one step. */
  readonly stepBytes: number;
}

export interface ScrubOutcome {
  /** Null: nothing is left, or it makes no sense to go on. */
  readonly next: ScrubPlace | null;
  /** `corrupt`: something is not as it was written. */
  readonly failure: Failure | null;
  readonly rows: number;
  readonly bytes: number;
}

export class ScrubStep {
  readonly #source: ScrubSource;
  readonly #kvStore: KvStore;
  /** By slot. */
  readonly #ranges: readonly GenerationRange[];
  readonly #done: (outcome: ScrubOutcome) => void;
  readonly #view: KvSnapshot;
  #isOver = false;
  #place: ScrubPlace;
  #rows = 0;
  #bytes = 0;

  /** Begins at once; `done` is called in a later event, unless it is stopped. */
  constructor(source: ScrubSource, place: ScrubPlace, done: (outcome: ScrubOutcome) => void) {
    this.#source = source;
    this.#kvStore = source.kvStore;
    this.#ranges = source.row.ranges.slice().sort((a, b) => a.from - b.from);
    this.#place = place;
    this.#done = done;
    this.#view = source.kvStore.snapshot();
    if (place === SCRUB_START) this.#checkHead();
    else this.#scan();
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#kvStore.release(this.#view);
  }

  #end(next: ScrubPlace | null, failure: Failure | null = null): void {
    this.stop();
    this.#done({ next, failure, rows: this.#rows, bytes: this.#bytes });
  }

  /** A replica that was added has none before its first snapshot. */
  #checkHead(): void {
    const { groupId, row } = this.#source;
    const key = checkpointKey(groupId);
    this.#kvStore.get(key, this.#view, (result) => {
      const value = this.#read(result);
      if (this.#isOver) return;
      if (value !== null) this.#count(value);
      this.#guarded(key, () => {
        if (value !== null) decodeCheckpointRow(value);
        else if (row.index > 0) throw new DamagedRowError("the checkpoint row is missing");
      });
      if (this.#isOver) return;
      this.#place = FIRST_ROW;
      this.#scan();
    });
  }

  #scan(): void {
    const { key, block } = this.#place;
    const slot = slotOf(key);
    const range = this.#ranges.find(({ to }) => to >= slot);
    if (range === undefined) return this.#end(null);
    const { generation, from, to } = range;
    const first = slot < from ? slotKey(generation, from) : generationKey(generation, key);
    const end = slotKey(generation, to + 1);
    // Some of its blocks are left: what stands behind it is read when they are through.
    const limitRows = block > 0 ? 1 : SCAN_ROWS;
    this.#kvStore.scan(first, end, limitRows, SCAN_BYTES, this.#view, (result) => {
      const rows = this.#read(result);
      if (rows === null) return;
      if (rows.length > 0) return this.#check(rows, 0, generation);
      this.#place = { key: end.subarray(GENERATION_BYTES), block: 0 };
      this.#scan();
    });
  }

  /** The rows from this one on. */
  #check(rows: readonly KvRow[], from: number, generation: number): void {
    for (let i = from; i < rows.length; i++) {
      if (this.#bytes >= this.#source.stepBytes) return this.#end(this.#place);
      const row = rows[i]!;
      const key = row.key.subarray(GENERATION_BYTES);
      const subkey = key.subarray(SLOT_BYTES);
      // A row that was begun may be gone meanwhile: then this is another one.
      const block = compareBytes(key, this.#place.key) === 0 ? this.#place.block : 0;
      this.#place = { key, block };
      if (block === 0) this.#count(row.value);
      const header = this.#guarded(row.key, () => {
        if (!rowIsIntact(slotOf(key), subkey, row.value)) throw new DamagedRowError("row does not match its checksum");
        return headerOfBlocks(subkey);
      });
      if (this.#isOver) return;
      if (header !== null)
        return this.#checkBlocks(row, header, generation, () => this.#check(rows, i + 1, generation));
      this.#place = { key: keyBehind(key), block: 0 };
    }
    if (this.#bytes >= this.#source.stepBytes) this.#end(this.#place);
    else this.#scan();
  }

  /** `then`: they are through, and the place is behind the row. */
  #checkBlocks(row: KvRow, headerSubkey: Uint8Array, generation: number, then: () => void): void {
    const key = row.key.subarray(GENERATION_BYTES);
    const slot = slotOf(key);
    const headerKey = stateKey(generation, slot, headerSubkey);
    this.#kvStore.get(headerKey, this.#view, (result) => {
      const header = this.#read(result);
      if (this.#isOver) return;
      const blocks = this.#guarded(row.key, () => {
        if (header === null) throw new DamagedRowError("a row of a key without a header");
        return blocksNamedBy(slot, key.subarray(SLOT_BYTES), row.value, header);
      });
      if (blocks === null) return;
      const left = blocks.filter(({ number }) => number >= this.#place.block);
      this.#checkFrom(row.key, left, 0, generation, () => {
        this.#place = { key: keyBehind(key), block: 0 };
        then();
      });
    });
  }

  #checkFrom(
    rowKey: Uint8Array,
    blocks: readonly StoredBlock[],
    at: number,
    generation: number,
    then: () => void,
  ): void {
    const block = blocks[at];
    if (block === undefined) return then();
    // Not before one of them was read: every step gets on, however long the row is.
    if (at > 0 && this.#bytes >= this.#source.stepBytes)
      return this.#end({ key: this.#place.key, block: block.number });
    this.#readBlock(rowKey, block, generation, [], () => this.#checkFrom(rowKey, blocks, at + 1, generation, then));
  }

  /** `values`: of the rows that were read already. */
  #readBlock(
    rowKey: Uint8Array,
    block: StoredBlock,
    generation: number,
    values: (Uint8Array | null)[],
    then: () => void,
  ): void {
    const subkey = block.subkeys[values.length];
    if (subkey === undefined) {
      this.#guarded(rowKey, () => block.check(values));
      if (!this.#isOver) then();
      return;
    }
    this.#kvStore.get(stateKey(generation, block.slot, subkey), this.#view, (result) => {
      const value = this.#read(result);
      if (this.#isOver) return;
      if (value !== null) this.#count(value);
      this.#readBlock(rowKey, block, generation, [...values, value], then);
    });
  }

  #count(value: Uint8Array): void {
    this.#rows++;
    this.#bytes += value.length;
  }

  /** Null: the step is over, or there is nothing. */
  #read<T>(result: Result<T>): T | null {
    if (this.#isOver) return null;
    if (result.ok) return result.value;
    this.#end(null, result);
    return null;
  }

  /** Null: the step is over, or that is the answer. */
  #guarded<T>(key: Uint8Array, check: () => T): T | null {
    const checked = guarded(check);
    if (!isFailure(checked)) return checked;
    this.#end(null, { ...checked, message: `${checked.message} (row ${hex(key)})` });
    return null;
  }
}

function slotOf(key: Uint8Array): number {
  return key[0]! * 256 + key[1]!;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
