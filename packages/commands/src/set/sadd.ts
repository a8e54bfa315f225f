/** SADD and SREM key member …: what is there already, or not there, is not logged. Source: t_set.c saddCommand, sremCommand. */
import { MemberList } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { drawSeed, findSet } from "./find-set.ts";

/** The members from argument 2 on that are in the set, or are not. One that is named twice may be listed twice. */
function listed(request: Request, set: SetView | null, areThere: boolean): MemberList {
  const members = new MemberList();
  for (let i = 2; i < request.count; i++) {
    const [start, end] = [request.start(i), request.end(i)];
    if ((set !== null && set.has(request.bytes, start, end)) === areThere) members.push(request.bytes, start, end);
  }
  return members;
}

export const sadd = defineCommand({
  name: "sadd",
  arity: -3,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "1.0.0",
  group: "set",
  summary: "Add one or more members to a set",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  syntax: "key member [member ...]",
  categories: ["set"],
  keys: keyAt(1, "RW insert"),
  execute({ request, reply, keyspace, effects, randomBelow }) {
    const key = request.latin1(1);
    const set = findSet(keyspace, key);
    if (typeof set === "string") return reply.error(set);
    const members = listed(request, set, false);
    reply.integer(members.count === 0 ? 0 : effects.values.sets.add(key, members, drawSeed(randomBelow)));
  },
});

export const srem = defineCommand({
  name: "srem",
  arity: -3,
  flags: Flag.write | Flag.fast,
  since: "1.0.0",
  group: "set",
  summary: "Remove one or more members from a set",
  complexity: "O(N) where N is the number of members to be removed.",
  syntax: "key member [member ...]",
  categories: ["set"],
  keys: keyAt(1, "RW delete"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const set = findSet(keyspace, key);
    if (typeof set === "string") return reply.error(set);
    const members = listed(request, set, true);
    reply.integer(members.count === 0 ? 0 : effects.values.sets.remove(key, members, "srem"));
  },
});
