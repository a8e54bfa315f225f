/**
 * Lets one line per key through in each interval. A peer that is refused redials every second for hours: the first line says why, the
 * repeats would only hide other lines.
 */
const LOG_INTERVAL_MS = 10_000;
const KEYS_MAX = 1024;

export class LogLimiter {
  readonly #nextAtMs: Map<string, number> = new Map();

  allows(key: string): boolean {
    const nowMs = performance.now();
    const nextAtMs = this.#nextAtMs.get(key);
    if (nextAtMs !== undefined && nowMs < nextAtMs) return false;
    // Keys hold addresses, which strangers choose: forget all rather than grow.
    if (this.#nextAtMs.size >= KEYS_MAX) this.#nextAtMs.clear();
    this.#nextAtMs.set(key, nowMs + LOG_INTERVAL_MS);
    return true;
  }
}
