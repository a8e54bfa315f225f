/**
 * Between the parts of a node: `ShardReplica` (one Raft group with its state: the drive loop, cursors, held replies, blocked reads,
 * checkpoints, rollback) and `Node` (identity, founding, metadata group, peers' frames, lanes).
 */
import type { Ack, IdempotenceWindow } from "@headrace/commands";
import type { NodeBounds, Retention } from "@headrace/engine";
import type { ReadUse, RefuseReason, RequestMode } from "@headrace/link";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import type { Clock, KvStore, Logger, Random, Scheduler } from "@headrace/ports";
import type { ConfState, Message, Role } from "@headrace/raft-ts";
import type { ChannelRegistry } from "./channel-registry.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { SweepPace } from "./sweep-pace.ts";
import type { TurnTimes } from "./turn-times.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

/** One client connection at this node. Owned by the lane front; the shard only reads it. */
export interface Lane {
  readonly id: number;
  respVersion: 2 | 3;
  /** null = resolve by the cluster's setting. */
  ack: Ack | null;
  readonly clientId: number;
  /** 16 bytes, unique per lane and gateway incarnation. */
  readonly session: Uint8Array;
  readonly openedAtMs: number;
  /** The client or the link is gone: replies are dropped, blocked calls removed. */
  closed: boolean;
  readonly sink: LaneSink;
}

/** A frame of requests of one lane for one shard, queued until the turn. */
export interface RequestBatch {
  readonly lane: Lane;
  readonly laneEpoch: number;
  readonly firstNumber: number;
  readonly count: number;
  /** −1, or of a resend: see the link's Request frame. */
  readonly executedUpTo: number;
  readonly mode: RequestMode;
  readonly used: ReadUse;
  /** `count` whole canonical requests, back to back. Owned by the shard. */
  readonly bytes: Uint8Array;
}

/**
 * What comes back for a lane; each call is one frame of the link protocol. `bytes` is owned by the sink and never changes (it may share its
 * buffer with other replies of the turn). `refuse` covers `firstNumber` and everything behind it in that lane epoch; requests of that epoch
 * that arrive later get a refuse of their own. Called inside the shard's turn only: a sink gathers and writes at the end of the node's turn.
 */
export interface LaneSink {
  reply(
    lane: Lane,
    shardId: number,
    laneEpoch: number,
    firstNumber: number,
    count: number,
    writeTerm: number,
    writeIndex: number,
    bytes: Uint8Array,
  ): void;
  refuse(
    lane: Lane,
    shardId: number,
    laneEpoch: number,
    firstNumber: number,
    reason: RefuseReason,
    leaderNodeId: number,
    term: number,
  ): void;
  lost(lane: Lane, shardId: number, laneEpoch: number, firstNumber: number, count: number): void;
  /** The call waits for entries and has taken nothing; `ids` as in the link's Parked frame. Its fate is still to come. */
  parked(lane: Lane, shardId: number, laneEpoch: number, number: number, ids: readonly string[]): void;
  /** There is something for the waiting call; the answer comes by `answerOffer`. */
  offer(lane: Lane, shardId: number, number: number, offer: number): void;
  /** What was accepted gave nothing. */
  offerVoid(lane: Lane, shardId: number, number: number, offer: number): void;
  /** True: it holds as much as it may, requests of its lanes wait. The shard that was told so is told when there is room again (`sinkDrained`). */
  isFull(shardId: number): boolean;
}

export interface WaitQuery {
  readonly replicasWanted: number;
  readonly kind: "wait" | "waitaof";
  /** 0: no write on this shard. */
  readonly term: number;
  readonly index: number;
  /** 0 = for ever. */
  readonly timeoutMs: number;
  readonly answer: (outcome: "counted" | "uncertain" | "notLeader", replicas: number, localFsynced: boolean) => void;
}

/**
 * What a replica needs from its node.
 *
 * The node calls `drive` once for every group that asked with `requestTurn` since the last turn. Everything that can make work asks by itself
 * (messages, requests, ticks, timers, disk completions): the node never has to guess.
 */
export interface ShardHost {
  readonly post: OutboxPost;
  /** Who subscribed to what, at all gateways. */
  readonly channels: ChannelRegistry;
  /** Sends a Raft message to the replica (the node knows where it lives); lost ones are Raft's business. */
  sendRaft(message: Message, groupId: number): void;
  /** Runs `drive` of this group at the end of the current turn, or soon when none is running. Cheap to call many times. */
  requestTurn(groupId: number): void;
  /** Sends a frame of a snapshot to the replica's node. False: not taken, it is lost. */
  sendSnapshot(frame: Uint8Array, toReplicaId: number, groupId: number): boolean;
  /** Node that a replica of this group lives on, 0 when unknown: the hint in a Refuse. */
  nodeOfReplica(groupId: number, replicaId: number): number;
  /** The wall clock's upper bound for stamps of this group's leader (I4); Infinity when there is none. */
  stampLimitMs(groupId: number): number;
  /** The store had no space for a checkpoint. */
  onNoSpace(): void;
  /** `leaderReplicaId` 0: none known. `ready`: this replica is the leader and serves (I1). */
  onLeaderChange(groupId: number, leaderReplicaId: number, term: number, ready: boolean): void;
  /**
   * The replica can't go on (unknown effect, damage): it serves nothing any more; the node says why and stops routing to it. `damaged`: what its disk
   * holds is not what was written; it can only be replaced.
   */
  onReplicaFailed(groupId: number, message: string, damaged: boolean): void;
}

