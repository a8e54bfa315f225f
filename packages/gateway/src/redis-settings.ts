/**
 * Redis' settings that mean nothing here, or only one thing. Tools and test harnesses read all settings and write them back, and set some without asking
 * whether they matter; so each name that they are known to use is decided here:
 *
 *   tunable   tunes something that is built otherwise here (encodings of other types, forks, memory allocation, Redis' own replication). Any value that
 *             Redis would take is taken and shown again by this process; nothing depends on it.
 *   fixed     promises something: persistence, eviction, access, replication. Only the value that is true may be set.
 *
 * Settings that do something are not here: see gateway-settings.ts and the cluster's own in `meta`. Source of names, defaults and limits: redis config.c.
 */

export type SettingForm =
  | { readonly kind: "yesNo" }
  | { readonly kind: "integer"; readonly least: number; readonly most: number }
  | { readonly kind: "memory" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "text" };

export interface TunableSetting {
  readonly name: string;
  readonly value: string;
  readonly form: SettingForm;
  /** Older names of the same thing. */
  readonly aliases: readonly string[];
}

const INT_MAX = 2_147_483_647;
const LONG_MAX = Number.MAX_SAFE_INTEGER;

function yesNo(name: string, value: "yes" | "no", ...aliases: string[]): TunableSetting {
  return { name, value, form: { kind: "yesNo" }, aliases };
}

function integer(name: string, value: number, least: number, most: number, ...aliases: string[]): TunableSetting {
  return { name, value: String(value), form: { kind: "integer", least, most }, aliases };
}

function memory(name: string, value: number): TunableSetting {
  return { name, value: String(value), form: { kind: "memory" }, aliases: [] };
}

function words(name: string, value: string, choices: readonly string[]): TunableSetting {
  return { name, value, form: { kind: "words", words: choices }, aliases: [] };
}

export const TUNABLE_SETTINGS: readonly TunableSetting[] = [
  integer("active-defrag-cycle-max", 25, 1, 99),
  integer("active-defrag-cycle-min", 1, 1, 99),
  memory("active-defrag-ignore-bytes", 104_857_600),
  integer("active-defrag-max-scan-fields", 1000, 1, LONG_MAX),
  integer("active-defrag-threshold-lower", 10, 0, 1000),
  integer("active-defrag-threshold-upper", 100, 0, 1000),
  integer("active-expire-effort", 1, 1, 10),
  yesNo("activedefrag", "no"),
  yesNo("activerehashing", "yes"),
  integer("acllog-max-len", 128, 0, LONG_MAX),
  yesNo("aof-load-truncated", "yes"),
  yesNo("aof-rewrite-incremental-fsync", "yes"),
  yesNo("aof-timestamp-enabled", "no"),
  yesNo("aof-use-rdb-preamble", "yes"),
  integer("auto-aof-rewrite-percentage", 100, 0, INT_MAX),
  memory("auto-aof-rewrite-min-size", 67_108_864),
  integer("busy-reply-threshold", 5000, 0, LONG_MAX, "lua-time-limit"),
  yesNo("crash-log-enabled", "yes"),
  yesNo("crash-memcheck-enabled", "yes"),
  yesNo("dynamic-hz", "yes"),
  integer("hash-max-listpack-entries", 512, 0, LONG_MAX, "hash-max-ziplist-entries"),
  integer("hash-max-listpack-value", 64, 0, LONG_MAX, "hash-max-ziplist-value"),
  memory("hll-sparse-max-bytes", 3000),
  integer("hz", 10, 0, INT_MAX),
  yesNo("jemalloc-bg-thread", "yes"),
  yesNo("lazyfree-lazy-eviction", "no"),
  yesNo("lazyfree-lazy-expire", "no"),
  yesNo("lazyfree-lazy-server-del", "no"),
  yesNo("lazyfree-lazy-user-del", "no"),
  yesNo("lazyfree-lazy-user-flush", "no"),
  integer("lfu-decay-time", 1, 0, INT_MAX),
  integer("lfu-log-factor", 10, 0, INT_MAX),
  integer("list-compress-depth", 0, 0, INT_MAX),
  integer("list-max-listpack-size", -2, -INT_MAX, INT_MAX, "list-max-ziplist-size"),
  memory("maxmemory-clients", 0),
  integer("maxmemory-eviction-tenacity", 10, 0, 100),
  integer("maxmemory-samples", 5, 1, 64),
  yesNo("no-appendfsync-on-rewrite", "no"),
  words("oom-score-adj", "no", ["no", "yes", "relative", "absolute"]),
  words("propagation-error-behavior", "ignore", ["ignore", "panic", "panic-on-replicas"]),
  yesNo("rdb-del-sync-files", "no"),
  yesNo("rdb-save-incremental-fsync", "yes"),
  yesNo("rdbcompression", "yes"),
  yesNo("repl-disable-tcp-nodelay", "no"),
  words("repl-diskless-load", "disabled", ["disabled", "on-empty-db", "swapdb"]),
  yesNo("repl-diskless-sync", "yes"),
  integer("repl-diskless-sync-delay", 5, 0, INT_MAX),
  integer("repl-diskless-sync-max-replicas", 0, 0, INT_MAX),
  memory("repl-backlog-size", 1_048_576),
  integer("repl-backlog-ttl", 3600, 0, LONG_MAX),
  integer("repl-ping-replica-period", 10, 1, INT_MAX, "repl-ping-slave-period"),
  integer("repl-timeout", 60, 1, INT_MAX),
  words("sanitize-dump-payload", "no", ["no", "yes", "clients"]),
  integer("set-max-intset-entries", 512, 0, LONG_MAX),
  integer("set-max-listpack-entries", 128, 0, LONG_MAX),
  integer("set-max-listpack-value", 64, 0, LONG_MAX),
  integer("tracking-table-max-keys", 1_000_000, 0, LONG_MAX),
  yesNo("use-exit-on-panic", "no"),
  integer("zset-max-listpack-entries", 128, 0, LONG_MAX, "zset-max-ziplist-entries"),
  integer("zset-max-listpack-value", 64, 0, LONG_MAX, "zset-max-ziplist-value"),
];

