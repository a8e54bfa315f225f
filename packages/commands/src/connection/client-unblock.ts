/**
 * CLIENT UNBLOCK id [TIMEOUT|ERROR]: ends another client's blocked call. The answer says whether it was this that ended it, so it comes when the
 * call has its reply. Source: networking.c clientCommand.
 */
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { Errors, subcommandSyntax } from "../errors.ts";
import { NowOrLater } from "../now-or-later.ts";
import { defineCommand } from "../record.ts";

export const unblock = defineCommand({
  name: "client|unblock",
  arity: -3,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "5.0.0",
  group: "connection",
  summary: "Unblock a client blocked in a blocking command from a different connection",
  complexity: "O(log N) where N is the number of client connections",
  syntax: "client-id [TIMEOUT | ERROR]",
  categories: ["connection"],
  answer: answerUnblock,
});

function answerUnblock(context: SessionContext): void {
  const { request, reply, services } = context;
  if (request.count > 4) return reply.error(subcommandSyntax(request.latin1(1), "client"));
  const withError = request.count === 4 && request.is(3, "ERROR");
  if (request.count === 4 && !withError && !request.is(3, "TIMEOUT")) return reply.error(Errors.unblockReason);
  const id = request.int64(2);
  if (id === null) return reply.error(Errors.notInteger);
  const answer = new NowOrLater(context);
  services.unblock(Number(id), withError, (wasBlocked) => {
    answer.give((given) => given.integer(wasBlocked ? 1 : 0));
  });
  answer.deferUnlessGiven();
}
