/** The real source of chance and the keyed digest, both node:crypto's. */
import { createHmac, randomFillSync } from "node:crypto";
import type { Digest, Random } from "@headrace/ports";

const POOL_WORDS = 256;

/** Drawn from the operating system in pools: election jitter and incarnations, nothing hot. */
export class SystemRandom implements Random {
  readonly #pool: Uint32Array<ArrayBuffer> = new Uint32Array(POOL_WORDS);
  #next = POOL_WORDS;

  u32(): number {
    if (this.#next === POOL_WORDS) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    return this.#pool[this.#next++]!;
  }

  below(n: number): number {
    // Rejection keeps it uniform: the incomplete last multiple of n is drawn again.
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % n);
    for (;;) {
      const value = this.u32();
      if (value < limit) return value % n;
    }
  }
}

export const systemDigest: Digest = {
  hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
};