/** Brings frames between outboxes of shards (outbox-codec.ts) to where they belong. What does not arrive is nobody's loss: it is sent again. */
export interface OutboxPost {
  /** By the placement as it is known here; 0: nobody's. */
  shardOfSlot(slot: number): number;
  /** `leaderNodeId`: who leads the shard, as a node there has said; 0: nobody has. `attempt`: how often it was tried before. */
  sendToLeader(
    shardId: number,
    frame: Uint8Array,
    hint: { readonly leaderNodeId: number; readonly attempt: number },
  ): void;
  send(nodeId: number, frame: Uint8Array): void;
}

/** The world as far as a replica touches it. `log` is shared by all groups of the node. */
export interface ShardWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly kvStore: KvStore;
  readonly log: SharedLogApi;
  readonly logger: Logger;
  /** Shared by all groups of the node. */
  readonly snapshots: SnapshotTraffic;
  readonly memory: MemoryBudget;
  readonly times: TurnTimes;
  readonly sweeps: SweepPace;
}

/**
 * Bounds of one replica; `defaultShardLimits` in shard-limits.ts. The node's memory budget makes some of them smaller, and may do so at any time: to be
 * read each time, not kept.
 */
export interface ShardLimits {
  /** A batch is sealed when its effects have reached this size; one command may make it larger. */
  readonly batchBytes: number;
  /** Requests executed in one turn before others get theirs. */
  readonly turnRequests: number;
  /** Bytes of effects, and of replies, made in one turn before others get theirs. */
  readonly turnBytes: number;
  /** Replies that wait for commit or proof of leadership: beyond it requests wait in the queue. One reply may make it larger. */
  readonly heldBytes: number;
  /** X − C (I17): beyond it requests wait in the queue. */
  readonly uncommittedBytes: number;
  readonly uncommittedEntries: number;
  /** Requests waiting for execution; beyond it they are refused as overloaded. */
  readonly queueBytes: number;
  /** Blocked calls at once; beyond it they are refused as overloaded. */
  readonly blockedCalls: number;
  /** A checkpoint is captured when this much changed … */
  readonly checkpointBytes: number;
  readonly checkpointKeys: number;
  /** Keys changed since the last capture at which nothing more is executed: a rollback reads each of them again. Above checkpointKeys. */
  readonly dirtyKeys: number;
  /** … or this long after the last, if anything changed. */
  readonly checkpointIntervalMs: number;
  /** Captures waiting for their commit or for the store. */
  readonly checkpointQueue: number;
  /** Entries of the log kept in memory for peers that lag a little. */
  readonly logCacheBytes: number;
  /** Log in memory that no checkpoint covers yet: beyond it requests wait until the store has caught up. */
  readonly logAheadBytes: number;
  /** Log kept behind the checkpoint for replicas that lag, as long as it stays below this. */
  readonly logRetainBytes: number;
  /** Log kept behind a snapshot that is being sent, and while its receiver catches up; beyond it the receiver needs a newer one. */
  readonly snapshotLogBytes: number;
  /** Rows and bytes of one chunk of a snapshot. */
  readonly snapshotChunkRows: number;
  readonly snapshotChunkBytes: number;
  /** One fetch of log entries that are only on disk. */
  readonly logFetchBytes: number;
  /** Rows and bytes of one step of loading from the store. */
  readonly loadRows: number;
  readonly loadBytes: number;
  /** Cold blocks that one command may want at once; beyond it it is answered with an error. */
  readonly coldCallBytes: number;
  /** Cold blocks that are read ahead of one reader, at most. */
  readonly coldAheadBytes: number;
}

/** What a replica takes in memory, in bytes, about. */
export interface ShardMemory {
  /** Entries: blocks that can go, and those that can't yet. */
  readonly blocks: number;
  /** What stays: names, headers, block indexes, groups, pending lists, packed streams. */
  readonly fixed: number;
  readonly log: number;
  readonly replies: number;
  readonly requests: number;
  /** What waits for its checkpoint to be written, beside blocks. */
  readonly captures: number;
  readonly messages: number;
  /** Rows that were read for commands that wait. */
  readonly coldReads: number;
}

export interface SlotRange {
  readonly from: number;
  /** Included. */
  readonly to: number;
}

export interface ShardConfig {
  /** Raft group = shard; 1 … 65535, never reused. */
  readonly groupId: number;
  /** This replica's Raft id; never reused (I19). */
  readonly replicaId: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** How long a tick is: bounds transfers. */
  readonly tickMs: number;
  readonly fsync: "always" | "everysec" | "no";
  readonly limits: ShardLimits;
}

