/**
 * What simulated clients do: producers at every ack level, readers, consumers of a group, and a token now and then that shows the order of replies.
 * Every entry carries a payload that exists once, so that id and payload identify each other.
 */
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";

export const GROUP = "g";

export interface WorkloadOptions {
  readonly streams: readonly string[];
  /** Only looks. Where nobody writes, nothing but the proof of leadership stands between a reader and a deposed leader's past. */
  readonly isReader: boolean;
}

/** Makes the requests of one client. */
export class ClientWork {
  readonly name: string;
  readonly #random: SeededRandom;
  readonly #streams: readonly string[];
  readonly #isReader: boolean;
  #serial = 0;
  /** Delivered to this consumer and not acknowledged by it: stream → ids. */
  readonly #mine: Map<string, string[]> = new Map();
  /** Added by this client and not deleted by it. */
  readonly #added: Map<string, string[]> = new Map();

  constructor(name: string, random: SeededRandom, options: WorkloadOptions) {
    this.name = name;
    this.#random = random;
    this.#streams = options.streams;
    this.#isReader = options.isReader;
  }

  next(): readonly string[] {
    const random = this.#random;
    const stream = random.pick(this.#streams);
    if (this.#isReader) return this.#look(stream);
    const dice = random.below(100);
    if (dice < 38) return this.#add(stream);
    if (dice < 52) return ["XRANGE", stream, "-", "+"];
    if (dice < 56) return ["XLEN", stream];
    if (dice < 58) return this.#delete(stream);
    if (dice < 70)
      return ["XREADGROUP", "GROUP", GROUP, this.name, "COUNT", String(random.between(1, 5)), "STREAMS", stream, ">"];
    if (dice < 80) return this.#acknowledge(stream);
    if (dice < 82) return ["XAUTOCLAIM", stream, GROUP, this.name, "0", "-", "COUNT", String(random.between(1, 3))];
    if (dice < 85) return ["XPENDING", stream, GROUP, "-", "+", "1000", this.name];
    if (dice < 88) return ["XREVRANGE", stream, "+", "-", "COUNT", "1"];
    if (dice < 90) return ["XADD", stream, "NOMKSTREAM", "0-1", "p", this.#payload()];
    if (dice < 92) return ["WAIT", String(random.between(1, 2)), "100"];
    if (dice < 93) return ["WAITAOF", "1", String(random.between(1, 2)), "100"];
    if (dice < 95) return ["XREAD", "COUNT", "10", "BLOCK", "50", "STREAMS", stream, "$"];
    return ["ECHO", this.#payload()];
  }

  #look(stream: string): readonly string[] {
    const dice = this.#random.below(10);
    if (dice < 4) return ["XRANGE", stream, "-", "+"];
    if (dice < 8) return ["XREVRANGE", stream, "+", "-", "COUNT", "1"];
    return dice < 9 ? ["XLEN", stream] : ["XREAD", "COUNT", "10", "STREAMS", stream, "0"];
  }

  /** Takes notice of what it was given. */
  heard(operation: Operation): void {
    const { args, reply } = operation;
    if (args[0] === "XADD" && typeof reply === "string") this.#keep(this.#added, args[1]!, [reply]);
    if (!Array.isArray(reply)) return;
    if (args[0] === "XAUTOCLAIM") this.#keep(this.#mine, args[1]!, idsOf(reply[1]));
    if (args[0] !== "XREADGROUP") return;
    for (const [stream, entries] of reply as unknown as [string, unknown][])
      this.#keep(this.#mine, stream, idsOf(entries));
  }

  #keep(table: Map<string, string[]>, stream: string, ids: readonly string[]): void {
    const list = table.get(stream) ?? [];
    list.push(...ids);
    table.set(stream, list);
  }

  /** One of its own entries, most often one that was added just now. */
  #delete(stream: string): readonly string[] {
    const list = this.#added.get(stream);
    if (list === undefined || list.length === 0) return this.#add(stream);
    const at = this.#random.chance(1, 2) ? list.length - 1 : this.#random.below(list.length);
    return ["XDEL", stream, ...list.splice(at, 1)];
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

function idsOf(entries: unknown): readonly string[] {
  return (entries as readonly [string, unknown][]).map(([id]) => id);
}
