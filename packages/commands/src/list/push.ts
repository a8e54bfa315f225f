/** LPUSH, RPUSH, LPUSHX, RPUSHX key element …. Source: t_list.c pushGenericCommand. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findList } from "./find-list.ts";

function pushCommand(
  name: string,
  since: string,
  summary: string,
  isLeft: boolean,
  onlyExisting: boolean,
): CommandRecord {
  return defineCommand({
    name,
    arity: -3,
    flags: Flag.write | Flag.denyoom | Flag.fast,
    since,
    group: "list",
    summary,
    complexity:
      "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
    syntax: "key element [element ...]",
    categories: ["list"],
    keys: keyAt(1, "RW insert"),
    execute({ request, reply, keyspace, effects }) {
      const key = request.latin1(1);
      const list = findList(keyspace, key);
      if (typeof list === "string") return reply.error(list);
      if (list === null && onlyExisting) return reply.integer(0);
      const length = (list === null ? 0 : list.length) + request.count - 2;
      effects.values.lists.push(key, isLeft, request, 2, request.count);
      reply.integer(length);
    },
  });
}

export const lpush = pushCommand("lpush", "1.0.0", "Prepend one or multiple elements to a list", true, false);
export const rpush = pushCommand("rpush", "1.0.0", "Append one or multiple elements to a list", false, false);
export const lpushx = pushCommand(
  "lpushx",
  "2.2.0",
  "Prepend an element to a list, only if the list exists",
  true,
  true,
);
export const rpushx = pushCommand(
  "rpushx",
  "2.2.0",
  "Append an element to a list, only if the list exists",
  false,
  true,
);
