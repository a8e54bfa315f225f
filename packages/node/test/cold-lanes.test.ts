/**
 * Lanes whose commands meet cold blocks, in whole replicas. Which blocks are cold is pretended here: `XLEN cold:1,2` needs the blocks 1 and 2 and answers
 * how many of them it found in memory; `XADD cold:1 …` needs block 1 when it has written. Everything else is real.
 */
import { assert, bytesOf } from "@headrace/bytes";
import { Ack, findCommandByName } from "@headrace/commands";
import type { ShardContext } from "@headrace/commands";
import { ColdMiss, DamagedRowError, ShardState } from "@headrace/engine";
import type { BlockName, RowRange, StateRow } from "@headrace/engine";
import { afterEach, beforeEach, expect, test, vi, type MockInstance } from "vitest";
import { ColdBlocks } from "../src/cold-blocks.ts";
import { generationOf, stateKey } from "../src/checkpoint-row.ts";
import { keyBehind } from "../src/state-ranges.ts";
import { ShardCluster, type TestReplica } from "../testing/shard-cluster.ts";
import { GROUP } from "../testing/test-lane.ts";

const SLOT = 9;

/** Not in memory, by number. */
const cold = new Set<number>();
/** A key that `XLEN cold:…` looks up too, before it needs its blocks. */
let looksUp: string | null = null;
/** As the store must have them. */
const content = new Map<number, string>();

function subkeyOf(number: number): Uint8Array {
  return bytesOf(`block ${number}`);
}

/** Whoever began a command last is the leader. */
let begun: MockInstance<ColdBlocks["begin"]>;

function need(numbers: readonly number[]): void {
  const missing = numbers.filter((number) => cold.has(number));
  if (missing.length === 0) return;
  const blocks = begun.mock.contexts.at(-1) as ColdBlocks | undefined;
  assert(blocks !== undefined, "a replica leads");
  if (blocks.mayMiss) {
    const named = missing.map((number) => ({ slot: SLOT, age: 1, number, byteLength: 32 * 1024 }));
    throw new ColdMiss(named);
  }
  for (const number of missing) if (blocks.rowNow(SLOT, subkeyOf(number)) !== null) cold.delete(number);
}

function numbersOf({ request }: ShardContext): readonly number[] {
  const [kind, list] = request.latin1(1).split(":");
  return kind === "cold" ? list!.split(",").map(Number) : [];
}

beforeEach(() => {
  cold.clear();
  content.clear();
  looksUp = null;
  for (const name of ["xlen", "xadd"]) {
    const record = findCommandByName(name) as { execute: (context: ShardContext) => void };
    const { execute } = record;
    vi.spyOn(record, "execute").mockImplementation((context) => {
      const numbers = numbersOf(context);
      // Bytes of a reply that is taken back.
      if (name === "xlen" && numbers.length > 0) context.reply.array(1);
      if (looksUp !== null && numbers.length > 0) context.keyspace.find(looksUp);
      if (name === "xadd" || numbers.length === 0) execute(context);
      need(numbers);
      if (name === "xlen" && numbers.length > 0) context.reply.integer(numbers.length);
    });
  }
  begun = vi.spyOn(ColdBlocks.prototype, "begin");
  vi.spyOn(ShardState.prototype, "rowsOfBlock").mockImplementation(({ number }: BlockName): RowRange | null => {
    const from = subkeyOf(number);
    return cold.has(number) ? { fromSlot: SLOT, from, toSlot: SLOT, to: keyBehind(from) } : null;
  });
  vi.spyOn(ShardState.prototype, "takeBlock").mockImplementation(
    ({ number }: BlockName, [row]: readonly StateRow[]): boolean => {
      const wanted = content.get(number);
      if (String.fromCharCode(...(row?.value ?? [])) !== wanted) throw new DamagedRowError(`block ${number}`);
      return cold.delete(number);
    },
  );
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Puts blocks into the replicas' stores; they are in nobody's memory. */
function store(cluster: ShardCluster, ...numbers: readonly number[]): void {
  for (const number of numbers) {
    content.set(number, `content ${number}`);
    for (const { kv } of cluster.replicas) {
      const value = bytesOf(content.get(number)!);
      kv.write([{ key: stateKey(generationOf(GROUP, 1), SLOT, subkeyOf(number)), value }], () => {});
    }
  }
  cluster.settle();
  for (const number of numbers) cold.add(number);
}

function leading(cluster: ShardCluster): TestReplica {
  const leader = cluster.elect();
  // The checkpoint's rows of this test are none that a rollback knows.
  leader.kv.holdReads = true;
  return leader;
}

test("a command that waits for blocks holds up its own lane, in order, and nobody else", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = leading(cluster);
  store(cluster, 1, 2);
  const lane = leader.lane();
  expect(lane.send("XADD s 1-0 f v", "XLEN cold:1,2", "XADD s 2-0 f v", "XLEN s")).toEqual(["1 1-0"]);
  expect(lane.send("XADD s 3-0 f v")).toEqual([]);
  expect(leader.up.status().coldCalls).toBe(1);
  expect(leader.lane().send("XLEN s", "XADD t 1-0 f v", "XLEN t")).toEqual(["1 :1", "2 1-0", "3 :1"]);
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take().slice(1)).toEqual(["2 [:2]", "3 2-0", "4 :2", "5 3-0"]);
  const { coldCalls, executed } = leader.up.status();
  expect(coldCalls).toBe(0);
  // Its first run was none.
  expect(executed).toBe(8);
  expect(leader.memory.traffic.waits).toBe(1);
});

