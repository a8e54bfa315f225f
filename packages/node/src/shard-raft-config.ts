/** How a shard's Raft group is configured. Pre-vote, check-quorum and stepping down on removal are always on. */
import type { Random } from "@headrace/ports";
import type { RaftConfig } from "@headrace/raft-ts";
import type { ShardConfig } from "./shard-api.ts";

const KIB = 1024;
const MIB = 1024 * 1024;

export function raftConfig(config: ShardConfig, random: Random, applied: number): RaftConfig {
  return {
    id: config.replicaId,
    electionTicks: config.electionTicks,
    heartbeatTicks: config.heartbeatTicks,
    applied,
    maxBytesPerMessage: 512 * KIB,
    maxBytesPerApply: MIB,
    maxInflightMessages: 256,
    maxInflightBytes: 8 * MIB,
    // Admission is the shard's (I17), judged before executing; a proposal is never refused after it.
    maxUncommittedBytes: Number.MAX_SAFE_INTEGER,
    preVote: true,
    checkQuorum: true,
    stepDownOnRemoval: true,
    commitRidesAlong: true,
    randomBelow: (n) => random.below(n),
  };
}
