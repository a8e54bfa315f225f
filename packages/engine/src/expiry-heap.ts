/**
 * Keys that expire, the next one first: a binary heap whose entries know their place, so that a changed or removed time costs its depth and
 * nothing stale is ever left. Derived from the keys; it decides nothing that is replicated (the leader's effects name what has expired).
 */
import { assert } from "@headrace/bytes";

/** Instead of a time: the key does not expire. */
export const NEVER = -1;

/** A key's time to go. */
export class Expiry<Key> {
  readonly key: Key;
  /** The key is gone when log time is above it. */
  atMs: number;
  /** In the heap. */
  place: number;

  constructor(key: Key, atMs: number) {
    this.key = key;
    this.atMs = atMs;
    this.place = -1;
  }
}

export class ExpiryHeap<Key> {
  readonly #heap: Expiry<Key>[];

  constructor() {
    this.#heap = [];
  }

  get size(): number {
    return this.#heap.length;
  }

  /** The one that goes next; null when there is none. */
  get first(): Expiry<Key> | null {
    return this.#heap.length === 0 ? null : this.#heap[0]!;
  }

  add(key: Key, atMs: number): Expiry<Key> {
    const expiry = new Expiry(key, atMs);
    this.#heap.push(expiry);
    this.#up(this.#heap.length - 1, expiry);
    return expiry;
  }

  move(expiry: Expiry<Key>, atMs: number): void {
    const isEarlier = atMs < expiry.atMs;
    expiry.atMs = atMs;
    if (isEarlier) this.#up(expiry.place, expiry);
    else this.#down(expiry.place, expiry);
  }

  remove(expiry: Expiry<Key>): void {
    const { place } = expiry;
    const last = this.#heap.pop()!;
    expiry.place = -1;
    if (last === expiry) return;
    this.#up(place, last);
    if (last.place === place) this.#down(place, last);
  }

  clear(): void {
    this.#heap.length = 0;
  }

  /** Puts it at `place` or above. */
  #up(place: number, expiry: Expiry<Key>): void {
    const heap = this.#heap;
    let at = place;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = heap[parentAt]!;
      if (parent.atMs <= expiry.atMs) break;
      this.#put(at, parent);
      at = parentAt;
    }
    this.#put(at, expiry);
  }

  #down(place: number, expiry: Expiry<Key>): void {
    const heap = this.#heap;
    let at = place;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= heap.length) break;
      if (childAt + 1 < heap.length && heap[childAt + 1]!.atMs < heap[childAt]!.atMs) childAt++;
      const child = heap[childAt]!;
      if (child.atMs >= expiry.atMs) break;
      this.#put(at, child);
      at = childAt;
    }
    this.#put(at, expiry);
  }

  #put(at: number, expiry: Expiry<Key>): void {
    this.#heap[at] = expiry;
    expiry.place = at;
  }

  /** `check` is given every entry. */
  verify(check: (expiry: Expiry<Key>) => void): void {
    for (const [at, expiry] of this.#heap.entries()) {
      assert(expiry.place === at, "an expiry does not know its place");
      assert(at === 0 || this.#heap[(at - 1) >>> 1]!.atMs <= expiry.atMs, "expiries out of order");
      check(expiry);
    }
  }
}
