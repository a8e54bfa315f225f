/**
 * Which streams retention has to look at, without ever walking over all keys: those that were touched since they were looked at, those whose first
 * block is too old by now, and, when the cluster's bounds change or a leadership begins, once each that has a block to lose. A stream of one block
 * has none, so small streams cost nothing at all.
 *
 * Derived from the state and no part of it. Replicas that do not lead only know which streams have had several blocks.
 */
import { assert } from "@headrace/bytes";
import type { RetentionLook, RetentionQueueApi } from "./leader-queues.ts";
import { ExpiryHeap, type Expiry } from "./expiry-heap.ts";
import type { StreamKey } from "./stream-key.ts";
import { hasBounds, NO_RETENTION, resolveRetention, type Retention } from "./retention.ts";

/** Streams that one question passes over at most. */
const SWEPT_MAX = 1024;

/** What is known of a stream that has had more than one block. */
export class RetentionPlace {
  /** Among the candidates. */
  at: number;
  isQueued: boolean;
  due: Expiry<StreamKey> | null;

  constructor(at: number) {
    this.at = at;
    this.isQueued = false;
    this.due = null;
  }
}

export class RetentionQueue implements RetentionQueueApi {
  /** Every stream of several blocks, and some that had them. */
  readonly #candidates: StreamKey[];
  /** Touched ones: those that are looked at, from #lookedAt on, and those behind them. */
  #looking: StreamKey[];
  #lookedAt: number;
  #touched: StreamKey[];
  readonly #due: ExpiryHeap<StreamKey>;
  #isLeading: boolean;
  #cluster: Retention;
  #isEachBounded: boolean;
  /** Candidates before it are still to be looked at, from the end down. */
  #sweepAt: number;

  constructor() {
    this.#candidates = [];
    this.#looking = [];
    this.#lookedAt = 0;
    this.#touched = [];
    this.#due = new ExpiryHeap();
    this.#isLeading = false;
    this.#cluster = NO_RETENTION;
    this.#isEachBounded = false;
    this.#sweepAt = 0;
  }

  lead(cluster: Retention): void {
    if (this.#isLeading && this.#cluster === cluster) return;
    this.#isLeading = true;
    this.#cluster = cluster;
    this.#isEachBounded = hasBounds(cluster);
    this.#sweepAt = this.#candidates.length;
  }

  rest(): void {
    if (!this.#isLeading) return;
    this.#isLeading = false;
    this.#sweepAt = 0;
    this.#forgetWork();
    for (const { retention } of this.#candidates) {
      retention!.isQueued = false;
      retention!.due = null;
    }
  }

  get firstDueMs(): number {
    const { first } = this.#due;
    return first === null ? Number.POSITIVE_INFINITY : first.atMs;
  }

  isIdle(nowMs: number): boolean {
    const isEmpty = this.#lookedAt === this.#looking.length && this.#touched.length === 0;
    return isEmpty && this.#sweepAt === 0 && this.firstDueMs > nowMs;
  }

  look(nowMs: number, blocksMax: number): RetentionLook | null {
    const key = this.#nextTouched() ?? this.#nextDue(nowMs) ?? this.#nextSwept();
    if (key === null) return null;
    const { stream } = key;
    const plan = stream.planRetention(resolveRetention(stream.retention, this.#cluster), nowMs, blocksMax);
    if (stream.blockCount > 1) this.#schedule(key, plan.dueMs);
    else this.forget(key);
    return { key, blocks: plan.blocks, cut: stream.cutOfBlocks(plan) };
  }

  /** An effect on a key whose stream has several blocks, or had them. */
  touched(key: StreamKey): void {
    let place = key.retention;
    if (place === null) {
      place = new RetentionPlace(this.#candidates.length);
      key.retention = place;
      this.#candidates.push(key);
    }
    if (!this.#isLeading || place.isQueued || !this.#isSubject(key)) return;
    place.isQueued = true;
    this.#touched.push(key);
  }

  /** The key is gone, or has nothing to lose. */
  forget(key: StreamKey): void {
    const place = key.retention;
    if (place === null) return;
    key.retention = null;
    if (place.due !== null) this.#due.remove(place.due);
    const candidates = this.#candidates;
    const last = candidates.pop()!;
    if (last !== key) {
      candidates[place.at] = last;
      last.retention!.at = place.at;
    }
    this.#sweepAt = Math.min(this.#sweepAt, candidates.length);
  }

  clear(): void {
    for (const key of this.#candidates) key.retention = null;
    this.#candidates.length = 0;
    this.#sweepAt = 0;
    this.#forgetWork();
  }

  #forgetWork(): void {
    this.#looking = [];
    this.#lookedAt = 0;
    this.#touched = [];
    this.#due.clear();
  }

  #isSubject({ stream }: StreamKey): boolean {
    return this.#isEachBounded || stream.retention !== null;
  }

  #nextTouched(): StreamKey | null {
    for (;;) {
      if (this.#lookedAt === this.#looking.length) {
        if (this.#touched.length === 0) return null;
        this.#looking = this.#touched;
        this.#touched = [];
        this.#lookedAt = 0;
      }
      const key = this.#looking[this.#lookedAt++]!;
      // One that was forgotten, and perhaps became a candidate again, stands here for nothing.
      if (key.retention === null || !key.retention.isQueued) continue;
      key.retention.isQueued = false;
      return key;
    }
  }

  #nextDue(nowMs: number): StreamKey | null {
    const { first } = this.#due;
    return first !== null && first.atMs <= nowMs ? first.key : null;
  }

  #nextSwept(): StreamKey | null {
    for (let swept = 0; this.#sweepAt > 0 && swept < SWEPT_MAX; swept++) {
      const key = this.#candidates[--this.#sweepAt]!;
      if (this.#isSubject(key) || key.retention!.due !== null) return key;
    }
    return null;
  }

  #schedule(key: StreamKey, atMs: number): void {
    const place = key.retention!;
    if (place.due === null) {
      if (atMs !== Number.POSITIVE_INFINITY) place.due = this.#due.add(key, atMs);
    } else if (atMs === Number.POSITIVE_INFINITY) {
      this.#due.remove(place.due);
      place.due = null;
    } else {
      this.#due.move(place.due, atMs);
    }
  }

  /** `all`: every key of the keyspace. */
  verify(all: Iterable<StreamKey>): void {
    for (const [at, key] of this.#candidates.entries())
      assert(key.retention?.at === at, "a candidate does not know its place");
    let places = 0;
    for (const key of all) {
      if (key.retention === null)
        assert(key.stream.blockCount < 2, "retention does not know a stream of several blocks");
      else places++;
    }
    assert(places === this.#candidates.length, "a key that is gone is a candidate of retention");
    this.#due.verify((due) => assert(due.key.retention?.due === due, "a key does not know when it is due"));
  }
}
