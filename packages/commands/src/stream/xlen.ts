/** XLEN key */
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";

export const xlen = defineCommand({
  name: "xlen",
  arity: 2,
  flags: Flag.readonly | Flag.fast,
  since: "5.0.0",
  group: "stream",
  summary: "Return the number of entries in a stream",
  complexity: "O(1)",
  syntax: "key",
  categories: ["stream"],
  keys: keyAt(1, "RO"),
  execute({ request, reply, keyspace }) {
    const found = findStream(keyspace, request.latin1(1));
    if (typeof found === "string") return reply.error(found);
    reply.integer(found === null ? 0 : found.stream.length);
  },
});
