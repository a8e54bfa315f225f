/** The keyspace for commands that read: keys that are looked up in vain are events too (class m). Used only while somebody listens for them. */
import type { Keyspace, KeyView, OutboxView } from "@headrace/engine";
import { KeyEventClass } from "@headrace/engine";
import type { KeyEvents } from "@headrace/engine";

export class WatchfulKeyspace implements Keyspace {
  #inner: Keyspace;
  readonly #events: KeyEvents;
  readonly #missed: Set<string>;

  constructor(inner: Keyspace, events: KeyEvents) {
    this.#inner = inner;
    this.#events = events;
    this.#missed = new Set();
  }

  /** The next command begins. */
  begin(inner: Keyspace): Keyspace {
    this.#inner = inner;
    this.#missed.clear();
    return this;
  }

  get size(): number {
    return this.#inner.size;
  }

  get anyAcks(): boolean {
    return this.#inner.anyAcks;
  }

  get outbox(): OutboxView {
    return this.#inner.outbox;
  }

  find(key: string): KeyView | null {
    const found = this.#inner.find(key);
    if (found === null) this.#miss(key);
    return found;
  }

  #miss(key: string): void {
    if (this.#missed.has(key)) return;
    this.#missed.add(key);
    this.#events.keyEvent(KeyEventClass.keyMiss, "keymiss", key);
  }

  get expiringCount(): number {
    return this.#inner.expiringCount;
  }

  get expiredKeys(): number {
    return this.#inner.expiredKeys;
  }

  peek(key: string): KeyView | null {
    const found = this.#inner.peek(key);
    if (found === null) this.#miss(key);
    return found;
  }

  pick(ordinal: number): KeyView | null {
    return this.#inner.pick(ordinal);
  }

  lastWriterIndex(key: string): number {
    return this.#inner.lastWriterIndex(key);
  }

  scan(cursor: bigint, count: number, visit: (key: KeyView) => void): bigint {
    return this.#inner.scan(cursor, count, visit);
  }

  forEachKey(visit: (key: KeyView) => void): void {
    this.#inner.forEachKey(visit);
  }
}
