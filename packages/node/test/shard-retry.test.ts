/** XGROUP SETRETRY: plain readers of a group get what was not acknowledged again, also those that wait; over failovers, restarts and rollbacks. */
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

function three(): ShardCluster {
  return new ShardCluster({ replicas: 3 });
}

/** Stream s with group g, this retry and these entries delivered to consumer c. */
function delivered(lane: TestLane, retry: string, ids: readonly string[]): void {
  lane.send("XGROUP CREATE s g $ MKSTREAM", `XGROUP SETRETRY s g ${retry}`, ...ids.map((id) => `XADD s ${id} f v`));
  if (ids.length > 0) lane.send("XREADGROUP GROUP g c STREAMS s >");
}

/** What the call got: ids alone. */
function got(lane: TestLane): unknown {
  return lane.take().map((reply) => reply.replaceAll(" [f v]", ""));
}

test("a waiting plain call gets an entry again when it has been idle for long enough, without anybody touching the key", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), "MIN-IDLE 200", ["1-0"]);
  const waiting = leader.lane();
  expect(waiting.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >")).toEqual([]);
  cluster.pass(150);
  expect(got(waiting)).toEqual([]);
  cluster.pass(100);
  expect(got(waiting)).toEqual(["1 [[s [[1-0]]]]"]);
  expect(leader.up.status().blockedCalls).toBe(0);
  expect(leader.lane().send("XPENDING s g - + 9")[0]).toMatch(/^1 \[\[1-0 d :\d+ :2\]\]$/);
  cluster.pass(20);
  cluster.assertSame();
});

test("each delivery makes the next one wait longer, up to the maximum", () => {
  const cluster = three();
  const leader = cluster.elect();
  const reader = leader.lane();
  delivered(reader, "MIN-IDLE 100 BACKOFF 3 MAX 400", ["1-0"]);
  // After the first delivery 100 ms, after the second 300, then 400 each.
  for (const restMs of [100, 300, 400, 400]) {
    cluster.pass(restMs - 50);
    expect(reader.send("XREADGROUP GROUP g c STREAMS s >").at(-1)).toMatch(/ nil$/);
    cluster.pass(70);
    expect(reader.send("XREADGROUP GROUP g c STREAMS s >").at(-1)).toMatch(/1-0/);
  }
  expect(reader.send("XPENDING s g - + 9")[0]).toMatch(/\[\[1-0 c :\d+ :5\]\]$/);
});

test("of calls that wait in one queue the first is served, whatever else they take; new entries go by the order of blocking", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), "MIN-IDLE 300 BACKOFF 2 MAX 10000", ["1-0", "2-0"]);
  const options = ["NOACK ", "CLAIM 5000 ", "", "", "CLAIM 100 "];
  const [once, patient, first, second, eager] = options.map((option, i) => {
    const lane = leader.lane();
    lane.send(`XREADGROUP GROUP g c${i} COUNT 1 BLOCK 0 ${option}STREAMS s >`);
    return lane;
  });
  cluster.pass(150);
  expect(eager!.take()).toEqual([expect.stringMatching(/^1 \[\[s \[\[1-0 \[f v\] :\d+ :1\]\]\]\]$/)]);
  cluster.pass(200);
  expect([first, second, patient, once].map((lane) => got(lane!))).toEqual([["1 [[s [[2-0]]]]"], [], [], []]);
  // Delivered twice, it rests for 600 ms.
  cluster.pass(300);
  expect(got(second!)).toEqual([]);
  cluster.pass(150);
  expect(got(second!)).toEqual(["1 [[s [[1-0]]]]"]);
  leader.lane().send("XADD s 3-0 f v");
  expect([once, patient].map((lane) => got(lane!))).toEqual([["1 [[s [[3-0]]]]"], []]);
});

test("calls that wait already get what is due when the retry is set, and later what comes to be due", () => {
  const cluster = three();
  const leader = cluster.elect();
  const admin = leader.lane();
  admin.send("XGROUP CREATE s g $ MKSTREAM", "XADD s 1-0 f v", "XADD s 2-0 f v");
  admin.send("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
  cluster.pass(250);
  admin.send("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
  const lanes = ["a", "b", "d"].map((name) => {
    const lane = leader.lane();
    lane.send(`XREADGROUP GROUP g ${name} BLOCK 0 STREAMS s >`);
    return lane;
  });
  admin.send("XGROUP SETRETRY s g MIN-IDLE 200");
  expect(lanes.map(got)).toEqual([["1 [[s [[1-0]]]]"], [], []]);
  admin.send("XACK s g 1-0");
  cluster.pass(250);
  expect(lanes.map(got)).toEqual([[], ["1 [[s [[2-0]]]]"], []]);
  admin.send("XGROUP SETRETRY s g OFF");
  cluster.pass(1000);
  expect(lanes.map(got)).toEqual([[], [], []]);
});

test("what is given back goes to the call that waits longest, what is gone wakes nobody and is pending no more", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), "MIN-IDLE 200", ["1-0", "2-0", "3-0"]);
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g d BLOCK 500 STREAMS s >");
  leader.lane().send("XACK s g 1-0", "XDEL s 2-0", "XNACK s g FAIL IDS 1 3-0");
  expect(got(waiting)).toEqual(["1 [[s [[3-0]]]]"]);
  leader.lane().send("XACK s g 3-0");
  waiting.send("XREADGROUP GROUP g d BLOCK 500 STREAMS s >");
  cluster.pass(450);
  expect(waiting.take()).toEqual([]);
  cluster.pass(100);
  expect(waiting.take()).toEqual(["2 nil"]);
  expect(leader.lane().send("XPENDING s g")).toEqual(["1 [:0 nil nil nil]"]);
  cluster.pass(20);
  cluster.assertSame();
});

test("a call that waits at the next leader gets entries again by the retry that it found in the log", () => {
  const cluster = three();
  const leader = cluster.elect();
  delivered(leader.lane(), "MIN-IDLE 3000", ["1-0"]);
  const waiting = leader.lane();
  waiting.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  const again = next.lane();
  again.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  cluster.heal();
  cluster.pass(3000);
  expect(got(again)).toEqual(["1 [[s [[1-0]]]]"]);
  cluster.assertSame();
});
