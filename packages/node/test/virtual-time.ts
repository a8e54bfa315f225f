/** Time that passes when a test says so, what ends with a process, and the pace of sweeps by that time. */
import type { Scheduler, Timer } from "@headrace/ports";
import { SweepPace } from "../src/sweep-pace.ts";

interface Event {
  readonly timeMs: number;
  readonly sequence: number;
  readonly life: Life | null;
  run: (() => void) | null;
}

/** One life of a process: what it had begun ends with it. */
export class Life {
  alive = true;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export class VirtualTime {
  nowMs = 0;
  steps = 0;
  #events: Event[] = [];
  #sequence = 0;

  after(delayMs: number, life: Life | null, run: () => void): Timer {
    const event: Event = { timeMs: this.nowMs + Math.max(0, delayMs), sequence: this.#sequence++, life, run };
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1]!.timeMs > event.timeMs) at--;
    this.#events.splice(at, 0, event);
    return {
      cancel: () => {
        event.run = null;
      },
    };
  }

  /** Runs one event; false when there is none before `untilMs`. */
  step(untilMs: number): boolean {
    for (;;) {
      const event = this.#events[0];
      if (event === undefined || event.timeMs > untilMs) return false;
      this.#events.shift();
      if (event.run === null || event.life?.alive === false) continue;
      this.nowMs = event.timeMs;
      this.steps++;
      event.run();
      return true;
    }
  }

  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    while (this.step(untilMs));
    this.nowMs = untilMs;
  }

  /** Runs until `holds`, at most `withinMs`; whether it did. */
  runUntil(holds: () => boolean, withinMs: number): boolean {
    const untilMs = this.nowMs + withinMs;
    while (!holds()) {
      if (!this.step(untilMs)) return holds();
    }
    return true;
  }
}

/** For groups of one node. */
export function sweepPaceIn(time: VirtualTime, life: Life): SweepPace {
  const scheduler: Scheduler = {
    soon: (run) => void time.after(0, life, run),
    after: (ms, run) => time.after(ms, life, run),
  };
  return new SweepPace({ wallMs: () => time.nowMs, monotonicMs: () => time.nowMs }, scheduler);
}
