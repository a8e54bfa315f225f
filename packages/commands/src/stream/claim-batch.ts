/**
 * Collects what XCLAIM and XAUTOCLAIM decide, and turns it into two effects: pending entries whose body is gone are dropped, the others go
 * to the consumer. Ids must arrive in ascending order between two `flush`es, so that none is decided twice on an old view.
 */
import type { Effects, PendingEntry, StreamId } from "@headrace/engine";

export class ClaimBatch {
  readonly dropped: StreamId[];
  readonly claimed: StreamId[];
  readonly #effects: Effects;
  readonly #key: string;
  readonly #group: string;
  readonly #consumer: string;
  #flushedDropped: number;
  #flushedClaimed: number;
  readonly #timesMs: number[];
  readonly #counts: number[];

  constructor(effects: Effects, key: string, group: string, consumer: string) {
    this.dropped = [];
    this.claimed = [];
    this.#effects = effects;
    this.#key = key;
    this.#group = group;
    this.#consumer = consumer;
    this.#flushedDropped = 0;
    this.#flushedClaimed = 0;
    this.#timesMs = [];
    this.#counts = [];
  }

  drop(id: StreamId): void {
    this.dropped.push(id);
  }

  claim(id: StreamId, deliveryTimeMs: number, deliveryCount: number): void {
    this.claimed.push(id);
    this.#timesMs.push(deliveryTimeMs);
    this.#counts.push(deliveryCount);
  }

  flush(): void {
    const dropped = this.dropped.slice(this.#flushedDropped);
    const claimed = this.claimed.slice(this.#flushedClaimed);
    this.#flushedDropped = this.dropped.length;
    this.#flushedClaimed = this.claimed.length;
    if (dropped.length > 0) this.#effects.acknowledge(this.#key, this.#group, dropped);
    if (claimed.length === 0) return;
    this.#effects.claim(this.#key, this.#group, this.#consumer, claimed, this.#timesMs, this.#counts);
    this.#timesMs.length = 0;
    this.#counts.length = 0;
  }
}

/** Whether the entry may be claimed: it has been idle for so long (≤ 0: no matter), or nobody owns it. */
export function isIdleFor({ isOwned, deliveryTimeMs }: PendingEntry, minIdleMs: number, nowMs: number): boolean {
  return !isOwned || minIdleMs <= 0 || nowMs - deliveryTimeMs >= minIdleMs;
}
