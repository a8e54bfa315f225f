/**
 * What the metadata group agrees on: nodes, shards, slot ranges, replicas, settings. A deterministic state machine: `apply` takes a
 * committed command and never looks at a clock, a random number or the network, so that every member holds the same state.
 *
 * `version` counts every change; `epoch` counts the changes of placement only (who holds which slots), which is what requests are stamped
 * with. Replica ids and node ids come from counters and are never used again, also not after a removal (I19). The state is a hint for
 * routing: a shard's own log decides what the shard owns (I25).
 *
 * Must not know: Raft, how the state travels, who the leader of a shard is.
 */
import { assert, SLOT_COUNT } from "@headrace/bytes";
import { advanceChange, beginChange, cancelChange, finishChange } from "./group-change.ts";
import type { ChangedMembers, GroupChange, GroupMembers, ReplicaRecord } from "./group-change.ts";
import type { MetaCommand, MetaOutcome, NodeAddresses } from "./meta-command.ts";
import { UnknownMetaCommandError } from "./meta-command.ts";
import type { NodeDuty } from "./node-duty.ts";
import { defaultSettings, parseSetting } from "./settings.ts";
import type { ClusterSettings } from "./settings.ts";

export interface NodeRecord extends NodeAddresses {
  readonly id: number;
  readonly duty: NodeDuty;
  /** What the node called itself when it asked to join: a repeated request gets the same id. */
  readonly joinToken: string;
}

/** Both ends included. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
}

export interface ShardRecord extends GroupMembers {
  /** The Raft group's id; from 1, the metadata group is 0. */
  readonly id: number;
  /** Ascending, disjoint. */
  readonly slotRanges: readonly SlotRange[];
  /** The replica that should lead when nothing speaks against it: leaders are spread over the nodes. */
  readonly preferredReplicaId: number;
}

/** Everything a state is made of; also its JSON form, with `formatVersion`. */
export interface ClusterStateFields {
  readonly version: number;
  readonly epoch: number;
  readonly clusterId: string;
  readonly featureLevel: number;
  readonly nextNodeId: number;
  readonly nextReplicaId: number;
  readonly nextChangeId: number;
  /** Copies of each shard that are wanted as soon as there are nodes for them. */
  readonly replicaTarget: number;
  /** Id of the backup that the cluster was founded from; empty: from none. Who founds it must have put that backup's data before it serves. */
  readonly restoredFrom: string;
  readonly nodes: readonly NodeRecord[];
  /** Members of the metadata group itself. */
  readonly metaReplicas: readonly ReplicaRecord[];
  readonly metaChange: GroupChange | null;
  readonly shards: readonly ShardRecord[];
  readonly settings: ClusterSettings;
}

/** Id of the metadata group. */
export const META_GROUP_ID = 0;

export class ClusterState implements ClusterStateFields {
  version: number;
  epoch: number;
  readonly clusterId: string;
  featureLevel: number;
  nextNodeId: number;
  nextReplicaId: number;
  nextChangeId: number;
  replicaTarget: number;
  readonly restoredFrom: string;
  nodes: readonly NodeRecord[];
  metaReplicas: readonly ReplicaRecord[];
  metaChange: GroupChange | null;
  shards: readonly ShardRecord[];
  settings: ClusterSettings;

  constructor(fields: ClusterStateFields) {
    this.version = fields.version;
    this.epoch = fields.epoch;
    this.clusterId = fields.clusterId;
    this.featureLevel = fields.featureLevel;
    this.nextNodeId = fields.nextNodeId;
    this.nextReplicaId = fields.nextReplicaId;
    this.nextChangeId = fields.nextChangeId;
    this.replicaTarget = fields.replicaTarget;
    this.restoredFrom = fields.restoredFrom;
    this.nodes = fields.nodes;
    this.metaReplicas = fields.metaReplicas;
    this.metaChange = fields.metaChange;
    this.shards = fields.shards;
    this.settings = fields.settings;
  }

  node(nodeId: number): NodeRecord | null {
    return this.nodes.find((node) => node.id === nodeId) ?? null;
  }

  shard(shardId: number): ShardRecord | null {
    return this.shards.find((shard) => shard.id === shardId) ?? null;
  }

  /** Members of a Raft group, the metadata group included; empty when there is none of that id. */
  replicasOf(groupId: number): readonly ReplicaRecord[] {
    return this.membersOf(groupId)?.replicas ?? [];
  }

