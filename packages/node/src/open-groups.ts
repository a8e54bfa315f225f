/**
 * Brings the groups that are placed on this node to life: their marks in the log when the cluster is being founded, then the metadata group
 * and every shard. A group that must exist and does not is damage; it stays out, with the reason, while the others serve.
 *
 * Must not know: lanes, peers, who leads.
 */
import { META_GROUP_ID } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import { lastIndexOf } from "@headrace/log";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import type { NodeWorld } from "@headrace/ports";
import { FOUNDING_INDEX, FOUNDING_TERM } from "./checkpoint-row.ts";
import type { StoredPosition } from "./log-meeting.ts";
import { MetaGroup } from "./meta-group.ts";
import type { MetaGroupHost } from "./meta-group.ts";
import { votersOnly } from "./meta-position.ts";
import type { MetaPosition } from "./meta-position.ts";
import type { NodeConfig } from "./node-config.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { SweepPace } from "./sweep-pace.ts";
import type { TurnTimes } from "./turn-times.ts";
import type { ShardHost, ShardOpening, ShardSettings } from "./shard-api.ts";
import { ShardReplica } from "./shard.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

export interface OpenGroupsOptions {
  readonly nodeId: number;
  readonly config: NodeConfig;
  readonly world: NodeWorld;
  readonly log: SharedLogApi;
  readonly snapshots: SnapshotTraffic;
  readonly memory: MemoryBudget;
  readonly times: TurnTimes;
  readonly sweeps: SweepPace;
  readonly recovered: ReadonlyMap<number, RecoveredGroup>;
  readonly settings: ShardSettings;
  readonly meta: MetaPosition;
  /** The replicas that are to be opened. */
  readonly placed: readonly PlacedReplica[];
  /** The first state of the groups is still to be written (again, if a former attempt was cut short). */
  readonly founding: boolean;
  /** Where the logs of groups begin whose first state was put into the store before: of those that are not named, at the beginning. */
  readonly beginnings: ReadonlyMap<number, StoredPosition>;
  readonly host: ShardHost & MetaGroupHost;
}

export interface OpenedGroups {
  readonly meta: MetaGroup | null;
  readonly shards: ReadonlyMap<number, ShardReplica>;
  /** Why a group that should be here is not. */
  readonly failures: ReadonlyMap<number, OpeningFailure>;
}

export interface OpeningFailure {
  readonly message: string;
  /** What its disk holds is not what was written, or not all of it. */
  readonly damaged: boolean;
}

export interface PlacedReplica {
  readonly groupId: number;
  readonly replicaId: number;
}

/** `done` is called once, in a later event. */
export function openGroups(options: OpenGroupsOptions, done: (opened: OpenedGroups) => void): void {
  const { placed } = options;
  markInLog(options, placed, () => openPlaced(options, placed, done));
}

/**
 * Puts the first hard state of each new group into the log, and where it begins, durably. From then on a log that holds nothing of a group has been lost, and a
 * node that lost its log must not vote.
 */
function markInLog(options: OpenGroupsOptions, placed: readonly PlacedReplica[], then: () => void): void {
  const missing = options.founding ? placed.filter((group) => !options.recovered.has(group.groupId)) : [];
  let open = missing.length;
  if (open === 0) {
    options.world.scheduler.soon(then);
    return;
  }
  for (const { groupId } of missing) {
    const { index, term } = options.beginnings.get(groupId) ?? { index: FOUNDING_INDEX, term: FOUNDING_TERM };
    options.log.compact(groupId, index, term);
    options.log.append({
      groupId,
      hardState: { term, vote: 0, commit: 0 },
      entries: [],
      mustSync: true,
      onWritten: null,
      onDurable: () => {
        if (--open === 0) then();
      },
    });
  }
}

