/**
 * What is known of a group's entries when a waiting call of it has run in vain: nothing new is left, and nothing that is pending is for such a call. Which
 * of those behind it need not run then: all that ask for the same, or for less. So a queue of calls that ask for the same costs one run, however long.
 */
import type { Retry } from "@headrace/engine";
import type { BlockedRead } from "./blocked-reads.ts";

export class NothingLeft {
  readonly #retry: Retry | null;
  /** Somebody has run in vain. */
  #isKnown: boolean;
  /** Nothing is to be handed out again now. */
  #isNothingDue: boolean;
  /** Nothing that is pending has been idle for so long. */
  #idleMs: number;

  /** `retry`: the group's. */
  constructor(retry: Retry | null) {
    this.#retry = retry;
    this.#isKnown = false;
    this.#isNothingDue = retry === null;
    this.#idleMs = Number.POSITIVE_INFINITY;
  }

  mayTakePending({ claims, call }: BlockedRead): boolean {
    return claims || (call.takesDue && this.#retry !== null);
  }

  isAllFor({ claims, call }: BlockedRead): boolean {
    if (!this.#isKnown) return false;
    if (claims) return call.claimMinIdleMs >= this.#idleMs;
    return !call.takesDue || this.#isNothingDue || this.#retry!.minIdleMs >= this.#idleMs;
  }

  foundBy({ claims, call }: BlockedRead): void {
    this.#isKnown = true;
    if (claims) {
      this.#idleMs = Math.min(this.#idleMs, call.claimMinIdleMs);
    } else if (call.takesDue && this.#retry !== null) {
      this.#isNothingDue = true;
      this.#idleMs = Math.min(this.#idleMs, this.#retry.maxIdleMs);
    }
  }
}
