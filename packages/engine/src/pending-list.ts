/**
 * A consumer group's pending entries: sorted leaves of packed records. Owners are consumer numbers; names are looked up only when somebody
 * looks. Keeps no counts per consumer: `Group` does.
 */
import { assert } from "@headrace/bytes";
import type { PendingEntry, PendingView } from "./api.ts";
import type { Consumer } from "./consumer.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { LEAF_RECORDS_MAX, PendingLeaf, RECORD_WORDS } from "./pending-leaf.ts";
import type { StreamId } from "./stream-id.ts";

/** Two neighbours that fit into this many records become one. */
const MERGE_RECORDS = LEAF_RECORDS_MAX / 2;
const LEAF_ROW_BYTES = (LEAF_RECORDS_MAX * RECORD_WORDS * 4) / 2;

export class PendingList implements PendingView {
  count: number;
  leaves: PendingLeaf[];
  nextLeafNumber: number;
  dirtyLeaves: PendingLeaf[];
  droppedLeaves: PendingLeaf[];
  readonly #consumers: ReadonlyMap<number, Consumer>;
  readonly #meter: DirtyMeter;
  #leafAt: number;
  #recordAt: number;

  constructor(consumers: ReadonlyMap<number, Consumer>, meter: DirtyMeter) {
    this.count = 0;
    this.leaves = [];
    this.nextLeafNumber = 1;
    this.dirtyLeaves = [];
    this.droppedLeaves = [];
    this.#consumers = consumers;
    this.#meter = meter;
    this.#leafAt = 0;
    this.#recordAt = 0;
  }

  get firstId(): StreamId | null {
    return this.count === 0 ? null : this.leaves[0]!.idAt(0);
  }

  get lastId(): StreamId | null {
    if (this.count === 0) return null;
    const leaf = this.leaves[this.leaves.length - 1]!;
    return leaf.idAt(leaf.count - 1);
  }

