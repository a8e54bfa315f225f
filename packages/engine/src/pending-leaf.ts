/**
 * A leaf of a group's pending list: up to 128 records of 32 bytes in id order, and which consumers own how many of them, so that a walk
 * over one consumer's entries skips leaves without any.
 *
 *   record (eight u32): ms high · ms low · seq high · seq low · consumer number · delivery time low · delivery count low ·
 *                       time high (upper 16 bits) and count high (lower 16 bits)
 *
 * Times and counts are 48-bit: the year 10889, and counters as delivery-count.ts has them. A record that XNACK has given back belongs to nobody
 * (consumer 0), was delivered at no time, and carries in the time's place how many were given back in the group before it: they are handed out in
 * that order, before all others. So every record has an age: the lower, the sooner it is claimed.
 */
import type { LeafPlace } from "./leaf-heap.ts";
import { StreamId } from "./stream-id.ts";

export const LEAF_RECORDS_MAX = 128;
export const RECORD_WORDS = 8;
export const CONSUMER_WORD = 4;
export const UINT48_MAX = 0xffff_ffff_ffff;
/** Consumer number of records that nobody owns. */
export const NOBODY = 0;

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
  words: Uint32Array;
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

  constructor(number: number) {
    this.number = number;
    this.words = new Uint32Array(FIRST_CAPACITY * RECORD_WORDS);
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

  compareAt(record: number, id: StreamId): number {
    const cell = record * RECORD_WORDS;
    const words = this.words;
    const msHi = words[cell]!;
    if (msHi !== id.msHi) return msHi < id.msHi ? -1 : 1;
    const msLo = words[cell + 1]!;
    if (msLo !== id.msLo) return msLo < id.msLo ? -1 : 1;
    const seqHi = words[cell + 2]!;
    if (seqHi !== id.seqHi) return seqHi < id.seqHi ? -1 : 1;
    const seqLo = words[cell + 3]!;
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
    const cell = record * RECORD_WORDS;
    const words = this.words;
    return new StreamId(words[cell]!, words[cell + 1]!, words[cell + 2]!, words[cell + 3]!);
  }

  /** Leaves of a list have no ids in common; also right for one that was emptied just now. */
  isBefore(other: PendingLeaf): boolean {
    const { words } = this;
    const others = other.words;
    for (let word = 0; word < CONSUMER_WORD; word++) {
      if (words[word] !== others[word]) return words[word]! < others[word]!;
    }
    return false;
  }

  owns(consumer: number): boolean {
    return this.owners.includes(consumer);
  }

  consumerAt(record: number): number {
    return this.words[record * RECORD_WORDS + CONSUMER_WORD]!;
  }

  timeAt(record: number): number {
    const cell = record * RECORD_WORDS;
    return (this.words[cell + 7]! >>> 16) * 0x1_0000_0000 + this.words[cell + 5]!;
  }

  deliveriesAt(record: number): number {
    const cell = record * RECORD_WORDS;
    return (this.words[cell + 7]! & 0xffff) * 0x1_0000_0000 + this.words[cell + 6]!;
  }

  /** The lower, the sooner it is claimed. */
  ageAt(record: number): number {
    return this.consumerAt(record) === NOBODY ? this.timeAt(record) : this.timeAt(record) + OWNED_AGE;
  }

  /** Inserts a record at `record`; the leaf has room. */
  insert(record: number, id: StreamId, consumer: number, timeMs: number, deliveries: number): void {
    const needed = (this.count + 1) * RECORD_WORDS;
    if (needed > this.words.length) {
      const grown = new Uint32Array(this.words.length * 2);
      grown.set(this.words);
      this.words = grown;
    }
    const words = this.words;
    const cell = record * RECORD_WORDS;
    if (record < this.count) words.copyWithin(cell + RECORD_WORDS, cell, this.count * RECORD_WORDS);
    words[cell] = id.msHi;
    words[cell + 1] = id.msLo;
    words[cell + 2] = id.seqHi;
    words[cell + 3] = id.seqLo;
    words[cell + CONSUMER_WORD] = consumer;
    this.count++;
    this.#owned(consumer, 1);
    this.#write(record, timeMs, deliveries);
  }

  /** Owner, time and count of an existing record; answers the owner before. */
  assign(record: number, consumer: number, timeMs: number, deliveries: number): number {
    const cell = record * RECORD_WORDS;
    const words = this.words;
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
    const cell = record * RECORD_WORDS;
    const words = this.words;
    words[cell + 5] = timeMs % 0x1_0000_0000;
    words[cell + 6] = deliveries % 0x1_0000_0000;
    words[cell + 7] = Math.floor(timeMs / 0x1_0000_0000) * 0x1_0000 + Math.floor(deliveries / 0x1_0000_0000);
  }

  /** Removes the record; answers its owner. */
  remove(record: number): number {
    const owner = this.consumerAt(record);
    const words = this.words;
    words.copyWithin(record * RECORD_WORDS, (record + 1) * RECORD_WORDS, this.count * RECORD_WORDS);
    this.count--;
    this.#owned(owner, -1);
    return owner;
  }

  /** Removes all records of the consumer; answers how many. */
  removeOwner(consumer: number): number {
    const words = this.words;
    let kept = 0;
    for (let record = 0; record < this.count; record++) {
      if (this.consumerAt(record) === consumer) continue;
      if (kept !== record) {
        words.copyWithin(kept * RECORD_WORDS, record * RECORD_WORDS, (record + 1) * RECORD_WORDS);
      }
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
    const needed = (target.count + moved) * RECORD_WORDS;
    if (needed > target.words.length) {
      let capacity = target.words.length * 2;
      while (capacity < needed) capacity *= 2;
      const grown = new Uint32Array(capacity);
      grown.set(target.words);
      target.words = grown;
    }
    target.words.set(this.words.subarray(from * RECORD_WORDS, this.count * RECORD_WORDS), target.count * RECORD_WORDS);
    for (let record = from; record < this.count; record++) {
      const owner = this.consumerAt(record);
      this.#owned(owner, -1);
      target.#owned(owner, 1);
    }
    target.count += moved;
    this.count = from;
  }

  /** Takes over records as they were stored. */
  load(words: Uint32Array, count: number): void {
    this.words = words;
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
