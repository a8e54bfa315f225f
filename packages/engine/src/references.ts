/**
 * What consumer groups still need of a stream: an entry is referenced while some group has not delivered it yet or has it pending. And removals
 * that ask for it (DELREF, ACKED): which entries a trim takes. The effect names them, so that `apply` has nothing to look up.
 */
import { type PolicyCut, ReferencePolicy, type RemovingPolicy, type TrimBound, type TrimCut } from "./api.ts";
import { MARK_OPENS } from "./block.ts";
import type { BlockList } from "./block-list.ts";
import { ENTRY_PLACE_BYTES_MAX, EntryRuns } from "./entry-runs.ts";
import type { Group } from "./group.ts";
import { LISTED_ID_BYTES_MAX } from "./id-list.ts";
import type { Stream } from "./stream.ts";
import { MIN_ID, type StreamId } from "./stream-id.ts";

/** So many bytes of entries a trim looks through at once when some of its stream are not in memory. No budget has less room for a command. */
const COLD_REACH_BYTES = 8 * 1024 * 1024;
/** As `dropReferences` names it. */
const PLAIN_ID_BYTES = 16;
/** Behind the entries that are too many at any rate it goes on in steps. */
const STEP_ENTRIES = 1000;
/** No node has so many entries. */
const LARGE_LIMIT = 10_000;

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
  if (policy === ReferencePolicy.acknowledged) {
    const { runs, referencedUpTo } = removed;
    return { policy, count: runs.count, removed: runs, referencedUpTo };
  }
  if (removed.runs.count === 0) {
    return { policy, count: 0, upToId: MIN_ID, firstKept: null, stayPending: [], dropped: null };
  }
  const { upToId, stayPending } = withStayPending(stream, removed.upToId, bytesMax);
  const cut = cutUpTo(stream, upToId);
  if (upToId.equals(removed.upToId)) return { ...cut, policy, upToId, stayPending, dropped: null };
  // Too many stay pending to be named. Those that do not may be fewer.
  const dropped = withDropped(stream, removed.upToId, bytesMax);
  const other = cutUpTo(stream, dropped.upToId);
  if (other.count <= cut.count) return { ...cut, policy, upToId, stayPending, dropped: null };
  return { ...other, policy, upToId: dropped.upToId, stayPending: [], dropped: dropped.ids };
}

/** A cut of all entries up to this one. */
function cutUpTo(stream: Stream, upToId: StreamId): TrimCut {
  const next = upToId.next();
  if (next === null) return { count: stream.length, firstKept: null };
  return { count: stream.entries.countBefore(next), firstKept: stream.entries.placeFrom(next) };
}

function plannedEntries(
  stream: Stream,
  policy: RemovingPolicy,
  { maxLength, minId }: TrimBound,
  limit: number,
  bytesMax: number,
): { readonly runs: EntryRuns; readonly upToId: StreamId; readonly referencedUpTo: StreamId } {
  const { blocks } = stream.entries;
  const asks = policy === ReferencePolicy.acknowledged;
  const lastDelivered = asks ? lowestPosition(stream) : null;
  let referencedUpTo = asks ? stream.referencedUpTo() : MIN_ID;
  let start = Math.max(0, blocks.lastBeginningAt(referencedUpTo));
  if (start > 0 && !nodesFit(blocks, start, limit)) start = 0;
  const known = start === 0 ? MIN_ID : referencedUpTo;
  let { length } = stream;
  const runs = new EntryRuns();
  let upToId = MIN_ID;
  const reach = new TrimReach(blocks, start, lastDelivered, minId);
  reach.extend(minId === null ? length - maxLength : Number.POSITIVE_INFINITY);
  walk: for (let at = start; at < reach.to || reach.extend(STEP_ENTRIES); at++) {
    if (minId === null ? length <= maxLength : blocks.compareFirst(at, minId) >= 0) break;
    const block = blocks.whole(at);
    for (let entry = 0; entry < block.count; entry++) {
      const opens = (at === 0 && entry === 0) || (block.marks[entry]! & MARK_OPENS) !== 0;
      if (limit > 0 && opens && runs.count + liveInNode(blocks, at, entry) > limit) break walk;
      if (!block.isLive(entry)) continue;
      if (minId === null ? length <= maxLength : block.compareAt(entry, minId) >= 0) break walk;
      // From here on nothing has been delivered to all groups.
      if (lastDelivered !== null && block.compareAt(entry, lastDelivered) > 0) break walk;
      if (block.compareAt(entry, known) <= 0) continue;
      const id = block.idAt(entry);
      if (asks && isReferenced(stream, id)) {
        if (runs.count === 0) referencedUpTo = id;
        continue;
      }
      if (asks && runs.bytesMax + ENTRY_PLACE_BYTES_MAX > bytesMax) break walk;
      upToId = id;
      runs.add(block.number, entry);
      length--;
    }
  }
  return { runs, upToId, referencedUpTo };
}

