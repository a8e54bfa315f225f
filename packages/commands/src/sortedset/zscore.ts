/** ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT: what is known of a set and of its members. Source: t_zset.c. */
import type { SortedSetView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";
import { ranksOfLex, ranksOfScores, readLexRange } from "./ranges.ts";
import { readScoreRange } from "./score.ts";

function look(
  name: string,
  spec: Pick<CommandRecord, "arity" | "since" | "summary" | "complexity" | "syntax"> & Partial<CommandRecord>,
  access: string,
  answer: (context: ShardContext, set: SortedSetView | null) => void,
): CommandRecord {
  return defineCommand({
    ...spec,
    name,
    flags: Flag.readonly | Flag.fast,
    group: "sorted-set",
    categories: ["sortedset"],
    keys: keyAt(1, access),
    execute(context) {
      const set = findSortedSet(context.keyspace, context.request.latin1(1));
      if (typeof set === "string") context.reply.error(set);
      else answer(context, set);
    },
  });
}

export const zcard = look(
  "zcard",
  {
    arity: 2,
    since: "1.2.0",
    summary: "Get the number of members in a sorted set",
    complexity: "O(1)",
    syntax: "key",
  },
  "RO",
  ({ reply }, set) => reply.integer(set === null ? 0 : set.count),
);

function writeScore({ request, reply }: ShardContext, set: SortedSetView | null, i: number): void {
  const score = set?.scoreOf(request.latin1(i));
  if (score === undefined) reply.nullBulk();
  else reply.double(score);
}

export const zscore = look(
  "zscore",
  {
    arity: 3,
    since: "1.2.0",
    summary: "Get the score associated with the given member in a sorted set",
    complexity: "O(1)",
    syntax: "key member",
  },
  "RO access",
  (context, set) => writeScore(context, set, 2),
);

export const zmscore = look(
  "zmscore",
  {
    arity: -3,
    since: "6.2.0",
    summary: "Get the score associated with the given members in a sorted set",
    complexity: "O(N) where N is the number of members being requested.",
    syntax: "key member [member ...]",
  },
  "RO access",
  (context, set) => {
    context.reply.array(context.request.count - 2);
    for (let i = 2; i < context.request.count; i++) writeScore(context, set, i);
  },
);

export const zrank = look(
  "zrank",
  {
    arity: 3,
    since: "2.0.0",
    summary: "Determine the index of a member in a sorted set",
    complexity: "O(log(N))",
    syntax: "key member",
  },
  "RO access",
  ({ request, reply }, set) => {
    const rank = set === null ? -1 : set.rankOf(request.latin1(2));
    if (rank < 0) reply.nullBulk();
    else reply.integer(rank);
  },
);

export const zrevrank = look(
  "zrevrank",
  {
    arity: 3,
    since: "2.0.0",
    summary: "Determine the index of a member in a sorted set, with scores ordered from high to low",
    complexity: "O(log(N))",
    syntax: "key member",
  },
  "RO access",
  ({ request, reply }, set) => {
    const rank = set === null ? -1 : set.rankOf(request.latin1(2));
    if (rank < 0) reply.nullBulk();
    else reply.integer(set!.count - 1 - rank);
  },
);

const COUNT_COMPLEXITY = "O(log(N)) with N being the number of elements in the sorted set.";

export const zcount = defineCommand({
  name: "zcount",
  arity: 4,
  flags: Flag.readonly | Flag.fast,
  since: "2.0.0",
  group: "sorted-set",
  summary: "Count the members in a sorted set with scores within the given values",
  complexity: COUNT_COMPLEXITY,
  syntax: "key min max",
  argumentTypes: { min: "double", max: "double" },
  categories: ["sortedset"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const range = readScoreRange(request, 2, 3);
    if (range === null) return reply.error(Errors.scoreRange);
    const set = findSortedSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    const { from, to } = set === null ? { from: 0, to: 0 } : ranksOfScores(set, range);
    reply.integer(to - from);
  },
});

export const zlexcount = defineCommand({
  name: "zlexcount",
  arity: 4,
  flags: Flag.readonly | Flag.fast,
  since: "2.8.9",
  group: "sorted-set",
  summary: "Count the number of members in a sorted set between a given lexicographical range",
  complexity: COUNT_COMPLEXITY,
  syntax: "key min max",
  argumentTypes: { min: "string", max: "string" },
  categories: ["sortedset"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const range = readLexRange(request, 2, 3);
    if (range === null) return reply.error(Errors.lexRange);
    const set = findSortedSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    const { from, to } = set === null ? { from: 0, to: 0 } : ranksOfLex(set, range, false, 0);
    reply.integer(to - from);
  },
});
