/**
 * Dead letters between two shards, each a group of replicas of its own; the test carries their frames: it may lose, double, delay and repeat them. What a client
 * sees of one shard is in the fixtures of XGROUP, XCLAIM and others.
 */
import { assert, slotOfKey } from "@headrace/bytes";
import { expect, test } from "vitest";
import { decodeOutboxFrame, type OutboxFrame } from "../src/outbox-codec.ts";
import { ShardCluster, type TestReplica } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

const SOURCE = { from: 0, to: 8191 };
const TARGET = { from: 8192, to: 16_383 };
assert(slotOfKey("s{b}") <= SOURCE.to && slotOfKey("dead{d}") >= TARGET.from, "the two keys are of two shards");

class Pair {
  readonly source = new ShardCluster({ replicas: 3, slots: [SOURCE] });
  readonly target = new ShardCluster({ replicas: 3, slots: [TARGET] });
  from: TestReplica;
  to: TestReplica;

  constructor() {
    this.from = this.source.elect();
    this.to = this.target.elect();
  }

  /** What the source's replicas have sent, taken away. */
  sent(): OutboxFrame[] {
    return taken(this.source, "shard");
  }

  answered(): OutboxFrame[] {
    return taken(this.target, "node");
  }

  /** Carries frames until nothing moves. */
  carry(): void {
    for (let round = 0; round < 50; round++) {
      this.source.pass(10);
      this.target.pass(10);
      const frames = this.sent();
      for (const frame of frames) this.deliver(frame);
      const back = this.answered();
      for (const frame of back) this.from.up.outbox.receive(frame, 1);
      // What the target's shard sends by itself: entries on their way back.
      const returning = taken(this.target, "shard");
      for (const frame of returning) this.from.up.outbox.receive(frame, 2);
      this.source.settle();
      const backAgain = taken(this.source, "node");
      for (const frame of backAgain) this.to.up.outbox.receive(frame, 1);
      this.target.settle();
    }
  }

  deliver(frame: OutboxFrame): void {
    this.to.up.outbox.receive(frame, 1);
    this.target.settle();
  }

  assertSame(): void {
    this.source.pass(50);
    this.target.pass(50);
    this.source.assertSame();
    this.target.assertSame();
  }
}

function taken(cluster: ShardCluster, to: string): OutboxFrame[] {
  const found: OutboxFrame[] = [];
  const left = cluster.posted.splice(0).filter((posted) => {
    if (!posted.to.startsWith(to)) return true;
    const frame = decodeOutboxFrame(posted.frame);
    expect(frame).not.toBe(null);
    found.push(frame!);
    return false;
  });
  cluster.posted.push(...left);
  return found;
}

/** Entries of s{b}, all delivered once to c of group g, which gives up what was delivered once. */
function prepare(lane: TestLane, ...ids: readonly string[]): void {
  lane.send("XGROUP CREATE s{b} g 0 MKSTREAM", "XGROUP SETDLQ s{b} g dead{d} MAX_RETRIES 1");
  for (const id of ids) lane.send(`XADD s{b} ${id} f v${id}`);
  lane.send("XREADGROUP GROUP g c STREAMS s{b} >");
}

function waiting(replica: TestReplica): number {
  return replica.up.status().outboxItems;
}

function letters(replica: TestReplica): readonly string[] {
  const [reply] = replica.lane().send("XRANGE dead{d} - +");
  return [...reply!.matchAll(/dlq:id (\S+) dlq:group/g)].map(([, id]) => id!);
}

test("a letter for another shard leaves when it is committed, and is out of the outbox when it is committed there", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0", "2-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  expect(lane.send("XPENDING s{b} g")).toEqual([expect.stringContaining("[:0 nil nil nil]")]);
  expect(waiting(pair.from)).toBe(2);
  expect(lane.send("XINFO GROUPS s{b}")[0]).toContain("dead-letters :2 dead-letters-waiting :2");
  expect(lane.send("XACK s{b} g 1-0")[0]).toContain(":0");
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0", "2-0"]);
  expect(waiting(pair.from)).toBe(0);
  expect(lane.send("XINFO GROUPS s{b}")[0]).toContain("dead-letters :2 dead-letters-waiting :0");
  expect(pair.to.up.status().outboxTaken).toBe(2);
  expect(pair.from.up.status().outboxDelivered).toBe(2);
  pair.assertSame();
});

