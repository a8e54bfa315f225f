/** The real clock and scheduler. */
import type { Clock, Scheduler, Timer } from "@headrace/ports";

/** What setTimeout takes; a longer delay would fire at once. */
const TIMEOUT_MAX_MS = 0x7fffffff;

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
    if (delayMs > TIMEOUT_MAX_MS) return afterLong(delayMs, task);
    // setTimeout drops the fraction: rounded up, it is never early.
    const timer = setTimeout(task, Math.ceil(delayMs));
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Beyond 24 days (a client may ask for any BLOCK): in steps. */
function afterLong(delayMs: number, task: () => void): Timer {
  let leftMs = delayMs;
  let timer: NodeJS.Timeout;
  const step = (): void => {
    if (leftMs <= 0) {
      task();
      return;
    }
    const stepMs = Math.min(leftMs, TIMEOUT_MAX_MS);
    leftMs -= stepMs;
    timer = setTimeout(step, Math.ceil(stepMs));
  };
  step();
  return { cancel: () => clearTimeout(timer) };
}
