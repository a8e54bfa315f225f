/**
 * Effects that are no longer written: they name entries by id alone, so that whoever applies them needs the ids of all blocks that they touch. They stay
 * readable. What they removed node by node ends where the newer ones say it: see effect-format.ts.
 */
import { assert, type ByteReader } from "@headrace/bytes";
import { ReferencePolicy } from "./api.ts";
import { EffectType } from "./effect-format.ts";
import type { EntryLog } from "./entry-log.ts";
import type { Group } from "./group.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { isReferenced } from "./references.ts";
import type { Stream } from "./stream.ts";
import { MIN_ID, StreamId } from "./stream-id.ts";

export function applyOldRemoval(keyspace: KeyspaceState, type: number, reader: ByteReader): void {
  const key = keyspace.existingStream(reader.string());
  const { stream } = key;
  const { entries } = stream;
  const { tail } = entries;
  if (type === EffectType.setStreamId) {
    stream.lastId = StreamId.read(reader);
    stream.noteReferencedUpTo(MIN_ID);
    stream.entriesAdded = reader.f64();
    stream.maxDeletedId = StreamId.read(reader);
    endTail(entries, stream.lastId);
    keyspace.touchUnseen(key);
    return;
  }
  if (type === EffectType.trim) {
    const keepsNone = reader.u8() === 1;
    const firstKept = StreamId.read(reader);
    removeBefore(entries, keepsNone ? null : firstKept);
  } else if (type === EffectType.deleteEntries) {
    for (let count = reader.u32(); count > 0; count--) {
      const id = StreamId.read(reader);
      // False for an id that is named twice.
      if (kill(entries, id) && id.compare(stream.maxDeletedId) > 0) stream.maxDeletedId = id;
    }
  } else {
    const policy = reader.u8();
    const upTo = StreamId.read(reader);
    if (policy === ReferencePolicy.drop) trimWithReferences(stream, upTo);
    else trimUnreferenced(stream, upTo);
  }
  entries.checkTailNode(tail);
  endTail(entries, null);
  keyspace.touch(key);
}

export function applyOldDelivery(stream: Stream, group: Group, type: number, reader: ByteReader): void {
  const consumer = group.existing(reader.string());
  if (type === EffectType.redeliver) {
    const timeMs = reader.f64();
    for (let count = reader.u32(); count > 0; count--) {
      assert(group.pending.redeliver(StreamId.read(reader), timeMs), "redelivered entry is not pending");
    }
    return;
  }
  if (type === EffectType.redeliverRange) {
    const timeMs = reader.f64();
    const from = StreamId.read(reader);
    group.pending.redeliverRange(from, StreamId.read(reader), consumer.number, (id) => stream.has(id), timeMs);
    return;
  }
  const upTo = StreamId.read(reader);
  const entriesRead = reader.f64();
  const timeMs = reader.f64();
  const noAck = reader.u8() === 1;
  const from = group.lastDeliveredId.next();
  if (!noAck && from !== null) {
    stream.range(from, upTo, -1, false).forEachId((id) => group.assign(id, consumer, timeMs, 1));
  }
  group.lastDeliveredId = upTo;
  group.entriesRead = entriesRead;
}

function endTail(entries: EntryLog, lastId: StreamId | null): void {
  const end = entries.tailEnd(lastId);
  if (end !== null) entries.truncateTail(end);
}

function kill(entries: EntryLog, id: StreamId): boolean {
  const place = entries.placeOf(id);
  if (place === null) return false;
  entries.killBetween(place.block, place.entry, place.entry + 1);
  entries.dropIfDead(place.block);
  return true;
}

/** Null: all. */
function removeBefore(entries: EntryLog, firstKept: StreamId | null): void {
  const place = firstKept === null ? null : entries.placeFrom(firstKept);
  if (place === null) entries.cutAll();
  else entries.cutBefore(place);
}

/** Removes all entries up to `upTo` and their references. */
function trimWithReferences(stream: Stream, upTo: StreamId): void {
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
  removeBefore(stream.entries, upTo.next());
}

/** Removes the entries up to `upTo` that nothing refers to. */
function trimUnreferenced(stream: Stream, upTo: StreamId): void {
  const unreferenced: StreamId[] = [];
  stream.range(MIN_ID, upTo, -1, false).forEachId((id) => {
    if (!isReferenced(stream, id)) unreferenced.push(id);
  });
  for (const id of unreferenced) kill(stream.entries, id);
}