  /** The same with the change in flight; null when there is no such group. */
  membersOf(groupId: number): GroupMembers | null {
    if (groupId === META_GROUP_ID) return { replicas: this.metaReplicas, change: this.metaChange };
    return this.shard(groupId);
  }

  /** Ids of all Raft groups, the metadata group first. */
  groupIds(): number[] {
    return [META_GROUP_ID, ...this.shards.map((shard) => shard.id)];
  }

  /** A replica that this state has seen and does not name any more never comes back; one that it has not seen yet may be newer than it. */
  hasEnded(groupId: number, replicaId: number): boolean {
    if (replicaId >= this.nextReplicaId) return false;
    return !this.replicasOf(groupId).some((replica) => replica.replicaId === replicaId);
  }

  /** The groups that have a replica on the node, ascending, the metadata group included. */
  groupsOn(nodeId: number): { readonly groupId: number; readonly replicaId: number }[] {
    const found: { groupId: number; replicaId: number }[] = [];
    const visit = (groupId: number, replicas: readonly ReplicaRecord[]): void => {
      for (const replica of replicas) {
        if (replica.nodeId === nodeId) found.push({ groupId, replicaId: replica.replicaId });
      }
    };
    visit(META_GROUP_ID, this.metaReplicas);
    for (const shard of this.shards) visit(shard.id, shard.replicas);
    return found;
  }

  /**
   * Applies a committed command. A command that can't be fulfilled changes nothing and says why; one of an unknown kind throws
   * UnknownMetaCommandError: the replica must stop, not skip.
   */
  apply(command: MetaCommand): MetaOutcome {
    switch (command.kind) {
      case "registerNode":
        return this.#registerNode(command.joinToken, command.addresses);
      case "updateNode":
        return this.#updateNode(command.nodeId, command.addresses);
      case "setSetting":
        return this.#setSetting(command.name, command.value);
      case "setDuty":
        return this.#setDuty(command.nodeId, command.duty);
      case "removeNode":
        return this.#removeNode(command.nodeId);
      case "beginChange":
        return this.#beginChange(command.groupId, command.addNodeIds, command.removeReplicaIds);
      case "beginRemoval":
        return this.#beginRemoval(command.groupId, command.removeReplicaIds);
      case "advanceChange":
        return this.#changeMembers(command.groupId, (group) => advanceChange(group, command.changeId));
      case "cancelChange":
        return this.#changeMembers(command.groupId, (group) => cancelChange(group, command.changeId));
      case "finishChange":
        return this.#changeMembers(command.groupId, (group) => finishChange(group, command.changeId, command.isDone));
      case "setPreferred":
        return this.#setPreferred(command.groupId, command.replicaId);
      default:
        throw new UnknownMetaCommandError(`unknown metadata command ${String((command as { kind: unknown }).kind)}`);
    }
  }

  /** Asserts what must always hold. Cheap enough to run after every change. */
  verify(): void {
    verifySlots(this.shards);
    verifyReplicas(this);
    const nodeIds = new Set(this.nodes.map((node) => node.id));
    assert(nodeIds.size === this.nodes.length, "a node id is used twice");
    for (const id of nodeIds) {
      assert(Number.isSafeInteger(id) && id > 0 && id < this.nextNodeId, "node id not from the counter");
    }
  }