/** Settings of the cluster that may change while running; the replica reads the object each turn. */
export interface ShardSettings {
  ack: Ack;
  nodeBounds: NodeBounds;
  idempotenceWindow: IdempotenceWindow;
  /** Of one stream; 0: no bound. */
  delayedMaxEntries: number;
  /** Of this shard; 0: no bound. */
  outboxMaxBytes: number;
  /** The cluster's, for what streams do not say themselves; the same object for the same bounds. */
  retention: Retention;
  /** notify-keyspace-events, as Redis' bits. */
  notify: number;
  /** The node's disk is below its reserve: what may grow the data is refused. */
  refuseGrowth: boolean;
  /** What can't leave memory fills the node's budget: the same is refused. */
  refuseFixedMemory: boolean;
}

export interface ShardOpening {
  readonly config: ShardConfig;
  readonly settings: ShardSettings;
  readonly world: ShardWorld;
  readonly host: ShardHost;
  /** What the shared log's recovery found of this group; null: nothing. */
  readonly recovered: RecoveredGroup | null;
  /**
   * First members and slots of a new group: written once, when the store holds no checkpoint of the group (idempotent, so a node that died
   * while founding opens again with the same). Without members: a replica that is added to a running group; it is empty until its leader has sent it
   * a snapshot, which brings the members. Null: the group must exist, else the opening fails with "missing".
   */
  readonly founding: { readonly members: ConfState; readonly slots: readonly SlotRange[] } | null;
}

/** How a blocked call is ended from outside; the numbers are the link's. */
export const CancelHow = { drop: 0, timeOut: 1, unblock: 2 } as const;
export type CancelHow = (typeof CancelHow)[keyof typeof CancelHow];

/** For metrics, INFO and `headrace cluster status`. */
export interface ShardStatus {
  readonly groupId: number;
  readonly replicaId: number;
  readonly role: Role;
  readonly term: number;
  /** Replica id, 0 = unknown. */
  readonly leader: number;
  /** Leader and serving (I1). */
  readonly ready: boolean;
  /** Uncommitted effects of a lost leadership are in memory (I9). */
  readonly dirty: boolean;
  readonly reloading: boolean;
  readonly failed: string | null;
  readonly lastIndex: number;
  readonly stateIndex: number;
  readonly logTimeMs: number;
  readonly durableIndex: number;
  readonly commitIndex: number;
  readonly checkpointIndex: number;
  readonly firstLogIndex: number;
  readonly logBytes: number;
  readonly uncommittedBytes: number;
  readonly queuedBytes: number;
  readonly heldReplies: number;
  readonly heldBytes: number;
  readonly blockedCalls: number;
  /** Of those, XADDs that a limit of lag holds. */
  readonly heldWrites: number;
  readonly waits: number;
  readonly dirtyBytes: number;
  readonly keys: number;
  /** Of those, streams that are packed: small ones that nobody has used for a while, under a memory budget or since this replica was opened. */
  readonly packedStreams: number;
  /** How often one of them was asked for, since the state was opened. */
  readonly unpackings: number;
  readonly executed: number;
  readonly rollbacks: number;
  /** Writes refused because the node's disk is below its reserve. */
  readonly refusedForSpace: number;
  /** Writes refused because the node's memory is full of what cannot leave it. */
  readonly refusedForMemory: number;
  /** XADDs that a limit of lag has refused. */
  readonly refusedForLag: number;
  /** XADDs that a limit of lag has held. */
  readonly writesHeld: number;
  /** Bytes by what they are for. */
  readonly memory: ShardMemory;
  /** Given up since the start. */
  readonly evictedBytes: number;
  /** Commands that wait for cold blocks. */
  readonly coldCalls: number;
  /** Entries that retention has trimmed here, as leader. */
  readonly trimmedByRetention: number;
  /** Consumers that went because nobody had seen them for as long as their group says. */
  readonly expiredConsumers: number;
  /** Items of its outbox: dead letters, and what goes back; with their bytes. */
  readonly outboxItems: number;
  readonly outboxBytes: number;
  /** Items of its outbox that came to where they were to go, items of others that it took, and refusals to take one, since this process leads. */
  readonly outboxDelivered: number;
  readonly outboxTaken: number;
  readonly outboxRefused: number;
  /** Delayed entries that have appeared by this leader's doing, and those that wait. */
  readonly releasedDelayed: number;
  readonly delayedEntries: number;
  /** When the first of these is due; −1: there is none. */
  readonly delayedDueMs: number;
  /** Appends of the leader that were not taken because the log is too far ahead of the checkpoint. */
  readonly refusedAppends: number;
  readonly appendsPaused: boolean;
  readonly members: ConfState;
  readonly slots: readonly SlotRange[];
  /** Of the leader: match index of each other replica. */
  readonly matches: readonly { readonly replica: number; readonly match: number; readonly isLearner: boolean }[];
}
