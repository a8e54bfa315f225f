/**
 * THE table of settings: one row each with name, kind, unit, default, limits and meaning. Flags, environment (`HEADRACE_…`), files, `--help`, the
 * README's table, validation and CONFIG GET all come from here. Redis' name where Redis has one.
 */
import { z } from "zod";

/** Which program reads the setting. `up` hands what it shares on to the nodes and the gateway that it starts. */
export type Program = "up" | "node" | "gateway";

export type SettingKind = "string" | "integer" | "boolean" | "choice" | "bytes" | "addresses";

export interface SettingRow {
  /** Flag without dashes; the environment's name is HEADRACE_ + upper case with underscores. */
  readonly name: string;
  readonly kind: SettingKind;
  readonly unit: "" | "ms" | "bytes" | "port" | "count";
  readonly default: string | number | boolean | null;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly choices?: readonly string[];
  readonly programs: readonly Program[];
  /** Never printed, never in CONFIG GET. */
  readonly secret?: boolean;
  /** Fixed when a cluster is founded: null when not given, since the data then says what counts; `default` is for founding. */
  readonly founding?: boolean;
  /** Shown by CONFIG GET under this name. */
  readonly configName?: string;
  readonly meaning: string;
}

const all: readonly Program[] = ["up", "node", "gateway"];
const storage: readonly Program[] = ["up", "node"];
const front: readonly Program[] = ["up", "gateway"];

