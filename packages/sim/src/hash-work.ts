/**
 * What simulated clients do with hashes beside the streams: fields of which each has one writer, who sets and deletes them, and fields that everybody counts up. What may be seen of
 * them, checkers/hashes.ts says.
 */
import type { HashesView } from "./checkers/hashes.ts";
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimClient } from "./sim-client.ts";

/** Its fields begin with the name of who writes them, and so do their values; no value comes twice. */
export const REGISTERS = "hw:{a}";
/** By HINCRBY. */
export const FIELD_COUNTS = "hc:{c}";
/** By HINCRBYFLOAT, in steps of a quarter. */
export const FIELD_QUARTERS = "hf:{c}";
export const COUNTED_FIELDS: readonly string[] = ["m", "n"];
export const QUARTER = 0.25;

/** `ask` answers with an array. */
export function lookAtHashes(ask: (args: readonly string[]) => ReplyValue): HashesView {
  return {
    registers: ask(["HGETALL", REGISTERS]) as readonly string[],
    counts: ask(["HMGET", FIELD_COUNTS, ...COUNTED_FIELDS]) as readonly (string | null)[],
    quarters: ask(["HMGET", FIELD_QUARTERS, ...COUNTED_FIELDS]) as readonly (string | null)[],
  };
}

const FIELDS = 30;
/** With some values of more than 64 bytes it is no listpack for long. */
const PADDING_MAX = 90;

export class HashWork {
  readonly #client: SimClient;
  readonly #random: SeededRandom;
  #written: number;

  constructor(client: SimClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
    this.#written = 0;
  }

  /** Some of it, now and then. */
  turn(): void {
    if (!this.#random.chance(1, 4)) return;
    const kind = this.#random.below(16);
    if (kind < 5) this.#write();
    else if (kind < 7) this.#client.send(["HDEL", REGISTERS, this.#field()]);
    else if (kind < 9) this.#client.send(["HGETALL", REGISTERS]);
    else if (kind < 12) this.#client.send(["HINCRBY", FIELD_COUNTS, this.#random.pick(COUNTED_FIELDS), "1"]);
    else if (kind < 14)
      this.#client.send(["HINCRBYFLOAT", FIELD_QUARTERS, this.#random.pick(COUNTED_FIELDS), String(QUARTER)]);
    else
      this.#client.send(["HGET", this.#random.pick([FIELD_COUNTS, FIELD_QUARTERS]), this.#random.pick(COUNTED_FIELDS)]);
  }

  /** One to three fields at once. */
  #write(): void {
    const first = this.#random.below(FIELDS);
    const pairs: string[] = [];
    for (let i = this.#random.between(1, 3); i > 0; i--) pairs.push(this.#fieldOf(first + i), this.#value());
    this.#client.send(["HSET", REGISTERS, ...pairs]);
  }

  #field(): string {
    return this.#fieldOf(this.#random.below(FIELDS));
  }

  #fieldOf(number: number): string {
    return `${this.#client.name}-${number % FIELDS}`;
  }

  #value(): string {
    return `${this.#client.name}:${this.#written++}:${"x".repeat(this.#random.below(PADDING_MAX))}`;
  }
}
