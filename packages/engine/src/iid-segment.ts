/**
 * A run of idempotent ids (iids) in the order in which they were recorded: packed records and the iids' bytes behind each other.
 *
 *   record (eight u32): producer number (0: forgotten) · ms high · ms low · seq high · seq low · end of the iid's bytes
 *                       (bit 31: the entry is delayed, ms is when it was added, seq its number) · hash of producer and iid ·
 *                       place of the same producer's next one
 *
 * The first six words are what rows hold; the last two follow from all records of a stream and are made again when it is loaded.
 */
import { allocate, copyBytes } from "@headrace/bytes";
import { StreamId } from "./stream-id.ts";

export const SEGMENT_RECORDS_MAX = 128;
/** A segment that would grow beyond it is followed by another one; a single longer iid has a segment of its own. */
export const SEGMENT_BYTES_MAX = 16 * 1024;
/** Words of a record in memory and in a row. */
export const IID_WORDS = 8;
export const IID_ROW_WORDS = 6;

const TWO_32 = 0x1_0000_0000;
const END_MASK = 0x7fff_ffff;
const OF_DELAYED = 0x8000_0000;
const FIRST_RECORDS = 4;
const FIRST_BYTES = 64;

export class IidSegment {
  /** Unique in its stream: names the segment's row. */
  readonly number: number;
  words: Uint32Array;
  bytes: Uint8Array;
  count: number;
  byteLength: number;
  live: number;
  firstLive: number;
  dirty: boolean;
  dropped: boolean;
  persisted: boolean;

  constructor(number: number) {
    this.number = number;
    this.words = new Uint32Array(FIRST_RECORDS * IID_WORDS);
    this.bytes = allocate(FIRST_BYTES);
    this.count = 0;
    this.byteLength = 0;
    this.live = 0;
    this.firstLive = 0;
    this.dirty = false;
    this.dropped = false;
    this.persisted = false;
  }

  hasRoomFor(byteCount: number): boolean {
    return this.count < SEGMENT_RECORDS_MAX && (this.count === 0 || this.byteLength + byteCount <= SEGMENT_BYTES_MAX);
  }

  /** Appends a record; the iid is source[start, end). Answers its number here. */
  append(producer: number, id: StreamId, hash: number, source: Uint8Array, start: number, end: number): number {
    const record = this.count++;
    const cell = record * IID_WORDS;
    if (cell + IID_WORDS > this.words.length) {
      const grown = new Uint32Array(this.words.length * 2);
      grown.set(this.words);
      this.words = grown;
    }
    const needed = this.byteLength + end - start;
    if (needed > this.bytes.length) {
      const grown = allocate(Math.max(needed, this.bytes.length * 2));
      copyBytes(grown, 0, this.bytes, 0, this.byteLength);
      this.bytes = grown;
    }
    this.byteLength = copyBytes(this.bytes, this.byteLength, source, start, end);
    const words = this.words;
    words[cell] = producer;
    words[cell + 1] = id.msHi;
    words[cell + 2] = id.msLo;
    words[cell + 3] = id.seqHi;
    words[cell + 4] = id.seqLo;
    words[cell + 5] = this.byteLength;
    words[cell + 6] = hash;
    this.live++;
    return record;
  }

  /** 0: forgotten. */
  producerAt(record: number): number {
    return this.words[record * IID_WORDS]!;
  }

  idAt(record: number): StreamId {
    const words = this.words;
    const cell = record * IID_WORDS;
    return new StreamId(words[cell + 1]!, words[cell + 2]!, words[cell + 3]!, words[cell + 4]!);
  }

  /** Milliseconds of the entry's id; rounded where no clock will ever be. */
  msAt(record: number): number {
    const cell = record * IID_WORDS;
    return this.words[cell + 1]! * TWO_32 + this.words[cell + 2]!;
  }

  /** Where the iid's bytes begin. */
  startOf(record: number): number {
    return record === 0 ? 0 : this.endOf(record - 1);
  }

  endOf(record: number): number {
    return this.words[record * IID_WORDS + 5]! & END_MASK;
  }

  /** It stands for an entry that was delayed. */
  isOfDelayed(record: number): boolean {
    return (this.words[record * IID_WORDS + 5]! & OF_DELAYED) !== 0;
  }

  markDelayed(record: number): void {
    this.words[record * IID_WORDS + 5]! |= OF_DELAYED;
  }

  hashAt(record: number): number {
    return this.words[record * IID_WORDS + 6]!;
  }

  setHash(record: number, hash: number): void {
    this.words[record * IID_WORDS + 6] = hash;
  }

  nextAt(record: number): number {
    return this.words[record * IID_WORDS + 7]!;
  }

  setNext(record: number, place: number): void {
    this.words[record * IID_WORDS + 7] = place;
  }

  holds(record: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.startOf(record);
    if (this.endOf(record) - at !== end - start) return false;
    for (let i = start; i < end; i++, at++) if (this.bytes[at] !== bytes[i]) return false;
    return true;
  }

  forget(record: number): void {
    this.words[record * IID_WORDS] = 0;
    this.live--;
    if (record === this.firstLive) this.skipForgotten();
  }

  skipForgotten(): void {
    let at = this.firstLive;
    while (at < this.count && this.words[at * IID_WORDS] === 0) at++;
    this.firstLive = at;
  }
}
