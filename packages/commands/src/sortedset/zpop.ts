/** ZPOPMIN, ZPOPMAX: take elements from an end. Whoever gets one has it alone, so replies wait for commit, at every ack level. Source: t_zset.c genericZpopCommand. */
import type { SortedSetView } from "@headrace/engine";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";

/** Writes elements, each as a pair of its own or all flat, and takes them. The head of the array has been written. */
export function take(
  context: ShardContext,
  key: string,
  set: SortedSetView,
  count: number,
  isMax: boolean,
  nests: boolean,
): void {
  const { reply, effects } = context;
  const from = isMax ? set.count - count : 0;
  set.visit(from, from + count, isMax, (member, score) => {
    if (nests) reply.array(2);
    reply.bulkLatin1(member);
    reply.double(score);
  });
  effects.values.sortedSets.removeRanks(key, from, from + count, isMax ? "zpopmax" : "zpopmin");
}

function popCommand(name: string, isMax: boolean, summary: string): CommandRecord {
  return defineCommand({
    name,
    arity: -2,
    flags: Flag.write | Flag.fast,
    since: "5.0.0",
    group: "sorted-set",
    summary,
    complexity:
      "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
    syntax: "key [count]",
    categories: ["sortedset"],
    keys: keyAt(1, "RW access delete"),
    handsOutData: true,
    execute(context) {
      const { request, reply, keyspace } = context;
      if (request.count > 3) return reply.error(Errors.syntax);
      const isCounted = request.count === 3;
      const wanted = isCounted ? readLong(request, 2) : 1;
      if (!(wanted >= 0)) return reply.error(Errors.notPositive);
      const key = request.latin1(1);
      const set = findSortedSet(keyspace, key);
      if (typeof set === "string") return reply.error(set);
      if (set === null || wanted === 0) return reply.array(0);
      const count = Math.min(wanted, set.count);
      const nests = isCounted && reply.version === 3;
      reply.array(nests ? count : count * 2);
      take(context, key, set, count, isMax, nests);
    },
  });
}

export const zpopmin = popCommand("zpopmin", false, "Remove and return members with the lowest scores in a sorted set");
export const zpopmax = popCommand("zpopmax", true, "Remove and return members with the highest scores in a sorted set");
