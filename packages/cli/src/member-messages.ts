/** What `headrace cluster add|drain|remove` say: what happens now, and what to do next. Pure text out of the cluster's state. */
import type { ClusterState } from "@headrace/meta";

/** The node that an operator means: by id, or by the address of its gRPC port; null when there is none. */
export function meantNode(state: ClusterState, name: string): number | null {
  const node = state.nodes.find((each) => String(each.id) === name || each.peerAddress === name);
  return node?.id ?? null;
}

export function unknownNode(state: ClusterState, name: string): string {
  const known = state.nodes.map((node) => `${node.id} (${node.peerAddress})`).join(", ");
  return `no node ${name}; there are ${known}. A new one joins by itself when it is started: headrace node --seeds ${state.nodes[0]?.peerAddress ?? "host:grpc-port"} --data DIR`;
}

export function addedMessage(nodeId: number): string {
  return `node ${nodeId} is active and gets its share of the replicas; headrace cluster status shows the changes in flight`;
}

export function drainingMessage(state: ClusterState, nodeId: number): string {
  const held = state.groupsOn(nodeId).length;
  if (held === 0) return `node ${nodeId} holds nothing: headrace cluster remove ${nodeId}`;
  const stuck = state.shards.filter((shard) => {
    const isHere = shard.replicas.some((replica) => replica.nodeId === nodeId);
    const others = state.nodes.filter((node) => node.duty === "active" && node.id !== nodeId);
    return isHere && others.every((node) => shard.replicas.some((replica) => replica.nodeId === node.id));
  });
  const text = `node ${nodeId} is draining: ${held} replicas have to move`;
  if (stuck.length > 0) {
    return `${text}, but for ${stuck.length} of them there is no active node without a copy: start and add another node (headrace cluster add)`;
  }
  return `${text}; when headrace cluster status shows none, headrace cluster remove ${nodeId}`;
}

export function notEmptyMessage(state: ClusterState, nodeId: number): string {
  const held = state.groupsOn(nodeId).length;
  return `node ${nodeId} still has ${held} replicas: headrace cluster drain ${nodeId} first; if it will never come back, headrace cluster remove ${nodeId} --force`;
}

export function removedMessage(nodeId: number): string {
  return `node ${nodeId} is removed: stop its process if it still runs, and delete its data directory`;
}

export function expelledMessage(state: ClusterState, nodeId: number): string {
  const held = state.groupsOn(nodeId).length;
  return `node ${nodeId} is given up: its ${held} replicas are replaced by others, or dropped where no node can take them; it leaves when that is done`;
}
