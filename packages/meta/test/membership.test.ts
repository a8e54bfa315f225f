/** Changes of members as the metadata group decides on them: against a naive cluster whose nodes come, go and finish things in any order. */
import { clusterStateFromJson, clusterStateToJson, defaultSettings, foundingPlan, planChanges } from "@headrace/meta";
import type { ClusterState, MetaCommand, NodeAddresses, NodeDuty, NodeFacts } from "@headrace/meta";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

function addresses(i: number): NodeAddresses {
  const host = `node-${i}`;
  return { peerAddress: `${host}:1`, dataAddress: "", httpAddress: "", announceHost: host, announcePort: 1 };
}

function cluster(nodes: number, shardCount: number, replicaCount: number = 3): ClusterState {
  const founders = Array.from({ length: nodes }, (_, i) => ({ joinToken: `t${i + 1}`, ...addresses(i + 1) }));
  return foundingPlan({ clusterId: "c", founders, shardCount, replicaCount, settings: defaultSettings });
}

/** What is true in the world: who is up, and who has been away for long. */
class World implements NodeFacts {
  readonly state: ClusterState;
  readonly down: Set<number> = new Set();
  readonly lost: Set<number> = new Set();
  /** Every replica id that was ever in the state. */
  readonly seen: Map<number, string> = new Map();
  #tokens = 100;

  constructor(state: ClusterState) {
    this.state = state;
    this.look();
  }

  isUp(nodeId: number): boolean {
    return !this.down.has(nodeId);
  }

  isLost(nodeId: number): boolean {
    return this.lost.has(nodeId);
  }

  apply(command: MetaCommand): boolean {
    const { ok } = this.state.apply(command);
    this.state.verify();
    this.look();
    return ok;
  }

  join(): number {
    const n = ++this.#tokens;
    this.state.apply({ kind: "registerNode", joinToken: `t${n}`, addresses: addresses(n) });
    return this.state.nextNodeId - 1;
  }

  duty(nodeId: number, duty: NodeDuty): void {
    expect(this.state.apply({ kind: "setDuty", nodeId, duty }).ok).toBe(true);
  }

  /** One id, one group and node, for ever. */
  look(): void {
    for (const groupId of this.state.groupIds()) {
      for (const { replicaId, nodeId } of this.state.replicasOf(groupId)) {
        const place = `group ${groupId} on node ${nodeId}`;
        expect(this.seen.get(replicaId) ?? place).toBe(place);
        this.seen.set(replicaId, place);
      }
    }
  }

  /** One look of the metadata leader, and every group that has a majority gets one stage further. */
  round(): number {
    const commands = planChanges(this.state, this);
    for (const command of commands) {
      if (command.kind === "beginChange" || command.kind === "beginRemoval")
        this.#mayBegin(command.groupId, command.removeReplicaIds);
      expect(this.apply(command), JSON.stringify(command)).toBe(true);
    }
    for (const groupId of this.state.groupIds()) this.#proceed(groupId);
    return commands.length;
  }

  settle(): void {
    for (let rounds = 0; rounds < 500; rounds++) {
      const changes = this.state.groupIds().filter((groupId) => this.state.membersOf(groupId)!.change !== null);
      if (this.round() === 0 && changes.length === 0) return;
    }
    throw new Error(`no end in sight: ${JSON.stringify(planChanges(this.state, this))}`);
  }

  /** Counted by hand: more than half of the voters can be talked to without those that are lost and leave. */
  #mayBegin(groupId: number, removes: readonly number[]): void {
    const voters = this.state.replicasOf(groupId);
    const usable = voters.filter(({ nodeId, replicaId }) => {
      const duty = this.state.node(nodeId)!.duty;
      const isGone = this.down.has(nodeId) || duty === "expelled" || duty === "quarantined";
      return !isGone && !(removes.includes(replicaId) && this.lost.has(nodeId));
    });
    expect(usable.length * 2).toBeGreaterThan(voters.length);
  }

  #proceed(groupId: number): void {
    const { change, replicas } = this.state.membersOf(groupId)!;
    if (change === null) return;
    const voters = replicas.filter((replica) => !replica.isJoining);
    const hasMajority = voters.filter(({ nodeId }) => !this.down.has(nodeId)).length * 2 > voters.length;
    if (!hasMajority) return;
    const staying = replicas.filter((replica) => change.removes.includes(replica.replicaId) === false);
    const canDecide = staying.filter(({ nodeId }) => !this.down.has(nodeId)).length * 2 > staying.length;
    const areUp = replicas.every((replica) => !replica.isJoining || !this.down.has(replica.nodeId));
    const changeId = change.id;
    if (change.stage === "cancelling") this.apply({ kind: "finishChange", groupId, changeId, isDone: false });
    else if (!areUp) return;
    // The group's leader makes no voters that could not decide (node/change-step.ts).
    else if (change.stage === "swapping" && !canDecide) return;
    else if (change.stage === "adding") this.apply({ kind: "advanceChange", groupId, changeId });
    else this.apply({ kind: "finishChange", groupId, changeId, isDone: true });
  }
}

