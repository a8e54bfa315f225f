/**
 * How long the calls of one command took: a histogram of microseconds whose buckets are a sixteenth of a power of two wide, so a percentile is off by
 * at most 6 %. Fixed size, no allocation when something is observed.
 */
import type { LatencyDistribution } from "@headrace/commands";

const SUB_BITS = 4;
const SUB_COUNT = 1 << SUB_BITS;
/** Below that each microsecond has its own bucket. */
const EXACT = 2 * SUB_COUNT;
const MICROSECONDS_MAX = 0x7fff_ffff;
const BUCKETS = EXACT + (31 - (SUB_BITS + 1)) * SUB_COUNT;

export class CommandLatency implements LatencyDistribution {
  count: number = 0;
  readonly #buckets: Float64Array = new Float64Array(BUCKETS);

  /** `count` calls took this long, each. */
  observe(durationMs: number, count: number): void {
    const microseconds = Math.floor(durationMs * 1000);
    this.#buckets[bucketOf(Math.min(MICROSECONDS_MAX, Math.max(0, microseconds)))]! += count;
    this.count += count;
  }

  percentile(percent: number): number {
    const wanted = Math.max(1, Math.ceil((percent / 100) * this.count));
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.#buckets[i]!;
      if (seen >= wanted) return upperBound(i);
    }
    return 0;
  }

  powersOfTwo(): { microseconds: number; calls: number }[] {
    const found: { microseconds: number; calls: number }[] = [];
    let calls = 0;
    let i = 0;
    for (let microseconds = 1; microseconds <= 2 ** 31 && calls < this.count; microseconds *= 2) {
      const before = calls;
      while (i < BUCKETS && upperBound(i) <= microseconds) calls += this.#buckets[i++]!;
      if (calls > before) found.push({ microseconds, calls });
    }
    return found;
  }
}

function bucketOf(microseconds: number): number {
  if (microseconds < EXACT) return microseconds;
  const exponent = 31 - Math.clz32(microseconds);
  const sub = (microseconds >>> (exponent - SUB_BITS)) & (SUB_COUNT - 1);
  return EXACT + (exponent - SUB_BITS - 1) * SUB_COUNT + sub;
}

/** The greatest whole number of microseconds in the bucket. */
function upperBound(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const exponent = Math.floor((bucket - EXACT) / SUB_COUNT) + SUB_BITS + 1;
  const sub = (bucket - EXACT) % SUB_COUNT;
  return (SUB_COUNT + sub + 1) * 2 ** (exponent - SUB_BITS) - 1;
}
