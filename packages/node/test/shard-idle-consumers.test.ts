/** XGROUP SETIDLE: which consumers go by themselves, and what becomes of what they have pending; over turns, failovers and rollbacks. */
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";

function three(): { readonly cluster: ShardCluster; readonly leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 3 });
  return { cluster, leader: cluster.elect() };
}

/** Names of the group's consumers, with how much each has pending. */
function consumers(replica: TestReplica, key = "s"): readonly string[] {
  const [reply] = replica.lane().send(`XINFO CONSUMERS ${key} g`);
  return [...reply!.matchAll(/name (\w+) pending :(\d+)/g)].map(([, name, pending]) => `${name!}:${pending!}`);
}

function pendingOf(replica: TestReplica): string {
  return replica
    .lane()
    .send("XPENDING s g - + 9")[0]!
    .replaceAll(/:-?\d+ (?=:)/g, "");
}

test("a consumer that nobody has seen for so long goes, and what it has pending is the group's, with its counts", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g $ MKSTREAM", "XGROUP SETIDLE s g 500", "XADD s 1-0 f v", "XADD s 2-0 f v");
  lane.send("XREADGROUP GROUP g gone COUNT 1 STREAMS s >", "XREADGROUP GROUP g gone STREAMS s 0");
  lane.send("XGROUP CREATECONSUMER s g empty", "XGROUP CREATE other g $ MKSTREAM", "XGROUP CREATECONSUMER other g c");
  cluster.pass(300);
  lane.send("XREADGROUP GROUP g here STREAMS s >");
  expect(consumers(leader)).toEqual(["empty:0", "gone:1", "here:1"]);
  cluster.pass(300);
  expect(consumers(leader)).toEqual(["here:1"]);
  expect(pendingOf(leader)).toBe("1 [[1-0  :2] [2-0 here :1]]");
  cluster.pass(1000);
  expect(consumers(leader)).toEqual([]);
  expect(leader.up.status().expiredConsumers).toBe(3);
  expect(consumers(leader, "other")).toEqual(["c:0"]);
  cluster.assertSame();
});

test("who reads, if in vain, is seen, and so is who waits; it goes when its call is over for so long", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g $ MKSTREAM", "XGROUP SETIDLE s g 300");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g waits BLOCK 2000 STREAMS s >");
  for (let i = 0; i < 8; i++) {
    lane.send("XREADGROUP GROUP g reads STREAMS s >");
    cluster.pass(200);
  }
  expect(consumers(leader)).toEqual(["reads:0", "waits:0"]);
  cluster.pass(1500);
  expect(waiting.take()).toEqual(["1 nil"]);
  expect(consumers(leader)).toEqual([]);
});

test("what is handed back goes to who waits at the group, if it hands out again", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g $ MKSTREAM", "XGROUP SETIDLE s g 300", "XGROUP SETRETRY s g MIN-IDLE 60000");
  lane.send("XADD s 1-0 f v", "XREADGROUP GROUP g gone STREAMS s >");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  cluster.pass(400);
  expect(waiting.take()).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
  expect(consumers(leader)).toEqual(["d:1"]);
  cluster.pass(20);
  cluster.assertSame();
});

test("many go in several turns, and OFF keeps the others", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g $ MKSTREAM");
  for (let i = 0; i < 1000; i++) lane.queue(`XGROUP CREATECONSUMER s g c${i}`);
  cluster.settle();
  cluster.pass(300);
  lane.send("XGROUP SETIDLE s g 200");
  cluster.pass(50);
  expect(consumers(leader)).toEqual([]);
  lane.send("XGROUP CREATECONSUMER s g c", "XGROUP SETIDLE s g OFF");
  cluster.pass(1000);
  expect(consumers(leader)).toEqual(["c:0"]);
  cluster.assertSame();
});

test("a new leader gives everybody the time to come, and lets go then who has not", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g $ MKSTREAM", "XGROUP SETIDLE s g 3000", "XADD s 1-0 f v");
  lane.send("XREADGROUP GROUP g gone STREAMS s >", "XGROUP CREATECONSUMER s g waits");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g waits BLOCK 0 STREAMS s >");
  cluster.pass(2800);
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  expect(consumers(next)).toEqual(["gone:1", "waits:0"]);
  cluster.pass(1000);
  next.lane().send("XREADGROUP GROUP g waits BLOCK 0 STREAMS s >");
  cluster.pass(2500);
  expect(consumers(next)).toEqual(["waits:0"]);
  cluster.heal();
  cluster.pass(500);
  cluster.assertSame();
});
