/** What the subcommands of XGROUP have in common. */
import type { GroupView, StreamKeyView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors, noGroup } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";

export function sub(
  word: string,
  access: string,
  spec: Partial<CommandRecord> &
    Pick<CommandRecord, "arity" | "summary" | "syntax"> & { readonly execute: (context: ShardContext) => void },
): CommandRecord {
  return defineCommand({
    flags: Flag.write,
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    categories: ["stream"],
    keys: keyAt(2, access),
    ...spec,
    name: `xgroup|${word}`,
  });
}

/** Key and group that must exist; null when the error is written. */
export function findGroup(context: ShardContext): { readonly found: StreamKeyView; readonly group: GroupView } | null {
  const { request, reply, keyspace } = context;
  const key = request.latin1(2);
  const found = findStream(keyspace, key);
  if (typeof found === "string" || found === null) {
    reply.error(found ?? Errors.groupNeedsKey);
    return null;
  }
  const name = request.latin1(3);
  const group = found.stream.group(name);
  if (group === null) {
    reply.error(noGroup(key, name));
    return null;
  }
  return { found, group };
}
