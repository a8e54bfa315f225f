/**
 * How many blocks at the front of a stream its retention drops. Whole blocks, so that it costs neither a look at entries nor a tombstone, and never
 * the last one. It looks at lines of the block index alone, so blocks may be cold. Leader only: the cut, not the rule, goes into the effect.
 *
 * A block goes when all of it is outside of one bound: what stays keeps at least that many entries, that many bytes, and everything that is young
 * enough. Age is that of the ids, as MINID sees it. Ids that are no milliseconds since 1970 (counters, seconds) are never too old: a bound for
 * the whole cluster must not empty a stream that numbers its entries.
 */
import type { Group } from "./group.ts";
import { RetentionKeep, type Retention } from "./retention.ts";
import { MAX_ID, type StreamId } from "./stream-id.ts";

/** What the plan knows of a stream's blocks; all of it stays in memory when their entries do not. */
export interface BlockLines {
  readonly blockCount: number;
  /** Live entries of all. */
  readonly length: number;
  /** Of all, deleted entries that still stand in them included. */
  readonly byteLength: number;
  firstIdOf(block: number): StreamId;
  lastIdOf(block: number): StreamId;
  liveCountOf(block: number): number;
  byteLengthOf(block: number): number;
}

export interface RetentionPlan {
  /** Blocks to drop. */
  readonly blocks: number;
  /** Their live entries. */
  readonly entries: number;
  /** When age alone may make the next one droppable; Infinity: not before the stream is touched. */
  readonly dueMs: number;
}

/** Ids below are no times: 2001-09-09. Milliseconds since 1970 have 13 digits since then, seconds ten. */
export const ID_TIME_MIN_MS = 1_000_000_000_000;

const NOTHING: RetentionPlan = Object.freeze({ blocks: 0, entries: 0, dueMs: Number.POSITIVE_INFINITY });

/** At most `blocksMax` blocks; the stream is to be looked at again behind a cut. */
export function planRetention(
  lines: BlockLines,
  groups: readonly Group[],
  retention: Retention,
  nowMs: number,
  blocksMax: number,
): RetentionPlan {
  const candidates = lines.blockCount - 1;
  if (candidates <= 0) return NOTHING;
  const old = retention.ageMs === 0 ? 0 : countOld(lines, nowMs - retention.ageMs);
  let needed: StreamId | null | undefined;
  let entries = lines.length;
  let bytes = lines.byteLength;
  let blocks = 0;
  while (blocks < candidates && blocks < blocksMax) {
    const entriesBehind = entries - lines.liveCountOf(blocks);
    const bytesBehind = bytes - lines.byteLengthOf(blocks);
    const isOutside =
      blocks < old ||
      (retention.entries > 0 && entriesBehind >= retention.entries) ||
      (retention.bytes > 0 && bytesBehind >= retention.bytes);
    if (!isOutside) break;
    if (retention.keep === RetentionKeep.unacknowledged) {
      if (needed === undefined) needed = firstNeeded(groups, lines.firstIdOf(0));
      // A group that moves touches the stream: until then there is nothing to wait for.
      if (needed !== null && lines.lastIdOf(blocks).compare(needed) >= 0)
        return { blocks, entries: lines.length - entries, dueMs: Number.POSITIVE_INFINITY };
    }
    entries = entriesBehind;
    bytes = bytesBehind;
    blocks++;
  }
  return { blocks, entries: lines.length - entries, dueMs: dueOf(lines, retention.ageMs, old) };
}

/** How many blocks end before `limitMs`, or stand before one that does; never the last one. */
function countOld(lines: BlockLines, limitMs: number): number {
  const ended = countBelow(lines, limitMs);
  return ended > 0 && lines.lastIdOf(ended - 1).ms() >= ID_TIME_MIN_MS ? ended : 0;
}

/** Blocks but the last whose last id is of a time before `limitMs`: they stand in front, since ids ascend. */
function countBelow(lines: BlockLines, limitMs: number): number {
  let low = 0;
  let high = lines.blockCount - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lines.lastIdOf(middle).ms() < limitMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function dueOf(lines: BlockLines, ageMs: number, old: number): number {
  if (ageMs === 0) return Number.POSITIVE_INFINITY;
  const next = Math.max(old, countBelow(lines, ID_TIME_MIN_MS));
  if (next >= lines.blockCount - 1) return Number.POSITIVE_INFINITY;
  return lines.lastIdOf(next).ms() + ageMs + 1;
}

/** The lowest id from `first` on that a group has not acknowledged; null: there is none, whatever is added. */
function firstNeeded(groups: readonly Group[], first: StreamId): StreamId | null {
  let lowest: StreamId | null = null;
  const note = (id: StreamId): void => {
    if (lowest === null || id.compare(lowest) < 0) lowest = id;
  };
  for (const { lastDeliveredId, pending } of groups) {
    const next = lastDeliveredId.next();
    if (next !== null) note(next);
    pending.visit(first, MAX_ID, null, ({ id }) => {
      note(id);
      return false;
    });
  }
  return lowest;
}
