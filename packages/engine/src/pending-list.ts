/**
 * A consumer group's pending entries: sorted leaves of packed records. Owners are consumer numbers; names are looked up only when somebody
 * looks. Keeps no counts per consumer: `Group` does. Beside the order of ids there are views of the leaves, by age, by when they are
 * handed out again and by consumer, made when they are asked for.
 */
import { assert } from "@headrace/bytes";
import type { PendingEntry, PendingView } from "./pending-view.ts";
import type { Consumer } from "./consumer.ts";
import { countUp } from "./delivery-count.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { type Retry, retryDelayMs } from "./group-settings.ts";
import { LeafHeap, type LeafOrder } from "./leaf-heap.ts";
import { OwnerLeaves } from "./owner-leaves.ts";
import { LEAF_RECORDS_MAX, NOBODY, OWNED_AGE, PendingLeaf, RECORD_WORDS } from "./pending-leaf.ts";
import { PENDING_BYTES } from "./resident-bytes.ts";
import { NUMBER_TURN } from "./state-rows.ts";
import { MIN_ID, type StreamId } from "./stream-id.ts";

const BY_AGE: LeafOrder = { place: "byAge", rankAt: (leaf, record) => leaf.ageAt(record) };

/** Two neighbours that fit into this many records become one. */
const MERGE_RECORDS = LEAF_RECORDS_MAX / 2;
const LEAF_ROW_BYTES = (LEAF_RECORDS_MAX * RECORD_WORDS * 4) / 2;

/** Who the consumers of a group are, by name and by number. */
export interface ConsumerTables {
  readonly byName: ReadonlyMap<string, Consumer>;
  readonly byNumber: ReadonlyMap<number, Consumer>;
}

export class PendingList implements PendingView {
  count: number;
  /** How many belong to nobody. */
  unownedCount: number;
  /** Deliveries of the record that `put` took over last; −1: it was new. */
  countBefore: number;
  nextLeafNumber: number;
  /** The lowest id that has left it since somebody asked (Stream.referencedUpTo); null: none. */
  lowestRemoved: StreamId | null;
  dirtyLeaves: PendingLeaf[];
  droppedLeaves: PendingLeaf[];
  readonly #consumers: ConsumerTables;
  readonly #meter: DirtyMeter;
  #leaves: PendingLeaf[];
  #byAge: LeafHeap | null;
  #byDue: LeafHeap | null;
  #retry: Retry | null;
  readonly #byOwner: OwnerLeaves;
  #leafAt: number;
  #recordAt: number;

  constructor(consumers: ConsumerTables, meter: DirtyMeter) {
    this.count = 0;
    this.unownedCount = 0;
    this.countBefore = -1;
    this.nextLeafNumber = 1;
    this.lowestRemoved = null;
    this.dirtyLeaves = [];
    this.droppedLeaves = [];
    this.#consumers = consumers;
    this.#meter = meter;
    this.#leaves = [];
    this.#byAge = null;
    this.#byDue = null;
    this.#retry = null;
    this.#byOwner = new OwnerLeaves();
    this.#leafAt = 0;
    this.#recordAt = 0;
  }

  get leaves(): readonly PendingLeaf[] {
    return this.#leaves;
  }

  /** Loaded, or rolled back: these are all leaves now, in any order. Counts are the group's business (`Group.recount`). */
  adoptLeaves(leaves: readonly PendingLeaf[]): void {
    this.#leaves = [...leaves].sort((a, b) => a.compareAt(0, b.idAt(0)));
    this.#byAge = null;
    this.#byDue = null;
    this.#byOwner.clear();
    for (const leaf of leaves) {
      leaf.watcher = this.#byOwner;
      leaf.byAge = null;
      leaf.byDue = null;
    }
  }

  get firstId(): StreamId | null {
    return this.count === 0 ? null : this.#leaves[0]!.idAt(0);
  }

  get lastId(): StreamId | null {
    if (this.count === 0) return null;
    const leaf = this.#leaves[this.#leaves.length - 1]!;
    return leaf.idAt(leaf.count - 1);
  }

