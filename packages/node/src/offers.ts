/**
 * Offers to calls that wait here as parts of a read over several shards (link/frame.ts). Such a call takes nothing when there is something: it is asked
 * whether it wants it, and until its gateway has answered nobody behind it in its queues is served. An offer that is not answered in time is void, and
 * its call stays without offers until its gateway is heard: a silent one holds up the others once, not for every entry.
 *
 * Leader-local and of one term, as the calls themselves. Serving and replies are the business of blocked-calls.ts.
 */
import type { OfferAnswer, OfferHow } from "@headrace/link";
import type { Scheduler } from "@headrace/ports";
import type { BlockedRead } from "./blocked-reads.ts";
import type { LaneProgress } from "./lane-progress.ts";

const OFFER_MS = 100;
const OFFER_MAX = 0xffffffff;

/** To be dealt with in the next turn. */
export interface OfferEvent {
  readonly progress: LaneProgress;
  readonly number: number;
  readonly offer: number;
  readonly how: OfferHow | "void";
}

export class Offers {
  readonly #scheduler: Scheduler;
  readonly #wake: () => void;
  #events: OfferEvent[] = [];
  #lastOffer: number = 0;
  #openCount: number = 0;

  constructor(scheduler: Scheduler, wake: () => void) {
    this.#scheduler = scheduler;
    this.#wake = wake;
  }

  get openCount(): number {
    return this.#openCount;
  }

  open(waiting: BlockedRead): number {
    const offer = (this.#lastOffer % OFFER_MAX) + 1;
    this.#lastOffer = offer;
    this.#openCount++;
    waiting.offer = offer;
    const { progress, number } = waiting;
    waiting.offerTimer = this.#scheduler.after(OFFER_MS, () => this.#note({ progress, number, offer, how: "void" }));
    return offer;
  }

  close(waiting: BlockedRead): void {
    if (waiting.offer === 0) return;
    waiting.offer = 0;
    waiting.offerTimer?.cancel();
    waiting.offerTimer = null;
    this.#openCount--;
  }

  /** The gateway has answered. */
  answered(progress: LaneProgress, { number, offer, how }: OfferAnswer): void {
    this.#note({ progress, number, offer, how });
  }

  /** What has happened since the last call, in that order. */
  take(): readonly OfferEvent[] {
    if (this.#events.length === 0) return this.#events;
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #note(event: OfferEvent): void {
    this.#events.push(event);
    this.#wake();
  }
}
