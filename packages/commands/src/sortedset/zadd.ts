/** ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member …, ZINCRBY. What is logged are the scores that come of it. Source: t_zset.c zaddGenericCommand, zsetAdd. */
import type { SortedSetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findSortedSet, keptScore } from "./find-sorted-set.ts";
import { readScore } from "./score.ts";

const Bit = { nx: 1, xx: 2, gt: 4, lt: 8, ch: 16, incr: 32 } as const;
const WORDS: readonly (readonly [word: string, bit: number])[] = [
  ["NX", Bit.nx],
  ["XX", Bit.xx],
  ["CH", Bit.ch],
  ["INCR", Bit.incr],
  ["GT", Bit.gt],
  ["LT", Bit.lt],
];

function bitOf(request: Request, i: number): number {
  return WORDS.find(([word]) => request.is(i, word))?.[1] ?? 0;
}

/** The error text or null. */
function refusalOf(bits: number, words: number): string | null {
  const has = (bit: number): boolean => (bits & bit) !== 0;
  if (words === 0 || words % 2 !== 0) return Errors.syntax;
  if (has(Bit.nx) && has(Bit.xx)) return Errors.zaddNxAndXx;
  if ((has(Bit.gt) && has(Bit.nx)) || (has(Bit.lt) && has(Bit.nx)) || (has(Bit.gt) && has(Bit.lt)))
    return Errors.zaddGtLtNx;
  return has(Bit.incr) && words > 2 ? Errors.zaddIncrOnePair : null;
}

/** The member's new score; null: it stays as it is, or out; a string: the error text. */
function scoreAfter(before: number | undefined, given: number, bits: number): number | null | string {
  if (before === undefined) return (bits & Bit.xx) !== 0 ? null : given;
  if ((bits & Bit.nx) !== 0) return null;
  const score = (bits & Bit.incr) !== 0 ? before + given : given;
  if (Number.isNaN(score)) return Errors.scoreNotNumber;
  if ((bits & Bit.gt) !== 0 && score <= before) return null;
  if ((bits & Bit.lt) !== 0 && score >= before) return null;
  return score;
}

function add(context: ShardContext, firstPair: number, bits: number): void {
  const { request, reply, keyspace, effects } = context;
  const error = refusalOf(bits, request.count - firstPair);
  if (error !== null) return reply.error(error);
  const given: number[] = [];
  for (let i = firstPair; i < request.count; i += 2) {
    const score = readScore(request, i);
    if (Number.isNaN(score)) return reply.error(Errors.notFloat);
    given.push(score);
  }
  const key = request.latin1(1);
  const found = findSortedSet(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  const changes = new Changes(found);
  let last: number | null = null;
  for (const [pair, score] of given.entries()) {
    const member = request.latin1(firstPair + pair * 2 + 1);
    const after = scoreAfter(changes.scoreOf(member), score, bits);
    if (typeof after === "string") return reply.error(after);
    if (after !== null) changes.put(member, after);
    last = after;
  }
  const { scores, added, updated } = changes;
  if (scores.size > 0) {
    const isIncrement = (bits & Bit.incr) !== 0;
    effects.values.sortedSets.put(key, [...scores.keys()], [...scores.values()], isIncrement ? "zincr" : "zadd");
  }
  if ((bits & Bit.incr) === 0) reply.integer((bits & Bit.ch) !== 0 ? added + updated : added);
  else if (last === null) reply.nullBulk();
  else reply.double(last);
}

/** What one command makes of a set, pair by pair: a member may come twice. */
class Changes {
  readonly #set: SortedSetView | null;
  readonly scores: Map<string, number>;
  added: number;
  updated: number;

  constructor(set: SortedSetView | null) {
    this.#set = set;
    this.scores = new Map();
    this.added = 0;
    this.updated = 0;
  }

  scoreOf(member: string): number | undefined {
    return this.scores.get(member) ?? this.#set?.scoreOf(member);
  }

  put(member: string, score: number): void {
    const before = this.scoreOf(member);
    if (before === score) return;
    this.scores.set(member, keptScore(score));
    if (before === undefined) this.added++;
    else this.updated++;
  }
}

export const zadd = defineCommand({
  name: "zadd",
  arity: -4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "1.2.0",
  group: "sorted-set",
  summary: "Add one or more members to a sorted set, or update its score if it already exists",
  complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
  syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
  argumentTypes: { score: "double" },
  categories: ["sortedset"],
  keys: keyAt(1, "RW update"),
  execute(context) {
    const { request } = context;
    let bits = 0;
    let i = 2;
    for (let bit = bitOf(request, i); i < request.count && bit !== 0; bit = i < request.count ? bitOf(request, i) : 0) {
      bits |= bit;
      i++;
    }
    add(context, i, bits);
  },
});

export const zincrby = defineCommand({
  name: "zincrby",
  arity: 4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "1.2.0",
  group: "sorted-set",
  summary: "Increment the score of a member in a sorted set",
  complexity: "O(log(N)) where N is the number of elements in the sorted set.",
  syntax: "key increment member",
  argumentTypes: { increment: "integer" },
  categories: ["sortedset"],
  keys: keyAt(1, "RW access update"),
  execute: (context) => add(context, 2, Bit.incr),
});
