/**
 * Runs one request that a leader has received: finds the record, refuses what may not run here, calls the handler.
 */
import { assert } from "@headrace/bytes";
import type { CommandRecord, ShardContext } from "./command.ts";
import { refusal } from "./table.ts";

/**
 * Runs a shard command's handler after the checks that precede every command. `record` is `findCommand`'s answer for context.request.
 * Answers false when the request was refused (the error is written).
 */
export function executeShardCommand(record: CommandRecord | null, context: ShardContext): boolean {
  const refused = refusal(context.request, record);
  if (refused !== null) {
    context.reply.error(refused);
    return false;
  }
  assert(record !== null && record.execute !== null, "a session command does not reach a shard");
  record.execute(context);
  return true;
}
