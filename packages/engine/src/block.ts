/**
 * A storage block: about 32 KiB of entries in wire form, back to back, and columns beside them. It only grows at its end; what changes
 * later is a mark (tombstone, or that its first entry opens a stream node). Knows nothing of streams.
 *
 *   bytes   entry 0 │ entry 1 │ …            ends[i] = offset behind entry i
 *   ids     four u32 per entry               marks[i] = OPENS | DEAD
 *
 * It may be HOLLOW: of its first entries nothing is in memory but their marks, and of those OPENS may be missing. What is appended then stands behind
 * them at its place. Everything that decides where entries stand, which of them live and where later ones go is known without the hollow part.
 */
import { assert, copyBytes, copyOf, crc32, crc32Shift, CRC_JOIN_BYTES_MIN } from "@headrace/bytes";
import { BLOCK_BYTES, type BlockBytes } from "./block-bytes.ts";
import { LENGTH_MASK, OPENS_NODE } from "./effect-format.ts";
import type { RunColumns } from "./run-columns.ts";
import { MIN_ID, StreamId } from "./stream-id.ts";

export const BLOCK_ENTRIES_MAX = 1024;

export const MARK_OPENS = 1;
export const MARK_DEAD = 2;

/** Blocks to a page of the block index: 64. */
export const PAGE_BITS = 6;

/** What of a dropped block names its rows. */
export type DroppedBlock = Pick<Block, "number" | "fragments" | "marksPersisted">;

const NO_BYTES = new Uint8Array(0);
const NO_WORDS = new Uint32Array(0);
const DIGEST_START = 0x9e37_79b9;

/** Where a block ends when entries at its end are taken back. */
export interface BlockEnd {
  readonly count: number;
  readonly byteLength: number;
  readonly opensCount: number;
  readonly opensDigest: number;
  readonly crc: number;
  readonly lastId: StreamId;
}

/** All that stays of a block without tombstones when its entries leave memory. */
export interface BlockLine extends BlockEnd {
  readonly number: number;
  readonly firstId: StreamId;
  readonly opensFirst: boolean;
  /** First entry of each fragment row, ascending. */
  readonly fragments: readonly number[];
}

/** Whoever lets go of blocks for the pool. */
export interface BlockOwner {
  /** Answers how many bytes became free. */
  evict(block: Block): number;
}

export class Block {
  /** Unique in its stream, ascending: names the block's rows. */
  readonly number: number;
  bytes: Uint8Array;
  byteLength: number;
  ids: Uint32Array;
  ends: Uint32Array;
  marks: Uint8Array;
  count: number;
  deadCount: number;
  /** Everything before it is dead. */
  firstLive: number;
  opensCount: number;
  /** The first entry opens a node. */
  opensFirst: boolean;

  /** How many entries at the front are not in memory, and what is known of them. */
  hollow: number;
  hollowBytes: number;
  hollowDigest: number;
  hollowFirstId: StreamId;
  hollowLastId: StreamId;
  // Up to here somebody may look at `bytes` that are to stay as they are.
  #lentBytes: number;
  // Of bytes[0, #crcBytes), which always has the hollow part.
  #crc: number;
  #crcBytes: number;

  // What the store has of it; only capture and loader read these.
  dirty: boolean;
  dropped: boolean;
  marksDirty: boolean;
  marksPersisted: boolean;
  /** The fragments on record can't be trusted: write all of it. */
  rewrite: boolean;
  capturedCount: number;
  /** First entry of each fragment row, ascending. One may reach into the next, whose entries are the valid ones. */
  fragments: number[];
  /** Index of the capture that wrote it last. */
  capturedIndex: number;

  // Recency: neighbours in the pool's list, and whose block it is there; null: it is in none.
  older: Block | null;
  newer: Block | null;
  owner: BlockOwner | null;
  // What the pool and the meter have counted for it.
  heldBytes: number;
  shellBytes: number;

  constructor(number: number, bytes: Uint8Array, capacityEntries: number) {
    this.number = number;
    this.bytes = bytes;
    this.byteLength = 0;
    this.ids = new Uint32Array(capacityEntries * 4);
    this.ends = new Uint32Array(capacityEntries);
    this.marks = new Uint8Array(capacityEntries);
    this.count = 0;
    this.deadCount = 0;
    this.firstLive = 0;
    this.opensCount = 0;
    this.opensFirst = false;
    this.hollow = 0;
    this.hollowBytes = 0;
    this.hollowDigest = 0;
    this.hollowFirstId = MIN_ID;
    this.hollowLastId = MIN_ID;
    this.#lentBytes = 0;
    this.#crc = 0;
    this.#crcBytes = 0;
    this.dirty = false;
    this.dropped = false;
    this.marksDirty = false;
    this.marksPersisted = false;
    this.rewrite = false;
    this.capturedCount = 0;
    this.fragments = [];
    this.capturedIndex = 0;
    this.older = null;
    this.newer = null;
    this.owner = null;
    this.heldBytes = 0;
    this.shellBytes = 0;
  }

