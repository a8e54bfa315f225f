/**
 * Between the parts of a node: `ShardReplica` (one Raft group with its state: the drive loop, cursors, held replies, blocked reads,
 * checkpoints, rollback) and `Node` (identity, founding, metadata group, peers' frames, lanes).
 */
import type { Ack } from "@headrace/commands";
import type { RefuseReason } from "@headrace/link";
import type { Message } from "@headrace/raft-ts";

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
  /** `count` whole canonical requests, back to back. Owned by the shard. */
  readonly bytes: Uint8Array;
}

/** What comes back for a lane; each call is one frame of the link protocol. `bytes` is owned by the sink. */
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
  lost(
    lane: Lane,
    shardId: number,
    laneEpoch: number,
    firstNumber: number,
    count: number,
  ): void;
}

export interface WaitQuery {
  readonly replicasWanted: number;
  readonly kind: "wait" | "waitaof";
  /** 0: no write on this shard. */
  readonly term: number;
  readonly index: number;
  /** 0 = for ever. */
  readonly timeoutMs: number;
  readonly answer: (
    outcome: "counted" | "uncertain" | "notLeader",
    replicas: number,
    localFsynced: boolean,
  ) => void;
}

/** What a replica needs from its node. */
export interface ShardHost {
  /** Sends a Raft message to the replica (the node knows where it lives); lost ones are Raft's business. */
  sendRaft(message: Message, groupId: number): void;
  /** Runs `drive` of this group at the end of the current turn. */
  requestTurn(): void;
  onLeaderChange(groupId: number, leaderReplicaId: number, term: number): void;
  /** The replica can't go on (unknown effect, damage): serve nothing, say why. */
  onReplicaFailed(groupId: number, message: string): void;
}
