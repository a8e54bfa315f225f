/**
 * Changes of members step by step, with leaders that act on views of the metadata of any age, against a naive log of configurations: every step is
 * committed at once, by whoever leads at the moment.
 */
import { clusterStateFromJson, clusterStateToJson, defaultSettings, foundingPlan } from "@headrace/meta";
import type { ClusterState, MetaCommand } from "@headrace/meta";
import { decodeConfChange, ConfChangeType, Role } from "@headrace/raft-ts";
import type { ConfState, RaftStatus } from "@headrace/raft-ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextChangeStep } from "../src/change-step.ts";
import type { ChangeStep } from "../src/change-step.ts";

const GROUP = 1;

function founded(nodes: number): ClusterState {
  const founders = Array.from({ length: nodes }, (_, i) => ({
    joinToken: `t${i}`,
    peerAddress: `n${i}:1`,
    dataAddress: "",
    httpAddress: "",
    announceHost: "",
    announcePort: 1,
  }));
  return foundingPlan({ clusterId: "c", founders, shardCount: 1, replicaCount: 3, settings: defaultSettings });
}

/** A group's committed configuration; changes are made by the definition of joint consensus, without its code. */
class NaiveGroup {
  voters: Set<number>;
  outgoing: Set<number> = new Set();
  learners: Set<number> = new Set();
  learnersNext: Set<number> = new Set();
  leader: number;
  /** Members that can't be talked to. */
  readonly down: Set<number> = new Set();
  /** Members that are not caught up. */
  readonly behind: Set<number> = new Set();

  constructor(voters: readonly number[]) {
    this.voters = new Set(voters);
    this.leader = voters[0]!;
  }

  status(): RaftStatus {
    const ids = [...new Set([...this.voters, ...this.outgoing, ...this.learners])].sort((a, b) => a - b);
    const confState: ConfState = {
      voters: [...this.voters],
      votersOutgoing: [...this.outgoing],
      learners: [...this.learners],
      learnersNext: [...this.learnersNext],
      autoLeave: false,
    };
    return {
      id: this.leader,
      role: Role.leader,
      term: 1,
      vote: 0,
      leader: this.leader,
      commit: 1000,
      applied: 1000,
      lastIndex: 1000,
      transferee: 0,
      confState,
      progress: ids.map((id) => ({
        id,
        match: this.behind.has(id) ? 1 : 1000,
        next: 1001,
        state: "replicate",
        isLearner: this.learners.has(id),
        recentActive: !this.down.has(id),
      })),
    };
  }

  majority(): boolean {
    const has = (half: ReadonlySet<number>): boolean =>
      half.size === 0 || [...half].filter((id) => !this.down.has(id)).length * 2 > half.size;
    return has(this.voters) && has(this.outgoing);
  }

  commit(data: Uint8Array): void {
    const { changes } = decodeConfChange(data, true);
    if (changes.length === 0) {
      for (const id of this.learnersNext) this.learners.add(id);
      this.learnersNext.clear();
      this.outgoing.clear();
      return;
    }
    expect(this.outgoing.size, "no change in a joint configuration").toBe(0);
    const before = new Set(this.voters);
    for (const { type, replica } of changes) {
      this.voters.delete(replica);
      this.learners.delete(replica);
      if (type === ConfChangeType.addNode) this.voters.add(replica);
      if (type === ConfChangeType.addLearnerNode) {
        if (changes.length > 1 && before.has(replica)) this.learnersNext.add(replica);
        else this.learners.add(replica);
      }
    }
    if (changes.length > 1) this.outgoing = before;
    expect(this.voters.size, "somebody votes").toBeGreaterThan(0);
  }

  /** Somebody who may lead and is there. */
  elect(at: number): void {
    const fit = [...new Set([...this.voters, ...this.outgoing])].filter((id) => !this.down.has(id));
    if (fit.length > 0) this.leader = fit[at % fit.length]!;
  }
}

class Bench {
  readonly state: ClusterState;
  readonly group: NaiveGroup;
  /** Every state that ever was, as nodes may still see it. */
  readonly views: ClusterState[];

  constructor(nodes: number) {
    this.state = founded(nodes);
    this.group = new NaiveGroup(this.state.shard(GROUP)!.replicas.map(({ replicaId }) => replicaId));
    this.views = [];
    this.#remember();
  }

  tell(command: MetaCommand): boolean {
    const change = this.state.shard(GROUP)!.change;
    const { ok } = this.state.apply(command);
    if (!ok) return false;
    this.state.verify();
    this.#remember();
    if (command.kind === "finishChange") {
      // What the metadata takes for the members is what the group's log says.
      const placed = this.state.shard(GROUP)!.replicas.map(({ replicaId }) => replicaId);
      expect([...this.group.voters].sort((a, b) => a - b)).toEqual(placed.sort((a, b) => a - b));
      const gone = command.isDone ? change!.removes : change!.adds;
      for (const id of gone) expect(this.group.learners.has(id)).toBe(false);
      expect(this.group.outgoing.size).toBe(0);
    }
    return true;
  }