test("two commands of a lane that both need blocks wait one after the other", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = leading(cluster);
  store(cluster, 1, 2);
  const lane = leader.lane();
  lane.send("XLEN cold:1", "XLEN cold:2", "XLEN s");
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual(["1 [:1]", "2 [:1]", "3 :0"]);
});

test("a command that has written reads at once, and so does what stands behind a write in a transaction", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = leading(cluster);
  store(cluster, 1, 2, 3);
  const lane = leader.lane();
  expect(lane.send("XADD cold:1 1-0 f v")).toEqual(["1 1-0"]);
  expect(leader.memory.traffic.readsNow).toBe(1);
  expect(leader.memory.traffic.waits).toBe(0);
  expect(lane.send(exec("XADD s 1-0 f v", "XLEN cold:2"))).toEqual(["2 [1-0 [:1]]"]);
  expect(leader.memory.traffic.readsNow).toBe(2);
  expect(leader.memory.traffic.waits).toBe(0);
});

test("a command that has only found a key expired waits for its blocks, and the key is gone for all meanwhile", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = leading(cluster);
  store(cluster, 1);
  looksUp = "s";
  leader.lane().send("XADD s 1-0 f v", "XGROUP CREATE s g $", "PEXPIRE s 50");
  const [waiting, lane] = [leader.lane(), leader.lane()];
  waiting.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
  const before = leader.up.status().lastIndex;
  // It comes before the leader's own turn for the key.
  cluster.time.pass(60);
  expect(lane.send("XLEN cold:1")).toEqual([]);
  expect(leader.up.status()).toMatchObject({ keys: 0, lastIndex: before + 1, coldCalls: 1 });
  expect(leader.memory.traffic.readsNow).toBe(0);
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual(["1 [:1]"]);
  expect(waiting.take()).toEqual(["1 -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"]);
  cluster.assertSame();
});

test("a command that wants more than one may at once is told to ask for less", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: { coldCallBytes: 64 * 1024 } });
  const leader = leading(cluster);
  store(cluster, 1, 2, 3);
  // What it had written of its reply is not in the frame that all three share.
  const lane = leader.lane();
  expect(lane.send("XLEN s", "XLEN cold:1,2,3", "XLEN s")).toEqual([
    "1 :0",
    "2 -OOM command needs more entries in memory at once than 'maxmemory' allows, ask for fewer (COUNT).",
    "3 :0",
  ]);
  expect(lane.replyFrames).toBe(1);
});

test("a lane that goes away while its blocks are read leaves nothing behind", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = leading(cluster);
  store(cluster, 1);
  const lane = leader.lane();
  lane.send("XLEN cold:1", "XADD s 1-0 f v");
  lane.closed = true;
  leader.up.laneClosed(lane);
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual([]);
  // What had arrived was executed.
  expect(leader.lane().send("XLEN s")).toEqual(["1 :1"]);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, queuedBytes: 0 });
  const { log, blocks, fixed } = leader.up.status().memory;
  expect(leader.memory.usedBytes).toBe(log + blocks + fixed);
});

test("a call that was sent again, and is found uncertain while its blocks are read, holds them no longer", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = leading(cluster);
  store(cluster, 1);
  const [old, again] = [leader.lane(), leader.lane()];
  again.session = old.session;
  again.executedUpTo = 0;
  expect(again.send("XLEN cold:1")).toEqual([]);
  // What the client had sent on its former link is executed only now.
  old.send("XADD s 1-0 f v");
  leader.kv.releaseReads();
  cluster.settle();
  expect(again.take()).toEqual([expect.stringMatching(/^1 -UNCERTAIN /)]);
  expect(leader.up.status().coldCalls).toBe(0);
  expect(leader.memory.traffic.count).toBe(0);
});

test("a lane that begins anew while its blocks are read waits for them no longer", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = leading(cluster);
  store(cluster, 1);
  const lane = leader.lane();
  lane.send("XLEN cold:1", "XADD s 1-0 f v");
  lane.epoch++;
  lane.nextNumber = 1;
  expect(lane.send("XADD s 2-0 f v")).toEqual(["1 2-0"]);
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual(["1 2-0"]);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, queuedBytes: 0 });
  expect(leader.lane().send("XLEN s")).toEqual(["1 :1"]);
});

