/**
 * Consumers that nobody has seen for as long as their group says (XGROUP SETIDLE): the leader has them hand back what they have pending and go, a bounded
 * number in a turn, as XGROUP DELCONSUMER … HANDBACK does. Who waits in a blocked call is not idle, nor is anybody before this leader has led for so
 * long: those who waited at the one before it need time to come.
 */
import type { StreamKeyView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { LeaderTask } from "./leader-task.ts";

/** In one turn: a consumer that goes is one, several if it has much pending; each that is looked at is a part of one. */
const WORK_PER_TURN = 256;
const LOOK_WORK = 1 / 64;
const PENDING_WORK = 1 / 256;

export class IdleConsumers extends LeaderTask {
  /** Consumers that went, since the start. */
  expired: number = 0;
  /** When this leadership began, in log time; Infinity: it has not yet. */
  #leadsSinceMs: number = Number.POSITIVE_INFINITY;
  #work: number = 0;

  /** The term is over. */
  rest(): void {
    this.#leadsSinceMs = Number.POSITIVE_INFINITY;
    this.stop();
  }

  override run(request: Request): boolean {
    const { idleConsumers } = this.state;
    const isFirst = this.#leadsSinceMs === Number.POSITIVE_INFINITY;
    if (idleConsumers.firstDueMs === Number.POSITIVE_INFINITY && !isFirst) return false;
    const nowMs = this.nowMs();
    if (isFirst) this.#leadsSinceMs = nowMs;
    const expiredBefore = this.expired;
    this.#work = WORK_PER_TURN;
    while (this.#work > 0 && idleConsumers.firstDueMs <= nowMs) {
      const key = idleConsumers.first;
      idleConsumers.next(key, this.#expire(key, nowMs, request));
    }
    if (this.expired > expiredBefore) this.serveBlocked();
    const { firstDueMs } = idleConsumers;
    if (firstDueMs <= nowMs) return true;
    this.wakeAt(firstDueMs, nowMs);
    return false;
  }

  /** Answers when the next one of the key's consumers may go. */
  #expire(key: StreamKeyView, nowMs: number, request: Request): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { name, consumerIdleMs, consumers } of groupsOf(key)) {
      const waiting = this.options.blocked.consumers(key.key, name);
      for (const consumer of consumers) {
        const seenMs = waiting.has(consumer.name) ? nowMs : Math.max(consumer.seenTimeMs, this.#leadsSinceMs);
        const goesMs = seenMs + consumerIdleMs;
        if (goesMs > nowMs || this.#work <= 0) {
          nextMs = Math.min(nextMs, goesMs);
          continue;
        }
        this.#work -= 1 + consumer.pendingCount * PENDING_WORK;
        this.effects(request).handBackConsumer(key.key, name, consumer.name);
        this.expired++;
        this.batch.sealIfFull();
      }
      this.#work -= 1 + consumers.length * LOOK_WORK;
    }
    return nextMs;
  }
}

/** Those whose consumers go, with these as they are now: a look changes them. */
function groupsOf({ stream }: StreamKeyView): { name: string; consumerIdleMs: number; consumers: Consumers }[] {
  const found: { name: string; consumerIdleMs: number; consumers: Consumers }[] = [];
  for (const group of stream.groups()) {
    const { name, consumerIdleMs } = group;
    if (consumerIdleMs > 0) found.push({ name, consumerIdleMs, consumers: [...group.consumers()] });
  }
  return found;
}

type Consumers = readonly { readonly name: string; readonly seenTimeMs: number; readonly pendingCount: number }[];