  #registerNode(joinToken: string, addresses: NodeAddresses): MetaOutcome {
    const known = this.nodes.find((node) => node.joinToken === joinToken);
    if (known !== undefined) {
      const updated = this.#updateNode(known.id, addresses);
      return updated.ok ? { ok: true, nodeId: known.id } : updated;
    }
    const id = this.nextNodeId++;
    // Somebody empty stands where a node stood: that node's directory is gone, and with it everything that it had promised. The newcomer gets the
    // place, never the id.
    const isReplacing = this.nodes.some((node) => isReplacedBy(node, addresses));
    const others = this.nodes.map((node) => (isReplacedBy(node, addresses) ? { ...node, duty: EXPELLED } : node));
    const duty: NodeDuty = isReplacing ? "active" : "spare";
    this.nodes = [...others, { id, joinToken, duty, ...pickAddresses(addresses) }];
    this.#changed();
    return { ok: true, nodeId: id };
  }

  #setDuty(nodeId: number, duty: NodeDuty): MetaOutcome {
    const known = this.node(nodeId);
    if (known === null) return { ok: false, error: `no node ${nodeId}` };
    if (known.duty === duty) return { ok: true, nodeId };
    if (known.duty === "expelled") return { ok: false, error: `node ${nodeId} is being removed` };
    if (duty === "draining" && !this.nodes.some((node) => node.id !== nodeId && node.duty === "active")) {
      return { ok: false, error: `node ${nodeId} is the last one: there is nothing to move its data to` };
    }
    if (known.duty === "quarantined" && duty !== "expelled" && this.groupsOn(nodeId).length > 0) {
      return { ok: false, error: `node ${nodeId} still has replicas whose data can't be believed` };
    }
    this.nodes = this.nodes.map((node) => (node.id === nodeId ? { ...node, duty } : node));
    this.version++;
    return { ok: true, nodeId };
  }

  /** Only one that holds nothing: its data is either elsewhere or given up by changes of the groups. */
  #removeNode(nodeId: number): MetaOutcome {
    if (this.node(nodeId) === null) return { ok: false, error: `no node ${nodeId}` };
    const held = this.groupsOn(nodeId).length;
    if (held > 0) return { ok: false, error: `node ${nodeId} still has ${held} replicas` };
    if (this.nodes.length === 1) return { ok: false, error: `node ${nodeId} is the last one` };
    this.nodes = this.nodes.filter((node) => node.id !== nodeId);
    this.#changed();
    return { ok: true, nodeId };
  }

  #beginChange(groupId: number, addNodeIds: readonly number[], removes: readonly number[]): MetaOutcome {
    for (const nodeId of addNodeIds) {
      const duty = this.node(nodeId)?.duty;
      if (duty !== "active" && duty !== "spare") return { ok: false, error: `node ${nodeId} takes no replicas` };
    }
    let nextId = this.nextReplicaId;
    const added = addNodeIds.map((nodeId) => ({ replicaId: nextId++, nodeId, isJoining: true }));
    const outcome = this.#changeMembers(groupId, (group) => beginChange(group, this.nextChangeId, added, removes));
    if (!outcome.ok) return outcome;
    this.nextReplicaId = nextId;
    this.nextChangeId++;
    return outcome;
  }

  #beginRemoval(groupId: number, removes: readonly number[]): MetaOutcome {
    const mark = this.nextReplicaId;
    const outcome = this.#changeMembers(groupId, (group) => beginChange(group, this.nextChangeId, [], removes, mark));
    if (!outcome.ok) return outcome;
    this.nextReplicaId++;
    this.nextChangeId++;
    return outcome;
  }

  #changeMembers(groupId: number, change: (group: GroupMembers) => ChangedMembers): MetaOutcome {
    const before = this.membersOf(groupId);
    if (before === null) return { ok: false, error: `no group ${groupId}` };
    const changed = change(before);
    if ("error" in changed) return { ok: false, error: changed.error };
    const { members } = changed;
    if (members === before) return { ok: true, nodeId: 0 };
    if (groupId === META_GROUP_ID) {
      this.metaReplicas = members.replicas;
      this.metaChange = members.change;
    } else {
      this.shards = this.shards.map((shard) => (shard.id === groupId ? withMembers(shard, members) : shard));
    }
    this.#changed();
    return { ok: true, nodeId: 0 };
  }

  #setPreferred(groupId: number, replicaId: number): MetaOutcome {
    const shard = this.shard(groupId);
    const replica = shard?.replicas.find((each) => each.replicaId === replicaId);
    if (shard === null || replica === undefined || replica.isJoining) {
      return { ok: false, error: `replica ${replicaId} can't lead group ${groupId}` };
    }
    if (shard.preferredReplicaId === replicaId) return { ok: true, nodeId: 0 };
    this.shards = this.shards.map((each) => (each.id === groupId ? { ...each, preferredReplicaId: replicaId } : each));
    this.version++;
    return { ok: true, nodeId: 0 };
  }

  #updateNode(nodeId: number, addresses: NodeAddresses): MetaOutcome {
    const known = this.node(nodeId);
    if (known === null) return { ok: false, error: `no node ${nodeId}` };
    if (sameAddresses(known, addresses)) return { ok: true, nodeId };
    this.nodes = this.nodes.map((node) => (node.id === nodeId ? { ...node, ...pickAddresses(addresses) } : node));
    this.#changed();
    return { ok: true, nodeId };
  }

  #setSetting(name: string, value: string): MetaOutcome {
    const parsed = parseSetting(this.settings, name, value);
    if (!parsed.ok) return parsed;
    this.settings = parsed.settings;
    this.version++;
    return { ok: true, nodeId: 0 };
  }

  /** Where clients are sent changed: placement's epoch moves too. */
  #changed(): void {
    this.version++;
    this.epoch++;
  }
}

