/**
 * What simulated clients do with lists. Queues: elements that exist once are pushed at one end and taken at the other, by calls that wait and calls that do not;
 * some are moved to a list of what is being worked on, and leave it when they are done. Bags: elements come and go at both ends and in between, and wander from
 * one to another. What may be seen of them, checkers/lists.ts says.
 */
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";

/** Queues of one slot, and where elements of them are while they are worked on. */
export interface QueueGroup {
  readonly queues: readonly string[];
  readonly working: string;
}

/** Of two shards. */
export const QUEUE_GROUPS: readonly QueueGroup[] = [
  { queues: ["lq:{a}", "lr:{a}"], working: "lw:{a}" },
  { queues: ["lq:{d}"], working: "lw:{d}" },
];
export const BAGS: readonly string[] = ["lb:{c}", "lc:{c}"];
export const LISTS: readonly string[] = [
  ...QUEUE_GROUPS.flatMap(({ queues, working }) => [...queues, working]),
  ...BAGS,
];

/** Seconds, from at once to beyond an election. */
const TIMEOUTS = ["0.02", "0.06", "0.2", "1", "4"];
const SIDES = ["LEFT", "RIGHT"];

export class ListWork {
  readonly #name: string;
  #made = 0;
  /** Moved for this client, and not done: which list they are in, and which they are. */
  readonly #moved: (readonly [working: string, element: string])[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  next(random: SeededRandom): readonly string[] {
    const group = random.pick(QUEUE_GROUPS);
    const queue = random.pick(group.queues);
    const kind = random.below(32);
    if (kind < 10) return this.#push(random, queue);
    if (kind < 12) return ["LPOP", queue, ...(random.chance(1, 2) ? [String(random.between(1, 4))] : [])];
    if (kind < 20) return this.#takeWaiting(random, group);
    if (kind < 22)
      return random.chance(1, 2) ? this.#wait(random, group, queue) : ["LMOVE", queue, group.working, ...SIDES];
    if (kind < 24) return this.#finish() ?? this.#push(random, queue);
    if (kind < 25) return ["LRANGE", random.pick(LISTS), "0", "-1"];
    if (kind < 26) return ["LLEN", queue];
    return this.#withBags(random);
  }

  heard({ args, reply }: Operation): void {
    const [name, from, to] = args;
    if (name === "LREM" && isRefusal(reply)) this.#remember(from!, args[3]!);
    if ((name === "LMOVE" || name === "BLMOVE") && typeof reply === "string") this.#remember(to!, reply);
  }

  #remember(working: string, element: string): void {
    if (QUEUE_GROUPS.some((group) => group.working === working)) this.#moved.push([working, element]);
  }

  /** Nobody makes it a second time. */
  #element(): string {
    return `${this.#name}-${this.#made++}`;
  }

  #elements(random: SeededRandom): readonly string[] {
    return Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => this.#element());
  }

  #push(random: SeededRandom, queue: string): readonly string[] {
    return [random.chance(1, 8) ? "RPUSHX" : "RPUSH", queue, ...this.#elements(random)];
  }

  #takeWaiting(random: SeededRandom, { queues }: QueueGroup): readonly string[] {
    const first = random.pick(queues);
    const keys = [first, ...queues.filter((queue) => queue !== first && random.chance(1, 2))];
    const timeout = random.pick(TIMEOUTS);
    const several = [String(keys.length), ...keys, "LEFT", "COUNT", String(random.between(1, 3))];
    const kind = random.below(6);
    if (kind === 0) return ["LMPOP", ...several];
    return kind < 3 ? ["BLMPOP", timeout, ...several] : ["BLPOP", ...keys, timeout];
  }

  #wait(random: SeededRandom, { working }: QueueGroup, queue: string): readonly string[] {
    return ["BLMOVE", queue, working, ...SIDES, random.pick(TIMEOUTS)];
  }

  #finish(): readonly string[] | null {
    const done = this.#moved.shift();
    return done === undefined ? null : ["LREM", done[0], "1", done[1]];
  }

  #withBags(random: SeededRandom): readonly string[] {
    const bag = random.pick(BAGS);
    const other = random.pick(BAGS);
    const timeout = random.pick(TIMEOUTS);
    const old = `${this.#name}-${random.below(this.#made + 1)}`;
    const kind = random.below(20);
    if (kind < 7) return [random.pick(["LPUSH", "RPUSH", "LPUSHX"]), bag, ...this.#elements(random)];
    if (kind < 8) return ["LINSERT", bag, random.pick(["BEFORE", "AFTER"]), old, this.#element()];
    if (kind < 9) return ["LREM", bag, random.pick(["1", "-1", "0"]), old];
    if (kind < 10) return ["LMOVE", bag, other, random.pick(SIDES), random.pick(SIDES)];
    if (kind < 11) return ["RPOPLPUSH", bag, other];
    if (kind < 13) return ["BLMOVE", bag, other, random.pick(SIDES), random.pick(SIDES), timeout];
    if (kind < 14) return ["BRPOPLPUSH", bag, other, timeout];
    if (kind < 16) return ["RPOP", bag, ...(random.chance(1, 2) ? [String(random.between(1, 3))] : [])];
    if (kind < 17) return ["LPOP", bag];
    return random.chance(1, 2) ? ["BRPOP", bag, other, timeout] : ["BLPOP", other, bag, timeout];
  }
}

/** Nothing of it has happened. */
function isRefusal(reply: ReplyValue | undefined): boolean {
  return reply instanceof Object && "code" in reply && reply.code !== "UNCERTAIN";
}

/** List → its elements, as a quiet reader finds them. `insist`: asks until the answer is one that is accepted. */
export function lookAtLists(
  insist: (args: readonly string[], accept: (reply: ReplyValue) => boolean) => ReplyValue,
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    LISTS.map((list) => [list, insist(["LRANGE", list, "0", "-1"], Array.isArray) as unknown as readonly string[]]),
  );
}
