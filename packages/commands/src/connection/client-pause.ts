/** CLIENT PAUSE and UNPAUSE: requests of this process' clients wait, all or those that may write. */
import { Flag } from "../command.ts";
import { Errors, subcommandSyntax } from "../errors.ts";
import { defineCommand } from "../record.ts";

const shared = {
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  group: "connection",
  complexity: "O(1)",
  categories: ["connection"],
} as const;

export const pause = defineCommand({
  ...shared,
  name: "client|pause",
  arity: -3,
  since: "2.9.50",
  summary: "Stop processing commands from clients for some time",
  syntax: "timeout [WRITE | ALL]",
  answer({ request, reply, services }) {
    if (request.count > 4) return reply.error(subcommandSyntax(request.latin1(1), "client"));
    const writesOnly = request.count === 4 && request.is(3, "WRITE");
    if (request.count === 4 && !writesOnly && !request.is(3, "ALL")) return reply.error(Errors.pauseMode);
    const timeoutMs = request.int64(2);
    if (timeoutMs === null) return reply.error(Errors.timeoutNotInteger);
    if (timeoutMs < 0n) return reply.error(Errors.timeoutNegative);
    services.pauseClients(services.monotonicMs + Number(timeoutMs), writesOnly);
    reply.ok();
  },
});

export const unpause = defineCommand({
  ...shared,
  name: "client|unpause",
  arity: 2,
  since: "6.2.0",
  summary: "Resume processing of clients that were paused",
  complexity: "O(N) Where N is the number of paused clients",
  answer({ reply, services }) {
    services.unpauseClients();
    reply.ok();
  },
});
