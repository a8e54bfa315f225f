/** XGROUP SETMAXLAG and MAXLAG-BYTES on a leader: who is refused, who is held and for how long, and what becomes of that when leaders change. */
import { CancelHow } from "@headrace/link";
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

function refusal(behind: number, limit: number, number = 1): string {
  return `${number} -BACKPRESSURE group 'g' of 's' is ${behind} entries behind (limit ${limit})`;
}

const READ = "XREADGROUP GROUP g c COUNT 1 STREAMS s >";

test("a held XADD waits until a consumer has read, the longest held first, and is answered when it is committed", () => {
  const { cluster, leader } = three();
  const consumer = leader.lane();
  consumer.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 5000", "XADD s 1-0 f v");
  const held = ["2-0", "3-0", "4-0"].map((id) => {
    const lane = leader.lane();
    expect(lane.send(`XADD s ${id} f v`)).toEqual([]);
    expect(lane.parkedCalls).toEqual(["1"]);
    return lane;
  });
  expect(leader.up.status()).toMatchObject({ blockedCalls: 3, heldWrites: 3 });
  cluster.pass(20);
  cluster.isolate(1);
  consumer.send(READ);
  // The lag that let it go on, and its own entry, may both be taken back.
  expect(held.map((lane) => lane.take())).toEqual([[], [], []]);
  cluster.heal();
  cluster.pass(20);
  expect(held.map((lane) => lane.take())).toEqual([["1 2-0"], [], []]);
  consumer.send(READ, READ);
  expect(held.map((lane) => lane.take())).toEqual([[], ["1 3-0"], ["1 4-0"]]);
  expect(leader.up.status()).toMatchObject({ blockedCalls: 0, heldWrites: 0 });
  cluster.pass(20);
  cluster.assertSame();
});

test("a held XADD is refused when its time is over, which counts from its first run", () => {
  const { cluster, leader } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 100", "XADD s 1-0 f v");
  const lane = leader.lane();
  lane.send("XADD s 2-0 f v");
  cluster.pass(60);
  other.send("XGROUP CREATECONSUMER s g c");
  expect(lane.take()).toEqual([]);
  cluster.pass(60);
  expect(lane.take()).toEqual([refusal(1, 1)]);
  expect(other.send("XLEN s").at(-1)).toMatch(/:1$/);
  expect(leader.up.status()).toMatchObject({ blockedCalls: 0, heldWrites: 0 });
});

test("what a client has sent behind its held XADD runs behind it", () => {
  const { leader } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 5000");
  const lane = leader.lane();
  expect(lane.send("XADD s 1-0 f v", "XADD s 2-0 f v", "XLEN s")).toEqual(["1 1-0"]);
  expect(lane.send("XADD s 3-0 f v", "XADD t 1-0 f v")).toEqual([]);
  lane.take();
  other.send(READ);
  expect(lane.take()).toEqual(["2 2-0", "3 :2"]);
  other.send(READ);
  expect(lane.take()).toEqual(["4 3-0", "5 1-0"]);
});

test("nobody is held in a transaction: the XADD is refused there, and the rest runs", () => {
  const { leader } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 5000", "XADD s 1-0 f v");
  const lane = leader.lane();
  const parts = [
    "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$3\r\n2-0\r\n$1\r\nf\r\n$1\r\nv\r\n",
    "*2\r\n$4\r\nXLEN\r\n$1\r\ns\r\n",
  ];
  expect(lane.send(["EXEC", "0", "0", "WRITE", ...parts].join(" "))).toEqual([`1 [${refusal(1, 1).slice(2)} :1]`]);
});

test("a step-down gives a held XADD back as never executed, and the next leader holds it again", () => {
  const { cluster, leader } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 5000", "XADD s 1-0 f v");
  const lane = leader.lane();
  lane.send("XADD s 2-0 f v", "XLEN s");
  cluster.pass(20);
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  cluster.pass(2000);
  expect(lane.take()).toEqual([expect.stringMatching(/^1 refused /)]);
  const again = next.lane();
  again.send("XADD s 2-0 f v", "XLEN s");
  expect(again.take()).toEqual([]);
  next.lane().send(READ);
  expect(again.take()).toEqual(["1 2-0", "2 :2"]);
  cluster.heal();
  cluster.pass(500);
  cluster.assertSame();
});

