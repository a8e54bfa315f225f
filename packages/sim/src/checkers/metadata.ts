/**
 * What must hold of the metadata at every moment (I19): nodes that know the same version know the same state, a replica id stands for one group on one
 * node for ever, and a node takes part with the replicas only that it was given under these ids.
 */
import { clusterStateToJson } from "@headrace/meta";
import type { SimulatedCluster } from "../simulated-cluster.ts";

export class MetadataChecker {
  readonly #cluster: SimulatedCluster;
  readonly #states: Map<number, string> = new Map();
  /** Replica id → where it is. */
  readonly #places: Map<number, string> = new Map();
  compared = 0;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  /** Now and then: it walks states. */
  check(): void {
    for (const machine of this.#cluster.machines) {
      const { node } = machine;
      const state = node?.clusterState ?? null;
      if (node === null || state === null) continue;
      const text = JSON.stringify(clusterStateToJson(state));
      const known = this.#states.get(state.version);
      if (known === undefined) this.#states.set(state.version, text);
      else {
        this.compared++;
        if (known !== text) throw new Error(`${machine.name} knows another metadata of version ${state.version}`);
      }
      for (const groupId of state.groupIds()) {
        for (const { replicaId, nodeId } of state.replicasOf(groupId)) this.#place(replicaId, groupId, nodeId);
      }
      for (const shard of node.member?.shards() ?? []) this.#place(shard.replicaId, shard.groupId, node.nodeId);
    }
  }

  #place(replicaId: number, groupId: number, nodeId: number): void {
    const place = `group ${groupId} on node ${nodeId}`;
    const known = this.#places.get(replicaId);
    if (known === undefined) this.#places.set(replicaId, place);
    else if (known !== place) throw new Error(`replica ${replicaId} was of ${known}, and is of ${place} now`);
  }
}
