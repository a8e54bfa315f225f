/** Wakes the leader for what is due at a log time: one timer, for the earliest time that was named. A turn that comes too early names it again. */
import type { Scheduler, Timer } from "@headrace/ports";

/** A clock that may not be stamped yet is asked again this often. */
const WAKE_MIN_MS = 10;
const WAKE_MAX_MS = 60_000;

export class DueTimer {
  readonly #scheduler: Scheduler;
  readonly #wake: () => void;
  #timer: Timer | null;
  /** The time that the timer waits for. */
  #atMs: number;

  constructor(scheduler: Scheduler, wake: () => void) {
    this.#scheduler = scheduler;
    this.#wake = wake;
    this.#timer = null;
    this.#atMs = 0;
  }

  /** When log time is above `atMs`; it is `nowMs` now. */
  wakeAt(atMs: number, nowMs: number): void {
    if (this.#timer !== null && this.#atMs <= atMs) return;
    this.#timer?.cancel();
    this.#atMs = atMs;
    const delayMs = Math.min(Math.max(atMs + 1 - nowMs, WAKE_MIN_MS), WAKE_MAX_MS);
    this.#timer = this.#scheduler.after(delayMs, () => {
      this.#timer = null;
      this.#wake();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
