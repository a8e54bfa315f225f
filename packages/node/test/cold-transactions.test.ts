/** Transactions that meet cold blocks: until their first effect they wait and run again as a whole, like any command. Everything is real here. */
import { ChannelKind } from "@headrace/commands";
import { expect, test } from "vitest";
import { ShardCluster, type ClusterOptions, type TestReplica } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

/** EXEC as a gateway sends it. */
function exec(watchCalls: number, ...commands: readonly string[]): string {
  const parts = commands.map((command) => {
    const words = command.split(" ");
    return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  });
  return ["EXEC", "0", String(watchCalls), "WRITE", ...parts].join(" ");
}

/** Two blocks of about 32 KiB, the first one full. */
const VALUE = "v".repeat(900);
const ENTRIES = 40;

/** A leader that has opened with the entries 1-0 … of `s` and `t` on its disk alone, and whose disk answers no read beside the loop. */
function coldLeader(options: Partial<ClusterOptions> = {}): { cluster: ShardCluster; leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 1, ...options });
  let leader = cluster.elect();
  const lane = leader.lane();
  for (const key of ["s", "t"]) for (let ms = 1; ms <= ENTRIES; ms++) lane.send(`XADD ${key} ${ms}-0 f ${VALUE}`);
  for (const replica of cluster.replicas) {
    replica.up.checkpoint(() => {});
    cluster.settle();
    replica.restart();
  }
  leader = cluster.elect();
  leader.kv.holdReads = true;
  return { cluster, leader };
}

function arrive(cluster: ShardCluster, leader: TestReplica, lane: TestLane): readonly string[] {
  leader.kv.releaseReads();
  cluster.settle();
  return lane.take();
}

function entry(ms: number): string {
  return `[${ms}-0 [f ${VALUE}]]`;
}

test("it waits with its lane and runs once, as one log entry, when everything has come", () => {
  const { cluster, leader } = coldLeader();
  const lane = leader.lane();
  const executed = leader.up.status().executed;
  expect(lane.send(exec(0, "XLEN s", "XRANGE s 1-0 1-0", "XADD s 99-0 f v", "XLEN s"), "XLEN s")).toEqual([]);
  expect(leader.up.status().coldCalls).toBe(1);
  // Nobody else waits, and nothing of it has happened.
  expect(leader.lane().send("XLEN s", "XADD u 1-0 f v")).toEqual(["1 :40", "2 1-0"]);
  const last = leader.up.stateHash().index;
  expect(arrive(cluster, leader, lane)).toEqual([`1 [:40 [${entry(1)}] 99-0 :41]`, "2 :41"]);
  expect(leader.up.stateHash().index).toBe(last + 1);
  // EXEC and its four parts, XLEN; two of the other lane's.
  expect(leader.up.status().executed - executed).toBe(8);
  // For the entry, and for what XADD has to know of the last block.
  expect(leader.memory.traffic.waits).toBe(2);
  expect(leader.memory.traffic.readsNow).toBe(0);
});

test("reads of several streams in it wait one after the other, and all of them are there when it runs", () => {
  const { cluster, leader } = coldLeader();
  const lane = leader.lane();
  lane.send(exec(0, "XRANGE s 1-0 1-0", "XRANGE t 2-0 2-0"));
  expect(arrive(cluster, leader, lane)).toEqual([`1 [[${entry(1)}] [${entry(2)}]]`]);
  expect(leader.memory.traffic.waits).toBe(2);
  expect(leader.memory.traffic.readsNow).toBe(0);
});

test("what reads behind a write need is waited for before the write", () => {
  const { cluster, leader } = coldLeader();
  const lane = leader.lane();
  expect(lane.send(exec(0, "XADD s 99-0 f v", "XRANGE s 1-0 1-0", "XREAD COUNT 1 STREAMS t 1-0"))).toEqual([]);
  expect(leader.lane().send("XLEN s")).toEqual(["1 :40"]);
  expect(arrive(cluster, leader, lane)).toEqual([`1 [99-0 [${entry(1)}] [[t [${entry(2)}]]]]`]);
  expect(leader.memory.traffic.readsNow).toBe(0);
});

test("behind a write that may take entries away nobody looks ahead: what is really needed is read at once", () => {
  const { leader } = coldLeader();
  const lane = leader.lane();
  expect(lane.send(exec(0, "DEL t", "XRANGE s 1-0 1-0", "XRANGE t - +"))).toEqual([`1 [:1 [${entry(1)}] []]`]);
  expect(leader.memory.traffic.waits).toBe(0);
  expect(leader.memory.traffic.readsNow).toBe(1);
});

