/**
 * Latencies in buckets that are 1 % wide: bounded memory however many are recorded, and cheap enough to record every one. Answers are the middle of a
 * bucket, so at most half a per cent off.
 */
import type { Latencies } from "./job.ts";

const LOWEST_MS = 0.001;
const WIDTH = Math.log(1.01);
/** Up to 1000 s. */
const BUCKETS = Math.ceil(Math.log(1e6 / LOWEST_MS) / WIDTH) + 2;

export class LatencyHistogram {
  readonly #counts: Float64Array = new Float64Array(BUCKETS);
  #count = 0;
  #max = 0;

  record(ms: number, times: number = 1): void {
    const bucket = ms <= LOWEST_MS ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log(ms / LOWEST_MS) / WIDTH) + 1);
    this.#counts[bucket]! += times;
    this.#count += times;
    if (ms > this.#max) this.#max = ms;
  }

  get count(): number {
    return this.#count;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#max = 0;
  }

  /** The latency that this share of all does not pass (nearest rank); NaN when there is none. */
  quantile(share: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank)
        return Math.min(this.#max, bucket === 0 ? LOWEST_MS : LOWEST_MS * Math.exp((bucket - 0.5) * WIDTH));
    }
    return this.#max;
  }

  figures(): Latencies {
    return {
      count: this.#count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p99: this.quantile(0.99),
      p999: this.quantile(0.999),
      max: this.#max,
    };
  }
}
