import { expect, test } from "vitest";
import { Ack, findCommandByName } from "@headrace/commands";
import type { ShardContext } from "@headrace/commands";
import { ShardCluster } from "../testing/shard-cluster.ts";

test("a single replica elects itself and answers writes and reads", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const lane = cluster.elect().lane();
  expect(lane.send("XADD s 1-0 f v", "XADD s 2-0 f w", "XLEN s", "XRANGE s - +")).toEqual([
    "1 1-0",
    "2 2-0",
    "3 :2",
    "4 [[1-0 [f v]] [2-0 [f w]]]",
  ]);
  // 1 is where a group begins, 2 the no-op of the term.
  expect(lane.writeIndex).toBe(3);
});

test("three replicas hold the same state after writes of all kinds", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const lane = cluster.elect().lane();
  lane.send(
    "XADD s 1-0 f v",
    "XGROUP CREATE s g 0",
    "XREADGROUP GROUP g c STREAMS s >",
    "XADD s 2-0 f w",
    "XDEL s 1-0",
  );
  lane.send("XADD t 5-0 f v", "DEL t");
  cluster.pass(20);
  cluster.assertSame();
});

test("an acknowledgement of all waits for a majority, of 1 for the leader's disk, of 0 for nothing", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  cluster.isolate(1);
  const all = leader.lane();
  const one = leader.lane();
  const none = leader.lane();
  one.ack = Ack.persisted;
  none.ack = Ack.executed;
  leader.log.holdDisk = true;
  expect(all.send("XADD a 1-0 f v")).toEqual([]);
  expect(one.send("XADD b 1-0 f v")).toEqual([]);
  expect(none.send("XADD c 1-0 f v")).toEqual(["1 1-0"]);
  leader.log.releaseDisk();
  cluster.settle();
  expect(one.take()).toEqual(["1 1-0"]);
  expect(all.take()).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(all.take()).toEqual(["1 1-0"]);
});

test("what takes something out and hands it over, or says that it will not come, waits for commit at every level", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("SET a v", "SADD b v", "ZADD c 1 v", "RPUSH d v", "XADD e DELAY 60000 * f v");
  cluster.pass(20);
  const handle = /d\d+/.exec(lane.take().join(" ") + lane.send("XDELAYED e").join(" "))![0];
  cluster.isolate(1);
  for (const command of ["GETDEL a", "SPOP b", "ZPOPMIN c", "LPOP d", `XDELAYED CANCEL e ${handle}`]) {
    const taker = leader.lane();
    taker.ack = Ack.executed;
    expect(taker.send(command), command).toEqual([]);
  }
  const writer = leader.lane();
  writer.ack = Ack.executed;
  expect(writer.send("SET f v")).toEqual(["1 +OK"]);
});

test("a stream's own level counts for whoever says none, the strictest where there are several streams", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const plain = leader.lane();
  const strict = leader.lane();
  strict.ack = Ack.committed;
  plain.send("XADD free 1-0 f v", "XADD safe 1-0 f v", "XCFGSET free ACK 0");
  cluster.pass(20);
  plain.take();
  cluster.isolate(1);
  expect(plain.send("XADD free 2-0 f v", "XDEL free 1-0", "XGROUP CREATE free g 0")).toEqual([
    "4 2-0",
    "5 :1",
    "6 +OK",
  ]);
  expect(plain.send("XADD free ACK ALL 3-0 f v")).toEqual([]);
  expect(strict.send("XADD free 4-0 f v")).toEqual([]);
  const other = leader.lane();
  expect(other.send("XADD safe 2-0 f v")).toEqual([]);
  const third = leader.lane();
  expect(third.send("XREADGROUP GROUP g c STREAMS free >")).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(plain.take()).toContain("7 3-0");
  expect(strict.take()).toEqual(["1 4-0"]);
  expect(other.take()).toEqual(["1 2-0"]);
  const last = leader.lane();
  last.send("XCFGSET free ACK DEFAULT");
  cluster.isolate(1);
  expect(last.send("XADD free 9-0 f v")).toEqual([]);
});

