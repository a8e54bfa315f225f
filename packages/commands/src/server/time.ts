/** TIME: the wall clock of the process that is asked. */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const time = defineCommand({
  name: "time",
  arity: 1,
  flags: Flag.loading | Flag.stale | Flag.fast,
  since: "2.6.0",
  group: "server",
  summary: "Return the current server time",
  complexity: "O(1)",
  tips: ["nondeterministic_output"],
  answer({ reply, services }) {
    const wallMs = services.wallMs;
    const seconds = Math.floor(wallMs / 1000);
    reply.array(2);
    reply.bulkInteger(seconds);
    reply.bulkInteger(Math.floor((wallMs - seconds * 1000) * 1000));
  },
});
