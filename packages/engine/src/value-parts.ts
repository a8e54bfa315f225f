/**
 * Which parts of a value the store has, and which of them have changed: what a kind keeps whose values may become large. Parts are numbered by the kind as it
 * likes (places in a string, leaves of an order); a number that is used no more is only marked, like one that has changed.
 */
import type { DirtyMeter } from "./dirty-meter.ts";

export class ValueParts {
  /** In the store, or in a capture on its way there. */
  readonly stored: Set<number>;
  #dirty: Set<number>;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    this.stored = new Set();
    this.#dirty = new Set();
    this.#meter = meter;
  }

  /** Neither is there one in the store nor one to be written. */
  get isEmpty(): boolean {
    return this.stored.size === 0 && this.#dirty.size === 0;
  }

  /** The part has changed, or is there no more. `bytes`: what a capture will write for it, about. */
  mark(number: number, bytes: number): void {
    if (this.#dirty.has(number)) return;
    this.#dirty.add(number);
    this.#meter.bytes += bytes;
  }

  /**
   * All that is dirty: `write` answers whether the part is there, and has written it then; `put` and `remove` make rows of it. What is returned goes to
   * `restore` if the capture is dropped.
   */
  capture(
    write: (number: number) => boolean,
    put: (number: number) => void,
    remove: (number: number) => void,
  ): readonly number[] {
    const captured = [...this.#dirty].sort((a, b) => a - b);
    this.#dirty = new Set();
    for (const number of captured) {
      if (write(number)) {
        put(number);
        this.stored.add(number);
      } else if (this.stored.delete(number)) {
        remove(number);
      }
    }
    return captured;
  }

  /** The capture that had these was dropped. */
  restore(captured: readonly number[]): void {
    for (const number of captured) this.#dirty.add(number);
  }
}

/** Splits `length` bytes into parts of `partBytes`; answers where part `number` ends, −1 when there is no such part. */
export function partEnd(number: number, partBytes: number, length: number): number {
  const start = number * partBytes;
  return start >= length ? -1 : Math.min(start + partBytes, length);
}