test("under fsync no an acknowledgement of 1 leaves before the disk, one of all does not", () => {
  const cluster = new ShardCluster({ replicas: 1, fsync: "no" });
  const leader = cluster.elect();
  const one = leader.lane();
  one.ack = Ack.persisted;
  leader.log.holdDisk = true;
  expect(one.send("XADD a 1-0 f v")).toEqual(["1 1-0"]);
  const all = leader.lane();
  expect(all.send("XADD a 2-0 f v")).toEqual([]);
  leader.log.releaseDisk();
  cluster.settle();
  expect(all.take()).toEqual(["1 2-0"]);
});

test("under fsync no writes that nobody waits for do not fill the bound of uncommitted entries for ever", () => {
  const cluster = new ShardCluster({ replicas: 1, fsync: "no", limits: { uncommittedEntries: 8 } });
  const leader = cluster.elect();
  const writer = leader.lane();
  writer.ack = Ack.executed;
  for (let i = 1; i <= 50; i++) expect(writer.send(`XADD a ${i}-0 f v`)).toEqual([`${i} ${i}-0`]);
  expect(leader.log.durableWrites).toBeLessThan(40);
});

test("under fsync no a checkpoint makes the log sync what it covers", () => {
  const cluster = new ShardCluster({ replicas: 3, fsync: "no" });
  const leader = cluster.elect();
  const writer = leader.lane();
  writer.ack = Ack.executed;
  writer.send("XADD a 1-0 f v");
  cluster.pass(4100);
  expect(leader.up.status().checkpointIndex).toBe(leader.up.status().lastIndex);
});

test("under fsync no the last write, which nobody waits for, is committed though its leader's own log is needed for a majority", () => {
  const cluster = new ShardCluster({ replicas: 2, fsync: "no" });
  const leader = cluster.elect();
  const writer = leader.lane();
  writer.ack = Ack.executed;
  writer.send("XADD a 1-0 f v");
  cluster.pass(4100);
  // It leaves no changed key behind, so no checkpoint wants it either.
  writer.send("FLUSHALL");
  const { lastIndex } = leader.up.status();
  cluster.pass(3000);
  for (const id of [1, 2])
    expect(cluster.replica(id).up.status()).toMatchObject({ stateIndex: lastIndex, commitIndex: lastIndex });
});

test("under fsync no a gated read makes the log sync what it waits for", () => {
  const cluster = new ShardCluster({ replicas: 1, fsync: "no" });
  const leader = cluster.elect();
  const writer = leader.lane();
  writer.ack = Ack.executed;
  const before = leader.log.durableWrites;
  expect(writer.send("XADD a 1-0 f v")).toEqual(["1 1-0"]);
  expect(leader.log.durableWrites).toBe(before);
  expect(leader.lane().send("XLEN a")).toEqual(["1 :1"]);
  expect(leader.log.durableWrites).toBeGreaterThan(before);
});

test("ACK in XADD overrides the connection's level", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  cluster.isolate(1);
  expect(leader.lane().send("XADD s ACK 1 1-0 f v")).toEqual(["1 1-0"]);
  expect(leader.lane().send("XADD s ACK ALL 2-0 f v")).toEqual([]);
});

test("readers wait while the quorum is cut, also for errors and nils, and only then see a write of ack 0", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const writer = leader.lane();
  writer.ack = Ack.executed;
  cluster.isolate(1);
  expect(writer.send("XADD s 5-0 f v")).toEqual(["1 5-0"]);
  const lanes = ["XLEN s", "XRANGE s - +", "XADD s 1-0 f v", "XREAD STREAMS none 0", "DBSIZE"].map((command) => {
    const lane = leader.lane();
    expect(lane.send(command)).toEqual([]);
    return lane;
  });
  cluster.heal();
  cluster.pass(20);
  expect(lanes.map((lane) => lane.take()[0])).toEqual([
    "1 :1",
    "1 [[5-0 [f v]]]",
    "1 -ERR The ID specified in XADD is equal or smaller than the target stream top item",
    "1 nil",
    "1 :1",
  ]);
});

test("a group delivery waits for commit at every level", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v", "XGROUP CREATE s g 0");
  lane.take();
  lane.ack = Ack.executed;
  cluster.isolate(1);
  expect(lane.send("XREADGROUP GROUP g c STREAMS s >")).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(lane.take()).toEqual(["3 [[s [[1-0 [f v]]]]]"]);
});