  /** Puts the place of the first record with an id ≥ `id` into #leafAt/#recordAt (in the last leaf's end if there is none). */
  #seek(id: StreamId): boolean {
    const leaves = this.#leaves;
    if (leaves.length === 0) {
      this.#leafAt = 0;
      this.#recordAt = 0;
      return false;
    }
    this.#leafAt = leafOf(leaves, id);
    const leaf = leaves[this.#leafAt]!;
    this.#recordAt = leaf.lowerBound(id);
    return this.#recordAt < leaf.count && leaf.compareAt(this.#recordAt, id) === 0;
  }

  find(id: StreamId): PendingEntry | null {
    return this.#seek(id) ? this.#entryAt(this.#leaves[this.#leafAt]!, this.#recordAt) : null;
  }

  has(id: StreamId): boolean {
    return this.#seek(id);
  }

  /** How often it was delivered; −1: it is not pending. */
  countOf(id: StreamId): number {
    if (!this.#seek(id)) return -1;
    return this.#leaves[this.#leafAt]!.deliveriesAt(this.#recordAt);
  }

  visit(start: StreamId, end: StreamId, consumer: string | null, visit: (entry: PendingEntry) => boolean): void {
    let owner = -1;
    let leaves: readonly PendingLeaf[] = this.#leaves;
    if (consumer !== null) {
      const named = this.#consumers.byName.get(consumer);
      if (named === undefined) return;
      owner = named.number;
      leaves = this.#byOwner.of(owner, leaves);
    }
    this.#visitOf(leaves, owner, start, end, (leaf, record) => visit(this.#entryAt(leaf, record)));
  }

  /** Records of the owner (−1: all) in [from, to] among these leaves; `visit` answers false to stop, and moves no record. */
  #visitOf(
    leaves: readonly PendingLeaf[],
    owner: number,
    from: StreamId,
    to: StreamId,
    visit: (leaf: PendingLeaf, record: number) => boolean,
  ): void {
    if (leaves.length === 0) return;
    let at = leafOf(leaves, from);
    let record = leaves[at]!.lowerBound(from);
    for (; at < leaves.length; at++, record = 0) {
      const leaf = leaves[at]!;
      for (; record < leaf.count; record++) {
        if (leaf.compareAt(record, to) > 0) return;
        if (owner >= 0 && leaf.consumerAt(record) !== owner) continue;
        if (!visit(leaf, record)) return;
      }
    }
  }

  visitOldest(visit: (entry: PendingEntry) => boolean): void {
    this.#byAge ??= new LeafHeap(BY_AGE, this.#leaves);
    this.#byAge.visit((leaf, record) => visit(this.#entryAt(leaf, record)));
  }

  get retry(): Retry | null {
    return this.#retry;
  }

