/** LPOP and RPOP key [count]. Source: t_list.c popGenericCommand. */
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { Errors, wrongArity } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findList, pop } from "./find-list.ts";

function popCommand(name: string, summary: string, isLeft: boolean): CommandRecord {
  return defineCommand({
    name,
    arity: -2,
    flags: Flag.write | Flag.fast,
    since: "1.0.0",
    group: "list",
    summary,
    complexity: "O(N) where N is the number of elements returned",
    syntax: "key [count]",
    categories: ["list"],
    keys: keyAt(1, "RW access delete"),
    handsOutData: true,
    execute({ request, reply, keyspace, effects }) {
      if (request.count > 3) return reply.error(wrongArity(name));
      const isCounted = request.count === 3;
      const count = isCounted ? readLong(request, 2) : 1;
      if (!(count >= 0)) return reply.error(Errors.notPositive);
      const key = request.latin1(1);
      const list = findList(keyspace, key);
      if (typeof list === "string") return reply.error(list);
      if (list === null) return isCounted ? reply.nullArray() : reply.nullBulk();
      if (count === 0) return reply.array(0);
      const taken = Math.min(count, list.length);
      if (isCounted) reply.array(taken);
      pop(reply, effects, key, list, isLeft, taken);
    },
  });
}

export const lpop = popCommand("lpop", "Remove and get the first elements in a list", true);
export const rpop = popCommand("rpop", "Remove and get the last elements in a list", false);
