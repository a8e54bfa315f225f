/** Clock and scheduler of one simulated process; its wall clock may run wrong. */
import type { Clock, Scheduler, Timer } from "@headrace/ports";
import type { EventLoop, Life } from "./event-loop.ts";

/** All simulated clusters begin here: a plain past date, so that ids look like real ones. */
export const EPOCH_MS = 1_700_000_000_000;

export class SimClock implements Clock {
  /** Added to the true time; may be negative, may jump. */
  skewMs = 0;
  readonly #loop: EventLoop;
  readonly #givenMs: (() => number) | null;

  /** `givenMs`: a wall clock that does not follow simulated time. */
  constructor(loop: EventLoop, givenMs: (() => number) | null = null) {
    this.#loop = loop;
    this.#givenMs = givenMs;
  }

  wallMs(): number {
    if (this.#givenMs !== null) return this.#givenMs() + this.skewMs;
    return EPOCH_MS + Math.floor(this.#loop.nowMs + this.skewMs);
  }

  monotonicMs(): number {
    return this.#loop.nowMs;
  }
}

export class SimScheduler implements Scheduler {
  readonly #loop: EventLoop;
  readonly #life: Life;

  constructor(loop: EventLoop, life: Life) {
    this.#loop = loop;
    this.#life = life;
  }

  soon(task: () => void): void {
    this.#loop.after(0, "soon", this.#life, "", task);
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#loop.after(delayMs * this.#life.timerFactor, "timer", this.#life, "", task);
  }
}
