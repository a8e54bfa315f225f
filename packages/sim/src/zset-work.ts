/**
 * What simulated clients do with sorted sets that all of them share. Tickets: members that are put in once, with a score, and taken from the ends, by calls that
 * wait and calls that do not. Counters: members that everybody counts up. A board that is cut back to its best, and the best of it in a set of their own. What
 * may be seen of them, checkers/zsets.ts says.
 */
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Of one slot. */
export const TICKET_SETS: readonly string[] = ["bt:{b}", "bu:{b}"];
export const COUNTING = "bc:{a}";
export const COUNTED: readonly string[] = ["m", "n"];
export const BOARD = "br:{d}";
/** What it is cut back to: few, so that runs in which much else is done come to it. */
export const BOARD_MAX = 5;
export const BEST = "bs:{d}";
export const BEST_MAX = 2;

/** Few enough for some to be alike. */
const PRIORITIES = 12;
const BOARD_SCORES = 1_000_000;
/** Seconds, from at once to beyond an election. */
const TIMEOUTS = ["0.02", "0.06", "0.2", "1", "4"];
const STORE_BEST = ["ZRANGESTORE", BEST, BOARD, "0", String(BEST_MAX - 1), "REV"] as const;

export class ZsetWork {
  readonly #name: string;
  #made = 0;

  constructor(name: string) {
    this.#name = name;
  }

  next(random: SeededRandom): readonly string[] {
    const kind = random.below(40);
    if (kind < 22) return this.#withTickets(random);
    if (kind < 29) {
      const member = random.pick(COUNTED);
      if (random.chance(1, 3)) return ["ZSCORE", COUNTING, member];
      return random.chance(1, 2) ? ["ZINCRBY", COUNTING, "1", member] : ["ZADD", COUNTING, "INCR", "1", member];
    }
    if (kind < 35) {
      const pairs = Array.from({ length: random.pick([1, 1, 2]) }, () => [
        String(random.below(BOARD_SCORES)),
        this.#member(),
      ]);
      return ["ZADD", BOARD, ...(random.chance(1, 3) ? ["CH"] : []), ...pairs.flat()];
    }
    if (kind < 37) return ["ZREMRANGEBYRANK", BOARD, "0", String(-BOARD_MAX - 1)];
    if (kind < 38) return STORE_BEST;
    return ["ZRANGE", random.pick([BEST, BOARD]), "0", "-1", "WITHSCORES"];
  }

  /** Nobody makes it a second time. */
  #member(): string {
    return `${this.#name}-${this.#made++}`;
  }

  #withTickets(random: SeededRandom): readonly string[] {
    const [set, other] = random.chance(1, 2) ? TICKET_SETS : TICKET_SETS.toReversed();
    const keys = random.chance(1, 3) ? [set!, other!] : [set!];
    const several = [String(keys.length), ...keys, random.pick(["MIN", "MAX"]), "COUNT", String(random.between(1, 3))];
    const timeout = random.pick(TIMEOUTS);
    const kind = random.below(20);
    if (kind < 7) return this.#put(random, set!);
    if (kind < 9) {
      const count = random.chance(1, 2) ? [String(random.between(1, 3))] : [];
      return [random.pick(["ZPOPMIN", "ZPOPMAX"]), set!, ...count];
    }
    if (kind < 10) return ["ZMPOP", ...several];
    if (kind < 14) return [random.pick(["BZPOPMIN", "BZPOPMAX"]), ...keys, timeout];
    if (kind < 17) return ["BZMPOP", timeout, ...several];
    if (kind < 18) return ["ZREM", set!, `${this.#name}-${random.below(this.#made + 1)}`];
    return ["ZRANGE", set!, "0", "-1", "WITHSCORES"];
  }

  #put(random: SeededRandom, set: string): readonly string[] {
    const options = random.pick([[], [], ["NX"], ["CH"], ["GT"], ["NX", "CH"]]);
    const pairs = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => [
      String(random.below(PRIORITIES) / 2),
      this.#member(),
    ]);
    return ["ZADD", set, ...options, ...pairs.flat()];
  }
}

export type Scored = readonly [member: string, score: number];

/** Of a reply of pairs one after the other. */
export function scoredOf(reply: ReplyValue): readonly Scored[] {
  const words = reply as unknown as readonly string[];
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i]!, Number(words[2 * i + 1])]);
}

/** As a quiet reader finds them at the end, in their order. */
export interface ZsetView {
  readonly tickets: ReadonlyMap<string, readonly Scored[]>;
  readonly counted: ReadonlyMap<string, number>;
  readonly board: readonly Scored[];
  /** Stored once more, before anybody looks. */
  readonly best: readonly Scored[];
}

/** `insist`: asks until the answer is one that is accepted. */
export function lookAtZsets(
  insist: (args: readonly string[], accept: (reply: ReplyValue) => boolean) => ReplyValue,
): ZsetView {
  const whole = (set: string): readonly Scored[] =>
    scoredOf(insist(["ZRANGE", set, "0", "-1", "WITHSCORES"], Array.isArray));
  insist(STORE_BEST, (reply) => typeof reply === "number");
  return {
    tickets: new Map(TICKET_SETS.map((set) => [set, whole(set)])),
    counted: new Map(whole(COUNTING)),
    board: whole(BOARD),
    best: whole(BEST),
  };
}
