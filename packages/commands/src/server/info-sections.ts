/**
 * INFO's sections: Redis' names of fields in Redis' order, since dashboards, exporters and clients' ready checks (`loading:0`, `role:master`) read them.
 * Numbers of clients, commands and memory are those of the process that is asked; keys, changes, blocking keys, and what data takes in memory (dataset:
 * entries, overhead: what can't leave it) are the shards', added up over their leaders. Fields of
 * things that do not exist here (forks, AOF rewrites, replication backlog) have the value that Redis shows while nothing of the kind goes on.
 */
import type { SessionServices } from "../command.ts";
import type { InfoNumbers, ShardNumbers } from "./info-numbers.ts";
import { REDIS_VERSION } from "./redis-version.ts";

type SectionWriter = (numbers: InfoNumbers, services: SessionServices) => readonly string[];

const serverLines: SectionWriter = (numbers, services) => [
  `redis_version:${REDIS_VERSION}`,
  `headrace_version:${numbers.headraceVersion}`,
  "redis_git_sha1:00000000",
  "redis_git_dirty:0",
  "redis_build_id:0",
  `redis_mode:${services.mode}`,
  `os:${numbers.operatingSystem}`,
  "arch_bits:64",
  "monotonic_clock:POSIX clock_gettime",
  "multiplexing_api:libuv",
  `process_id:${numbers.processId}`,
  "process_supervised:no",
  `run_id:${numbers.runId}`,
  `tcp_port:${numbers.port}`,
  `server_time_usec:${Math.floor(services.wallMs) * 1000}`,
  `uptime_in_seconds:${Math.floor(numbers.uptimeMs / 1000)}`,
  `uptime_in_days:${Math.floor(numbers.uptimeMs / 86_400_000)}`,
  "hz:10",
  "configured_hz:10",
  `lru_clock:${Math.floor(services.wallMs / 1000) % (1 << 24)}`,
  `executable:${numbers.executable}`,
  "config_file:",
  "io_threads_active:0",
];

const clientsLines: SectionWriter = (numbers) => [
  `connected_clients:${numbers.connectedClients}`,
  "cluster_connections:0",
  `maxclients:${numbers.maxClients}`,
  `client_recent_max_input_buffer:${numbers.maxInputBufferBytes}`,
  `client_recent_max_output_buffer:${numbers.maxOutputBufferBytes}`,
  `blocked_clients:${numbers.blockedClients}`,
  "tracking_clients:0",
  `pubsub_clients:${numbers.pubsubClients}`,
  `watching_clients:${numbers.watchingClients}`,
  "clients_in_timeout_table:0",
  `total_watched_keys:${numbers.watchedKeys}`,
  `total_blocking_keys:${numbers.shards.blockingKeys}`,
  `total_blocking_keys_on_nokey:${numbers.shards.blockingKeysOnNoKey}`,
];

const memoryLines: SectionWriter = (numbers) => {
  const used = numbers.usedMemoryBytes;
  const peak = Math.max(used, numbers.peakMemoryBytes);
  const fragmentation = numbers.usedMemoryRssBytes / Math.max(1, used);
  return [
    `used_memory:${used}`,
    `used_memory_human:${humanBytes(used)}`,
    `used_memory_rss:${numbers.usedMemoryRssBytes}`,
    `used_memory_rss_human:${humanBytes(numbers.usedMemoryRssBytes)}`,
    `used_memory_peak:${peak}`,
    `used_memory_peak_human:${humanBytes(peak)}`,
    `used_memory_peak_perc:${((100 * used) / Math.max(1, peak)).toFixed(2)}%`,
    `used_memory_overhead:${numbers.shards.fixedBytes}`,
    "used_memory_startup:0",
    `used_memory_dataset:${numbers.shards.blockBytes}`,
    `used_memory_dataset_perc:${datasetPercent(numbers.shards).toFixed(2)}%`,
    `total_system_memory:${numbers.systemMemoryBytes}`,
    `total_system_memory_human:${humanBytes(numbers.systemMemoryBytes)}`,
    "used_memory_lua:0",
    "used_memory_vm_eval:0",
    "used_memory_lua_human:0B",
    "used_memory_scripts_eval:0",
    "number_of_cached_scripts:0",
    "number_of_functions:0",
    "number_of_libraries:0",
    "used_memory_vm_functions:0",
    "used_memory_vm_total:0",
    "used_memory_vm_total_human:0B",
    "used_memory_functions:0",
    "used_memory_scripts:0",
    "used_memory_scripts_human:0B",
    `maxmemory:${numbers.maxMemoryBytes}`,
    `maxmemory_human:${humanBytes(numbers.maxMemoryBytes)}`,
    "maxmemory_policy:noeviction",
    `mem_fragmentation_ratio:${fragmentation.toFixed(2)}`,
    `mem_fragmentation_bytes:${numbers.usedMemoryRssBytes - used}`,
    "mem_not_counted_for_evict:0",
    "mem_replication_backlog:0",
    "mem_total_replication_buffers:0",
    "mem_clients_slaves:0",
    `mem_clients_normal:${numbers.clientBufferBytes}`,
    "mem_cluster_links:0",
    "mem_aof_buffer:0",
    "mem_allocator:libc",
    "active_defrag_running:0",
    "lazyfree_pending_objects:0",
    "lazyfreed_objects:0",
  ];
};

