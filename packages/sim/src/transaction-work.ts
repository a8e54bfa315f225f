/**
 * What simulated clients do with MULTI, EXEC and WATCH. Two streams of one slot are only ever written together, in transactions; a third is a chain: each
 * entry names the one before it, as its writer read it under WATCH. What may be seen of them, checkers/transactions.ts says.
 */
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation, SimClient } from "./sim-client.ts";

export const PAIR: readonly [string, string] = ["y1:{a}", "y2:{a}"];
export const CHAIN = "w:{b}";
/** The oldest entry, of a block that often is not in memory. */
const FIRST_OF_CHAIN: readonly string[] = ["XRANGE", CHAIN, "-", "+", "COUNT", "1"];
/** What the first of a chain names. */
export const NO_ENTRY = "0-0";
/** Apart from the payloads of the same client's other work. */
const FIRST_SERIAL = 1_000_000;

export class TransactionWork {
  readonly #client: SimClient;
  readonly #random: SeededRandom;
  #serial: number = FIRST_SERIAL;
  /** The read between WATCH and EXEC. */
  #lookedAt: Operation | null = null;

  constructor(client: SimClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
  }

  /** Between WATCH and EXEC: an EXEC of somebody else would take the watch away. */
  get isWatching(): boolean {
    return this.#lookedAt !== null;
  }

  /** Some of it, now and then. Nothing comes between WATCH and its EXEC. */
  turn(): void {
    if (this.#lookedAt !== null || !this.#random.chance(1, 6)) return;
    const kind = this.#random.below(4);
    if (kind === 0) this.#write();
    else if (kind === 1) this.#transaction(PAIR.map((stream) => ["XRANGE", stream, "-", "+"]));
    else this.#watch();
  }

  /** Takes notice of a reply: the read was the last thing before EXEC. */
  heard(operation: Operation): void {
    if (operation !== this.#lookedAt) return;
    this.#lookedAt = null;
    const { reply } = operation;
    // A connection that is new watches nothing: whoever goes on there has forgotten its WATCH.
    if (reply === undefined || operation.connection !== this.#client.connections) return;
    if (!Array.isArray(reply) || this.#random.chance(1, 8)) {
      this.#client.send(["UNWATCH"]);
      return;
    }
    const [last] = reply as unknown as [[string]?];
    const add = ["XADD", CHAIN, "*", "p", this.#payload(), "prev", last?.[0] ?? NO_ENTRY];
    const parts = this.#random.pick([[add], [["ECHO", "x"], add], [FIRST_OF_CHAIN, add], [add, FIRST_OF_CHAIN]]);
    this.#transaction(parts);
  }

  #write(): void {
    const [first, second] = PAIR.map((stream) => ["XADD", stream, "*", "p", this.#payload()]) as [string[], string[]];
    const between = this.#random.pick([[], [["XLEN", PAIR[0]]], [["PING"]], [["XADD", PAIR[0], "0-1", "p", "never"]]]);
    this.#transaction([first, ...between, second]);
  }

  #watch(): void {
    this.#client.send(["WATCH", CHAIN]);
    const read = this.#client.send(["XREVRANGE", CHAIN, "+", "-", "COUNT", "1"]);
    if (read.open) this.#lookedAt = read;
  }

  #transaction(parts: readonly (readonly string[])[]): void {
    this.#client.send(["MULTI"]);
    for (const part of parts) this.#client.send(part, { isQueued: true });
    this.#client.send(["EXEC"], { parts });
  }

  #payload(): string {
    return `${this.#client.name}.${++this.#serial}`;
  }
}
