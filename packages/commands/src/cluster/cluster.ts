/**
 * CLUSTER: the slot map in the four forms that clients ask for. What is shown is what the process wants clients to dial: a gateway names
 * gateways, a node names leaders.
 */
import { slotOf } from "@headrace/bytes";
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, NodeView, SessionContext, ShardView } from "../command.ts";
import { unknownNode } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { countKeysInSlot, getKeysInSlot, numbers } from "./cluster-keys.ts";
import { refusedSubcommands } from "./cluster-refused.ts";

function sub(
  word: string,
  summary: string,
  spec: Partial<CommandRecord> & { readonly answer: (context: SessionContext) => void },
): CommandRecord {
  return defineCommand({
    arity: 2,
    flags: Flag.stale,
    since: "3.0.0",
    group: "cluster",
    complexity: "O(N) where N is the total number of Cluster nodes",
    ...spec,
    name: `cluster|${word}`,
    summary,
  });
}

const keyslot = sub("keyslot", "Returns the hash slot of the specified key", {
  arity: 3,
  complexity: "O(N) where N is the number of bytes in the key",
  syntax: "key",
  argumentTypes: { key: "string" },
  answer({ request, reply }) {
    reply.integer(slotOf(request.bytes, request.start(2), request.end(2)));
  },
});

const myid = sub("myid", "Return the node id", {
  complexity: "O(1)",
  answer({ reply, services }) {
    reply.bulkLatin1(services.self.name);
  },
});

const slots = sub("slots", "Get array of Cluster slot to node mappings", {
  tips: ["nondeterministic_output"],
  answer({ reply, services }) {
    const shards = services.shards();
    let rows = 0;
    for (const shard of shards) rows += shard.slotRanges.length;
    reply.array(rows);
    for (const shard of shards) {
      for (const range of shard.slotRanges) {
        reply.array(2 + shard.nodes.length);
        reply.integer(range.from);
        reply.integer(range.to);
        for (const node of leaderFirst(shard)) {
          reply.array(4);
          reply.bulkLatin1(node.host);
          reply.integer(node.port);
          reply.bulkLatin1(node.name);
          reply.array(0);
        }
      }
    }
  },
});

const shards = sub("shards", "Get array of cluster slots to node mappings", {
  since: "7.0.0",
  complexity: "O(N) where N is the total number of cluster nodes",
  tips: ["nondeterministic_output"],
  answer({ reply, services }) {
    const all = services.shards();
    reply.array(all.length);
    for (const shard of all) writeShard(reply, shard);
  },
});

function writeShard(reply: ReplyWriterApi, shard: ShardView): void {
  reply.map(2);
  reply.bulkLatin1("slots");
  reply.array(shard.slotRanges.length * 2);
  for (const range of shard.slotRanges) {
    reply.integer(range.from);
    reply.integer(range.to);
  }
  reply.bulkLatin1("nodes");
  reply.array(shard.nodes.length);
  for (const node of leaderFirst(shard)) {
    reply.map(7);
    reply.bulkLatin1("id");
    reply.bulkLatin1(node.name);
    reply.bulkLatin1("port");
    reply.integer(node.port);
    reply.bulkLatin1("ip");
    reply.bulkLatin1(node.host);
    reply.bulkLatin1("endpoint");
    reply.bulkLatin1(node.host);
    reply.bulkLatin1("role");
    reply.bulkLatin1(node.nodeId === shard.leaderNodeId ? "master" : "replica");
    reply.bulkLatin1("replication-offset");
    reply.integer(0);
    reply.bulkLatin1("health");
    reply.bulkLatin1("online");
  }
}

function leaderFirst(shard: ShardView): NodeView[] {
  const isLeader = (node: NodeView): boolean => node.nodeId === shard.leaderNodeId;
  return [...shard.nodes.filter(isLeader), ...shard.nodes.filter((node) => !isLeader(node))];
}

const nodes = sub("nodes", "Get Cluster config for the node", {
  tips: ["nondeterministic_output"],
  answer({ reply, services }) {
    const all = services.shards();
    const known = new Map<string, NodeView>([[services.self.name, services.self]]);
    for (const shard of all) for (const node of shard.nodes) known.set(node.name, node);
    let text = "";
    for (const node of known.values()) {
      const flags = node.name === services.self.name ? "myself,master" : "master";
      text += `${node.name} ${node.host}:${node.port}@${node.port} ${flags} - 0 0 ${services.epoch} connected`;
      for (const shard of all) {
        if (shard.leaderNodeId !== node.nodeId) continue;
        for (const { from, to } of shard.slotRanges) text += from === to ? ` ${from}` : ` ${from}-${to}`;
      }
      text += "\n";
    }
    reply.verbatim(text);
  },
});