test("one that wants more than one may at once is aborted before anything has happened, and watches nothing any more", () => {
  const { cluster, leader } = coldLeader({ limits: { coldCallBytes: 64 * 1024 } });
  const lane = leader.lane();
  const refused =
    "-EXECABORT Transaction discarded because of: OOM command needs more entries in memory at once than 'maxmemory' allows, ask for fewer (COUNT).";
  lane.send("WATCH s");
  lane.take();
  expect(lane.send(exec(1, "XRANGE s - +", "XRANGE t - +", "XADD s 99-0 f v"))).toEqual([]);
  expect(arrive(cluster, leader, lane)).toEqual([`2 ${refused}`]);
  expect(leader.memory.traffic.waits).toBe(1);
  expect(lane.send("XLEN s", exec(0, "XLEN s"))).toEqual(["3 :40", "4 [:40]"]);
});

test("one that only might want too much behind its writes runs, and reads at once what it needs", () => {
  const { cluster, leader } = coldLeader({ limits: { coldCallBytes: 64 * 1024 } });
  const lane = leader.lane();
  const all = Array.from({ length: ENTRIES }, (_, i) => entry(i + 1)).join(" ");
  expect(lane.send(exec(0, "XADD u 1-0 f v", "XRANGE s - +", "XRANGE t - +"))).toEqual([]);
  expect(arrive(cluster, leader, lane)).toEqual([`1 [1-0 [${all}] [${all}]]`]);
  expect(leader.memory.traffic.waits).toBe(1);
  expect(leader.memory.traffic.readsNow).toBe(2);
});

test("WATCH decides when it runs: what others change while it waits counts, and what nobody changes does not", () => {
  for (const isChanged of [true, false]) {
    const { cluster, leader } = coldLeader();
    const lane = leader.lane();
    lane.send("WATCH s");
    lane.take();
    expect(lane.send(exec(1, "XRANGE s 1-0 1-0", "XADD s 99-0 f v"))).toEqual([]);
    if (isChanged) leader.lane().send("EXPIRE s 1000", "PERSIST s");
    expect(arrive(cluster, leader, lane)).toEqual([isChanged ? "2 nil" : `2 [[${entry(1)}] 99-0]`]);
    expect(lane.send("XLEN s")).toEqual([isChanged ? "3 :40" : "3 :41"]);
  }
});

test("a change of leader while it waits refuses it: nothing has happened, and behind the next leader WATCH answers nil", () => {
  const { cluster, leader } = coldLeader({ replicas: 3 });
  const lane = leader.lane();
  lane.send("WATCH s");
  lane.take();
  expect(lane.send(exec(1, "XRANGE s 1-0 1-0", "XADD s 99-0 f v"))).toEqual([]);
  cluster.isolate(leader.id);
  cluster.pass(400);
  expect(lane.take()).toEqual(["2 refused 1 leader 0"]);
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual([]);
  const second = cluster.awaitLeader([2, 3]);
  const elsewhere = second.lane();
  expect(elsewhere.send(exec(1, "XADD s 99-0 f v"))).toEqual(["1 nil"]);
  expect(elsewhere.send("XLEN s")).toEqual(["2 :40"]);
  cluster.heal();
  cluster.pass(400);
  cluster.assertSame();
});

test("one that has only found a key expired waits too, and the key is gone for all meanwhile", () => {
  const { cluster, leader } = coldLeader({ replicas: 3 });
  leader.lane().send("XADD e 1-0 f v", "PEXPIRE e 50");
  // It comes before the leader's own turn for the key.
  cluster.time.pass(60);
  const lane = leader.lane();
  const before = leader.up.status().lastIndex;
  expect(lane.send(exec(0, "XLEN e", "XRANGE s 1-0 1-0", "XADD e 2-0 f v"))).toEqual([]);
  expect(leader.up.status()).toMatchObject({ keys: 2, lastIndex: before + 1, coldCalls: 1 });
  expect(arrive(cluster, leader, lane)).toEqual([`1 [:0 [${entry(1)}] 2-0]`]);
  expect(leader.up.status()).toMatchObject({ keys: 3, lastIndex: before + 2 });
  expect(leader.memory.traffic.readsNow).toBe(0);
  cluster.pass(20);
  cluster.assertSame();
});

test("what was published before the miss is said once: then it is read at once", () => {
  const { cluster, leader } = coldLeader();
  const heard: string[] = [];
  const sink = {
    message: (_shard: number, _term: number, _kind: ChannelKind, channel: string, message: Uint8Array): void => {
      heard.push(`${channel} ${String.fromCharCode(...message)}`);
    },
  };
  leader.channels.set(sink, ChannelKind.channel, "c", 1);
  const lane = leader.lane();
  expect(lane.send(exec(0, "PUBLISH c m", "XDEL s 1-0"))).toEqual(["1 [:1 :1]"]);
  cluster.pass(20);
  expect(heard).toEqual(["c m"]);
  expect(leader.memory.traffic.readsNow).toBe(1);
});
