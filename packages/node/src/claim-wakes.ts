/**
 * When calls that wait with CLAIM have to look again although nobody has touched their keys: a pending entry becomes old enough. One timer a key, for the
 * earliest time that a call has named; later ones are named again by the run that the earliest one causes. It may come too early (the entry was
 * acknowledged), never too late. Leader-local, as the calls themselves.
 */
import type { Scheduler, Timer } from "@headrace/ports";

/** Timers hold no longer times; a look too early finds nothing and names its time again. */
const DELAY_MS_MAX = 3_600_000;

interface Wake {
  readonly atMs: number;
  readonly timer: Timer;
}

export class ClaimWakes {
  readonly #scheduler: Scheduler;
  readonly #wake: () => void;
  readonly #wakes: Map<string, Wake>;
  #due: string[];

  /** `wake`: a key is due; take it with `takeDue` in the next turn. */
  constructor(scheduler: Scheduler, wake: () => void) {
    this.#scheduler = scheduler;
    this.#wake = wake;
    this.#wakes = new Map();
    this.#due = [];
  }

  /** Calls that wait for the key look again at `atMs`, in log time, which is `nowMs` now. Infinity: need not. */
  at(key: string, atMs: number, nowMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) return;
    const known = this.#wakes.get(key);
    if (known !== undefined && known.atMs <= atMs) return;
    known?.timer.cancel();
    const delayMs = Math.min(Math.max(1, atMs - nowMs), DELAY_MS_MAX);
    const timer = this.#scheduler.after(delayMs, () => {
      this.#wakes.delete(key);
      this.#due.push(key);
      this.#wake();
    });
    this.#wakes.set(key, { atMs, timer });
  }

  /** Nobody waits for the key any more. */
  forget(key: string): void {
    this.#wakes.get(key)?.timer.cancel();
    this.#wakes.delete(key);
  }

  /** Keys whose time has come since the last call. */
  takeDue(): readonly string[] {
    if (this.#due.length === 0) return this.#due;
    const due = this.#due;
    this.#due = [];
    return due;
  }
}