export const FIXED_SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ["acl-pubsub-default", "resetchannels"],
  ["aclfile", ""],
  ["always-show-logo", "no"],
  ["appendonly", "yes"],
  ["cluster-allow-pubsubshard-when-down", "yes"],
  ["cluster-allow-reads-when-down", "no"],
  ["cluster-require-full-coverage", "no"],
  ["daemonize", "no"],
  ["databases", "1"],
  ["disable-thp", "yes"],
  ["enable-debug-command", "no"],
  ["enable-module-command", "no"],
  ["enable-protected-configs", "no"],
  ["io-threads", "1"],
  ["io-threads-do-reads", "no"],
  ["logfile", ""],
  ["masterauth", ""],
  ["masteruser", ""],
  ["maxmemory", "0"],
  ["maxmemory-policy", "noeviction"],
  ["min-replicas-max-lag", "10"],
  ["min-slaves-max-lag", "10"],
  ["min-replicas-to-write", "0"],
  ["min-slaves-to-write", "0"],
  ["pidfile", ""],
  ["protected-mode", "no"],
  ["rdbchecksum", "yes"],
  ["replica-ignore-maxmemory", "yes"],
  ["replica-lazy-flush", "no"],
  ["replica-priority", "100"],
  ["slave-priority", "100"],
  ["replica-read-only", "yes"],
  ["slave-read-only", "yes"],
  ["replica-serve-stale-data", "yes"],
  ["slave-serve-stale-data", "yes"],
  ["replicaof", ""],
  ["slaveof", ""],
  ["requirepass", ""],
  ["save", ""],
  ["set-proc-title", "no"],
  ["socket-mark-id", "0"],
  ["stop-writes-on-bgsave-error", "yes"],
  ["supervised", "no"],
  ["syslog-enabled", "no"],
  ["tcp-backlog", "511"],
  ["tls-cluster", "no"],
  ["tls-port", "0"],
  ["tls-replication", "no"],
  ["unixsocket", ""],
  ["unixsocketperm", "0"],
];
