/** Members of groups change while everything runs: the metadata group grows and shrinks, nodes are added, emptied, lost and wiped. */
import { MetaAsk } from "@headrace/meta";
import type { ClusterState, NodeDuty, ReplicaRecord } from "@headrace/meta";
import { describe, expect, test } from "vitest";
import { MemoryDisks } from "./memory-world.ts";
import { founded, keys, lengths, writeAll } from "./node-bench.ts";
import type { Cluster } from "./node-bench.ts";

function stateOf(cluster: Cluster): ClusterState {
  const states = cluster.nodes.map((node) => node?.clusterState ?? null).filter((state) => state !== null);
  return states.reduce((newest, state) => (state.version > newest.version ? state : newest));
}

function until(cluster: Cluster, what: string, holds: () => boolean, withinMs: number = 60_000): void {
  if (cluster.time.runUntil(holds, withinMs)) return;
  const { shards, metaReplicas, metaChange, nodes } = stateOf(cluster);
  const reasons = cluster.nodes.map((node) => node?.readiness().reasons);
  throw new Error(`waited for ${what}: ${JSON.stringify({ nodes, metaReplicas, metaChange, shards, reasons })}`);
}

function join(cluster: Cluster, i: number, nodeId: number): void {
  cluster.start(i);
  until(cluster, `node ${nodeId} to join`, () => cluster.nodes[i]!.nodeId === nodeId);
}

function setDuty(cluster: Cluster, nodeId: number, duty: NodeDuty): void {
  expect(cluster.ask(0, MetaAsk.setDuty, { nodeId, duty })).toMatchObject({ ok: true });
}

/** Replica ids are never seen on two nodes, and those of the metadata are what its Raft group really has. */
function metaVoters(cluster: Cluster): readonly number[] {
  const leader = cluster.nodes.find((node) => node?.member?.metaGroup?.isReady === true)!;
  return leader.member!.metaGroup!.raftStatus().confState.voters;
}

const idsOf = (replicas: readonly ReplicaRecord[]): number[] => replicas.map(({ replicaId }) => replicaId);
const nodesOf = (replicas: readonly ReplicaRecord[]): number[] =>
  replicas.map(({ nodeId }) => nodeId).sort((a, b) => a - b);

function metaRests(cluster: Cluster, nodeIds: readonly number[]): boolean {
  const { metaReplicas, metaChange } = stateOf(cluster);
  return metaChange === null && nodesOf(metaReplicas).join() === nodeIds.join();
}

