/**
 * What simulated clients do: producers at every ack level, readers, consumers of a group, and a token now and then that shows the order of replies.
 * Every entry carries a payload that exists once, so that id and payload identify each other.
 */
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";

export const GROUP = "g";

export interface WorkloadOptions {
  readonly streams: readonly string[];
}

/** Makes the requests of one client. */
export class ClientWork {
  readonly name: string;
  readonly #random: SeededRandom;
  readonly #streams: readonly string[];
  #serial = 0;
  /** Delivered to this consumer and not acknowledged by it: stream → ids. */
  readonly #mine: Map<string, string[]> = new Map();

  constructor(name: string, random: SeededRandom, options: WorkloadOptions) {
    this.name = name;
    this.#random = random;
    this.#streams = options.streams;
  }

  next(): readonly string[] {
    const random = this.#random;
    const stream = random.pick(this.#streams);
    const dice = random.below(100);
    if (dice < 40) return this.#add(stream);
    if (dice < 55) return ["XRANGE", stream, "-", "+"];
    if (dice < 60) return ["XLEN", stream];
    if (dice < 72)
      return ["XREADGROUP", "GROUP", GROUP, this.name, "COUNT", String(random.between(1, 5)), "STREAMS", stream, ">"];
    if (dice < 82) return this.#acknowledge(stream);
    if (dice < 86) return ["XPENDING", stream, GROUP, "-", "+", "1000", this.name];
    if (dice < 89) return ["XREVRANGE", stream, "+", "-", "COUNT", "1"];
    if (dice < 91) return ["XADD", stream, "NOMKSTREAM", "0-1", "p", this.#payload()];
    if (dice < 93) return ["WAIT", String(random.between(1, 2)), "100"];
    if (dice < 95) return ["XREAD", "COUNT", "10", "BLOCK", "50", "STREAMS", stream, "$"];
    return ["ECHO", this.#payload()];
  }

  /** Takes notice of what it was given. */
  heard(operation: Operation): void {
    if (operation.args[0] !== "XREADGROUP" || !Array.isArray(operation.reply)) return;
    for (const [stream, entries] of operation.reply as unknown as [string, [string, unknown][]][]) {
      const list = this.#mine.get(stream) ?? [];
      for (const [id] of entries) list.push(id);
      this.#mine.set(stream, list);
    }
  }

  #add(stream: string): readonly string[] {
    const level = this.#random.pick(["ALL", "ALL", "ALL", "1", "0", ""]);
    const ack = level === "" ? [] : ["ACK", level];
    return ["XADD", stream, ...ack, "*", "p", this.#payload()];
  }

  #acknowledge(stream: string): readonly string[] {
    const mine = this.#mine.get(stream);
    if (mine === undefined || mine.length === 0) return this.#add(stream);
    const ids = mine.splice(0, this.#random.between(1, Math.min(4, mine.length)));
    return ["XACK", stream, GROUP, ...ids];
  }

  #payload(): string {
    return `${this.name}.${++this.#serial}`;
  }
}
