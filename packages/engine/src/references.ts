/**
 * What consumer groups still need of a stream: an entry is referenced while some group has not delivered it yet or has it pending. And removals
 * that ask for it (DELREF, ACKED): which entries a trim takes. The effect names them, so that `apply` has nothing to look up.
 */
import { type PolicyCut, ReferencePolicy, type RemovingPolicy, type TrimBound } from "./api.ts";
import { MARK_OPENS } from "./block.ts";
import type { BlockList } from "./block-list.ts";
import { ENTRY_PLACE_BYTES_MAX, EntryRuns } from "./entry-runs.ts";
import type { Group } from "./group.ts";
import { LISTED_ID_BYTES_MAX } from "./id-list.ts";
import type { Stream } from "./stream.ts";
import { MIN_ID, type StreamId } from "./stream-id.ts";

export function isReferenced(stream: Stream, id: StreamId): boolean {
  for (const group of stream.groups()) {
    if (group.lastDeliveredId.compare(id) < 0 || group.pending.has(id)) return true;
  }
  return false;
}

/** No group has the id pending any more. */
export function dropReferences(stream: Stream, id: StreamId): void {
  for (const group of stream.groups()) {
    if (group.release(id)) stream.markGroupDirty(group);
  }
}

/**
 * Redis' streamTrim where nodes can't go whole: entry by entry up to the bound, `~` or not; referenced ones are passed over with ACKED. LIMIT
 * stops before the node that would pass it, whatever of it would stay.
 */
export function planTrimByPolicy(
  stream: Stream,
  policy: RemovingPolicy,
  bound: TrimBound,
  limit: number,
  bytesMax: number,
): PolicyCut {
  const removed = plannedEntries(stream, policy, bound, limit, bytesMax);
  if (policy === ReferencePolicy.acknowledged) return { policy, count: removed.runs.count, removed: removed.runs };
  const { upToId, stayPending } = withStayPending(stream, removed.upToId, bytesMax);
  const next = upToId.next();
  const firstKept = next === null ? null : stream.entries.placeFrom(next);
  const count = next === null ? stream.length : stream.entries.countBefore(next);
  return { policy, count: removed.runs.count === 0 ? 0 : count, upToId, firstKept, stayPending };
}

function plannedEntries(
  stream: Stream,
  policy: RemovingPolicy,
  { maxLength, minId }: TrimBound,
  limit: number,
  bytesMax: number,
): { readonly runs: EntryRuns; readonly upToId: StreamId } {
  const { blocks } = stream.entries;
  const asks = policy === ReferencePolicy.acknowledged;
  const lastDelivered = asks ? lowestPosition(stream) : null;
  let { length } = stream;
  const runs = new EntryRuns();
  let upToId = MIN_ID;
  needFront(blocks, stream.length - maxLength, minId);
  walk: for (let at = 0; at < blocks.length; at++) {
    if (minId === null ? length <= maxLength : blocks.compareFirst(at, minId) >= 0) break;
    const block = blocks.whole(at);
    for (let entry = 0; entry < block.count; entry++) {
      const opens = (at === 0 && entry === 0) || (block.marks[entry]! & MARK_OPENS) !== 0;
      if (limit > 0 && opens && runs.count + liveInNode(blocks, at, entry) > limit) break walk;
      if (!block.isLive(entry)) continue;
      if (minId === null ? length <= maxLength : block.compareAt(entry, minId) >= 0) break walk;
      // From here on nothing has been delivered to all groups.
      if (lastDelivered !== null && block.compareAt(entry, lastDelivered) > 0) break walk;
      const id = block.idAt(entry);
      if (asks && isReferenced(stream, id)) continue;
      if (asks && runs.bytesMax + ENTRY_PLACE_BYTES_MAX > bytesMax) break walk;
      upToId = id;
      runs.add(block.number, entry);
      length--;
    }
  }
  return { runs, upToId };
}

/** The blocks that hold so many entries at the front, or those below `minId`, all at once. */
function needFront(blocks: BlockList, count: number, minId: StreamId | null): void {
  let to = 0;
  for (let live = 0; to < blocks.length; to++) {
    if (minId === null ? live >= count : blocks.compareFirst(to, minId) >= 0) break;
    live += blocks.liveAt(to);
  }
  blocks.need(0, to);
}

/** The ids up to `upToId` that stay pending because their entries have gone before; fewer entries go when they are too many for one effect. */
function withStayPending(
  stream: Stream,
  upToId: StreamId,
  bytesMax: number,
): { readonly upToId: StreamId; readonly stayPending: readonly (readonly StreamId[])[] } {
  const groups = stream.groups();
  const idsMax = Math.floor(bytesMax / LISTED_ID_BYTES_MAX / Math.max(1, groups.length));
  const stayPending: StreamId[][] = [];
  let end = upToId;
  for (const group of groups) {
    const ids: StreamId[] = [];
    stream.needEntries(pendingIds(group, end));
    group.pending.visit(MIN_ID, end, null, ({ id }) => {
      if (stream.has(id)) return true;
      if (ids.length < idsMax) {
        ids.push(id);
        return true;
      }
      end = id.previous()!;
      return false;
    });
    stayPending.push(ids);
  }
  return { upToId: end, stayPending: stayPending.map((ids) => ids.filter((id) => id.compare(end) <= 0)) };
}

function pendingIds(group: Group, upTo: StreamId): StreamId[] {
  const ids: StreamId[] = [];
  group.pending.visit(MIN_ID, upTo, null, ({ id }) => ids.push(id) > 0);
  return ids;
}

/** No group has an id up to `upTo` pending any more but those that are named, by group. */
export function dropReferencesUpTo(stream: Stream, upTo: StreamId, stayPending: readonly ReadonlySet<string>[]): void {
  stream.groups().forEach((group, i) => {
    const dropped: StreamId[] = [];
    group.pending.visit(MIN_ID, upTo, null, ({ id }) => {
      if (!stayPending[i]!.has(id.toString())) dropped.push(id);
      return true;
    });
    if (dropped.length === 0) return;
    stream.markGroupDirty(group);
    for (const id of dropped) group.release(id);
  });
}

/** How far the slowest group has come; null when there is none. */
function lowestPosition(stream: Stream): StreamId | null {
  let lowest: StreamId | null = null;
  for (const { lastDeliveredId } of stream.groups()) {
    if (lowest === null || lastDeliveredId.compare(lowest) < 0) lowest = lastDeliveredId;
  }
  return lowest;
}

/** Live entries of the node that begins at this entry. */
function liveInNode(blocks: BlockList, blockAt: number, entryAt: number): number {
  let live = 0;
  for (let at = blockAt; at < blocks.length; at++) {
    const block = blocks.whole(at);
    const first = at === blockAt ? entryAt : 0;
    for (let entry = first; entry < block.count; entry++) {
      const opens = (block.marks[entry]! & MARK_OPENS) !== 0;
      if (opens && (at !== blockAt || entry !== entryAt)) return live;
      if (block.isLive(entry)) live++;
    }
  }
  return live;
}