  /** One step of the leader, which sees the metadata as it was `age` changes ago. */
  step(age: number): ChangeStep {
    const view = this.views[Math.max(0, this.views.length - 1 - age)]!;
    const { change } = view.shard(GROUP)!;
    const hasEnded = (replicaId: number): boolean => view.hasEnded(GROUP, replicaId);
    const step = nextChangeStep({ change, hasEnded }, this.group.status());
    if (step.kind === "propose" && this.group.majority()) {
      this.group.commit(step.data);
      expect(this.group.majority(), "a change never costs the majority that has made it").toBe(true);
    }
    if (step.kind === "handOver") {
      expect(this.group.voters.has(step.to)).toBe(true);
      this.group.leader = step.to;
    }
    const groupId = GROUP;
    if (step.kind === "advance") this.tell({ kind: "advanceChange", groupId, changeId: step.changeId });
    if (step.kind === "finish") {
      this.tell({ kind: "finishChange", groupId, changeId: step.changeId, isDone: step.isDone });
    }
    return step;
  }

  settle(): void {
    for (let i = 0; i < 100; i++) if (this.step(0).kind === "none") return;
    throw new Error("no end in sight");
  }

  #remember(): void {
    this.views.push(clusterStateFromJson(JSON.parse(JSON.stringify(clusterStateToJson(this.state)))));
  }
}

function beginRemoval(bench: Bench, removeReplicaIds: readonly number[]): void {
  expect(bench.tell({ kind: "beginRemoval", groupId: GROUP, removeReplicaIds })).toBe(true);
}

function begin(bench: Bench, addNodeIds: readonly number[], removeReplicaIds: readonly number[]): void {
  expect(bench.tell({ kind: "beginChange", groupId: GROUP, addNodeIds, removeReplicaIds })).toBe(true);
}

describe("a change of members", () => {
  test("swaps a voter for a newcomer and leaves no trace of the old one", () => {
    const bench = new Bench(4);
    const [first, second, third] = [...bench.group.voters];
    begin(bench, [4], [third!]);
    const fresh = bench.state.shard(GROUP)!.change!.adds[0]!;
    bench.settle();
    expect([...bench.group.voters].sort((a, b) => a - b)).toEqual([first, second, fresh]);
    expect(bench.group.learners.size).toBe(0);
    expect(bench.state.shard(GROUP)!.change).toBeNull();
  });

  test("hands leadership over before the leader leaves", () => {
    const bench = new Bench(4);
    const { leader } = bench.group;
    begin(bench, [4], [leader]);
    bench.settle();
    expect(bench.group.voters.has(leader)).toBe(false);
    expect(bench.group.voters.has(bench.group.leader)).toBe(true);
  });

  test("moves the only replica of a group: the newcomer votes first, leads, then the old one goes", () => {
    const bench = new Bench(1);
    bench.state.apply({
      kind: "registerNode",
      joinToken: "x",
      addresses: { ...bench.state.nodes[0]!, peerAddress: "x" },
    });
    const { leader } = bench.group;
    begin(bench, [2], [leader]);
    bench.settle();
    expect([...bench.group.voters]).toEqual(bench.state.shard(GROUP)!.replicas.map(({ replicaId }) => replicaId));
    expect(bench.group.voters.has(leader)).toBe(false);
  });

  test("waits for a newcomer that has not caught up, and can be cancelled until the swap", () => {
    const bench = new Bench(4);
    const before = [...bench.group.voters];
    begin(bench, [4], [before[2]!]);
    const { id, adds } = bench.state.shard(GROUP)!.change!;
    bench.group.behind.add(adds[0]!);
    bench.settle();
    expect(bench.state.shard(GROUP)!.change!.stage).toBe("adding");
    bench.tell({ kind: "cancelChange", groupId: GROUP, changeId: id });
    bench.settle();
    expect([...bench.group.voters]).toEqual(before);
    expect(bench.group.learners.size).toBe(0);
    expect(bench.state.shard(GROUP)!.replicas).toHaveLength(3);
  });

  test("is not taken up again by a leader that has not heard of its cancelling", () => {
    const bench = new Bench(4);
    const before = [...bench.group.voters];
    begin(bench, [4], [before[2]!]);
    const { id, adds } = bench.state.shard(GROUP)!.change!;
    while (bench.state.shard(GROUP)!.change!.stage === "adding") bench.step(0);
    bench.tell({ kind: "cancelChange", groupId: GROUP, changeId: id });
    // The newcomer is out again; the next leader still sees the change as it was before.
    bench.step(0);
    expect(bench.group.learners.has(adds[0]!)).toBe(false);
    expect(bench.step(1)).toEqual({ kind: "none" });
    expect([...bench.group.voters]).toEqual(before);
    bench.settle();
    expect(bench.state.shard(GROUP)!.change).toBeNull();
  });

  test("that only removes can be cancelled until it has happened: its mark in the log tells an old view that it is over", () => {
    const bench = new Bench(4);
    const [first, second, third] = [...bench.group.voters];
    beginRemoval(bench, [third!]);
    const { id, mark } = bench.state.shard(GROUP)!.change!;
    while (bench.state.shard(GROUP)!.change!.stage === "adding") bench.step(0);
    expect([...bench.group.learners]).toEqual([mark]);
    // The other one that stays is lost: with the one that leaves there is a majority, without it there is none.
    bench.group.down.add(second!);
    expect(bench.step(0)).toEqual({ kind: "none" });
    expect(bench.tell({ kind: "cancelChange", groupId: GROUP, changeId: id })).toBe(true);
    bench.step(0);
    bench.group.down.clear();
    // The next leader has not heard of it.
    expect(bench.step(1)).toEqual({ kind: "none" });
    bench.settle();
    expect(bench.state.shard(GROUP)!.change).toBeNull();
    expect([...bench.group.voters].sort((a, b) => a - b)).toEqual([first, second, third]);
    begin(bench, [4], [second!]);
    bench.settle();
    expect(bench.group.learners.size).toBe(0);
    expect([...bench.group.voters]).toContain(third);
  });

  test("that only removes leaves no mark behind when it is done", () => {
    const bench = new Bench(4);
    const [first, second, third] = [...bench.group.voters];
    beginRemoval(bench, [third!]);
    bench.settle();
    expect([...bench.group.voters].sort((a, b) => a - b)).toEqual([first, second]);
    expect(bench.group.learners.size).toBe(0);
  });

  test("that only removes and has no mark cannot be cancelled once a leader may act on it: nothing in the log would tell an old view that it is over", () => {
    const bench = new Bench(4);
    const before = [...bench.group.voters];
    begin(bench, [], [before[2]!]);
    const { id } = bench.state.shard(GROUP)!.change!;
    bench.step(0);
    expect(bench.state.shard(GROUP)!.change!.stage).toBe("swapping");
    expect(bench.tell({ kind: "cancelChange", groupId: GROUP, changeId: id })).toBe(false);
    bench.settle();
    expect([...bench.group.voters].sort((a, b) => a - b)).toEqual(before.slice(0, 2));
    expect(bench.state.shard(GROUP)!.replicas).toHaveLength(2);
  });

  test("does not swap a live voter for one that has died meanwhile when that would cost the majority", () => {
    const bench = new Bench(4);
    const [, second, third] = [...bench.group.voters];
    begin(bench, [4], [third!]);
    const { adds } = bench.state.shard(GROUP)!.change!;
    while (bench.state.shard(GROUP)!.change!.stage === "adding") bench.step(0);
    bench.group.down.add(adds[0]!);
    bench.group.down.add(second!);
    expect(bench.step(0)).toEqual({ kind: "none" });
    expect(bench.group.voters.has(third!)).toBe(true);
  });
});

