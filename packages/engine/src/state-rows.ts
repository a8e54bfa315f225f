/**
 * The rows of a checkpoint: subkeys, sealing and naming. A key's rows carry its age, not its name, so that a key deleted and made again never
 * meets old rows. All numbers of a subkey are big-endian (rows sort by key, kind, number), those of values little-endian.
 *
 *   subkey  age u48 · kind u8 · numbers u32…
 *   value   u8 version = 2 · body · u32 CRC-32 over slot, subkey, version and body
 *
 *   kind 1 stream    –                       string key · id last · id maxDeleted · f64 entriesAdded, length, lastWriterIndex ·
 *                                            u32 blocks, nextBlock, groups, nextGroup · u8 ack level (255: none) · u8 bits (1: has rows of kind 7,
 *                                            2: has delayed entries, f64 how many follows) ·
 *                                            line of the last block, if there is one ·
 *                                            nothing, or f64 expiresAtMs (−1: does not expire), place (in SCAN's order; nothing: its age) ·
 *                                            nothing, or the stream's own retention (retention.ts) · nothing, or its limits (back-pressure.ts)
 *   kind 2 fragment  block, first entry      u32 count · ids (16 each) · lengths (u32 each, bit 31 = opens a node) · entry bytes
 *   kind 3 marks     block                   u32 count · tombstone bitmap
 *   kind 4 group     group                   string name · id lastDelivered · f64 entriesRead · u32 consumers, nextConsumer, leaves, nextLeaf ·
 *                                            f64 pending · f64 givenBack (missing in rows of before XNACK: 0) ·
 *                                            nothing, or the group's settings (group-settings.ts)
 *   kind 5 consumer  group, consumer         string name · f64 seenMs · f64 activeMs
 *   kind 6 leaf      group, leaf             u32 count · records (32 each, see pending-leaf.ts)
 *   kind 7 producer  0                       u32 seconds, iids at most · f64 iidsAdded, duplicates · u32 producers, nextProducer, segments,
 *                                            nextSegment · f64 iids (the header of what the stream knows of idempotent ids)
 *                    producer                string name
 *   kind 8 iids      segment                 u32 count · records (24 each, see iid-segment.ts) · bytes of the iids
 *
 *   kind 9 page      number                  u32 lines · line…: all sealed blocks whose number divided by 64 is the page's
 *
 *   kind 17 delayed  number high, low        f64 dueMs · trim (append-trim.ts) · u32 elements · the client's RESP of the fields
 *   Kinds 10 and 11 are of keys that hold no stream: value-rows.ts.
 *
 *   kind 16 outbox   number, high and low    one item (outbox-item.ts); belongs to no key, and bears an age of its own behind all others
 *
 *   line  u32 block number · id first · id last · u32 entries, bytes, opens, first one opens a node, digest of opens, CRC-32 of the entries' bytes ·
 *         u32 fragments · u32 first entry each
 *
 * Fragments stand in a region of their own, in slots with bit 15 set, behind all other rows: what a replica reads when it opens does not have to step
 * over them.
 *
 * A block is one fragment once it is sealed, unless a part of it was not in memory then; a tail has several, each at least about twice as long as the next, so that a few new entries
 * never rewrite the whole tail and a load never meets many.
 */
import { allocateShared, ByteReader, copyBytes, crc32, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError, type StateRow } from "./api.ts";
import { type DroppedBlock, PAGE_BITS } from "./block.ts";
import type { Group } from "./group.ts";
import type { StoredKey } from "./stored-key.ts";
import type { StreamKey } from "./stream-key.ts";

export const ROW_VERSION = 2;
export const SUBKEY_HEAD_BYTES = 7;
/** Version byte and CRC. */
export const ROW_FRAME_BYTES = 5;

export const RowKind = {
  stream: 1,
  fragment: 2,
  marks: 3,
  group: 4,
  consumer: 5,
  leaf: 6,
  producer: 7,
  iids: 8,
  page: 9,
  value: 10,
  part: 11,
  outbox: 16,
  delayed: 17,
} as const;
/** Instead of a key's. */
export const OUTBOX_AGE = 0xffff_ffff_ffff;
/** Producers are numbered from 1: what stands for all of them has the number 0. */
export const IDEMPOTENCE_HEADER = 0;

