/** SISMEMBER, SMISMEMBER, SCARD. Source: t_set.c. */
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findSet } from "./find-set.ts";

export const sismember = defineCommand({
  name: "sismember",
  arity: 3,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "set",
  summary: "Determine if a given value is a member of a set",
  complexity: "O(1)",
  syntax: "key member",
  categories: ["set"],
  keys: keyAt(1, "RO"),
  execute({ request, reply, keyspace }) {
    const set = findSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    reply.integer(set !== null && set.has(request.bytes, request.start(2), request.end(2)) ? 1 : 0);
  },
});

export const smismember = defineCommand({
  name: "smismember",
  arity: -3,
  flags: Flag.readonly | Flag.fast,
  since: "6.2.0",
  group: "set",
  summary: "Returns the membership associated with the given elements for a set",
  complexity: "O(N) where N is the number of elements being checked for membership",
  syntax: "key member [member ...]",
  categories: ["set"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const set = findSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    reply.array(request.count - 2);
    for (let i = 2; i < request.count; i++) {
      reply.integer(set !== null && set.has(request.bytes, request.start(i), request.end(i)) ? 1 : 0);
    }
  },
});

export const scard = defineCommand({
  name: "scard",
  arity: 2,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "set",
  summary: "Get the number of members in a set",
  complexity: "O(1)",
  syntax: "key",
  categories: ["set"],
  keys: keyAt(1, "RO"),
  execute({ request, reply, keyspace }) {
    const set = findSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    reply.integer(set === null ? 0 : set.size);
  },
});
