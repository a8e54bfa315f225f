/**
 * What consumer groups still need of a stream: an entry is referenced while some group has not delivered it yet or has it pending. And removals
 * that ask for it (DELREF, ACKED): which entries a trim takes, and the same again in `apply`. Everything here is resident state.
 */
import { type PolicyCut, ReferencePolicy, type TrimBound } from "./api.ts";
import { MARK_OPENS, type Block } from "./block.ts";
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
  policy: ReferencePolicy,
  { maxLength, minId }: TrimBound,
  limit: number,
): PolicyCut {
  const { blocks } = stream.entries;
  const asks = policy === ReferencePolicy.acknowledged;
  const lastDelivered = asks ? lowestPosition(stream) : null;
  let { length } = stream;
  let count = 0;
  let upToId: StreamId | null = null;
  walk: for (let at = 0; at < blocks.length; at++) {
    const block = blocks[at]!;
    for (let entry = 0; entry < block.count; entry++) {
      const opens = (at === 0 && entry === 0) || (block.marks[entry]! & MARK_OPENS) !== 0;
      if (limit > 0 && opens && count + liveInNode(blocks, at, entry) > limit) break walk;
      if (!block.isLive(entry)) continue;
      if (minId === null ? length <= maxLength : block.compareAt(entry, minId) >= 0) break walk;
      // From here on nothing has been delivered to all groups.
      if (lastDelivered !== null && block.compareAt(entry, lastDelivered) > 0) break walk;
      const id = block.idAt(entry);
      if (asks && isReferenced(stream, id)) continue;
      upToId = id;
      count++;
      length--;
    }
  }
  return { count, upToId };
}

/** Removes all entries up to `upTo` and their references. */
export function trimWithReferences(stream: Stream, upTo: StreamId): void {
  for (const group of stream.groups()) {
    const referenced: StreamId[] = [];
    group.pending.visit(MIN_ID, upTo, null, ({ id }) => {
      if (stream.has(id)) referenced.push(id);
      return true;
    });
    if (referenced.length === 0) continue;
    stream.markGroupDirty(group);
    for (const id of referenced) group.release(id);
  }
  stream.entries.removeBefore(upTo.next());
}

/** Removes the entries up to `upTo` that nothing refers to. */
export function trimUnreferenced(stream: Stream, upTo: StreamId): void {
  const unreferenced: StreamId[] = [];
  stream.range(MIN_ID, upTo, -1, false).forEachId((id) => {
    if (!isReferenced(stream, id)) unreferenced.push(id);
  });
  for (const id of unreferenced) stream.entries.kill(id);
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
function liveInNode(blocks: readonly Block[], blockAt: number, entryAt: number): number {
  let live = 0;
  for (let at = blockAt; at < blocks.length; at++) {
    const block = blocks[at]!;
    const first = at === blockAt ? entryAt : 0;
    for (let entry = first; entry < block.count; entry++) {
      const opens = (block.marks[entry]! & MARK_OPENS) !== 0;
      if (opens && (at !== blockAt || entry !== entryAt)) return live;
      if (block.isLive(entry)) live++;
    }
  }
  return live;
}