/**
 * Numbers in subkeys have 32 bits. What is made and dropped again and again (blocks of a queue, leaves of its pending list) is numbered from 1 again from
 * here on, at a moment when there is none: what was numbered last is far from 1 then.
 */
export const NUMBER_TURN = 0x8000_0000;

const DATA_REGION = 0x8000;

/** Bits of a stream's header row. */
export const HAS_IDEMPOTENCE = 1;
export const HAS_DELAYED = 2;

/** The slot that rows of entries say. */
export function dataSlot(slot: number): number {
  return slot | DATA_REGION;
}

/** The key's slot, whatever region a row stands in. */
export function slotOfRow(slot: number): number {
  return slot & ~DATA_REGION;
}

/** How many u32 numbers stand behind the kind. */
export function subkeyNumbers(kind: number): number {
  if (kind === RowKind.stream || kind === RowKind.value) return 0;
  if (kind === RowKind.outbox || kind === RowKind.delayed) return 2;
  return kind === RowKind.fragment || kind === RowKind.consumer || kind === RowKind.leaf ? 2 : 1;
}

export function subkeyOf(age: number, kind: number, first: number, second: number): Uint8Array {
  const numbers = subkeyNumbers(kind);
  const subkey = allocateShared(SUBKEY_HEAD_BYTES + numbers * 4);
  const high = Math.floor(age / 0x1_0000_0000);
  subkey[0] = high >>> 8;
  subkey[1] = high;
  putU32(subkey, 2, age % 0x1_0000_0000);
  subkey[6] = kind;
  if (numbers > 0) putU32(subkey, 7, first);
  if (numbers > 1) putU32(subkey, 11, second);
  return subkey;
}

/** Big-endian. A DataView of its own would cost as much as the rest. */
function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Where the rows of a key begin. */
export function agePrefix(age: number): Uint8Array {
  return subkeyOf(age, 0, 0, 0).subarray(0, SUBKEY_HEAD_BYTES - 1);
}

/** What a subkey says. */
export interface RowName {
  readonly age: number;
  readonly kind: number;
  readonly first: number;
  readonly second: number;
}

/** Throws DamagedRowError when its length is not that of its kind. */
export function rowName(subkey: Uint8Array): RowName {
  if (subkey.length < SUBKEY_HEAD_BYTES) throw new DamagedRowError("row too short");
  const view = new DataView(subkey.buffer, subkey.byteOffset, subkey.length);
  const kind = view.getUint8(6);
  const numbers = subkeyNumbers(kind);
  if (subkey.length !== SUBKEY_HEAD_BYTES + numbers * 4) throw new DamagedRowError("subkey has the wrong length");
  return {
    age: view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2),
    kind,
    first: numbers > 0 ? view.getUint32(7) : 0,
    second: numbers > 1 ? view.getUint32(11) : 0,
  };
}

/** A reader that stands at the body of a stored row, whose checksum and version are right. Throws DamagedRowError, UnknownRowError. */
export function rowBody(slot: number, subkey: Uint8Array, value: Uint8Array): ByteReader {
  if (value.length < ROW_FRAME_BYTES) throw new DamagedRowError("row too short");
  const end = value.length - ROW_CRC_BYTES;
  if (storedChecksum(value) !== rowChecksum(slot, subkey, value.subarray(0, end))) {
    throw new DamagedRowError("row does not match its checksum");
  }
  if (value[0] !== ROW_VERSION) throw new UnknownRowError(`row version ${value[0]}`);
  return new ByteReader(value, 1, end);
}

/** A row ends with it. */
export const ROW_CRC_BYTES = 4;

export function storedChecksum(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, value.length).getUint32(value.length - ROW_CRC_BYTES, true);
}

export function rowChecksum(slot: number, subkey: Uint8Array, covered: Uint8Array): number {
  return crc32(covered, crc32(subkey, slot));
}

/** Turns what the writer holds (version byte and body) into a row's value and empties the writer. */
export function sealRow(slot: number, subkey: Uint8Array, writer: ByteWriter): StateRow {
  writer.u32(rowChecksum(slot, subkey, writer.view()));
  const value = allocateShared(writer.length);
  copyBytes(value, 0, writer.bytes, 0, writer.length);
  writer.clear();
  return { slot, subkey, value };
}

