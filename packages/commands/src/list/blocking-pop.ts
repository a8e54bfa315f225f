/** BLPOP and BRPOP key … timeout: an element of the first key that has some, and the key's name. Source: t_list.c blockingPopGenericCommand. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { readTimeoutMs, waitForElement } from "../element-wait.ts";
import { firstValue, keysAt } from "../first-value.ts";
import { findList, pop } from "./find-list.ts";

function blockingPop(name: string, summary: string, isLeft: boolean): CommandRecord {
  return defineCommand({
    name,
    arity: -3,
    flags: Flag.write | Flag.noscript | Flag.blocking,
    since: "2.0.0",
    group: "list",
    summary,
    complexity: "O(N) where N is the number of provided keys.",
    syntax: "key [key ...] timeout",
    argumentTypes: { timeout: "double" },
    categories: ["list"],
    keys: { ...keysFrom(1, "RW access delete"), last: -2 },
    handsOutData: true,
    timeOut: (reply) => reply.nullArray(),
    timeoutAt: -1,
    execute(context) {
      const { request, reply, effects, nowMs } = context;
      const timeoutMs = readTimeoutMs(request, request.count - 1, nowMs);
      if (typeof timeoutMs === "string") return reply.error(timeoutMs);
      const keys = keysAt(request, 1, request.count - 2);
      const found = firstValue(context, keys, findList);
      if (typeof found === "string") return reply.error(found);
      if (found !== null) {
        reply.array(2);
        reply.bulkLatin1(found.key);
        pop(reply, effects, found.key, found.value, isLeft, 1);
      } else if (context.denyBlocking) {
        reply.nullArray();
      } else {
        waitForElement(context, "list", keys, timeoutMs);
      }
    },
  });
}

export const blpop = blockingPop(
  "blpop",
  "Remove and get the first element in a list, or block until one is available",
  true,
);
export const brpop = blockingPop(
  "brpop",
  "Remove and get the last element in a list, or block until one is available",
  false,
);
