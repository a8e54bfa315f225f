import { expect, test } from "vitest";
import { Ack } from "@headrace/commands";
import { ShardCluster } from "../testing/shard-cluster.ts";

test("requests go to the leader: a follower refuses and names the node", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  cluster.elect(2);
  expect(cluster.replica(1).lane().send("XADD s 1-0 f v")).toEqual(["1 refused 1 leader 102"]);
});

test("a leader that loses contact gives up: held writes are lost, queued ones and blocked calls refused", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { uncommittedEntries: 2 } });
  const leader = cluster.elect();
  const blocked = leader.lane();
  expect(blocked.send("XREAD BLOCK 0 STREAMS quiet $")).toEqual([]);
  cluster.isolate(1);
  const writer = leader.lane();
  writer.send("XADD s 1-0 f v");
  writer.send("XADD s 2-0 f v");
  writer.send("XADD s 3-0 f v");
  const reader = leader.lane();
  expect(reader.send("XLEN s")).toEqual([]);
  cluster.pass(400);
  expect(leader.up.isLeader).toBe(false);
  expect(writer.take()).toEqual(["1 lost", "2 lost", "3 refused 1 leader 0"]);
  expect(reader.take()).toEqual(["1 refused 1 leader 0"]);
  expect(blocked.take()).toEqual(["1 refused 1 leader 0"]);
});

test("a held read is lost with the leadership, a write known to be committed succeeds", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const reader = leader.lane();
  const writer = leader.lane();
  cluster.isolate(1);
  writer.send("XADD s 1-0 f v");
  reader.send("XLEN s");
  cluster.pass(400);
  expect(reader.take()).toEqual(["1 lost"]);
  expect(writer.take()).toEqual(["1 lost"]);
  expect(leader.up.status().heldReplies).toBe(0);
});

test("a former leader whose entries were replaced ends as one that never led", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const first = cluster.elect(1);
  first.lane().send("XADD s 1-0 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >");
  cluster.isolate(1);
  const doomed = first.lane();
  doomed.ack = Ack.executed;
  doomed.send(
    "XADD s 2-0 f doomed",
    "XREADGROUP GROUP g ghost STREAMS s >",
    "XACK s g 1-0",
    "DEL s",
    "XADD other 1-0 f v",
  );
  expect(first.up.status().keys).toBe(1);
  const second = cluster.awaitLeader([2, 3]);
  second.lane().send("XADD s 3-0 f kept");
  cluster.heal();
  cluster.pass(200);
  expect(first.up.status().rollbacks).toBe(1);
  cluster.assertSame();
  first.up.verify();
  const leader = cluster.awaitLeader([1, 2, 3]);
  expect(leader.lane().send("XRANGE s - +", "EXISTS other", "XPENDING s g")).toEqual([
    "1 [[1-0 [f v]] [3-0 [f kept]]]",
    "2 :0",
    "3 [:1 1-0 1-0 [[c 1]]]",
  ]);
});

test("a rollback waits for the checkpoint in flight and drops the queued ones", () => {
  const limits = { checkpointKeys: 1, checkpointQueue: 2 };
  const cluster = new ShardCluster({ replicas: 3, limits });
  const first = cluster.elect(1);
  const lane = first.lane();
  lane.send("XADD s 1-0 f v");
  first.kv.hold = true;
  lane.send("XADD s 2-0 f v");
  cluster.isolate(1);
  lane.ack = Ack.executed;
  lane.send("XADD s 3-0 f doomed");
  const second = cluster.awaitLeader([2, 3]);
  second.lane().send("XADD s 4-0 f kept");
  cluster.heal();
  cluster.pass(100);
  expect(first.up.status().reloading).toBe(true);
  first.kv.releaseHeld();
  cluster.pass(100);
  expect(first.up.status().reloading).toBe(false);
  cluster.assertSame();
});

test("a former leader whose entries survive keeps its state without a reload", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const first = cluster.elect(1);
  const lane = first.lane();
  lane.send("XADD s 1-0 f v");
  // The entry reaches the others, their answers do not reach the leader in time.
  lane.queue("XADD s 2-0 f v");
  cluster.settle();
  cluster.isolate(1);
  cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(200);
  expect(first.up.status().rollbacks).toBe(0);
  cluster.assertSame();
});

