/** ZMPOP numkeys key … MIN | MAX [COUNT count], and BZMPOP with a timeout in front. Source: t_zset.c zmpopGenericCommand. */
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { readTimeoutMs, waitForElement } from "../element-wait.ts";
import { Errors } from "../errors.ts";
import { firstValue, keysAt } from "../first-value.ts";
import { countedKeys, defineCommand } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";
import { take } from "./zpop.ts";

interface MultiPop {
  readonly keys: readonly string[];
  readonly isMax: boolean;
  readonly count: number;
}

/** `countAt`: where the number of keys stands. Or the error text. */
function readMultiPop(request: Request, countAt: number): MultiPop | string {
  const keyCount = readLong(request, countAt);
  if (!(keyCount >= 1)) return Errors.numKeysNotPositive;
  const where = countAt + keyCount + 1;
  if (where >= request.count) return Errors.syntax;
  const isMax = request.is(where, "MAX");
  if (!isMax && !request.is(where, "MIN")) return Errors.syntax;
  let count = -1;
  for (let i = where + 1; i < request.count; i += 2) {
    if (count !== -1 || !request.is(i, "COUNT") || i + 1 >= request.count) return Errors.syntax;
    count = readLong(request, i + 1);
    if (!(count >= 1)) return Errors.popCountNotPositive;
  }
  return { keys: keysAt(request, countAt + 1, keyCount), isMax, count: Math.max(1, count) };
}

/** True: it has answered. */
function popsOne(context: ShardContext, { keys, isMax, count }: MultiPop): boolean {
  const { reply } = context;
  const found = firstValue(context, keys, findSortedSet);
  if (found === null) return false;
  if (typeof found === "string") {
    reply.error(found);
    return true;
  }
  const { key, value: set } = found;
  const taken = Math.min(count, set.count);
  reply.array(2);
  reply.bulkLatin1(key);
  reply.array(taken);
  take(context, key, set, taken, isMax, true);
  return true;
}

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
  execute(context) {
    const read = readMultiPop(context.request, 1);
    if (typeof read === "string") return context.reply.error(read);
    if (!popsOne(context, read)) context.reply.nullArray();
  },
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
  execute(context) {
    const { request, reply, nowMs } = context;
    const read = readMultiPop(request, 2);
    if (typeof read === "string") return reply.error(read);
    const timeoutMs = readTimeoutMs(request, 1, nowMs);
    if (typeof timeoutMs === "string") return reply.error(timeoutMs);
    if (popsOne(context, read)) return;
    if (context.denyBlocking) reply.nullArray();
    else waitForElement(context, "zset", read.keys, timeoutMs);
  },
});
