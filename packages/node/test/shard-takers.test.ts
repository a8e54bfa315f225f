/** Calls that wait for elements (BLPOP, BZPOPMIN): who is served, when it is told, and what becomes of it when its leader goes. */
import { expect, test } from "vitest";
import { Ack } from "@headrace/commands";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";
import { afterDeathOfLeader, UNCERTAIN } from "../testing/parked-call.ts";
import type { TestLane } from "../testing/test-lane.ts";

function three(): ShardCluster {
  return new ShardCluster({ replicas: 3 });
}

function waiting(leader: TestReplica, ...calls: readonly string[]): readonly TestLane[] {
  return calls.map((call) => {
    const lane = leader.lane();
    expect(lane.send(call)).toEqual([]);
    return lane;
  });
}

test("who waits for a list and who waits for a sorted set at one key do not stand in each other's way", () => {
  const cluster = three();
  const leader = cluster.elect();
  const lanes = waiting(leader, "BLPOP k 0", "BZPOPMIN k 0", "BRPOP k 0", "BZMPOP 0 1 k MAX");
  leader.lane().send("ZADD k 1 a 2 b");
  expect(lanes.map((lane) => lane.take())).toEqual([[], ["1 [k a 1]"], [], ["1 [k [[b 2]]]"]]);
  leader.lane().send("RPUSH k x y z");
  expect(lanes.map((lane) => lane.take())).toEqual([["1 [k x]"], [], ["1 [k z]"], []]);
  expect(leader.lane().send("LRANGE k 0 -1")).toEqual(["1 [y]"]);
  cluster.pass(20);
  cluster.assertSame();
});

test.each([
  ["RPUSH k a", "BLPOP k 0", "1 [k a]"],
  ["ZADD k 1 a", "BZPOPMAX k 0", "1 [k a 1]"],
])("what is put by %s wakes %s at once, and is given when it is committed, at every ack level", (put, call, reply) => {
  const cluster = three();
  const leader = cluster.elect();
  const [taker] = waiting(leader, call);
  cluster.isolate(1);
  const writer = leader.lane();
  writer.ack = Ack.persisted;
  writer.send(put);
  expect(taker!.take()).toEqual([]);
  expect(leader.up.status().blockedCalls).toBe(0);
  cluster.heal();
  cluster.pass(20);
  expect(taker!.take()).toEqual([reply]);
});

test("two calls of one kind that wait for two keys are served at the key that got something, in their order", () => {
  const cluster = three();
  const leader = cluster.elect();
  const lanes = waiting(leader, "BZPOPMIN {k}a {k}b 0", "BZPOPMIN {k}b {k}a 0");
  leader.lane().send("ZADD {k}b 1 x 2 y");
  expect(lanes.map((lane) => lane.take())).toEqual([["1 [{k}b x 1]"], ["1 [{k}b y 2]"]]);
});

const TAKE = "BZPOPMIN k 0";
const WAITING = { first: "ZCARD k", call: TAKE };

test("a call that was not served before its leader died waits on at the next one", () => {
  const { cluster, again } = afterDeathOfLeader(WAITING, () => undefined);
  expect(again.send(TAKE)).toEqual([]);
  cluster.awaitLeader([2, 3]).lane().send("ZADD k 1 a");
  expect(again.take()).toEqual(["3 [k a 1]"]);
});

test("a call that was served by a leader that died is uncertain, and takes nothing more", () => {
  const { cluster, again } = afterDeathOfLeader(WAITING, (before) => {
    before.replica(1).lane().send("ZADD k 1 a 2 b");
  });
  again.send(TAKE);
  expect(again.take()).toEqual([`3 -${UNCERTAIN}`]);
  expect(cluster.awaitLeader([2, 3]).lane().send("ZRANGE k 0 -1")).toEqual(["1 [b]"]);
});

test("a take that went down with its leader never was: the call waits on and is served", () => {
  const { again } = afterDeathOfLeader(WAITING, (cluster) => {
    cluster.isolate(1);
    cluster.replica(1).lane().send("ZADD k 1 doomed");
    cluster.awaitLeader([2, 3]).lane().send("ZADD k 2 a");
  });
  expect(again.send(TAKE)).toEqual(["3 [k a 2]"]);
});
