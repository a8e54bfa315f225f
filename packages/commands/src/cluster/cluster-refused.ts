/** CLUSTER subcommands that would place slots and nodes by hand, or belong to Redis' gossip: Headrace does both by itself. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { clusterRefused } from "../errors.ts";
import { defineCommand } from "../record.ts";

const ROWS: readonly (readonly [word: string, arity: number, since: string, syntax: string, summary: string])[] = [
  ["addslots", -3, "3.0.0", "slot [slot ...]", "Assign new hash slots to receiving node"],
  [
    "addslotsrange",
    -4,
    "7.0.0",
    "start-slot end-slot [start-slot end-slot ...]",
    "Assign new hash slots to receiving node",
  ],
  ["bumpepoch", 2, "3.0.0", "", "Advance the cluster config epoch"],
  ["delslots", -3, "3.0.0", "slot [slot ...]", "Set hash slots as unbound in receiving node"],
  [
    "delslotsrange",
    -4,
    "7.0.0",
    "start-slot end-slot [start-slot end-slot ...]",
    "Set hash slots as unbound in receiving node",
  ],
  ["failover", -2, "3.0.0", "[FORCE | TAKEOVER]", "Forces a replica to perform a manual failover of its master."],
  ["flushslots", 2, "3.0.0", "", "Delete a node's own slots information"],
  ["forget", 3, "3.0.0", "node-id", "Remove a node from the nodes table"],
  ["meet", -4, "3.0.0", "ip port [cluster-bus-port]", "Force a node cluster to handshake with another node"],
  ["replicate", 3, "3.0.0", "node-id", "Reconfigure a node as a replica of the specified master node"],
  ["reset", -2, "3.0.0", "[HARD | SOFT]", "Reset a Redis Cluster node"],
  ["set-config-epoch", 3, "3.0.0", "config-epoch", "Set the configuration epoch in a new node"],
  [
    "setslot",
    -4,
    "3.0.0",
    "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>",
    "Bind a hash slot to a specific node",
  ],
];

export const refusedSubcommands: readonly CommandRecord[] = ROWS.map(([word, arity, since, syntax, summary]) =>
  defineCommand({
    name: `cluster|${word}`,
    arity,
    flags: Flag.admin | Flag.stale | (word === "reset" ? Flag.noscript : Flag.noAsyncLoading),
    since,
    group: "cluster",
    summary,
    complexity: "O(1)",
    syntax,
    answer: ({ reply }) => reply.error(clusterRefused(word)),
  }),
);