  /** A block of which nothing is in memory. */
  static shell(line: BlockLine): Block {
    const block = new Block(line.number, NO_BYTES, 0);
    block.count = line.count;
    block.byteLength = line.byteLength;
    block.marks = new Uint8Array(line.count);
    block.opensCount = line.opensCount;
    block.opensFirst = line.opensFirst;
    block.hollow = line.count;
    block.hollowBytes = line.byteLength;
    block.hollowDigest = line.opensDigest;
    block.hollowFirstId = line.firstId;
    block.hollowLastId = line.lastId;
    block.#crc = line.crc;
    block.#crcBytes = line.byteLength;
    block.capturedCount = line.count;
    block.fragments = [...line.fragments];
    return block;
  }

  get line(): BlockLine {
    return {
      number: this.number,
      firstId: this.firstId,
      opensFirst: this.opensFirst,
      fragments: this.fragments,
      ...this.endAt(this.count),
    };
  }

  /** What there is when only `count` entries stay; they are in memory, or all that there are. */
  endAt(count: number): BlockEnd {
    const isAll = count === this.count;
    assert(isAll || this.hollow === 0, "end of a block that is not in memory");
    let { opensCount } = this;
    for (let entry = count; entry < this.count; entry++) if ((this.marks[entry]! & MARK_OPENS) !== 0) opensCount--;
    const byteLength = isAll ? this.byteLength : this.ends[count - 1]!;
    return {
      count,
      byteLength,
      opensCount,
      opensDigest: this.opensDigest(count),
      crc: isAll ? this.contentCrc() : crc32(this.bytes.subarray(0, byteLength)),
      lastId: isAll ? this.lastId : this.idAt(count - 1),
    };
  }

  get firstId(): StreamId {
    return this.hollow > 0 ? this.hollowFirstId : this.idAt(0);
  }

  get lastId(): StreamId {
    return this.hollow === this.count ? this.hollowLastId : this.idAt(this.count - 1);
  }

  /** The bytes of the entries behind `start`: they stay as they are until the block leaves memory, which it may not before a capture with them is durable. */
  lend(start: number): Uint8Array {
    this.#lentBytes = this.byteLength;
    return this.bytes.subarray(start, this.byteLength);
  }

  /** CRC-32 of all entries' bytes, dead ones too. */
  contentCrc(): number {
    if (this.#crcBytes < this.byteLength) {
      this.#crc = crc32(this.bytes.subarray(this.#crcBytes, this.byteLength), this.#crc);
      this.#crcBytes = this.byteLength;
    }
    return this.#crc;
  }

  /** The same of those bytes alone that stand behind `start`. */
  crcBehind(start: number): number {
    const isKnown = this.#crcBytes === start;
    const before = isKnown ? this.#crc : 0;
    const all = this.contentCrc();
    if (start === 0) return all;
    const bytes = this.byteLength - start;
    if (isKnown && bytes >= CRC_JOIN_BYTES_MIN) return (all ^ crc32Shift(before, bytes)) >>> 0;
    return crc32(this.bytes.subarray(start, this.byteLength));
  }

  /** Of which entries but the first open a node. */
  opensDigest(count: number = this.count): number {
    let digest = this.hollow > 0 ? this.hollowDigest : DIGEST_START;
    for (let entry = Math.max(1, this.hollow); entry < count; entry++) {
      if ((this.marks[entry]! & MARK_OPENS) === 0) continue;
      digest = Math.imul(digest ^ entry, 0x85eb_ca6b);
      digest ^= digest >>> 15;
    }
    return digest >>> 0;
  }

