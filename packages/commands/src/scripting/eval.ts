/**
 * EVAL, EVALSHA, FCALL and their read-only forms: scripts are not supported. The number of keys is checked as Redis checks it; then EVAL says so,
 * EVALSHA that the script is not known, FCALL that the function is not.
 */
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

function refusing(name: string, since: string, summary: string, argument: string, text: string): CommandRecord {
  return defineCommand({
    name,
    arity: -3,
    flags: Flag.noscript | Flag.stale | Flag.skipMonitor | (name.endsWith("_ro") ? Flag.readonly : 0),
    since,
    group: "scripting",
    summary,
    complexity: `Depends on the ${argument === "function" ? "function" : "script"} that is executed.`,
    syntax: `${argument} numkeys [key [key ...]] [arg [arg ...]]`,
    categories: ["scripting"],
    answer(context) {
      context.reply.error(numKeysError(context) ?? text);
    },
  });
}

function numKeysError({ request }: SessionContext): string | null {
  const count = request.int64(2);
  if (count === null) return Errors.notInteger;
  if (count > BigInt(request.count - 3)) return Errors.tooManyKeys;
  return count < 0n ? Errors.negativeKeys : null;
}

export const evalCommand = refusing("eval", "2.6.0", "Execute a Lua script server side", "script", Errors.scripting);
export const evalRo = refusing(
  "eval_ro",
  "7.0.0",
  "Execute a read-only Lua script server side",
  "script",
  Errors.scripting,
);
export const evalsha = refusing("evalsha", "2.6.0", "Execute a Lua script server side", "sha1", Errors.noScript);
export const evalshaRo = refusing(
  "evalsha_ro",
  "7.0.0",
  "Execute a read-only Lua script server side",
  "sha1",
  Errors.noScript,
);
export const fcall = refusing("fcall", "7.0.0", "Invoke a function", "function", Errors.functionNotFound);
export const fcallRo = refusing(
  "fcall_ro",
  "7.0.0",
  "Invoke a read-only function",
  "function",
  Errors.functionNotFound,
);
