/**
 * Leaders that lose what they executed: their memory goes back, and only what was written since the checkpoint is read again. The test's replicas
 * compare every rollback with a full reload (testing/shard-cluster.ts); replicas that never led are the truth beside it.
 */
import { Ack } from "@headrace/commands";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ShardCluster, type TestReplica } from "../testing/shard-cluster.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261121);
const KEYS = ["a", "b", "c{t}", "d{t}", "e"];

function commandOf(kind: number, pick: number): string {
  const key = KEYS[pick % KEYS.length]!;
  const group = pick % 2 === 0 ? "g" : "h";
  const consumer = `c${pick % 3}`;
  switch (kind) {
    case 0:
      return `XGROUP CREATE ${key} ${group} 0 MKSTREAM`;
    case 1:
    case 2:
      return `XREADGROUP GROUP ${group} ${consumer} COUNT ${1 + (pick % 9)} STREAMS ${key} >`;
    case 3:
      return `XTRIM ${key} MAXLEN ${pick % 30}`;
    case 4:
      return `XAUTOCLAIM ${key} ${group} ${consumer} 0 - COUNT ${1 + (pick % 5)}`;
    case 5:
      return pick % 4 === 0 ? `DEL ${key}` : `XGROUP DELCONSUMER ${key} ${group} ${consumer}`;
    case 6:
      return pick % 5 === 0 ? `XGROUP DESTROY ${key} ${group}` : `XSETID ${key} 9999999999999-${pick}`;
    case 7:
      return pick % 20 === 0 ? "FLUSHALL" : `XADD new${pick} * f v`;
    default:
      return `XADD ${key} * f ${"x".repeat(1 + ((pick * 31) % 3000))}`;
  }
}

const pick = fc.nat({ max: 5000 });
const commands = fc.array(fc.tuple(fc.nat({ max: 14 }), pick), { minLength: 1, maxLength: 30 });
/** Commands, then so many milliseconds: captures are taken and written. */
type Bursts = readonly (readonly [readonly (readonly [number, number])[], number])[];
const bursts: fc.Arbitrary<Bursts> = fc.array(fc.tuple(commands, fc.constantFrom(0, 10, 10, 40)), {
  minLength: 1,
  maxLength: 5,
});
const round = fc.record({ kept: bursts, doomed: bursts, holdsStore: fc.boolean(), instead: bursts });

function send(replica: TestReplica, script: Bursts, cluster: ShardCluster): void {
  const lane = replica.lane();
  lane.ack = Ack.executed;
  for (const [burst, ms] of script) {
    lane.send(...burst.map(([kind, number]) => commandOf(kind, number)));
    cluster.pass(ms);
  }
}

test(`after any commands and checkpoints a rolled back leader is as one that never led (seed ${SEED})`, () => {
  const ends = new Map<string, number>();
  const run = fc.property(fc.array(round, { minLength: 1, maxLength: 3 }), (rounds) => {
    const cluster = new ShardCluster({ replicas: 3, limits: { checkpointIntervalMs: 10, checkpointQueue: 2 } });
    cluster.elect(1);
    for (const { kept, doomed, holdsStore, instead } of rounds) {
      const leader = cluster.awaitLeader([1, 2, 3]);
      send(leader, kept, cluster);
      leader.kv.hold = holdsStore;
      cluster.isolate(leader.id);
      send(leader, doomed, cluster);
      const others = cluster.replicas.filter((replica) => replica !== leader).map((replica) => replica.id);
      send(cluster.awaitLeader(others), instead, cluster);
      cluster.heal();
      cluster.pass(20);
      leader.kv.releaseHeld();
      cluster.pass(200);
      cluster.awaitLeader([1, 2, 3]);
      cluster.pass(50);
      cluster.assertSame();
      for (const replica of cluster.replicas) expect(replica.failure).toBe(null);
    }
    // What the checkpoints have of it is right too.
    for (const replica of cluster.replicas) {
      replica.restart();
      cluster.pass(200);
      cluster.awaitLeader([1, 2, 3]);
      cluster.pass(50);
      cluster.assertSame();
    }
    for (const replica of cluster.replicas) {
      for (const end of replica.rollbacks) ends.set(end, (ends.get(end) ?? 0) + 1);
    }
  });
  fc.assert(run, { seed: SEED, numRuns: 40 });
  expect(ends.get("rollback_finished")).toBeGreaterThan(30);
  expect(ends.get("rollback_loaded_all")).toBeGreaterThan(0);
});

test("a rollback leaves alone what was not written since the checkpoint", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { checkpointIntervalMs: 10 } });
  const first = cluster.elect(1);
  const lane = first.lane();
  for (let i = 0; i < 300; i++) lane.send(`XADD big ${i + 1}-0 f ${"x".repeat(1000)}`);
  cluster.pass(100);
  expect(first.kv.rowCount).toBeGreaterThan(8);
  cluster.isolate(1);
  lane.ack = Ack.executed;
  lane.send("XADD big 1000-0 f doomed", "XADD other 1-0 f doomed");
  const second = cluster.awaitLeader([2, 3]);
  second.lane().send("XADD big 2000-0 f kept");
  cluster.heal();
  first.kv.rowsRead = 0;
  cluster.pass(100);
  expect(first.rollbacks).toEqual(["rollback_finished"]);
  // The stream's header and the fragments of its tail.
  expect(first.kv.rowsRead).toBeLessThan(6);
  cluster.assertSame();
});

test("a damaged row that a rollback needs stops the replica, with the reason", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { checkpointIntervalMs: 10 } });
  const first = cluster.elect(1);
  const lane = first.lane();
  lane.send("XADD s 1-0 f v");
  cluster.pass(100);
  cluster.isolate(1);
  lane.ack = Ack.executed;
  lane.send("XADD s 2-0 f doomed");
  cluster.awaitLeader([2, 3]);
  for (const { key, value } of first.kv.rows) if (key.length > 7) value[value.length - 5]! ^= 1;
  cluster.heal();
  cluster.pass(100);
  expect(first.failure).toMatch(/^the state cannot be loaded again: row does not match its checksum \(slot /);
});

test("a leader without a majority stops at so many changed keys, and goes on when it has one again", () => {
  const limits = { checkpointKeys: 4, checkpointQueue: 1, dirtyKeys: 10 };
  const cluster = new ShardCluster({ replicas: 3, limits });
  const first = cluster.elect(1);
  const lane = first.lane();
  lane.ack = Ack.executed;
  lane.send("XADD s 1-0 f v");
  cluster.isolate(1);
  // One by one: a frame is taken whole.
  for (let i = 0; i < 40; i++) lane.send(`XADD k${i} 1-0 f v`);
  const { keys } = first.up.status();
  expect(keys).toBeGreaterThanOrEqual(10);
  expect(keys).toBeLessThan(20);
  expect(first.up.status().queuedBytes).toBeGreaterThan(0);
  cluster.heal();
  cluster.pass(20);
  expect(first.up.status().keys).toBe(41);
  expect(first.up.status().queuedBytes).toBe(0);
  cluster.assertSame();
});
