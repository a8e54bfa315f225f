/**
 * What simulated clients do with sets beside the streams: tickets that are put into a set once each, drawn out of it by SPOP, and moved from one set to another. What may be seen of
 * them, checkers/sets.ts says.
 */
import type { SeededRandom } from "./seeded-random.ts";
import type { SimClient } from "./sim-client.ts";

export const TICKETS = "st:{a}";
/** Where SMOVE brings some. */
export const MOVED = "sm:{a}";

export class SetWork {
  readonly #client: SimClient;
  readonly #random: SeededRandom;
  #made: number;

  constructor(client: SimClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
    this.#made = 0;
  }

  /** Some of it, now and then. */
  turn(): void {
    if (!this.#random.chance(1, 4)) return;
    const kind = this.#random.below(12);
    if (kind < 6) this.#client.send(["SADD", TICKETS, this.#ticket()]);
    else if (kind < 8) this.#client.send(["SPOP", TICKETS]);
    else if (kind < 10 && this.#made > 0) this.#client.send(["SMOVE", TICKETS, MOVED, this.#old()]);
    else this.#client.send(["SMEMBERS", this.#random.chance(1, 2) ? TICKETS : MOVED]);
  }

  /** Nobody makes it a second time. */
  #ticket(): string {
    return `${this.#client.name}-${this.#made++}`;
  }

  #old(): string {
    return `${this.#client.name}-${this.#random.below(this.#made)}`;
  }
}
