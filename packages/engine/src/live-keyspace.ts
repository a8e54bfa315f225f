/**
 * The keyspace as commands see it: a key whose time is over is not there. The one place where that is decided, for every command and every
 * type of value. Whoever finds such a key has it removed by an effect first, reads too: then the log holds the time at which it was gone, and no
 * later leader shows it again. A walk over many keys leaves most of them to others: one effect in its log entry is enough for that.
 *
 * Leader only, while a batch is open: time is the batch's.
 */
import type { Effects, Keyspace, KeyView } from "./api.ts";
import { NEVER } from "./expiry-heap.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { Outbox } from "./outbox.ts";
import type { AnyKey } from "./stored-key.ts";

/** Expired keys that one walk over the keyspace removes. */
const REMOVED_BY_WALK_MAX = 64;

export class LiveKeyspace implements Keyspace {
  readonly #stored: KeyspaceState;
  readonly #effects: Effects;
  /** Names. */
  readonly #expired: string[];

  constructor(stored: KeyspaceState, effects: Effects) {
    this.#stored = stored;
    this.#effects = effects;
    this.#expired = [];
  }

  get size(): number {
    return this.#stored.size;
  }

  get anyAcks(): boolean {
    return this.#stored.anyAcks;
  }

  get expiredKeys(): number {
    return this.#stored.expiredKeys;
  }

  get expiringCount(): number {
    return this.#stored.expiringCount;
  }

  get outbox(): Outbox {
    return this.#stored.outbox;
  }

  find(key: string): AnyKey | null {
    const found = this.peek(key);
    if (found !== null) found.usedAtSeconds = this.#stored.nowSeconds;
    return found;
  }

  peek(key: string): AnyKey | null {
    const found = this.#stored.find(key);
    if (found === null || found.expiry === null || !this.#isOver(found)) return found;
    this.#effects.expireKey(key);
    return null;
  }

  pick(ordinal: number): AnyKey | null {
    return this.peek(this.#stored.nameAt(ordinal));
  }

  lastWriterIndex(key: string): number {
    return this.#stored.lastWriterIndex(key);
  }

  scan(cursor: bigint, count: number, visit: (key: KeyView) => void): bigint {
    const next = this.#stored.scan(cursor, count, (key) => this.#visit(key, visit));
    this.#removeExpired();
    return next;
  }

  forEachKey(visit: (key: KeyView) => void): void {
    this.#stored.forEachKey((key) => this.#visit(key, visit));
    this.#removeExpired();
  }

  #isOver({ expiresAtMs }: KeyView): boolean {
    return expiresAtMs !== NEVER && expiresAtMs < this.#effects.logTimeMs;
  }

  #visit(key: KeyView, visit: (key: KeyView) => void): void {
    if (!this.#isOver(key)) visit(key);
    else if (this.#expired.length < REMOVED_BY_WALK_MAX) this.#expired.push(key.key);
  }

  #removeExpired(): void {
    for (const key of this.#expired) this.#effects.expireKey(key);
    this.#expired.length = 0;
  }
}
