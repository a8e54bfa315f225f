/** XADD DELAY and AT: when entries appear, over turns, failovers, restarts and rollbacks, and what handles stand for. */
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { ClusterOptions, TestReplica } from "../testing/shard-cluster.ts";

function three(options: Partial<ClusterOptions> = {}): {
  readonly cluster: ShardCluster;
  readonly leader: TestReplica;
} {
  const cluster = new ShardCluster({ replicas: 3, ...options });
  return { cluster, leader: cluster.elect() };
}

/** Replies without their numbers. */
function ask(replica: TestReplica, ...commands: readonly string[]): readonly string[] {
  return replica
    .lane()
    .send(...commands)
    .map((reply) => reply.slice(reply.indexOf(" ") + 1));
}

/** Values of the stream's entries. */
function values(replica: TestReplica, key = "s"): readonly string[] {
  const [reply] = replica.lane().send(`XRANGE ${key} - +`);
  return [...reply!.matchAll(/\[\d+-\d+ \[v (\w+)\]\]/g)].map(([, value]) => value!);
}

function msOf(replica: TestReplica, value: string): number {
  const [reply] = replica.lane().send("XRANGE s - +");
  return Number(new RegExp(`\\[(\\d+)-\\d+ \\[v ${value}\\]\\]`).exec(reply!)![1]);
}

function handles(replica: TestReplica, key = "s"): readonly string[] {
  return [
    ...replica
      .lane()
      .send(`XDELAYED ${key}`)[0]!
      .matchAll(/\[(d\d+) /g),
  ].map(([, handle]) => handle!);
}

test("entries appear when they are due, in the order of their times, under ids of that moment", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  const startMs = cluster.time.wallMs();
  lane.send("XADD s DELAY 300 * v second", "XADD s DELAY 100 * v first", `XADD s AT ${startMs + 300} * v third`);
  lane.send("XADD s * v now");
  cluster.pass(90);
  expect(values(leader)).toEqual(["now"]);
  cluster.pass(30);
  expect(values(leader)).toEqual(["now", "first"]);
  expect(msOf(leader, "first")).toBeGreaterThanOrEqual(startMs + 100);
  cluster.pass(150);
  expect(values(leader)).toEqual(["now", "first"]);
  cluster.pass(50);
  expect(values(leader)).toEqual(["now", "first", "second", "third"]);
  expect(handles(leader)).toEqual([]);
  cluster.pass(20);
  cluster.assertSame();
});

test("who waits for entries gets them when they appear, not before", () => {
  const { cluster, leader } = three();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM", "XADD s DELAY 200 * v x");
  const reads = leader.lane();
  const groupReads = leader.lane();
  reads.send("XREAD BLOCK 0 STREAMS s $");
  groupReads.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  cluster.pass(180);
  expect([...reads.take(), ...groupReads.take()]).toEqual([]);
  cluster.pass(50);
  expect(reads.take()[0]).toMatch(/^1 \[\[s \[\[\d+-0 \[v x\]\]\]\]\]$/);
  expect(groupReads.take()[0]).toMatch(/^1 \[\[s \[\[\d+-0 \[v x\]\]\]\]\]$/);
  cluster.pass(20);
  cluster.assertSame();
});

test("a new leader lets them appear, those that were due meanwhile at once", () => {
  const { cluster, leader } = three();
  const [, , handle] = ask(leader, "XADD s DELAY 200 * v a", "XADD s DELAY 4000 * v b", "XADD s DELAY 5000 * v c");
  cluster.pass(50);
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  cluster.pass(300);
  expect(values(next)).toEqual(["a"]);
  expect(ask(next, `XDELAYED CANCEL s ${handle!}`)).toEqual([":1"]);
  cluster.pass(6000);
  expect(values(next)).toEqual(["a", "b"]);
  cluster.heal();
  cluster.pass(500);
  cluster.assertSame();
});