test("replies of a lane leave in order, however soon a later one could", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  cluster.isolate(1);
  const lane = leader.lane();
  expect(lane.send("XADD s 1-0 f v", "XADD s ACK 0 2-0 f v", "NOSUCH")).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(lane.take()).toEqual(["1 1-0", "2 2-0", "3 -ERR unknown command 'NOSUCH', with args beginning with: "]);
  expect(lane.replyFrames).toBe(1);
});

test("a reply frame never spans two request frames", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.queue("XADD s 1-0 f v", "XADD s 2-0 f v");
  lane.queue("XADD s 3-0 f v");
  cluster.settle();
  expect(lane.take()).toEqual(["1 1-0", "2 2-0", "3 3-0"]);
  expect(lane.replyFrames).toBe(2);
});

test("a turn over its batch bound makes several log entries, and all replies come", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { batchBytes: 200, turnRequests: 7 } });
  const leader = cluster.elect();
  const lane = leader.lane();
  const before = leader.up.status().lastIndex;
  const commands = Array.from({ length: 40 }, (_, i) => `XADD s ${i + 1}-0 field value-of-some-length`);
  expect(lane.send(...commands)).toEqual(commands.map((_, i) => `${i + 1} ${i + 1}-0`));
  expect(leader.up.status().lastIndex - before).toBeGreaterThan(3);
  cluster.pass(20);
  cluster.assertSame();
});

test("keys of foreign slots are refused, and everything behind them in that lane epoch", () => {
  const cluster = new ShardCluster({ replicas: 1, slots: [{ from: 0, to: 8191 }] });
  const lane = cluster.elect().lane();
  // Slots by CLUSTER KEYSLOT of a Redis server: bar 5061, foo 12182.
  expect(lane.send("XADD bar 1-0 f v", "XADD foo 1-0 f v", "XADD bar 2-0 f v")).toEqual([
    "2 refused 2 leader 101",
    "1 1-0",
  ]);
  expect(lane.send("XADD bar 3-0 f v")).toEqual(["4 refused 5 leader 101"]);
  lane.epoch = 2;
  expect(lane.send("XADD bar 4-0 f v")).toEqual(["5 4-0"]);
});

test("a gap in the numbers and an old epoch are refused", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const lane = cluster.elect().lane();
  lane.send("XADD s 1-0 f v");
  lane.nextNumber = 5;
  expect(lane.send("XADD s 2-0 f v")).toEqual(["5 refused 5 leader 101"]);
  lane.epoch = 2;
  expect(lane.send("XADD s 2-0 f v")).toEqual(["6 2-0"]);
  lane.epoch = 1;
  expect(lane.send("XADD s 3-0 f v")).toEqual(["7 refused 5 leader 101"]);
});

test("beyond the bound of uncommitted entries requests wait, beyond the queue's bound they are refused", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { uncommittedEntries: 4, queueBytes: 400 } });
  const leader = cluster.elect();
  cluster.isolate(1);
  const lane = leader.lane();
  lane.ack = Ack.executed;
  for (let i = 1; i <= 30; i++) lane.send(`XADD s ${i}-0 f v`);
  const status = leader.up.status();
  expect(status.lastIndex - status.commitIndex).toBe(4);
  const events = lane.take();
  expect(events.slice(0, 4)).toEqual(["1 1-0", "2 2-0", "3 3-0", "4 4-0"]);
  expect(events[4]).toMatch(/^\d+ refused 4 leader 101$/);
  const accepted = Number(events[4]!.split(" ")[0]) - 1;
  cluster.heal();
  cluster.pass(30);
  expect(lane.take()).toHaveLength(accepted - 4);
  cluster.assertSame();
});

test("a write that could become a larger entry than the log takes is refused before it is executed", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: { batchBytes: 2000 }, maxEntryBytes: 20_000 });
  const lane = cluster.elect().lane();
  // What a segment takes is the log's own bound: an entry above it is an assertion there, so the process would stop.
  for (let bytes = 1000; bytes < 40_000; bytes += 700) {
    const [answer] = lane.send(`XADD s * f ${"v".repeat(bytes)}`);
    if (bytes < 15_000) expect(answer).toMatch(/^\d+ \d+-\d+$/);
    if (bytes > 20_000) expect(answer).toMatch(/ERR the request is too large for one log entry$/);
  }
  const many = Array.from({ length: 1000 }, (_, i) => `${i + 1}-1`);
  expect(lane.send("XGROUP CREATE s g 0", `XCLAIM s g c 0 ${many.join(" ")} FORCE JUSTID`).join()).toMatch(/too large/);
  expect(lane.send("XLEN s").join()).toMatch(/^\d+ :2\d$/);
});

