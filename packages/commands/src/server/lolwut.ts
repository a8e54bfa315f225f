/** LOLWUT: Redis draws something; here it names the version, as Redis does where it has no drawing. */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";
import { REDIS_VERSION } from "./redis-version.ts";

export const lolwut = defineCommand({
  name: "lolwut",
  arity: -1,
  flags: Flag.readonly | Flag.fast,
  since: "5.0.0",
  group: "server",
  summary: "Display some computer art and the Redis version",
  complexity: "",
  syntax: "[VERSION version]",
  answer({ request, reply }) {
    if (request.count >= 3 && request.is(1, "VERSION") && request.int64(2) === null) {
      return reply.error(Errors.notInteger);
    }
    reply.verbatim(`Redis ver. ${REDIS_VERSION}\n`);
  },
});
