/** SMOVE source destination member: out of one set and into the other, in one log entry. Source: t_set.c smoveCommand. */
import { MemberList } from "@headrace/engine";
import { Flag } from "../command.ts";
import { defineCommand, keyPair } from "../record.ts";
import { drawSeed, findSet } from "./find-set.ts";

export const smove = defineCommand({
  name: "smove",
  arity: 4,
  flags: Flag.write | Flag.fast,
  since: "1.0.0",
  group: "set",
  summary: "Move a member from one set to another",
  complexity: "O(1)",
  syntax: "source destination member",
  argumentTypes: { source: "key", destination: "key" },
  categories: ["set"],
  keys: keyPair("RW access delete", "RW insert"),
  execute({ request, reply, keyspace, effects, randomBelow }) {
    const [from, to] = [request.latin1(1), request.latin1(2)];
    const source = findSet(keyspace, from);
    // Without a source nobody looks at the target.
    if (source === null) return reply.integer(0);
    if (typeof source === "string") return reply.error(source);
    const target = findSet(keyspace, to);
    if (typeof target === "string") return reply.error(target);
    const [start, end] = [request.start(3), request.end(3)];
    const isThere = source.has(request.bytes, start, end);
    if (!isThere || from === to) return reply.integer(isThere ? 1 : 0);
    const member = new MemberList();
    member.push(request.bytes, start, end);
    effects.values.sets.remove(from, member, "srem");
    if (target === null || !target.has(request.bytes, start, end)) {
      effects.values.sets.add(to, member, drawSeed(randomBelow));
    }
    reply.integer(1);
  },
});
