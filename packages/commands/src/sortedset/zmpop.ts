/** ZMPOP numkeys key … MIN | MAX [COUNT count], and BZMPOP with a timeout in front (first-pop.ts). */
import type { SortedSetView } from "@headrace/engine";
import { Flag } from "../command.ts";
import { blockingMultiPop, multiPop, type PoppedKind } from "../first-pop.ts";
import { countedKeys, defineCommand } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";
import { take } from "./zpop.ts";

export const poppedSortedSet: PoppedKind<SortedSetView> = {
  kind: "zset",
  find: findSortedSet,
  sizeOf: (set) => set.count,
  readEnd(request, i) {
    if (request.is(i, "MIN")) return true;
    return request.is(i, "MAX") ? false : null;
  },
  take: (context, key, set, count, isMin) => take(context, key, set, count, !isMin, true),
};

const shared = {
  since: "7.0.0",
  group: "sorted-set",
  complexity:
    "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
  categories: ["sortedset"],
  handsOutData: true,
} as const;

export const zmpop = defineCommand({
  ...shared,
  name: "zmpop",
  arity: -4,
  flags: Flag.write | Flag.movablekeys,
  summary: "Remove and return members with scores in a sorted set",
  syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
  keys: countedKeys(1, "RW access delete"),
  execute: (context) => multiPop(poppedSortedSet, context),
});

export const bzmpop = defineCommand({
  ...shared,
  name: "bzmpop",
  arity: -5,
  flags: Flag.write | Flag.blocking | Flag.movablekeys,
  summary: "Remove and return members with scores in a sorted set or block until one is available",
  syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
  argumentTypes: { timeout: "double" },
  keys: countedKeys(2, "RW access delete"),
  timeOut: (reply) => reply.nullArray(),
  timeoutAt: 1,
  execute: (context) => blockingMultiPop(poppedSortedSet, context),
});
