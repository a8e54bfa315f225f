/**
 * The bytes of the write-ahead log. A segment is a preallocated, zero-filled file; blocks follow each other from offset 0, and what is
 * behind the last block is zero. One write = one block. All numbers little-endian; block and records are multiples of 8 bytes.
 *
 *   block    0 u32 magic "HDRW"      4 u8 version = 1    5 u8 0    6 u16 0
 *            8 u32 payload bytes    12 u32 salt of the log (blocks of another log are none of ours)
 *           16 f64 sequence, counting every block of the log from 1
 *           24 f64 durable sequence: all blocks up to this one were on the medium when this one was written
 *           32 u32 CRC of the previous block
 *           36 u32 CRC-32 over bytes 0…35 and the payload, seeded with the previous block's: the chain
 *           40 payload: records
 *
 *   record   0 u8 kind    1 u8 entry type    2 u16 0    4 u32 data bytes    8 u32 CRC of the data       12 u32 group
 *           16 f64 term  24 f64 index       32 data, zero-padded to 8
 *           (the data's CRC-32 is seeded with the entry type)
 *
 *   kind     entry          term, index, type, data; replaces everything of the group from `index` on
 *            copied entry   the same, moved out of an old segment; replaces nothing
 *            hard state     term; index = commit; data = f64 vote
 *            compaction     everything ≤ index is in a checkpoint; term of the entry at `index`; type 1: what is behind it goes too
 *            forgotten      the group is gone
 *            segment start  first record of a segment: index = its sequence, term = its size in bytes; behind it the same
 *                           block repeats hard state and compaction point of every live group, so that older segments can go
 *
 * An empty payload seals: it proves that the block before was durable. The durable sequence is what tells a torn tail from damage when
 * blocks were left with the operating system: a broken block is damage exactly if a later valid block says that it had been durable.
 */
import { crc32 } from "@headrace/bytes";

export const BLOCK_MAGIC = 0x57524448;
export const FORMAT_VERSION = 1;
export const BLOCK_HEADER_BYTES = 40;
export const RECORD_HEADER_BYTES = 32;
/** Where the block's own CRC stands; what is before it is covered. */
export const BLOCK_CRC_OFFSET = 36;

export const RecordKind = {
  entry: 1,
  hardState: 2,
  compaction: 3,
  forgotten: 4,
  segmentStart: 5,
  copiedEntry: 6,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export function paddedTo8(lengthBytes: number): number {
  return (lengthBytes + 7) & ~7;
}

/** Bytes that an entry with so much data takes inside a block. */
export function recordBytes(dataBytes: number): number {
  return RECORD_HEADER_BYTES + paddedTo8(dataBytes);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A block's header as read. Meaningful only when `magic` was right; believed only after `blockIsIntact`. */
export class BlockHeader {
  readonly version: number;
  readonly payloadBytes: number;
  readonly salt: number;
  readonly sequence: number;
  readonly durableSequence: number;
  readonly previousCrc: number;
  readonly crc: number;

  constructor(view: DataView, offset: number) {
    this.version = view.getUint8(offset + 4);
    this.payloadBytes = view.getUint32(offset + 8, true);
    this.salt = view.getUint32(offset + 12, true);
    this.sequence = view.getFloat64(offset + 16, true);
    this.durableSequence = view.getFloat64(offset + 24, true);
    this.previousCrc = view.getUint32(offset + 32, true);
    this.crc = view.getUint32(offset + BLOCK_CRC_OFFSET, true);
  }

  get totalBytes(): number {
    return BLOCK_HEADER_BYTES + this.payloadBytes;
  }
}

/** Whether the whole block, which lies in `bytes` from `offset` on, has the CRC that its header states. */
export function blockIsIntact(bytes: Uint8Array, offset: number, header: BlockHeader): boolean {
  const covered = crc32(bytes.subarray(offset, offset + BLOCK_CRC_OFFSET), header.previousCrc);
  const payload = bytes.subarray(offset + BLOCK_HEADER_BYTES, offset + header.totalBytes);
  return crc32(payload, covered) === header.crc;
}

/** A cursor over the records of one intact payload. Fields describe the record that `next` stepped on. */
export class RecordCursor {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;
  kind = 0;
  entryType = 0;
  dataBytes = 0;
  dataCrc = 0;
  groupId = 0;
  term = 0;
  index = 0;
  /** Of the record's header in `bytes`. */
  offset = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
    this.#at = start;
    this.#end = end;
  }

  /** False at the end, or when what follows is no record (then `atEnd` is false). */
  next(): boolean {
    const at = this.#at;
    if (at + RECORD_HEADER_BYTES > this.#end) return false;
    const view = this.#view;
    const dataBytes = view.getUint32(at + 4, true);
    // First without the padding, whose arithmetic has 32 bits: a broken length may be anything.
    if (dataBytes > this.#end - at || at + recordBytes(dataBytes) > this.#end) return false;
    this.offset = at;
    this.kind = view.getUint8(at);
    this.entryType = view.getUint8(at + 1);
    this.dataBytes = dataBytes;
    this.dataCrc = view.getUint32(at + 8, true);
    this.groupId = view.getUint32(at + 12, true);
    this.term = view.getFloat64(at + 16, true);
    this.index = view.getFloat64(at + 24, true);
    this.#at = at + recordBytes(dataBytes);
    return true;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** A view of the data, not a copy. */
  data(): Uint8Array {
    const start = this.offset + RECORD_HEADER_BYTES;
    return this.bytes.subarray(start, start + this.dataBytes);
  }

  /** The vote of a hard state record. */
  vote(): number {
    return this.#view.getFloat64(this.offset + RECORD_HEADER_BYTES, true);
  }
}