function loads(state: ClusterState): Map<number, number> {
  const found = new Map(state.nodes.map((node) => [node.id, 0]));
  for (const shard of state.shards) {
    for (const { nodeId } of shard.replicas) found.set(nodeId, found.get(nodeId)! + 1);
  }
  return found;
}

describe("adding a node", () => {
  test("gives it nothing until it is added, then its even share of replicas and of leaders", () => {
    const world = new World(cluster(3, 8));
    const fourth = world.join();
    world.settle();
    expect(loads(world.state).get(fourth)).toBe(0);
    world.duty(fourth, "active");
    world.settle();
    // 24 replicas on 4 nodes, 8 leaders on 4 nodes.
    expect([...loads(world.state).values()]).toEqual([6, 6, 6, 6]);
    const leaders = world.state.shards.map((shard) => {
      return shard.replicas.find((replica) => replica.replicaId === shard.preferredReplicaId)!.nodeId;
    });
    for (const node of [1, 2, 3, 4]) {
      const led = leaders.filter((each) => each === node).length;
      expect(led).toBeGreaterThanOrEqual(1);
      expect(led).toBeLessThanOrEqual(3);
    }
  });

  test("makes up for copies that there was no node for, and grows the metadata group to an odd number", () => {
    const world = new World(cluster(1, 4));
    world.duty(world.join(), "active");
    world.settle();
    expect(world.state.shards.map((shard) => shard.replicas.length)).toEqual([2, 2, 2, 2]);
    expect(world.state.metaReplicas).toHaveLength(1);
    world.duty(world.join(), "active");
    world.settle();
    expect(world.state.shards.map((shard) => shard.replicas.length)).toEqual([3, 3, 3, 3]);
    expect(world.state.metaReplicas).toHaveLength(3);
    world.duty(world.join(), "active");
    world.settle();
    expect(world.state.metaReplicas).toHaveLength(3);
    world.duty(world.join(), "active");
    world.settle();
    expect(world.state.metaReplicas).toHaveLength(5);
  });
});

describe("draining and removing a node", () => {
  test("moves everything away, and only then lets it go", () => {
    const world = new World(cluster(4, 8));
    expect(world.state.apply({ kind: "removeNode", nodeId: 2 }).ok).toBe(false);
    world.duty(2, "draining");
    world.settle();
    expect(world.state.groupsOn(2)).toEqual([]);
    expect(world.state.shards.map((shard) => shard.replicas.length)).toEqual(Array(8).fill(3));
    expect(world.state.metaReplicas).toHaveLength(3);
    expect(world.state.apply({ kind: "removeNode", nodeId: 2 }).ok).toBe(true);
    expect(world.state.node(2)).toBeNull();
    expect(world.join()).toBe(5);
  });

  test("never takes a copy away that there is no other place for", () => {
    const world = new World(cluster(3, 4));
    world.duty(3, "draining");
    world.settle();
    expect(world.state.groupsOn(3)).toHaveLength(5);
    const spare = world.join();
    world.settle();
    expect(world.state.groupsOn(3)).toHaveLength(5);
    world.duty(spare, "active");
    world.settle();
    expect(world.state.groupsOn(3)).toEqual([]);
  });

  test("the last node can't be drained", () => {
    const world = new World(cluster(2, 2));
    world.duty(1, "draining");
    expect(world.state.apply({ kind: "setDuty", nodeId: 2, duty: "draining" }).ok).toBe(false);
  });
});