test("nothing is sent that a change of leader could take back", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0");
  pair.source.isolate(1);
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  expect(waiting(pair.from)).toBe(1);
  pair.source.pass(60);
  expect(pair.sent()).toEqual([]);
  const next = pair.source.awaitLeader([2, 3]);
  pair.source.heal();
  pair.source.pass(500);
  expect([waiting(next), waiting(pair.from)]).toEqual([0, 0]);
  expect(next.lane().send("XPENDING s{b} g - + 9")[0]).toMatch(/1-0 c/);
  expect(pair.sent()).toEqual([]);
  pair.assertSame();
});

test("a frame that comes again, late or in pieces, is known by its numbers, whatever became of the stream", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0", "2-0", "3-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0 COUNT 1");
  pair.source.pass(20);
  const [first] = pair.sent();
  // The answer to it is lost.
  pair.deliver(first!);
  pair.target.pass(20);
  expect(pair.answered()).toHaveLength(1);
  pair.to.lane().send("XTRIM dead{d} MAXLEN 0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.source.pass(1100);
  const [second] = pair.sent();
  assert(second!.kind === "items", "items are sent");
  expect(second!.items.map(({ id }) => id.toString())).toEqual(["1-0", "2-0", "3-0"]);
  for (const frame of [first!, second!, first!, second!]) pair.deliver(frame);
  expect(letters(pair.to)).toEqual(["2-0", "3-0"]);
  pair.target.pass(20);
  for (const frame of pair.answered()) pair.from.up.outbox.receive(frame, 1);
  pair.source.settle();
  expect(waiting(pair.from)).toBe(0);
  // The numbers outlive a restart, from the checkpoint and from the log.
  pair.target.pass(2000);
  for (const id of [1, 2, 3]) pair.target.replica(id).restart();
  pair.to = pair.target.awaitLeader([1, 2, 3]);
  pair.deliver(second!);
  expect(letters(pair.to)).toEqual(["2-0", "3-0"]);
  pair.to.lane().send("FLUSHALL");
  pair.deliver(second!);
  expect(letters(pair.to)).toEqual([]);
  pair.assertSame();
});

test("it is said to be taken when that is committed; what a deposed leader took is taken by the next one", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.source.pass(20);
  const [frame] = pair.sent();
  pair.target.isolate(1);
  pair.deliver(frame!);
  expect(pair.to.up.status().outboxTaken).toBe(1);
  pair.target.pass(60);
  expect(pair.answered()).toEqual([]);
  const next = pair.target.awaitLeader([2, 3]);
  pair.target.heal();
  pair.target.pass(500);
  expect(letters(next)).toEqual([]);
  pair.to.up.outbox.receive(frame!, 1);
  expect(pair.answered()).toEqual([expect.objectContaining({ kind: "notHere", leaderNodeId: next.id + 100 })]);
  pair.to = next;
  pair.deliver(frame!);
  pair.target.pass(20);
  expect(pair.answered()).toEqual([expect.objectContaining({ kind: "taken", refusal: null })]);
  expect(letters(next)).toEqual(["1-0"]);
  pair.assertSame();
});

test("the next leader of the source sends on, and an answer to the one before it counts", () => {
  const pair = new Pair();
  prepare(pair.from.lane(), "1-0", "2-0");
  pair.from.lane().send("XAUTOCLAIM s{b} g d 0 0");
  pair.source.pass(20);
  const [frame] = pair.sent();
  pair.deliver(frame!);
  pair.source.isolate(1);
  pair.from = pair.source.awaitLeader([2, 3]);
  pair.source.heal();
  expect(waiting(pair.from)).toBe(2);
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0", "2-0"]);
  expect(waiting(pair.from)).toBe(0);
  pair.assertSame();
});

