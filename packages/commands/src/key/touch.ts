/** TOUCH key …: how many there are; finding a key is a use of it. */
import { Flag } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";

export const touch = defineCommand({
  name: "touch",
  arity: -2,
  flags: Flag.readonly | Flag.fast,
  since: "3.2.1",
  group: "generic",
  summary: "Alters the last access time of a key(s). Returns the number of existing keys specified.",
  complexity: "O(N) where N is the number of keys that will be touched.",
  syntax: "key [key ...]",
  categories: ["keyspace"],
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: keysFrom(1, "RO"),
  fanOut: { by: "keys", merge: "sum" },
  execute({ request, reply, keyspace }) {
    let found = 0;
    for (let i = 1; i < request.count; i++) if (keyspace.find(request.latin1(i)) !== null) found++;
    reply.integer(found);
  },
});
