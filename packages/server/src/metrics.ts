/**
 * THE table of metrics (rows about consumer groups: group-metrics.ts), and the only file that knows prom-client. Hot counters are plain numbers elsewhere; they are read here when somebody scrapes,
 * never pushed.
 */
import { LatencyHistogram } from "@headrace/bytes";
import type { Gateway } from "@headrace/gateway";
import { nodeDuties } from "@headrace/meta";
import type { Node } from "@headrace/node";
import type { StoreBytes } from "@headrace/store";
import type { SegmentBytes } from "@headrace/wal";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { GroupLags } from "./group-lags.ts";
import { groupRowsOfMetrics } from "./group-metrics.ts";
import { type MetricRow, type Sample, single } from "./metric-row.ts";
import { groupRows, type GroupRow } from "./node-status.ts";
import { HEADRACE_VERSION } from "./version.ts";

const roleNumbers: Readonly<Record<string, number>> = { follower: 0, preCandidate: 1, candidate: 2, leader: 3 };

function perGroup(
  name: string,
  help: string,
  value: (group: GroupRow) => number,
  type: "counter" | "gauge" = "gauge",
): MetricRow<Node> {
  return {
    name,
    type,
    help,
    labels: ["shard"],
    read: (node) => groupRows(node.status()).map((group) => [[String(group.groupId)], value(group)]),
  };
}

interface HistogramRow<Source> {
  readonly name: string;
  readonly help: string;
  readonly read: (source: Source) => LatencyHistogram | null;
}

const nodeHistograms: readonly HistogramRow<Node>[] = [
  {
    name: "headrace_raft_fsync_seconds",
    help: "Writes of the shared log that were durable when they returned.",
    read: (node) => {
      const wal = node.status()["wal"] as { readonly durableWrites?: LatencyHistogram } | undefined;
      return wal?.durableWrites ?? null;
    },
  },
  {
    name: "headrace_turn_seconds",
    help: "Turns: everything that had arrived for all groups of the node, executed, proposed and answered.",
    read: (node) => times(node)?.turns ?? null,
  },
  {
    name: "headrace_checkpoint_capture_seconds",
    help: "Captures: what a checkpoint is made of, copied at the end of a turn.",
    read: (node) => times(node)?.captures ?? null,
  },
];

function times(node: Node): { readonly turns: LatencyHistogram; readonly captures: LatencyHistogram } | undefined {
  return node.status()["times"] as
    | { readonly turns: LatencyHistogram; readonly captures: LatencyHistogram }
    | undefined;
}

const gatewayHistograms: readonly HistogramRow<Gateway>[] = [
  {
    name: "headrace_command_seconds",
    help: "From a request to its replies, one observation per run of pipelined requests to one shard; calls that may block left out.",
    read: (gateway) => gateway.statistics.replies,
  },
];