test("leadership is handed over without losing a write, and requests meanwhile are refused or served", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect(1);
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v");
  const outcome: boolean[] = [];
  lane.queue("XADD s 2-0 f v");
  leader.up.handOver(2, (moved) => outcome.push(moved));
  lane.queue("XADD s 3-0 f v");
  cluster.settle();
  cluster.pass(20);
  expect(outcome).toEqual([true]);
  expect(cluster.replica(2).up.isReady).toBe(true);
  expect(lane.take().every((event) => event.includes("refused 1") || event.endsWith("-0"))).toBe(true);
  expect(lane.events.some((event) => event.includes("lost"))).toBe(false);
});

test("a hand-over to a replica that is cut off is given up, and the leader goes on serving", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect(1);
  cluster.isolate(3);
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v");
  const outcome: boolean[] = [];
  leader.up.handOver(3, (moved) => outcome.push(moved));
  lane.queue("XADD s 2-0 f v");
  cluster.settle();
  expect(lane.take()).toEqual(["1 1-0"]);
  cluster.pass(400);
  expect(outcome).toEqual([false]);
  expect(lane.take()).toEqual(["2 2-0"]);
});

test("WAIT and WAITAOF count the replicas that have the write durable", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect(1);
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v");
  const written = { term: lane.writeTerm, index: lane.writeIndex };
  const both = cluster.wait(leader, { ...written, replicasWanted: 2, kind: "wait", timeoutMs: 0 });
  cluster.settle();
  expect(both).toEqual(["counted 2 local"]);
  cluster.isolate(1);
  lane.ack = Ack.persisted;
  lane.send("XADD s 2-0 f v");
  const later = { term: lane.writeTerm, index: lane.writeIndex };
  const cut = cluster.wait(leader, { ...later, replicasWanted: 1, kind: "waitaof", timeoutMs: 50 });
  cluster.settle();
  expect(cut).toEqual([]);
  cluster.pass(60);
  expect(cut).toEqual(["counted 0 local"]);
  cluster.pass(400);
  const deposed = cluster.wait(leader, { ...later, replicasWanted: 1, kind: "wait", timeoutMs: 0 });
  cluster.settle();
  expect(deposed).toEqual(["notLeader 0"]);
});

test("WAIT for a write that a failover took away answers uncertain, for one that survived a count", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const first = cluster.elect(1);
  const kept = first.lane();
  kept.send("XADD s 1-0 f v");
  cluster.isolate(1);
  const doomed = first.lane();
  doomed.ack = Ack.executed;
  doomed.send("XADD s 2-0 f v");
  const second = cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(100);
  const query = { replicasWanted: 2, kind: "wait", timeoutMs: 0 } as const;
  const survived = cluster.wait(second, { ...query, term: kept.writeTerm, index: kept.writeIndex });
  const vanished = cluster.wait(second, { ...query, term: doomed.writeTerm, index: doomed.writeIndex });
  cluster.pass(20);
  expect(survived).toEqual(["counted 2 local"]);
  expect(vanished).toEqual(["uncertain 0"]);
});

test("WAIT counts a write that a checkpoint has let go from the log, in its own term and after a failover", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { checkpointIntervalMs: 20 } });
  const first = cluster.elect(1);
  const lane = first.lane();
  lane.send("XADD s 1-0 f v");
  const query = { replicasWanted: 2, kind: "wait", timeoutMs: 0 } as const;
  const old = { ...query, term: lane.writeTerm, index: lane.writeIndex };
  cluster.pass(100);
  expect(first.up.status().firstLogIndex).toBeGreaterThan(old.index);
  const inItsTerm = cluster.wait(first, old);
  cluster.settle();
  expect(inItsTerm).toEqual(["counted 2 local"]);
  cluster.isolate(1);
  const second = cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(200);
  second.lane().send("XADD s 2-0 f v");
  cluster.pass(100);
  const inTheNext = cluster.wait(second, old);
  cluster.settle();
  expect(inTheNext).toEqual(["counted 2 local"]);
});
