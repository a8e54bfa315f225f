import { expect, test } from "vitest";
import { Ack } from "@headrace/commands";
import { ShardCluster } from "../testing/shard-cluster.ts";

const EAGER = { checkpointKeys: 1, checkpointBytes: 1 };

test("a restarted replica has what was committed, from the log alone", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  cluster.elect().lane().send("XADD s 1-0 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >");
  for (const replica of cluster.replicas) replica.crash();
  for (const replica of cluster.replicas) replica.open();
  cluster.settle();
  const leader = cluster.awaitLeader([1, 2, 3]);
  expect(leader.lane().send("XRANGE s - +", "XPENDING s g")).toEqual(["1 [[1-0 [f v]]]", "2 [:1 1-0 1-0 [[c 1]]]"]);
  cluster.pass(50);
  cluster.assertSame();
});

test("a restarted replica has what was committed, from checkpoint and log", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: EAGER });
  const leader = cluster.elect();
  const lane = leader.lane();
  for (let i = 1; i <= 300; i++) lane.send(`XADD s${i % 7} ${i}-0 field value`);
  lane.send(
    "XGROUP CREATE s1 g 0",
    "XREADGROUP GROUP g c COUNT 5 STREAMS s1 >",
    "XDEL s2 2-0",
    "DEL s3",
    "XTRIM s4 MAXLEN 3",
  );
  cluster.pass(100);
  cluster.assertSame();
  expect(leader.up.status().checkpointIndex).toBeGreaterThan(100);
  cluster.replica(2).restart();
  cluster.pass(50);
  cluster.assertSame();
  cluster.replica(2).up.verify();
  // All of them, one by one.
  cluster.replica(3).restart();
  leader.restart();
  cluster.awaitLeader([1, 2, 3]);
  cluster.pass(50);
  cluster.assertSame();
});

test("a shard at rest is in the store after a second; one that goes on changing only when its interval is over", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: { checkpointIntervalMs: 4000 } });
  const leader = cluster.elect();
  const lane = leader.lane();
  const before = leader.up.status().checkpointIndex;
  // As many writes as fit into 3 s, none of them a second behind the last.
  for (let i = 1; i <= 6; i++) {
    lane.send(`XADD s ${i}-0 f v`);
    cluster.pass(500);
  }
  expect(leader.up.status().checkpointIndex).toBe(before);
  cluster.pass(600);
  const { checkpointIndex, lastIndex } = leader.up.status();
  expect(checkpointIndex).toBe(lastIndex);
  // Not again before a second has passed since.
  lane.send("XADD s 7-0 f v");
  cluster.pass(500);
  expect(leader.up.status().checkpointIndex).toBe(checkpointIndex);
  cluster.pass(600);
  expect(leader.up.status().checkpointIndex).toBe(leader.up.status().lastIndex);
});

test("uncommitted state never reaches the store: after a crash the isolated leader stands at what was committed", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: EAGER });
  const leader = cluster.elect();
  leader.lane().send("XADD s 1-0 f v");
  cluster.pass(50);
  const committed = leader.up.stateHash();
  cluster.isolate(1);
  const doomed = leader.lane();
  doomed.ack = Ack.executed;
  for (let i = 2; i < 40; i++) doomed.send(`XADD s ${i}-0 f doomed`);
  cluster.pass(50);
  expect(leader.up.status().checkpointIndex).toBeLessThanOrEqual(committed.index);
  leader.restart();
  cluster.pass(10);
  expect(leader.up.stateHash()).toEqual(committed);
});

test("the log is cut behind the checkpoint when all replicas have it, and kept for one that is away", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: EAGER });
  const leader = cluster.elect();
  const lane = leader.lane();
  for (let i = 1; i <= 50; i++) lane.send(`XADD s ${i}-0 f v`);
  cluster.pass(50);
  expect(leader.up.status().firstLogIndex).toBeGreaterThan(40);
  cluster.replica(3).crash();
  const kept = leader.up.status().lastIndex;
  for (let i = 51; i <= 150; i++) lane.send(`XADD s ${i}-0 f v`);
  cluster.pass(50);
  expect(leader.up.status().firstLogIndex).toBeLessThanOrEqual(kept + 1);
  cluster.replica(3).open();
  cluster.settle();
  cluster.pass(300);
  cluster.assertSame();
});

test("a replica that lags beyond the memory of the log catches up from the disk", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { ...EAGER, logCacheBytes: 0, logFetchBytes: 1000 } });
  const leader = cluster.elect();
  const lane = leader.lane();
  cluster.isolate(3);
  for (let i = 1; i <= 100; i++) lane.send(`XADD s ${i}-0 f v`);
  cluster.pass(50);
  cluster.heal();
  cluster.pass(1000);
  cluster.assertSame();
});

test("FLUSHALL begins a new generation and sweeps the rows of the old one", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: EAGER });
  const leader = cluster.elect();
  const lane = leader.lane();
  for (let i = 1; i <= 20; i++) lane.send(`XADD s${i} ${i}-0 f v`);
  cluster.pass(50);
  const full = leader.kv.rowCount;
  lane.send("FLUSHALL");
  cluster.pass(50);
  expect(leader.kv.rowCount).toBeLessThan(full / 4);
  lane.send("XADD t 1-0 f v");
  cluster.pass(50);
  leader.restart();
  cluster.awaitLeader([1]);
  expect(leader.lane().send("DBSIZE", "XLEN t", "XLEN s1")).toEqual(["1 :1", "2 :1", "3 :0"]);
});

test("a checkpoint on demand leaves nothing to replay", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  leader.lane().send("XADD s 1-0 f v");
  const done: boolean[] = [];
  leader.up.checkpoint((result) => done.push(result.ok));
  cluster.settle();
  expect(done).toEqual([true]);
  expect(leader.up.status().checkpointIndex).toBe(leader.up.status().lastIndex);
});

test("a replica without checkpoint and founding is missing, one whose log does not reach its checkpoint is damaged", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: EAGER });
  const leader = cluster.elect();
  leader.lane().send("XADD s 1-0 f v");
  cluster.pass(20);
  leader.crash();
  leader.log.forget(3);
  leader.open();
  cluster.settle();
  expect(leader.shard).toBe(null);
  expect(leader.openFailure).toMatch(/^corrupt: /);
});

test("a leader whose store does not keep up stops taking requests at a bound of log, and goes on when it has caught up", () => {
  const limits = { checkpointKeys: 1, checkpointQueue: 1, logCacheBytes: 1000, logAheadBytes: 20_000 };
  const cluster = new ShardCluster({ replicas: 3, limits });
  const leader = cluster.elect(1);
  const lane = leader.lane();
  leader.kv.hold = true;
  for (let i = 1; i <= 100; i++) lane.send(`XADD s ${i}-0 f ${"v".repeat(1000)}`);
  // 21 kB of log are some twenty entries of a kilobyte.
  const { lastIndex, checkpointIndex } = leader.up.status();
  expect(lastIndex - checkpointIndex).toBeLessThan(25);
  expect(lastIndex - checkpointIndex).toBeGreaterThan(15);
  expect(lane.take().length).toBeLessThan(25);
  leader.kv.releaseHeld();
  cluster.pass(50);
  expect(lane.send("XLEN s")).toContain("101 :100");
  cluster.pass(50);
  cluster.assertSame();
});