test("whoever leads, however old its view of the metadata: metadata and log agree whenever a change is finished, and no majority is lost", () => {
  const deed = fc.record({
    what: fc.constantFrom("step", "step", "step", "step", "begin", "cancel", "elect", "down", "behind", "heal"),
    at: fc.nat({ max: 20 }),
    age: fc.oneof(fc.constant(0), fc.nat({ max: 6 })),
  });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 120 }), (deeds) => {
      const bench = new Bench(6);
      for (const { what, at, age } of deeds) act(bench, what, at, age);
      bench.group.down.clear();
      bench.group.behind.clear();
      bench.group.elect(0);
      bench.settle();
      const placed = bench.state.shard(GROUP)!.replicas.map(({ replicaId }) => replicaId);
      expect([...bench.group.voters].sort((a, b) => a - b)).toEqual(placed.sort((a, b) => a - b));
      expect(bench.group.learners.size).toBe(0);
    }),
    { numRuns: 2000 },
  );
});

function act(bench: Bench, what: string, at: number, age: number): void {
  const { group, state } = bench;
  const { change, replicas } = state.shard(GROUP)!;
  switch (what) {
    case "step":
      bench.step(age);
      return;
    case "begin": {
      const free = state.nodes.filter((node) => !replicas.some((replica) => replica.nodeId === node.id));
      const addNodeIds = at % 3 === 2 ? [] : [free[at % free.length]!.id];
      const removeReplicaIds = at % 4 === 3 ? [] : [replicas[at % replicas.length]!.replicaId];
      const isMarked = addNodeIds.length === 0 && at % 2 === 0;
      if (isMarked) bench.tell({ kind: "beginRemoval", groupId: GROUP, removeReplicaIds });
      else bench.tell({ kind: "beginChange", groupId: GROUP, addNodeIds, removeReplicaIds });
      return;
    }
    case "cancel":
      if (change !== null) bench.tell({ kind: "cancelChange", groupId: GROUP, changeId: change.id });
      return;
    case "elect":
      group.elect(at);
      return;
    case "down": {
      const ids = [...group.voters, ...group.learners];
      const id = ids[at % ids.length]!;
      if (id !== group.leader) group.down.add(id);
      if (!group.majority()) group.down.delete(id);
      return;
    }
    case "behind": {
      const ids = [...group.learners];
      if (ids.length > 0) group.behind.add(ids[at % ids.length]!);
      return;
    }
    default:
      group.down.clear();
      group.behind.clear();
  }
}
