import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ConfChangeTransition,
  ConfChangeType,
  decodeConfChange,
  encodeConfChangeV1,
  encodeConfChangeV2,
} from "../src/index.ts";
import { changeMembership, confStateOf, membershipOf } from "../src/membership.ts";
import { Cluster, emptyConfState, Role } from "../testing/cluster.ts";

const { addNode, addLearnerNode, removeNode, updateNode } = ConfChangeType;
const { auto, jointImplicit, jointExplicit } = ConfChangeTransition;

const singles = fc.array(
  fc.record({
    type: fc.constantFrom(addNode, addLearnerNode, removeNode, updateNode),
    replica: fc.oneof(fc.nat(6), fc.maxSafeNat()),
  }),
  { maxLength: 5 },
);

test("configuration changes survive their encoding", () => {
  fc.assert(
    fc.property(
      singles,
      fc.constantFrom(auto, jointImplicit, jointExplicit),
      fc.uint8Array({ maxLength: 9 }),
      (changes, transition, context) => {
        const decoded = decodeConfChange(encodeConfChangeV2({ transition, changes, context }), true);
        expect(decoded).toEqual({ transition, changes, context });
        if (changes.length === 0) return;
        const one = decodeConfChange(encodeConfChangeV1(changes[0]!, context), false);
        expect(one).toEqual({ transition: auto, changes: [changes[0]], context });
      },
    ),
  );
});

test("empty bytes leave the joint configuration", () => {
  expect(decodeConfChange(new Uint8Array(0), true).changes).toEqual([]);
});

/** Applies changes in order; a refusal is kept as its text. */
function run(start: Partial<typeof emptyConfState>, ...changes: Parameters<typeof encodeConfChangeV2>[0][]): unknown {
  let membership = membershipOf({ ...emptyConfState, ...start });
  for (const change of changes) {
    const changed = changeMembership(membership, { context: new Uint8Array(0), ...change });
    if ("error" in changed) return changed.error;
    membership = changed.membership;
  }
  return confStateOf(membership);
}

const leave = { transition: auto, changes: [] };

test("one voter at a time may change without a joint phase", () => {
  expect(run({ voters: [1] }, { transition: auto, changes: [{ type: addNode, replica: 2 }] })).toEqual({
    ...emptyConfState,
    voters: [1, 2],
  });
  expect(run({ voters: [1, 2] }, { transition: auto, changes: [{ type: addLearnerNode, replica: 2 }] })).toEqual({
    ...emptyConfState,
    voters: [1],
    learners: [2],
  });
});

test("several changes go through a joint phase, left by itself unless told otherwise", () => {
  const changes = [
    { type: addNode, replica: 4 },
    { type: removeNode, replica: 1 },
  ];
  const joint = { ...emptyConfState, voters: [2, 3, 4], votersOutgoing: [1, 2, 3] };
  for (const transition of [auto, jointImplicit]) {
    expect(run({ voters: [1, 2, 3] }, { transition, changes })).toEqual({ ...joint, autoLeave: true });
  }
  expect(run({ voters: [1, 2, 3] }, { transition: jointExplicit, changes })).toEqual({ ...joint, autoLeave: false });
  expect(run({ voters: [1, 2, 3] }, { transition: auto, changes }, leave)).toEqual({
    ...emptyConfState,
    voters: [2, 3, 4],
  });
});

test("a voter that becomes a learner in a joint phase waits as an outgoing voter", () => {
  const changes = [
    { type: addLearnerNode, replica: 1 },
    { type: addNode, replica: 3 },
  ];
  expect(run({ voters: [1, 2] }, { transition: auto, changes })).toEqual({
    voters: [2, 3],
    votersOutgoing: [1, 2],
    learners: [],
    learnersNext: [1],
    autoLeave: true,
  });
  expect(run({ voters: [1, 2] }, { transition: auto, changes }, leave)).toEqual({
    ...emptyConfState,
    voters: [2, 3],
    learners: [1],
  });
});

