/**
 * LATENCY's events: replies that came at least latency-monitor-threshold milliseconds after their request, the worst of each second. Source of the
 * form: redis latency.c (160 samples an event).
 */
import type { CommandNumbers, LatencyEvent, LatencyView } from "@headrace/commands";

const SAMPLES_MAX = 160;
const COMMAND_EVENT = "command";

interface Sample {
  readonly unixSeconds: number;
  latencyMs: number;
}

export class LatencyMonitor implements LatencyView {
  thresholdMs: number = 0;
  readonly #commands: () => Iterable<CommandNumbers>;
  #samples: Sample[] = [];
  #maxMs: number = 0;

  constructor(commands: () => Iterable<CommandNumbers>) {
    this.#commands = commands;
  }

  isSlow(durationMs: number): boolean {
    return this.thresholdMs > 0 && durationMs >= this.thresholdMs;
  }

  add(durationMs: number, wallMs: number): void {
    const unixSeconds = Math.floor(wallMs / 1000);
    const latencyMs = Math.floor(durationMs);
    this.#maxMs = Math.max(this.#maxMs, latencyMs);
    const last = this.#samples.at(-1);
    if (last !== undefined && last.unixSeconds === unixSeconds) {
      last.latencyMs = Math.max(last.latencyMs, latencyMs);
      return;
    }
    this.#samples.push({ unixSeconds, latencyMs });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  events(): readonly LatencyEvent[] {
    if (this.#samples.length === 0) return [];
    return [{ name: COMMAND_EVENT, samples: this.#samples, maxMs: this.#maxMs }];
  }

  reset(names: readonly string[]): number {
    const isNamed = names.length === 0 || names.includes(COMMAND_EVENT);
    if (!isNamed || this.#samples.length === 0) return 0;
    this.#samples = [];
    this.#maxMs = 0;
    return 1;
  }

  commands(): Iterable<CommandNumbers> {
    return this.#commands();
  }
}
