/** WAIT and WAITAOF: records only. The gateway asks every shard that the connection wrote to, and answers with the minimum. */
import { Flag } from "../command.ts";
import { defineCommand } from "../record.ts";

export const wait = defineCommand({
  name: "wait",
  arity: 3,
  flags: Flag.noscript,
  since: "3.0.0",
  group: "generic",
  summary:
    "Wait for the synchronous replication of all the write commands sent in the context of the current connection",
  complexity: "O(1)",
  syntax: "numreplicas timeout",
  categories: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  scope: "gateway",
});

export const waitaof = defineCommand({
  name: "waitaof",
  arity: 4,
  flags: Flag.noscript,
  since: "7.2.0",
  group: "generic",
  summary:
    "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
  complexity: "O(1)",
  syntax: "numlocal numreplicas timeout",
  categories: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:agg_min"],
  scope: "gateway",
});
