/** XREADGROUP … BLOCK … CLAIM: calls that wait for pending entries to become old enough. */
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

function three(): ShardCluster {
  return new ShardCluster({ replicas: 3 });
}

/** Stream s with group g and these entries delivered to consumer c. */
function delivered(lane: TestLane, ids: readonly string[]): void {
  lane.send("XGROUP CREATE s g $ MKSTREAM", ...ids.map((id) => `XADD s ${id} f v`));
  if (ids.length > 0) lane.send("XREADGROUP GROUP g c STREAMS s >");
}

/** What the call got: ids with their delivery counts before. */
function claimed(lane: TestLane): unknown {
  return lane.take().map((reply) => reply.replaceAll(/ \[f v\] :\d+ :/g, ":"));
}

test("a waiting call claims an entry when it is old enough, without anybody touching the key", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), ["1-0"]);
  const waiting = leader.lane();
  expect(waiting.send("XREADGROUP GROUP g d BLOCK 0 CLAIM 200 STREAMS s >")).toEqual([]);
  cluster.pass(150);
  expect(waiting.take()).toEqual([]);
  cluster.pass(100);
  expect(claimed(waiting)).toEqual(["1 [[s [[1-0:1]]]]"]);
  expect(leader.up.status().blockedCalls).toBe(0);
  cluster.pass(20);
  cluster.assertSame();
});

test("what is delivered to another waiting call is claimed from it later, also where nothing was pending before", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), []);
  const plain = leader.lane();
  const patient = leader.lane();
  plain.send("XREADGROUP GROUP g plain BLOCK 0 STREAMS s >");
  patient.send("XREADGROUP GROUP g patient BLOCK 0 CLAIM 300 STREAMS s >");
  leader.lane().send("XADD s 1-0 f v");
  expect(plain.take()).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
  cluster.pass(250);
  expect(patient.take()).toEqual([]);
  cluster.pass(100);
  expect(claimed(patient)).toEqual(["1 [[s [[1-0:1]]]]"]);
});

test("calls with other patience wait for other entries; new ones go by the order of blocking", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), ["1-0"]);
  const long = leader.lane();
  const short = leader.lane();
  const plain = leader.lane();
  long.send("XREADGROUP GROUP g long COUNT 1 BLOCK 0 CLAIM 5000 STREAMS s >");
  short.send("XREADGROUP GROUP g short COUNT 1 BLOCK 0 CLAIM 100 STREAMS s >");
  plain.send("XREADGROUP GROUP g plain COUNT 1 BLOCK 0 STREAMS s >");
  cluster.pass(150);
  expect(claimed(short)).toEqual(["1 [[s [[1-0:1]]]]"]);
  expect(long.take()).toEqual([]);
  leader.lane().send("XADD s 2-0 f v");
  expect(claimed(long)).toEqual(["1 [[s [[2-0:0]]]]"]);
  leader.lane().send("XADD s 3-0 f v");
  expect(plain.take()).toEqual(["1 [[s [[3-0 [f v]]]]]"]);
});

test("an entry that is given back wakes one waiting call, behind a plain one that waits longer", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), ["1-0", "2-0"]);
  const lanes = ["", "CLAIM 60000 ", "CLAIM 60000 "].map((claim, i) => {
    const lane = leader.lane();
    lane.send(`XREADGROUP GROUP g c${i} COUNT 1 BLOCK 0 ${claim}STREAMS s >`);
    return lane;
  });
  leader.lane().send("XNACK s g FAIL IDS 1 2-0");
  expect(lanes.map(claimed)).toEqual([[], ["1 [[s [[2-0:1]]]]"], []]);
  leader.lane().send("XNACK s g SILENT IDS 1 1-0");
  expect(lanes.map(claimed)).toEqual([[], [], ["1 [[s [[1-0:0]]]]"]]);
  cluster.pass(20);
  cluster.assertSame();
});

test("an acknowledged entry wakes nobody, and a deadline is kept while the call looks in vain", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), ["1-0", "2-0"]);
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g d BLOCK 400 CLAIM 200 STREAMS s >");
  leader.lane().send("XACK s g 1-0", "XDEL s 2-0");
  cluster.pass(350);
  expect(waiting.take()).toEqual([]);
  cluster.pass(100);
  expect(waiting.take()).toEqual(["1 nil"]);
});

test("a call that waits at the next leader claims there", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), ["1-0"]);
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g d BLOCK 0 CLAIM 3000 STREAMS s >");
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  const again = next.lane();
  again.send("XREADGROUP GROUP g d BLOCK 0 CLAIM 3000 STREAMS s >");
  cluster.heal();
  cluster.pass(3000);
  expect(claimed(again)).toEqual(["1 [[s [[1-0:1]]]]"]);
  cluster.assertSame();
});
