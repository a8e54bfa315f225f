/** Chance from one seed. xoshiro128** (Blackman and Vigna, public domain algorithm), seeded by splitmix32. */
import type { Random } from "@headrace/ports";

export class SeededRandom implements Random {
  readonly #state: Uint32Array = new Uint32Array(4);

  constructor(seed: number) {
    let mix = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      mix = (mix + 0x9e3779b9) >>> 0;
      let z = mix;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = (z ^ (z >>> 15)) >>> 0;
    }
  }

  u32(): number {
    const s = this.#state;
    const scrambled = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotateLeft(s[3]!, 11);
    return scrambled;
  }

  below(n: number): number {
    // The bias of the plain product is below 2^-32·n: of no matter for scheduling and faults.
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }

  /** True with the probability `parts` in `whole`. */
  chance(parts: number, whole: number): boolean {
    return this.below(whole) < parts;
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** An own stream for a part of the run, so that one part's draws do not shift another's. */
  fork(): SeededRandom {
    return new SeededRandom(this.u32());
  }
}

function rotateLeft(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}
