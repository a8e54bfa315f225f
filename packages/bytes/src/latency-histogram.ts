/**
 * Durations counted in buckets of powers of two, for metrics: plain numbers, no object per observation.
 *
 *   bucket i   up to 2^(i - 4) ms:  62.5 µs, 125 µs … 8.192 s;  the last one holds what is longer
 */
const FIRST_EXPONENT = -4;
const FINITE_BUCKETS = 18;

export class LatencyHistogram {
  /** Observations by bucket, not summed up. */
  readonly counts: Float64Array = new Float64Array(FINITE_BUCKETS + 1);
  sumMs: number = 0;
  count: number = 0;

  /** Upper bounds of the buckets but the last, ascending. */
  static readonly boundsMs: readonly number[] = Array.from(
    { length: FINITE_BUCKETS },
    (_, i) => 2 ** (i + FIRST_EXPONENT),
  );

  observe(durationMs: number): void {
    let bucket = 0;
    let boundMs = 2 ** FIRST_EXPONENT;
    while (durationMs > boundMs && bucket < FINITE_BUCKETS) {
      boundMs *= 2;
      bucket++;
    }
    this.counts[bucket]!++;
    this.sumMs += durationMs;
    this.count++;
  }

  /** For status pages. */
  toJSON(): { readonly count: number; readonly sumMs: number } {
    return { count: this.count, sumMs: this.sumMs };
  }
}