/** Entries' share of what the shards hold in memory. */
export function datasetPercent({ blockBytes, fixedBytes }: Pick<ShardNumbers, "blockBytes" | "fixedBytes">): number {
  return (100 * blockBytes) / Math.max(1, blockBytes + fixedBytes);
}

const persistenceLines: SectionWriter = (numbers, services) => [
  "loading:0",
  "async_loading:0",
  "current_cow_peak:0",
  "current_cow_size:0",
  "current_cow_size_age:0",
  "current_fork_perc:0.00",
  "current_save_keys_processed:0",
  "current_save_keys_total:0",
  `rdb_changes_since_last_save:${numbers.shards.changes}`,
  "rdb_bgsave_in_progress:0",
  `rdb_last_save_time:${Math.floor(services.wallMs / 1000)}`,
  "rdb_last_bgsave_status:ok",
  "rdb_last_bgsave_time_sec:-1",
  "rdb_current_bgsave_time_sec:-1",
  "rdb_saves:0",
  "rdb_last_cow_size:0",
  "rdb_last_load_keys_expired:0",
  "rdb_last_load_keys_loaded:0",
  "aof_enabled:1",
  "aof_rewrite_in_progress:0",
  "aof_rewrite_scheduled:0",
  "aof_last_rewrite_time_sec:-1",
  "aof_current_rewrite_time_sec:-1",
  "aof_last_bgrewrite_status:ok",
  "aof_rewrites:0",
  "aof_rewrites_consecutive_failures:0",
  "aof_last_write_status:ok",
  "aof_last_cow_size:0",
  "module_fork_in_progress:0",
  "module_fork_last_cow_size:0",
];

