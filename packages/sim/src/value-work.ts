/**
 * What simulated clients do with values beside the streams: counters that everybody counts up, and a stream, a counter and a string that only ever grow together,
 * in transactions. What may be seen of them, checkers/values.ts says.
 */
import { HashWork } from "./hash-work.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SetWork } from "./set-work.ts";
import type { SimClient } from "./sim-client.ts";

export const COUNTERS: readonly string[] = ["v:{a}", "v:{c}"];
/** By one each, in every transaction that writes them. */
export const GROWING = { stream: "z:{d}", counter: "zn:{d}", text: "zt:{d}" } as const;
export const LOOK_AT_GROWING: readonly (readonly string[])[] = [
  ["XLEN", GROWING.stream],
  ["GET", GROWING.counter],
  ["STRLEN", GROWING.text],
];
const GROW: readonly (readonly string[])[] = [
  ["XADD", GROWING.stream, "*", "f", "v"],
  ["INCR", GROWING.counter],
  ["APPEND", GROWING.text, "x"],
];

export class ValueWork {
  readonly #client: SimClient;
  readonly #random: SeededRandom;
  readonly #sets: SetWork;
  readonly #hashes: HashWork;

  constructor(client: SimClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
    this.#sets = new SetWork(client, random.fork());
    this.#hashes = new HashWork(client, random.fork());
  }

  /** Some of it, now and then. `mayTransact`: the client watches nothing that its next EXEC is for. */
  turn(mayTransact: boolean): void {
    this.#sets.turn();
    this.#hashes.turn();
    if (!this.#random.chance(1, 4)) return;
    const kind = this.#random.below(10);
    if (kind < 5) this.#client.send(["INCR", this.#random.pick(COUNTERS)]);
    else if (kind < 7) this.#client.send(["GET", this.#random.pick(COUNTERS)]);
    else if (mayTransact) this.#transaction(kind < 9 ? GROW : LOOK_AT_GROWING);
  }

  #transaction(parts: readonly (readonly string[])[]): void {
    this.#client.send(["MULTI"]);
    for (const part of parts) this.#client.send(part, { isQueued: true });
    this.#client.send(["EXEC"], { parts });
  }
}