/**
 * The blocks that a trim looks into, as far as it has come. Of a stream that is not all in memory they hold a bounded number of bytes: the next trim goes
 * on behind what this one has removed, or found needed.
 */
class TrimReach {
  /** Behind the last one. */
  to: number;
  readonly #blocks: BlockList;
  readonly #start: number;
  readonly #lastDelivered: StreamId | null;
  readonly #minId: StreamId | null;
  #bytes: number;

  constructor(blocks: BlockList, start: number, lastDelivered: StreamId | null, minId: StreamId | null) {
    this.to = start;
    this.#blocks = blocks;
    this.#start = start;
    this.#lastDelivered = lastDelivered;
    this.#minId = minId;
    this.#bytes = 0;
  }

  /** Has the next blocks in memory, all at once, until they have so many live entries. False: there are none. */
  extend(live: number): boolean {
    const from = this.to;
    for (let found = 0; found < live && this.#takes(this.to); this.to++) {
      found += this.#blocks.liveAt(this.to);
      this.#bytes += this.#blocks.entryBytesAt(this.to);
    }
    this.#blocks.need(from, this.to);
    return this.to > from;
  }

  #takes(at: number): boolean {
    const blocks = this.#blocks;
    if (at >= blocks.length) return false;
    if (this.#lastDelivered !== null && blocks.compareFirst(at, this.#lastDelivered) > 0) return false;
    if (this.#minId !== null && blocks.compareFirst(at, this.#minId) >= 0) return false;
    return blocks.coldCount === 0 || at === this.#start || this.#bytes + blocks.entryBytesAt(at) <= COLD_REACH_BYTES;
  }
}

/** Whether no node that begins before this block can be one at which LIMIT stops, without looking into any. */
function nodesFit(blocks: BlockList, to: number, limit: number): boolean {
  if (limit === 0 || limit >= LARGE_LIMIT) return true;
  let live = 0;
  for (let at = 0; at <= to; at++) {
    const own = blocks.liveAt(at);
    live += own;
    if (live > limit) return false;
    if (blocks.opensCountAt(at) > 0) live = own;
  }
  return true;
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

/** The ids up to `upToId` that are pending and whose entries go; fewer entries go when they are too many for one effect. */
function withDropped(
  stream: Stream,
  upToId: StreamId,
  bytesMax: number,
): { readonly upToId: StreamId; readonly ids: readonly StreamId[] } {
  const idsMax = Math.floor(bytesMax / PLAIN_ID_BYTES);
  const named = new Map<string, StreamId>();
  let end = upToId;
  for (const group of stream.groups()) {
    let own = 0;
    group.pending.visit(MIN_ID, end, null, ({ id }) => {
      if (!stream.has(id)) return true;
      // No group names more than fit, so together they name all that they have up to where the first one ends.
      if (++own > idsMax) {
        end = id.previous()!;
        return false;
      }
      named.set(id.toString(), id);
      return true;
    });
  }
  const ids = [...named.values()].filter((id) => id.compare(end) <= 0).sort((a, b) => a.compare(b));
  if (ids.length <= idsMax) return { upToId: end, ids };
  return { upToId: ids[idsMax]!.previous()!, ids: ids.slice(0, idsMax) };
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
