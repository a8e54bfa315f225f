import { expect, test } from "vitest";
import { ConfChangeType, message } from "../src/index.ts";
import { Cluster, diskWith, MessageType, Role } from "../testing/cluster.ts";

test("leadership moves to a follower that has everything", () => {
  const cluster = new Cluster(3, { preVote: true, checkQuorum: true });
  cluster.elect(1).transferLeadership(3);
  cluster.stabilize();
  expect(cluster.node(3).role).toBe(Role.leader);
  expect(cluster.node(1).role).toBe(Role.follower);
  expect(cluster.node(1).leader).toBe(3);
  expect(cluster.node(3).term).toBe(2);
});

test("a target that is behind is first brought up to date, and nothing is lost", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.propose(1, "b");
  cluster.stabilize();
  cluster.heal();
  leader.transferLeadership(3);
  expect(leader.transferee).toBe(3);
  expect(leader.hasMessages() && leader.takeMessages().some((m) => m.type === MessageType.TimeoutNow)).toBe(false);
  cluster.tickAll(2);
  expect(cluster.node(3).role).toBe(Role.leader);
  expect(cluster.texts(3)).toEqual(["a", "b"]);
});

test("while leadership moves proposals are refused without a trace", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.stabilize();
  leader.transferLeadership(3);
  cluster.stabilize();
  const before = leader.status();
  expect(leader.canPropose(1)).toBe("transferring");
  expect(cluster.propose(1, "b")).toEqual({ ok: false, reason: "transferring" });
  expect(leader.status()).toEqual(before);
});

test("a transfer to a dead replica is given up after an election timeout", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.crash(3);
  cluster.propose(1, "a");
  cluster.stabilize();
  // Whatever passed before does not count.
  cluster.tick(1, 5);
  leader.transferLeadership(3);
  cluster.tick(1, 9);
  cluster.stabilize();
  expect(leader.transferee).toBe(3);
  cluster.tick(1, 1);
  expect(leader.transferee).toBe(0);
  expect(leader.role).toBe(Role.leader);
  expect(cluster.propose(1, "b").ok).toBe(true);
});

test("a second transfer to the same target changes nothing, to another one replaces the first", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.crash(3);
  cluster.propose(1, "a");
  cluster.stabilize();
  leader.transferLeadership(3);
  cluster.tick(1, 5);
  leader.transferLeadership(3);
  cluster.tick(1, 5);
  // The first one's time counted.
  expect(leader.transferee).toBe(0);
  leader.transferLeadership(3);
  leader.transferLeadership(2);
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.leader);
});

test("nobody hands over to itself, to a learner or to a stranger", () => {
  const cluster = new Cluster(0, { confState: { voters: [1, 2], learners: [3] } });
  const leader = cluster.elect(1);
  for (const target of [1, 3, 99]) {
    leader.transferLeadership(target);
    expect(leader.transferee).toBe(0);
  }
});

test("a leader that steps down in the middle of a transfer forgets it", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(1);
  cluster.propose(1, "a");
  leader.transferLeadership(2);
  cluster.node(2).campaign();
  cluster.stabilize();
  cluster.heal();
  cluster.tickAll(2);
  expect(leader.role).toBe(Role.follower);
  expect(leader.transferee).toBe(0);
});

test("the target campaigns at once although pre-vote and check-quorum are on", () => {
  const cluster = new Cluster(3, { preVote: true, checkQuorum: true });
  cluster.elect(1).transferLeadership(2);
  const kinds: number[] = [];
  cluster.drop = (m) => {
    if (m.from === 2) kinds.push(m.type);
    return false;
  };
  cluster.stabilize();
  expect(kinds).toContain(MessageType.Vote);
  expect(kinds).not.toContain(MessageType.PreVote);
});

test("a target whose place in the log is gone gets a snapshot first, then leadership", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  for (const text of ["a", "b"]) cluster.propose(1, text);
  cluster.stabilize();
  cluster.compact(1);
  cluster.heal();
  leader.transferLeadership(3);
  // Its window held what was lost: a heartbeat finds out.
  cluster.tickAll(3);
  expect(cluster.node(3).role).toBe(Role.leader);
  expect(cluster.node(3).term).toBe(2);
  expect(cluster.texts(3)).toEqual(["a", "b"]);
});

test("a vote asked for in a higher term ends a transfer", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.crash(3);
  cluster.propose(1, "a");
  cluster.stabilize();
  leader.transferLeadership(3);
  expect(leader.transferee).toBe(3);
  cluster.node(2).campaign();
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.leader);
  expect(leader.role).toBe(Role.follower);
  expect(leader.transferee).toBe(0);
});

test("demoting the transfer's target to a learner ends the transfer", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.crash(3);
  cluster.changeV1(1, { type: ConfChangeType.addLearnerNode, replica: 3 });
  cluster.take(1);
  leader.transferLeadership(3);
  expect(leader.transferee).toBe(3);
  cluster.stabilize();
  expect(leader.status().confState).toMatchObject({ voters: [1, 2], learners: [3] });
  expect(leader.transferee).toBe(0);
  expect(leader.role).toBe(Role.leader);
});

test("leadership goes there and back", () => {
  const cluster = new Cluster(3);
  cluster.elect(1).transferLeadership(2);
  cluster.stabilize();
  cluster.node(2).transferLeadership(1);
  cluster.stabilize();
  expect(cluster.node(1).status()).toMatchObject({ role: Role.leader, term: 3 });
  expect(cluster.node(2).status()).toMatchObject({ role: Role.follower, leader: 1 });
});

test("whoever is no member does not campaign when told to take over", () => {
  const cluster = new Cluster(0);
  const disk = diskWith([], [2, 3, 4]);
  cluster.addWithDisk(1, disk);
  const node = cluster.node(1);
  const m = message(MessageType.TimeoutNow, 1, 2);
  m.term = 1;
  node.step(m);
  for (const from of [2, 3]) node.step({ ...message(MessageType.VoteResp, 1, from), term: 1 });
  expect(node.role).toBe(Role.follower);
});

test("a takeover that loses its election leaves the group able to elect", () => {
  const cluster = new Cluster(3);
  cluster.elect(1).transferLeadership(2);
  // All that the target sends is lost; the old leader gives up waiting and leads on in its term.
  cluster.drop = (m) => m.from === 2;
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.candidate);
  cluster.tick(1, 10);
  expect(cluster.node(1).status()).toMatchObject({ role: Role.leader, transferee: 0 });
  expect(cluster.propose(1, "a").ok).toBe(true);
  cluster.heal();
  cluster.stabilize();
  cluster.node(2).campaign();
  cluster.stabilize();
  cluster.node(1).campaign();
  cluster.stabilize();
  expect(cluster.texts(3)).toEqual(["a"]);
  expect(cluster.node(1).role).toBe(Role.leader);
});
