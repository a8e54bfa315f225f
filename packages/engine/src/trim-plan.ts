/**
 * How much a MAXLEN or MINID trim removes. Leader only: the result, not the rule, goes into the effect. `~` drops whole nodes while
 * Redis' streamTrim would (t_stream.c): stop at the threshold, at LIMIT before the node that would pass it, at the first node that can't go
 * whole. A node's last id counts deleted entries too, as in Redis.
 */
import type { TrimCut } from "./api.ts";
import { MARK_DEAD, MARK_OPENS } from "./block.ts";
import type { EntryLog } from "./entry-log.ts";
import type { StreamId } from "./stream-id.ts";

const NOTHING: TrimCut = { count: 0, firstKept: null };

export function planTrimByLength(log: EntryLog, maxLength: number, approximate: boolean, limit: number): TrimCut {
  if (log.length <= maxLength) return NOTHING;
  if (approximate) return planNodes(log, maxLength, null, limit);
  const count = log.length - maxLength;
  return { count, firstKept: log.livePlaceAt(count) };
}

export function planTrimById(log: EntryLog, minId: StreamId, approximate: boolean, limit: number): TrimCut {
  const first = log.firstLiveId();
  if (first === null || first.compare(minId) >= 0) return NOTHING;
  if (approximate) return planNodes(log, 0, minId, limit);
  const count = log.countBefore(minId);
  return { count, firstKept: log.livePlaceAt(count) };
}

/** By length when `minId` is null. */
function planNodes(log: EntryLog, maxLength: number, minId: StreamId | null, limit: number): TrimCut {
  const { blocks } = log;
  let removed = 0;
  let blockAt = 0;
  let entryAt = 0;
  while (blockAt < blocks.length) {
    if (entryAt === 0 && canGoWhole(log, blockAt, minId)) {
      const live = blocks.liveAt(blockAt);
      if (live <= budgetOf(log, removed, maxLength, minId, limit)) {
        removed += live;
        blockAt++;
        continue;
      }
    }
    // One node: from here to the next boundary.
    // More live entries than this, and the node stays: no need to walk to its end.
    const budget = budgetOf(log, removed, maxLength, minId, limit);
    let live = 0;
    let lastBlock = blockAt;
    let lastEntry = entryAt;
    let isFirst = true;
    walk: for (; blockAt < blocks.length; blockAt++, entryAt = 0) {
      const { marks, count } = blocks.whole(blockAt);
      for (; entryAt < count; entryAt++) {
        const mark = marks[entryAt]!;
        if (!isFirst && (mark & MARK_OPENS) !== 0) break walk;
        isFirst = false;
        if ((mark & MARK_DEAD) === 0 && ++live > budget) break walk;
        lastBlock = blockAt;
        lastEntry = entryAt;
      }
    }
    if (live === 0) continue;
    if (live > budget) break;
    if (minId !== null && blocks.whole(lastBlock).compareAt(lastEntry, minId) >= 0) break;
    removed += live;
  }
  return removed === 0 ? NOTHING : { count: removed, firstKept: log.livePlaceAt(removed) };
}

/** How many entries more may go. */
function budgetOf(log: EntryLog, removed: number, maxLength: number, minId: StreamId | null, limit: number): number {
  const budget = minId === null ? log.length - removed - maxLength : Number.POSITIVE_INFINITY;
  return limit > 0 ? Math.min(budget, limit - removed) : budget;
}

/** The block consists of whole nodes, all of which the bound lets go: nobody has to look into it. */
function canGoWhole({ blocks }: EntryLog, at: number, minId: StreamId | null): boolean {
  const isOpen = at === 0 || blocks.opensFirstAt(at);
  const isClosed = at + 1 < blocks.length && blocks.opensFirstAt(at + 1);
  return isOpen && isClosed && (minId === null || blocks.lastIdAt(at).compare(minId) < 0);
}