test("a leader that is deposed while blocks are read refuses what waited: nothing has happened, and what comes back is for nobody", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = leading(cluster);
  store(cluster, 1);
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v");
  lane.send("XLEN cold:1", "XADD s 2-0 f v");
  cluster.isolate(1);
  cluster.pass(400);
  expect(lane.take()).toEqual(["1 1-0", "2 refused 1 leader 0"]);
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual([]);
  expect(cold.has(1)).toBe(true);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, queuedBytes: 0 });
  expect(leader.memory.traffic.underWay).toBe(0);
  const second = cluster.awaitLeader([2, 3]);
  expect(second.lane().send("XLEN s")).toEqual(["1 :1"]);
});

test("a node that stops refuses what waits for blocks", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = leading(cluster);
  store(cluster, 1);
  const lane = leader.lane();
  lane.send("XLEN cold:1");
  leader.up.stopServing();
  cluster.settle();
  expect(lane.take()[0]).toMatch(/^1 refused/);
  leader.up.fail("the node is stopping");
  leader.kv.releaseReads();
  cluster.settle();
  expect(lane.take()).toEqual([]);
  expect(leader.failure).toBeNull();
});

test("blocks that can't be read fail the replica, and its lanes learn that nothing has happened", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = leading(cluster);
  store(cluster, 1);
  const lane = leader.lane();
  lane.send("XLEN cold:1");
  leader.kv.readFailure = { ok: false, reason: "corrupt", message: "a checksum" };
  leader.kv.releaseReads();
  cluster.settle();
  expect(leader.failure).toBe("block 1 of key 1 in slot 9 cannot be read: a checksum");
  expect(lane.take()[0]).toMatch(/^1 refused/);
});

test("a block that is not as it was written fails the replica before the command has run", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = leading(cluster);
  store(cluster, 1);
  content.set(1, "something else");
  const lane = leader.lane();
  lane.send("XLEN cold:1");
  leader.kv.releaseReads();
  cluster.settle();
  expect(leader.failure).toBe("block 1");
  expect(lane.take()[0]).toMatch(/^1 refused/);
});

test("a row that can't be read at once leaves no part of its command in the log", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = leading(cluster);
  store(cluster, 1);
  leader.kv.readFailure = { ok: false, reason: "io", message: "EIO" };
  const before = leader.lane();
  before.queue("XADD s 1-0 f v");
  const lane = leader.lane();
  lane.queue(exec("XADD s 2-0 f v", "XADD cold:1 1-0 f v"));
  cluster.settle();
  expect(leader.failure).toBe("a block cannot be read: EIO");
  // It stands half done in a memory that nobody will look into; its fate is not known to the client.
  expect(before.take()).toEqual(["1 lost"]);
  expect(lane.take()[0]).toMatch(/^1 (lost|refused)/);
  const second = cluster.awaitLeader([2, 3]);
  expect(second.lane().send("XLEN s", "XLEN t")).toEqual(["1 :0", "2 :0"]);
});

test("a row that can't be read now, but later, takes its command back: the replica loads its state again and goes on", () => {
  for (const replicas of [1, 3]) {
    const cluster = new ShardCluster({ replicas });
    const leader = cluster.elect();
    for (const { up } of cluster.replicas) up.checkpoint(() => {});
    cluster.settle();
    cold.add(1);
    const [before, careless, reader, lane] = [leader.lane(), leader.lane(), leader.lane(), leader.lane()];
    careless.ack = Ack.executed;
    const waiting = leader.lane();
    waiting.send("XREAD BLOCK 0 STREAMS s $");
    before.send("XADD s 1-0 f v");
    waiting.take();
    leader.kv.readNowFailure = { ok: false, reason: "later", message: "it is being opened again" };
    // While the store is away nobody gets rows.
    leader.kv.holdReads = true;
    before.queue("XADD s 2-0 f v");
    careless.queue("XADD s 3-0 f v");
    reader.queue("XLEN s");
    lane.queue(exec("XADD s 4-0 f v", "XADD cold:1 1-0 f v"));
    cluster.settle();
    expect(leader.failure).toBeNull();
    expect(leader.up.isReady).toBe(false);
    // No level of a write says that it happened, no reader has seen it.
    expect([before.take(), careless.take(), reader.take()]).toEqual([["1 1-0", "2 lost"], ["1 lost"], ["1 lost"]]);
    expect(lane.take()[0]).toMatch(/^1 (lost|refused)/);
    leader.kv.readNowFailure = null;
    leader.kv.releaseReads();
    cluster.settle();
    const leading = cluster.awaitLeader(cluster.replicas.map(({ id }) => id));
    expect(leading.lane().send("XLEN s", "XADD s 5-0 f v", "XLEN s")).toEqual(["1 :1", "2 5-0", "3 :2"]);
    cluster.pass(50);
    cluster.assertSame();
    expect(leader.rollbacks).toEqual(["rollback_loaded_all"]);
  }
});

/** EXEC as a gateway sends it. */
function exec(...commands: readonly string[]): string {
  const parts = commands.map((command) => {
    const words = command.split(" ");
    return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  });
  return ["EXEC", "0", "0", "WRITE", ...parts].join(" ");
}
