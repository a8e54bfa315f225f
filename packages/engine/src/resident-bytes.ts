/**
 * What of a key can't leave memory, in bytes, about: objects as V8 lays them out, roughly. Kept as it changes, by those who change it; this is the same
 * by looking at all of it. Blocks count for themselves (block-list.ts).
 */
import type { Group } from "./group.ts";
import type { AnyKey } from "./stored-key.ts";

/** A key with its stream, its place in tables, the header of its entries and the objects of its one block (bench/results/engine-memory.txt). */
export const KEY_BYTES = 2300;
/** A key with another value, which counts for itself. */
export const VALUE_KEY_BYTES = 240;
export const GROUP_BYTES = 900;
export const CONSUMER_BYTES = 240;
/** A record of 24 bytes in a leaf that is not quite full, and its share of the leaf; in a wide leaf they are 32. */
export const PENDING_BYTES = 34;
/** A session with its last number. */
export const SESSION_RECORD_BYTES = 180;

export function fixedBytesOf({ key, stream, value }: AnyKey): number {
  if (stream === null) return VALUE_KEY_BYTES + key.length + value.residentBytes;
  let bytes = KEY_BYTES + key.length;
  for (const group of stream.groups()) bytes += groupBytes(group);
  if (stream.idempotence !== null) bytes += stream.idempotence.residentBytes;
  if (stream.delayed !== null) bytes += stream.delayed.residentBytes;
  return bytes;
}

export function groupBytes(group: Group): number {
  let bytes = GROUP_BYTES + group.name.length + group.pending.count * PENDING_BYTES;
  for (const consumer of group.consumers()) bytes += CONSUMER_BYTES + consumer.name.length;
  return bytes;
}
