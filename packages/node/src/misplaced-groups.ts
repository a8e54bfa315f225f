/** What a node leads and another one should: where the plan says so, or because this node's disk or clock is not fit for it. */
import type { ShardRecord } from "@headrace/meta";
import type { LedGroup } from "./leader-balance.ts";
import type { PeerNotes } from "./peer-notes.ts";
import type { ShardReplica } from "./shard.ts";

export interface Leadership {
  readonly nodeId: number;
  readonly notes: PeerNotes;
  readonly isLowOnSpace: boolean;
  /** null: no healthy replica of the shard here. */
  shard(shardId: number): ShardReplica | null;
  /** Where the group's replicas live. */
  nodesOf(groupId: number): readonly number[];
}

export function misplacedGroups(shards: readonly ShardRecord[], leadership: Leadership): LedGroup[] {
  const { nodeId: ownNodeId, notes } = leadership;
  const found: LedGroup[] = [];
  for (const placed of shards) {
    const shard = leadership.shard(placed.id);
    if (shard === null || !shard.isReady) continue;
    const nodes = leadership.nodesOf(placed.id);
    const isUnfit = leadership.isLowOnSpace || notes.isClockOff(nodes);
    const preferred = placed.replicas.find((replica) => replica.replicaId === placed.preferredReplicaId);
    if (preferred?.nodeId === ownNodeId && !isUnfit) continue;
    const { lastIndex, matches } = shard.status();
    for (const replica of placed.replicas) {
      if (replica.nodeId === ownNodeId || (replica !== preferred && !isUnfit)) continue;
      // It has handed over in order to go. The plan names it until the change is through, and both would be at it for ever.
      if (placed.change !== null && placed.change.removes.includes(replica.replicaId)) continue;
      const view = matches.find((each) => each.replica === replica.replicaId);
      if (view === undefined || view.isLearner || !notes.isFit(replica.nodeId, nodes)) continue;
      const behind = lastIndex - view.match;
      found.push({ groupId: placed.id, toReplicaId: replica.replicaId, toNodeId: replica.nodeId, behind });
    }
  }
  return found;
}