/** A state with nothing in it but its identity, to be filled by a founding plan. */
export function emptyFields(clusterId: string): ClusterStateFields {
  return {
    version: 1,
    epoch: 1,
    clusterId,
    featureLevel: 1,
    nextNodeId: 1,
    nextReplicaId: 1,
    nextChangeId: 1,
    replicaTarget: 1,
    restoredFrom: "",
    nodes: [],
    metaReplicas: [],
    metaChange: null,
    shards: [],
    settings: defaultSettings,
  };
}

const EXPELLED: NodeDuty = "expelled";

function isReplacedBy(node: NodeRecord, addresses: NodeAddresses): boolean {
  return node.peerAddress === addresses.peerAddress;
}

/** Leadership prefers whoever took the place of the preferred replica. */
function withMembers(shard: ShardRecord, members: GroupMembers): ShardRecord {
  const { replicas, change } = members;
  const voters = replicas.filter((replica) => !replica.isJoining);
  const isThere = voters.some((replica) => replica.replicaId === shard.preferredReplicaId);
  const successor = voters.find((replica) => shard.change?.adds.includes(replica.replicaId)) ?? voters[0]!;
  const preferredReplicaId = isThere ? shard.preferredReplicaId : successor.replicaId;
  return { ...shard, replicas, change, preferredReplicaId };
}

export function pickAddresses(addresses: NodeAddresses): NodeAddresses {
  return {
    peerAddress: addresses.peerAddress,
    dataAddress: addresses.dataAddress,
    httpAddress: addresses.httpAddress,
    announceHost: addresses.announceHost,
    announcePort: addresses.announcePort,
  };
}

function sameAddresses(a: NodeAddresses, b: NodeAddresses): boolean {
  return (
    a.peerAddress === b.peerAddress &&
    a.dataAddress === b.dataAddress &&
    a.httpAddress === b.httpAddress &&
    a.announceHost === b.announceHost &&
    a.announcePort === b.announcePort
  );
}

function verifySlots(shards: readonly ShardRecord[]): void {
  const owners = new Uint16Array(SLOT_COUNT);
  const shardIds = new Set<number>();
  for (const shard of shards) {
    assert(shard.id > 0 && shard.id <= 0xffff, "shard id out of range");
    assert(!shardIds.has(shard.id), "a shard id is used twice");
    shardIds.add(shard.id);
    for (const range of shard.slotRanges) {
      assert(range.from >= 0 && range.from <= range.to && range.to < SLOT_COUNT, "slot range out of bounds");
      for (let slot = range.from; slot <= range.to; slot++) {
        assert(owners[slot] === 0, "a slot has two shards");
        owners[slot] = shard.id;
      }
    }
  }
  if (shards.length > 0) assert(!owners.includes(0), "a slot has no shard");
}

function verifyReplicas(state: ClusterState): void {
  const replicaIds = new Set<number>();
  const groups = [state.metaReplicas, ...state.shards.map((shard) => shard.replicas)];
  for (const replicas of groups) {
    const hosts = new Set<number>();
    for (const replica of replicas) {
      assert(!replicaIds.has(replica.replicaId), "a replica id is used twice");
      assert(replica.replicaId > 0 && replica.replicaId < state.nextReplicaId, "replica id not from the counter");
      assert(state.node(replica.nodeId) !== null, "a replica on an unknown node");
      assert(!hosts.has(replica.nodeId), "two replicas of a group on one node");
      replicaIds.add(replica.replicaId);
      hosts.add(replica.nodeId);
    }
  }
  for (const shard of state.shards) {
    assert(
      shard.replicas.some((replica) => replica.replicaId === shard.preferredReplicaId && !replica.isJoining),
      "the preferred leader is no member",
    );
  }
  const changeIds = new Set<number>();
  for (const groupId of state.groupIds()) {
    const { replicas, change } = state.membersOf(groupId)!;
    const named = new Set(replicas.map((replica) => replica.replicaId));
    const joining = replicas.filter((replica) => replica.isJoining).map((replica) => replica.replicaId);
    assert(joining.join() === (change?.adds ?? []).join(), "who joins is not what the change adds");
    if (change === null) continue;
    assert(change.mark < state.nextReplicaId && !replicaIds.has(change.mark), "a change's mark is a replica");
    assert(change.id > 0 && change.id < state.nextChangeId && !changeIds.has(change.id), "a change id is used twice");
    changeIds.add(change.id);
    assert(
      change.removes.every((id) => named.has(id) && !joining.includes(id)),
      "a change removes a stranger",
    );
  }
}
