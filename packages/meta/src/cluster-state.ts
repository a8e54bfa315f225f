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
import type { MetaCommand, MetaOutcome, NodeAddresses } from "./meta-command.ts";
import { UnknownMetaCommandError } from "./meta-command.ts";
import { defaultSettings, parseSetting } from "./settings.ts";
import type { ClusterSettings } from "./settings.ts";

export interface NodeRecord extends NodeAddresses {
  readonly id: number;
  /** What the node called itself when it asked to join: a repeated request gets the same id. */
  readonly joinToken: string;
}

/** Both ends included. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
}

export interface ReplicaRecord {
  readonly replicaId: number;
  readonly nodeId: number;
}

export interface ShardRecord {
  /** The Raft group's id; from 1, the metadata group is 0. */
  readonly id: number;
  /** Ascending, disjoint. */
  readonly slotRanges: readonly SlotRange[];
  readonly replicas: readonly ReplicaRecord[];
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
  readonly nodes: readonly NodeRecord[];
  /** Members of the metadata group itself. */
  readonly metaReplicas: readonly ReplicaRecord[];
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
  nodes: readonly NodeRecord[];
  metaReplicas: readonly ReplicaRecord[];
  shards: readonly ShardRecord[];
  settings: ClusterSettings;

  constructor(fields: ClusterStateFields) {
    this.version = fields.version;
    this.epoch = fields.epoch;
    this.clusterId = fields.clusterId;
    this.featureLevel = fields.featureLevel;
    this.nextNodeId = fields.nextNodeId;
    this.nextReplicaId = fields.nextReplicaId;
    this.nodes = fields.nodes;
    this.metaReplicas = fields.metaReplicas;
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
    if (groupId === META_GROUP_ID) return this.metaReplicas;
    return this.shard(groupId)?.replicas ?? [];
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
    this.nodes = [...this.nodes, { id, joinToken, ...pickAddresses(addresses) }];
    this.#changed();
    return { ok: true, nodeId: id };
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
    nodes: [],
    metaReplicas: [],
    shards: [],
    settings: defaultSettings,
  };
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
      shard.replicas.some((replica) => replica.replicaId === shard.preferredReplicaId),
      "the preferred leader is no member",
    );
  }
}
