/** EXEC: the record only. Who serves the connection sends the transaction to its shard as one request (shard-exec.ts). */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const exec = defineCommand({
  name: "exec",
  arity: 1,
  flags: Flag.noscript | Flag.loading | Flag.stale | Flag.skipSlowlog,
  since: "1.2.0",
  group: "transactions",
  summary: "Execute all commands issued after MULTI",
  complexity: "Depends on commands in the transaction",
  categories: ["transaction"],
  scope: "gateway",
});