test("a held XADD whose leader died is held by the next one; one that had been served there is not executed again", () => {
  const { cluster, leader } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 5000", "XADD s 1-0 f v");
  const [served, waits] = [leader.lane(), leader.lane()];
  for (const lane of [served, waits]) lane.send("XADD s * f v");
  expect([served.parkedCalls, waits.parkedCalls]).toEqual([["1"], ["1"]]);
  other.send(READ);
  cluster.pass(20);
  leader.crash();
  const next = cluster.awaitLeader([2, 3]);
  const sentAgain = [served, waits].map(({ session }) => {
    const lane = next.lane();
    lane.session = session;
    lane.nextNumber = 2;
    lane.executedUpTo = 1;
    lane.send("XADD s * f v");
    return lane;
  });
  expect(sentAgain.map((lane) => lane.take())).toEqual([[expect.stringMatching(/^2 -UNCERTAIN /)], []]);
  next.lane().send(READ);
  expect(sentAgain[1]!.take()).toEqual([expect.stringMatching(/^2 \d+-\d+$/)]);
  expect(next.lane().send("XLEN s")).toEqual(["1 :3"]);
});

test("more held writes than there is room for are refused, and what is held ends when what waits behind it takes too much", () => {
  const { leader, cluster } = three({ limits: { queueBytes: 4000 } });
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 60000", "XADD s 1-0 f v");
  const value = "v".repeat(300);
  const lanes = [2, 3, 4, 5].map((id) => {
    const lane = leader.lane();
    lane.send(`XADD s ${id}-0 f ${value}`);
    return lane;
  });
  // A quarter of what may wait is for their copies.
  expect(lanes.map((lane) => lane.take())).toEqual([[], [], [refusal(1, 1)], [refusal(1, 1)]]);
  const behind = "XADD t * f ".concat("v".repeat(1000));
  lanes[0]!.send(behind);
  expect(lanes[0]!.take()).toEqual([]);
  lanes[1]!.send(behind);
  cluster.settle();
  expect(lanes[0]!.take()[0]).toBe(refusal(1, 1));
  expect(lanes[1]!.take()[0]).toBe(refusal(1, 1));
  expect(leader.up.status()).toMatchObject({ blockedCalls: 0, heldWrites: 0 });
});

test("another client ends it: refused as when its time is over, or with the error of CLIENT UNBLOCK; it has not happened", () => {
  const { leader, cluster } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 60000", "XADD s 1-0 f v");
  for (const [how, reply] of [
    [CancelHow.timeOut, refusal(1, 1)],
    [CancelHow.unblock, "1 -UNBLOCKED client unblocked via CLIENT UNBLOCK"],
  ] as const) {
    const lane = leader.lane();
    lane.send("XADD s 2-0 f v");
    leader.up.cancel(lane, 1, how);
    cluster.settle();
    expect(lane.take()).toEqual([reply]);
    expect(leader.up.status()).toMatchObject({ blockedCalls: 0, heldWrites: 0 });
  }
  other.send(READ);
  expect(other.send("XLEN s").at(-1)).toMatch(/:1$/);
  cluster.pass(20);
  cluster.assertSame();
});

test("the client is gone: its held XADD never happens", () => {
  const { leader, cluster } = three();
  const other = leader.lane();
  other.send("XGROUP CREATE s g 0 MKSTREAM", "XGROUP SETMAXLAG s g 1 POLICY DELAY MAX 60000", "XADD s 1-0 f v");
  const lane = leader.lane();
  lane.send("XADD s 2-0 f v");
  lane.closed = true;
  leader.up.laneClosed(lane);
  cluster.settle();
  other.send(READ);
  expect(other.send("XLEN s").at(-1)).toMatch(/:1$/);
});
