/**
 * A storage block: about 32 KiB of entries in wire form, back to back, and columns beside them. It only grows at its end; what changes
 * later is a mark (tombstone, or that its first entry opens a stream node). Knows nothing of streams.
 *
 *   bytes   entry 0 │ entry 1 │ …            ends[i] = offset behind entry i
 *   ids     four u32 per entry               marks[i] = OPENS | DEAD
 */
import { allocate, copyBytes } from "@headrace/bytes";
import { LENGTH_MASK, OPENS_NODE } from "./effect-format.ts";
import type { RunColumns } from "./run-columns.ts";
import { StreamId } from "./stream-id.ts";

export const BLOCK_BYTES = 32 * 1024;
export const BLOCK_ENTRIES_MAX = 1024;

export const MARK_OPENS = 1;
export const MARK_DEAD = 2;

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

  // What the store has of it; only capture and loader read these.
  dirty: boolean;
  dropped: boolean;
  marksDirty: boolean;
  marksPersisted: boolean;
  /** The fragments on record can't be trusted: write all of it. */
  rewrite: boolean;
  capturedCount: number;
  /** First entry of each fragment row, ascending. */
  fragments: number[];

  constructor(number: number, capacityBytes: number, capacityEntries: number) {
    this.number = number;
    this.bytes = allocate(capacityBytes);
    this.byteLength = 0;
    this.ids = new Uint32Array(capacityEntries * 4);
    this.ends = new Uint32Array(capacityEntries);
    this.marks = new Uint8Array(capacityEntries);
    this.count = 0;
    this.deadCount = 0;
    this.firstLive = 0;
    this.opensCount = 0;
    this.dirty = false;
    this.dropped = false;
    this.marksDirty = false;
    this.marksPersisted = false;
    this.rewrite = false;
    this.capturedCount = 0;
    this.fragments = [];
  }

  get liveCount(): number {
    return this.count - this.deadCount;
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
  append(source: Uint8Array, offset: number, byteCount: number, columns: RunColumns, from: number, to: number): void {
    const needed = this.byteLength + byteCount;
    if (needed > this.bytes.length) this.#growBytes(needed);
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
  truncate(count: number): void {
    for (let entry = count; entry < this.count; entry++) {
      this.deadCount--;
      if ((this.marks[entry]! & MARK_OPENS) !== 0) this.opensCount--;
    }
    this.count = count;
    this.byteLength = this.ends[count - 1]!;
    // No fragment on record ends where the block ends now.
    this.rewrite = true;
    this.marksDirty = true;
  }

  markOpens(entry: number): void {
    if ((this.marks[entry]! & MARK_OPENS) !== 0) return;
    this.marks[entry]! |= MARK_OPENS;
    this.opensCount++;
    this.marksDirty = true;
  }

  #moveFirstLive(): void {
    let at = this.firstLive;
    while (at < this.count && (this.marks[at]! & MARK_DEAD) !== 0) at++;
    this.firstLive = at;
  }

  #growBytes(needed: number): void {
    let capacity = this.bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    if (capacity > BLOCK_BYTES) capacity = Math.max(BLOCK_BYTES, needed);
    const grown = allocate(capacity);
    copyBytes(grown, 0, this.bytes, 0, this.byteLength);
    this.bytes = grown;
  }

  #growColumns(needed: number): void {
    let capacity = Math.max(this.ends.length * 2, 8);
    while (capacity < needed) capacity *= 2;
    const ids = new Uint32Array(capacity * 4);
    ids.set(this.ids);
    const ends = new Uint32Array(capacity);
    ends.set(this.ends);
    const marks = new Uint8Array(capacity);
    marks.set(this.marks);
    this.ids = ids;
    this.ends = ends;
    this.marks = marks;
  }
}
