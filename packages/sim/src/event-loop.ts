/**
 * Simulated time: one heap of events ordered by (time, sequence). A step is one event. Every event belongs to a process in one of its lives;
 * when that life has ended the event is void. The trace hash folds what happened, so that equal seeds can be proven equal.
 */
import { crc32 } from "@headrace/bytes";
import { utf8Bytes } from "@headrace/bytes";
import type { Timer } from "@headrace/ports";

/** What kind of thing a step was: for counting, and for the trace. */
export type StepKind = "message" | "disk" | "timer" | "soon" | "client" | "fault";

/** One life of a simulated process. */
export class Life {
  readonly name: string;
  alive = true;
  /** SIGSTOP-like: its events wait until it goes on. */
  paused = false;
  /** Its timers take this many times as long: an overloaded process, or a clock that runs slow. */
  timerFactor = 1;

  constructor(name: string) {
    this.name = name;
  }
}

interface Event {
  timeMs: number;
  sequence: number;
  kind: StepKind;
  life: Life | null;
  label: string;
  run: (() => void) | null;
}

export class EventLoop {
  nowMs = 0;
  steps = 0;
  /** Whose event ran last; null: the world's. */
  lastLife: Life | null = null;
  readonly counts: Map<string, number> = new Map();
  /** Called with every step's line when set: `--trace`. */
  onTrace: ((line: string) => void) | null = null;
  #hash = 0;
  #sequence = 0;
  readonly #heap: Event[] = [];
  readonly #waiting: Map<Life, Event[]> = new Map();

  /** Digest of all steps so far. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  get pending(): number {
    return this.#heap.length;
  }

  at(timeMs: number, kind: StepKind, life: Life | null, label: string, run: () => void): Timer {
    const event: Event = {
      timeMs: Math.max(timeMs, this.nowMs),
      sequence: this.#sequence++,
      kind,
      life,
      label,
      run,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.run = null;
      },
    };
  }

  after(delayMs: number, kind: StepKind, life: Life | null, label: string, run: () => void): Timer {
    return this.at(this.nowMs + Math.max(0, delayMs), kind, life, label, run);
  }

  /** Folds a fact into the trace hash. */
  note(text: string): void {
    this.#hash = crc32(utf8Bytes(text), this.#hash);
    this.onTrace?.(`${this.nowMs.toFixed(3)} ${text}`);
  }

  countMany(what: string, times: number): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  resume(life: Life): void {
    life.paused = false;
    const waiting = this.#waiting.get(life) ?? [];
    this.#waiting.delete(life);
    for (const event of waiting) {
      event.timeMs = this.nowMs;
      event.sequence = this.#sequence++;
      this.#push(event);
    }
  }

  /** Runs the next event. False when nothing is left or the next one lies behind `untilMs`. */
  step(untilMs: number = Number.POSITIVE_INFINITY): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.timeMs > untilMs) return false;
      this.#pop();
      const run = event.run;
      if (run === null || (event.life !== null && !event.life.alive)) continue;
      if (event.life !== null && event.life.paused) {
        const list = this.#waiting.get(event.life) ?? [];
        list.push(event);
        this.#waiting.set(event.life, list);
        continue;
      }
      this.nowMs = event.timeMs;
      this.steps++;
      this.lastLife = event.life;
      this.note(`${event.kind} ${event.life?.name ?? "world"} ${event.label}`);
      run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    heap.push(event);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.sequence < b.sequence);
}
