/** TYPE key */
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";

export const type = defineCommand({
  name: "type",
  arity: 2,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "generic",
  summary: "Determine the type stored at key",
  complexity: "O(1)",
  syntax: "key",
  categories: ["keyspace"],
  keys: keyAt(1, "RO"),
  execute({ request, reply, keyspace }) {
    const key = keyspace.peek(request.latin1(1));
    reply.simple(key === null ? "none" : key.type);
  },
});