export const settingRows: readonly SettingRow[] = [
  row("host", "string", "", "127.0.0.1", front, "Address that the gateway listens on for Redis clients.", {
    configName: "bind",
  }),
  row("port", "integer", "port", 6379, front, "Port for Redis clients.", {
    minimum: 0,
    maximum: 65535,
    configName: "port",
  }),
  row("http-port", "integer", "port", 8379, all, "Port of /metrics, /livez and /readyz (of the gateway, with `up`).", {
    minimum: 0,
    maximum: 65535,
  }),
  row(
    "metrics-groups",
    "integer",
    "count",
    20,
    storage,
    "Consumer groups on /metrics of each node: those of the shards that it leads which are the furthest behind. 0 = none are looked at.",
    {
      minimum: 0,
      maximum: 10_000,
    },
  ),
  row(
    "base-port",
    "integer",
    "port",
    7400,
    ["up"],
    "First port of the nodes: node i uses base + 10·(i−1) and the two behind it.",
    {
      minimum: 1,
      maximum: 65000,
    },
  ),
  row("data", "string", "", "./data", storage, "Data directory. `up` makes one folder a node below it.", {
    configName: "dir",
  }),
  row("nodes", "integer", "count", 3, ["up"], "Storage nodes to run.", {
    minimum: 1,
    maximum: 9,
    founding: true,
  }),
  row(
    "replicas",
    "integer",
    "count",
    3,
    storage,
    "Copies of each shard; a majority of them must be up. Fixed at founding.",
    {
      minimum: 1,
      maximum: 7,
      founding: true,
    },
  ),
  row("shards", "integer", "count", 8, storage, "Shards that the 16,384 slots are dealt to. Fixed at founding.", {
    minimum: 1,
    maximum: 1024,
    founding: true,
  }),
  row(
    "restore",
    "string",
    "",
    null,
    storage,
    "Directory of a backup that a new cluster is founded from: the same one at every founder. Once it is restored this has no meaning.",
  ),
  row(
    "ack",
    "choice",
    "",
    "all",
    storage,
    "When a write is answered: all = a majority has it fsynced, 1 = the leader's log has it, 0 = executed.",
    {
      choices: ["all", "1", "0"],
    },
  ),
  row(
    "fsync",
    "choice",
    "",
    "always",
    storage,
    "When the leader's own log is synced for ack=1 and ack=0 writes. ack=all always waits for a majority's fsync.",
    {
      choices: ["always", "everysec", "no"],
      configName: "appendfsync",
    },
  ),
  row(
    "compression",
    "boolean",
    "",
    true,
    storage,
    "Compress on disk what stays: in the background, a file of 32 MiB at a time, where it gets clearly smaller. What is compressed can be read either way.",
  ),
  row(
    "memory",
    "bytes",
    "bytes",
    0,
    all,
    "Memory budget of each node; CONFIG SET maxmemory then counts instead, for all of them. Entries leave memory above it, and when that is not enough, writes get -OOM. 0 = none.",
    {
      minimum: 0,
      configName: "maxmemory",
    },
  ),
  row(
    "election-timeout-ms",
    "integer",
    "ms",
    500,
    storage,
    "Time without a leader before a node asks for votes; drawn between one and two of it.",
    {
      minimum: 50,
      maximum: 600_000,
    },
  ),
  row(
    "heartbeat-ms",
    "integer",
    "ms",
    50,
    storage,
    "Time between a leader's heartbeats; at most a fifth of the election timeout.",
    {
      minimum: 5,
      maximum: 60_000,
    },
  ),
  row(
    "node-down-after",
    "integer",
    "ms",
    300_000,
    storage,
    "A node out of contact for this long has its replicas rebuilt on others, where there is one without a copy.",
    {
      minimum: 1000,
      maximum: 86_400_000,
    },
  ),
  row(
    "hold-ms",
    "integer",
    "ms",
    5000,
    all,
    "How long a gateway holds a request while its shard has no leader; then -CLUSTERDOWN (nothing happened).",
    {
      minimum: 0,
      maximum: 600_000,
    },
  ),
  row(
    "reply-timeout-ms",
    "integer",
    "ms",
    10_000,
    all,
    "How long a gateway waits for the answer of a request it has sent; then -UNCERTAIN for writes.",
    {
      minimum: 100,
      maximum: 3_600_000,
    },
  ),
  row("no-restart", "boolean", "", false, ["up"], "Do not start a child again when it dies."),
  row("in-process", "boolean", "", false, ["up"], "Run gateway and nodes in one process (laptops, tests)."),
  row(
    "bind",
    "string",
    "",
    "127.0.0.1",
    ["node"],
    "Address that a node listens on. Anything but loopback needs HEADRACE_CLUSTER_SECRET.",
  ),
  row("data-port", "integer", "port", 7400, ["node"], "Port for gateways and cluster-aware clients.", {
    minimum: 0,
    maximum: 65535,
  }),
  row("grpc-port", "integer", "port", 7401, ["node"], "Port for the other nodes: Raft, snapshots, metadata.", {
    minimum: 0,
    maximum: 65535,
  }),
  row(
    "announce-host",
    "string",
    "",
    null,
    ["node", "gateway"],
    "Host name that others reach this process by (containers); default: the address it listens on.",
    {
      configName: "cluster-announce-hostname",
    },
  ),
  row(
    "announce-port",
    "integer",
    "port",
    null,
    ["node", "gateway"],
    "Port that clients reach this process by; default: the port it listens on.",
    {
      minimum: 1,
      maximum: 65535,
      configName: "cluster-announce-port",
    },
  ),
  row(
    "announce-grpc-port",
    "integer",
    "port",
    null,
    ["node"],
    "Port that other nodes and gateways reach this node's grpc-port by (a port that is mapped); default: grpc-port.",
    {
      minimum: 1,
      maximum: 65535,
      configName: "cluster-announce-bus-port",
    },
  ),
  row(
    "seeds",
    "addresses",
    "",
    null,
    ["node", "gateway"],
    "host:grpc-port of nodes, comma-separated, DNS names allowed. With bootstrap-expect they are the founders.",
  ),
  row(
    "bootstrap-expect",
    "integer",
    "count",
    0,
    ["node"],
    "Number of founders. The cluster is founded when all of them are reachable and empty; 0 = only join.",
    {
      minimum: 0,
      maximum: 9,
    },
  ),
  row(
    "cluster-secret",
    "string",
    "",
    null,
    all,
    "Shared secret that proves who belongs to the cluster. Give it by environment or file, not by flag.",
    {
      secret: true,
    },
  ),
  row("maxclients", "integer", "count", 10_000, front, "Clients that a gateway accepts at once.", {
    minimum: 1,
    maximum: 1_000_000,
    configName: "maxclients",
  }),
  row("proto-max-bulk-len", "bytes", "bytes", 16 * 1024 * 1024, all, "Largest single argument of a request.", {
    minimum: 1024,
    maximum: 512 * 1024 * 1024,
    configName: "proto-max-bulk-len",
  }),
  row(
    "max-transaction-bytes",
    "bytes",
    "bytes",
    32 * 1024 * 1024,
    all,
    "What a client may queue behind MULTI; a transaction is one log entry. More is refused before anything is executed.",
    {
      minimum: 1024,
      maximum: 32 * 1024 * 1024,
      configName: "max-transaction-bytes",
    },
  ),
  row(
    "client-output-buffer-limit",
    "bytes",
    "bytes",
    256 * 1024 * 1024,
    front,
    "Replies that may wait for a slow client before its connection is closed.",
    {
      minimum: 64 * 1024,
      maximum: 8 * 1024 * 1024 * 1024,
    },
  ),
  row(
    "cluster-enabled",
    "boolean",
    "",
    false,
    front,
    "Say cluster_enabled:1 in a gateway's INFO, for cluster clients that look there first. CLUSTER answers in any case.",
  ),
  row(
    "stream-node-max-entries",
    "integer",
    "count",
    100,
    storage,
    "Entries in one stream node, the grain of approximate trimming. Fixed at founding, then CONFIG SET.",
    {
      minimum: 0,
      maximum: 1_000_000,
    },
  ),
  row(
    "stream-node-max-bytes",
    "bytes",
    "bytes",
    4096,
    storage,
    "Bytes in one stream node. Fixed at founding, then CONFIG SET.",
    {
      minimum: 0,
      maximum: 1 << 30,
    },
  ),
  row(
    "stream-idmp-duration",
    "integer",
    "count",
    100,
    storage,
    "Seconds for which a new stream knows idempotent ids (XADD IDMP). Fixed at founding, then CONFIG SET; a stream's own: XCFGSET.",
    {
      minimum: 1,
      maximum: 86_400,
    },
  ),
  row(
    "stream-idmp-maxsize",
    "integer",
    "count",
    100,
    storage,
    "Idempotent ids that a new stream knows of each producer. Fixed at founding, then CONFIG SET; a stream's own: XCFGSET.",
    {
      minimum: 1,
      maximum: 10_000,
    },
  ),
  row(
    "stream-retention-ms",
    "integer",
    "ms",
    0,
    storage,
    "Entries whose id is of an older time are trimmed, whole blocks at a time; 0 = no bound. Fixed at founding, then CONFIG SET; a stream's own: XCFGSET.",
    { minimum: 0 },
  ),
  row(
    "stream-retention-bytes",
    "bytes",
    "bytes",
    0,
    storage,
    "Bytes of entries that a stream keeps, and up to a block more; 0 = no bound. Fixed at founding, then CONFIG SET; a stream's own: XCFGSET.",
    { minimum: 0 },
  ),
  row(
    "stream-retention-entries",
    "integer",
    "count",
    0,
    storage,
    "Entries that a stream keeps, and up to a block more; 0 = no bound. Fixed at founding, then CONFIG SET; a stream's own: XCFGSET.",
    { minimum: 0 },
  ),
  row(
    "stream-retention-keep",
    "choice",
    "",
    "none",
    storage,
    "unacked = whatever the bounds, nothing is trimmed that a consumer group has not acknowledged. Fixed at founding, then CONFIG SET; a stream's own: XCFGSET.",
    { choices: ["none", "unacked"] },
  ),
  row(
    "stream-delayed-max-entries",
    "integer",
    "count",
    100_000,
    storage,
    "Delayed entries (XADD DELAY, AT) that a stream may have at a time; they stay in memory. 0 = no bound. Fixed at founding, then CONFIG SET.",
    { minimum: 0 },
  ),
  row(
    "stream-outbox-max-bytes",
    "bytes",
    "bytes",
    8 * 1024 * 1024,
    storage,
    "Bytes of dead letters (XGROUP SETDLQ) that a shard holds until their stream takes them; beyond it further ones stay pending. They stay in memory. 0 = no bound. Fixed at founding, then CONFIG SET.",
    { minimum: 0 },
  ),
  row("wal-segment-bytes", "bytes", "bytes", 64 * 1024 * 1024, storage, "Size of one preallocated log segment.", {
    minimum: 1024 * 1024,
    maximum: 1024 * 1024 * 1024,
  }),
  row(
    "disk-reserve",
    "bytes",
    "bytes",
    512 * 1024 * 1024,
    storage,
    "With less than this free on the data's file system, writes that may grow the data get -MISCONF, and leadership moves. 0 = only when it is full.",
    {
      minimum: 0,
      maximum: 1024 * 1024 * 1024 * 1024,
    },
  ),
  row(
    "log-retain",
    "bytes",
    "bytes",
    64 * 1024 * 1024,
    storage,
    "Log that a shard keeps behind its checkpoint for replicas that lag; who is further behind gets a snapshot.",
    {
      minimum: 4096,
      maximum: 64 * 1024 * 1024 * 1024,
    },
  ),
  row(
    "snapshot-rate",
    "bytes",
    "bytes",
    64 * 1024 * 1024,
    storage,
    "Bytes a second at which a node sends snapshots of its shards to other nodes, all together.",
    {
      minimum: 64 * 1024,
      maximum: 64 * 1024 * 1024 * 1024,
    },
  ),
  row(
    "scrub-rate",
    "bytes",
    "bytes",
    4 * 1024 * 1024,
    storage,
    "Bytes a second at which a node reads all that it has stored, at most once a day, to find what is damaged before somebody needs it. 0 = never.",
    {
      minimum: 0,
      maximum: 64 * 1024 * 1024 * 1024,
    },
  ),
  row("loglevel", "choice", "", "info", all, "Least level that is logged.", {
    choices: ["debug", "info", "warn", "error"],
    configName: "loglevel",
  }),
];

