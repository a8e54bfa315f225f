/**
 * RANDOMKEY: every key of the shard with the same chance; the gateway has chosen the shard by its number of keys. Expired keys that are met go, and
 * another is drawn, up to a bound: then, as Redis does, one is named although its time is over.
 */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

const DRAWS_MAX = 100;

export const randomkey = defineCommand({
  name: "randomkey",
  arity: 1,
  flags: Flag.readonly | Flag.wholeKeyspace,
  since: "1.0.0",
  group: "generic",
  summary: "Return a random key from the keyspace",
  complexity: "O(1)",
  categories: ["keyspace"],
  tips: ["request_policy:all_shards", "nondeterministic_output"],
  fanOut: { by: "anyShard" },
  execute({ reply, keyspace, randomBelow }) {
    for (let draws = 0; draws < DRAWS_MAX && keyspace.size > 0; draws++) {
      const found = keyspace.pick(randomBelow(keyspace.size));
      if (found !== null) return reply.bulkLatin1(found.key);
    }
    reply.nullBulk();
  },
});
