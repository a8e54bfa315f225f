/**
 * What simulated clients do with groups that give entries up (XGROUP SETDLQ): every tenth entry is poison, which nobody ever acknowledges; others are
 * acknowledged, if not always in time. Some dead letters are sent back. What has to come of it, checkers/dead-letters.ts says.
 */
import { type DeadLetterView, isPoison } from "./checkers/dead-letters.ts";
import type { Entry } from "./checkers/reading.ts";
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";

export const LETTER_GROUP = "g";
export const RETRIES_MAX = 3;
/** Of the slots of one shard and of another one; their dead letters come together in one stream of the second. The last one never gets any back. */
export const LETTERED: readonly string[] = ["p:{b}", "p:{d}", "p:{c}"];
export const DEAD = "pdead:{d}";
const POISON_OF = 10;
const DRAIN_MS = 3000;
/** As many as a client keeps in mind; those it forgets are handed out again. */
const MINE_MAX = 20;

export const deadLetterPreparations: readonly (readonly string[])[] = LETTERED.flatMap((stream) => [
  ["XGROUP", "CREATE", stream, LETTER_GROUP, "0", "MKSTREAM"],
  ["XGROUP", "SETRETRY", stream, LETTER_GROUP, "MIN-IDLE", "30", "BACKOFF", "2", "MAX", "200"],
  ["XGROUP", "SETDLQ", stream, LETTER_GROUP, DEAD, "MAX_RETRIES", String(RETRIES_MAX)],
]);

/** One client's part. */
export class DeadLetterWork {
  readonly #name: string;
  readonly #random: SeededRandom;
  /** Given to it and not dealt with. */
  readonly #mine: { readonly stream: string; readonly id: string; readonly payload: string }[] = [];
  #serial = 0;

  constructor(name: string, random: SeededRandom) {
    this.#name = name;
    this.#random = random;
  }

  heard({ args, reply }: Operation): void {
    if (!Array.isArray(reply)) return;
    if (args[0] === "XREADGROUP") {
      for (const [stream, entries] of reply as unknown as readonly (readonly [string, readonly Entry[]])[])
        this.#keep(stream, entries);
    } else if (args[0] === "XAUTOCLAIM" && LETTERED.includes(args[1]!)) {
      this.#keep(args[1]!, reply[1] as unknown as readonly Entry[]);
    }
  }

  #keep(stream: string, entries: readonly Entry[]): void {
    if (!LETTERED.includes(stream)) return;
    for (const [id, fields] of entries) this.#mine.push({ stream, id, payload: fields[1]! });
    if (this.#mine.length > MINE_MAX) this.#mine.splice(0, this.#mine.length - MINE_MAX);
  }

  next(): readonly string[] {
    const random = this.#random;
    const stream = random.pick(LETTERED);
    const kind = random.below(20);
    if (kind < 6) return this.#add(stream);
    if (kind < 11) {
      const block = random.chance(1, 3) ? ["BLOCK", random.pick(["20", "80"])] : [];
      const claim = random.chance(1, 6) ? ["CLAIM", "60"] : [];
      const streams = random.chance(1, 5) ? LETTERED : [stream];
      const count = ["COUNT", String(random.between(1, 4))];
      const after = streams.map(() => ">");
      const call = ["XREADGROUP", "GROUP", LETTER_GROUP, this.#name];
      return [...call, ...count, ...block, ...claim, "STREAMS", ...streams, ...after];
    }
    if (kind < 12)
      return ["XAUTOCLAIM", stream, LETTER_GROUP, this.#name, "50", "0", "COUNT", String(random.between(1, 3))];
    if (kind < 13) return this.#redrive();
    return this.#dealWithOne() ?? this.#add(stream);
  }

  #add(stream: string): readonly string[] {
    const poison = this.#random.chance(1, POISON_OF) ? "!" : "";
    return ["XADD", stream, "*", "p", `${this.#name}.p${++this.#serial}${poison}`];
  }

  #redrive(): readonly string[] {
    const count = this.#random.chance(1, 3) ? [] : ["COUNT", String(this.#random.between(1, 3))];
    return ["XGROUP", "REDRIVE", this.#random.pick(LETTERED.slice(0, 2)), LETTER_GROUP, ...count];
  }

  #dealWithOne(): readonly string[] | null {
    const one = this.#mine.shift();
    if (one === undefined) return null;
    const { stream, id, payload } = one;
    if (!isPoison(payload)) return ["XACK", stream, LETTER_GROUP, id];
    // It was tried once more, in vain; or somebody knows already.
    const how = this.#random.pick(["FAIL", "FAIL", "FATAL"]);
    return ["XNACK", stream, LETTER_GROUP, how, "IDS", "1", id];
  }
}

/** Reads all that is ever handed out, and acknowledges what is no poison. `ask`: a request whose answer is not lost; `settle`: until no outbox holds anything. */
export function drainDeadLetters(
  ask: (args: readonly string[]) => ReplyValue,
  settle: () => void,
  reader: string,
): DeadLetterView {
  // What is on its way back comes to be handed out, and may become a dead letter again.
  settle();
  const acknowledged = new Map<string, string[]>(LETTERED.map((stream) => [stream, []]));
  const read = ["XREADGROUP", "GROUP", LETTER_GROUP, reader, "COUNT", "100", "BLOCK", String(DRAIN_MS), "STREAMS"];
  for (;;) {
    const reply = ask([...read, ...LETTERED, ...LETTERED.map(() => ">")]);
    if (reply === null) break;
    for (const [stream, entries] of reply as unknown as readonly (readonly [string, readonly Entry[]])[])
      for (const [id, fields] of entries) {
        if (isPoison(fields[1]!)) continue;
        if (ask(["XACK", stream, LETTER_GROUP, id]) !== 1)
          throw new Error(`${stream} ${id} was handed out at the end and is not pending`);
        acknowledged.get(stream)!.push(id);
      }
  }
  settle();
  return {
    dead: ask(["XRANGE", DEAD, "-", "+"]) as unknown as readonly Entry[],
    streams: new Map(
      LETTERED.map((stream) => {
        const [pendingCount] = ask(["XPENDING", stream, LETTER_GROUP]) as unknown as [number];
        const entries = ask(["XRANGE", stream, "-", "+"]) as unknown as readonly Entry[];
        return [stream, { entries, acknowledged: acknowledged.get(stream)!, pendingCount }];
      }),
    ),
  };
}
