/**
 * How much a MAXLEN or MINID trim removes. Leader only: the result, not the rule, goes into the effect. `~` drops whole nodes while
 * Redis' streamTrim would (t_stream.c): stop at the threshold, at LIMIT before the node that would pass it, at the first node that can't go
 * whole. A node's last id counts deleted entries too, as in Redis.
 */
import type { TrimCut } from "./api.ts";
import { type Block, MARK_OPENS } from "./block.ts";
import type { BlockList } from "./block-list.ts";
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

/**
 * By length when `minId` is null. Nodes go one after the other, so it is the last boundary that counts before which there is nothing to keep: looked for
 * in the block in which the bound is met, or else in those before it, into which nobody has to look but for that.
 */
function planNodes(log: EntryLog, maxLength: number, minId: StreamId | null, limit: number): TrimCut {
  const { blocks } = log;
  const spare = minId === null ? log.length - maxLength : log.length;
  const most = limit > 0 ? Math.min(spare, limit) : spare;
  let before = 0;
  let at = 0;
  for (; at < blocks.length; at++) {
    const isKept = before + blocks.liveAt(at) > most || (minId !== null && blocks.lastIdAt(at).compare(minId) >= 0);
    if (isKept) break;
    before += blocks.liveAt(at);
  }
  const removed = at === blocks.length ? before : liveBeforeBoundary(blocks, at, before, most, minId);
  return removed === 0 ? NOTHING : { count: removed, firstKept: log.livePlaceAt(removed) };
}

/** Live entries before the last boundary up to which all may go. It is in the block `last`, which can't go as a whole, or in front of it. */
function liveBeforeBoundary(
  blocks: BlockList,
  last: number,
  liveBefore: number,
  most: number,
  minId: StreamId | null,
): number {
  let before = liveBefore;
  let removed = opensFirst(blocks, last) ? before : -1;
  // A node that begins in it may be followed by another one there.
  if (blocks.opensCountAt(last) > (blocks.opensFirstAt(last) ? 1 : 0)) {
    const block = blocks.whole(last);
    let live = before;
    for (let entry = 0; entry < block.count && live <= most; entry++) {
      const isBoundary = entry > 0 && (block.marks[entry]! & MARK_OPENS) !== 0;
      if (isBoundary && minId !== null && block.compareAt(entry - 1, minId) >= 0) break;
      if (isBoundary) removed = live;
      if (block.isLive(entry)) live++;
    }
  }
  for (let at = last - 1; removed < 0; at--) {
    before -= blocks.liveAt(at);
    const inside = blocks.opensCountAt(at) - (blocks.opensFirstAt(at) ? 1 : 0);
    if (inside > 0) removed = before + liveBeforeLastNode(blocks.whole(at));
    else if (opensFirst(blocks, at)) removed = before;
  }
  return removed;
}

function liveBeforeLastNode(block: Block): number {
  let entry = block.count - 1;
  while ((block.marks[entry]! & MARK_OPENS) === 0) entry--;
  return block.liveBetween(0, entry);
}

function opensFirst(blocks: BlockList, at: number): boolean {
  return at === 0 || blocks.opensFirstAt(at);
}
