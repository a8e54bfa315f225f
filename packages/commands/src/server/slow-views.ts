/** What SLOWLOG and LATENCY may see of the process that measured it. */
import type { CommandNumbers } from "./info-numbers.ts";

export interface SlowLogEntry {
  readonly id: number;
  readonly unixSeconds: number;
  readonly durationUs: number;
  /** Arguments, long ones and many of them cut as Redis cuts them. */
  readonly words: readonly string[];
  readonly address: string;
  readonly clientName: string;
}

export interface SlowLogView {
  readonly length: number;
  /** The youngest first. */
  entries(): Iterable<SlowLogEntry>;
  reset(): void;
}

export interface LatencySample {
  readonly unixSeconds: number;
  readonly latencyMs: number;
}

export interface LatencyEvent {
  readonly name: string;
  /** At most one each second, the oldest first. */
  readonly samples: readonly LatencySample[];
  /** Greatest since the start or the last reset. */
  readonly maxMs: number;
}

export interface LatencyView {
  /** latency-monitor-threshold; 0: nothing is watched. */
  readonly thresholdMs: number;
  events(): Iterable<LatencyEvent>;
  /** Forgets these events, or all when none is named; answers how many there were. */
  reset(names: readonly string[]): number;
  /** Commands that have been called, for LATENCY HISTOGRAM. */
  commands(): Iterable<CommandNumbers>;
}