test("a leader that was cut off lets nothing appear that others do not know, and its past goes", () => {
  const { cluster, leader } = three();
  leader.lane().send("XADD s DELAY 400 * v a", "XADD s DELAY 9000 * v b");
  cluster.pass(50);
  cluster.isolate(1);
  const lost = leader.lane();
  lost.queue("XADD s ACK 0 DELAY 100 * v lost");
  lost.queue("XADD s ACK 0 DELAY 8000 * v lost");
  cluster.settle();
  // No handle is given for what may be taken back.
  expect(lost.take()).toEqual([]);
  cluster.pass(60);
  const next = cluster.awaitLeader([2, 3]);
  cluster.pass(500);
  expect(values(next)).toEqual(["a"]);
  cluster.heal();
  cluster.pass(1000);
  expect(leader.rollbacks.length).toBe(1);
  cluster.assertSame();
  cluster.pass(9000);
  expect(values(next)).toEqual(["a", "b"]);
  cluster.pass(50);
  cluster.assertSame();
});

test("no handle is ever given twice, also behind a key that was deleted and writes that were lost", () => {
  const { cluster, leader } = three();
  const given = new Set<string>();
  const add = (replica: TestReplica): void => {
    for (const reply of ask(replica, "XADD s DELAY 90000 * v x", "XADD s DELAY 0 * v x", "DEL s")) {
      if (reply.startsWith("d")) {
        expect(given.has(reply)).toBe(false);
        given.add(reply);
      }
    }
  };
  for (let i = 0; i < 5; i++) add(leader);
  cluster.isolate(1);
  const lost = leader.lane();
  for (let i = 0; i < 5; i++) lost.queue("XADD s ACK 0 DELAY 90000 * v x");
  cluster.settle();
  for (const reply of lost.take()) expect(reply).not.toMatch(/d\d/);
  const next = cluster.awaitLeader([2, 3]);
  for (let i = 0; i < 5; i++) add(next);
  expect(given.size).toBe(20);
});

test("they are in the store: every replica has them behind a restart of all, and lets them appear", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XADD s DELAY 60000 * v late", "XADD s DELAY 1000 MAXLEN 1 * v soon", "XADD s * v one", "XADD s * v two");
  let done = 0;
  for (const replica of cluster.replicas) replica.up.checkpoint(() => done++);
  cluster.pass(200);
  expect(done).toBe(3);
  lane.send("XADD s DELAY 50000 * v logged");
  cluster.pass(50);
  for (const replica of cluster.replicas) replica.crash();
  for (const replica of cluster.replicas) replica.open();
  cluster.settle();
  const next = cluster.awaitLeader([1, 2, 3]);
  expect(handles(next).length).toBe(3);
  cluster.pass(1500);
  expect(values(next)).toEqual(["soon"]);
  cluster.pass(60_000);
  expect(values(next)).toEqual(["soon", "logged", "late"]);
  cluster.pass(50);
  cluster.assertSame();
});

test("the trim that was said when an entry was delayed is done when it appears", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XADD s 1-1 v a", "XADD s 2-1 v b", "XADD s DELAY 100 MAXLEN 2 * v c", "XADD s DELAY 200 MINID 3-0 * v d");
  lane.send("XGROUP CREATE s g 0", "XREADGROUP GROUP g c COUNT 2 STREAMS s >", "XACK s g 2-1");
  lane.send("XADD s DELAY 300 MAXLEN 0 ACKED * v e");
  expect(values(leader)).toEqual(["a", "b"]);
  cluster.pass(130);
  expect(values(leader)).toEqual(["b", "c"]);
  cluster.pass(100);
  expect(values(leader)).toEqual(["c", "d"]);
  lane.send("XREADGROUP GROUP g c STREAMS s >", `XACK s g ${msOf(leader, "c")}-0`);
  cluster.pass(100);
  expect(values(leader)).toEqual(["d", "e"]);
  cluster.pass(50);
  cluster.assertSame();
});

