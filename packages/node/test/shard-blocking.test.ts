import { expect, test } from "vitest";
import { CancelHow } from "../src/shard-api.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import { afterDeathOfLeader, UNCERTAIN } from "../testing/parked-call.ts";

function three(): ShardCluster {
  return new ShardCluster({ replicas: 3 });
}

test("a blocked read wakes with the entry, and only once it is committed", () => {
  const cluster = three();
  const leader = cluster.elect();
  const reader = leader.lane();
  expect(reader.send("XREAD BLOCK 0 STREAMS s $")).toEqual([]);
  cluster.isolate(1);
  const writer = leader.lane();
  writer.send("XADD s 1-0 f v");
  expect(reader.take()).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(reader.take()).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
  expect(leader.up.status().blockedCalls).toBe(0);
});

test("blocked group reads are served in order of blocking, one entry each", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  const readers = ["a", "b", "c"].map((consumer) => {
    const lane = leader.lane();
    lane.send(`XREADGROUP GROUP g ${consumer} COUNT 1 BLOCK 0 STREAMS s >`);
    return lane;
  });
  leader.lane().send("XADD s 1-0 f v", "XADD s 2-0 f v");
  expect(readers.map((lane) => lane.take())).toEqual([["1 [[s [[1-0 [f v]]]]]"], ["1 [[s [[2-0 [f v]]]]]"], []]);
  leader.lane().send("XADD s 3-0 f v");
  expect(readers[2]!.take()).toEqual(["1 [[s [[3-0 [f v]]]]]"]);
  cluster.pass(20);
  cluster.assertSame();
});

test("readers of different groups and plain readers of one stream are all served by one entry", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM", "XGROUP CREATE s h $");
  const commands = [
    "XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
    "XREADGROUP GROUP g b BLOCK 0 STREAMS s >",
    "XREADGROUP BLOCK 0 GROUP h c STREAMS s >",
    "XREAD BLOCK 0 STREAMS s $",
    "XREAD BLOCK 0 STREAMS s 0",
  ];
  const lanes = commands.map((command) => {
    const lane = leader.lane();
    lane.send(command);
    return lane;
  });
  leader.lane().send("XADD s 1-0 f v");
  const answer = ["1 [[s [[1-0 [f v]]]]]"];
  expect(lanes.map((lane) => lane.take())).toEqual([answer, [], answer, answer, answer]);
});

test("a group position that is moved back serves no blocked read before the next entry", () => {
  const cluster = three();
  const leader = cluster.elect();
  const other = leader.lane();
  other.send("XADD s 1-0 f v", "XGROUP CREATE s g $");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  other.send("XGROUP SETID s g 0", "XGROUP CREATECONSUMER s g d", "EXPIRE s 1000");
  expect(waiting.take()).toEqual([]);
  other.send("XADD s 2-0 f v");
  expect(waiting.take()).toEqual(["1 [[s [[1-0 [f v]] [2-0 [f v]]]]]"]);
});

test("a waiting reader is served before a later command of the same turn sees the entry", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g first BLOCK 0 STREAMS s >");
  const other = leader.lane();
  expect(other.send("XADD s 1-0 f v", "XREADGROUP GROUP g second STREAMS s >")).toEqual(["1 1-0", "2 nil"]);
  expect(waiting.take()).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
});

test("a deadline counts from the first run and answers as Redis does", () => {
  const cluster = three();
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("XREAD BLOCK 100 STREAMS s 5-0");
  cluster.pass(50);
  // Touched, but nothing for this reader: it keeps its place and its deadline.
  leader.lane().send("XADD s 1-0 f v");
  expect(lane.take()).toEqual([]);
  cluster.pass(40);
  expect(lane.take()).toEqual([]);
  cluster.pass(20);
  expect(lane.take()).toEqual(["1 nil"]);
});

test("a group reader is told when its stream goes away", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  const lane = leader.lane();
  lane.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  leader.lane().send("DEL s");
  const [answer] = lane.take();
  // Redis 7.0.15: NOGROUP when the group is gone (UNBLOCKED text before 7.0 differs).
  expect(answer).toMatch(/^1 -(NOGROUP|UNBLOCKED)/);
});

test("a call can be dropped, ended as timed out, or unblocked with an error", () => {
  const cluster = three();
  const leader = cluster.elect();
  const lanes = [CancelHow.drop, CancelHow.timeOut, CancelHow.unblock].map((how) => {
    const lane = leader.lane();
    lane.send("XREAD BLOCK 0 STREAMS s $");
    leader.up.cancel(lane, 1, how);
    leader.up.cancel(lane, 9, how);
    cluster.settle();
    return lane;
  });
  expect(lanes.map((lane) => lane.take())).toEqual([
    [],
    ["1 nil"],
    ["1 -UNBLOCKED client unblocked via CLIENT UNBLOCK"],
  ]);
  expect(leader.up.status().blockedCalls).toBe(0);
});

