/** Configuration changes and elections over several rounds: who may change what when, and that somebody can always be elected afterwards. */
import { expect, test } from "vitest";
import { ConfChangeTransition, ConfChangeType } from "../src/index.ts";
import { Cluster, MessageType, Role } from "../testing/cluster.ts";

const { addNode, addLearnerNode, removeNode } = ConfChangeType;
const { auto, jointExplicit } = ConfChangeTransition;

const votersOf = (cluster: Cluster, id: number): readonly number[] => cluster.node(id).status().confState.voters;

test("a new leader changes nothing before it has applied what it took over", () => {
  const cluster = new Cluster(3, { index: 5 });
  cluster.elect(1);
  cluster.isolate(1);
  // In the old leader's log only; the new one cannot know whether such a thing stands in its own.
  cluster.changeV1(1, { type: addNode, replica: 4 });
  cluster.node(2).campaign();
  cluster.stabilize(2, 3);
  const leader = cluster.node(2);
  expect(leader.role).toBe(Role.leader);
  cluster.changeV1(2, { type: removeNode, replica: 3 });
  cluster.stabilize();
  expect(votersOf(cluster, 2)).toEqual([1, 2]);

  const early = new Cluster(3);
  early.node(1).campaign();
  // Elected, but nothing applied yet.
  for (let i = 0; i < 4 && early.node(1).role !== Role.leader; i++) {
    for (const id of [1, 2, 3]) {
      early.take(id);
      early.write(id);
      early.deliverTo(id);
    }
  }
  early.propose(1, "a");
  early.changeV1(1, { type: removeNode, replica: 3 });
  early.changeV1(1, { type: removeNode, replica: 2 });
  early.stabilize();
  // The first is made, the second met one that was not applied.
  expect(votersOf(early, 1)).toEqual([1, 2]);
});

test("adding a voter that does not answer yet costs no leader under check-quorum", () => {
  const cluster = new Cluster(1, { checkQuorum: true, index: 5 });
  const leader = cluster.elect(1);
  cluster.changeV1(1, { type: addNode, replica: 2 });
  cluster.stabilize();
  cluster.tick(1, 10);
  // It was counted as alive for its first interval, then not any more.
  expect(leader.role).toBe(Role.leader);
  cluster.tick(1, 10);
  expect(leader.role).toBe(Role.follower);
});

test("a learner made voter counts and campaigns; a voter made learner neither", () => {
  const cluster = new Cluster(0, { confState: { voters: [1, 2], learners: [3] }, index: 5 });
  cluster.elect(1);
  cluster.changeV1(1, { type: addNode, replica: 3 });
  cluster.stabilize();
  // Behind an index the first term of all is 1, so replica 1 led term 2.
  expect(cluster.elect(3).term).toBe(3);
  cluster.changeV1(3, { type: addLearnerNode, replica: 1 });
  cluster.stabilize();
  cluster.tick(1, 40);
  expect(cluster.node(1).role).toBe(Role.follower);
  cluster.crash(2);
  cluster.propose(3, "a");
  cluster.stabilize();
  // Replica 1 has it, but is no voter; of 2 and 3 only one is there.
  expect(cluster.get(1).disk.lastIndex()).toBe(cluster.node(3).lastIndex);
  expect(cluster.node(3).commit).toBe(cluster.node(3).lastIndex - 1);
});

test("a joint phase that changes nothing is not entered, and is left when somebody else did enter one", () => {
  const cluster = new Cluster(3, { index: 5 });
  cluster.elect(1);
  cluster.changeV2(1, { transition: jointExplicit, changes: [] });
  expect(cluster.node(1).confChangeObstacle(new Uint8Array(0), true)).not.toBeNull();
  cluster.stabilize();
  expect(cluster.node(1).status().confState).toMatchObject({ voters: [1, 2, 3], votersOutgoing: [] });
  cluster.changeV2(1, { transition: jointExplicit, changes: [{ type: removeNode, replica: 3 }] });
  cluster.stabilize();
  expect(cluster.node(1).status().confState).toMatchObject({ voters: [1, 2], votersOutgoing: [1, 2, 3] });
  cluster.changeV2(1, { transition: auto, changes: [] });
  cluster.stabilize();
  expect(cluster.node(1).status().confState).toMatchObject({ voters: [1, 2], votersOutgoing: [] });
});

test("two pre-candidates of one moment split the vote, and the next round decides", () => {
  const cluster = new Cluster(3, { preVote: true });
  cluster.elect(1);
  cluster.crash(1);
  cluster.node(2).campaign();
  cluster.node(3).campaign();
  cluster.stabilize();
  // Each pre-vote is granted by the other, so both become candidates of term 2 and vote for themselves.
  for (const id of [2, 3]) expect(cluster.node(id).status()).toMatchObject({ role: Role.candidate, term: 2, vote: id });
  cluster.node(2).campaign();
  cluster.stabilize();
  expect(cluster.node(2).status()).toMatchObject({ role: Role.leader, term: 3 });
  expect(cluster.node(3).status()).toMatchObject({ role: Role.follower, leader: 2 });
});

test("a candidate of a higher term that everybody refuses is freed by the leader it thereby ends", () => {
  const cluster = new Cluster(3, { checkQuorum: true });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.stabilize();
  for (let i = 0; i < 3; i++) {
    cluster.node(3).campaign();
    cluster.stabilize();
  }
  cluster.heal();
  cluster.node(3).campaign();
  cluster.stabilize();
  // Refused in silence, for both others know a fresh leader.
  expect(cluster.node(3).status()).toMatchObject({ role: Role.candidate, term: 5 });
  expect(cluster.node(1).status()).toMatchObject({ role: Role.leader, term: 1 });
  cluster.tick(1, 1);
  cluster.stabilize();
  expect(cluster.node(1).status()).toMatchObject({ role: Role.follower, term: 5 });
  // Its log is the better one: with the vote of the freed candidate it leads again.
  cluster.tick(1, 10);
  cluster.stabilize();
  expect(cluster.node(1).status()).toMatchObject({ role: Role.leader, term: 6 });
  cluster.tickAll(2);
  expect(cluster.texts(3)).toEqual(["a"]);
});

test("a replica of a smaller term can take part in an election, and the group gets a leader", () => {
  const cluster = new Cluster(3, { preVote: true });
  cluster.elect(1);
  cluster.drop = (m) => m.to === 3 || m.from === 3;
  cluster.elect(2);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  cluster.heal();
  expect(cluster.node(3).term).toBe(1);
  cluster.crash(1);
  cluster.node(3).campaign();
  cluster.stabilize();
  // Refused for its log, and told the term.
  expect(cluster.node(3).status()).toMatchObject({ role: Role.follower, term: 3 });
  expect(cluster.elect(2).term).toBe(4);
  expect(cluster.texts(3)).toEqual(["a"]);
});

test("a heartbeat of a leader shows nothing that its receiver may not have", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.propose(1, "b");
  cluster.stabilize();
  cluster.network = [];
  leader.tick();
  cluster.take(1);
  const commits = cluster.network.filter((m) => m.type === MessageType.Heartbeat).map((m) => [m.to, m.commit]);
  expect(commits).toEqual([
    [2, 3],
    [3, 1],
  ]);
});