const info = sub("info", "Provides info about Redis Cluster node state", {
  complexity: "O(1)",
  tips: ["nondeterministic_output"],
  answer({ reply, services }) {
    const all = services.shards();
    const names = new Set<string>();
    let assigned = 0;
    let led = 0;
    for (const shard of all) {
      let size = 0;
      for (const { from, to } of shard.slotRanges) size += to - from + 1;
      assigned += size;
      led += shard.servedSlots;
      for (const node of shard.nodes) names.add(node.name);
    }
    const lines = [
      // As with cluster-require-full-coverage no: what is served is served.
      `cluster_state:${led > 0 ? "ok" : "fail"}`,
      `cluster_slots_assigned:${assigned}`,
      `cluster_slots_ok:${led}`,
      `cluster_slots_pfail:0`,
      `cluster_slots_fail:${assigned - led}`,
      `cluster_known_nodes:${names.size}`,
      `cluster_size:${all.length}`,
      `cluster_current_epoch:${services.epoch}`,
      `cluster_my_epoch:${services.epoch}`,
      `cluster_stats_messages_sent:0`,
      `cluster_stats_messages_received:0`,
      `total_cluster_links_buffer_limit_exceeded:0`,
    ];
    reply.verbatim(`${lines.join("\r\n")}\r\n`);
  },
});

/** A shard's own name: CLUSTER MYSHARDID at a node that leads several tells the first one's. */
const myshardid = sub("myshardid", "Return the node shard id", {
  since: "7.2.0",
  complexity: "O(1)",
  answer({ reply, services }) {
    reply.bulkLatin1(services.self.name);
  },
});

/** Nodes talk over gRPC and not over Redis' cluster bus: there are no links of its kind. */
const links = sub("links", "Returns a list of all TCP links to and from peer nodes in cluster", {
  since: "7.0.0",
  tips: ["nondeterministic_output"],
  answer: ({ reply }) => reply.array(0),
});

/** Every node that holds shards leads some: none is listed as another's replica. */
function answerReplicas({ request, reply, services }: SessionContext): void {
  const name = request.latin1(2);
  const isKnown =
    name === services.self.name || services.shards().some(({ nodes }) => nodes.some((node) => node.name === name));
  if (!isKnown) return reply.error(unknownNode(name));
  reply.array(0);
}

const replicas = sub("replicas", "List replica nodes of the specified master node", {
  arity: 3,
  since: "5.0.0",
  syntax: "node-id",
  flags: Flag.admin | Flag.stale,
  tips: ["nondeterministic_output"],
  answer: answerReplicas,
});

const slaves = sub("slaves", "List replica nodes of the specified master node", {
  arity: 3,
  syntax: "node-id",
  flags: Flag.admin | Flag.stale,
  tips: ["nondeterministic_output"],
  answer: answerReplicas,
});

const countFailureReports = sub(
  "count-failure-reports",
  "Return the number of failure reports active for a given node",
  {
    arity: 3,
    complexity: "O(N) where N is the number of failure reports",
    syntax: "node-id",
    flags: Flag.admin | Flag.stale,
    tips: ["nondeterministic_output"],
    answer({ request, reply, services }) {
      const name = request.latin1(2);
      const isKnown = services.shards().some(({ nodes }) => nodes.some((node) => node.name === name));
      if (!isKnown && name !== services.self.name) return reply.error(unknownNode(name));
      reply.integer(0);
    },
  },
);

/** The placement is in the metadata group's log as soon as it counts. */
const saveconfig = sub("saveconfig", "Forces the node to save cluster state on disk", {
  complexity: "O(1)",
  flags: Flag.admin | Flag.stale | Flag.noAsyncLoading,
  answer: ({ reply }) => reply.ok(),
});

const help = helpCommand(
  "cluster",
  "cluster",
  [],
  [
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Return number of failure reports for <node-id>.",
    "COUNTKEYSINSLOT <slot>",
    "    Return the number of keys in <slot>.",
    "GETKEYSINSLOT <slot> <count>",
    "    Return key names stored by current node in a slot.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "MYID",
    "    Return the node id.",
    "MYSHARDID",
    "    Return the node's shard id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "NUMBERS",
    "    Return what each shard's leader counts: keys, expiring keys, changes, blocking keys,",
    "    of them those on which XREADGROUP waits, lookups that found a key and that did not, log index.",
    "REPLICAS <node-id>",
    "    Return <node-id> replicas.",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master and replicas IP addresses, ports and ids",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "LINKS",
    "    Return information about all network links between this node and its peers.",
    "    Output format is an array where each array element is a map containing attributes of a link",
  ],
);

export const cluster = defineCommand({
  name: "cluster",
  arity: -2,
  since: "3.0.0",
  group: "cluster",
  summary: "A container for cluster commands",
  complexity: "Depends on subcommand.",
  subcommands: [
    countFailureReports,
    countKeysInSlot,
    getKeysInSlot,
    help,
    info,
    keyslot,
    links,
    myid,
    myshardid,
    nodes,
    numbers,
    replicas,
    saveconfig,
    shards,
    slaves,
    slots,
    ...refusedSubcommands,
  ],
});
