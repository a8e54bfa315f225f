/** EXISTS key … : a key named twice counts twice. */
import { Flag } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";

export const exists = defineCommand({
  name: "exists",
  arity: -2,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "generic",
  summary: "Determine if a key exists",
  complexity: "O(N) where N is the number of keys to check.",
  syntax: "key [key ...]",
  categories: ["keyspace"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: keysFrom(1, "RO"),
  fanOut: { by: "keys", merge: "sum" },
  execute({ request, reply, keyspace }) {
    let found = 0;
    for (let i = 1; i < request.count; i++) if (keyspace.peek(request.latin1(i)) !== null) found++;
    reply.integer(found);
  },
});