  set retry(retry: Retry | null) {
    this.#retry = retry;
    if (this.#byDue === null) return;
    this.#byDue = null;
    for (const leaf of this.#leaves) leaf.byDue = null;
  }

  get dueFromMs(): number {
    if (this.#retry === null || this.count === 0) return Number.POSITIVE_INFINITY;
    return dueMsOf(this.#madeByDue(this.#retry).lowest);
  }

  visitDue(visit: (entry: PendingEntry, dueMs: number) => boolean): void {
    if (this.#retry === null) return;
    this.#madeByDue(this.#retry).visit((leaf, record, rank) => visit(this.#entryAt(leaf, record), dueMsOf(rank)));
  }

  #madeByDue(retry: Retry): LeafHeap {
    this.#byDue ??= new LeafHeap(
      {
        place: "byDue",
        rankAt: (leaf, record) => {
          const age = leaf.ageAt(record);
          return age < OWNED_AGE ? age : age + retryDelayMs(retry, leaf.deliveriesAt(record));
        },
      },
      this.#leaves,
    );
    return this.#byDue;
  }

  /** For the views that are there: the record is new, or not what it was. */
  #wrote(leaf: PendingLeaf, record: number): void {
    this.#byAge?.wrote(leaf, record);
    this.#byDue?.wrote(leaf, record);
  }

  #joined(leaf: PendingLeaf, source: PendingLeaf): void {
    this.#byAge?.joined(leaf, source);
    this.#byDue?.joined(leaf, source);
  }

  /** Makes the record or takes it over; answers the owner before, −1 when it is new. */
  put(id: StreamId, consumer: number, timeMs: number, deliveries: number): number {
    if (this.#seek(id)) {
      const leaf = this.#leaves[this.#leafAt]!;
      this.markDirty(leaf);
      this.countBefore = leaf.deliveriesAt(this.#recordAt);
      const before = leaf.assign(this.#recordAt, consumer, timeMs, deliveries);
      this.#wrote(leaf, this.#recordAt);
      return before;
    }
    this.countBefore = -1;
    const leaf = this.#leafWithRoom();
    leaf.insert(this.#recordAt, id, consumer, timeMs, deliveries);
    this.#wrote(leaf, this.#recordAt);
    this.markDirty(leaf);
    this.count++;
    this.#meter.fixedBytes += PENDING_BYTES;
    return -1;
  }

  /** Count + 1 and this time for a record that exists. */
  redeliver(id: StreamId, timeMs: number): boolean {
    if (!this.#seek(id)) return false;
    this.#redeliverAt(this.#leaves[this.#leafAt]!, this.#recordAt, timeMs);
    return true;
  }

  /** Count + 1 and this time for the owner's records in [from, to] that are accepted; answers how many. */
  redeliverRange(
    from: StreamId,
    to: StreamId,
    owner: number,
    accepts: (id: StreamId) => boolean,
    timeMs: number,
  ): number {
    let count = 0;
    const leaves = this.#byOwner.of(owner, this.#leaves);
    this.#visitOf(leaves, owner, from, to, (leaf, record) => {
      if (!accepts(leaf.idAt(record))) return true;
      this.#redeliverAt(leaf, record, timeMs);
      count++;
      return true;
    });
    return count;
  }

  #redeliverAt(leaf: PendingLeaf, record: number, timeMs: number): void {
    leaf.assign(record, leaf.consumerAt(record), timeMs, countUp(leaf.deliveriesAt(record)));
    this.#wrote(leaf, record);
    this.markDirty(leaf);
  }

  /** Answers the owner, −1 when there is no such record. */
  remove(id: StreamId): number {
    if (!this.#seek(id)) return -1;
    const leafAt = this.#leafAt;
    const leaf = this.#leaves[leafAt]!;
    const owner = leaf.remove(this.#recordAt);
    if (this.lowestRemoved === null || id.compare(this.lowestRemoved) < 0) this.lowestRemoved = id;
    this.count--;
    this.#meter.fixedBytes -= PENDING_BYTES;
    this.#settle(leafAt);
    return owner;
  }

  /** Removes all records of the consumer; answers how many. */
  removeConsumer(consumer: number): number {
    let removed = 0;
    // From the end, so that no leaf that is still to come moves.
    for (const leaf of [...this.#byOwner.of(consumer, this.#leaves)].reverse()) {
      const at = leafOf(this.#leaves, leaf.idAt(0));
      removed += leaf.removeOwner(consumer);
      this.#settle(at);
    }
    this.#byOwner.forget(consumer);
    this.lowestRemoved = MIN_ID;
    this.count -= removed;
    this.#meter.fixedBytes -= removed * PENDING_BYTES;
    return removed;
  }

  /** Leaf at #leafAt, split or followed by a new one when full; #recordAt follows. */
  #leafWithRoom(): PendingLeaf {
    const leaves = this.#leaves;
    if (leaves.length === 0) leaves.push(this.#newLeaf());
    const leaf = leaves[this.#leafAt]!;
    if (leaf.count < LEAF_RECORDS_MAX) return leaf;
    const right = this.#newLeaf();
    leaves.splice(this.#leafAt + 1, 0, right);
    // In-order growth leaves full leaves behind; anything else splits in halves.
    if (this.#recordAt < leaf.count) {
      leaf.moveTo(right, LEAF_RECORDS_MAX / 2);
      this.#joined(right, leaf);
    }
    this.markDirty(leaf);
    this.markDirty(right);
    if (this.#recordAt <= leaf.count && leaf.count < LEAF_RECORDS_MAX) return leaf;
    this.#recordAt -= leaf.count;
    return right;
  }

  /** After removals: an empty leaf goes, small neighbours become one. */
  #settle(at: number): void {
    const leaf = this.#leaves[at]!;
    if (leaf.count === 0) {
      this.#drop(at);
      return;
    }
    this.markDirty(leaf);
    if (at + 1 >= this.#leaves.length) return;
    const next = this.#leaves[at + 1]!;
    if (leaf.count + next.count > MERGE_RECORDS) return;
    next.moveTo(leaf, 0);
    this.#joined(leaf, next);
    this.#drop(at + 1);
  }

  #newLeaf(): PendingLeaf {
    if (this.#leaves.length === 0 && this.nextLeafNumber >= NUMBER_TURN) this.nextLeafNumber = 1;
    const leaf = new PendingLeaf(this.nextLeafNumber++);
    leaf.watcher = this.#byOwner;
    return leaf;
  }

  #drop(at: number): void {
    const leaf = this.#leaves[at]!;
    leaf.dropped = true;
    if (leaf.persisted) this.droppedLeaves.push(leaf);
    this.#leaves.splice(at, 1);
    this.#byAge?.remove(leaf);
    this.#byDue?.remove(leaf);
  }

  markDirty(leaf: PendingLeaf): void {
    if (leaf.dirty) return;
    leaf.dirty = true;
    this.dirtyLeaves.push(leaf);
    this.#meter.bytes += LEAF_ROW_BYTES;
  }

  #entryAt(leaf: PendingLeaf, record: number): PendingEntry {
    const owner = leaf.consumerAt(record);
    const isOwned = owner !== NOBODY;
    return {
      id: leaf.idAt(record),
      consumer: isOwned ? this.#consumers.byNumber.get(owner)!.name : "",
      isOwned,
      deliveryTimeMs: isOwned ? leaf.timeAt(record) : 0,
      deliveryCount: leaf.deliveriesAt(record),
    };
  }

  verify(): void {
    let total = 0;
    let unowned = 0;
    let previous: StreamId | null = null;
    for (const leaf of this.#leaves) {
      assert(leaf.count > 0 && leaf.count <= LEAF_RECORDS_MAX, "leaf empty or overfull");
      assert(!leaf.dropped, "dropped leaf kept");
      const owned = new Map<number, number>();
      for (let record = 0; record < leaf.count; record++) {
        const id = leaf.idAt(record);
        assert(previous === null || previous.compare(id) < 0, "pending ids out of order");
        previous = id;
        const owner = leaf.consumerAt(record);
        assert(owner === NOBODY || this.#consumers.byNumber.has(owner), "pending entry without a consumer");
        owned.set(owner, (owned.get(owner) ?? 0) + 1);
      }
      assert(owned.size === leaf.owners.length, "leaf owners miscounted");
      leaf.owners.forEach((owner, i) => {
        assert(owned.get(owner) === leaf.ownerCounts[i], "leaf owner's records miscounted");
      });
      unowned += owned.get(NOBODY) ?? 0;
      total += leaf.count;
    }
    assert(total === this.count, "pending entries miscounted");
    assert(unowned === this.unownedCount, "entries that nobody owns miscounted");
    assert(this.#byAge === null || this.#byAge.isRight(this.#leaves), "leaves out of order by age");
    assert(this.#byDue === null || this.#byDue.isRight(this.#leaves), "leaves out of order by when they are due");
    assert(this.#byOwner.isRight(this.#leaves), "leaves of a consumer miscounted");
  }
}

/** When what ranks so is handed out again: at once what nobody owns. */
function dueMsOf(rank: number): number {
  return rank < OWNED_AGE ? 0 : rank - OWNED_AGE;
}

/** The place of the last leaf that begins at or before `id`; 0 when there is none. */
function leafOf(leaves: readonly PendingLeaf[], id: StreamId): number {
  let low = 0;
  let high = leaves.length;
  if (high > 0 && leaves[high - 1]!.compareAt(0, id) <= 0) low = high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (leaves[middle]!.compareAt(0, id) <= 0) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : low - 1;
}
