/** LMPOP numkeys key … LEFT | RIGHT [COUNT count], and BLMPOP with a timeout in front. Source: t_list.c lmpopGenericCommand. */
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, countedKeys } from "../record.ts";
import { readTimeoutMs, waitForElement } from "../element-wait.ts";
import { firstValue, keysAt } from "../first-value.ts";
import { findList, pop, readSide } from "./find-list.ts";

interface MultiPop {
  readonly keys: readonly string[];
  readonly isLeft: boolean;
  readonly count: number;
}

/** `countAt`: where the number of keys stands. Or the error text. */
function readMultiPop(request: Request, countAt: number): MultiPop | string {
  const keyCount = readLong(request, countAt);
  if (!(keyCount > 0)) return Errors.numKeysNotPositive;
  const sideAt = countAt + keyCount + 1;
  const isLeft = sideAt < request.count ? readSide(request, sideAt) : null;
  if (isLeft === null) return Errors.syntax;
  let count = -1;
  for (let i = sideAt + 1; i < request.count; i++) {
    if (count !== -1 || !request.is(i, "COUNT") || i + 1 >= request.count) return Errors.syntax;
    count = readLong(request, ++i);
    if (!(count > 0)) return Errors.popCountNotPositive;
  }
  return { keys: keysAt(request, countAt + 1, keyCount), isLeft, count: Math.max(1, count) };
}

/** True: it has answered. */
function popsOne(context: ShardContext, { keys, isLeft, count }: MultiPop): boolean {
  const { reply, effects } = context;
  const found = firstValue(context, keys, findList);
  if (found === null) return false;
  if (typeof found === "string") {
    reply.error(found);
    return true;
  }
  const { key, value: list } = found;
  const taken = Math.min(count, list.length);
  reply.array(2);
  reply.bulkLatin1(key);
  reply.array(taken);
  pop(reply, effects, key, list, isLeft, taken);
  return true;
}

const shared = {
  since: "7.0.0",
  group: "list",
  complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
  categories: ["list"],
  handsOutData: true,
} as const;

export const lmpop = defineCommand({
  ...shared,
  name: "lmpop",
  arity: -4,
  flags: Flag.write | Flag.movablekeys,
  summary: "Pop elements from a list",
  syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
  keys: countedKeys(1, "RW access delete"),
  execute(context) {
    const read = readMultiPop(context.request, 1);
    if (typeof read === "string") return context.reply.error(read);
    if (!popsOne(context, read)) context.reply.nullArray();
  },
});

export const blmpop = defineCommand({
  ...shared,
  name: "blmpop",
  arity: -5,
  flags: Flag.write | Flag.blocking | Flag.movablekeys,
  summary: "Pop elements from a list, or block until one is available",
  syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
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
    else waitForElement(context, "list", read.keys, timeoutMs);
  },
});
