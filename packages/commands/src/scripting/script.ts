/** SCRIPT: there are no scripts, so flushing them succeeds, none exists and none runs. LOAD is refused. */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";

const shared = { flags: Flag.noscript, group: "scripting", categories: ["scripting"], complexity: "O(1)" } as const;

const flush = defineCommand({
  ...shared,
  name: "script|flush",
  arity: -2,
  since: "2.6.0",
  summary: "Remove all the scripts from the script cache.",
  complexity: "O(N) with N being the number of scripts in cache",
  syntax: "[ASYNC | SYNC]",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  answer({ request, reply }) {
    const isKnown = request.count === 3 && (request.is(2, "ASYNC") || request.is(2, "SYNC"));
    if (request.count !== 2 && !isKnown) return reply.error(Errors.scriptFlush);
    reply.ok();
  },
});

const exists = defineCommand({
  ...shared,
  name: "script|exists",
  arity: -3,
  since: "2.6.0",
  summary: "Check existence of scripts in the script cache.",
  complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
  syntax: "sha1 [sha1 ...]",
  tips: ["request_policy:all_shards", "response_policy:agg_logical_and"],
  answer({ request, reply }) {
    reply.array(request.count - 2);
    for (let i = 2; i < request.count; i++) reply.integer(0);
  },
});

const load = defineCommand({
  ...shared,
  name: "script|load",
  arity: 3,
  flags: Flag.noscript | Flag.stale,
  since: "2.6.0",
  summary: "Load the specified Lua script into the script cache.",
  complexity: "O(N) with N being the length in bytes of the script body.",
  syntax: "script",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  answer: ({ reply }) => reply.error(Errors.scripting),
});

const kill = defineCommand({
  ...shared,
  name: "script|kill",
  arity: 2,
  flags: Flag.noscript | Flag.allowBusy,
  since: "2.6.0",
  summary: "Kill the script currently in execution.",
  tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
  answer: ({ reply }) => reply.error(Errors.notBusy),
});

const debug = defineCommand({
  ...shared,
  name: "script|debug",
  arity: 3,
  since: "3.2.0",
  summary: "Set the debug mode for executed scripts.",
  syntax: "<YES | SYNC | NO>",
  answer({ request, reply }) {
    if (request.is(2, "NO")) return reply.ok();
    reply.error(request.is(2, "YES") || request.is(2, "SYNC") ? Errors.scripting : Errors.scriptDebug);
  },
});

const help = helpCommand(
  "script",
  "scripting",
  ["scripting"],
  [
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Scripts are not supported: it is always empty.",
    "KILL",
    "    Kill the currently executing Lua script.",
  ],
);

export const script = defineCommand({
  name: "script",
  arity: -2,
  since: "2.6.0",
  group: "scripting",
  summary: "A container for Lua scripts management commands",
  complexity: "Depends on subcommand.",
  subcommands: [debug, exists, flush, help, kill, load],
});