test("reads whose replies cannot leave yet stop at a bound of bytes and go on when they can", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { turnBytes: 2000, heldBytes: 10_000 } });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send(`XADD s 1-0 f ${"v".repeat(1000)}`);
  lane.take();
  cluster.isolate(1);
  // Hundreds of reads are a few kilobytes of requests, and a thousand times that of replies.
  lane.send(...Array.from({ length: 300 }, () => "XRANGE s - +"));
  expect(leader.up.status().heldBytes).toBeGreaterThanOrEqual(10_000);
  expect(leader.up.status().heldBytes).toBeLessThan(10_000 + 2000 + 1100);
  expect(lane.take()).toEqual([]);
  cluster.heal();
  cluster.pass(50);
  expect(lane.take()).toHaveLength(300);
  expect(leader.up.status().heldBytes).toBe(0);
});

test("a read that logs an effect waits for its commit and for the proof of leadership at every ack level", () => {
  const record = findCommandByName("xlen") as { execute: ((context: ShardContext) => void) | null };
  const { execute } = record;
  // No command does so yet; an expiry that a read finds will.
  record.execute = ({ request, reply, effects }) => {
    effects.deleteKey(request.latin1(1));
    reply.integer(0);
  };
  try {
    const cluster = new ShardCluster({ replicas: 3 });
    const lane = cluster.elect().lane();
    lane.send("XADD s 1-0 f v");
    const { writeIndex } = lane;
    lane.take();
    lane.ack = Ack.executed;
    cluster.isolate(1);
    expect(lane.send("XLEN s")).toEqual([]);
    cluster.heal();
    cluster.pass(50);
    expect(lane.take()).toEqual(["2 :0"]);
    expect(lane.writeIndex).toBe(writeIndex);
    cluster.assertSame();
  } finally {
    record.execute = execute;
  }
});

test("a client link that takes no replies stops the execution of its requests at a bound, not that of others, and gets all in order later", () => {
  const limits = { heldBytes: 20_000, turnBytes: 10_000 };
  const cluster = new ShardCluster({ replicas: 1, limits });
  const leader = cluster.elect();
  const other = leader.lane();
  other.send(...Array.from({ length: 50 }, (_, i) => `XADD s ${i + 1}-0 f v`));
  const slow = leader.lane();
  slow.maxBufferedBytes = 50_000;
  const requests = 10_000;
  for (let sent = 0; sent < requests; sent += 500) slow.queue(...Array.from({ length: 500 }, () => "XRANGE s - +"));
  cluster.settle();
  cluster.pass(100);
  // 50 entries are less than 2000 bytes of reply.
  const bound = slow.maxBufferedBytes + limits.heldBytes + limits.turnBytes + 2000;
  expect(slow.bufferedBytes).toBeGreaterThan(slow.maxBufferedBytes);
  expect(slow.bufferedBytes).toBeLessThan(bound);
  expect(other.send("XLEN s")).toEqual(["51 :50"]);
  for (let round = 0; slow.events.length < requests && round < requests; round++) {
    slow.bufferedBytes = 0;
    leader.up.sinkDrained();
    cluster.settle();
    expect(slow.bufferedBytes).toBeLessThan(bound);
  }
  expect(slow.events.map((event) => Number.parseInt(event, 10))).toEqual(
    Array.from({ length: requests }, (_, i) => i + 1),
  );
});

test("requests that wait for a full link are refused with a lost leadership and forgotten with their lane", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const [slow, gone] = [leader.lane(), leader.lane()];
  for (const lane of [slow, gone]) {
    lane.send("XADD s * f v");
    lane.take();
    lane.maxBufferedBytes = 0;
    expect(lane.send("XLEN s", "XLEN s")).toEqual([]);
  }
  gone.closed = true;
  leader.up.laneClosed(gone);
  cluster.isolate(1);
  cluster.pass(1000);
  expect(leader.up.isLeader).toBe(false);
  expect(slow.take().join()).toMatch(/^2 refused \d leader/);
  expect(leader.up.status().queuedBytes).toBe(0);
});
