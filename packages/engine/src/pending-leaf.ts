/**
 * A leaf of a group's pending list: up to 128 records in id order, and which consumers own how many of them, so that a walk
 * over one consumer's entries skips leaves without any.
 *
 *   stored record (eight u32): ms high · ms low · seq high · seq low · consumer number · delivery time low · delivery count low ·
 *                              time high (upper 16 bits) and count high (lower 16 bits)
 *
 * In memory the two high words of the ids stand in the leaf, once, as long as all its ids have the same: 2^32 ms are 49 days. A leaf in which they
 * differ is wide: its records have them at their ends, and it stays so.
 *
 * Times and counts are 48-bit: the year 10889, and counters as delivery-count.ts has them. A record that XNACK has given back belongs to nobody
 * (consumer 0), was delivered at no time, and carries in the time's place how many were given back in the group before it: they are handed out in
 * that order, before all others. So every record has an age: the lower, the sooner it is claimed.
 */
import type { LeafPlace } from "./leaf-heap.ts";
import { StreamId } from "./stream-id.ts";

export const LEAF_RECORDS_MAX = 128;
/** Of a stored record. */
export const RECORD_WORDS = 8;
export const UINT48_MAX = 0xffff_ffff_ffff;
/** Consumer number of records that nobody owns. */
export const NOBODY = 0;

/** Words of a record in memory: ms low · seq low · consumer · time low · count low · highs of both, and in a wide one ms high · seq high. */
const NARROW_WORDS = 6;
const WIDE_WORDS = 8;
const CONSUMER_WORD = 2;

const FIRST_CAPACITY = 4;
/** Ages of records that somebody owns begin here. */
export const OWNED_AGE = UINT48_MAX + 1;

/** Is told when a consumer gets its first record in a leaf, and loses its last one. */
export interface LeafWatcher {
  entered(owner: number, leaf: PendingLeaf): void;
  left(owner: number, leaf: PendingLeaf): void;
}

export class PendingLeaf {
  /** Unique in its list: names the leaf's row. */
  readonly number: number;
  count: number;
  /** Consumer numbers with at least one record here, and how many; unordered. */
  readonly owners: number[];
  readonly ownerCounts: number[];
  dirty: boolean;
  dropped: boolean;
  persisted: boolean;

  // Views that decide nothing and are stored nowhere.
  watcher: LeafWatcher | null;
  byAge: LeafPlace | null;
  byDue: LeafPlace | null;

  #words: Uint32Array;
  /** Words of a record here. */
  #stride: number;
  /** Of all ids, where the leaf is not wide. */
  #msHi: number;
  #seqHi: number;

  constructor(number: number) {
    this.number = number;
    this.#words = new Uint32Array(FIRST_CAPACITY * NARROW_WORDS);
    this.#stride = NARROW_WORDS;
    this.#msHi = 0;
    this.#seqHi = 0;
    this.count = 0;
    this.owners = [];
    this.ownerCounts = [];
    this.dirty = false;
    this.dropped = false;
    this.persisted = false;
    this.watcher = null;
    this.byAge = null;
    this.byDue = null;
  }

  /** Bytes that its records take in memory, with room for more. */
  get recordBytes(): number {
    return this.#words.byteLength;
  }

  compareAt(record: number, id: StreamId): number {
    const words = this.#words;
    const cell = record * this.#stride;
    const msHi = this.#msHiAt(cell);
    if (msHi !== id.msHi) return msHi < id.msHi ? -1 : 1;
    const msLo = words[cell]!;
    if (msLo !== id.msLo) return msLo < id.msLo ? -1 : 1;
    const seqHi = this.#seqHiAt(cell);
    if (seqHi !== id.seqHi) return seqHi < id.seqHi ? -1 : 1;
    const seqLo = words[cell + 1]!;
    if (seqLo !== id.seqLo) return seqLo < id.seqLo ? -1 : 1;
    return 0;
  }