describe("the metadata group", () => {
  test("grows from one to three to five voters as nodes are added, and every new one can lead it", () => {
    const cluster = founded(1, { replicas: 1 });
    for (let i = 1; i <= 4; i++) {
      join(cluster, i, i + 1);
      setDuty(cluster, i + 1, "active");
      const count = i >= 4 ? 5 : i >= 2 ? 3 : 1;
      const expected = Array.from({ length: count }, (_, at) => at + 1);
      until(cluster, `${count} voters`, () => metaRests(cluster, expected));
      expect([...metaVoters(cluster)]).toEqual(idsOf(stateOf(cluster).metaReplicas).sort((a, b) => a - b));
    }
    // The founder goes: the others go on, with all that was decided before they came.
    cluster.kill(0);
    until(cluster, "a new leader", () => cluster.nodes.some((node) => node?.member?.metaGroup?.isReady === true));
    expect(cluster.ask(3, MetaAsk.setSetting, { name: "ack", value: "1" })).toMatchObject({ ok: true });
    expect(stateOf(cluster).nodes.map((node) => node.id)).toEqual([1, 2, 3, 4, 5]);
  });

  test("a new member that is killed at any moment of its coming is a voter in the end, under one id", () => {
    for (const killAfterMs of [0, 5, 20, 100, 300, 600, 900]) {
      const cluster = founded(1, { replicas: 1 });
      join(cluster, 1, 2);
      join(cluster, 2, 3);
      setDuty(cluster, 2, "active");
      setDuty(cluster, 3, "active");
      until(cluster, "the change", () => stateOf(cluster).metaChange !== null);
      const adds = stateOf(cluster).metaChange!.adds;
      cluster.time.run(killAfterMs);
      cluster.kill(2);
      cluster.time.run(700);
      cluster.start(2);
      until(cluster, "three voters", () => metaRests(cluster, [1, 2, 3]));
      expect(idsOf(stateOf(cluster).metaReplicas).slice(1)).toEqual(adds);
      until(cluster, "all to know", () => cluster.nodes.every((node) => node?.clusterState?.metaChange === null));
    }
  });

  test("a new member that is killed at any step of its first snapshot has the metadata in the end", () => {
    const seen = new Set<number>();
    for (let steps = 0; steps <= 120; steps += 8) {
      const cluster = founded(1, { replicas: 1 });
      join(cluster, 1, 2);
      join(cluster, 2, 3);
      setDuty(cluster, 2, "active");
      setDuty(cluster, 3, "active");
      const installed = (): number => (cluster.nodes[2]!.status()["snapshots"] as { installed: number }).installed;
      until(cluster, "the replica", () => (cluster.nodes[2]!.member?.metaGroup ?? null) !== null);
      for (let step = 0; step < steps; step++) cluster.time.step(Infinity);
      cluster.kill(2);
      cluster.time.run(100);
      cluster.start(2);
      until(cluster, "three voters", () => metaRests(cluster, [1, 2, 3]));
      until(cluster, "node 3 to know", () => cluster.nodes[2]!.clusterState?.metaChange === null);
      seen.add(installed());
      const [first, , last] = cluster.nodes.map((node) => node!.member!.metaGroup!.raftStatus());
      expect(last!.confState).toEqual(first!.confState);
    }
    // Killed before it counted, it gets it in its second life; killed later it finds it on its disk.
    expect(seen).toEqual(new Set([0, 1]));
  });

  test("moves off a node that is drained, whose leader it may be, and its old replica is deleted", () => {
    const cluster = founded(1, { replicas: 1 });
    for (const i of [1, 2, 3]) join(cluster, i, i + 1);
    for (const nodeId of [2, 3]) setDuty(cluster, nodeId, "active");
    until(cluster, "three voters", () => metaRests(cluster, [1, 2, 3]));
    setDuty(cluster, 4, "active");
    const leader = cluster.nodes.findIndex((node) => node?.member?.metaGroup?.isReady === true);
    const before = stateOf(cluster).metaReplicas;
    // A node that drains is a member until its shards have left; here only the metadata group is looked at.
    expect(leader).toBe(0);
    setDuty(cluster, 1, "draining");
    until(cluster, "the metadata group to leave node 1", () => metaRests(cluster, [2, 3, 4]));
    until(cluster, "its replica to be deleted", () => cluster.nodes[0]!.member!.metaGroup === null);
    const after = stateOf(cluster).metaReplicas;
    expect(Math.max(...idsOf(after))).toBeGreaterThan(Math.max(...idsOf(before)));
    // It comes back without it, although its disk has seen the first state.
    cluster.kill(0);
    cluster.start(0);
    until(cluster, "node 1 to be back", () => cluster.nodes[0]!.member !== null);
    cluster.time.run(3000);
    expect(cluster.nodes[0]!.member!.metaGroup).toBeNull();
    expect(cluster.nodes[0]!.clusterState!.version).toBe(stateOf(cluster).version);
  });

  test("replaces the voter of a node that was wiped by a learner under a new id at once", () => {
    const cluster = founded(3);
    writeAll(cluster, "1-1");
    const before = stateOf(cluster).metaReplicas;
    cluster.kill(2);
    cluster.disks[2] = new MemoryDisks();
    join(cluster, 2, 4);
    until(cluster, "three voters", () => metaRests(cluster, [1, 2, 4]));
    const mine = stateOf(cluster).metaReplicas.find((replica) => replica.nodeId === 4)!;
    expect(idsOf(before)).not.toContain(mine.replicaId);
    expect(cluster.nodes[2]!.member!.metaGroup!.replicaId).toBe(mine.replicaId);
  });
});

/** Every shard has its copies, on exactly these nodes, and nothing is in flight. */
function shardsRest(cluster: Cluster, copies: number, on: readonly number[]): boolean {
  return stateOf(cluster).shards.every(({ replicas, change }) => {
    return change === null && replicas.length === copies && replicas.every(({ nodeId }) => on.includes(nodeId));
  });
}

/** Every node that is up has the replicas that the metadata names, and no others; those of a shard have the same state. */
function expectWhole(cluster: Cluster): void {
  const state = stateOf(cluster);
  const known = (): boolean => cluster.nodes.every((node) => (node?.clusterState?.version ?? 1e9) >= state.version);
  until(cluster, "all to know", known);
  cluster.time.run(3000);
  const hashes = new Map<number, Set<string>>();
  for (const node of cluster.nodes) {
    if (node === null) continue;
    const placed = state.groupsOn(node.nodeId).filter(({ groupId }) => groupId > 0);
    const held = [...node.member!.shards()].map(({ groupId, replicaId }) => ({ groupId, replicaId }));
    expect(held.sort((a, b) => a.groupId - b.groupId)).toEqual(placed);
    for (const shard of node.member!.shards()) {
      const { index, hash } = shard.stateHash();
      const seen = hashes.get(shard.groupId) ?? new Set();
      hashes.set(shard.groupId, seen.add(`${index} ${hash}`));
    }
  }
  for (const seen of hashes.values()) expect(seen.size).toBe(1);
}