test("a target that takes nothing keeps it waiting, and gets it when it can; the same within one shard", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0");
  pair.target.settings.refuseFixedMemory = true;
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.carry();
  expect(letters(pair.to)).toEqual([]);
  expect(lane.send("XINFO GROUPS s{b}")[0]).toContain("dead-letters-waiting :1");
  expect(pair.from.up.status().outboxRefused).toBeGreaterThan(0);
  expect(pair.from.up.outbox.relay.refusal).toBe("memory");
  pair.target.settings.refuseFixedMemory = false;
  pair.source.pass(8000);
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0"]);
  expect(pair.from.up.outbox.relay.refusal).toBe(null);
  lane.send("XGROUP SETDLQ s{b} g near{b} MAX_RETRIES 1", "XADD s{b} 5-0 f v", "XREADGROUP GROUP g c STREAMS s{b} >");
  pair.source.settings.refuseGrowth = true;
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.source.pass(100);
  expect(lane.send("XLEN near{b}")[0]).toContain(":0");
  expect(lane.send("XINFO GROUPS s{b}")[0]).toContain("dead-letters-waiting :1");
  expect(pair.from.up.outbox.relay.refusal).toBe("space");
  pair.source.settings.refuseGrowth = false;
  pair.source.pass(8000);
  expect(lane.send("XLEN near{b}")[0]).toContain(":1");
  expect(waiting(pair.from)).toBe(0);
  pair.assertSame();
});

test("an outbox takes no more than the setting says: what is due to go stays pending, and nobody is given it", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0", "2-0", "3-0");
  // An empty outbox takes one, however large.
  pair.source.settings.outboxMaxBytes = 1;
  expect(lane.send("XAUTOCLAIM s{b} g d 0 0")[0]).toMatch(/\[\] \[\]\]$/);
  expect(waiting(pair.from)).toBe(1);
  expect(lane.send("XPENDING s{b} g - + 9")[0]).toMatch(/\[2-0 c \S+ :1\] \[3-0 c \S+ :1\]\]$/);
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0"]);
  pair.source.settings.outboxMaxBytes = 0;
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  expect(waiting(pair.from)).toBe(2);
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0", "2-0", "3-0"]);
  // The same on the way back.
  pair.target.settings.outboxMaxBytes = 1;
  lane.send("XGROUP REDRIVE s{b} g");
  for (let i = 0; i < 5; i++) pair.carry();
  expect(letters(pair.to)).toEqual([]);
  pair.assertSame();
});

test("one that can't be taken holds up what is behind it for the same slot, and nothing else", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const lane = cluster.elect().lane();
  lane.send("XADD full{x} 18446744073709551615-18446744073709551615 f v", "XGROUP CREATE s g 0 MKSTREAM");
  lane.send("XGROUP CREATE s h 0", "XGROUP SETDLQ s g full{x} MAX_RETRIES 1", "XGROUP SETDLQ s h dead MAX_RETRIES 1");
  lane.send("XADD s 1-0 f v", "XREADGROUP GROUP g c STREAMS s >", "XREADGROUP GROUP h c STREAMS s >");
  lane.send("XAUTOCLAIM s g c 0 0", "XAUTOCLAIM s h c 0 0");
  cluster.pass(50);
  expect(lane.send("XLEN full{x}", "XLEN dead").map((reply) => reply.replace(/^\d+ /, ""))).toEqual([":1", ":1"]);
  expect(lane.send("XINFO GROUPS s")[0]).toMatch(/dead-letters-waiting :1.*dead-letters-waiting :0/);
  lane.send("DEL full{x}");
  cluster.pass(10_000);
  expect(lane.send("XLEN full{x}")[0]).toContain(":1");
});

test("one whose stream holds something else now waits until it does not", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETDLQ s g dead MAX_RETRIES 1", "SET dead x");
  // An order finds nothing there.
  lane.send("XGROUP REDRIVE s g", "XADD s 1-0 f v");
  cluster.pass(50);
  expect(waiting(leader)).toBe(0);
  lane.send("XREADGROUP GROUP g c STREAMS s >", "XAUTOCLAIM s g c 0 0");
  cluster.pass(2000);
  expect(lane.send("XINFO GROUPS s")[0]).toContain("dead-letters-waiting :1");
  expect(leader.up.outbox.relay.refusal).toBe("wrongType");
  lane.send("DEL dead");
  cluster.pass(10_000);
  expect(lane.send("XLEN dead")[0]).toContain(":1");
  expect(waiting(leader)).toBe(0);
});

