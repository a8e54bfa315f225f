/** What every kind of load has: it is prepared, runs until it is told to stop, and counts what was answered between two moments. */
import type { LatencyHistogram } from "./histogram.ts";
import type { Timeline } from "./job.ts";

export interface Load {
  /** Connects, and writes what must be there before. */
  prepare(): Promise<void>;
  /** Sends, until `stop`. `failed` ends everything. */
  start(failed: (error: Error) => void): void;
  /** Sends nothing new, and closes. */
  stop(): void;
  /** Answered so far. */
  readonly operations: number;
  readonly latencies: LatencyHistogram;
  /** Of a load that changes with time, so far. */
  readonly timeline?: Timeline;
}