describe("the shards", () => {
  test("move to a node that is added and off one that is drained, with all their data, while they serve", () => {
    const cluster = founded(3);
    writeAll(cluster, "1-1");
    join(cluster, 3, 4);
    setDuty(cluster, 4, "active");
    let round = 1;
    const busyUntil = (what: string, holds: () => boolean): void =>
      until(cluster, what, () => {
        if (cluster.time.nowMs % 50 < 1 && round < 40) writeAll(cluster, `${++round}-1`);
        return holds();
      });
    busyUntil(
      "replicas on node 4",
      () => shardsRest(cluster, 3, [1, 2, 3, 4]) && stateOf(cluster).groupsOn(4).length >= 3,
    );
    setDuty(cluster, 2, "draining");
    busyUntil("node 2 to be empty", () => shardsRest(cluster, 3, [1, 3, 4]) && metaRests(cluster, [1, 3, 4]));
    expectWhole(cluster);
    expect(lengths(cluster)).toEqual(keys.map(() => `:${round}`));
    expect(cluster.disks[1]!.rows).toEqual([]);
    expect(cluster.ask(0, MetaAsk.removeNode, { nodeId: 2 })).toMatchObject({ ok: true });
    until(cluster, "node 2 to hear of it", () => {
      return cluster.nodes[1]!.readiness().reasons.some((reason) => reason.includes("was removed from the cluster"));
    });
    writeAll(cluster, `${++round}-1`);
  });

  test("of a node that is lost are rebuilt on a spare, and what it brings back is deleted", () => {
    const cluster = founded(3, { nodeDownAfterMs: 5000 });
    writeAll(cluster, "1-1");
    join(cluster, 3, 4);
    cluster.kill(1);
    until(cluster, "the copies", () => shardsRest(cluster, 3, [1, 3, 4]) && metaRests(cluster, [1, 3, 4]));
    writeAll(cluster, "2-1");
    // It holds nothing that counts, and so is given its share again, under other ids.
    const before = stateOf(cluster).nextReplicaId;
    cluster.start(1);
    until(cluster, "its share", () => stateOf(cluster).groupsOn(2).length >= 2 && shardsRest(cluster, 3, [1, 2, 3, 4]));
    for (const { replicaId } of stateOf(cluster).groupsOn(2)) expect(replicaId).toBeGreaterThanOrEqual(before);
    expectWhole(cluster);
    expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
  });

  test("of a node that was wiped come back to it under new ids", () => {
    const cluster = founded(3);
    writeAll(cluster, "1-1");
    const before = stateOf(cluster).shards.flatMap(({ replicas }) => idsOf(replicas));
    cluster.kill(2);
    cluster.disks[2] = new MemoryDisks();
    join(cluster, 2, 4);
    // Until it holds every shard it is not ready: a rolling restart would take the next copy away.
    until(cluster, "the empty node to be ready", () => cluster.nodes[2]!.readiness().ready);
    for (const { replicas } of cluster.nodes[2]!.clusterState!.shards) {
      expect(nodesOf(replicas.filter(({ isJoining }) => !isJoining))).toContain(4);
    }
    until(cluster, "the copies", () => shardsRest(cluster, 3, [1, 2, 4]));
    expectWhole(cluster);
    for (const { replicaId } of stateOf(cluster).groupsOn(4)) expect(before).not.toContain(replicaId);
    until(cluster, "the old node to be gone", () => stateOf(cluster).node(3) === null);
    cluster.untilReady();
    expect(lengths(cluster)).toEqual(keys.map(() => ":1"));
  });

  test("get the copies that there was no node for at founding", () => {
    const cluster = founded(1, { replicas: 3 });
    writeAll(cluster, "1-1");
    for (const i of [1, 2]) {
      join(cluster, i, i + 1);
      setDuty(cluster, i + 1, "active");
    }
    until(cluster, "three copies", () => shardsRest(cluster, 3, [1, 2, 3]) && metaRests(cluster, [1, 2, 3]));
    cluster.untilReady();
    // Any one may go now, the founder too.
    cluster.kill(0);
    writeAll(cluster, "2-1");
    expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
  });

  test("come through a crash of any node at any moment of a move", () => {
    for (let killAfterMs = 0; killAfterMs < 4000; killAfterMs += 173) {
      const cluster = founded(3);
      writeAll(cluster, "1-1");
      join(cluster, 3, 4);
      setDuty(cluster, 4, "active");
      setDuty(cluster, 1, "draining");
      cluster.time.run(killAfterMs);
      const victim = Math.floor(killAfterMs / 173) % 4;
      cluster.kill(victim);
      cluster.time.run(300);
      cluster.start(victim);
      until(cluster, "the move", () => shardsRest(cluster, 3, [2, 3, 4]) && metaRests(cluster, [2, 3, 4]));
      expectWhole(cluster);
      expect(lengths(cluster)).toEqual(keys.map(() => ":1"));
    }
  });

  test("are not touched by commands to a node that has lost the majority, and by nothing when two of three are away", () => {
    const cluster = founded(3, { nodeDownAfterMs: 1000 });
    join(cluster, 3, 4);
    setDuty(cluster, 4, "active");
    until(cluster, "rest", () => shardsRest(cluster, 3, [1, 2, 3, 4]));
    cluster.time.run(3000);
    const before = JSON.stringify(stateOf(cluster).shards);
    for (const i of [0, 1]) cluster.kill(i);
    cluster.time.run(8000);
    expect(JSON.stringify(stateOf(cluster).shards)).toBe(before);
    expect(cluster.ask(2, MetaAsk.setDuty, { nodeId: 1, duty: "expelled" })).toMatchObject({ ok: false });
  });
});