function row(
  name: string,
  kind: SettingKind,
  unit: SettingRow["unit"],
  fallback: SettingRow["default"],
  programs: readonly Program[],
  meaning: string,
  more: Partial<SettingRow> = {},
): SettingRow {
  return { name, kind, unit, default: fallback, programs, meaning, ...more };
}

export type SettingValue = string | number | boolean | readonly string[] | null;

/** Values by name; `null` where there is no default and none was given. */
export type Settings = Readonly<Record<string, SettingValue>>;

export function environmentName(row: SettingRow): string {
  return `HEADRACE_${row.name.toUpperCase().replaceAll("-", "_")}`;
}

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/** Redis' sizes: 1k = 1000, 1kb = 1024, upper or lower case. */
function parseBytes(text: string): number {
  const match = /^(\d+)\s*([a-z]*)$/i.exec(text.trim());
  const factor = match === null ? undefined : byteUnits[match[2]!.toLowerCase()];
  return match === null || factor === undefined ? Number.NaN : Number(match[1]) * factor;
}

/** The validator of one row: takes what a flag, an environment variable or a file gives. */
export function schemaOf(row: SettingRow): z.ZodType<SettingValue> {
  switch (row.kind) {
    case "string":
      return z.coerce.string().min(1, "must not be empty");
    case "boolean":
      return z.union([
        z.boolean(),
        z
          .enum(["true", "yes", "1", "on", "false", "no", "0", "off"])
          .transform((word) => /^(true|yes|1|on)$/.test(word)),
      ]);
    case "choice":
      return z.coerce
        .string()
        .transform((word) => word.toLowerCase())
        .refine((word) => row.choices!.includes(word), { message: `must be one of ${row.choices!.join(", ")}` });
    case "addresses":
      return z
        .union([z.array(z.string()), z.string().transform((text) => text.split(","))])
        .transform((list) => list.map((address) => address.trim()).filter((address) => address !== ""))
        .refine((list) => list.every((address) => /^\[?[A-Za-z0-9_.:-]+\]?:\d{1,5}$/.test(address)), {
          message: "must be host:port, comma-separated",
        });
    case "bytes":
      return z
        .union([z.number(), z.string().transform(parseBytes)])
        .pipe(bounded(row, "must be a number of bytes, like 512mb"));
    case "integer":
      return z
        .union([z.number(), z.string().transform((text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN))])
        .pipe(bounded(row, "must be an integer"));
    default:
      row.kind satisfies never;
      throw new Error("unreachable");
  }
}