test("dead letters come back from another shard once, and are gone there", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0", "2-0", "3-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.carry();
  lane.send("XGROUP REDRIVE s{b} g COUNT 2");
  pair.carry();
  expect(letters(pair.to)).toEqual(["3-0"]);
  expect(lane.send("XPENDING s{b} g - + 9")[0]).toMatch(/\[1-0  :-1 :0\] \[2-0  :-1 :0\]\]$/);
  lane.send("XACK s{b} g 1-0", "XGROUP REDRIVE s{b} g");
  pair.carry();
  expect(letters(pair.to)).toEqual([]);
  expect(lane.send("XPENDING s{b} g - + 9")[0]).toMatch(/\[2-0  :-1 :0\] \[3-0  :-1 :0\]\]$/);
  expect([waiting(pair.from), waiting(pair.to)]).toEqual([0, 0]);
  pair.assertSame();
});

test("what comes back to a group that is gone goes where it was", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.carry();
  lane.send("XGROUP REDRIVE s{b} g", "XGROUP DESTROY s{b} g");
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0"]);
  expect([waiting(pair.from), waiting(pair.to)]).toEqual([0, 0]);
  pair.assertSame();
});

test("FLUSHALL takes what waits along, and what comes after it is not taken for what came before", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  prepare(lane, "1-0", "2-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.carry();
  lane.send("XADD s{b} 3-0 f v", "XREADGROUP GROUP g c STREAMS s{b} >", "XAUTOCLAIM s{b} g d 0 0");
  expect(waiting(pair.from)).toBe(1);
  lane.send("FLUSHALL");
  expect(waiting(pair.from)).toBe(0);
  pair.sent();
  prepare(lane, "1-0");
  lane.send("XAUTOCLAIM s{b} g d 0 0");
  pair.carry();
  expect(letters(pair.to)).toEqual(["1-0", "2-0", "1-0"]);
  pair.assertSame();
});

test("a call that waits gives up what falls due too often, and goes on waiting", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("XGROUP CREATE s g $ MKSTREAM", "XGROUP SETRETRY s g MIN-IDLE 200", "XGROUP SETDLQ s g dead MAX_RETRIES 2");
  const waits = leader.lane();
  waits.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  lane.send("XADD s 1-0 f v");
  expect(waits.take()).toHaveLength(1);
  waits.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  cluster.pass(250);
  expect(waits.take()).toHaveLength(1);
  waits.send("XREADGROUP GROUP g d BLOCK 0 STREAMS s >");
  cluster.pass(250);
  expect(waits.take()).toEqual([]);
  expect(leader.up.status().blockedCalls).toBe(1);
  expect(lane.send("XLEN dead", "XPENDING s g").map((reply) => reply.replace(/^\d+ /, ""))).toEqual([
    ":1",
    "[:0 nil nil nil]",
  ]);
  lane.send("XADD s 2-0 f v");
  expect(waits.take()).toHaveLength(1);
  cluster.pass(20);
  cluster.assertSame();
});

test("a full outbox keeps entries pending, delivers them to nobody, and takes them when it has room", () => {
  const pair = new Pair();
  const lane = pair.from.lane();
  const value = "x".repeat(3_000_000);
  lane.send("XGROUP CREATE s{b} g 0 MKSTREAM", "XGROUP SETDLQ s{b} g dead{d} MAX_RETRIES 1");
  for (const id of [1, 2, 3]) lane.send(`XADD s{b} ${id}-0 f ${value}`);
  lane.send("XREADGROUP GROUP g c STREAMS s{b} >");
  expect(lane.send("XAUTOCLAIM s{b} g d 0 0 JUSTID")[0]).toMatch(/\[0-0 \[\] \[\]\]$/);
  expect(waiting(pair.from)).toBe(2);
  expect(lane.send("XPENDING s{b} g - + 9 c")[0]).toMatch(/\[\[3-0 c :\d+ :1\]\]$/);
  expect(lane.send("XREADGROUP GROUP g d CLAIM 0 STREAMS s{b} >")[0]).toMatch(/nil$/);
  expect(waiting(pair.from)).toBe(2);
  pair.carry();
  expect(waiting(pair.from)).toBe(0);
  lane.send("XAUTOCLAIM s{b} g d 0 0 JUSTID");
  pair.carry();
  expect(pair.to.lane().send("XLEN dead{d}")[0]).toContain(":3");
  pair.assertSame();
});
