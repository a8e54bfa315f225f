/**
 * Deleting rows that nobody needs is in no hurry, and clients are: of all groups of a node one step is done at a time, and then there is a rest. FLUSHALL of a
 * million streams leaves millions of rows; deleted as fast as it goes they left no time for anything else, and a write took 45 ms
 * (bench/results/growth.txt).
 *
 * Must not know: what is deleted.
 */
import type { Clock, Scheduler } from "@headrace/ports";

/** It rests so many times as long as a step took: a fifth of the time goes into it at most. */
const REST_FACTOR = 4;

/** Calls `over` once, when the step has been done or has come to nothing. */
export type SweepStep = (over: () => void) => void;

export class SweepPace {
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #waiting: SweepStep[];
  /** A step is under way, or it rests from one. */
  #isTaken: boolean;

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#waiting = [];
    this.#isTaken = false;
  }

  /** The step is begun when those that were asked for before have been done, perhaps at once. */
  next(step: SweepStep): void {
    this.#waiting.push(step);
    this.#begin();
  }

  #begin(): void {
    if (this.#isTaken) return;
    const step = this.#waiting.shift();
    if (step === undefined) return;
    this.#isTaken = true;
    const beganMs = this.#clock.monotonicMs();
    step(() => {
      const tookMs = this.#clock.monotonicMs() - beganMs;
      this.#scheduler.after(Math.ceil(tookMs * REST_FACTOR), () => {
        this.#isTaken = false;
        this.#begin();
      });
    });
  }
}