  /** Gives up the entries; what the index keeps of them stays. Answers the bytes, which are nobody's now. */
  hollowOut(): Uint8Array {
    const { bytes } = this;
    this.contentCrc();
    this.hollowDigest = this.opensDigest();
    const { firstId, lastId } = this;
    this.hollowFirstId = firstId;
    this.hollowLastId = lastId;
    this.hollow = this.count;
    this.hollowBytes = this.byteLength;
    this.bytes = NO_BYTES;
    this.#lentBytes = 0;
    this.ids = NO_WORDS;
    this.ends = NO_WORDS;
    if (this.marks.length > this.count) this.marks = this.marks.slice(0, this.count);
    return bytes;
  }

  /** Where this id's entry stands, or would stand, can be told from what is in memory. */
  knowsPlaceOf(id: StreamId): boolean {
    return this.hollow === 0 || this.hollowLastId.compare(id) <= 0 || this.hollowFirstId.compare(id) >= 0;
  }

  startOf(entry: number): number {
    return entry === 0 ? 0 : this.ends[entry - 1]!;
  }

  isLive(entry: number): boolean {
    return (this.marks[entry]! & MARK_DEAD) === 0;
  }

  idAt(entry: number): StreamId {
    const cell = entry * 4;
    const ids = this.ids;
    return new StreamId(ids[cell]!, ids[cell + 1]!, ids[cell + 2]!, ids[cell + 3]!);
  }

  /** Sign of (id of the entry − id). */
  compareAt(entry: number, id: StreamId): number {
    const cell = entry * 4;
    const ids = this.ids;
    const msHi = ids[cell]!;
    if (msHi !== id.msHi) return msHi < id.msHi ? -1 : 1;
    const msLo = ids[cell + 1]!;
    if (msLo !== id.msLo) return msLo < id.msLo ? -1 : 1;
    const seqHi = ids[cell + 2]!;
    if (seqHi !== id.seqHi) return seqHi < id.seqHi ? -1 : 1;
    const seqLo = ids[cell + 3]!;
    if (seqLo !== id.seqLo) return seqLo < id.seqLo ? -1 : 1;
    return 0;
  }

