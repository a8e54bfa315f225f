/**
 * CLIENT BACKPRESSURE ON | OFF: whether this connection is pushed a message when a stream that it writes to has reached four fifths of a limit of lag (XGROUP
 * SETMAXLAG, XCFGSET MAXLAG-BYTES), and when it is below half of it again. Ours. Pushes are RESP3's: in RESP2 it is refused.
 */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

export const backpressure = defineCommand({
  name: "client|backpressure",
  arity: 3,
  flags: Flag.noscript | Flag.loading | Flag.stale,
  since: "8.10.0",
  group: "connection",
  summary:
    "Tell this connection when streams that it writes to are nearly full, and when they are free again (Headrace).",
  complexity: "O(1)",
  syntax: "<ON | OFF>",
  categories: ["connection"],
  answer({ request, reply, session }) {
    const isOn = request.is(2, "ON");
    if (!isOn && !request.is(2, "OFF")) return reply.error(Errors.syntax);
    if (isOn && session.respVersion < 3) return reply.error(Errors.backPressureVersion);
    session.hearsPressure = isOn;
    reply.ok();
  },
});
