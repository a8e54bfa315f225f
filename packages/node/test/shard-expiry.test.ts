/** Keys whose time is over: who removes them, what a read of one waits for, and who is told. */
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";

function three(): { readonly cluster: ShardCluster; readonly leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 3 });
  return { cluster, leader: cluster.elect() };
}

function keysOf(cluster: ShardCluster): number[] {
  return [1, 2, 3].map((id) => cluster.replica(id).up.status().keys);
}

test("a key goes by itself when its time is over, on all replicas, and not before", () => {
  const { cluster, leader } = three();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 200", "XADD t 1-0 f v");
  cluster.pass(150);
  expect(keysOf(cluster)).toEqual([2, 2, 2]);
  cluster.pass(100);
  expect(keysOf(cluster)).toEqual([1, 1, 1]);
  expect(leader.lane().send("XRANGE s - +", "XLEN t")).toEqual(["1 []", "2 :1"]);
  cluster.assertSame();
});

test("a key that is to go later, or never, is left alone", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v", "PEXPIRE s 100", "PEXPIRE s 500", "XADD t 1-0 f v", "PEXPIRE t 100", "PERSIST t");
  cluster.pass(300);
  expect(keysOf(cluster)).toEqual([2, 2, 2]);
  cluster.pass(300);
  expect(keysOf(cluster)).toEqual([1, 1, 1]);
  expect(lane.send("PTTL t", "TTL s")).toEqual(["7 :-1", "8 :-2"]);
});

test("a read that finds a key expired has it removed, and waits until that is committed", () => {
  const { cluster, leader } = three();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 50");
  const reader = leader.lane();
  const before = leader.up.status().lastIndex;
  cluster.isolate(1);
  // Nothing runs yet: the read comes before the leader's own turn for it.
  cluster.time.pass(60);
  expect(reader.send("EXISTS s")).toEqual([]);
  expect(leader.up.status()).toMatchObject({ keys: 0, lastIndex: before + 1 });
  cluster.heal();
  cluster.pass(30);
  expect(reader.take()).toEqual(["1 :0"]);
  expect(keysOf(cluster)).toEqual([0, 0, 0]);
  cluster.assertSame();
});

test("a write at ack=0 that only found a key expired is no write: it waits as a read does", () => {
  const { cluster, leader } = three();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 50");
  const lane = leader.lane();
  lane.ack = 0;
  cluster.isolate(1);
  cluster.time.pass(60);
  expect(lane.send("XDEL s 1-0", "XADD t 1-0 f v")).toEqual([]);
  cluster.heal();
  cluster.pass(30);
  expect(lane.take()).toEqual(["1 :0", "2 1-0"]);
});

test("what a deposed leader found expired alone is there again, and goes with the next leader", () => {
  const { cluster, leader } = three();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 50");
  cluster.isolate(1);
  cluster.time.pass(60);
  leader.lane().send("EXISTS s");
  expect(leader.up.status().keys).toBe(0);
  const next = cluster.awaitLeader([2, 3]);
  cluster.pass(20);
  expect(next.up.status().keys).toBe(0);
  cluster.heal();
  cluster.pass(200);
  expect(keysOf(cluster)).toEqual([0, 0, 0]);
  cluster.assertSame();
});

test("a call that waits for a group of a key is told when the key's time is over", () => {
  const { cluster, leader } = three();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM", "PEXPIRE s 100");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  const plain = leader.lane();
  plain.send("XREAD BLOCK 0 STREAMS s 0");
  cluster.pass(200);
  expect(waiting.take()).toEqual(["1 -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"]);
  expect(plain.take()).toEqual([]);
  expect(leader.lane().send("XADD s 5-0 f v")).toEqual(["1 5-0"]);
  expect(plain.take()).toEqual(["1 [[s [[5-0 [f v]]]]]"]);
});

test("a call that finds a key expired and then waits for it itself, tells the others", () => {
  const { cluster, leader } = three();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM", "PEXPIRE s 50");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  cluster.time.pass(60);
  const reader = leader.lane();
  expect(reader.send("XREAD BLOCK 0 STREAMS s 0")).toEqual([]);
  cluster.pass(20);
  expect(waiting.take()).toEqual(["1 -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"]);
  expect(leader.up.status().blockedCalls).toBe(1);
});

test("many keys at one time go a bounded number in a turn", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  for (let key = 0; key < 1000; key++) lane.queue(`XADD k${key} 1-0 f v`, `PEXPIRE k${key} 1000`);
  cluster.settle();
  expect(leader.up.status().keys).toBe(1000);
  const before = leader.up.status().lastIndex;
  cluster.pass(1500);
  expect(keysOf(cluster)).toEqual([0, 0, 0]);
  expect(leader.up.status().lastIndex - before).toBeGreaterThanOrEqual(4);
  cluster.assertSame();
});

test("times survive checkpoint and restart, and the next leader knows them", () => {
  const { cluster, leader } = three();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 3000", "XADD {s}t 1-0 f v", "RENAME {s}t {s}u");
  for (const id of [1, 2, 3]) cluster.replica(id).up.checkpoint(() => {});
  cluster.pass(50);
  for (const id of [1, 2, 3]) cluster.replica(id).crash();
  for (const id of [1, 2, 3]) cluster.replica(id).restart();
  cluster.pass(50);
  const next = cluster.awaitLeader([1, 2, 3]);
  const [left, names] = next.lane().send("PTTL s", "KEYS *");
  expect(Number(left!.slice("1 :".length))).toBeGreaterThan(0);
  expect(names).toBe("2 [s {s}u]");
  cluster.pass(4000);
  expect(keysOf(cluster)).toEqual([1, 1, 1]);
  cluster.assertSame();
});
