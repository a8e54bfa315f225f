/**
 * Which changes of members to begin now: what the leader of the metadata group asks itself every half second. A pure function of the committed
 * state and of what that leader sees of the nodes; it starts little at a time and looks again.
 *
 * In this order: give up changes whose newcomers are lost; replace what is lost; make up missing copies; empty draining nodes; even out; spread the
 * leaders; let go of expelled nodes that hold nothing.
 *
 * Nothing is begun for a group unless a majority of its voters is seen to be up without those that leave: a change that can't be committed would
 * only add to the trouble, and a live minority is never talked into being a majority.
 */
import { META_GROUP_ID } from "./cluster-state.ts";
import type { ClusterState, NodeRecord, ShardRecord } from "./cluster-state.ts";
import { metaMemberCount } from "./founding-plan.ts";
import type { GroupMembers, ReplicaRecord } from "./group-change.ts";
import type { MetaCommand } from "./meta-command.ts";

/** What the leader of the metadata group sees. */
export interface NodeFacts {
  isUp(nodeId: number): boolean;
  /** Not heard of for so long that its replicas are to be rebuilt elsewhere. */
  isLost(nodeId: number): boolean;
}

/** A newcomer reads a whole shard from somebody: more at once would only slow all of them. */
const JOINS_PER_NODE_MAX = 2;
const CHANGES_MAX = 4;

/** Commands to propose, in this order. Empty: all is as it should be, or nothing can be done. */
export function planChanges(state: ClusterState, facts: NodeFacts): readonly MetaCommand[] {
  return new Planner(state, facts).plan();
}

/** Whether the group can go on, and change its members, without the replicas that are named. */
export function isHealthyWithout(
  state: ClusterState,
  facts: NodeFacts,
  group: GroupMembers,
  leaving: readonly number[],
): boolean {
  const voters = group.replicas.filter((replica) => !replica.isJoining);
  const up = voters.filter((replica) => {
    const duty = state.node(replica.nodeId)?.duty;
    if (leaving.includes(replica.replicaId) || duty === "quarantined" || duty === "expelled") return false;
    return facts.isUp(replica.nodeId);
  });
  return up.length * 2 > voters.length;
}

/** The replicas on a node, by group, that can't be given up now because the others are no healthy majority. */
export function groupsInNeedOf(state: ClusterState, facts: NodeFacts, nodeId: number): readonly number[] {
  return state
    .groupsOn(nodeId)
    .filter(({ groupId, replicaId }) => {
      const group = state.membersOf(groupId)!;
      const replica = group.replicas.find((each) => each.replicaId === replicaId);
      return replica?.isJoining === false && !isHealthyWithout(state, facts, group, [replicaId]);
    })
    .map(({ groupId }) => groupId);
}

class Planner {
  readonly #state: ClusterState;
  readonly #facts: NodeFacts;
  readonly #commands: MetaCommand[];
  /** Shards' replicas by node, as if what was planned had happened. */
  readonly #loads: Map<number, number>;
  readonly #joins: Map<number, number>;
  #changes: number;

