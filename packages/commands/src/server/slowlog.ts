/** SLOWLOG: requests whose reply took long, as this process measured them from the request to its reply. */
import { Flag } from "../command.ts";
import { Errors, subcommandSyntax } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";

const DEFAULT_COUNT = 10n;

const shared = {
  flags: Flag.admin | Flag.loading | Flag.stale,
  since: "2.2.12",
  group: "server",
} as const;

const get = defineCommand({
  ...shared,
  name: "slowlog|get",
  arity: -2,
  summary: "Get the slow log's entries",
  complexity: "O(N) where N is the number of entries returned",
  syntax: "[count]",
  tips: ["request_policy:all_nodes", "nondeterministic_output"],
  answer({ request, reply, services }) {
    if (request.count > 3) return reply.error(subcommandSyntax(request.latin1(1), "slowlog"));
    const asked = request.count === 3 ? request.int64(2) : DEFAULT_COUNT;
    if (asked === null || asked < -1n) return reply.error(Errors.slowLogCount);
    const { slowLog } = services;
    const count = asked < 0n ? slowLog.length : Math.min(slowLog.length, Number(asked));
    reply.array(count);
    let left = count;
    for (const entry of slowLog.entries()) {
      if (left-- === 0) break;
      reply.array(6);
      reply.integer(entry.id);
      reply.integer(entry.unixSeconds);
      reply.integer(entry.durationUs);
      reply.array(entry.words.length);
      for (const word of entry.words) reply.bulkLatin1(word);
      reply.bulkLatin1(entry.address);
      reply.bulkLatin1(entry.clientName);
    }
  },
});

const len = defineCommand({
  ...shared,
  name: "slowlog|len",
  arity: 2,
  summary: "Get the slow log's length",
  complexity: "O(1)",
  tips: ["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
  answer: ({ reply, services }) => reply.integer(services.slowLog.length),
});

const reset = defineCommand({
  ...shared,
  name: "slowlog|reset",
  arity: 2,
  summary: "Clear all entries from the slow log",
  complexity: "O(N) where N is the number of entries in the slowlog",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  answer({ reply, services }) {
    services.slowLog.reset();
    reply.ok();
  },
});

const help = helpCommand(
  "slowlog",
  "server",
  [],
  [
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
  ],
);

export const slowlog = defineCommand({
  name: "slowlog",
  arity: -2,
  since: "2.2.12",
  group: "server",
  summary: "A container for slow log commands",
  complexity: "Depends on subcommand.",
  subcommands: [get, help, len, reset],
});
