/**
 * How far a group is behind, and its logical read counter, by the rules of Redis ≥ 8 (t_stream.c: streamReplyWithCGLag,
 * streamEstimateDistanceFromFirstEverEntry, streamRangeHasTombstones, streamReplyWithRange). Reads views only.
 */
import type { EntryRange, GroupView, StreamView } from "./api.ts";
import type { StreamId } from "./stream-id.ts";

/** Redis' SCG_INVALID_ENTRIES_READ. */
export const ENTRIES_READ_UNKNOWN = -1;

/** XINFO's `lag`, null when it can't be told. */
export function lagOf(stream: StreamView, group: GroupView): number | null {
  if (stream.entriesAdded === 0 || stream.length === 0) return 0;
  const { firstId } = stream;
  if (group.lastDeliveredId.compare(firstId) < 0 && stream.maxDeletedId.compare(firstId) < 0) return stream.length;
  if (group.entriesRead !== ENTRIES_READ_UNKNOWN && !hasTombstoneFrom(stream, group.lastDeliveredId)) {
    return stream.entriesAdded - group.entriesRead;
  }
  const entriesRead = estimateEntriesRead(stream, group.lastDeliveredId);
  return entriesRead === ENTRIES_READ_UNKNOWN ? null : stream.entriesAdded - entriesRead;
}

/** What of a stream the distance depends on. */
export type MeasuredStream = Pick<StreamView, "length" | "lastId" | "maxDeletedId" | "entriesAdded" | "firstId">;

/** Distance of `id` from the first entry ever added, or ENTRIES_READ_UNKNOWN. */
export function estimateEntriesRead(stream: MeasuredStream, id: StreamId): number {
  if (stream.entriesAdded === 0) return 0;
  const toLast = id.compare(stream.lastId);
  if (stream.length === 0 && toLast <= 0) return stream.entriesAdded;
  // An id before a tombstone: nobody knows how many lie between.
  if (!id.isZero() && id.compare(stream.maxDeletedId) < 0) return ENTRIES_READ_UNKNOWN;
  if (toLast === 0) return stream.entriesAdded;
  if (toLast > 0) return ENTRIES_READ_UNKNOWN;
  const { firstId } = stream;
  if (stream.maxDeletedId.isZero() || stream.maxDeletedId.compare(firstId) < 0) {
    const toFirst = id.compare(firstId);
    if (toFirst < 0) return stream.entriesAdded - stream.length;
    if (toFirst === 0) return stream.entriesAdded - stream.length + 1;
  }
  return ENTRIES_READ_UNKNOWN;
}

/**
 * The group's entries-read after the delivery of `range` (the live entries behind its position, in order): what `Effects.deliver` wants.
 * Once the counter is known and no tombstone lies ahead, every further entry counts one.
 */
export function entriesReadAfterDelivery(stream: StreamView, group: GroupView, range: EntryRange): number {
  let entriesRead = group.entriesRead;
  let position = group.lastDeliveredId;
  const { firstId } = stream;
  range.forEachId((id) => {
    if (id.compare(position) <= 0) return;
    if (entriesRead !== ENTRIES_READ_UNKNOWN && position.compare(firstId) >= 0 && !hasTombstoneFrom(stream, position)) {
      entriesRead++;
    } else if (stream.entriesAdded > 0) {
      entriesRead = estimateEntriesRead(stream, id);
    }
    position = id;
  });
  return entriesRead;
}

/** Whether a deleted entry lies at or behind `id` and not before the first entry. */
function hasTombstoneFrom(stream: StreamView, id: StreamId): boolean {
  if (stream.length === 0 || stream.maxDeletedId.isZero()) return false;
  if (stream.firstId.compare(stream.maxDeletedId) > 0) return false;
  return id.compare(stream.maxDeletedId) <= 0;
}
