/**
 * Frees a segment that is kept only by the few live entries of groups that lag behind, or are idle: they are read and queued again as copies, which
 * replace nothing. A segment that is still mostly alive is left alone; its groups need checkpoints, not copies.
 *
 * Very few are copied however short the log is: a group to which nothing happens has a last entry that no checkpoint takes in, and would keep
 * everything behind it. Measured: a start after kill -9 read 700 MB a node where 64 to 192 are needed (bench/results/restart-log.txt).
 */
import type { Logger } from "@headrace/ports";
import type { EntryReader } from "./entry-reader.ts";
import type { GroupTable, WalGroup } from "./group-table.ts";
import type { CopyItem } from "./wal-item.ts";

const COPY_BYTES_MAX = 512 * 1024;
/** Copies only when at most 1/4 of the segment lives … */
const LIVE_SHARE_MAX = 4;
/** … and at most 1/64 as long as the log is not too long: for a sixty-fourth of what was written meanwhile. */
const FEW_SHARE_MAX = 64;
/** The oldest one goes by itself as soon as the next begins: its groups' checkpoints are on their way. */
const SEGMENTS_MIN = 3;

export class CopyForward {
  readonly #table: GroupTable;
  readonly #reader: EntryReader;
  readonly #logger: Logger;
  readonly #push: (item: CopyItem) => void;
  #isRunning = false;

  constructor(table: GroupTable, reader: EntryReader, logger: Logger, push: (item: CopyItem) => void) {
    this.#table = table;
    this.#reader = reader;
    this.#logger = logger;
    this.#push = push;
  }

  /** Called when a segment was begun: frees the oldest one if there are more than `segmentsMax`, or it has hardly anything that is wanted. */
  consider(oldest: number, segments: number, segmentsMax: number, segmentBytes: number): void {
    if (this.#isRunning || segments < Math.min(SEGMENTS_MIN, segmentsMax + 1)) return;
    const liveBytes = this.#table.liveBytes(oldest);
    if (liveBytes === 0 || (segments <= segmentsMax && liveBytes * FEW_SHARE_MAX > segmentBytes)) return;
    const pinning = [...this.#table.groups.values()].filter((group) => holds(group, oldest));
    const groups = pinning.map((group) => group.groupId);
    if (liveBytes * LIVE_SHARE_MAX > segmentBytes) {
      this.#logger.warn("wal_segments_pinned", { segment: oldest, segments, liveBytes, groups });
      return;
    }
    this.#logger.debug("wal_copy_forward", { segment: oldest, liveBytes, groups });
    this.#isRunning = true;
    this.#copyNext(oldest, groups, 0);
  }

  #copyNext(segment: number, groups: readonly number[], from: number): void {
    const groupId = groups[0];
    if (groupId === undefined) {
      this.#isRunning = false;
      return;
    }
    const group = this.#table.groups.get(groupId);
    const low = group === undefined ? 0 : firstIn(group, segment, from);
    if (group === undefined || low === 0) return this.#copyNext(segment, groups.slice(1), 0);
    let high = low;
    while (group.positions.has(high) && group.positions.segment(high) === segment) high++;
    this.#reader.read(group, low, high, COPY_BYTES_MAX, (read) => {
      if (!read.ok) {
        this.#logger.error("wal_copy_forward_failed", { segment, groupId, message: read.message });
        this.#isRunning = false;
        return;
      }
      this.#push({ kind: "copy", groupId, segment, entries: read.value, taken: 0 });
      this.#copyNext(segment, groups, low + read.value.length);
    });
  }
}

function holds(group: WalGroup, segment: number): boolean {
  return firstIn(group, segment, 0) !== 0;
}

/** The first index ≥ from whose entry stands in the segment; 0 when there is none. */
function firstIn(group: WalGroup, segment: number, from: number): number {
  const { positions } = group;
  for (let index = Math.max(positions.firstIndex, from); positions.has(index); index++) {
    if (positions.segment(index) === segment) return index;
  }
  return 0;
}
