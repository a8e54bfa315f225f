/** FLUSHALL and FLUSHDB [ASYNC | SYNC]: one database, so both are the same; the words change nothing. */
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

function execute({ request, reply, keyspace, effects }: ShardContext): void {
  const plain = request.count === 1 || (request.count === 2 && (request.is(1, "ASYNC") || request.is(1, "SYNC")));
  if (!plain) return reply.error(Errors.syntax);
  if (keyspace.size > 0) effects.flush();
  reply.ok();
}

const shared = {
  arity: -1,
  flags: Flag.write | Flag.wholeKeyspace,
  since: "1.0.0",
  group: "server",
  syntax: "[ASYNC | SYNC]",
  categories: ["keyspace", "dangerous"],
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  fanOut: { by: "allShards", merge: "allOk" },
  execute,
} as const;

export const flushall = defineCommand({
  ...shared,
  name: "flushall",
  summary: "Remove all keys from all databases",
  complexity: "O(N) where N is the total number of keys in all databases",
});

export const flushdb = defineCommand({
  ...shared,
  name: "flushdb",
  summary: "Remove all keys from the current database",
  complexity: "O(N) where N is the number of keys in the selected database",
});
