/** ZPOPMIN, ZPOPMAX, ZMPOP: take elements from an end. Whoever gets one has it alone, so replies wait for commit, at every ack level. Source: t_zset.c genericZpopCommand, zmpopGenericCommand. */
import type { SortedSetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt, countedKeys } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";

/** Writes elements, each as a pair of its own or all flat, and takes them. The head of the array has been written. */
function take(
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

interface PopOptions {
  readonly keyCount: number;
  readonly isMax: boolean;
  readonly count: number;
}

/** Or the error text. */
function readOptions(request: Request): PopOptions | string {
  const keyCount = readLong(request, 1);
  if (!(keyCount >= 1)) return Errors.numKeysNotPositive;
  const where = keyCount + 2;
  if (where >= request.count) return Errors.syntax;
  const isMax = request.is(where, "MAX");
  if (!isMax && !request.is(where, "MIN")) return Errors.syntax;
  let count = -1;
  for (let i = where + 1; i < request.count; i += 2) {
    if (count !== -1 || !request.is(i, "COUNT") || i + 1 >= request.count) return Errors.syntax;
    count = readLong(request, i + 1);
    if (!(count >= 1)) return Errors.popCountNotPositive;
  }
  return { keyCount, isMax, count: count === -1 ? 1 : count };
}

export const zmpop = defineCommand({
  name: "zmpop",
  arity: -4,
  flags: Flag.write | Flag.movablekeys,
  since: "7.0.0",
  group: "sorted-set",
  summary: "Remove and return members with scores in a sorted set",
  complexity:
    "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
  syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
  categories: ["sortedset"],
  keys: countedKeys(1, "RW access delete"),
  handsOutData: true,
  execute(context) {
    const { request, reply, keyspace } = context;
    const options = readOptions(request);
    if (typeof options === "string") return reply.error(options);
    for (let i = 0; i < options.keyCount; i++) {
      const key = request.latin1(2 + i);
      const set = findSortedSet(keyspace, key);
      if (typeof set === "string") return reply.error(set);
      if (set === null) continue;
      const count = Math.min(options.count, set.count);
      reply.array(2);
      reply.bulkLatin1(key);
      reply.array(count);
      return take(context, key, set, count, options.isMax, true);
    }
    reply.nullArray();
  },
});
