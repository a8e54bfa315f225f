/**
 * SINTER, SINTERSTORE, SINTERCARD key …, and SMEMBERS, which is SINTER of one. Every key is looked at, so that one of another kind is an error even if the answer
 * is nothing already. Source: t_set.c sinterGenericCommand.
 */
import { MemberList } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { countedKeys, defineCommand, keyAt, keysFrom } from "../record.ts";
import { findSet, findSets, writeSet } from "./find-set.ts";
import { answering, storing } from "./set-operation.ts";

const COMPLEXITY = "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";

/** Members that are in all of the sets, at most `limit`. */
function intersection(sets: readonly (SetView | null)[], limit: number = Number.POSITIVE_INFINITY): MemberList {
  const members = new MemberList();
  const present = sets.filter((set) => set !== null);
  if (present.length < sets.length) return members;
  const [smallest, ...others] = present.toSorted((a, b) => a.size - b.size);
  smallest!.some((bytes, start, end) => {
    for (const set of others) if (!set.has(bytes, start, end)) return false;
    members.push(bytes, start, end);
    return members.count >= limit;
  });
  return members;
}

export const sinter = defineCommand({
  name: "sinter",
  arity: -2,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "set",
  summary: "Intersect multiple sets",
  complexity: COMPLEXITY,
  syntax: "key [key ...]",
  categories: ["set"],
  tips: ["nondeterministic_output_order"],
  keys: keysFrom(1, "RO access"),
  execute: answering((sets) => intersection(sets)),
});

export const smembers = defineCommand({
  name: "smembers",
  arity: 2,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "set",
  summary: "Get all the members in a set",
  complexity: "O(N) where N is the set cardinality.",
  syntax: "key",
  categories: ["set"],
  tips: ["nondeterministic_output_order"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const set = findSet(keyspace, request.latin1(1));
    if (typeof set === "string") reply.error(set);
    else writeSet(reply, set);
  },
});

export const sinterstore = defineCommand({
  name: "sinterstore",
  arity: -3,
  flags: Flag.write | Flag.denyoom,
  since: "1.0.0",
  group: "set",
  summary: "Intersect multiple sets and store the resulting set in a key",
  complexity: COMPLEXITY,
  syntax: "destination key [key ...]",
  argumentTypes: { destination: "key" },
  categories: ["set"],
  keys: { ...keysFrom(1, "RW update"), targetAccess: ["RO", "access"] },
  execute: storing((sets) => intersection(sets), "sinterstore"),
});

export const sintercard = defineCommand({
  name: "sintercard",
  arity: -3,
  flags: Flag.readonly | Flag.movablekeys,
  since: "7.0.0",
  group: "set",
  summary: "Intersect multiple sets and return the cardinality of the result",
  complexity: COMPLEXITY,
  syntax: "numkeys key [key ...] [LIMIT limit]",
  argumentTypes: { limit: "integer" },
  categories: ["set"],
  keys: countedKeys(1, "RO access"),
  execute(context) {
    const { request, reply } = context;
    const keyCount = readLong(request, 1);
    if (!(keyCount >= 1)) return reply.error(Errors.numKeysNotPositive);
    if (keyCount > request.count - 2) return reply.error(Errors.tooManyKeys);
    let limit = 0;
    for (let i = 2 + keyCount; i < request.count; i += 2) {
      if (!request.is(i, "LIMIT") || i + 1 >= request.count) return reply.error(Errors.syntax);
      limit = readLong(request, i + 1);
      if (!(limit >= 0)) return reply.error(Errors.cardinalityLimitNegative);
    }
    const sets = findSets(context, 2, 2 + keyCount);
    if (typeof sets === "string") return reply.error(sets);
    reply.integer(intersection(sets, limit === 0 ? Number.POSITIVE_INFINITY : limit).count);
  },
});
