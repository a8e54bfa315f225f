/** DEL and UNLINK key … : the same here, memory is given back in the background anyway. */
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";

function execute({ request, reply, keyspace, effects }: ShardContext): void {
  let removed = 0;
  for (let i = 1; i < request.count; i++) {
    const key = request.latin1(i);
    if (keyspace.find(key) === null) continue;
    effects.deleteKey(key);
    removed++;
  }
  reply.integer(removed);
}

const shared = {
  arity: -2,
  group: "generic",
  syntax: "key [key ...]",
  categories: ["keyspace"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: keysFrom(1, "RM delete"),
  fanOut: { by: "keys", merge: "sum" },
  execute,
} as const;

export const del = defineCommand({
  ...shared,
  name: "del",
  flags: Flag.write,
  since: "1.0.0",
  summary: "Delete a key",
  complexity:
    "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
});

export const unlink = defineCommand({
  ...shared,
  name: "unlink",
  flags: Flag.write | Flag.fast,
  since: "4.0.0",
  summary: "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
  complexity:
    "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
});