  constructor(state: ClusterState, facts: NodeFacts) {
    this.#state = state;
    this.#facts = facts;
    this.#commands = [];
    this.#loads = new Map(state.nodes.map((node) => [node.id, 0]));
    this.#joins = new Map(state.nodes.map((node) => [node.id, 0]));
    this.#changes = 0;
    for (const groupId of state.groupIds()) {
      const { replicas, change } = state.membersOf(groupId)!;
      if (change !== null) this.#changes++;
      for (const replica of replicas) {
        if (replica.isJoining) add(this.#joins, replica.nodeId, 1);
        const stays = change?.removes.includes(replica.replicaId) !== true;
        if (groupId !== META_GROUP_ID && stays) add(this.#loads, replica.nodeId, 1);
      }
    }
  }

  plan(): readonly MetaCommand[] {
    const groupIds = this.#state.groupIds();
    for (const groupId of groupIds) this.#cancelIfHopeless(groupId);
    for (const groupId of groupIds) this.#replaceLost(groupId);
    this.#sizeMetadata();
    for (const shard of this.#state.shards) this.#makeUp(shard);
    for (const groupId of groupIds) this.#drain(groupId);
    if (this.#commands.length === 0 && this.#changes === 0) this.#evenOut();
    this.#spreadLeaders();
    for (const node of this.#state.nodes) {
      if (node.duty !== "expelled" || this.#state.groupsOn(node.id).length > 0) continue;
      this.#commands.push({ kind: "removeNode", nodeId: node.id });
    }
    return this.#commands;
  }

  #cancelIfHopeless(groupId: number): void {
    const { replicas, change } = this.#state.membersOf(groupId)!;
    if (change === null || change.stage === "cancelling") return;
    if (change.stage === "swapping" && change.adds.length === 0 && change.mark === 0) return;
    // Who votes in the end: if most of them are lost the change can't be made any more, while the voters that there are may still be able to decide.
    const staying = replicas.filter((replica) => !change.removes.includes(replica.replicaId));
    const lost = staying.filter((replica) => this.#isLost(replica.nodeId));
    const isHopeless = lost.some((replica) => replica.isJoining) || lost.length * 2 >= staying.length;
    if (isHopeless) this.#commands.push({ kind: "cancelChange", groupId, changeId: change.id });
  }

  /** One at a time: the next one is looked at when this one is over. */
  #replaceLost(groupId: number): void {
    const group = this.#state.membersOf(groupId)!;
    if (group.change !== null) return;
    for (const replica of group.replicas) {
      if (!this.#isLost(replica.nodeId)) continue;
      const target = this.#place(group, true);
      if (target !== null) return this.#begin(groupId, group, [target], [replica.replicaId]);
      // A node that is merely silent may come back with all its data. One that was given up never will, and a voter that can't vote is no help: to be
      // counted among the voters it would have to be outvoted by them.
      if (!this.#isGivenUp(replica.nodeId) || group.replicas.length === 1) continue;
      return this.#begin(groupId, group, [], [replica.replicaId]);
    }
  }

  /** One, three or five voters, as many as the active nodes can carry: an even number would only add failures. */
  #sizeMetadata(): void {
    const group = this.#state.membersOf(META_GROUP_ID)!;
    if (group.change !== null || this.#isPlanned(META_GROUP_ID)) return;
    const missing =
      metaMemberCount(this.#state.nodes.filter((node) => this.#counts(node)).length) - group.replicas.length;
    if (missing > 0) {
      const targets = this.#placesFor(group, missing);
      const isOdd = (group.replicas.length + targets.length) % 2 === 1;
      if (targets.length > 0 && isOdd) this.#begin(META_GROUP_ID, group, targets, []);
    } else if (missing < 0) {
      const rank = (replica: ReplicaRecord): number => {
        if (this.#state.node(replica.nodeId)?.duty !== "active") return 0;
        return this.#facts.isUp(replica.nodeId) ? 2 : 1;
      };
      const inOrder = [...group.replicas].sort((a, b) => rank(a) - rank(b) || b.replicaId - a.replicaId);
      const removes = inOrder.slice(0, -missing).map((replica) => replica.replicaId);
      this.#begin(META_GROUP_ID, group, [], removes);
    }
  }

  /** One that is quarantined comes back, one that drains is there until it holds no shard. */
  #counts(node: NodeRecord): boolean {
    if (node.duty === "draining") return this.#load(node.id) > 0;
    return node.duty === "active" || node.duty === "quarantined";
  }

  #makeUp(shard: ShardRecord): void {
    const missing = this.#state.replicaTarget - shard.replicas.length;
    if (shard.change !== null || missing <= 0 || this.#isPlanned(shard.id)) return;
    const targets = this.#placesFor(shard, missing);
    if (targets.length > 0) this.#begin(shard.id, shard, targets, []);
  }

  #drain(groupId: number): void {
    const group = this.#state.membersOf(groupId)!;
    if (group.change !== null || this.#isPlanned(groupId)) return;
    const replica = group.replicas.find((each) => this.#state.node(each.nodeId)?.duty === "draining");
    if (replica === undefined) return;
    const target = this.#place(group, false);
    if (target !== null) this.#begin(groupId, group, [target], [replica.replicaId]);
  }

  /** From the node with most replicas to the one with fewest, while that makes a difference. */
  #evenOut(): void {
    for (;;) {
      const nodes = this.#state.nodes.filter((node) => node.duty === "active" && this.#facts.isUp(node.id));
      const inOrder = nodes.sort((a, b) => this.#load(a.id) - this.#load(b.id) || a.id - b.id);
      const least = inOrder[0];
      const most = inOrder.at(-1);
      if (least === undefined || most === undefined || this.#load(most.id) - this.#load(least.id) < 2) return;
      if (this.#changes >= CHANGES_MAX || !this.#moveOne(most.id, least.id)) return;
    }
  }

  #moveOne(fromNodeId: number, toNodeId: number): boolean {
    for (const shard of this.#state.shards) {
      if (shard.change !== null || this.#isPlanned(shard.id)) continue;
      const replica = shard.replicas.find((each) => each.nodeId === fromNodeId);
      if (replica === undefined || shard.replicas.some((each) => each.nodeId === toNodeId)) continue;
      const planned = this.#commands.length;
      if (this.#hasRoom(toNodeId)) this.#begin(shard.id, shard, [toNodeId], [replica.replicaId]);
      if (this.#commands.length > planned) return true;
    }
    return false;
  }

  /** Of shards at rest, one a time: away from nodes that should not lead, then from the node that is preferred most to the one least. */
  #spreadLeaders(): void {
    const resting = this.#state.shards.filter((shard) => shard.change === null && !this.#isPlanned(shard.id));
    const counts = new Map<number, number>();
    for (const node of this.#state.nodes) if (this.#mayLead(node)) counts.set(node.id, 0);
    for (const shard of this.#state.shards) {
      const nodeId = nodeOf(shard, shard.preferredReplicaId);
      if (counts.has(nodeId)) add(counts, nodeId, 1);
    }
    for (const shard of resting) {
      const nodeId = nodeOf(shard, shard.preferredReplicaId);
      const inOrder = shard.replicas
        .filter((replica) => counts.has(replica.nodeId))
        .sort((a, b) => counts.get(a.nodeId)! - counts.get(b.nodeId)! || a.replicaId - b.replicaId);
      const best = inOrder[0];
      if (best === undefined) continue;
      const gain = counts.has(nodeId) ? counts.get(nodeId)! - counts.get(best.nodeId)! : 2;
      if (gain < 2) continue;
      this.#commands.push({ kind: "setPreferred", groupId: shard.id, replicaId: best.replicaId });
      return;
    }
  }

  #mayLead(node: NodeRecord): boolean {
    return (node.duty === "active" || node.duty === "spare") && !this.#isLost(node.id);
  }

  #begin(
    groupId: number,
    group: GroupMembers,
    addNodeIds: readonly number[],
    removeReplicaIds: readonly number[],
  ): void {
    if (this.#changes >= CHANGES_MAX) return;
    if (!isHealthyWithout(this.#state, this.#facts, group, this.#lostAmong(group, removeReplicaIds))) return;
    this.#changes++;
    for (const nodeId of addNodeIds) {
      add(this.#joins, nodeId, 1);
      if (groupId !== META_GROUP_ID) add(this.#loads, nodeId, 1);
    }
    for (const replica of group.replicas) {
      if (groupId !== META_GROUP_ID && removeReplicaIds.includes(replica.replicaId))
        add(this.#loads, replica.nodeId, -1);
    }
    if (addNodeIds.length === 0) this.#commands.push({ kind: "beginRemoval", groupId, removeReplicaIds });
    else this.#commands.push({ kind: "beginChange", groupId, addNodeIds, removeReplicaIds });
  }

  /** A live one that leaves helps to decide on its leaving. */
  #lostAmong(group: GroupMembers, removes: readonly number[]): readonly number[] {
    return group.replicas
      .filter((replica) => removes.includes(replica.replicaId) && this.#isLost(replica.nodeId))
      .map((replica) => replica.replicaId);
  }

  /** Null: nowhere. A spare only if no active node can. */
  #place(group: GroupMembers, orOnSpare: boolean): number | null {
    const isFree = (node: NodeRecord): boolean =>
      this.#facts.isUp(node.id) &&
      this.#hasRoom(node.id) &&
      !group.replicas.some((replica) => replica.nodeId === node.id);
    const free = this.#state.nodes.filter(isFree).sort((a, b) => this.#load(a.id) - this.#load(b.id) || a.id - b.id);
    const active = free.find((node) => node.duty === "active");
    const spare = orOnSpare ? free.find((node) => node.duty === "spare") : undefined;
    return active?.id ?? spare?.id ?? null;
  }

  #placesFor(group: GroupMembers, count: number): readonly number[] {
    const places: number[] = [];
    let filled = group;
    while (places.length < count) {
      const nodeId = this.#place(filled, false);
      if (nodeId === null) break;
      places.push(nodeId);
      filled = { ...filled, replicas: [...filled.replicas, { replicaId: 0, nodeId, isJoining: true }] };
    }
    return places;
  }

  #isPlanned(groupId: number): boolean {
    return this.#commands.some(
      (command) => (command.kind === "beginChange" || command.kind === "beginRemoval") && command.groupId === groupId,
    );
  }

  #isGivenUp(nodeId: number): boolean {
    const duty = this.#state.node(nodeId)?.duty;
    return duty === "quarantined" || duty === "expelled";
  }

  #isLost(nodeId: number): boolean {
    return this.#isGivenUp(nodeId) || this.#facts.isLost(nodeId);
  }

  #hasRoom(nodeId: number): boolean {
    return this.#joins.get(nodeId)! < JOINS_PER_NODE_MAX;
  }

  #load(nodeId: number): number {
    return this.#loads.get(nodeId)!;
  }
}

function nodeOf(shard: ShardRecord, replicaId: number): number {
  return shard.replicas.find((replica) => replica.replicaId === replicaId)?.nodeId ?? 0;
}

function add(counts: Map<number, number>, key: number, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