test("changes that would be unsafe are refused with their reason", () => {
  const add = (...ids: number[]): { type: 0; replica: number }[] => ids.map((replica) => ({ type: addNode, replica }));
  expect(run({ voters: [1] }, { transition: auto, changes: [{ type: removeNode, replica: 1 }] })).toBe(
    "removed all voters",
  );
  expect(run({ voters: [1] }, leave)).toBe("can't leave a non-joint config");
  expect(
    run({ voters: [1] }, { transition: jointExplicit, changes: add(2) }, { transition: auto, changes: add(3) }),
  ).toBe("can't apply simple config change in joint config");
  expect(
    run({ voters: [1] }, { transition: jointExplicit, changes: add(2) }, { transition: auto, changes: add(3, 4) }),
  ).toBe("config is already joint");
});

test("changes of replica 0, of strangers and repeated ones change nothing", () => {
  expect(run({ voters: [1] }, { transition: auto, changes: [{ type: addNode, replica: 0 }] })).toEqual({
    ...emptyConfState,
    voters: [1],
  });
  expect(run({ voters: [1] }, { transition: auto, changes: [{ type: removeNode, replica: 9 }] })).toEqual({
    ...emptyConfState,
    voters: [1],
  });
  expect(
    run({ voters: [1], learners: [2] }, { transition: auto, changes: [{ type: addLearnerNode, replica: 2 }] }),
  ).toEqual({ ...emptyConfState, voters: [1], learners: [2] });
});

test("every configuration keeps its invariants, and joint changes end where single ones do", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1 }), singles, (voters, raw) => {
      const changes = raw.map((change) => ({ ...change, replica: change.replica % 7 }));
      const start = membershipOf({ ...emptyConfState, voters });
      const context = new Uint8Array(0);
      const joint = changeMembership(start, { transition: jointExplicit, changes, context });
      if ("error" in joint) return;
      const state = confStateOf(joint.membership);
      for (const id of state.learners) {
        expect(state.voters).not.toContain(id);
        expect(state.votersOutgoing).not.toContain(id);
      }
      for (const id of state.learnersNext) {
        expect(state.votersOutgoing).toContain(id);
        expect(state.voters).not.toContain(id);
      }
      // One after the other, as naive sets: the same members in the end.
      const naiveVoters = new Set(voters);
      const naiveLearners = new Set<number>();
      for (const { type, replica } of changes) {
        if (replica === 0 || type === updateNode) continue;
        naiveVoters.delete(replica);
        naiveLearners.delete(replica);
        if (type === addNode) naiveVoters.add(replica);
        if (type === addLearnerNode) naiveLearners.add(replica);
      }
      const left = changeMembership(joint.membership, { transition: auto, changes: [], context });
      expect("membership" in left).toBe(true);
      if (!("membership" in left)) return;
      const end = confStateOf(left.membership);
      expect(end.voters).toEqual([...naiveVoters].sort((a, b) => a - b));
      expect(end.learners).toEqual([...naiveLearners].sort((a, b) => a - b));
    }),
  );
});

// The same in a running cluster.

test("a learner gets the log, and neither counts for commit nor campaigns", () => {
  const cluster = new Cluster(0, { confState: { voters: [1, 2], learners: [3] } });
  const leader = cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  expect(cluster.texts(3)).toEqual(["a"]);
  cluster.isolate(2);
  cluster.propose(1, "b");
  cluster.stabilize();
  expect(leader.commit).toBe(2);
  cluster.heal();
  cluster.node(3).campaign();
  cluster.tick(3, 50);
  expect(cluster.node(3).role).toBe(Role.follower);
  expect(cluster.node(3).term).toBe(1);
});

test("a replica that still thinks itself a learner votes when it is asked", () => {
  const cluster = new Cluster(2);
  const disk = cluster.add(3, { ...emptyConfState, voters: [1], learners: [3] });
  cluster.elect(1);
  expect(disk.node.role).toBe(Role.follower);
  const changed = cluster.changeV1(1, { type: addNode, replica: 3 });
  expect(changed.ok).toBe(true);
  cluster.drop = (m) => m.to === 3 && m.commit >= 2;
  cluster.stabilize();
  expect(cluster.node(1).status().confState.voters).toEqual([1, 2, 3]);
  expect(cluster.node(3).status().confState.learners).toEqual([3]);
  cluster.crash(1);
  cluster.heal();
  cluster.node(2).campaign();
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.leader);
});

