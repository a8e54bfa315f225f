/**
 * CONFIG GET / SET / RESETSTAT over the settings of the process. Which settings exist and what they accept is theirs to know; a setting of the
 * cluster is replicated before its reply leaves, so SET may be answered later.
 */
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import { Errors, settingFailed } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { helpCommand } from "../help.ts";
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
    const patterns: string[] = [];
    for (let i = 2; i < request.count; i++) patterns.push(request.latin1(i));
    const found: (readonly [string, string])[] = [];
    for (const setting of services.settings()) {
      if (patterns.some((pattern) => globMatches(pattern, setting[0], true))) found.push(setting);
    }
    reply.map(found.length);
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
    const { request, reply } = context;
    if (request.count % 2 !== 0) return reply.error(Errors.syntax);
    const pairs: (readonly [string, string])[] = [];
    const names = new Set<string>();
    for (let i = 2; i < request.count; i += 2) {
      const name = request.latin1(i).toLowerCase();
      if (names.has(name)) return reply.error(settingFailed(name, "duplicate parameter"));
      names.add(name);
      pairs.push([name, request.latin1(i + 1)]);
    }
    new PairSetter(context, pairs).start();
  },
});

/** Sets pairs one after the other; the first error ends it. Replies at once when all were accepted at once, else later. */
class PairSetter {
  readonly #context: SessionContext;
  readonly #pairs: readonly (readonly [string, string])[];
  #next: number;
  #later: ReturnType<SessionContext["defer"]> | null;
  /** undefined: not finished. */
  #outcome: string | null | undefined;

  constructor(context: SessionContext, pairs: readonly (readonly [string, string])[]) {
    this.#context = context;
    this.#pairs = pairs;
    this.#next = 0;
    this.#later = null;
    this.#outcome = undefined;
  }

  start(): void {
    const { reply } = this.#context;
    this.#step();
    if (this.#outcome === undefined) this.#later = this.#context.defer();
    else if (this.#outcome === null) reply.ok();
    else reply.error(this.#outcome);
  }

  #step(): void {
    const pair = this.#pairs[this.#next++];
    if (pair === undefined) return this.#finish(null);
    this.#context.services.setSetting(pair[0], pair[1], (error) => {
      if (error === null) this.#step();
      else this.#finish(error);
    });
  }

  #finish(error: string | null): void {
    this.#outcome = error;
    if (this.#later === null) return;
    this.#later.resume((reply) => {
      if (error === null) reply.ok();
      else reply.error(error);
    });
  }
}

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
  ],
);

export const config = defineCommand({
  name: "config",
  arity: -2,
  since: "2.0.0",
  group: "server",
  summary: "A container for server configuration commands",
  complexity: "Depends on subcommand.",
  subcommands: [get, help, resetstat, set],
});
