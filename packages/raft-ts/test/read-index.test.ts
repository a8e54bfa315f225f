import { expect, test } from "vitest";
import { Cluster, MessageType, Role } from "../testing/cluster.ts";
import { message } from "../src/index.ts";

test("a single voter confirms a read at once", () => {
  const cluster = new Cluster(1);
  const leader = cluster.elect(1);
  expect(leader.requestRead()).toBe(1);
  expect(leader.confirmedRead).toBe(1);
  expect(leader.requestRead()).toBe(2);
  expect(leader.confirmedRead).toBe(2);
  expect(cluster.take(1)).toEqual([]);
});

test("a read is refused by an assertion before an entry of the term is committed", () => {
  const cluster = new Cluster(3);
  cluster.dropTypes(MessageType.App);
  const leader = cluster.elect(1);
  expect(leader.hasCommittedInTerm).toBe(false);
  expect(() => leader.requestRead()).toThrow("committed in its term");
  expect(() => cluster.node(2).requestRead()).toThrow();
});

test("an idle leader sends one heartbeat to each voter for any number of reads", () => {
  const cluster = new Cluster(3, { confState: { voters: [1, 2, 3], learners: [4] } });
  const leader = cluster.elect(1);
  for (let i = 0; i < 5; i++) leader.requestRead();
  expect(leader.hasMessages()).toBe(true);
  const messages = cluster.take(1);
  expect(messages.map((m) => [m.type, m.to, m.readNumber])).toEqual([
    [MessageType.Heartbeat, 2, 5],
    [MessageType.Heartbeat, 3, 5],
  ]);
  expect(leader.hasMessages()).toBe(false);
  cluster.deliverTo(2);
  cluster.take(2);
  expect(leader.confirmedRead).toBe(0);
  cluster.deliverTo(1);
  expect(leader.confirmedRead).toBe(5);
});

test("an append that leaves after the read carries its number, and then no heartbeat is needed", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.propose(1, "before");
  const number = leader.requestRead();
  const messages = cluster.take(1).filter((m) => m.to > 0);
  expect(messages.map((m) => [m.type, m.to, m.readNumber])).toEqual([
    [MessageType.App, 2, number],
    [MessageType.App, 3, number],
  ]);
  cluster.deliverTo(2);
  cluster.take(2);
  cluster.deliverTo(1);
  expect(leader.confirmedRead).toBe(0);
  cluster.write(2);
  cluster.deliverTo(1);
  expect(leader.confirmedRead).toBe(number);
});

test("answers to what was sent before a read never confirm it", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  const first = leader.requestRead();
  cluster.take(1);
  cluster.stabilize(2, 3);
  // The answers to the first are under way when the second arrives.
  const second = leader.requestRead();
  cluster.deliverTo(1);
  expect(leader.confirmedRead).toBe(first);
  expect(second).toBe(first + 1);
  // Not even when they are repeated.
  for (const from of [2, 3]) {
    const again = message(MessageType.HeartbeatResp, 1, from);
    again.term = leader.term;
    again.readNumber = first;
    leader.step(again);
  }
  expect(leader.confirmedRead).toBe(first);
  cluster.stabilize();
  expect(leader.confirmedRead).toBe(second);
});

test("a lost number is repeated by the next heartbeat", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.dropTypes(MessageType.Heartbeat);
  const number = leader.requestRead();
  cluster.stabilize();
  expect(leader.confirmedRead).toBe(0);
  cluster.heal();
  cluster.tickAll(1);
  expect(leader.confirmedRead).toBe(number);
});

test("a deposed leader that does not know it confirms nothing", () => {
  const cluster = new Cluster(3);
  const old = cluster.elect(1);
  cluster.isolate(1);
  cluster.node(2).campaign();
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.leader);
  cluster.propose(2, "newer");
  cluster.stabilize();
  expect(old.role).toBe(Role.leader);
  old.requestRead();
  cluster.stabilize();
  cluster.heal();
  cluster.tickAll(3);
  expect(old.role).toBe(Role.follower);
  expect(old.confirmedRead).toBe(0);
});

test("after a new election counts start again, and answers of the old term count for nothing", () => {
  const cluster = new Cluster(3);
  const node = cluster.elect(1);
  for (let i = 0; i < 7; i++) node.requestRead();
  cluster.take(1);
  cluster.deliverTo(2);
  cluster.take(2);
  const late = cluster.network.filter((m) => m.type === MessageType.HeartbeatResp);
  expect(late.map((m) => m.readNumber)).toEqual([7]);
  cluster.network = [];
  cluster.elect(2);
  cluster.elect(1);
  expect(node.confirmedRead).toBe(0);
  const number = node.requestRead();
  expect(number).toBe(1);
  for (const m of late) node.step(m);
  expect(node.confirmedRead).toBe(0);
  cluster.stabilize();
  expect(node.confirmedRead).toBe(1);
});

test("learners do not confirm reads", () => {
  const cluster = new Cluster(0, { confState: { voters: [1, 2], learners: [3, 4] } });
  const leader = cluster.elect(1);
  cluster.isolate(2);
  leader.requestRead();
  cluster.tickAll(2);
  expect(leader.confirmedRead).toBe(0);
  cluster.heal();
  cluster.tickAll(1);
  expect(leader.confirmedRead).toBe(1);
});

test("in a joint configuration a read needs both majorities", () => {
  const cluster = new Cluster(0, { confState: { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] } });
  const leader = cluster.elect(1);
  cluster.isolate(4, 5);
  leader.requestRead();
  cluster.tickAll(2);
  expect(leader.confirmedRead).toBe(0);
  cluster.heal();
  cluster.isolate(5, 3);
  cluster.tickAll(2);
  expect(leader.confirmedRead).toBe(1);
});

test("a refused append proves leadership as well as an accepted one", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  leader.requestRead();
  cluster.take(1);
  cluster.network = [];
  const refusal = message(MessageType.AppResp, 1, 2);
  refusal.term = leader.term;
  refusal.reject = true;
  refusal.index = 50;
  refusal.readNumber = 1;
  leader.step(refusal);
  expect(leader.confirmedRead).toBe(1);
});