function openPlaced(
  options: OpenGroupsOptions,
  placed: readonly PlacedReplica[],
  done: (opened: OpenedGroups) => void,
): void {
  const shards = new Map<number, ShardReplica>();
  const failures = new Map<number, OpeningFailure>();
  let meta: MetaGroup | null = null;
  let open = 1;
  const finish = (): void => {
    if (--open === 0) done({ meta, shards, failures });
  };
  for (const group of placed) {
    // While founding the log holds marks only: no group has run yet.
    const { founding } = options;
    const recovered = founding ? null : (options.recovered.get(group.groupId) ?? null);
    const isMeta = group.groupId === META_GROUP_ID;
    if (recovered === null && !founding) {
      const message = "the log holds nothing of it: the log's files were lost";
      failures.set(group.groupId, { message, damaged: true });
    } else if (isMeta && !founding && !options.meta.isPut && endOf(recovered) < options.meta.position.index) {
      const message = `the log ends at ${endOf(recovered)}, the metadata at ${options.meta.position.index}`;
      failures.set(group.groupId, { message, damaged: true });
    } else if (isMeta) {
      meta = openMeta(options, group.replicaId, recovered);
    } else {
      open++;
      const first = founding ? foundingOf(options.meta.state, group.groupId) : null;
      openShard(options, group, { recovered, founding: first }, (replica, failure) => {
        if (replica !== null) shards.set(group.groupId, replica);
        else failures.set(group.groupId, failure!);
        finish();
      });
    }
  }
  options.world.scheduler.soon(finish);
}

/** Last index that the log knows of. */
function endOf(recovered: RecoveredGroup | null): number {
  return recovered === null ? 0 : lastIndexOf(recovered);
}

function ticksOf(config: NodeConfig): { electionTicks: number; heartbeatTicks: number } {
  return {
    electionTicks: Math.max(3, Math.round(config.electionTimeoutMs / config.heartbeatMs)),
    heartbeatTicks: 1,
  };
}

/** What opening one group takes. */
export type OpenGroupOptions = Pick<
  OpenGroupsOptions,
  "config" | "world" | "log" | "snapshots" | "memory" | "times" | "sweeps" | "settings" | "meta" | "host"
>;

/** A replica that is added to a running group: empty until its leader sends it a snapshot. */
export function openEmptyShard(
  options: OpenGroupOptions,
  group: PlacedReplica,
  done: (replica: ShardReplica | null, failure: OpeningFailure | null) => void,
): void {
  const slots = options.meta.state.shard(group.groupId)?.slotRanges ?? [];
  openShard(options, group, { recovered: null, founding: { members: votersOnly([]), slots } }, done);
}

export function openMeta(options: OpenGroupOptions, replicaId: number, recovered: RecoveredGroup | null): MetaGroup {
  const { clock, scheduler, random, recordStore, logger } = options.world;
  const { log, snapshots } = options;
  return new MetaGroup({
    replicaId,
    ...ticksOf(options.config),
    start: options.meta,
    recovered,
    world: { clock, scheduler, random, recordStore, logger, log, snapshots },
    host: options.host,
  });
}

function openShard(
  options: OpenGroupOptions,
  group: PlacedReplica,
  from: Pick<ShardOpening, "recovered" | "founding">,
  done: (replica: ShardReplica | null, failure: OpeningFailure | null) => void,
): void {
  const { config, world, log, snapshots, memory, times, sweeps } = options;
  const { clock, scheduler, random, kvStore, logger } = world;
  ShardReplica.open(
    {
      config: {
        groupId: group.groupId,
        replicaId: group.replicaId,
        ...ticksOf(config),
        tickMs: config.heartbeatMs,
        fsync: config.fsync,
        limits: memory.limits,
      },
      settings: options.settings,
      world: { clock, scheduler, random, kvStore, log, logger, snapshots, memory, times, sweeps },
      host: options.host,
      ...from,
    },
    (result) => {
      if (result.ok) return done(result.value, null);
      const damaged = result.reason === "corrupt" || result.reason === "missing";
      done(null, { message: `${result.reason}: ${result.message}`, damaged });
    },
  );
}

function foundingOf(state: ClusterState, groupId: number): NonNullable<ShardOpening["founding"]> {
  return {
    members: votersOnly(state.replicasOf(groupId).map((replica) => replica.replicaId)),
    slots: state.shard(groupId)?.slotRanges ?? [],
  };
}