function histogramText({ name, help }: HistogramRow<never>, { counts, count, sumMs }: LatencyHistogram): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  let sum = 0;
  for (const [i, boundMs] of LatencyHistogram.boundsMs.entries()) {
    sum += counts[i]!;
    lines.push(`${name}_bucket{le="${boundMs / 1000}"} ${sum}`);
  }
  lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sumMs / 1000}`, `${name}_count ${count}`);
  return `${lines.join("\n")}\n`;
}

function numbers(counts: unknown): readonly Sample[] {
  return Object.entries((counts ?? {}) as Readonly<Record<string, number>>).map(([name, count]) => [[name], count]);
}

function space(node: Node): { readonly freeBytes?: number; readonly isLow?: boolean } {
  return (node.status()["space"] ?? {}) as { readonly freeBytes?: number; readonly isLow?: boolean };
}

function memoryByKind(node: Node): readonly Sample[] {
  const status = node.status();
  const sums = new Map<string, number>();
  for (const { memory } of groupRows(status)) {
    for (const [kind, bytes] of Object.entries(memory)) sums.set(kind, (sums.get(kind) ?? 0) + bytes);
  }
  sums.set("other", numberIn(status["memory"], "otherBytes"));
  return [...sums].map(([kind, bytes]): Sample => [[kind], bytes]);
}

function memoryNumber(name: string, field: string, help: string, type: "counter" | "gauge" = "gauge"): MetricRow<Node> {
  return single(type, name, help, (node) => numberIn(node.status()["memory"], field));
}

function coldNumber(name: string, field: string, help: string, type: "counter" | "gauge" = "gauge"): MetricRow<Node> {
  return single(type, name, help, (node) => {
    const memory = node.status()["memory"] as { readonly cold?: unknown } | undefined;
    return numberIn(memory?.cold, field);
  });
}

/** Before the node is a member there is nothing to count; a yes counts as 1. */
function numberIn(record: unknown, field: string): number {
  return Number((record as Readonly<Record<string, unknown>> | undefined)?.[field] ?? 0);
}

function walStat(node: Node, name: string): number {
  const value = (node.status()["wal"] as Readonly<Record<string, unknown>>)[name];
  return typeof value === "number" ? value : 0;
}

function snapshotCount(name: string, field: string, help: string): MetricRow<Node> {
  return single("counter", name, help, (node) => {
    const counts = node.status()["snapshots"] as Readonly<Record<string, number>> | undefined;
    return counts?.[field] ?? 0;
  });
}

function scrubCount(name: string, field: string, help: string): MetricRow<Node> {
  return single("counter", name, help, (node) => numberIn(node.status()["scrubbing"], field));
}

const nodeRows: readonly MetricRow<Node>[] = [
  perGroup("headrace_raft_term", "Raft term of the replica; shard 0 is the metadata group.", (group) => group.term),
  perGroup(
    "headrace_raft_role",
    "0 follower, 1 pre-candidate, 2 candidate, 3 leader.",
    (group) => roleNumbers[group.role] ?? -1,
  ),
  perGroup("headrace_raft_commit_index", "Index of the last log entry known to be committed.", (group) => group.commit),
  perGroup("headrace_raft_applied_index", "Index of the last log entry in memory.", (group) => group.applied),
  perGroup("headrace_raft_last_index", "Index of the last log entry.", (group) => group.lastIndex),
  perGroup("headrace_raft_checkpoint_index", "Index of the durable checkpoint.", (group) => group.checkpoint),
  perGroup(
    "headrace_raft_uncommitted_bytes",
    "Bytes executed and not yet committed.",
    (group) => group.uncommittedBytes,
  ),
  perGroup("headrace_raft_log_bytes", "Bytes of log kept behind the checkpoint.", (group) => group.logBytes),
  perGroup(
    "headrace_raft_rollbacks_total",
    "States reloaded because uncommitted effects were replaced.",
    (group) => group.rollbacks,
    "counter",
  ),
  perGroup(
    "headrace_raft_leader_changes_total",
    "Leaders that this replica has heard of, one after another.",
    (group) => group.leaderChanges,
    "counter",
  ),
  perGroup(
    "headrace_raft_follower_lag_entries",
    "Leader: log entries that the follower furthest behind has still to get; 0 at followers.",
    (group) => group.followerLag,
  ),
  perGroup(
    "headrace_raft_quorum_ok",
    "1 when the replica knows a leader; one without a majority steps down within an election timeout.",
    (group) => (group.leaderNodeId > 0 ? 1 : 0),
  ),
  perGroup("headrace_keys", "Keys of the shard.", (group) => group.keys),
  perGroup(
    "headrace_packed_streams",
    "Keys that stand packed in memory: small and unused.",
    (group) => group.packedStreams,
  ),
  perGroup(
    "headrace_blocked_calls",
    "Blocked reads and held writes waiting at this replica.",
    (group) => group.blockedCalls,
  ),
  perGroup("headrace_held_writes", "XADDs held until consumers catch up.", (group) => group.heldWrites),
  perGroup(
    "headrace_held_writes_total",
    "XADDs that were held since the start, as leader.",
    (group) => group.writesHeld,
    "counter",
  ),
  perGroup(
    "headrace_refused_for_lag_total",
    "XADDs answered -BACKPRESSURE since the start, as leader.",
    (group) => group.refusedForLag,
    "counter",
  ),
  perGroup("headrace_held_replies", "Replies waiting for their cursor.", (group) => group.heldReplies),
  snapshotCount("headrace_snapshots_sent_total", "sent", "Snapshots that a replica on another node has taken whole."),
  snapshotCount("headrace_snapshot_bytes_sent_total", "sentBytes", "Bytes of snapshots sent."),
  snapshotCount(
    "headrace_snapshots_installed_total",
    "installed",
    "Snapshots that took the place of a replica's state.",
  ),
  snapshotCount("headrace_snapshots_resumed_total", "resumed", "Times that a broken snapshot went on where it was."),
  snapshotCount("headrace_snapshots_failed_total", "failed", "Snapshots given up by their source or their receiver."),
  snapshotCount("headrace_snapshots_refused_total", "refused", "Frames of snapshots for or from what is not there."),
  snapshotCount(
    "headrace_snapshot_chunks_damaged_total",
    "damagedChunks",
    "Frames of snapshots that did not match their checksum and were not used.",
  ),
  snapshotCount(
    "headrace_snapshot_rows_damaged_total",
    "damagedRows",
    "Rows of the store that did not match their checksum when a snapshot was read; they are not sent.",
  ),
  scrubCount("headrace_scrub_rows_total", "rows", "Rows of the store that were read to see whether they are damaged."),
  scrubCount("headrace_scrub_bytes_total", "bytes", "Bytes of rows read for that."),
  scrubCount("headrace_scrub_rounds_total", "rounds", "Times that all that the node has stored was gone through."),
  scrubCount(
    "headrace_scrub_errors_total",
    "damaged",
    "Replicas with a row that was damaged, missing or of another time, once a round each; they are to be replaced.",
  ),
  scrubCount("headrace_scrub_reads_failed_total", "unread", "Times that the disk did not answer when it was asked."),
  single("counter", "headrace_wal_writes_total", "Writes of the shared log.", (node) => walStat(node, "writes")),
  single("counter", "headrace_wal_bytes_total", "Bytes written to the shared log.", (node) => walStat(node, "bytes")),
  single("gauge", "headrace_wal_segments", "Segments of the shared log on disk.", (node) => walStat(node, "segments")),
  single(
    "gauge",
    "headrace_wal_last_write_seconds",
    "How long the log's last write took.",
    (node) => walStat(node, "lastWriteMs") / 1000,
  ),
  {
    name: "headrace_memory_bytes",
    type: "gauge",
    help: "What the node holds in memory, by what it is for: blocks and coldReads (entries), fixed (what can't leave memory), log, replies, requests, captures, messages, other (links, the store).",
    labels: ["kind"],
    read: memoryByKind,
  },
  memoryNumber("headrace_memory_budget_bytes", "budgetBytes", "Memory budget of the node; 0: none."),
  memoryNumber("headrace_memory_full", "isFull", "1 when what can't leave memory fills the budget: -OOM."),
  memoryNumber(
    "headrace_memory_evicted_bytes_total",
    "evictedBytes",
    "Bytes of blocks that left memory, and of streams that were packed.",
    "counter",
  ),
  perGroup(
    "headrace_writes_refused_for_memory_total",
    "Writes answered with -OOM because what can't leave memory fills the budget.",
    (group) => group.refusedForMemory,
    "counter",
  ),
  perGroup("headrace_shard_commands_total", "Commands that a leader ran.", (group) => group.executed, "counter"),
  coldNumber("headrace_cold_waits_total", "waits", "Times that a command waited for blocks from the store.", "counter"),
  coldNumber("headrace_cold_waiting", "waiting", "Commands that wait for blocks from the store."),
  coldNumber("headrace_cold_blocks_read_total", "blocksRead", "Blocks read while nothing else waited.", "counter"),
  coldNumber("headrace_cold_blocks_ahead_total", "blocksAhead", "Of them those that nobody waited for yet.", "counter"),
  coldNumber(
    "headrace_cold_reads_now_total",
    "readsNow",
    "Rows read while the whole node waited: for calls that had blocked, and for commands and transactions that had written.",
    "counter",
  ),
  perGroup(
    "headrace_writes_refused_for_space_total",
    "Writes answered with -MISCONF because the disk is below its reserve.",
    (group) => group.refusedForSpace,
    "counter",
  ),
  perGroup(
    "headrace_retention_trimmed_entries_total",
    "Entries that this leader has trimmed because they were outside of their stream's retention.",
    (group) => group.trimmedByRetention,
    "counter",
  ),
  perGroup(
    "headrace_consumers_expired_total",
    "Consumers that this leader has let go because nobody had seen them for as long as their group says (XGROUP SETIDLE).",
    (group) => group.expiredConsumers,
    "counter",
  ),
  perGroup(
    "headrace_outbox_items",
    "Dead letters, and entries on their way back, that wait in the shard's outbox for the stream they go to.",
    (group) => group.outboxItems,
  ),
  perGroup("headrace_outbox_bytes", "Bytes of the shard's outbox.", (group) => group.outboxBytes),
  perGroup(
    "headrace_outbox_delivered_total",
    "Items of the outbox that came to where they were to go, as this leader has seen it.",
    (group) => group.outboxDelivered,
    "counter",
  ),
  perGroup(
    "headrace_outbox_refused_total",
    "Times that an item of the outbox was not taken: no memory, no space, a full outbox there, no further id, or another type under that name.",
    (group) => group.outboxRefused,
    "counter",
  ),
  perGroup(
    "headrace_delayed_entries",
    "Entries that will appear in their streams later (XADD DELAY, AT).",
    (group) => group.delayedEntries,
  ),
  perGroup(
    "headrace_delayed_overdue_seconds",
    "How long the delayed entry that is due first has been due; 0: none is.",
    ({ delayedDueMs }) => (delayedDueMs === 0 ? 0 : Math.max(0, Date.now() - delayedDueMs) / 1000),
  ),
  perGroup(
    "headrace_delayed_released_total",
    "Delayed entries that have appeared in their streams by this leader's doing.",
    (group) => group.releasedDelayed,
    "counter",
  ),
  perGroup(
    "headrace_raft_refused_appends_total",
    "Appends of a leader not taken because the log is too far ahead of the checkpoint.",
    (group) => group.refusedAppends,
    "counter",
  ),
  {
    name: "headrace_damage_total",
    type: "counter",
    help: "Damage found on this node's disk since its start: wal, state or records.",
    labels: ["place"],
    read: (node) => numbers(node.status()["damage"]),
  },
  {
    name: "headrace_messages_refused_total",
    type: "counter",
    help: "Messages and frames of other nodes that were not taken in, by reason.",
    labels: ["reason"],
    read: (node) => numbers(node.status()["refused"]),
  },
  single(
    "gauge",
    "headrace_disk_free_bytes",
    "Free bytes of the data's file system; -1: not known.",
    (node) => space(node).freeBytes ?? -1,
  ),
  single("gauge", "headrace_disk_low", "1 when the disk is below its reserve.", (node) => (space(node).isLow ? 1 : 0)),
  single(
    "gauge",
    "headrace_clock_ahead_seconds",
    "How far this node's wall clock is ahead of the median of the nodes'.",
    (node) => Number(node.status()["clockAheadMs"] ?? 0) / 1000,
  ),
  single(
    "gauge",
    "headrace_member_changes",
    "Groups whose members are being changed, as this node knows the metadata.",
    (node) => changesInFlight(node),
  ),
  {
    name: "headrace_nodes",
    type: "gauge",
    help: "Nodes of the cluster by what they are for: active, spare, draining, quarantined, expelled.",
    labels: ["duty"],
    read: (node) => nodesByDuty(node),
  },
  single("gauge", "headrace_ready", "1 when the node serves.", (node) => (node.readiness().ready ? 1 : 0)),
];

function changesInFlight(node: Node): number {
  const state = node.clusterState;
  return state?.groupIds().filter((groupId) => state.membersOf(groupId)!.change !== null).length ?? 0;
}

function nodesByDuty(node: Node): Sample[] {
  const nodes = node.clusterState?.nodes ?? [];
  return nodeDuties.map((duty) => [[duty], nodes.filter((each) => each.duty === duty).length]);
}

const gatewayRows: readonly MetricRow<Gateway>[] = [
  {
    name: "headrace_commands_total",
    type: "counter",
    help: "Requests by command and outcome.",
    labels: ["cmd", "status"],
    read: (gateway) =>
      [...gateway.commandCounts()].flatMap(({ name, calls, rejected, failed }): Sample[] => [
        [[name, "ok"], Math.max(0, calls - failed)],
        [[name, "failed"], failed],
        [[name, "rejected"], rejected],
      ]),
  },
  {
    name: "headrace_error_replies_total",
    type: "counter",
    help: "Error replies by their first word.",
    labels: ["code"],
    read: (gateway) => [...gateway.statistics.errorsByCode].map(([code, count]) => [[code], count]),
  },
  single("gauge", "headrace_connections", "Clients connected.", (gateway) => gateway.gauges().clients),
  single(
    "counter",
    "headrace_connections_total",
    "Clients ever accepted.",
    (gateway) => gateway.statistics.totalConnections,
  ),
  single(
    "counter",
    "headrace_rejected_connections_total",
    "Clients refused for maxclients.",
    (gateway) => gateway.statistics.rejectedConnections,
  ),
  single(
    "gauge",
    "headrace_blocked_clients",
    "Clients in a blocking read.",
    (gateway) => gateway.gauges().blockedClients,
  ),
  single(
    "counter",
    "headrace_parked_commands_total",
    "Requests that waited for a leader or for credit.",
    (gateway) => gateway.statistics.heldRequests,
  ),
  single(
    "counter",
    "headrace_redirects_total",
    "Requests that a node refused and that were sent again.",
    (gateway) => gateway.statistics.resentRequests,
  ),
  single(
    "counter",
    "headrace_uncertain_replies_total",
    "Writes answered with -UNCERTAIN.",
    (gateway) => gateway.statistics.uncertainReplies,
  ),
  single(
    "counter",
    "headrace_protocol_errors_total",
    "Connections closed for what is no RESP.",
    (gateway) => gateway.statistics.protocolErrors,
  ),
  single(
    "counter",
    "headrace_output_limit_closed_total",
    "Clients closed because they read too slowly.",
    (gateway) => gateway.statistics.outputLimitClosed,
  ),
  {
    name: "headrace_client_buffer_bytes",
    type: "gauge",
    help: "Bytes of all clients: input was sent by them and not answered, output was not taken by them.",
    labels: ["direction"],
    read: (gateway) => {
      const { clientInputBytes, clientOutputBytes } = gateway.gauges();
      return [
        [["input"], clientInputBytes],
        [["output"], clientOutputBytes],
      ];
    },
  },
  single("gauge", "headrace_links", "Links to nodes.", (gateway) => gateway.gauges().links),
  single("gauge", "headrace_links_ready", "Links that are up and proven.", (gateway) => gateway.gauges().readyLinks),
  single("counter", "headrace_link_losses_total", "Links lost.", (gateway) => gateway.statistics.linkLosses),
  single(
    "gauge",
    "headrace_shards_without_leader",
    "Shards that no leader is known for or reachable of.",
    (gateway) => gateway.gauges().shardsWithoutLeader,
  ),
  single("gauge", "headrace_ready", "1 when every shard can be served.", (gateway) => (gateway.isReady ? 1 : 0)),
];

/** What a node has asked its disk to write, counted where it is written, and the log entries that all of it is for. */
export interface DiskBytes {
  readonly log: SegmentBytes;
  readonly store: StoreBytes;
  readonly entryBytes: () => number;
}

function writtenByKind({ log, store }: DiskBytes): readonly Sample[] {
  return [
    [["log"], log.blockBytes],
    [["log_zeros"], log.zeroBytes],
    [["values"], store.valueBytes],
    [["moved_values"], store.movedValueBytes],
    [["rows"], store.rowBytes],
    [["tables"], store.tableBytes],
  ];
}

const diskRows: readonly MetricRow<DiskBytes>[] = [
  {
    name: "headrace_disk_written_bytes_total",
    type: "counter",
    help: "Bytes written to disk: the log, zeros of its segments before their use, large values, the same moved or compressed, rows into LevelDB's log, its tables.",
    labels: ["kind"],
    read: writtenByKind,
  },
  single(
    "counter",
    "headrace_log_entry_bytes_total",
    "Data of the log entries that this node has written: the payload, as effects.",
    (disk) => disk.entryBytes(),
  ),
  single(
    "gauge",
    "headrace_write_amplification",
    "Bytes written to disk for each byte of log entries, since the process began; 0 before the first.",
    (disk) => {
      const written = writtenByKind(disk).reduce((sum, [, bytes]) => sum + bytes, 0);
      return disk.entryBytes() === 0 ? 0 : written / disk.entryBytes();
    },
  ),
];

export type MetricsPage = () => Promise<{ readonly contentType: string; readonly text: string }>;

export function nodeMetrics(node: Node, written: Pick<DiskBytes, "log" | "store">, lags: GroupLags): MetricsPage {
  const disk = { ...written, entryBytes: () => walStat(node, "entryBytes") };
  const rows = [...bound(nodeRows, node), ...bound(diskRows, disk), ...bound(groupRowsOfMetrics, lags)];
  const show = page(rows, () => histogramTexts(nodeHistograms, node));
  return async () => {
    await lags.look();
    return show();
  };
}

export function gatewayMetrics(gateway: Gateway): MetricsPage {
  return page(bound(gatewayRows, gateway), () => histogramTexts(gatewayHistograms, gateway));
}

/** A row that knows where it reads from. */
type BoundRow = Omit<MetricRow<never>, "read"> & { readonly samples: () => readonly Sample[] };

function bound<Source>(rows: readonly MetricRow<Source>[], source: Source): readonly BoundRow[] {
  return rows.map(({ name, type, help, labels, read }) => ({ name, type, help, labels, samples: () => read(source) }));
}

function page(rows: readonly BoundRow[], histograms: () => string): MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const info = new Gauge({
    name: "headrace_info",
    help: "Version of the program.",
    labelNames: ["version"],
    registers: [registry],
  });
  info.labels(HEADRACE_VERSION).set(1);
  for (const row of rows) register(registry, row);
  return async () => ({
    contentType: registry.contentType,
    // prom-client's gauges carry the samples; what only grows is declared as what it is.
    text: declareCounters(await registry.metrics(), rows) + histograms(),
  });
}

function histogramTexts<Source>(rows: readonly HistogramRow<Source>[], source: Source): string {
  return rows
    .map((row) => {
      const histogram = row.read(source);
      return histogram === null ? "" : `\n${histogramText(row, histogram)}`;
    })
    .join("");
}

function register(registry: Registry, row: BoundRow): void {
  const gauge = new Gauge({
    name: row.name,
    help: row.help,
    labelNames: [...row.labels],
    registers: [registry],
    collect: () => {
      gauge.reset();
      for (const [labels, value] of row.samples()) gauge.labels(...labels).set(value);
    },
  });
}

function declareCounters(text: string, rows: readonly { readonly name: string; readonly type: string }[]): string {
  const counters = new Set(rows.filter((row) => row.type === "counter").map((row) => row.name));
  return text.replace(/^# TYPE (\S+) gauge$/gm, (line, name: string) =>
    counters.has(name) ? `# TYPE ${name} counter` : line,
  );
}
