/**
 * Requests on lists and sorted sets beside the judged work (workload-commands.ts), on keys of their own to which anything may happen: nobody judges what is in
 * them, replicas have to agree on it.
 */
import type { SeededRandom } from "./seeded-random.ts";

type Make = (random: SeededRandom) => readonly string[];

const list = (random: SeededRandom): string => random.pick(["xl:{a}", "xl:{a}", "xl:{a}2"]);
const set = (random: SeededRandom): string => random.pick(["xz:{a}", "xz:{a}", "xz:{a}2"]);
/** Some so long that a few of them fill a leaf. */
const element = (random: SeededRandom): string => random.pick(["a", "b", "c", "7", "e".repeat(900)]);
const index = (random: SeededRandom): string => String(random.between(-5, 5));
const side = (random: SeededRandom): string => random.pick(["LEFT", "RIGHT"]);
const member = (random: SeededRandom): string => random.pick(["a", "b", "c", "d", "e", "f"]);
const score = (random: SeededRandom): string => random.pick(["0", "1", "2", "2.5", "-1", "inf", "-inf", "1e300"]);
const seconds = (random: SeededRandom): string => random.pick(["0.01", "0.03", "0.3"]);
const many = (random: SeededRandom, one: (random: SeededRandom) => string): readonly string[] =>
  Array.from({ length: random.chance(1, 10) ? 200 : random.between(1, 4) }, () => one(random));
const expiry = (random: SeededRandom): string => random.pick(["1", "50", "400", "3000"]);

export const onLists: readonly Make[] = [
  (random) => ["LPUSH", list(random), ...many(random, element)],
  (random) => ["RPUSH", list(random), ...many(random, element)],
  (random) => [random.pick(["LPUSHX", "RPUSHX"]), list(random), element(random)],
  (random) => [random.pick(["LPOP", "RPOP"]), list(random), random.pick(["0", "1", "3", "100"])],
  (random) => ["LSET", list(random), index(random), element(random)],
  (random) => ["LINSERT", list(random), random.pick(["BEFORE", "AFTER"]), element(random), element(random)],
  (random) => ["LREM", list(random), random.pick(["0", "1", "-2"]), element(random)],
  (random) => ["LTRIM", list(random), index(random), index(random)],
  (random) => ["LPOS", list(random), element(random), "RANK", "-1", "COUNT", "0"],
  (random) => [random.pick(["LINDEX", "LLEN"]), list(random), index(random)].slice(0, random.between(2, 3)),
  (random) => ["LMOVE", list(random), list(random), side(random), side(random)],
  (random) => ["BLMOVE", list(random), list(random), side(random), side(random), seconds(random)],
  (random) => ["BRPOPLPUSH", list(random), list(random), seconds(random)],
  (random) => ["BLPOP", "xl:{a}2", "xl:{a}", seconds(random)],
  (random) => ["BLMPOP", seconds(random), "2", "xl:{a}", "xz:{a}", side(random), "COUNT", "50"],
  (random) => [random.pick(["RENAME", "COPY"]), list(random), random.pick(["xl:{a}2", "xz:{a}2"])],
  (random) => ["PEXPIRE", list(random), expiry(random)],
  (random) => ["DEL", list(random)],
];

export const onSortedSets: readonly Make[] = [
  (random) => ["ZADD", set(random), ...many(random, (each) => `${each.below(50)}`).flatMap((n) => [n, `m${n}`])],
  (random) => ["ZADD", set(random), random.pick(["NX", "XX", "GT", "LT", "CH"]), score(random), member(random)],
  (random) => ["ZADD", set(random), "INCR", score(random), member(random)],
  (random) => ["ZINCRBY", set(random), score(random), member(random)],
  (random) => ["ZREM", set(random), member(random), member(random)],
  (random) => [random.pick(["ZPOPMIN", "ZPOPMAX"]), set(random), random.pick(["0", "1", "3", "100"])],
  (random) => ["ZMPOP", "2", "xz:{a}2", "xz:{a}", random.pick(["MIN", "MAX"]), "COUNT", "3"],
  (random) => [random.pick(["BZPOPMIN", "BZPOPMAX"]), "xz:{a}2", "xz:{a}", seconds(random)],
  (random) => ["BZMPOP", seconds(random), "2", "xz:{a}", "xl:{a}", random.pick(["MIN", "MAX"]), "COUNT", "50"],
  (random) => ["ZREMRANGEBYRANK", set(random), index(random), index(random)],
  (random) => ["ZREMRANGEBYSCORE", set(random), score(random), score(random)],
  (random) => ["ZREMRANGEBYLEX", set(random), "[b", "(d"],
  (random) => ["ZRANGESTORE", set(random), set(random), index(random), index(random), "REV"],
  (random) => ["ZUNIONSTORE", set(random), "2", set(random), set(random), "WEIGHTS", "2", "-1"],
  (random) => ["ZINTERSTORE", set(random), "2", set(random), set(random), "AGGREGATE", "MAX"],
  (random) => ["ZDIFFSTORE", set(random), "2", set(random), set(random)],
  (random) => ["ZRANGE", set(random), score(random), score(random), "BYSCORE", "LIMIT", "1", "3"],
  (random) => ["ZRANDMEMBER", set(random), "3", "WITHSCORES"],
  (random) => [random.pick(["RENAME", "COPY"]), set(random), random.pick(["xz:{a}2", "xl:{a}2"])],
  (random) => ["PEXPIRE", set(random), expiry(random)],
  (random) => ["DEL", set(random)],
];