test("many that are due at one time appear in several turns, in order, with others served between", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  const atMs = cluster.time.wallMs() + 2000;
  for (let i = 0; i < 3000; i++) lane.queue(`XADD s AT ${atMs} * v n${i}`);
  cluster.settle();
  cluster.pass(1900);
  expect(lane.take().length).toBe(3000);
  expect(leader.up.status().delayedEntries).toBe(3000);
  const before = leader.up.status().lastIndex;
  cluster.pass(200);
  expect(values(leader)).toEqual(Array.from({ length: 3000 }, (_, i) => `n${i}`));
  expect(leader.up.status().lastIndex - before).toBeGreaterThan(3);
  expect(leader.up.status().releasedDelayed).toBe(3000);
  cluster.pass(50);
  cluster.assertSame();
});

test("they go with their key, also one whose time is over when they are due", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XADD a DELAY 300 * v x", "PEXPIRE a 200", "XADD b DELAY 300 * v x", "DEL b", "XADD c DELAY 300 * v x");
  lane.send("XADD d{t} DELAY 300 * v x", "RENAME d{t} e{t}", "PEXPIRE c 300");
  cluster.pass(1000);
  expect(ask(leader, "EXISTS a b c d{t}", "XLEN e{t}", "DBSIZE")).toEqual([":0", ":1", ":1"]);
  expect(leader.up.status().delayedEntries).toBe(0);
  lane.send("XADD s DELAY 300 * v x", "FLUSHALL");
  expect(leader.up.status().delayedEntries).toBe(0);
  cluster.pass(400);
  expect(ask(leader, "DBSIZE")).toEqual([":0"]);
  cluster.assertSame();
});

test("a stream without a further id keeps what is due, and takes it when there are ids again", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XADD s DELAY 100 * v x", "XADD s DELAY 90000 * v y");
  lane.send("XSETID s 18446744073709551615-18446744073709551615");
  cluster.pass(500);
  expect(handles(leader).length).toBe(2);
  expect(ask(leader, "XLEN s")).toEqual([":0"]);
  lane.send("XSETID s 5-0");
  cluster.pass(61_000);
  expect(values(leader)).toEqual(["x"]);
});

test("they are refused where memory or disk is full, and those that are there appear", () => {
  const { cluster, leader } = three();
  const lane = leader.lane();
  lane.send("XADD s DELAY 100 * v x", "XADD s DELAY 200 * v y");
  cluster.settings.refuseFixedMemory = true;
  expect(ask(leader, "XADD s DELAY 100 * v z")[0]).toMatch(/^-OOM/);
  cluster.pass(130);
  cluster.settings.refuseFixedMemory = false;
  cluster.settings.refuseGrowth = true;
  expect(ask(leader, "XADD s DELAY 100 * v z")[0]).toMatch(/^-MISCONF/);
  cluster.pass(100);
  expect(values(leader)).toEqual(["x", "y"]);
});

test("what is delayed fills the memory budget as all that can't leave memory does", () => {
  const { leader } = three({ memoryBytes: 64 * 1024 * 1024 });
  const before = leader.up.status().memory.fixed;
  const lane = leader.lane();
  for (let i = 0; i < 100; i++) lane.send(`XADD s DELAY 90000 * v ${"x".repeat(10_000)}`);
  const grown = leader.up.status().memory.fixed - before;
  expect(grown).toBeGreaterThan(1_000_000);
  expect(grown).toBeLessThan(1_100_000);
});

test("a replica that gets a snapshot has them too", () => {
  const { cluster, leader } = three({ limits: { logRetainBytes: 0 } });
  const lane = leader.lane();
  lane.send("XADD s DELAY 3000 * v a", "XADD s DELAY 90000 * v b", "XADD s * v now");
  cluster.replica(3).crash();
  for (let i = 0; i < 50; i++) lane.send(`XADD s DELAY ${3000 + i} * v n${i}`, `XADD filler * v ${"x".repeat(5000)}`);
  let done = 0;
  leader.up.checkpoint(() => done++);
  cluster.pass(300);
  expect(done).toBe(1);
  cluster.replica(3).open();
  cluster.pass(1500);
  cluster.assertSame();
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  cluster.pass(5000);
  expect(values(next).length).toBe(52);
});
