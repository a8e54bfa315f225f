/** QUIT: the connection is closed when +OK has left. */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const quit = defineCommand({
  name: "quit",
  arity: -1,
  flags: Flag.noscript | Flag.loading | Flag.stale | Flag.fast | Flag.noAuth | Flag.allowBusy,
  since: "1.0.0",
  group: "connection",
  summary: "Close the connection",
  complexity: "O(1)",
  categories: ["connection"],
  answer({ reply, session }) {
    session.closing = true;
    reply.ok();
  },
});