  /** First entry with an id ≥ `id`, dead or not; `count` when there is none. */
  lowerBound(id: StreamId): number {
    let low = 0;
    let high = this.count;
    if (this.hollow > 0) {
      assert(this.knowsPlaceOf(id), "ids of a block that is not in memory");
      if (this.hollowFirstId.compare(id) >= 0) return 0;
      low = this.hollowLastId.equals(id) ? this.hollow - 1 : this.hollow;
      if (low < this.hollow) return low;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareAt(middle, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Live entries in [from, to). */
  liveBetween(from: number, to: number): number {
    if (this.deadCount === 0) return to - from;
    let live = 0;
    for (let entry = Math.max(from, this.firstLive); entry < to; entry++) {
      if ((this.marks[entry]! & MARK_DEAD) === 0) live++;
    }
    return live;
  }

  /** Appends columns[from, to), whose bytes stand at source[offset, offset + byteCount). One copy, then column loops. */
  append(
    source: Uint8Array,
    offset: number,
    byteCount: number,
    columns: RunColumns,
    from: number,
    to: number,
    memory: BlockBytes,
  ): void {
    const needed = this.byteLength + byteCount;
    if (needed > this.bytes.length) this.#growBytes(needed, memory);
    const first = this.count;
    const count = first + (to - from);
    if (count > this.ends.length) this.#growColumns(count);
    copyBytes(this.bytes, this.byteLength, source, offset, offset + byteCount);
    const { ids, ends, marks } = this;
    const sourceIds = columns.ids;
    const lengths = columns.lengths;
    let end = this.byteLength;
    for (let i = from, entry = first; i < to; i++, entry++) {
      const length = lengths[i]!;
      const sourceCell = i * 4;
      const cell = entry * 4;
      ids[cell] = sourceIds[sourceCell]!;
      ids[cell + 1] = sourceIds[sourceCell + 1]!;
      ids[cell + 2] = sourceIds[sourceCell + 2]!;
      ids[cell + 3] = sourceIds[sourceCell + 3]!;
      end += length & LENGTH_MASK;
      ends[entry] = end;
      if ((length & OPENS_NODE) === 0) {
        marks[entry] = 0;
      } else {
        marks[entry] = MARK_OPENS;
        this.opensCount++;
      }
    }
    if (first === 0) this.opensFirst = (marks[0]! & MARK_OPENS) !== 0;
    this.byteLength = needed;
    this.count = count;
  }

  /** Makes the live entries in [from, to) tombstones; answers how many. */
  killBetween(from: number, to: number): number {
    let killed = 0;
    const marks = this.marks;
    for (let entry = Math.max(from, this.firstLive); entry < to; entry++) {
      if ((marks[entry]! & MARK_DEAD) !== 0) continue;
      marks[entry]! |= MARK_DEAD;
      killed++;
    }
    if (killed > 0) {
      this.deadCount += killed;
      this.marksDirty = true;
      this.#moveFirstLive();
    }
    return killed;
  }

  /** How many entries stay without the dead ones at the end whose id is above `id`; one at least. */
  countWithoutDeadAbove(id: StreamId): number {
    let { count } = this;
    while (count > 1 && !this.isLive(count - 1) && this.compareAt(count - 1, id) > 0) count--;
    return count;
  }

  /** How many entries stay without the nodes at the end of which nothing is alive; a node that began in an earlier block stays. */
  countWithoutDeadNodes(): number {
    let { count } = this;
    for (let entry = count - 1; entry > 0 && !this.isLive(entry); entry--) {
      if ((this.marks[entry]! & MARK_OPENS) !== 0) count = entry;
    }
    return count;
  }

  /** Takes back the entries from `count` on, all of them dead; one at least stays. */
  truncate({ count, byteLength, opensCount, opensDigest, crc, lastId }: BlockEnd): void {
    for (let entry = count; entry < this.count; entry++) if (!this.isLive(entry)) this.deadCount--;
    this.count = count;
    this.byteLength = byteLength;
    this.opensCount = opensCount;
    this.#crc = crc;
    this.#crcBytes = byteLength;
    if (count <= this.hollow) {
      this.hollow = count;
      this.hollowBytes = byteLength;
      this.hollowDigest = opensDigest;
      this.hollowLastId = lastId;
      if (this.ends.length > 0) this.ends[count - 1] = byteLength;
    }
    // What is appended next would be written over bytes that a capture has.
    if (this.#lentBytes > byteLength) {
      this.bytes = copyOf(this.bytes, 0, byteLength);
      this.#lentBytes = 0;
    }
    this.capturedCount = Math.min(this.capturedCount, count);
    // No fragment on record ends where the block ends now.
    this.rewrite = true;
    this.marksDirty = true;
  }

  /** The first entry opens a node from now on. */
  openFirst(): void {
    if (this.opensFirst) return;
    this.opensFirst = true;
    this.marks[0]! |= MARK_OPENS;
    this.opensCount++;
    this.marksDirty = true;
  }

  /** Content of the hollow part, read back: whole arrays, with room for all entries, into which the rest goes. */
  fill(bytes: Uint8Array, ids: Uint32Array, ends: Uint32Array): void {
    const { hollow, count } = this;
    if (count > hollow) {
      copyBytes(bytes, this.hollowBytes, this.bytes, this.hollowBytes, this.byteLength);
      ids.set(this.ids.subarray(hollow * 4, count * 4), hollow * 4);
      ends.set(this.ends.subarray(hollow, count), hollow);
    }
    this.bytes = bytes;
    this.#lentBytes = 0;
    this.ids = ids;
    this.ends = ends;
    this.hollow = 0;
    this.hollowBytes = 0;
  }

  #moveFirstLive(): void {
    let at = this.firstLive;
    while (at < this.count && (this.marks[at]! & MARK_DEAD) !== 0) at++;
    this.firstLive = at;
  }

  #growBytes(needed: number, memory: BlockBytes): void {
    // Nothing at all when everything so far is hollow.
    let capacity = Math.max(this.bytes.length * 2, 512);
    while (capacity < needed) capacity *= 2;
    if (capacity > BLOCK_BYTES) capacity = Math.max(BLOCK_BYTES, needed);
    const grown = memory.take(capacity);
    const from = this.hollowBytes;
    if (from < this.byteLength) copyBytes(grown, from, this.bytes, from, this.byteLength);
    this.bytes = grown;
  }

  #growColumns(needed: number): void {
    let capacity = Math.max(this.ends.length * 2, 8);
    while (capacity < needed) capacity *= 2;
    // Of a block that was cut at its end and is hollow, marks may have more room than that.
    const { count } = this;
    const ids = new Uint32Array(capacity * 4);
    ids.set(this.ids.subarray(0, count * 4));
    const ends = new Uint32Array(capacity);
    ends.set(this.ends.subarray(0, count));
    const marks = new Uint8Array(capacity);
    marks.set(this.marks.subarray(0, count));
    if (this.hollow > 0) ends[this.hollow - 1] = this.hollowBytes;
    this.ids = ids;
    this.ends = ends;
    this.marks = marks;
  }
}
