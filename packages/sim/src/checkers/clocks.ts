/**
 * Log time never runs ahead of the clocks (I4): what a leader stamps is at most 1 s beyond the median of a quorum's clocks. A leader may know a clock as it was
 * some time ago, so each counts with the most that it was ever ahead; then no leader of three nodes can be beyond the median of those.
 */
import { EPOCH_MS } from "../sim-clock.ts";
import type { SimulatedCluster } from "../simulated-cluster.ts";

const TOLERANCE_MS = 1000;
/** Clocks and stamps are in whole milliseconds. */
const ROUNDING_MS = 2;

export class ClockChecker {
  readonly #cluster: SimulatedCluster;
  /** By machine: how far its clock was ahead at most. */
  readonly #mostAheadMs: number[];

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    this.#mostAheadMs = cluster.machines.map(() => 0);
  }

  /** After every step: clocks are set between any two. */
  look(): void {
    for (const { index, skewMs } of this.#cluster.machines) {
      if (skewMs > this.#mostAheadMs[index]!) this.#mostAheadMs[index] = skewMs;
    }
  }

  /** With more machines the members of a shard are not known here. */
  check(): void {
    if (this.#mostAheadMs.length !== 3) return;
    const [, median] = this.#mostAheadMs.toSorted((a, b) => a - b);
    const limitMs = EPOCH_MS + this.#cluster.loop.nowMs + median! + TOLERANCE_MS + ROUNDING_MS;
    for (const { machine, shard } of this.#cluster.replicas()) {
      if (!shard.isHealthy) continue;
      const { logTimeMs } = shard.status();
      if (logTimeMs <= limitMs) continue;
      const aheadMs = Math.round(logTimeMs - EPOCH_MS - this.#cluster.loop.nowMs);
      throw new Error(
        `log time of shard ${shard.groupId} on ${machine.name} is ${aheadMs} ms ahead; the median clock was ${Math.round(median!)} at most`,
      );
    }
  }
}
