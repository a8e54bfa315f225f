/**
 * Puts records together into one block: headers and small data in an arena that is used again for every block (one write is in flight at a
 * time), larger entry data by reference. Knows the format, nothing of segments, queues or disks.
 */
import { assert, copyBytes, crc32, crc32Join, crc32Shift, CRC_JOIN_BYTES_MIN } from "@headrace/bytes";
import type { Entry, HardState } from "@headrace/raft-ts";
import {
  BLOCK_CRC_OFFSET,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  FORMAT_VERSION,
  paddedTo8,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordBytes,
  viewOf,
} from "./wal-format.ts";

/** Data up to here is copied behind its header: a chunk of its own costs more (a view, a CRC call, an iovec) than this copy. */
const COPIED_DATA_BYTES_MAX = 1024;

/** What a finished block needs besides its records. */
export interface BlockPlace {
  readonly salt: number;
  readonly sequence: number;
  readonly durableSequence: number;
  readonly previousCrc: number;
}

/** A finished block. The chunks stay valid until the builder's next `begin`. */
export interface BuiltBlock {
  readonly chunks: readonly Uint8Array[];
  readonly totalBytes: number;
  readonly crc: number;
}

export class BlockBuilder {
  #arena: Uint8Array;
  #view: DataView;
  #arenaBytes = BLOCK_HEADER_BYTES;
  /** Data taken by reference, and how long the arena was when it came. */
  #references: Uint8Array[] = [];
  #referenceCuts: number[] = [];
  /** CRC-32 of each, so that the block's own is put together and they are not gone over twice. */
  #referenceCrcs: number[] = [];
  #payloadBytes = 0;

  constructor(capacityBytes: number) {
    this.#arena = new Uint8Array(capacityBytes);
    this.#view = viewOf(this.#arena);
  }

  begin(): void {
    this.#arenaBytes = BLOCK_HEADER_BYTES;
    this.#references = [];
    this.#referenceCuts = [];
    this.#referenceCrcs = [];
    this.#payloadBytes = 0;
  }

  /** Bytes of the block so far, header included; where the next record will begin. */
  get totalBytes(): number {
    return BLOCK_HEADER_BYTES + this.#payloadBytes;
  }

  get isEmpty(): boolean {
    return this.#payloadBytes === 0;
  }

  entry(kind: typeof RecordKind.entry | typeof RecordKind.copiedEntry, groupId: number, entry: Entry): void {
    const data = entry.data;
    const at = this.#record(kind, groupId, entry.term, entry.index);
    this.#arena[at + 1] = entry.type;
    this.#view.setUint32(at + 4, data.length, true);
    const dataCrc = crc32(data);
    // As if gone over behind its type.
    this.#view.setUint32(at + 8, dataCrc ^ crc32Shift(entry.type, data.length), true);
    this.#payloadBytes += recordBytes(data.length);
    if (data.length <= COPIED_DATA_BYTES_MAX) {
      const room = paddedTo8(data.length);
      this.#reserve(room);
      copyBytes(this.#arena, this.#arenaBytes, data, 0, data.length);
      this.#zero(this.#arenaBytes + data.length, room - data.length);
      this.#arenaBytes += room;
      return;
    }
    this.#references.push(data);
    this.#referenceCuts.push(this.#arenaBytes);
    this.#referenceCrcs.push(dataCrc);
    const padding = paddedTo8(data.length) - data.length;
    this.#reserve(8);
    this.#zero(this.#arenaBytes, padding);
    this.#arenaBytes += padding;
  }

  hardState(groupId: number, hardState: HardState): void {
    const at = this.#record(RecordKind.hardState, groupId, hardState.term, hardState.commit);
    this.#reserve(8);
    const data = this.#arenaBytes;
    this.#view.setFloat64(data, hardState.vote, true);
    this.#view.setUint32(at + 4, 8, true);
    this.#view.setUint32(at + 8, crc32(this.#arena.subarray(data, data + 8)), true);
    this.#arenaBytes += 8;
    this.#payloadBytes += recordBytes(8);
  }

  compaction(groupId: number, index: number, term: number, dropsAll: boolean): void {
    const at = this.#record(RecordKind.compaction, groupId, term, index);
    if (dropsAll) this.#arena[at + 1] = 1;
    this.#payloadBytes += RECORD_HEADER_BYTES;
  }

  forgotten(groupId: number): void {
    this.#record(RecordKind.forgotten, groupId, 0, 0);
    this.#payloadBytes += RECORD_HEADER_BYTES;
  }

  segmentStart(segment: number, segmentBytes: number): void {
    this.#record(RecordKind.segmentStart, 0, segmentBytes, segment);
    this.#payloadBytes += RECORD_HEADER_BYTES;
  }

  finish(place: BlockPlace): BuiltBlock {
    const view = this.#view;
    view.setUint32(0, BLOCK_MAGIC, true);
    view.setUint32(4, FORMAT_VERSION, true);
    view.setUint32(8, this.#payloadBytes, true);
    view.setUint32(12, place.salt, true);
    view.setFloat64(16, place.sequence, true);
    view.setFloat64(24, place.durableSequence, true);
    view.setUint32(32, place.previousCrc, true);
    let crc = crc32(this.#arena.subarray(0, BLOCK_CRC_OFFSET), place.previousCrc);
    const chunks: Uint8Array[] = [];
    let from = 0;
    for (let i = 0; i <= this.#references.length; i++) {
      const cut = i < this.#references.length ? this.#referenceCuts[i]! : this.#arenaBytes;
      if (cut > from) {
        chunks.push(this.#arena.subarray(from, cut));
        const covered = Math.max(from, BLOCK_HEADER_BYTES);
        if (cut > covered) crc = crc32(this.#arena.subarray(covered, cut), crc);
      }
      from = cut;
      if (i === this.#references.length) break;
      const data = this.#references[i]!;
      chunks.push(data);
      if (data.length < CRC_JOIN_BYTES_MIN) crc = crc32(data, crc);
      else crc = crc32Join(crc, this.#referenceCrcs[i]!, data.length);
    }
    view.setUint32(BLOCK_CRC_OFFSET, crc, true);
    return { chunks, totalBytes: this.totalBytes, crc };
  }

  /** A record header without data; returns where it stands in the arena. */
  #record(kind: number, groupId: number, term: number, index: number): number {
    assert(groupId >>> 0 === groupId, `group ${groupId} is not an unsigned 32-bit number`);
    this.#reserve(RECORD_HEADER_BYTES);
    const at = this.#arenaBytes;
    const view = this.#view;
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, 0, true);
    view.setUint32(at + 8, 0, true);
    view.setUint32(at + 12, groupId, true);
    view.setFloat64(at + 16, term, true);
    view.setFloat64(at + 24, index, true);
    this.#arenaBytes = at + RECORD_HEADER_BYTES;
    return at;
  }

  #zero(offset: number, lengthBytes: number): void {
    for (let i = 0; i < lengthBytes; i++) this.#arena[offset + i] = 0;
  }

  #reserve(moreBytes: number): void {
    const needed = this.#arenaBytes + moreBytes;
    if (needed <= this.#arena.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#arena.length * 2));
    grown.set(this.#arena);
    this.#arena = grown;
    this.#view = viewOf(grown);
  }
}
