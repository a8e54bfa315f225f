/** The real clock and scheduler. */
import type { Clock, Scheduler, Timer } from "@headrace/ports";

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const systemScheduler: Scheduler = {
  // After the poll phase: everything that had arrived shares the turn.
  soon(task: () => void): void {
    setImmediate(task);
  },
  after(delayMs: number, task: () => void): Timer {
    // setTimeout drops the fraction: rounded up, it is never early.
    const timer = setTimeout(task, Math.ceil(delayMs));
    return { cancel: () => clearTimeout(timer) };
  },
};