describe("a node that is lost", () => {
  test("has its replicas rebuilt on an active node, or else on a spare, after it was away for long", () => {
    const world = new World(cluster(3, 4));
    const spare = world.join();
    world.down.add(2);
    world.settle();
    expect(world.state.groupsOn(2)).toHaveLength(5);
    world.lost.add(2);
    world.settle();
    expect(world.state.groupsOn(2)).toEqual([]);
    expect(world.state.groupsOn(spare)).toHaveLength(5);
  });

  test("keeps its replicas when there is no place for others: it may come back with them", () => {
    const world = new World(cluster(3, 4));
    world.down.add(2);
    world.lost.add(2);
    world.settle();
    expect(world.state.shards.map((shard) => shard.replicas.length)).toEqual([3, 3, 3, 3]);
  });

  test("is not touched where the others are no majority", () => {
    const world = new World(cluster(5, 5));
    for (const nodeId of [1, 2]) {
      world.down.add(nodeId);
      world.lost.add(nodeId);
    }
    world.settle();
    for (const shard of world.state.shards) {
      const hosts = shard.replicas.map((replica) => replica.nodeId);
      const lost = hosts.filter((nodeId) => nodeId <= 2);
      // Two of three replicas are on lost nodes: nothing was begun. One of three: it was replaced.
      if (lost.length === 2) expect(hosts).toHaveLength(3);
      else expect(lost).toEqual([]);
    }
  });

  test("and has an empty newcomer at its address is given up at once, the newcomer takes its place", () => {
    const world = new World(cluster(3, 4));
    world.down.add(3);
    world.state.apply({ kind: "registerNode", joinToken: "again", addresses: addresses(3) });
    expect(world.state.node(3)!.duty).toBe("expelled");
    expect(world.state.node(4)!.duty).toBe("active");
    const before = new Set(world.seen.keys());
    world.settle();
    expect(world.state.node(3)).toBeNull();
    expect(world.state.groupsOn(4)).toHaveLength(5);
    for (const { replicaId } of world.state.groupsOn(4)) expect(before.has(replicaId)).toBe(false);
  });

  test("a newcomer that is lost while it joins is given up, and another one is taken", () => {
    const world = new World(cluster(5, 1));
    world.down.add(1);
    world.lost.add(1);
    const begun = planChanges(world.state, world).filter((command) => command.kind === "beginChange");
    for (const command of begun) world.apply(command);
    const target = world.state.shards[0]!.replicas.find((replica) => replica.isJoining)!.nodeId;
    world.down.add(target);
    world.lost.add(target);
    world.settle();
    const hosts = world.state.shards[0]!.replicas.map((replica) => replica.nodeId);
    expect(hosts).toHaveLength(3);
    expect(hosts).not.toContain(1);
    expect(hosts).not.toContain(target);
  });
});

describe("a change that only removes", () => {
  test("is given up when a replica that stays is lost meanwhile, and that one is replaced with the help of the one that was to go", () => {
    const world = new World(cluster(4, 1));
    const [first, second, third] = world.state.shards[0]!.replicas;
    expect(world.apply({ kind: "beginRemoval", groupId: 1, removeReplicaIds: [third!.replicaId] })).toBe(true);
    world.apply({ kind: "advanceChange", groupId: 1, changeId: world.state.shards[0]!.change!.id });
    world.down.add(second!.nodeId);
    world.lost.add(second!.nodeId);
    world.settle();
    const { replicas, change } = world.state.shards[0]!;
    expect(change).toBeNull();
    const ids = replicas.map(({ replicaId }) => replicaId);
    expect(ids).toHaveLength(3);
    expect(ids).toContain(first!.replicaId);
    expect(ids).toContain(third!.replicaId);
    expect(ids).not.toContain(second!.replicaId);
  });

  test("of the metadata group that would leave a lost member alone is given up too", () => {
    const world = new World(cluster(3, 1));
    const staying = world.state.metaReplicas[0]!;
    const leaving = world.state.metaReplicas.slice(1);
    world.apply({ kind: "beginRemoval", groupId: 0, removeReplicaIds: leaving.map(({ replicaId }) => replicaId) });
    world.apply({ kind: "advanceChange", groupId: 0, changeId: world.state.metaChange!.id });
    world.down.add(staying.nodeId);
    world.lost.add(staying.nodeId);
    world.round();
    expect(world.state.metaChange).toBeNull();
    expect(world.state.metaReplicas).toHaveLength(3);
  });
});

