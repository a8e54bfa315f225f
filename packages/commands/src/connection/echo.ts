/** ECHO message */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const echo = defineCommand({
  name: "echo",
  arity: 2,
  flags: Flag.loading | Flag.stale | Flag.fast,
  since: "1.0.0",
  group: "connection",
  summary: "Echo the given string",
  complexity: "O(1)",
  syntax: "message",
  categories: ["connection"],
  answer({ request, reply }) {
    reply.bulk(request.bytes, request.start(1), request.end(1));
  },
});
