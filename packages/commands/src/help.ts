/** HELP subcommands: Redis frames each list by a first line and by what HELP itself says. */
import type { ReplyWriterApi } from "@headrace/resp";
import type { CommandRecord, SessionContext } from "./command.ts";
import { Flag } from "./command.ts";
import { defineCommand } from "./record.ts";

function writeHelp(reply: ReplyWriterApi, container: string, lines: readonly string[]): void {
  reply.array(lines.length + 3);
  reply.simple(`${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) reply.simple(line);
  reply.simple("HELP");
  reply.simple("    Prints this help.");
}

/** The `HELP` record of a container, answered by the session. */
export function helpCommand(
  container: string,
  group: string,
  categories: readonly string[],
  lines: readonly string[],
): CommandRecord {
  return defineCommand({
    name: `${container}|help`,
    arity: 2,
    flags: Flag.loading | Flag.stale,
    since: "5.0.0",
    group,
    summary: "Show helpful text about the different subcommands",
    complexity: "O(1)",
    categories,
    answer: ({ reply }: SessionContext) => writeHelp(reply, container, lines),
  });
}
