/** KEYS pattern */
import { Flag } from "../command.ts";
import { globMatches } from "../glob.ts";
import { defineCommand } from "../record.ts";

export const keys = defineCommand({
  name: "keys",
  arity: 2,
  flags: Flag.readonly | Flag.wholeKeyspace,
  since: "1.0.0",
  group: "generic",
  summary: "Find all keys matching the given pattern",
  complexity:
    "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
  syntax: "pattern",
  categories: ["keyspace", "dangerous"],
  tips: ["request_policy:all_shards", "nondeterministic_output_order"],
  fanOut: { by: "allShards", merge: "concat" },
  execute({ request, reply, keyspace }) {
    const pattern = request.latin1(1);
    const found: string[] = [];
    keyspace.forEachKey((key) => {
      if (globMatches(pattern, key.key, false)) found.push(key.key);
    });
    reply.array(found.length);
    for (const name of found) reply.bulkLatin1(name);
  },
});
