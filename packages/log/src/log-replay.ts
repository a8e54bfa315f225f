/**
 * Folds the records of the log, in log order, into what each group had at the end. Knows nothing of blocks and disks. The order is all that
 * counts: a later entry at a lower index replaces the suffix, a compaction point drops the front, copies fill what went with old segments.
 */
import { crc32, pooledCopyOf } from "@headrace/bytes";
import type { Entry, EntryType, HardState } from "@headrace/raft-ts";
import type { EntryOnDisk, RecoveredGroup } from "./api.ts";
import type { GroupTable } from "./group-table.ts";
import { type RecordCursor, RecordKind } from "./wal-format.ts";

/** Where data stays on disk. */
const NO_DATA = new Uint8Array(0);

interface ReplayedEntry {
  /** Without its data where a checkpoint covers it. */
  readonly entry: Entry;
  readonly dataBytes: number;
  readonly segment: number;
  readonly offset: number;
}

class ReplayedGroup {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  compactedIndex = 0;
  compactedTerm = 0;
  lastIndex = 0;
  readonly entries: Map<number, ReplayedEntry> = new Map();

  put(at: ReplayedEntry): void {
    const { index } = at.entry;
    for (let i = index; i <= this.lastIndex; i++) this.entries.delete(i);
    this.entries.set(index, at);
    this.lastIndex = index;
  }

  putCopy(at: ReplayedEntry): void {
    const { index } = at.entry;
    if (index <= this.compactedIndex) return;
    this.entries.set(index, at);
    if (index > this.lastIndex) this.lastIndex = index;
  }

  compact(index: number, term: number, dropsAll: boolean): void {
    if (index <= this.compactedIndex) return;
    if (dropsAll) this.entries.clear();
    for (const known of this.entries.keys()) if (known <= index) this.entries.delete(known);
    if (this.entries.size === 0) this.lastIndex = index;
    this.compactedIndex = index;
    this.compactedTerm = term;
  }
}

/** Why the records of an intact block can't be taken. */
export interface ReplayProblem {
  readonly kind: "damaged" | "unknown";
  readonly message: string;
}

export class LogReplay {
  readonly #groups: Map<number, ReplayedGroup> = new Map();
  readonly #covered: ReadonlyMap<number, number>;

  constructor(covered: ReadonlyMap<number, number>) {
    this.#covered = covered;
  }

  /** Takes all records of one intact block. `base` turns offsets in the cursor's bytes into offsets in the segment. */
  takeRecords(cursor: RecordCursor, segment: number, base: number): ReplayProblem | null {
    while (cursor.next()) {
      if (!this.#take(cursor, segment, base)) {
        return { kind: "unknown", message: `record kind ${cursor.kind} is not known` };
      }
    }
    return cursor.atEnd ? null : { kind: "damaged", message: "records do not fill the block" };
  }

  /** Puts everything into the table and hands out the groups, or says which group's log has a hole. */
  finish(table: GroupTable): ReadonlyMap<number, RecoveredGroup> | string {
    const recovered = new Map<number, RecoveredGroup>();
    for (const [groupId, replayed] of this.#groups) {
      const group = table.group(groupId);
      group.compactedIndex = replayed.compactedIndex;
      group.compactedTerm = replayed.compactedTerm;
      const covered = this.#covered.get(groupId) ?? 0;
      const onDisk: EntryOnDisk[] = [];
      const entries: Entry[] = [];
      let previousTerm = replayed.compactedTerm;
      for (let index = replayed.compactedIndex + 1; index <= replayed.lastIndex; index++) {
        const at = replayed.entries.get(index);
        if (at === undefined) return `group ${groupId} lacks log entry ${index} of ${replayed.lastIndex}`;
        const { entry, dataBytes } = at;
        const { term } = entry;
        if (term < previousTerm) return `group ${groupId}: term falls at log entry ${index}`;
        previousTerm = term;
        table.put(group, index, term, dataBytes, at.segment, at.offset);
        if (index <= covered) onDisk.push({ term, dataBytes });
        else entries.push(entry);
      }
      // The commit index rides along unsynced and may lag behind the checkpoint, or run ahead of a log that ends in an installed snapshot.
      const { term, vote, commit } = replayed.hardState;
      const hardState = { term, vote, commit: Math.max(replayed.compactedIndex, Math.min(commit, replayed.lastIndex)) };
      group.hardState = hardState;
      const { compactedIndex, compactedTerm } = replayed;
      recovered.set(groupId, { groupId, hardState, onDisk, entries, compactedIndex, compactedTerm });
    }
    return recovered;
  }

  /** False: a kind that this program does not know. */
  #take(cursor: RecordCursor, segment: number, base: number): boolean {
    switch (cursor.kind) {
      case RecordKind.entry:
        this.#group(cursor).put(this.#entryAt(cursor, segment, base));
        return true;
      case RecordKind.copiedEntry:
        this.#group(cursor).putCopy(this.#entryAt(cursor, segment, base));
        return true;
      case RecordKind.hardState:
        this.#group(cursor).hardState = { term: cursor.term, vote: cursor.vote(), commit: cursor.index };
        return true;
      case RecordKind.compaction:
        this.#group(cursor).compact(cursor.index, cursor.term, cursor.entryType === 1);
        return true;
      case RecordKind.forgotten:
        this.#groups.delete(cursor.groupId);
        return true;
      case RecordKind.segmentStart:
        return true;
      default:
        return false;
    }
  }

  /** A view of its data would keep all that was read with it: groups whose checkpoints are older have entries everywhere. */
  #entryAt(cursor: RecordCursor, segment: number, base: number): ReplayedEntry {
    const { term, index, dataBytes } = cursor;
    const isCovered = index <= (this.#covered.get(cursor.groupId) ?? 0);
    const data = isCovered ? NO_DATA : pooledCopyOf(cursor.data());
    const entry = { term, index, type: cursor.entryType as EntryType, data };
    return { entry, dataBytes, segment, offset: base + cursor.offset };
  }

  #group(cursor: RecordCursor): ReplayedGroup {
    let group = this.#groups.get(cursor.groupId);
    if (group === undefined) {
      group = new ReplayedGroup();
      this.#groups.set(cursor.groupId, group);
    }
    return group;
  }
}

/** The entry under the cursor; its data is a view into the block as read. */
export function readEntry(cursor: RecordCursor): Entry {
  return { term: cursor.term, index: cursor.index, type: cursor.entryType as EntryType, data: cursor.data() };
}

/** For single records read back later, when the block's CRC is not at hand. The rest of the header is compared with what memory knows. */
export function dataIsIntact(cursor: RecordCursor): boolean {
  return crc32(cursor.data(), cursor.entryType) === cursor.dataCrc;
}
