/** SHUTDOWN, DEBUG, MODULE: what a client of a cluster may not do, with Redis' words for it; MODULE LIST is empty. */
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";

const SHUTDOWN_WORDS = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"] as const;

export const shutdown = defineCommand({
  name: "shutdown",
  arity: -1,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale | Flag.noMulti | Flag.allowBusy,
  since: "1.0.0",
  group: "server",
  summary: "Synchronously save the dataset to disk and then shut down the server",
  complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
  syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
  answer({ request, reply }) {
    const words = new Set<string>();
    for (let i = 1; i < request.count; i++) {
      const word = SHUTDOWN_WORDS.find((one) => request.is(i, one));
      if (word === undefined) return reply.error(Errors.syntax);
      words.add(word);
    }
    const contradicts = (words.has("ABORT") && words.size > 1) || (words.has("NOSAVE") && words.has("SAVE"));
    if (contradicts) return reply.error(Errors.syntax);
    reply.error(words.has("ABORT") ? Errors.noShutdown : Errors.shutdown);
  },
});

export const debug = defineCommand({
  name: "debug",
  arity: -2,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "1.0.0",
  group: "server",
  summary: "A container for debugging commands",
  complexity: "Depends on subcommand.",
  syntax: "subcommand [arg [arg ...]]",
  answer: ({ reply }) => reply.error(Errors.debug),
});

const moduleShared = {
  flags: Flag.admin | Flag.noscript | Flag.noAsyncLoading,
  group: "server",
  since: "4.0.0",
} as const;

const moduleList = defineCommand({
  ...moduleShared,
  name: "module|list",
  arity: 2,
  flags: Flag.admin | Flag.noscript,
  summary: "List all modules loaded by the server",
  complexity: "O(N) where N is the number of loaded modules.",
  tips: ["nondeterministic_output_order"],
  answer: ({ reply }) => reply.array(0),
});

function refuseModule({ reply }: SessionContext): void {
  reply.error(Errors.module);
}

const moduleLoad = defineCommand({
  ...moduleShared,
  name: "module|load",
  arity: -3,
  summary: "Load a module",
  complexity: "O(1)",
  syntax: "path [arg [arg ...]]",
  answer: refuseModule,
});

const moduleLoadEx = defineCommand({
  ...moduleShared,
  name: "module|loadex",
  arity: -3,
  since: "7.0.0",
  summary: "Load a module with extended parameters",
  complexity: "O(1)",
  syntax: "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
  answer: refuseModule,
});

const moduleUnload = defineCommand({
  ...moduleShared,
  name: "module|unload",
  arity: 3,
  summary: "Unload a module",
  complexity: "O(1)",
  syntax: "name",
  answer: refuseModule,
});

const moduleHelp = helpCommand(
  "module",
  "server",
  [],
  ["LIST", "    Return a list of loaded modules. Modules cannot be loaded here."],
);

export const moduleCommand = defineCommand({
  name: "module",
  arity: -2,
  since: "4.0.0",
  group: "server",
  summary: "A container for module commands",
  complexity: "Depends on subcommand.",
  subcommands: [moduleHelp, moduleList, moduleLoad, moduleLoadEx, moduleUnload],
});
