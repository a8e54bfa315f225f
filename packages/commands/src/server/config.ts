/**
 * CONFIG GET / SET / RESETSTAT / REWRITE over the settings of the process. Which settings exist and what they accept is theirs to know; a setting of the
 * cluster is replicated before its reply leaves, so SET may be answered later.
 */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { helpCommand } from "../help.ts";
import { NowOrLater } from "../now-or-later.ts";
import { defineCommand } from "../record.ts";

const FLAGS = Flag.admin | Flag.noscript | Flag.loading | Flag.stale;

const get = defineCommand({
  name: "config|get",
  arity: -3,
  flags: FLAGS,
  since: "2.0.0",
  group: "server",
  summary: "Get the values of configuration parameters",
  complexity: "O(N) when N is the number of configuration parameters provided",
  syntax: "parameter [parameter ...]",
  answer({ request, reply, services }) {
    const settings = new Map(services.settings());
    const found = new Map<string, string>();
    for (let i = 2; i < request.count; i++) {
      const pattern = request.latin1(i);
      // A name without wildcards is shown as it was written.
      const exact = /[*?[]/.test(pattern) ? undefined : settings.get(pattern.toLowerCase());
      if (exact !== undefined && !found.has(pattern.toLowerCase())) found.set(pattern, exact);
      if (exact !== undefined) continue;
      for (const [name, value] of settings) if (globMatches(pattern, name, true)) found.set(name, value);
    }
    reply.map(found.size);
    for (const [name, value] of found) {
      reply.bulkLatin1(name);
      reply.bulkLatin1(value);
    }
  },
});

const set = defineCommand({
  name: "config|set",
  arity: -4,
  flags: FLAGS,
  since: "2.0.0",
  group: "server",
  summary: "Set configuration parameters to the given values",
  complexity: "O(N) when N is the number of configuration parameters provided",
  syntax: "parameter value [parameter value ...]",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  answer(context) {
    const { request, reply, services } = context;
    if (request.count % 2 !== 0) return reply.error(Errors.syntax);
    const pairs: (readonly [string, string])[] = [];
    for (let i = 2; i < request.count; i += 2) pairs.push([request.latin1(i), request.latin1(i + 1)]);
    const answer = new NowOrLater(context);
    services.setSettings(pairs, (error) => {
      answer.give((given) => (error === null ? given.ok() : given.error(error)));
    });
    answer.deferUnlessGiven();
  },
});

const rewrite = defineCommand({
  name: "config|rewrite",
  arity: 2,
  flags: FLAGS,
  since: "2.8.0",
  group: "server",
  summary: "Rewrite the configuration file with the in memory configuration",
  complexity: "O(1)",
  answer: ({ reply }) => reply.error(Errors.noConfigFile),
});

const resetstat = defineCommand({
  name: "config|resetstat",
  arity: 2,
  flags: FLAGS,
  since: "2.0.0",
  group: "server",
  summary: "Reset the stats returned by INFO",
  complexity: "O(1)",
  answer({ reply, services }) {
    services.resetStatistics();
    reply.ok();
  },
});

const help: CommandRecord = helpCommand(
  "config",
  "server",
  [],
  [
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
  ],
);

export const config = defineCommand({
  name: "config",
  arity: -2,
  since: "2.0.0",
  group: "server",
  summary: "A container for server configuration commands",
  complexity: "Depends on subcommand.",
  subcommands: [get, help, resetstat, rewrite, set],
});
