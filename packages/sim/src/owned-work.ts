/**
 * Lists and sorted sets with one writer each, who alone touches them: whatever they are asked, the answer is known (checkers/plain-values.ts). When the fate of a
 * write is unknown, its writer begins anew under another name.
 */
import { ErrorReply } from "./reply-value.ts";
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";

const OWNED = /^[lb]own-/;
/** Some become long enough for several leaves. */
const BURST = 60;
const ELEMENTS = ["a", "b", "c", "d", "e".repeat(300)];
const MEMBERS = Array.from({ length: 40 }, (_, i) => `m${i}`);
const SIDES = ["LEFT", "RIGHT"];

/** Whether the key has one writer. */
export function isOwned(key: string): boolean {
  return OWNED.test(key);
}

export class OwnedWork {
  readonly #client: string;
  #generation = 0;

  constructor(client: string) {
    this.#client = client;
  }

  get #lists(): readonly [string, string] {
    return [`lown-1-${this.#client}-${this.#generation}:{a}`, `lown-2-${this.#client}-${this.#generation}:{a}`];
  }

  get #sets(): readonly [string, string] {
    return [`bown-1-${this.#client}-${this.#generation}:{c}`, `bown-2-${this.#client}-${this.#generation}:{c}`];
  }

  /** Those that a quiet reader has to look at. */
  get keys(): readonly string[] {
    return [...this.#lists, ...this.#sets];
  }

  heard({ args, reply }: Operation): void {
    if (!this.keys.includes(args[1]!)) return;
    if (reply === undefined || (reply instanceof ErrorReply && reply.code === "UNCERTAIN")) this.#generation++;
  }

  nextOnList(random: SeededRandom): readonly string[] {
    const [list, other] = random.chance(1, 4) ? this.#lists.toReversed() : this.#lists;
    const index = (): string => String(random.between(-6, 6));
    const element = (): string => random.pick(ELEMENTS);
    const push = random.pick(["LPUSH", "RPUSH"]);
    const some = Array.from({ length: random.chance(1, 12) ? BURST : random.between(1, 3) }, element);
    const count = random.chance(1, 2) ? [] : [String(random.between(0, 4))];
    const requests: readonly (readonly string[])[] = [
      [push, list!, ...some],
      [push, list!, ...some],
      [push, list!, ...some],
      [`${push}X`, list!, element()],
      [random.pick(["LPOP", "RPOP"]), list!, ...count],
      ["LLEN", list!],
      ["LRANGE", list!, index(), index()],
      ["LINDEX", list!, index()],
      ["LSET", list!, index(), element()],
      ["LINSERT", list!, random.pick(["BEFORE", "AFTER"]), element(), element()],
      ["LREM", list!, String(random.between(-2, 2)), element()],
      ["LTRIM", list!, String(random.between(-2, 2)), random.chance(1, 6) ? index() : "-1"],
      ["LPOS", list!, element()],
      ["LMOVE", list!, random.pick([list!, other!]), random.pick(SIDES), random.pick(SIDES)],
      ["LRANGE", list!, "0", "-1"],
    ];
    return random.pick(requests);
  }

  nextOnSet(random: SeededRandom): readonly string[] {
    const [set, other] = random.chance(1, 4) ? this.#sets.toReversed() : this.#sets;
    const index = (): string => String(random.between(-6, 6));
    const score = (): string => String(random.between(-8, 8) / 2);
    const member = (): string => random.pick(MEMBERS);
    const pairs = Array.from({ length: random.chance(1, 12) ? BURST : random.between(1, 3) }, () => [
      score(),
      member(),
    ]);
    const options = random.pick([[], [], ["NX"], ["XX"], ["GT"], ["LT"], ["XX", "GT"], ["CH"], ["LT", "CH"]]);
    const count = random.chance(1, 2) ? [] : [String(random.between(0, 4))];
    const [low, high] = [score(), score()];
    const requests: readonly (readonly string[])[] = [
      ["ZADD", set!, ...options, ...pairs.flat()],
      ["ZADD", set!, ...options, ...pairs.flat()],
      ["ZADD", set!, ...options.filter((word) => word !== "CH"), "INCR", score(), member()],
      ["ZINCRBY", set!, score(), member()],
      ["ZREM", set!, member(), member()],
      [random.pick(["ZPOPMIN", "ZPOPMAX"]), set!, ...count],
      ["ZRANGE", set!, index(), index(), ...(random.chance(1, 2) ? ["REV"] : []), "WITHSCORES"],
      ["ZRANGEBYSCORE", set!, random.chance(1, 3) ? `(${low}` : low, random.chance(1, 3) ? "+inf" : high],
      ["ZREMRANGEBYRANK", set!, index(), index()],
      ["ZREMRANGEBYSCORE", set!, low, high],
      ["ZRANGESTORE", other!, set!, index(), index(), ...(random.chance(1, 2) ? ["REV"] : [])],
      [random.pick(["ZRANK", "ZREVRANK"]), set!, member()],
      ["ZSCORE", set!, member()],
      ["ZCOUNT", set!, low, high],
      ["ZCARD", set!],
      ["ZRANGE", set!, "0", "-1", "WITHSCORES"],
    ];
    return random.pick(requests);
  }
}

/** Key → all of it, as a quiet reader finds it. */
export function lookAtOwned(
  insist: (args: readonly string[], accept: (reply: ReplyValue) => boolean) => ReplyValue,
  works: readonly OwnedWork[],
): ReadonlyMap<string, readonly string[]> {
  const keys = works.flatMap((work) => work.keys);
  return new Map(
    keys.map((key) => {
      const ask = key.startsWith("l") ? ["LRANGE", key, "0", "-1"] : ["ZRANGE", key, "0", "-1", "WITHSCORES"];
      return [key, insist(ask, Array.isArray) as unknown as readonly string[]];
    }),
  );
}
