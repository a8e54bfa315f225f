/** RESET: the connection is as it was when it was opened. */
import { Flag, ReplyMode } from "../command.ts";
import { defineCommand } from "../record.ts";

export const reset = defineCommand({
  name: "reset",
  arity: 1,
  flags: Flag.noscript | Flag.loading | Flag.stale | Flag.fast | Flag.noAuth | Flag.allowBusy,
  since: "6.2.0",
  group: "connection",
  summary: "Reset the connection",
  complexity: "O(1)",
  categories: ["connection"],
  answer({ reply, session }) {
    session.transaction.close();
    session.name = "";
    session.ack = null;
    session.monitors = false;
    session.noEvict = false;
    session.noTouch = false;
    session.hearsPressure = false;
    session.replyMode = ReplyMode.on;
    session.subscriptions.clear();
    session.respVersion = 2;
    reply.version = 2;
    reply.simple("RESET");
  },
});