  /** Puts the place of the first record with an id ≥ `id` into #leafAt/#recordAt (in the last leaf's end if there is none). */
  #seek(id: StreamId): boolean {
    const { leaves } = this;
    let low = 0;
    let high = leaves.length;
    if (high > 0 && leaves[high - 1]!.compareAt(0, id) <= 0) low = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (leaves[middle]!.compareAt(0, id) <= 0) low = middle + 1;
      else high = middle;
    }
    this.#leafAt = low === 0 ? 0 : low - 1;
    if (leaves.length === 0) {
      this.#recordAt = 0;
      return false;
    }
    const leaf = leaves[this.#leafAt]!;
    this.#recordAt = leaf.lowerBound(id);
    return this.#recordAt < leaf.count && leaf.compareAt(this.#recordAt, id) === 0;
  }

  find(id: StreamId): PendingEntry | null {
    return this.#seek(id) ? this.#entryAt(this.leaves[this.#leafAt]!, this.#recordAt) : null;
  }

  has(id: StreamId): boolean {
    return this.#seek(id);
  }

  visit(start: StreamId, end: StreamId, consumer: string | null, visit: (entry: PendingEntry) => boolean): void {
    let owner = -1;
    if (consumer !== null) {
      for (const candidate of this.#consumers.values()) if (candidate.name === consumer) owner = candidate.number;
      if (owner < 0) return;
    }
    this.#seek(start);
    let record = this.#recordAt;
    for (let at = this.#leafAt; at < this.leaves.length; at++, record = 0) {
      const leaf = this.leaves[at]!;
      if (owner >= 0 && !leaf.owns(owner)) continue;
      for (; record < leaf.count; record++) {
        if (leaf.compareAt(record, end) > 0) return;
        if (owner >= 0 && leaf.consumerAt(record) !== owner) continue;
        if (!visit(this.#entryAt(leaf, record))) return;
      }
    }
  }

  /** Makes the record or takes it over; answers the owner before, −1 when it is new. */
  put(id: StreamId, consumer: number, timeMs: number, deliveries: number): number {
    if (this.#seek(id)) {
      const leaf = this.leaves[this.#leafAt]!;
      this.markDirty(leaf);
      return leaf.assign(this.#recordAt, consumer, timeMs, deliveries);
    }
    const leaf = this.#leafWithRoom();
    leaf.insert(this.#recordAt, id, consumer);
    leaf.assign(this.#recordAt, consumer, timeMs, deliveries);
    this.markDirty(leaf);
    this.count++;
    return -1;
  }

  /** Count + 1 and this time for a record that exists. */
  redeliver(id: StreamId, timeMs: number): boolean {
    if (!this.#seek(id)) return false;
    const leaf = this.leaves[this.#leafAt]!;
    const record = this.#recordAt;
    leaf.assign(record, leaf.consumerAt(record), timeMs, leaf.deliveriesAt(record) + 1);
    this.markDirty(leaf);
    return true;
  }

  /** Count + 1 and this time for the owner's records in [from, to] that are accepted. */
  redeliverRange(
    from: StreamId,
    to: StreamId,
    owner: number,
    accepts: (id: StreamId) => boolean,
    timeMs: number,
  ): void {
    this.#seek(from);
    let record = this.#recordAt;
    for (let at = this.#leafAt; at < this.leaves.length; at++, record = 0) {
      const leaf = this.leaves[at]!;
      if (!leaf.owns(owner)) continue;
      for (; record < leaf.count; record++) {
        if (leaf.compareAt(record, to) > 0) return;
        if (leaf.consumerAt(record) !== owner || !accepts(leaf.idAt(record))) continue;
        leaf.assign(record, owner, timeMs, leaf.deliveriesAt(record) + 1);
        this.markDirty(leaf);
      }
    }
  }

  /** Answers the owner, −1 when there is no such record. */
  remove(id: StreamId): number {
    if (!this.#seek(id)) return -1;
    const leafAt = this.#leafAt;
    const leaf = this.leaves[leafAt]!;
    const owner = leaf.remove(this.#recordAt);
    this.count--;
    this.#settle(leafAt);
    return owner;
  }

  /** Removes all records of the consumer; answers how many. */
  removeConsumer(consumer: number): number {
    let removed = 0;
    for (let at = this.leaves.length - 1; at >= 0; at--) {
      const leaf = this.leaves[at]!;
      if (!leaf.owns(consumer)) continue;
      removed += leaf.removeOwner(consumer);
      this.#settle(at);
    }
    this.count -= removed;
    return removed;
  }

  /** Leaf at #leafAt, split or followed by a new one when full; #recordAt follows. */
  #leafWithRoom(): PendingLeaf {
    const { leaves } = this;
    if (leaves.length === 0) leaves.push(this.#newLeaf());
    const leaf = leaves[this.#leafAt]!;
    if (leaf.count < LEAF_RECORDS_MAX) return leaf;
    const right = this.#newLeaf();
    leaves.splice(this.#leafAt + 1, 0, right);
    // In-order growth leaves full leaves behind; anything else splits in halves.
    if (this.#recordAt < leaf.count) leaf.moveTo(right, LEAF_RECORDS_MAX / 2);
    this.markDirty(leaf);
    this.markDirty(right);
    if (this.#recordAt <= leaf.count && leaf.count < LEAF_RECORDS_MAX) return leaf;
    this.#recordAt -= leaf.count;
    return right;
  }

  /** After removals: an empty leaf goes, small neighbours become one. */
  #settle(at: number): void {
    const leaf = this.leaves[at]!;
    if (leaf.count === 0) {
      this.#drop(at);
      return;
    }
    this.markDirty(leaf);
    if (at + 1 >= this.leaves.length) return;
    const next = this.leaves[at + 1]!;
    if (leaf.count + next.count > MERGE_RECORDS) return;
    next.moveTo(leaf, 0);
    this.#drop(at + 1);
  }

  #newLeaf(): PendingLeaf {
    return new PendingLeaf(this.nextLeafNumber++);
  }

  #drop(at: number): void {
    const leaf = this.leaves[at]!;
    leaf.dropped = true;
    if (leaf.persisted) this.droppedLeaves.push(leaf);
    this.leaves.splice(at, 1);
  }

  markDirty(leaf: PendingLeaf): void {
    if (leaf.dirty) return;
    leaf.dirty = true;
    this.dirtyLeaves.push(leaf);
    this.#meter.bytes += LEAF_ROW_BYTES;
  }

  #entryAt(leaf: PendingLeaf, record: number): PendingEntry {
    return {
      id: leaf.idAt(record),
      consumer: this.#consumers.get(leaf.consumerAt(record))!.name,
      deliveryTimeMs: leaf.timeAt(record),
      deliveryCount: leaf.deliveriesAt(record),
    };
  }

  verify(): void {
    let total = 0;
    let previous: StreamId | null = null;
    for (const leaf of this.leaves) {
      assert(leaf.count > 0 && leaf.count <= LEAF_RECORDS_MAX, "leaf empty or overfull");
      assert(!leaf.dropped, "dropped leaf kept");
      const owned = new Map<number, number>();
      for (let record = 0; record < leaf.count; record++) {
        const id = leaf.idAt(record);
        assert(previous === null || previous.compare(id) < 0, "pending ids out of order");
        previous = id;
        const owner = leaf.consumerAt(record);
        assert(this.#consumers.has(owner), "pending entry without a consumer");
        owned.set(owner, (owned.get(owner) ?? 0) + 1);
      }
      assert(owned.size === leaf.owners.length, "leaf owners miscounted");
      leaf.owners.forEach((owner, i) => {
        assert(owned.get(owner) === leaf.ownerCounts[i], "leaf owner's records miscounted");
      });
      total += leaf.count;
    }
    assert(total === this.count, "pending entries miscounted");
  }
}