/** Adds the removal of one row. */
export function removeRow(rows: StateRow[], key: StoredKey, kind: number, first: number, second: number): void {
  const slot = kind === RowKind.fragment ? dataSlot(key.slot) : key.slot;
  rows.push({ slot, subkey: subkeyOf(key.age, kind, first, second), value: null });
}

const TWO_32 = 0x1_0000_0000;

/** Numbers of delayed entries have 48 bits: two of a subkey's. */
export function delayedSubkey(age: number, number: number): Uint8Array {
  return subkeyOf(age, RowKind.delayed, Math.floor(number / TWO_32), number % TWO_32);
}

/** The number that a subkey of kind 17 says. */
export function delayedNumber(first: number, second: number): number {
  return first * TWO_32 + second;
}

export function removeDelayedRow(rows: StateRow[], key: StreamKey, number: number): void {
  removeRow(rows, key, RowKind.delayed, Math.floor(number / TWO_32), number % TWO_32);
}

export function removeBlockRows(rows: StateRow[], key: StreamKey, block: DroppedBlock): void {
  for (const first of block.fragments) removeRow(rows, key, RowKind.fragment, block.number, first);
  if (block.marksPersisted) removeRow(rows, key, RowKind.marks, block.number, 0);
}

export function removeGroupRows(rows: StateRow[], key: StreamKey, group: Group): void {
  if (group.persisted) removeRow(rows, key, RowKind.group, group.number, 0);
  for (const consumer of group.consumers()) {
    if (consumer.persisted) removeRow(rows, key, RowKind.consumer, group.number, consumer.number);
  }
  for (const leaf of group.pending.leaves) {
    if (leaf.persisted) removeRow(rows, key, RowKind.leaf, group.number, leaf.number);
  }
  removeDroppedOfGroup(rows, key, group);
}

/** Rows of consumers and leaves that are gone since the last capture. */
export function removeDroppedOfGroup(rows: StateRow[], key: StreamKey, group: Group): void {
  for (const consumer of group.droppedConsumers) {
    removeRow(rows, key, RowKind.consumer, group.number, consumer.number);
  }
  for (const leaf of group.pending.droppedLeaves) removeRow(rows, key, RowKind.leaf, group.number, leaf.number);
  group.droppedConsumers = [];
  group.pending.droppedLeaves = [];
}

/** Adds the removal of everything that the store has of a stream's key. */
export function removeStreamRows(rows: StateRow[], key: StreamKey): void {
  removeRow(rows, key, RowKind.stream, 0, 0);
  const { entries } = key.stream;
  const { blocks } = entries;
  const pages = new Set(entries.dirtyPages);
  for (let at = 0; at < blocks.length; at++) {
    const number = blocks.numberAt(at);
    if (at < blocks.length - 1) pages.add(number >>> PAGE_BITS);
    removeBlockRows(rows, key, blocks.slots[at] ?? { number, fragments: [0], marksPersisted: false });
  }
  for (const page of pages) removeRow(rows, key, RowKind.page, page, 0);
  for (const block of entries.droppedBlocks) removeBlockRows(rows, key, block);
  for (const group of key.stream.groups()) removeGroupRows(rows, key, group);
  for (const group of key.stream.droppedGroups) removeGroupRows(rows, key, group);
  removeIdempotenceRows(rows, key);
  removeDelayedRows(rows, key);
}

function removeDelayedRows(rows: StateRow[], key: StreamKey): void {
  const { delayed } = key.stream;
  if (delayed === null) return;
  delayed.visit(({ number, persisted }) => {
    if (persisted) removeDelayedRow(rows, key, number);
    return true;
  });
  for (const number of delayed.droppedNumbers) removeDelayedRow(rows, key, number);
}

function removeIdempotenceRows(rows: StateRow[], key: StreamKey): void {
  const { idempotence } = key.stream;
  if (idempotence === null || !idempotence.persisted) return;
  removeRow(rows, key, RowKind.producer, IDEMPOTENCE_HEADER, 0);
  for (const { number, persisted } of idempotence.producers()) {
    if (persisted) removeRow(rows, key, RowKind.producer, number, 0);
  }
  for (const { number, persisted } of idempotence.segments) {
    if (persisted) removeRow(rows, key, RowKind.iids, number, 0);
  }
  for (const number of idempotence.droppedProducers) removeRow(rows, key, RowKind.producer, number, 0);
  for (const number of idempotence.droppedSegments) removeRow(rows, key, RowKind.iids, number, 0);
}
