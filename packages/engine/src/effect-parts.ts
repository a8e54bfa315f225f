/** Places, lists of ids and numbers as bodies of effects hold them (effect-format.ts), and the bounds that they have to be within. */
import { assert, type ByteWriter, copyOf } from "@headrace/bytes";
import type { EntryPlace } from "./api.ts";
import type { BlockEnd } from "./block.ts";
import { DELIVERY_COUNT_MAX } from "./delivery-count.ts";
import { BATCH_FORMAT_VERSION, BATCH_KIND_EFFECTS } from "./effect-format.ts";
import { EntryRuns } from "./entry-runs.ts";
import { NEVER } from "./expiry-heap.ts";
import type { Group } from "./group.ts";
import { UINT48_MAX } from "./pending-leaf.ts";
import type { Stream } from "./stream.ts";
import type { StreamId } from "./stream-id.ts";

/** In front of the effects, whose number is not known yet. */
export function writeBatchHead(writer: ByteWriter, logTimeMs: number): void {
  writer.u8(BATCH_FORMAT_VERSION);
  writer.u8(BATCH_KIND_EFFECTS);
  writer.u16(0);
  writer.f64(logTimeMs);
  writer.u32(0);
}

/** Where the stream begins; block 0: nowhere. */
export function writePlace(writer: ByteWriter, place: EntryPlace | null): void {
  if (place === null) {
    writer.u32(0);
    return;
  }
  writer.u32(place.block);
  writer.u32(place.entry);
  place.id.write(writer);
}

/** Null: where it did. */
export function writeEnd(writer: ByteWriter, end: BlockEnd | null): void {
  writer.u8(end === null ? 0 : 1);
  if (end === null) return;
  for (const value of [end.count, end.byteLength, end.opensCount, end.opensDigest, end.crc]) writer.u32(value);
  end.lastId.write(writer);
}

/** Whoever is named twice goes once. */
export function runsOf(places: EntryPlace[]): EntryRuns {
  if (places.length > 1) places.sort((a, b) => a.block - b.block || a.entry - b.entry);
  const runs = new EntryRuns();
  let before: EntryPlace | null = null;
  for (const place of places) {
    if (before === null || before.block !== place.block || before.entry !== place.entry) {
      runs.add(place.block, place.entry);
    }
    before = place;
  }
  return runs;
}

export function writeIds(writer: ByteWriter, ids: readonly StreamId[]): void {
  writer.u32(ids.length);
  for (const id of ids) id.write(writer);
}

export function writeCounts(writer: ByteWriter, counts: readonly number[]): void {
  for (const count of counts) {
    assert(count >= 0 && count <= DELIVERY_COUNT_MAX, "delivery count out of range");
    writer.f64(count);
  }
}

/** Buffers up to this size are kept from batch to batch. */
const KEPT_CAPACITY_BYTES = 1024 * 1024;

/** What a writer holds, owned by the caller. A buffer that is mostly empty stays with the writer, a well filled one goes along with its payload. */
export function payloadOf(writer: ByteWriter): Uint8Array {
  const capacity = writer.bytes.length;
  if (writer.length * 2 <= capacity && capacity <= KEPT_CAPACITY_BYTES) return copyOf(writer.bytes, 0, writer.length);
  return writer.take(Math.min(capacity, KEPT_CAPACITY_BYTES));
}

export function isBetween(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** A time, or NEVER. It may have come. */
export function assertExpiry(expiresAtMs: number): void {
  assert(expiresAtMs === NEVER || Number.isSafeInteger(expiresAtMs), "expiry is a time");
}

/** What the consumer has pending there and is no entry any more. */
export function bodilessOf(stream: Stream, group: Group, consumer: string, from: StreamId, to: StreamId): StreamId[] {
  const bodiless: StreamId[] = [];
  group.pending.visit(from, to, consumer, ({ id }) => {
    if (!stream.has(id)) bodiless.push(id);
    return true;
  });
  return bodiless;
}

/** Pending records hold 48 bits. */
export function assertTime(timeMs: number): void {
  assert(Number.isInteger(timeMs) && timeMs >= 0 && timeMs <= UINT48_MAX, "delivery time out of range");
}