test("a new voter is added and fed by a snapshot, which tells it the configuration", () => {
  const cluster = new Cluster(1, { index: 10 });
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.add(2, emptyConfState, 0);
  cluster.changeV1(1, { type: addNode, replica: 2 });
  cluster.stabilize();
  cluster.tickAll(3);
  expect(cluster.texts(2)).toEqual(["a"]);
  for (const id of [1, 2]) expect(cluster.node(id).status().confState.voters).toEqual([1, 2]);
});

test("a second change before the first is applied becomes an empty entry", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  const change = { type: addLearnerNode, replica: 4 };
  expect(leader.confChangeObstacle(encodeConfChangeV1(change), false)).toBeNull();
  cluster.changeV1(1, change);
  expect(leader.confChangeObstacle(encodeConfChangeV1(change), false)).toBe("possible unapplied conf change");
  const second = cluster.changeV1(1, { type: addLearnerNode, replica: 5 });
  expect(second).toMatchObject({ ok: true, index: 3 });
  cluster.stabilize();
  expect(leader.status().confState.learners).toEqual([4]);
  cluster.changeV1(1, { type: addLearnerNode, replica: 5 });
  cluster.stabilize();
  expect(leader.status().confState.learners).toEqual([4, 5]);
});

test("removing the last voter becomes an empty entry instead of ending the group", () => {
  const cluster = new Cluster(1);
  const leader = cluster.elect(1);
  cluster.changeV1(1, { type: removeNode, replica: 1 });
  cluster.stabilize();
  expect(leader.status().confState.voters).toEqual([1]);
  cluster.propose(1, "on");
  cluster.stabilize();
  expect(cluster.texts(1)).toEqual(["on"]);
});

test("in the joint phase both majorities must have an entry", () => {
  const cluster = new Cluster(3, { index: 10 });
  const leader = cluster.elect(1);
  for (const id of [4, 5]) cluster.add(id, emptyConfState, 0);
  cluster.changeV2(1, {
    transition: jointExplicit,
    changes: [
      { type: removeNode, replica: 2 },
      { type: removeNode, replica: 3 },
      { type: addNode, replica: 4 },
      { type: addNode, replica: 5 },
    ],
  });
  cluster.stabilize();
  cluster.tickAll(2);
  const joint = leader.status().confState;
  expect([joint.voters, joint.votersOutgoing]).toEqual([
    [1, 4, 5],
    [1, 2, 3],
  ]);
  for (const side of [
    [2, 3],
    [4, 5],
  ]) {
    cluster.isolate(...side);
    const before = leader.commit;
    cluster.propose(1, "stuck");
    cluster.stabilize();
    expect(leader.commit).toBe(before);
    cluster.heal();
    cluster.tickAll(2);
    expect(leader.commit).toBe(before + 1);
  }
  cluster.changeV2(1, leave);
  cluster.stabilize();
  expect(leader.status().confState).toEqual({ ...emptyConfState, voters: [1, 4, 5] });
});

test("a joint phase that ends by itself is left once, also when the leader changes inside it", () => {
  for (const changesLeader of [false, true]) {
    const cluster = new Cluster(3, { index: 10 });
    cluster.elect(1);
    cluster.add(4, emptyConfState, 0);
    const empty: number[] = [];
    cluster.onApply = (member, entry) => {
      if (member.id === 2 && entry.type === 2 && entry.data.length === 0) empty.push(entry.index);
    };
    cluster.changeV2(1, {
      transition: jointImplicit,
      changes: [
        { type: addNode, replica: 4 },
        { type: removeNode, replica: 3 },
      ],
    });
    if (changesLeader) {
      // The change reaches 2, then 1 is gone before anything is committed.
      cluster.stabilize(1);
      cluster.deliverTo(2);
      cluster.stabilize(2);
      cluster.crash(1);
      cluster.network = [];
      cluster.node(2).campaign();
      cluster.stabilize();
      cluster.restart(1);
    }
    cluster.tickAll(5);
    expect(cluster.node(2).status().confState).toEqual({ ...emptyConfState, voters: [1, 2, 4] });
    expect(empty.length).toBe(1);
  }
});