function bounded(row: SettingRow, message: string): z.ZodType<number, number> {
  let schema = z.number({ error: message }).refine(Number.isSafeInteger, { message });
  if (row.minimum !== undefined) schema = schema.min(row.minimum, `must be at least ${row.minimum}`);
  if (row.maximum !== undefined) schema = schema.max(row.maximum, `must be at most ${row.maximum}`);
  return schema;
}

/** Relations between settings, checked after each has been checked by itself. */
export function relationProblems(settings: Settings): readonly string[] {
  const problems: string[] = [];
  const number = (name: string): number => (typeof settings[name] === "number" ? settings[name] : Number.NaN);
  if (number("heartbeat-ms") * 5 > number("election-timeout-ms")) {
    problems.push("heartbeat-ms must be at most a fifth of election-timeout-ms");
  }
  return problems;
}

/** What a cluster that is founded now is like; what was not asked for is the default, but never more replicas than nodes. */
export function foundingFacts(asked: Settings): {
  readonly nodes: number;
  readonly replicas: number;
  readonly shards: number;
} {
  const fact = (name: string): number =>
    (asked[name] as number | null) ?? (settingRows.find((row) => row.name === name)!.default as number);
  const nodes = fact("nodes");
  return {
    nodes,
    replicas: asked["replicas"] === null ? Math.min(nodes, fact("replicas")) : fact("replicas"),
    shards: fact("shards"),
  };
}