describe("a node whose data can't be believed", () => {
  test("is relieved of its replicas although there is no other place, and gets new ones when it is empty", () => {
    const world = new World(cluster(3, 4));
    const old = world.state.groupsOn(2).map(({ replicaId }) => replicaId);
    world.duty(2, "quarantined");
    expect(world.state.apply({ kind: "setDuty", nodeId: 2, duty: "active" }).ok).toBe(false);
    world.settle();
    expect(world.state.groupsOn(2)).toEqual([]);
    expect(world.state.shards.map((shard) => shard.replicas.length)).toEqual([2, 2, 2, 2]);
    world.duty(2, "active");
    world.settle();
    expect(world.state.groupsOn(2)).toHaveLength(5);
    for (const { replicaId } of world.state.groupsOn(2)) expect(old).not.toContain(replicaId);
  });

  test("keeps them where the others are no majority: an operator has to look", () => {
    const world = new World(cluster(3, 4));
    world.down.add(1);
    world.duty(2, "quarantined");
    world.settle();
    expect(world.state.groupsOn(2)).toHaveLength(5);
  });
});

interface Act {
  readonly act: string;
  readonly at: number;
}

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ act: "round", at: 0 }) },
  { weight: 1, arbitrary: fc.constantFrom({ act: "join", at: 0 }, { act: "restore", at: 0 }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constantFrom("down", "lost", "up", "up", "activate", "activate", "drain", "expel", "quarantine", "wipe"),
      at: fc.nat({ max: 9 }),
    }),
  },
);

test("whatever nodes do: ids are never used again, a group has one change at a time, and in peace everything comes to its place", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(act, { maxLength: 60 }), (nodes, acts) => {
      let world = new World(cluster(nodes, 4));
      for (const each of acts) {
        if (each.act === "round") world.round();
        else if (each.act === "join") world.join();
        else if (each.act === "restore") {
          const restored = new World(clusterStateFromJson(JSON.parse(JSON.stringify(clusterStateToJson(world.state)))));
          for (const [id, place] of world.seen) restored.seen.set(id, place);
          for (const nodeId of world.down) restored.down.add(nodeId);
          for (const nodeId of world.lost) restored.lost.add(nodeId);
          world = restored;
        } else happen(world, each.act, each.at);
      }
      // Peace: everybody who has data is up again, and who was quarantined comes back when it is empty; who was expelled stays away.
      world.down.clear();
      world.lost.clear();
      world.settle();
      for (const { id, duty } of world.state.nodes) {
        if (duty === "quarantined" && world.state.groupsOn(id).length === 0) world.duty(id, "active");
      }
      world.settle();
      const { state } = world;
      const usable = state.nodes.filter((node) => node.duty === "active");
      for (const groupId of state.groupIds()) {
        const { replicas, change } = state.membersOf(groupId)!;
        expect(change).toBeNull();
        expect(replicas.length).toBeGreaterThan(0);
        for (const { nodeId } of replicas) expect(state.node(nodeId)).not.toBeNull();
        if (groupId !== 0 && usable.length >= 3) expect(replicas.length).toBeGreaterThanOrEqual(3);
      }
      const drained = state.nodes.filter((node) => node.duty === "draining");
      if (usable.length >= 3) for (const node of drained) expect(state.groupsOn(node.id)).toEqual([]);
      const active = [...loads(state)].filter(([id]) => state.node(id)!.duty === "active").map(([, count]) => count);
      if (drained.length === 0) expect(Math.max(...active, 0) - Math.min(...active, 12)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 400 },
  );
});

function happen(world: World, what: string, at: number): void {
  const node = world.state.nodes[at % world.state.nodes.length]!;
  const set = (duty: NodeDuty): void => void world.apply({ kind: "setDuty", nodeId: node.id, duty });
  switch (what) {
    case "down":
      world.down.add(node.id);
      return;
    case "lost":
      world.down.add(node.id);
      world.lost.add(node.id);
      return;
    case "up":
      world.down.delete(node.id);
      world.lost.delete(node.id);
      return;
    case "activate":
      return set("active");
    case "drain":
      return set("draining");
    case "wipe":
    case "quarantine":
    case "expel": {
      // At most what a majority survives, as for an operator who heeds the refusal.
      const isSafe = world.state.groupIds().every((groupId) => {
        const voters = world.state.replicasOf(groupId).filter((replica) => !replica.isJoining);
        const left = voters.filter((voter) => {
          const duty = world.state.node(voter.nodeId)!.duty;
          return voter.nodeId !== node.id && duty !== "expelled" && duty !== "quarantined";
        });
        return left.length * 2 > voters.length || voters.every((voter) => voter.nodeId !== node.id);
      });
      if (!isSafe) return;
      if (what === "wipe")
        world.apply({ kind: "registerNode", joinToken: `again ${world.seen.size}`, addresses: node });
      else set(what === "expel" ? "expelled" : "quarantined");
      return;
    }
    default:
      throw new Error(what);
  }
}
