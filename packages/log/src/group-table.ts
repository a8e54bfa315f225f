/**
 * What the log knows of every group as of the last block built: hard state, compaction point, positions; and how much of each segment is
 * still live, which decides what may be removed.
 */
import type { HardState } from "@headrace/raft-ts";
import { EntryPositions } from "./entry-positions.ts";
import { recordBytes } from "./wal-format.ts";

const NO_HARD_STATE: HardState = Object.freeze({ term: 0, vote: 0, commit: 0 });

export class WalGroup {
  readonly groupId: number;
  hardState: HardState = NO_HARD_STATE;
  compactedIndex = 0;
  compactedTerm = 0;
  readonly positions: EntryPositions = new EntryPositions();

  constructor(groupId: number) {
    this.groupId = groupId;
  }

  get lastIndex(): number {
    return this.positions.count > 0 ? this.positions.lastIndex : this.compactedIndex;
  }
}

/** Where a record was put. */
export interface RecordPlace {
  readonly segment: number;
  readonly offset: number;
}

export class GroupTable {
  readonly groups: Map<number, WalGroup> = new Map();
  /** Live bytes by segment; a segment without live bytes is not in it. */
  readonly #liveBytes: Map<number, number> = new Map();

  group(groupId: number): WalGroup {
    let group = this.groups.get(groupId);
    if (group === undefined) {
      group = new WalGroup(groupId);
      this.groups.set(groupId, group);
    }
    return group;
  }

  liveBytes(segment: number): number {
    return this.#liveBytes.get(segment) ?? 0;
  }

  /** An entry was written: whatever the group had from its index on is replaced. False: it would leave a gap. */
  put(group: WalGroup, index: number, term: number, dataBytes: number, segment: number, offset: number): boolean {
    const positions = group.positions;
    while (positions.count > 0 && positions.lastIndex >= index) this.#dropLast(group);
    if (index !== group.lastIndex + 1) return false;
    positions.push(index, term, segment, offset, dataBytes);
    this.#count(segment, recordBytes(dataBytes));
    return true;
  }

  /** A live entry now stands elsewhere too; the old place no longer counts. */
  move(group: WalGroup, index: number, segment: number, offset: number): void {
    const positions = group.positions;
    const bytes = recordBytes(positions.dataBytes(index));
    this.#count(positions.segment(index), -bytes);
    positions.move(index, segment, offset);
    this.#count(segment, bytes);
  }

  /**
   * Everything ≤ index is in a checkpoint. Another term at `index` than ours means that the checkpoint came from a leader whose log
   * differs: what we have behind it does not belong to it and goes too (`dropsAll`).
   */
  conflicts(group: WalGroup, index: number, term: number): boolean {
    return group.positions.has(index) && group.positions.term(index) !== term;
  }

  compact(group: WalGroup, index: number, term: number, dropsAll: boolean): void {
    const { positions } = group;
    while (positions.count > 0 && (dropsAll || positions.firstIndex <= index)) this.#dropFirst(group);
    group.compactedIndex = index;
    group.compactedTerm = term;
  }

  forget(groupId: number): void {
    const group = this.groups.get(groupId);
    if (group === undefined) return;
    while (group.positions.count > 0) this.#dropLast(group);
    this.groups.delete(groupId);
  }

  #dropFirst(group: WalGroup): void {
    const { positions } = group;
    const index = positions.firstIndex;
    this.#count(positions.segment(index), -recordBytes(positions.dataBytes(index)));
    positions.dropFirst();
  }

  #dropLast(group: WalGroup): void {
    const { positions } = group;
    const index = positions.lastIndex;
    this.#count(positions.segment(index), -recordBytes(positions.dataBytes(index)));
    positions.dropLast();
  }

  #count(segment: number, bytes: number): void {
    const live = (this.#liveBytes.get(segment) ?? 0) + bytes;
    if (live === 0) this.#liveBytes.delete(segment);
    else this.#liveBytes.set(segment, live);
  }
}
