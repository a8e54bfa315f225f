/** A node's status as people and scripts see it: names instead of numbers, one row for each Raft group, the metadata group as group 0. */

export interface GroupRow {
  readonly groupId: number;
  readonly replicaId: number;
  readonly role: string;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly checkpoint: number;
  readonly uncommittedBytes: number;
  readonly logBytes: number;
  readonly keys: number;
  readonly packedStreams: number;
  readonly blockedCalls: number;
  readonly heldWrites: number;
  readonly refusedForLag: number;
  readonly writesHeld: number;
  readonly heldReplies: number;
  readonly rollbacks: number;
  readonly refusedForSpace: number;
  readonly refusedForMemory: number;
  readonly executed: number;
  readonly evictedBytes: number;
  /** Bytes by what they are for; empty for the metadata group. */
  readonly memory: Readonly<Record<string, number>>;
  readonly trimmedByRetention: number;
  readonly expiredConsumers: number;
  readonly outboxItems: number;
  readonly outboxBytes: number;
  readonly outboxDelivered: number;
  readonly outboxRefused: number;
  readonly releasedDelayed: number;
  readonly delayedEntries: number;
  /** 0: there is none. */
  readonly delayedDueMs: number;
  readonly refusedAppends: number;
  readonly leaderNodeId: number;
  /** Leaders that this replica has heard of, one after another. */
  readonly leaderChanges: number;
  /** Leader: log entries that the follower which is furthest behind has still to get. */
  readonly followerLag: number;
}

const roleNames = ["follower", "preCandidate", "candidate", "leader"] as const;

/** Rows of `Node.status()`; what is missing (not a member yet) is an empty list. */
export function groupRows(status: Readonly<Record<string, unknown>>): readonly GroupRow[] {
  const shards = (status["shards"] as readonly Record<string, unknown>[] | undefined) ?? [];
  const metadata = status["metadata"] as Record<string, unknown> | null | undefined;
  const rows = shards.map((shard) => groupRow(number(shard, "groupId"), shard));
  return metadata === null || metadata === undefined ? rows : [groupRow(0, metadata), ...rows];
}

function groupRow(groupId: number, from: Readonly<Record<string, unknown>>): GroupRow {
  const role = from["role"];
  return {
    groupId,
    replicaId: number(from, "replicaId"),
    role: typeof role === "number" ? (roleNames[role] ?? "unknown") : String(role),
    term: number(from, "term"),
    commit: number(from, "commitIndex", "commit"),
    applied: number(from, "stateIndex", "applied"),
    lastIndex: number(from, "lastIndex"),
    checkpoint: number(from, "checkpointIndex"),
    uncommittedBytes: number(from, "uncommittedBytes"),
    logBytes: number(from, "logBytes"),
    keys: number(from, "keys"),
    packedStreams: number(from, "packedStreams"),
    blockedCalls: number(from, "blockedCalls"),
    heldWrites: number(from, "heldWrites"),
    refusedForLag: number(from, "refusedForLag"),
    writesHeld: number(from, "writesHeld"),
    heldReplies: number(from, "heldReplies"),
    rollbacks: number(from, "rollbacks"),
    refusedForSpace: number(from, "refusedForSpace"),
    refusedForMemory: number(from, "refusedForMemory"),
    executed: number(from, "executed"),
    evictedBytes: number(from, "evictedBytes"),
    memory: (from["memory"] as Readonly<Record<string, number>> | undefined) ?? {},
    trimmedByRetention: number(from, "trimmedByRetention"),
    expiredConsumers: number(from, "expiredConsumers"),
    outboxItems: number(from, "outboxItems"),
    outboxBytes: number(from, "outboxBytes"),
    outboxDelivered: number(from, "outboxDelivered"),
    outboxRefused: number(from, "outboxRefused"),
    releasedDelayed: number(from, "releasedDelayed"),
    delayedEntries: number(from, "delayedEntries"),
    delayedDueMs: Math.max(0, number(from, "delayedDueMs")),
    refusedAppends: number(from, "refusedAppends"),
    leaderNodeId: number(from, "leaderNodeId"),
    leaderChanges: number(from, "leaderChanges"),
    followerLag: role === 3 ? followerLag(from) : 0,
  };
}

function followerLag(from: Readonly<Record<string, unknown>>): number {
  const matches = (from["matches"] as readonly { readonly match: number }[] | undefined) ?? [];
  const last = number(from, "lastIndex");
  return matches.reduce((lag, { match }) => Math.max(lag, last - match), 0);
}

function number(from: Readonly<Record<string, unknown>>, ...names: readonly string[]): number {
  for (const name of names) {
    const value = from[name];
    if (typeof value === "number") return value;
  }
  return 0;
}

/** What /status and `headrace cluster status --json` show. */
export function shownStatus(status: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { shards: _shards, metadata: _metadata, ...rest } = status;
  return { ...rest, groups: groupRows(status) };
}
