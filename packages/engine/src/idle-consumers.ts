/**
 * Keys that have a group whose idle consumers go (XGROUP SETIDLE), by when one of these may have been idle for long enough: never later than that, perhaps
 * earlier, since nobody tells when a consumer was seen. So consumers of other groups cost nothing, and those of such a group a look now and then.
 *
 * Derived from the state and no part of it; which consumers go is in the leader's effects.
 */
import { assert } from "@headrace/bytes";
import type { IdleConsumersApi } from "./leader-queues.ts";
import { ExpiryHeap } from "./expiry-heap.ts";
import type { StreamKey } from "./stream-key.ts";

export class IdleConsumers implements IdleConsumersApi {
  readonly #due: ExpiryHeap<StreamKey>;

  constructor() {
    this.#due = new ExpiryHeap();
  }

  get firstDueMs(): number {
    const { first } = this.#due;
    return first === null ? Number.POSITIVE_INFINITY : first.atMs;
  }

  get first(): StreamKey {
    const { first } = this.#due;
    assert(first !== null, "a key has to be looked at");
    return first.key;
  }

  next(key: StreamKey, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) this.forget(key);
    else if (key.idleDue === null) key.idleDue = this.#due.add(key, atMs);
    else this.#due.move(key.idleDue, atMs);
  }

  /** The key has a group of this kind, by what was loaded, restored or set: look at all of it. */
  notice(key: StreamKey): void {
    const { stream } = key;
    if (stream.groupCount > 0 && stream.groups().some(({ consumerIdleMs }) => consumerIdleMs > 0)) this.next(key, 0);
  }

  /** Of a group of this kind a consumer has come, who may go at this time. */
  came(key: StreamKey, atMs: number): void {
    if (key.idleDue === null || key.idleDue.atMs > atMs) this.next(key, atMs);
  }

  forget(key: StreamKey): void {
    if (key.idleDue === null) return;
    this.#due.remove(key.idleDue);
    key.idleDue = null;
  }

  clear(): void {
    this.#due.clear();
  }

  /** `all`: every key of the keyspace that is not packed. */
  verify(all: Iterable<StreamKey>): void {
    let places = 0;
    for (const { idleDue, stream } of all) {
      if (idleDue !== null) places++;
      const hasSome = stream.groups().some((group) => group.consumerIdleMs > 0 && group.consumerCount > 0);
      assert(!hasSome || idleDue !== null, "a key whose consumers go is not looked at");
    }
    let found = 0;
    this.#due.verify(({ key, atMs }) => {
      assert(key.idleDue?.atMs === atMs, "a key does not know when it is looked at");
      found++;
    });
    assert(places === found, "a key that is gone is looked at");
  }
}
