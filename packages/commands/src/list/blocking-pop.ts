/** BLPOP and BRPOP key … timeout: an element of the first key that has some, and the key's name. Source: t_list.c blockingPopGenericCommand. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { blockingPop } from "../first-pop.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { pop } from "./find-list.ts";
import { poppedList } from "./lmpop.ts";

function recordOf(name: string, summary: string, isLeft: boolean): CommandRecord {
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
    execute: (context) =>
      blockingPop(poppedList, context, (key, list) => {
        const { reply, effects } = context;
        reply.array(2);
        reply.bulkLatin1(key);
        pop(reply, effects, key, list, isLeft, 1);
      }),
  });
}

export const blpop = recordOf(
  "blpop",
  "Remove and get the first element in a list, or block until one is available",
  true,
);
export const brpop = recordOf(
  "brpop",
  "Remove and get the last element in a list, or block until one is available",
  false,
);
