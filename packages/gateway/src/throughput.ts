/** What INFO calls instantaneous: means of the last samples of growing counters, as in Redis' trackInstantaneousMetric (16 samples of 100 ms). */
const SAMPLES = 16;
export const SAMPLE_MS = 100;

export class Throughput {
  readonly #perSecond: Float64Array = new Float64Array(SAMPLES);
  #next: number = 0;
  #lastValue: number = 0;
  #lastMs: number = -1;

  sample(value: number, nowMs: number): void {
    if (this.#lastMs >= 0 && nowMs > this.#lastMs) {
      // A counter that was set back begins anew.
      this.#perSecond[this.#next] = (Math.max(0, value - this.#lastValue) * 1000) / (nowMs - this.#lastMs);
      this.#next = (this.#next + 1) % SAMPLES;
    }
    this.#lastMs = nowMs;
    this.#lastValue = value;
  }

  get perSecond(): number {
    let sum = 0;
    for (const one of this.#perSecond) sum += one;
    return sum / SAMPLES;
  }
}