const statsLines: SectionWriter = (numbers) => [
  `total_connections_received:${numbers.totalConnections}`,
  `total_commands_processed:${numbers.totalCommands}`,
  `instantaneous_ops_per_sec:${Math.round(numbers.commandsPerSecond)}`,
  `total_net_input_bytes:${numbers.inputBytes}`,
  `total_net_output_bytes:${numbers.outputBytes}`,
  "total_net_repl_input_bytes:0",
  "total_net_repl_output_bytes:0",
  `instantaneous_input_kbps:${numbers.inputKilobytesPerSecond.toFixed(2)}`,
  `instantaneous_output_kbps:${numbers.outputKilobytesPerSecond.toFixed(2)}`,
  "instantaneous_input_repl_kbps:0.00",
  "instantaneous_output_repl_kbps:0.00",
  `rejected_connections:${numbers.rejectedConnections}`,
  "sync_full:0",
  "sync_partial_ok:0",
  "sync_partial_err:0",
  `expired_keys:${numbers.shards.expiredKeys}`,
  "expired_stale_perc:0.00",
  "expired_time_cap_reached_count:0",
  "expire_cycle_cpu_milliseconds:0",
  "evicted_keys:0",
  "evicted_clients:0",
  "evicted_scripts:0",
  "total_eviction_exceeded_time:0",
  "current_eviction_exceeded_time:0",
  `keyspace_hits:${numbers.shards.keyspaceHits}`,
  `keyspace_misses:${numbers.shards.keyspaceMisses}`,
  `pubsub_channels:${numbers.channels}`,
  `pubsub_patterns:${numbers.patterns}`,
  `pubsubshard_channels:${numbers.shardChannels}`,
  "latest_fork_usec:0",
  "total_forks:0",
  "migrate_cached_sockets:0",
  "slave_expires_tracked_keys:0",
  "active_defrag_hits:0",
  "active_defrag_misses:0",
  "active_defrag_key_hits:0",
  "active_defrag_key_misses:0",
  "total_active_defrag_time:0",
  "current_active_defrag_time:0",
  "tracking_total_keys:0",
  "tracking_total_items:0",
  "tracking_total_prefixes:0",
  "unexpected_error_replies:0",
  `total_error_replies:${numbers.totalErrorReplies}`,
  "dump_payload_sanitizations:0",
  `total_reads_processed:${numbers.readsProcessed}`,
  `total_writes_processed:${numbers.writesProcessed}`,
  "io_threaded_reads_processed:0",
  "io_threaded_writes_processed:0",
  `client_query_buffer_limit_disconnections:${numbers.queryBufferLimitClosed}`,
  `client_output_buffer_limit_disconnections:${numbers.outputLimitClosed}`,
  "reply_buffer_shrinks:0",
  "reply_buffer_expands:0",
  "acl_access_denied_auth:0",
  "acl_access_denied_cmd:0",
  "acl_access_denied_key:0",
  "acl_access_denied_channel:0",
];

/**
 * The replicas of Redis' model are clients of a master that clients may read from; copies of a shard are not. Their number stands in `connected_slaves`
 * for those who watch redundancy, without the lines that would name them.
 */
const replicationLines: SectionWriter = (numbers) => [
  "role:master",
  `connected_slaves:${numbers.connectedReplicas}`,
  "master_failover_state:no-failover",
  `master_replid:${numbers.runId}`,
  `master_replid2:${"0".repeat(40)}`,
  `master_repl_offset:${numbers.shards.logIndex}`,
  "second_repl_offset:-1",
  "repl_backlog_active:0",
  "repl_backlog_size:1048576",
  "repl_backlog_first_byte_offset:0",
  "repl_backlog_histlen:0",
];

const cpuLines: SectionWriter = (numbers) => [
  `used_cpu_sys:${numbers.cpuSystemSeconds.toFixed(6)}`,
  `used_cpu_user:${numbers.cpuUserSeconds.toFixed(6)}`,
  "used_cpu_sys_children:0.000000",
  "used_cpu_user_children:0.000000",
  `used_cpu_sys_main_thread:${numbers.cpuSystemSeconds.toFixed(6)}`,
  `used_cpu_user_main_thread:${numbers.cpuUserSeconds.toFixed(6)}`,
];

const commandstatsLines: SectionWriter = (numbers) => {
  const lines: string[] = [];
  for (const each of numbers.commandStats) {
    const perCall = each.calls === 0 ? 0 : each.microseconds / each.calls;
    lines.push(
      `cmdstat_${each.name}:calls=${each.calls},usec=${Math.round(each.microseconds)},usec_per_call=${perCall.toFixed(2)},` +
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

const latencystatsLines: SectionWriter = (numbers) => {
  const lines: string[] = [];
  for (const { name, latency } of numbers.commandStats) {
    if (latency === null || numbers.latencyPercentiles.length === 0) continue;
    const parts = numbers.latencyPercentiles.map((percent) => `p${percent}=${latency.percentile(percent).toFixed(3)}`);
    lines.push(`latency_percentiles_usec_${name}:${parts.join(",")}`);
  }
  return lines;
};

const clusterLines: SectionWriter = (numbers) => [`cluster_enabled:${numbers.clusterEnabled ? 1 : 0}`];

const keyspaceLines: SectionWriter = ({ shards }) =>
  shards.keys === 0 ? [] : [`db0:keys=${shards.keys},expires=${shards.expiringKeys},avg_ttl=0`];

export const INFO_SECTIONS: readonly {
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
  { title: "Latencystats", byDefault: false, lines: latencystatsLines },
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