test("requests behind a blocked call of the same lane wait for it, in the same frame and in later ones", () => {
  const cluster = three();
  const leader = cluster.elect();
  const lane = leader.lane();
  expect(lane.send("XADD t 1-0 f v", "XREAD BLOCK 0 STREAMS s $", "XADD t 2-0 f v")).toEqual(["1 1-0"]);
  expect(lane.send("XLEN t")).toEqual([]);
  lane.take();
  expect(leader.lane().send("XLEN t")).toEqual(["1 :1"]);
  leader.lane().send("XADD s 1-0 f v");
  cluster.settle();
  expect(lane.take()).toEqual(["2 [[s [[1-0 [f v]]]]]", "3 2-0", "4 :2"]);
});

test("a lane that is gone takes its blocked call with it and nothing else", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  const gone = leader.lane();
  gone.send("XREADGROUP GROUP g gone BLOCK 0 STREAMS s >");
  const stays = leader.lane();
  stays.send("XREADGROUP GROUP g stays BLOCK 0 STREAMS s >");
  gone.closed = true;
  leader.up.laneClosed(gone);
  cluster.settle();
  leader.lane().send("XADD s 1-0 f v");
  expect(gone.take()).toEqual([]);
  expect(stays.take()).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
});

test("more blocked calls than allowed are refused", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: { blockedCalls: 1 } });
  const leader = cluster.elect();
  leader.lane().send("XREAD BLOCK 0 STREAMS s $");
  expect(leader.lane().send("XREAD BLOCK 0 STREAMS s $", "XLEN s")).toEqual(["1 refused 4 leader 101"]);
});

test("the gateway is told what `$` and `+` stand for, once that is committed and the leadership proven", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XADD s 5-0 f v", "XADD t 6-0 f v");
  const reader = leader.lane();
  reader.send("XREAD BLOCK 0 STREAMS s none t $ $ 9-9");
  expect(reader.parkedCalls).toEqual(["1 5-0 0-0 9-9"]);
  // Ids that the caller gave need no word.
  const plain = leader.lane();
  plain.send("XREAD BLOCK 0 STREAMS s 5-0");
  expect(plain.parkedCalls).toEqual([]);
  cluster.isolate(1);
  const early = leader.lane();
  early.ack = 0;
  early.send("XADD s 7-0 f doomed");
  reader.take();
  const late = leader.lane();
  late.send("XREAD BLOCK 0 STREAMS s $");
  expect(late.parkedCalls).toEqual([]);
  cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(100);
  // Position 7-0 never was: the call is handed back with `$` as it came.
  expect(late.parkedCalls).toEqual([]);
  expect(late.take()).toEqual(["1 refused 1 leader 0"]);
});

test("the gateway is told that a group read waits and has taken nothing", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  const reader = leader.lane();
  expect(reader.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >")).toEqual([]);
  expect(reader.parkedCalls).toEqual(["1"]);
  const served = leader.lane();
  leader.lane().send("XADD s 1-0 f v", "XADD s 2-0 f v");
  served.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  expect(served.parkedCalls).toEqual([]);
  expect(served.events.length).toBe(1);
});

const READ = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";
const WAITING = { prepare: "XGROUP CREATE s g $ MKSTREAM", first: "XLEN s", call: READ };

test("a group read that was not served before its leader died waits on at the next one", () => {
  const { cluster, again } = afterDeathOfLeader(WAITING, () => undefined);
  expect(again.send(READ)).toEqual([]);
  expect(again.parkedCalls).toEqual(["3"]);
  cluster.awaitLeader([2, 3]).lane().send("XADD s 1-0 f v");
  expect(again.take()).toEqual(["3 [[s [[1-0 [f v]]]]]"]);
});

test("a group read that was served by a leader that died is uncertain, not served twice", () => {
  const { cluster, again } = afterDeathOfLeader(WAITING, (before) => {
    before.replica(1).lane().send("XADD s 1-0 f v");
  });
  again.send(READ);
  expect(again.take()).toEqual([`3 -${UNCERTAIN}`]);
  cluster.awaitLeader([2, 3]).lane().send("XADD s 2-0 f v");
  expect(again.take()).toEqual([]);
  expect(cluster.awaitLeader([2, 3]).lane().send("XPENDING s g")).toEqual(["1 [:1 1-0 1-0 [[c 1]]]"]);
});

test("a take that went down with its leader never was: the read waits on and is served", () => {
  const { again } = afterDeathOfLeader(WAITING, (cluster) => {
    cluster.isolate(1);
    cluster.replica(1).lane().send("XADD s 1-0 f doomed");
    cluster.awaitLeader([2, 3]).lane().send("XADD s 2-0 f v");
  });
  expect(again.send(READ)).toEqual(["3 [[s [[2-0 [f v]]]]]"]);
});

test("a group read that is sent again over a new link takes the old one's place in the queue", () => {
  const cluster = three();
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  const old = leader.lane();
  old.send(READ);
  const again = leader.lane();
  again.session = old.session;
  again.nextNumber = 2;
  again.executedUpTo = 1;
  expect(again.send(READ)).toEqual([]);
  expect(leader.up.status().blockedCalls).toBe(1);
  leader.lane().send("XADD s 1-0 f v");
  expect(old.events).toEqual([]);
  expect(again.take()).toEqual(["2 [[s [[1-0 [f v]]]]]"]);
});
