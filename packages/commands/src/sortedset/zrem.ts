/** ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX. Source: t_zset.c zremCommand, zremrangeGenericCommand. */
import type { SortedSetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";
import { ranksOfIndexes, ranksOfLex, ranksOfScores, readLexRange } from "./ranges.ts";
import type { Ranks } from "./ranges.ts";
import { readScoreRange } from "./score.ts";

export const zrem = defineCommand({
  name: "zrem",
  arity: -3,
  flags: Flag.write | Flag.fast,
  since: "1.2.0",
  group: "sorted-set",
  summary: "Remove one or more members from a sorted set",
  complexity:
    "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
  syntax: "key member [member ...]",
  categories: ["sortedset"],
  keys: keyAt(1, "RW delete"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const set = findSortedSet(keyspace, key);
    if (typeof set === "string") return reply.error(set);
    if (set === null) return reply.integer(0);
    const members = new Set<string>();
    for (let i = 2; i < request.count; i++) {
      const member = request.latin1(i);
      if (set.scoreOf(member) !== undefined) members.add(member);
    }
    if (members.size > 0) effects.values.sortedSets.remove(key, [...members], "zrem");
    reply.integer(members.size);
  },
});

type RanksOf = (set: SortedSetView) => Ranks;

function removeRange(
  name: string,
  spec: Pick<CommandRecord, "since" | "summary" | "syntax"> & Partial<CommandRecord>,
  read: (request: Request) => RanksOf | string,
): CommandRecord {
  return defineCommand({
    ...spec,
    name,
    arity: 4,
    flags: Flag.write,
    group: "sorted-set",
    complexity:
      "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
    categories: ["sortedset"],
    keys: keyAt(1, "RW delete"),
    execute({ request, reply, keyspace, effects }) {
      const ranksOf = read(request);
      if (typeof ranksOf === "string") return reply.error(ranksOf);
      const key = request.latin1(1);
      const set = findSortedSet(keyspace, key);
      if (typeof set === "string") return reply.error(set);
      const { from, to } = set === null ? { from: 0, to: 0 } : ranksOf(set);
      if (from < to) effects.values.sortedSets.removeRanks(key, from, to, name);
      reply.integer(to - from);
    },
  });
}

export const zremrangebyrank = removeRange(
  "zremrangebyrank",
  {
    since: "2.0.0",
    summary: "Remove all members in a sorted set within the given indexes",
    syntax: "key start stop",
    argumentTypes: { start: "integer", stop: "integer" },
  },
  (request) => {
    const start = readLong(request, 2);
    const stop = readLong(request, 3);
    if (Number.isNaN(start) || Number.isNaN(stop)) return Errors.notInteger;
    return (set) => ranksOfIndexes(set.count, start, stop);
  },
);

export const zremrangebyscore = removeRange(
  "zremrangebyscore",
  {
    since: "1.2.0",
    summary: "Remove all members in a sorted set within the given scores",
    syntax: "key min max",
    argumentTypes: { min: "double", max: "double" },
  },
  (request) => {
    const range = readScoreRange(request, 2, 3);
    return range === null ? Errors.scoreRange : (set) => ranksOfScores(set, range);
  },
);

export const zremrangebylex = removeRange(
  "zremrangebylex",
  {
    since: "2.8.9",
    summary: "Remove all members in a sorted set between the given lexicographical range",
    syntax: "key min max",
    argumentTypes: { min: "string", max: "string" },
  },
  (request) => {
    const range = readLexRange(request, 2, 3);
    return range === null ? Errors.lexRange : (set) => ranksOfLex(set, range, false, 0);
  },
);
