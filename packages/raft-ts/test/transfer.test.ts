import { expect, test } from "vitest";
import { Cluster, MessageType, Role } from "../testing/cluster.ts";

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
