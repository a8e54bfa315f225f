/**
 * Keys with delayed entries, by when the first of these is due: a heap that costs nothing where there are none. Derived from the state and no part of
 * it; which entry appears when is in the leader's effects.
 */
import { assert } from "@headrace/bytes";
import type { DirtyMeter } from "./dirty-meter.ts";
import { ExpiryHeap } from "./expiry-heap.ts";
import type { DelayQueueApi } from "./leader-queues.ts";
import type { StreamKey } from "./stream-key.ts";

export class DelayQueue implements DelayQueueApi {
  readonly #due: ExpiryHeap<StreamKey>;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    this.#due = new ExpiryHeap();
    this.#meter = meter;
  }

  get count(): number {
    return this.#meter.delayedEntries;
  }

  get firstDueMs(): number {
    const { first } = this.#due;
    return first === null ? Number.POSITIVE_INFINITY : first.atMs;
  }

  get first(): StreamKey {
    const { first } = this.#due;
    assert(first !== null, "a key has a delayed entry");
    return first.key;
  }

  postpone(key: StreamKey, atMs: number): void {
    assert(key.delayDue !== null, "a key that has nothing delayed");
    this.#due.move(key.delayDue, atMs);
  }

  /** Something has happened to the key's delayed entries, or it has come with some. */
  notice(key: StreamKey): void {
    const { delayed } = key.stream;
    if (delayed === null || delayed.count === 0) this.forget(key);
    else if (key.delayDue === null) key.delayDue = this.#due.add(key, delayed.firstDueMs);
    else this.#due.move(key.delayDue, delayed.firstDueMs);
  }

  forget(key: StreamKey): void {
    if (key.delayDue === null) return;
    this.#due.remove(key.delayDue);
    key.delayDue = null;
  }

  clear(): void {
    this.#due.clear();
  }

  /** `all`: every key of the keyspace that is not packed. */
  verify(all: Iterable<StreamKey>): void {
    let places = 0;
    let count = 0;
    for (const { delayDue, stream } of all) {
      const delayed = stream.delayed === null ? 0 : stream.delayed.count;
      assert(delayed > 0 === (delayDue !== null), "a key with delayed entries is not looked at, or one without");
      if (delayDue !== null) places++;
      count += delayed;
    }
    let found = 0;
    this.#due.verify(({ key, atMs }) => {
      assert(key.delayDue?.atMs === atMs, "a key does not know when its delayed entries are looked at");
      assert(atMs >= key.stream.delayed!.firstDueMs, "delayed entries are looked at before the first is due");
      found++;
    });
    assert(places === found, "a key that is gone has delayed entries");
    assert(count === this.count, "delayed entries miscounted");
  }
}
