/** DBSIZE */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const dbsize = defineCommand({
  name: "dbsize",
  arity: 1,
  flags: Flag.readonly | Flag.fast | Flag.wholeKeyspace,
  since: "1.0.0",
  group: "server",
  summary: "Return the number of keys in the selected database",
  complexity: "O(1)",
  categories: ["keyspace"],
  tips: ["request_policy:all_shards", "response_policy:agg_sum"],
  fanOut: { by: "allShards", merge: "sum" },
  execute({ reply, keyspace }) {
    reply.integer(keyspace.size);
  },
});
