/** MONITOR: from here on the connection gets a line for each command that this process takes. */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const monitor = defineCommand({
  name: "monitor",
  arity: 1,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "1.0.0",
  group: "server",
  summary: "Listen for all requests received by the server in real time",
  complexity: "",
  answer({ reply, session }) {
    session.monitors = true;
    reply.ok();
  },
});
