/** What a replica says of itself, out of the parts that know it: for metrics, INFO and `headrace cluster status`. */
import type { OutboxDesk } from "./outbox-desk.ts";
import type { ShardStateApi } from "@headrace/engine";
import { Role } from "@headrace/raft-ts";
import type { RaftNodeApi } from "@headrace/raft-ts";
import type { ShardMemory, ShardStatus, SlotRange } from "./shard-api.ts";

export interface ShardParts {
  readonly groupId: number;
  readonly replicaId: number;
  readonly isReady: boolean;
  readonly isReplacing: boolean;
  readonly failed: string | null;
  readonly slots: readonly SlotRange[];
  readonly state: ShardStateApi;
  readonly raft: RaftNodeApi;
  readonly raftLog: { firstIndex(): number; readonly retainedBytes: number };
  readonly storage: { readonly durableIndex: number };
  readonly checkpointer: { readonly index: number };
  readonly uncommitted: { readonly bytes: number };
  readonly queue: { readonly bytes: number };
  readonly held: { readonly count: number; readonly bytes: number };
  readonly blocked: { readonly count: number; readonly heldWriteCount: number };
  readonly waits: { readonly count: number };
  readonly executor: {
    readonly executed: number;
    readonly refusedForSpace: number;
    readonly refusedForMemory: number;
    readonly refusedForLag: number;
    readonly writesHeld: number;
    readonly trimmedByRetention: number;
    readonly expiredConsumers: number;
    readonly outbox: OutboxDesk;
    readonly releasedDelayed: number;
  };
  readonly cold: { readonly count: number };
  readonly memory: { readonly evictedBytes: number; byKind(): ShardMemory };
  readonly rollback: { readonly count: number };
  readonly intake: { readonly refusedAppends: number; readonly isPaused: boolean };
}

export function shardStatus(parts: ShardParts): ShardStatus {
  const { groupId, replicaId, state, slots } = parts;
  const raft = parts.raft.status();
  const others = raft.progress.filter((view) => view.id !== replicaId);
  return {
    groupId,
    replicaId,
    role: raft.role,
    term: raft.term,
    leader: raft.leader,
    ready: parts.isReady,
    dirty: raft.role !== Role.leader && state.index > raft.commit,
    reloading: parts.isReplacing,
    failed: parts.failed,
    lastIndex: raft.lastIndex,
    stateIndex: state.index,
    logTimeMs: state.logTimeMs,
    durableIndex: parts.storage.durableIndex,
    commitIndex: raft.commit,
    checkpointIndex: parts.checkpointer.index,
    firstLogIndex: parts.raftLog.firstIndex(),
    logBytes: parts.raftLog.retainedBytes,
    uncommittedBytes: parts.uncommitted.bytes,
    queuedBytes: parts.queue.bytes,
    heldReplies: parts.held.count,
    heldBytes: parts.held.bytes,
    blockedCalls: parts.blocked.count,
    heldWrites: parts.blocked.heldWriteCount,
    waits: parts.waits.count,
    dirtyBytes: state.dirtyBytes,
    keys: state.keyspace.size,
    packedStreams: state.memory.packedStreams,
    unpackings: state.memory.unpackings,
    executed: parts.executor.executed,
    rollbacks: parts.rollback.count,
    refusedForSpace: parts.executor.refusedForSpace,
    refusedForMemory: parts.executor.refusedForMemory,
    refusedForLag: parts.executor.refusedForLag,
    writesHeld: parts.executor.writesHeld,
    memory: parts.memory.byKind(),
    evictedBytes: parts.memory.evictedBytes,
    coldCalls: parts.cold.count,
    trimmedByRetention: parts.executor.trimmedByRetention,
    expiredConsumers: parts.executor.expiredConsumers,
    outboxItems: state.outbox.size,
    outboxBytes: state.outbox.byteLength,
    outboxDelivered: parts.executor.outbox.relay.delivered,
    outboxTaken: parts.executor.outbox.intake.taken,
    outboxRefused: parts.executor.outbox.relay.refused,
    releasedDelayed: parts.executor.releasedDelayed,
    delayedEntries: state.delays.count,
    delayedDueMs: state.delays.count === 0 ? -1 : state.delays.firstDueMs,
    refusedAppends: parts.intake.refusedAppends,
    appendsPaused: parts.intake.isPaused,
    members: raft.confState,
    slots,
    matches: others.map((view) => ({ replica: view.id, match: view.match, isLearner: view.isLearner })),
  };
}
