/**
 * How far a group is behind, by counting what is there: after XDEL, XTRIM, SETID and a failover the same as before them is right. Redis' own `lag`
 * (lag.ts) goes by counters, and is unknown or wrong after some of these.
 */
import type { GroupView, StreamView } from "./api.ts";
import type { EntryLog } from "./entry-log.ts";
import { ID_TIME_MIN_MS } from "./retention-plan.ts";
import { MAX_ID, type StreamId } from "./stream-id.ts";

export interface GroupLag {
  /** Entries that the group has not been delivered. */
  readonly entries: number;
  /** The first of them; null: there is none. */
  readonly undeliveredId: StreamId | null;
  /** The first one that is pending; null: there is none. */
  readonly pendingId: StreamId | null;
}

/** Exact. May throw ColdMiss. */
export function groupLag(stream: StreamView, group: GroupView): GroupLag {
  const entries = stream.countAfter(group.lastDeliveredId);
  const next = entries === 0 ? null : group.lastDeliveredId.next();
  const undeliveredId = next === null ? null : stream.range(next, MAX_ID, 1, false).firstId;
  return { entries, undeliveredId, pendingId: group.pending.firstId };
}

/** With nothing but what is in memory: of a block that is not, all counts. So at most a block too many, and by as much too old. */
export function residentGroupLag(stream: StreamView, group: GroupView): GroupLag {
  const { count, firstId } = stream.residentAfter(group.lastDeliveredId);
  return { entries: count, undeliveredId: firstId, pendingId: group.pending.firstId };
}

/** Live entries behind `id`, and the first of them, without looking into a block that is not in memory. */
export function residentAfter(
  entries: EntryLog,
  id: StreamId,
): { readonly count: number; readonly firstId: StreamId | null } {
  const { blocks } = entries;
  const next = id.next();
  if (next === null) return { count: 0, firstId: null };
  const at = blocks.lastBeginningAt(next);
  let first = at + 1;
  let count = 0;
  let firstId: StreamId | null = null;
  if (at >= 0 && blocks.lastIdAt(at).compare(next) >= 0) {
    if (blocks.isWhole(at)) {
      const block = blocks.slots[at]!;
      for (let entry = block.lowerBound(next); entry < block.count; entry++) {
        if (!block.isLive(entry)) continue;
        firstId ??= block.idAt(entry);
        count++;
      }
    } else {
      first = at;
    }
  }
  for (let each = first; each < blocks.length; each++) count += blocks.liveAt(each);
  if (firstId === null && count > 0) {
    const block = blocks.slots[first]!;
    firstId = blocks.isWhole(first) ? block.idAt(block.firstLive) : blocks.firstIdAt(first);
  }
  return { count, firstId };
}

/** When the entry was added, if its id says so (decision 0014); null: the id is no time. */
export function timeOfId(id: StreamId): number | null {
  const ms = id.ms();
  return ms < ID_TIME_MIN_MS ? null : ms;
}
