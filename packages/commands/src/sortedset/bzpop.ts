/** BZPOPMIN and BZPOPMAX key … timeout: an element of the first key that has some, and the key's name. Source: t_zset.c blockingGenericZpopCommand. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { blockingPop } from "../first-pop.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { poppedSortedSet } from "./zmpop.ts";
import { take } from "./zpop.ts";

function recordOf(name: string, summary: string, isMax: boolean): CommandRecord {
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
    execute: (context) =>
      blockingPop(poppedSortedSet, context, (key, set) => {
        context.reply.array(3);
        context.reply.bulkLatin1(key);
        take(context, key, set, 1, isMax, false);
      }),
  });
}

export const bzpopmin = recordOf(
  "bzpopmin",
  "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
  false,
);
export const bzpopmax = recordOf(
  "bzpopmax",
  "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
  true,
);
