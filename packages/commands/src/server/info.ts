/**
 * INFO [section …]: Redis' sections and field names in Redis' order, as far as there is something true to say, since dashboards and clients'
 * ready checks (`loading:0`) read them.
 */
import { Flag } from "../command.ts";
import type { InfoNumbers, SessionServices } from "../command.ts";
import { defineCommand } from "../record.ts";
import { REDIS_VERSION } from "./redis-version.ts";

type SectionWriter = (numbers: InfoNumbers, services: SessionServices) => readonly string[];

export const info = defineCommand({
  name: "info",
  arity: -1,
  flags: Flag.loading | Flag.stale,
  since: "1.0.0",
  group: "server",
  summary: "Get information and statistics about the server",
  complexity: "O(1)",
  syntax: "[section [section ...]]",
  categories: ["dangerous"],
  tips: ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
  answer({ request, reply, services }) {
    const wanted = new Set<string>();
    for (let i = 1; i < request.count; i++) wanted.add(request.latin1(i).toLowerCase());
    if (wanted.size === 0) wanted.add("default");
    const all = wanted.has("all") || wanted.has("everything");
    const numbers = services.info();
    const parts: string[] = [];
    for (const section of SECTIONS) {
      const byDefault = wanted.has("default") && section.byDefault;
      if (!all && !byDefault && !wanted.has(section.title.toLowerCase())) continue;
      parts.push([`# ${section.title}`, ...section.lines(numbers, services), ""].join("\r\n"));
    }
    reply.verbatim(parts.join("\r\n"));
  },
});

const serverLines: SectionWriter = (numbers, services) => [
  `redis_version:${REDIS_VERSION}`,
  `headrace_version:${numbers.headraceVersion}`,
  "redis_git_sha1:00000000",
  "redis_git_dirty:0",
  `redis_mode:${services.mode}`,
  "arch_bits:64",
  `process_id:${numbers.processId}`,
  "process_supervised:no",
  `run_id:${numbers.runId}`,
  `tcp_port:${numbers.port}`,
  `server_time_usec:${Math.floor(services.wallMs) * 1000}`,
  `uptime_in_seconds:${Math.floor(numbers.uptimeMs / 1000)}`,
  `uptime_in_days:${Math.floor(numbers.uptimeMs / 86_400_000)}`,
];

const clientsLines: SectionWriter = (numbers) => [
  `connected_clients:${numbers.connectedClients}`,
  "cluster_connections:0",
  `maxclients:${numbers.maxClients}`,
  `blocked_clients:${numbers.blockedClients}`,
  "tracking_clients:0",
];

const memoryLines: SectionWriter = (numbers) => [
  `used_memory:${numbers.usedMemoryBytes}`,
  `used_memory_human:${humanBytes(numbers.usedMemoryBytes)}`,
  `used_memory_rss:${numbers.usedMemoryRssBytes}`,
  `used_memory_rss_human:${humanBytes(numbers.usedMemoryRssBytes)}`,
  `maxmemory:${numbers.maxMemoryBytes}`,
  `maxmemory_human:${humanBytes(numbers.maxMemoryBytes)}`,
  "maxmemory_policy:noeviction",
];

const persistenceLines: SectionWriter = () => [
  "loading:0",
  "async_loading:0",
  "rdb_changes_since_last_save:0",
  "rdb_bgsave_in_progress:0",
  "rdb_last_bgsave_status:ok",
  "aof_enabled:1",
  "aof_rewrite_in_progress:0",
  "aof_last_bgrewrite_status:ok",
  "aof_last_write_status:ok",
];

const statsLines: SectionWriter = (numbers) => [
  `total_connections_received:${numbers.totalConnections}`,
  `total_commands_processed:${numbers.totalCommands}`,
  `rejected_connections:${numbers.rejectedConnections}`,
  "expired_keys:0",
  "evicted_keys:0",
  "pubsub_channels:0",
  "pubsub_patterns:0",
  `total_error_replies:${numbers.totalErrorReplies}`,
];

const replicationLines: SectionWriter = (numbers) => [
  "role:master",
  `connected_slaves:${numbers.connectedReplicas}`,
  "master_failover_state:no-failover",
  `master_replid:${numbers.runId}`,
  "master_repl_offset:0",
];

const cpuLines: SectionWriter = () => [
  "used_cpu_sys:0.000000",
  "used_cpu_user:0.000000",
  "used_cpu_sys_children:0.000000",
  "used_cpu_user_children:0.000000",
];

const commandstatsLines: SectionWriter = (numbers) => {
  const lines: string[] = [];
  for (const each of numbers.commandStats) {
    const perCall = each.calls === 0 ? 0 : each.usec / each.calls;
    lines.push(
      `cmdstat_${each.name}:calls=${each.calls},usec=${Math.round(each.usec)},usec_per_call=${perCall.toFixed(2)},` +
        `rejected_calls=${each.rejected},failed_calls=${each.failed}`,
    );
  }
  return lines;
};

const errorstatsLines: SectionWriter = (numbers) => {
  const lines: string[] = [];
  for (const each of numbers.errorStats) lines.push(`errorstat_${each.code}:count=${each.count}`);
  return lines;
};

const clusterLines: SectionWriter = (_numbers, services) => [`cluster_enabled:${services.mode === "cluster" ? 1 : 0}`];

const keyspaceLines: SectionWriter = (numbers) =>
  numbers.keys === 0 ? [] : [`db0:keys=${numbers.keys},expires=0,avg_ttl=0`];

const SECTIONS: readonly {
  readonly title: string;
  readonly byDefault: boolean;
  readonly lines: SectionWriter;
}[] = [
  { title: "Server", byDefault: true, lines: serverLines },
  { title: "Clients", byDefault: true, lines: clientsLines },
  { title: "Memory", byDefault: true, lines: memoryLines },
  { title: "Persistence", byDefault: true, lines: persistenceLines },
  { title: "Stats", byDefault: true, lines: statsLines },
  { title: "Replication", byDefault: true, lines: replicationLines },
  { title: "CPU", byDefault: true, lines: cpuLines },
  { title: "Modules", byDefault: true, lines: () => [] },
  { title: "Commandstats", byDefault: false, lines: commandstatsLines },
  { title: "Errorstats", byDefault: true, lines: errorstatsLines },
  { title: "Cluster", byDefault: true, lines: clusterLines },
  { title: "Keyspace", byDefault: true, lines: keyspaceLines },
];

function humanBytes(bytes: number): string {
  const units = ["B", "K", "M", "G", "T"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value}B` : `${value.toFixed(2)}${units[unit]}`;
}