test("a leader that removes itself steps down when told to, and else leads on without counting itself", () => {
  for (const stepDownOnRemoval of [true, false]) {
    const cluster = new Cluster(3, { stepDownOnRemoval });
    const leader = cluster.elect(1);
    cluster.changeV1(1, { type: removeNode, replica: 1 });
    cluster.stabilize();
    expect(leader.role === Role.leader).toBe(!stepDownOnRemoval);
    expect(cluster.propose(1, "x").ok).toBe(false);
    if (!stepDownOnRemoval) expect(leader.canPropose(1)).toBe("removed");
    leader.campaign();
    cluster.tick(1, 30);
    expect(leader.term).toBe(1);
    cluster.elect(2);
    cluster.propose(2, "y");
    cluster.stabilize();
    expect(cluster.texts(3)).toEqual(["y"]);
  }
});

test("a leader demoted to learner steps down when told to", () => {
  const cluster = new Cluster(3, { stepDownOnRemoval: true });
  const leader = cluster.elect(1);
  cluster.changeV1(1, { type: addLearnerNode, replica: 1 });
  cluster.stabilize();
  expect(leader.role).toBe(Role.follower);
});

test("removing the transfer's target ends the transfer", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.crash(3);
  cluster.changeV1(1, { type: removeNode, replica: 3 });
  cluster.take(1);
  leader.transferLeadership(3);
  expect(leader.transferee).toBe(3);
  cluster.stabilize();
  expect(leader.transferee).toBe(0);
});

test("nobody campaigns over a committed change that it has not applied", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.changeV1(1, { type: addLearnerNode, replica: 4 });
  cluster.take(1);
  // Replica 2 learns of the commit but its state machine stands still.
  for (let i = 0; i < 10; i++) {
    for (const id of [1, 2, 3]) {
      cluster.take(id);
      while (cluster.write(id));
      cluster.deliverTo(id);
    }
  }
  expect(cluster.node(2).commit).toBe(2);
  cluster.node(2).campaign();
  expect(cluster.node(2).role).toBe(Role.follower);
  cluster.stabilize();
  cluster.node(2).campaign();
  expect(cluster.node(2).role).toBe(Role.candidate);
});

test("a removal that lets fewer acknowledgements suffice commits what was waiting", () => {
  const cluster = new Cluster(4);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  cluster.changeV1(1, { type: removeNode, replica: 4 });
  cluster.stabilize();
  expect(leader.status().confState.voters).toEqual([1, 2, 3]);
  cluster.propose(1, "a");
  cluster.stabilize();
  expect(cluster.texts(2)).toEqual(["a"]);
});

test("a voter that missed the end of a joint phase learns of it from those who may not vote any more", () => {
  // 1 is the only voter left but does not know it; 2 and 3 know, and have longer logs.
  const cluster = new Cluster(3, { index: 10, stepDownOnRemoval: true });
  const leader = cluster.elect(3);
  cluster.changeV2(3, {
    transition: jointExplicit,
    changes: [
      { type: removeNode, replica: 2 },
      { type: removeNode, replica: 3 },
    ],
  });
  cluster.stabilize();
  const left = cluster.changeV2(3, leave);
  expect(left.ok).toBe(true);
  // 1 gets the entry, but neither what comes behind it nor that it is committed.
  cluster.drop = (m) => m.to === 1 && (m.commit >= 13 || m.entries.some((entry) => entry.index > 13));
  cluster.take(3);
  cluster.propose(3, "behind");
  cluster.stabilize();
  expect(leader.role).toBe(Role.follower);
  expect(cluster.node(1).commit).toBe(12);
  expect(cluster.node(2).lastIndex).toBe(14);
  cluster.heal();
  cluster.node(1).campaign();
  cluster.stabilize();
  expect(cluster.node(1).status().confState).toEqual({ ...emptyConfState, voters: [1] });
  cluster.elect(1);
});
