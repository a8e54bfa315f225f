/** Why a node that is a member is not ready, in words for an operator: from what it is for, down to each of its replicas. */
import type { ClusterState } from "@headrace/meta";
import type { RaftGroups } from "./raft-groups.ts";
import type { ShardReplica } from "./shard.ts";

export interface MemberView {
  readonly nodeId: number;
  readonly state: ClusterState;
  /** Groups that should be here and can't serve, with the reason. */
  readonly failures: ReadonlyMap<number, string>;
  /** What a failed group is waiting for; empty: for nothing. */
  waitsFor(groupId: number): string;
  readonly groups: RaftGroups;
  readonly shards: ReadonlyMap<number, ShardReplica>;
}

/** N is the node's id. */
const dutyReasons = {
  removed: "this node was removed from the cluster: stop it, and delete its data directory before it may join again",
  spare: "node N is a spare: `headrace cluster add N` gives it its share",
  draining: "node N is being drained: `headrace cluster remove N` when it holds nothing any more",
  quarantined: "node N is quarantined: its replicas are being replaced",
  expelled: "node N is being removed",
} as const;

/** Empty: it is ready. */
export function unreadyReasons(view: MemberView): string[] {
  const reasons: string[] = [];
  for (const [groupId, message] of view.failures) {
    const waitsFor = view.waitsFor(groupId);
    reasons.push(`group ${groupId} failed: ${message}${waitsFor === "" ? "" : `; ${waitsFor}`}`);
  }
  reasons.push(...reasonsOfPlacement(view, reasons.length > 0));
  for (const group of view.groups.all()) {
    if (!group.isHealthy) continue;
    const leader = view.groups.leaderOf(group.groupId);
    if (leader.replicaId === 0) reasons.push(`group ${group.groupId} has no leader`);
    else if (leader.replicaId === group.replicaId && !leader.ready) {
      reasons.push(`group ${group.groupId} is taking over leadership`);
    }
  }
  for (const shard of view.shards.values()) {
    if (!shard.isHealthy) continue;
    const { reloading, dirty } = shard.status();
    if (reloading || dirty) reasons.push(`group ${shard.groupId} is catching up`);
  }
  return reasons;
}

function reasonsOfPlacement({ nodeId, state, shards }: MemberView, hasFailures: boolean): string[] {
  const reasons: string[] = [];
  const own = state.node(nodeId);
  const duty = own?.duty ?? "removed";
  const isServingSpare = duty === "spare" && shards.size > 0;
  if (duty !== "active" && !isServingSpare) reasons.push(dutyReasons[duty].replaceAll("N", String(nodeId)));
  // A node whose disk was replaced comes back empty under a new id. Were it ready, a rolling restart would go on to the next node and take a second copy
  // of its former shards away.
  else if (shards.size === 0 && !hasFailures) reasons.push("no replica is placed on this node");
  for (const former of state.nodes) {
    const isGone = former.duty === "expelled" && former.peerAddress === own?.peerAddress && former.id !== nodeId;
    if (!isGone || state.groupsOn(former.id).length === 0) continue;
    reasons.push(`replicas of node ${former.id}, whose place this node takes, are still to be replaced`);
  }
  if (duty === "active") reasons.push(...missingCopies(nodeId, state));
  for (const { groupId, replicaId } of state.groupsOn(nodeId)) {
    const replica = state.replicasOf(groupId).find((each) => each.replicaId === replicaId);
    if (replica?.isJoining === true) reasons.push(`group ${groupId} is being copied to this node`);
  }
  return reasons;
}

/**
 * A node that came back empty takes over what the former one held, shard by shard. Until it holds its share, shards that lack a copy are one failure
 * nearer to standing still, and a rolling restart must not go on.
 */
function missingCopies(nodeId: number, state: ClusterState): string[] {
  const activeCount = state.nodes.filter((node) => node.duty === "active").length;
  const copies = Math.min(state.replicaTarget, activeCount);
  const share = Math.floor((state.shards.length * copies) / activeCount);
  const held = state.shards.filter((shard) => shard.replicas.some((replica) => replica.nodeId === nodeId));
  if (held.length >= share) return [];
  return state.shards
    .filter((shard) => !held.includes(shard) && shard.replicas.length < copies)
    .map((shard) => `group ${shard.id} has ${shard.replicas.length} of ${copies} copies, and this node is to take one`);
}
