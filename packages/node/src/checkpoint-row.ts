/**
 * Where a shard's checkpoint lives in the ordered store. Big-endian keys, little-endian values:
 *
 *   state row        u32 generation · u16 slot · subkey            generation = group << 16 | sequence; bit 15 of the slot is set in rows of entries
 *   checkpoint row   u32 0xffffffff · u8 1 · u16 group
 *
 *   value of the checkpoint row
 *   u8 version = 2 · u8 flags (1 = put, see below) · u16 last sequence · f64 index · f64 term · f64 logTimeMs · configuration (peer-codec.ts)
 *   u32 ranges × { u16 from · u16 to · u32 generation } · u32 header bytes · header · u32 CRC-32 of all before
 *
 * A row is PUT when it did not grow out of this replica's own log: at founding, and when a snapshot was installed. The log is told of it right
 * after the row is synced; until the next checkpoint a log that does not reach up to the row is therefore no damage.
 *
 * A generation is unique on the node, because its upper half is the group that made it and a node has one replica of a group. FLUSHALL begins a
 * new one; older ones are swept in the background (the store has no range delete).
 */
import { allocate, allocateShared, assert, ByteReader, ByteWriter, crc32 } from "@headrace/bytes";
import { DamagedRowError, dataSlot, UnknownRowError } from "@headrace/engine";
import type { ConfState } from "@headrace/raft-ts";
import { readConfState, writeConfState } from "./peer-codec.ts";

/** Before 2 rows of entries stood among the others, and no block had a line. */
const VERSION = 2;
const CHECKPOINT_PREFIX = 0xffffffff;
const CHECKPOINT_KIND = 1;
const FLAG_PUT = 1;
const SEQUENCES = 0x10000;
/** Group 65535 would make generations that look like the prefix. */
export const GROUP_ID_MAX = 0xfffe;

export interface GenerationRange {
  readonly from: number;
  /** Included. */
  readonly to: number;
  readonly generation: number;
}

export interface CheckpointRow {
  readonly index: number;
  readonly term: number;
  readonly logTimeMs: number;
  readonly confState: ConfState;
  readonly ranges: readonly GenerationRange[];
  /** Of the generation made last: the next one is the next number. */
  readonly sequence: number;
  /** The engine's part; empty for a group that was just founded. */
  readonly header: Uint8Array;
  readonly isPut: boolean;
}

/** Where a new group begins: as if a snapshot had been installed here. A replica that is added later has nothing at 0 and so gets one first. */
export const FOUNDING_INDEX = 1;
export const FOUNDING_TERM = 1;

export function checkpointKey(groupId: number): Uint8Array {
  assert(groupId > 0 && groupId <= GROUP_ID_MAX, "group ids have 16 bits");
  const key = allocate(7);
  writeU32(key, 0, CHECKPOINT_PREFIX);
  key[4] = CHECKPOINT_KIND;
  writeU16(key, 5, groupId);
  return key;
}

/** Where checkpoint rows of all groups stand: from the first key to below the second. */
export function checkpointKeys(): { readonly from: Uint8Array; readonly to: Uint8Array } {
  return { from: checkpointPrefix(CHECKPOINT_KIND), to: checkpointPrefix(CHECKPOINT_KIND + 1) };
}

function checkpointPrefix(kind: number): Uint8Array {
  const prefix = allocate(5);
  writeU32(prefix, 0, CHECKPOINT_PREFIX);
  prefix[4] = kind;
  return prefix;
}

export function groupOfCheckpointKey(key: Uint8Array): number {
  return key[5]! * 256 + key[6]!;
}

export function generationOf(groupId: number, sequence: number): number {
  return groupId * SEQUENCES + (sequence % SEQUENCES);
}

/** Of the generations that hold the shard's slots, as they are and as rows of entries say them, ascending. */
export function rowRegions(ranges: readonly GenerationRange[]): GenerationRange[] {
  const sorted = ranges.slice().sort((a, b) => a.from - b.from);
  const data = sorted.map(({ from, to, generation }) => ({ from: dataSlot(from), to: dataSlot(to), generation }));
  return [...sorted, ...data];
}

/** First key of a slot in a generation; slot 16384 gives the end of the generation's slots. */
export function slotKey(generation: number, slot: number): Uint8Array {
  const key = allocate(6);
  writeU32(key, 0, generation);
  writeU16(key, 4, slot);
  return key;
}

export function stateKey(generation: number, slot: number, subkey: Uint8Array): Uint8Array {
  const key = allocateShared(6 + subkey.length);
  writeU32(key, 0, generation);
  writeU16(key, 4, slot);
  key.set(subkey, 6);
  return key;
}

/** Slot and subkey behind a generation: the whole key. */
export function generationKey(generation: number, slotAndSubkey: Uint8Array): Uint8Array {
  const key = allocate(GENERATION_BYTES + slotAndSubkey.length);
  writeU32(key, 0, generation);
  key.set(slotAndSubkey, GENERATION_BYTES);
  return key;
}

/** As the row says it, with its region (`slotOfRow`). */
export function slotOfStateKey(key: Uint8Array): number {
  return key[4]! * 256 + key[5]!;
}

export const STATE_KEY_PREFIX_BYTES = 6;
export const GENERATION_BYTES = 4;

export function encodeCheckpointRow(row: CheckpointRow): Uint8Array {
  const writer = new ByteWriter(256 + row.header.length);
  writer.u8(VERSION);
  writer.u8(row.isPut ? FLAG_PUT : 0);
  writer.u16(row.sequence % SEQUENCES);
  writer.f64(row.index);
  writer.f64(row.term);
  writer.f64(row.logTimeMs);
  writeConfState(writer, row.confState);
  writer.u32(row.ranges.length);
  for (const range of row.ranges) {
    writer.u16(range.from);
    writer.u16(range.to);
    writer.u32(range.generation);
  }
  writer.u32(row.header.length);
  writer.all(row.header);
  writer.u32(crc32(writer.view()));
  return writer.take(0);
}

/** Throws DamagedRowError or UnknownRowError. */
export function decodeCheckpointRow(value: Uint8Array): CheckpointRow {
  const end = value.length - 4;
  if (end < 0 || new ByteReader(value, end).u32() !== crc32(value.subarray(0, end))) {
    throw new DamagedRowError("a checkpoint row does not match its checksum");
  }
  const reader = new ByteReader(value, 0, end);
  const version = reader.u8();
  if (version !== VERSION) throw new UnknownRowError(`a checkpoint row of version ${version}`);
  const isPut = (reader.u8() & FLAG_PUT) !== 0;
  const sequence = reader.u16();
  const index = reader.f64();
  const term = reader.f64();
  const logTimeMs = reader.f64();
  const confState = readConfState(reader);
  const ranges: GenerationRange[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    ranges.push({ from: reader.u16(), to: reader.u16(), generation: reader.u32() });
  }
  const header = reader.raw(reader.u32());
  return { index, term, logTimeMs, confState, ranges, sequence, header, isPut };
}

function writeU32(key: Uint8Array, offset: number, value: number): void {
  writeU16(key, offset, value >>> 16);
  writeU16(key, offset + 2, value & 0xffff);
}

function writeU16(key: Uint8Array, offset: number, value: number): void {
  key[offset] = value >>> 8;
  key[offset + 1] = value & 0xff;
}
