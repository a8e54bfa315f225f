/**
 * Takes queued items, of all groups alike, into the next block until it is full: group commit. Applies each record to the group table as it
 * is placed. Knows how much room there is, not what a disk is.
 */
import { assert } from "@headrace/bytes";
import type { WalAppend } from "./api.ts";
import type { BlockBuilder } from "./block-builder.ts";
import type { GroupTable } from "./group-table.ts";
import { BLOCK_HEADER_BYTES, RECORD_HEADER_BYTES, RecordKind, recordBytes } from "./wal-format.ts";
import type { AppendItem, CopyItem, WalItem } from "./wal-item.ts";

const HARD_STATE_BYTES = recordBytes(8);

export class BlockGatherer {
  readonly #table: GroupTable;
  readonly #builder: BlockBuilder;
  readonly #maxWriteBytes: number;
  #queue: WalItem[] = [];
  #head = 0;
  #segment = 0;
  #offset = 0;
  #freeBytes = 0;
  /** Of the last `gather`: appends that are now completely placed, in order. */
  finished: WalAppend[] = [];
  mustSync = false;
  /** Data of all entries ever placed, copies left out. */
  entryBytes = 0;
  /** Data of the copies. */
  copiedBytes = 0;
  /** The next item needs more room than the segment has left. */
  needsSegment = false;

  constructor(table: GroupTable, builder: BlockBuilder, maxWriteBytes: number) {
    this.#table = table;
    this.#builder = builder;
    this.#maxWriteBytes = maxWriteBytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#queue.length;
  }

  push(item: WalItem): void {
    this.#queue.push(item);
  }

  clear(): void {
    this.#queue = [];
    this.#head = 0;
  }

  /** Fills the builder's block, which will stand at `offset` of `segment`. */
  gather(segment: number, offset: number, freeBytes: number): void {
    this.#segment = segment;
    this.#offset = offset;
    this.#freeBytes = freeBytes;
    this.finished = [];
    this.mustSync = false;
    this.needsSegment = false;
    this.#builder.begin();
    while (this.#head < this.#queue.length) {
      const item = this.#queue[this.#head]!;
      if (!this.#take(item)) break;
      this.#head++;
      if (item.kind === "append") this.finished.push(item.append);
    }
    if (this.isEmpty) this.clear();
    else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /** False: the block is full and the item, or its rest, stays. */
  #take(item: WalItem): boolean {
    switch (item.kind) {
      case "append":
        return this.#takeAppend(item);
      case "copy":
        return this.#takeCopy(item);
      case "compact": {
        const group = this.#table.group(item.groupId);
        if (item.index <= group.compactedIndex) return true;
        if (!this.#fits(RECORD_HEADER_BYTES)) return false;
        const dropsAll = this.#table.conflicts(group, item.index, item.term);
        this.#builder.compaction(item.groupId, item.index, item.term, dropsAll);
        this.#table.compact(group, item.index, item.term, dropsAll);
        return true;
      }
      case "forget":
        if (!this.#fits(RECORD_HEADER_BYTES)) return false;
        this.#builder.forgotten(item.groupId);
        this.#table.forget(item.groupId);
        return true;
    }
  }

  #takeAppend(item: AppendItem): boolean {
    const { append } = item;
    const { hardState, entries, groupId } = append;
    if (hardState === null && entries.length === 0) {
      this.mustSync ||= append.mustSync;
      return true;
    }
    const group = this.#table.group(groupId);
    // A hard state and the entry behind it never part: else an entry larger than one write would never get its turn.
    let isFirstOfBlock = this.#builder.isEmpty;
    if (hardState !== null && item.taken === 0) {
      const firstBytes = entries.length === 0 ? 0 : recordBytes(entries[0]!.data.length);
      if (!this.#fits(HARD_STATE_BYTES + firstBytes)) return false;
      // An append that spans blocks must not show a commit index whose entries are in a block that may be lost; the last part has it.
      const commit = Math.min(hardState.commit, group.hardState.commit);
      const isWhole = this.#fits(HARD_STATE_BYTES + bytesOfEntries(append));
      group.hardState = isWhole ? hardState : { term: hardState.term, vote: hardState.vote, commit };
      this.#builder.hardState(groupId, group.hardState);
    }
    while (item.taken < entries.length) {
      const entry = entries[item.taken]!;
      if (!this.#fits(recordBytes(entry.data.length), isFirstOfBlock)) return false;
      isFirstOfBlock = false;
      const { index, term, data } = entry;
      const offset = this.#offset + this.#builder.totalBytes;
      const placed = this.#table.put(group, index, term, data.length, this.#segment, offset);
      assert(placed, `group ${groupId}: log entry ${entry.index} would leave a gap behind ${group.lastIndex}`);
      this.#builder.entry(RecordKind.entry, groupId, entry);
      this.entryBytes += entry.data.length;
      item.taken++;
    }
    if (hardState !== null && group.hardState !== hardState) {
      if (!this.#fits(HARD_STATE_BYTES)) return false;
      group.hardState = hardState;
      this.#builder.hardState(groupId, hardState);
    }
    this.mustSync ||= append.mustSync;
    return true;
  }

  #takeCopy(item: CopyItem): boolean {
    const group = this.#table.groups.get(item.groupId);
    for (; item.taken < item.entries.length; item.taken++) {
      const entry = item.entries[item.taken]!;
      const { index } = entry;
      if (group === undefined || !group.positions.has(index)) continue;
      if (group.positions.segment(index) !== item.segment || group.positions.term(index) !== entry.term) continue;
      if (!this.#fits(recordBytes(entry.data.length))) return false;
      this.#table.move(group, index, this.#segment, this.#offset + this.#builder.totalBytes);
      this.#builder.entry(RecordKind.copiedEntry, item.groupId, entry);
      this.copiedBytes += entry.data.length;
    }
    return true;
  }

  /** Whether so many more bytes fit: into the segment with room for a sealing block, and into one write unless they are its first. */
  #fits(bytes: number, isFirstOfBlock: boolean = this.#builder.isEmpty): boolean {
    const total = this.#builder.totalBytes + bytes;
    if (total + BLOCK_HEADER_BYTES > this.#freeBytes) {
      this.needsSegment = this.#builder.isEmpty;
      return false;
    }
    return isFirstOfBlock || total <= this.#maxWriteBytes;
  }
}

function bytesOfEntries(append: WalAppend): number {
  let bytes = 0;
  for (const entry of append.entries) bytes += recordBytes(entry.data.length);
  return bytes;
}
