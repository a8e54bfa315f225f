/** Rows of the table of metrics (metrics.ts) about consumer groups: of those that are the furthest behind, so that labels stay few. */
import type { GroupLagRow, GroupLags } from "./group-lags.ts";
import { type MetricRow, type Sample, single } from "./metric-row.ts";

function perConsumerGroup(
  name: string,
  help: string,
  value: (row: GroupLagRow) => number,
  type: "counter" | "gauge" = "gauge",
): MetricRow<GroupLags> {
  const read = ({ rows }: GroupLags): readonly Sample[] =>
    rows.map((row) => [[row.stream, row.group], value(row)] as const);
  return { name, type, help, labels: ["stream", "group"], read };
}

/** Of the groups that are the furthest behind, `metrics-groups` of them. */
export const groupRowsOfMetrics: readonly MetricRow<GroupLags>[] = [
  single("gauge", "headrace_groups", "Consumer groups of the shards that this node leads.", ({ count }) => count),
  perConsumerGroup(
    "headrace_group_lag_entries",
    "Entries that the group has not been delivered; of a block that is not in memory all count.",
    (row) => row.lag,
  ),
  perConsumerGroup(
    "headrace_group_lag_seconds",
    "Age of the oldest entry that the group has not been delivered, by its id; 0: there is none, or its id is no time.",
    (row) => row.lagSeconds,
  ),
  perConsumerGroup(
    "headrace_group_lag_limit_entries",
    "Entries that producers may be ahead of the group (XGROUP SETMAXLAG); 0: no limit.",
    (row) => row.maxLag,
  ),
  perConsumerGroup("headrace_group_pending_entries", "Entries that the group has pending.", (row) => row.pending),
  perConsumerGroup(
    "headrace_group_pending_seconds",
    "Age of the oldest entry that the group has pending, by its id; 0: there is none, or its id is no time.",
    (row) => row.pendingSeconds,
  ),
  perConsumerGroup("headrace_group_consumers", "Consumers of the group.", (row) => row.consumers),
  perConsumerGroup(
    "headrace_group_delivered_entries_total",
    "Entries that were delivered to the group as new ones, as this replica has seen it.",
    (row) => row.delivered,
    "counter",
  ),
  perConsumerGroup(
    "headrace_group_redelivered_entries_total",
    "Deliveries of entries that the group had pending, as this replica has seen it.",
    (row) => row.redelivered,
    "counter",
  ),
  perConsumerGroup(
    "headrace_group_acknowledged_entries_total",
    "Entries that have left the group's pending list one by one, as this replica has seen it.",
    (row) => row.acknowledged,
    "counter",
  ),
  perConsumerGroup(
    "headrace_group_dead_letters_total",
    "Entries that the group has given up in its life (XGROUP SETDLQ).",
    (row) => row.deadLetters,
    "counter",
  ),
];
