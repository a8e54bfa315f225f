/** PERSIST key: 1 if it was to expire. */
import { NEVER } from "@headrace/engine";
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";

export const persist = defineCommand({
  name: "persist",
  arity: 2,
  flags: Flag.write | Flag.fast,
  since: "2.2.0",
  group: "generic",
  summary: "Remove the expiration from a key",
  complexity: "O(1)",
  syntax: "key",
  categories: ["keyspace"],
  keys: keyAt(1, "RW update"),
  execute({ request, reply, keyspace, effects }) {
    const found = keyspace.find(request.latin1(1));
    if (found === null || found.expiresAtMs === NEVER) return reply.integer(0);
    effects.setExpiry(found.key, NEVER);
    reply.integer(1);
  },
});
