/** FUNCTION: the library of functions is empty and stays so. What only looks at it, or empties it, succeeds. */
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { Errors, subcommandSyntax, unknownFunctionOption } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { dump, restore } from "./function-dump.ts";

const shared = {
  flags: Flag.noscript,
  since: "7.0.0",
  group: "scripting",
  categories: ["scripting"],
  complexity: "O(1)",
} as const;

const flush = defineCommand({
  ...shared,
  name: "function|flush",
  arity: -2,
  flags: Flag.noscript | Flag.write,
  summary: "Deleting all functions",
  complexity: "O(N) where N is the number of functions deleted",
  syntax: "[ASYNC | SYNC]",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  answer({ request, reply }) {
    const isKnown = request.count === 3 && (request.is(2, "ASYNC") || request.is(2, "SYNC"));
    if (request.count > 3) return reply.error(subcommandSyntax(request.latin1(1), "function"));
    if (request.count === 3 && !isKnown) return reply.error(Errors.functionFlush);
    reply.ok();
  },
});

const list = defineCommand({
  ...shared,
  name: "function|list",
  arity: -2,
  summary: "List information about all the functions",
  complexity: "O(N) where N is the number of functions",
  syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
  tips: ["nondeterministic_output_order"],
  answer({ request, reply }) {
    const error = listError(request);
    if (error !== null) return reply.error(error);
    reply.array(0);
  },
});

function listError(request: SessionContext["request"]): string | null {
  let hasName = false;
  let hasCode = false;
  for (let i = 2; i < request.count; i++) {
    if (!hasCode && request.is(i, "WITHCODE")) {
      hasCode = true;
    } else if (!hasName && request.is(i, "LIBRARYNAME")) {
      if (i + 1 >= request.count) return Errors.functionLibraryName;
      hasName = true;
      i++;
    } else {
      return unknownFunctionOption(request.latin1(i));
    }
  }
  return null;
}

const stats = defineCommand({
  ...shared,
  name: "function|stats",
  arity: 2,
  flags: Flag.noscript | Flag.allowBusy,
  summary: "Return information about the function currently running (name, description, duration)",
  tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
  answer({ reply }) {
    reply.map(2);
    reply.bulkLatin1("running_script");
    reply.nullBulk();
    reply.bulkLatin1("engines");
    reply.map(1);
    reply.bulkLatin1("LUA");
    reply.map(2);
    reply.bulkLatin1("libraries_count");
    reply.integer(0);
    reply.bulkLatin1("functions_count");
    reply.integer(0);
  },
});

const kill = defineCommand({
  ...shared,
  name: "function|kill",
  arity: 2,
  flags: Flag.noscript | Flag.allowBusy,
  summary: "Kill the function currently in execution.",
  tips: ["request_policy:all_shards", "response_policy:one_succeeded"],
  answer: ({ reply }) => reply.error(Errors.notBusy),
});

const deleteLibrary = defineCommand({
  ...shared,
  name: "function|delete",
  arity: 3,
  flags: Flag.noscript | Flag.write,
  summary: "Delete a function by name",
  syntax: "library-name",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  answer: ({ reply }) => reply.error(Errors.libraryNotFound),
});

const load = defineCommand({
  ...shared,
  name: "function|load",
  arity: -3,
  flags: Flag.noscript | Flag.write | Flag.denyoom,
  summary: "Create a function with the given arguments (name, code, description)",
  complexity: "O(1) (considering compilation time is redundant)",
  syntax: "[REPLACE] function-code",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  answer: ({ reply }) => reply.error(Errors.scripting),
});

const help = helpCommand(
  "function",
  "scripting",
  ["scripting"],
  [
    "DELETE <LIBRARY NAME>",
    "    Delete the given library. Functions are not supported: there is none.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "KILL",
    "    Kill the current running function.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries.",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload. Only an empty one can be.",
    "STATS",
    "    Return information about the current function running.",
  ],
);

export const functionCommand = defineCommand({
  name: "function",
  arity: -2,
  since: "7.0.0",
  group: "scripting",
  summary: "A container for function commands",
  complexity: "Depends on subcommand.",
  subcommands: [deleteLibrary, dump, flush, help, kill, list, load, restore, stats],
});
