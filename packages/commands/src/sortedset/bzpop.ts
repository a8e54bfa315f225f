/** BZPOPMIN and BZPOPMAX key … timeout: an element of the first key that has some, and the key's name. Source: t_zset.c blockingGenericZpopCommand. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { readTimeoutMs, waitForElement } from "../element-wait.ts";
import { firstValue, keysAt } from "../first-value.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { findSortedSet } from "./find-sorted-set.ts";
import { take } from "./zpop.ts";

function blockingPop(name: string, summary: string, isMax: boolean): CommandRecord {
  return defineCommand({
    name,
    arity: -3,
    flags: Flag.write | Flag.noscript | Flag.blocking | Flag.fast,
    since: "5.0.0",
    group: "sorted-set",
    summary,
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key [key ...] timeout",
    argumentTypes: { timeout: "double" },
    categories: ["sortedset"],
    keys: { ...keysFrom(1, "RW access delete"), last: -2 },
    handsOutData: true,
    timeOut: (reply) => reply.nullArray(),
    timeoutAt: -1,
    execute(context) {
      const { request, reply, nowMs } = context;
      const timeoutMs = readTimeoutMs(request, request.count - 1, nowMs);
      if (typeof timeoutMs === "string") return reply.error(timeoutMs);
      const keys = keysAt(request, 1, request.count - 2);
      const found = firstValue(context, keys, findSortedSet);
      if (typeof found === "string") return reply.error(found);
      if (found !== null) {
        reply.array(3);
        reply.bulkLatin1(found.key);
        take(context, found.key, found.value, 1, isMax, false);
      } else if (context.denyBlocking) {
        reply.nullArray();
      } else {
        waitForElement(context, "zset", keys, timeoutMs);
      }
    },
  });
}

export const bzpopmin = blockingPop(
  "bzpopmin",
  "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
  false,
);
export const bzpopmax = blockingPop(
  "bzpopmax",
  "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
  true,
);
