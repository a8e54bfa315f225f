/**
 * The first state of a cluster, from its founders alone: equal contiguous slot ranges (or those of a backup), replicas round-robin over the nodes, preferred
 * leaders spread. Deterministic, so that a plan can be compared and repeated.
 */
import { assert, SLOT_COUNT } from "@headrace/bytes";
import { ClusterState, emptyFields, pickAddresses } from "./cluster-state.ts";
import type { NodeRecord, ShardRecord, SlotRange } from "./cluster-state.ts";
import type { ReplicaRecord } from "./group-change.ts";
import type { NodeAddresses } from "./meta-command.ts";
import type { ClusterSettings } from "./settings.ts";

export interface Founder extends NodeAddresses {
  readonly joinToken: string;
}

export interface FoundingRequest {
  readonly clusterId: string;
  /** Node ids are given in this order, from 1. */
  readonly founders: readonly Founder[];
  readonly shardCount: number;
  /** With fewer founders each has a copy, and the rest is made when nodes are added. */
  readonly replicaCount: number;
  readonly settings: ClusterSettings;
  /** Found from a backup: its shards, whatever `shardCount` says. */
  readonly origin?: FoundingOrigin;
}

/** What a backup fixes of a cluster that is founded from it. */
export interface FoundingOrigin {
  readonly backupId: string;
  readonly featureLevel: number;
  readonly shards: readonly { readonly shardId: number; readonly slots: readonly SlotRange[] }[];
}

export function foundingPlan(request: FoundingRequest): ClusterState {
  const { founders, origin } = request;
  const dealt = origin?.shards ?? equalShards(request.shardCount);
  assert(founders.length > 0, "a cluster needs a founder");
  assert(request.replicaCount > 0, "a shard needs a replica");
  const replicaCount = Math.min(request.replicaCount, founders.length);
  let nextReplicaId = 1;
  const place = (firstNode: number, count: number): ReplicaRecord[] => {
    const replicas: ReplicaRecord[] = [];
    for (let i = 0; i < count; i++) {
      const nodeId = ((firstNode + i) % founders.length) + 1;
      replicas.push({ replicaId: nextReplicaId++, nodeId, isJoining: false });
    }
    return replicas;
  };
  const nodes: NodeRecord[] = founders.map((founder, i) => ({
    id: i + 1,
    joinToken: founder.joinToken,
    duty: "active",
    ...pickAddresses(founder),
  }));
  const metaReplicas = place(0, metaMemberCount(founders.length));
  const shards = dealt.map(({ shardId, slots }, i): ShardRecord => {
    const replicas = place(i % founders.length, replicaCount);
    return { id: shardId, slotRanges: slots, replicas, change: null, preferredReplicaId: replicas[0]!.replicaId };
  });
  const fields = emptyFields(request.clusterId);
  const state = new ClusterState({
    ...fields,
    nextNodeId: founders.length + 1,
    nextReplicaId,
    replicaTarget: request.replicaCount,
    featureLevel: origin?.featureLevel ?? fields.featureLevel,
    restoredFrom: origin?.backupId ?? "",
    nodes,
    metaReplicas,
    shards,
    settings: request.settings,
  });
  state.verify();
  return state;
}

function equalShards(count: number): FoundingOrigin["shards"] {
  assert(count > 0 && count <= SLOT_COUNT, "between 1 and 16384 shards");
  return Array.from({ length: count }, (_, i) => ({
    shardId: i + 1,
    slots: [{ from: Math.floor((i * SLOT_COUNT) / count), to: Math.floor(((i + 1) * SLOT_COUNT) / count) - 1 }],
  }));
}

/** Five members from five nodes on, else three, else one: an even number would only add failures. */
export function metaMemberCount(nodeCount: number): number {
  if (nodeCount >= 5) return 5;
  return nodeCount >= 3 ? 3 : 1;
}