  /** First record with an id ≥ `id`; `count` when there is none. */
  lowerBound(id: StreamId): number {
    let low = 0;
    let high = this.count;
    // Appending is the common case.
    if (high > 0 && this.compareAt(high - 1, id) < 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareAt(middle, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  idAt(record: number): StreamId {
    const cell = record * this.#stride;
    const words = this.#words;
    return new StreamId(this.#msHiAt(cell), words[cell]!, this.#seqHiAt(cell), words[cell + 1]!);
  }

  #msHiAt(cell: number): number {
    return this.#stride === WIDE_WORDS ? this.#words[cell + 6]! : this.#msHi;
  }

  #seqHiAt(cell: number): number {
    return this.#stride === WIDE_WORDS ? this.#words[cell + 7]! : this.#seqHi;
  }

  /** Leaves of a list have no ids in common; also right for one that was emptied just now. */
  isBefore(other: PendingLeaf): boolean {
    return this.compareAt(0, other.idAt(0)) < 0;
  }

  owns(consumer: number): boolean {
    return this.owners.includes(consumer);
  }

  consumerAt(record: number): number {
    return this.#words[record * this.#stride + CONSUMER_WORD]!;
  }

  timeAt(record: number): number {
    const cell = record * this.#stride;
    return (this.#words[cell + 5]! >>> 16) * 0x1_0000_0000 + this.#words[cell + 3]!;
  }

  deliveriesAt(record: number): number {
    const cell = record * this.#stride;
    return (this.#words[cell + 5]! & 0xffff) * 0x1_0000_0000 + this.#words[cell + 4]!;
  }

  /** The lower, the sooner it is claimed. */
  ageAt(record: number): number {
    return this.consumerAt(record) === NOBODY ? this.timeAt(record) : this.timeAt(record) + OWNED_AGE;
  }

  /** Inserts a record at `record`; the leaf has room. */
  insert(record: number, id: StreamId, consumer: number, timeMs: number, deliveries: number): void {
    this.#suit(id.msHi, id.seqHi);
    this.#makeRoom(this.count + 1);
    const words = this.#words;
    const stride = this.#stride;
    const cell = record * stride;
    if (record < this.count) words.copyWithin(cell + stride, cell, this.count * stride);
    words[cell] = id.msLo;
    words[cell + 1] = id.seqLo;
    words[cell + CONSUMER_WORD] = consumer;
    if (stride === WIDE_WORDS) {
      words[cell + 6] = id.msHi;
      words[cell + 7] = id.seqHi;
    }
    this.count++;
    this.#owned(consumer, 1);
    this.#write(record, timeMs, deliveries);
  }

  /** Owner, time and count of an existing record; answers the owner before. */
  assign(record: number, consumer: number, timeMs: number, deliveries: number): number {
    const cell = record * this.#stride;
    const words = this.#words;
    const before = words[cell + CONSUMER_WORD]!;
    if (before !== consumer) {
      this.#owned(before, -1);
      this.#owned(consumer, 1);
      words[cell + CONSUMER_WORD] = consumer;
    }
    this.#write(record, timeMs, deliveries);
    return before;
  }

  #write(record: number, timeMs: number, deliveries: number): void {
    const cell = record * this.#stride;
    const words = this.#words;
    words[cell + 3] = timeMs % 0x1_0000_0000;
    words[cell + 4] = deliveries % 0x1_0000_0000;
    words[cell + 5] = Math.floor(timeMs / 0x1_0000_0000) * 0x1_0000 + Math.floor(deliveries / 0x1_0000_0000);
  }

  /** Removes the record; answers its owner. */
  remove(record: number): number {
    const owner = this.consumerAt(record);
    const stride = this.#stride;
    this.#words.copyWithin(record * stride, (record + 1) * stride, this.count * stride);
    this.count--;
    this.#owned(owner, -1);
    return owner;
  }

  /** Removes all records of the consumer; answers how many. */
  removeOwner(consumer: number): number {
    const words = this.#words;
    const stride = this.#stride;
    let kept = 0;
    for (let record = 0; record < this.count; record++) {
      if (this.consumerAt(record) === consumer) continue;
      if (kept !== record) words.copyWithin(kept * stride, record * stride, (record + 1) * stride);
      kept++;
    }
    const removed = this.count - kept;
    this.count = kept;
    this.#owned(consumer, -removed);
    return removed;
  }

  /** Moves records[from, count) behind this leaf's end to the end of `target`, which has room. */
  moveTo(target: PendingLeaf, from: number): void {
    const moved = this.count - from;
    if (this.#stride === WIDE_WORDS) target.#widen();
    else target.#suit(this.#msHi, this.#seqHi);
    if (target.#stride === WIDE_WORDS) this.#widen();
    target.#makeRoom(target.count + moved);
    const stride = this.#stride;
    target.#words.set(this.#words.subarray(from * stride, this.count * stride), target.count * stride);
    for (let record = from; record < this.count; record++) {
      const owner = this.consumerAt(record);
      this.#owned(owner, -1);
      target.#owned(owner, 1);
    }
    target.count += moved;
    this.count = from;
  }

  /** Ids with these high words may come in. */
  #suit(msHi: number, seqHi: number): void {
    if (this.#stride === WIDE_WORDS) return;
    if (this.count === 0) {
      this.#msHi = msHi;
      this.#seqHi = seqHi;
    } else if (this.#msHi !== msHi || this.#seqHi !== seqHi) {
      this.#widen();
    }
  }

  #widen(): void {
    if (this.#stride === WIDE_WORDS) return;
    const narrow = this.#words;
    const words = new Uint32Array((narrow.length / NARROW_WORDS) * WIDE_WORDS);
    for (let from = 0, cell = 0; from < narrow.length; from += NARROW_WORDS, cell += WIDE_WORDS) {
      for (let word = 0; word < NARROW_WORDS; word++) words[cell + word] = narrow[from + word]!;
      words[cell + 6] = this.#msHi;
      words[cell + 7] = this.#seqHi;
    }
    this.#words = words;
    this.#stride = WIDE_WORDS;
  }

  #makeRoom(records: number): void {
    const needed = records * this.#stride;
    let capacity = this.#words.length;
    if (needed <= capacity) return;
    while (capacity < needed) capacity *= 2;
    const grown = new Uint32Array(capacity);
    grown.set(this.#words);
    this.#words = grown;
  }

  /** Its records as they are stored, in memory of their own. */
  stored(): Uint32Array<ArrayBuffer> {
    const stored = new Uint32Array(this.count * RECORD_WORDS);
    const words = this.#words;
    for (let from = 0, cell = 0; cell < stored.length; from += this.#stride, cell += RECORD_WORDS) {
      stored[cell] = this.#msHiAt(from);
      stored[cell + 1] = words[from]!;
      stored[cell + 2] = this.#seqHiAt(from);
      stored[cell + 3] = words[from + 1]!;
      stored[cell + 4] = words[from + CONSUMER_WORD]!;
      stored[cell + 5] = words[from + 3]!;
      stored[cell + 6] = words[from + 4]!;
      stored[cell + 7] = words[from + 5]!;
    }
    return stored;
  }

  /** Takes over `count` > 0 records as they were stored; the leaf is new. */
  load(stored: Uint32Array, count: number): void {
    const msHi = stored[0]!;
    const seqHi = stored[2]!;
    this.#suit(msHi, seqHi);
    for (let cell = 0; cell < stored.length; cell += RECORD_WORDS) {
      if (stored[cell] !== msHi || stored[cell + 2] !== seqHi) this.#widen();
    }
    const stride = this.#stride;
    const words = new Uint32Array(count * stride);
    for (let to = 0, cell = 0; to < words.length; to += stride, cell += RECORD_WORDS) {
      words[to] = stored[cell + 1]!;
      words[to + 1] = stored[cell + 3]!;
      words[to + CONSUMER_WORD] = stored[cell + 4]!;
      words[to + 3] = stored[cell + 5]!;
      words[to + 4] = stored[cell + 6]!;
      words[to + 5] = stored[cell + 7]!;
      if (stride === WIDE_WORDS) {
        words[to + 6] = stored[cell]!;
        words[to + 7] = stored[cell + 2]!;
      }
    }
    this.#words = words;
    this.count = count;
    for (let record = 0; record < count; record++) this.#owned(this.consumerAt(record), 1);
  }

  #owned(consumer: number, change: number): void {
    const at = this.owners.indexOf(consumer);
    if (at < 0) {
      this.owners.push(consumer);
      this.ownerCounts.push(change);
      this.watcher?.entered(consumer, this);
      return;
    }
    const count = this.ownerCounts[at]! + change;
    if (count > 0) {
      this.ownerCounts[at] = count;
      return;
    }
    const last = this.owners.length - 1;
    this.owners[at] = this.owners[last]!;
    this.ownerCounts[at] = this.ownerCounts[last]!;
    this.owners.length = last;
    this.ownerCounts.length = last;
    this.watcher?.left(consumer, this);
  }
}
