/** CLIENT REPLY ON | OFF | SKIP: whether the connection gets replies. Only ON is itself answered. */
import { Flag, ReplyMode } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

export const replyMode = defineCommand({
  name: "client|reply",
  arity: 3,
  flags: Flag.noscript | Flag.loading | Flag.stale,
  since: "3.2.0",
  group: "connection",
  summary: "Instruct the server whether to reply to commands",
  complexity: "O(1)",
  syntax: "<ON | OFF | SKIP>",
  categories: ["connection"],
  answer({ request, reply, session }) {
    if (request.is(2, "ON")) {
      session.replyMode = ReplyMode.on;
      reply.ok();
    } else if (request.is(2, "OFF")) {
      session.replyMode = ReplyMode.off;
    } else if (request.is(2, "SKIP")) {
      if (session.replyMode !== ReplyMode.off) session.replyMode = ReplyMode.skipNext;
    } else {
      reply.error(Errors.syntax);
    }
  },
});
