/** Calls that wait for entries and meet cold blocks when they are run again: they keep their place while these are read, and everybody else goes on. */
import { OfferHow, RequestMode } from "@headrace/link";
import { expect, test } from "vitest";
import { CancelHow } from "../src/shard-api.ts";
import { ShardCluster, type ClusterOptions, type TestReplica } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

/** Three blocks of about 32 KiB, the first two full. */
const VALUE = "v".repeat(900);
const ENTRIES = 80;
const TOO_MUCH = "-OOM command needs more entries in memory at once than 'maxmemory' allows, ask for fewer (COUNT).";

interface Scene {
  readonly cluster: ShardCluster;
  readonly leader: TestReplica;
  readonly writer: TestLane;
}

/** A leader that has opened with the entries 1-0 … 80-0 of `s` and `t` on its disk alone; groups `g` and `h` have been given all of them. */
function coldLeader(options: Partial<ClusterOptions> = {}): Scene {
  const cluster = new ShardCluster({ replicas: 1, ...options });
  let leader = cluster.elect();
  const lane = leader.lane();
  for (const key of ["s", "t"]) {
    for (let ms = 1; ms <= ENTRIES; ms++) lane.send(`XADD ${key} ${ms}-0 f ${VALUE}`);
    for (const group of ["g", "h"]) lane.send(`XGROUP CREATE ${key} ${group} $`);
  }
  for (const replica of cluster.replicas) {
    replica.up.checkpoint(() => {});
    cluster.settle();
    replica.restart();
  }
  leader = cluster.elect();
  const writer = leader.lane();
  // What an append has to know of the last block is in memory, and its entries are not.
  writer.send("XADD s 100-0 f v", "XADD t 100-0 f v", "XREADGROUP GROUP g all STREAMS s t > >");
  writer.send("XREADGROUP GROUP h all STREAMS s t > >");
  writer.take();
  leader.kv.holdReads = true;
  return { cluster, leader, writer };
}

function waiting(leader: TestReplica, command: string, mode: RequestMode = RequestMode.whole): TestLane {
  const lane = leader.lane();
  lane.mode = mode;
  expect(lane.send(command)).toEqual([]);
  return lane;
}

/** What is read has come, and what is asked for then. */
function arrive({ cluster, leader }: Scene): void {
  leader.kv.releaseReads();
  cluster.settle();
}

function answer({ cluster, leader }: Scene, lane: TestLane, how: OfferHow): void {
  leader.up.answerOffer(lane, { number: lane.nextNumber - 1, offer: lane.offers.at(-1)!.offer, how });
  cluster.settle();
}

function entry(ms: number): string {
  return `[${ms}-0 [f ${ms <= ENTRIES ? VALUE : "v"}]]`;
}

/** Ids in what a part answers. */
function idsIn(events: readonly string[]): readonly number[] {
  return [...events.join().matchAll(/(\d+)-0/g)].map((match) => Number(match[1]));
}

function given(key: string, ...entries: readonly number[]): string {
  return `1 [[${key} [${entries.map(entry).join(" ")}]]]`;
}

const ALL = Array.from({ length: ENTRIES }, (_, i) => i + 1);

test("a group read whose position was moved back waits for its blocks with its lane, and nobody else does", () => {
  const scene = coldLeader();
  const { leader, writer } = scene;
  const reader = waiting(leader, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
  reader.send("XLEN s");
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0");
  expect(writer.send("XADD s 110-0 f v", "XADD s 111-0 f v", "XLEN s")).toEqual(["6 110-0", "7 111-0", "8 :83"]);
  expect(reader.take()).toEqual([]);
  expect(leader.up.status()).toMatchObject({ coldCalls: 1, blockedCalls: 1 });
  arrive(scene);
  // As it is when it runs: the second entry was added meanwhile.
  expect(reader.take()).toEqual([given("s", ...ALL, 100, 110, 111), "2 :83"]);
  expect(leader.memory.traffic.readsNow).toBe(0);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, blockedCalls: 0 });
  expect(leader.lane().send("XPENDING s g")).toEqual([`1 [:${ENTRIES + 3} 1-0 111-0 [[a ${ENTRIES + 3}]]]`]);
});

test("who waits behind it in its group is served after it, also who came later; other groups and plain readers at once", () => {
  const scene = coldLeader();
  const { leader, writer } = scene;
  const [a, b] = ["a", "b"].map((name) => waiting(leader, `XREADGROUP GROUP g ${name} COUNT 1 BLOCK 0 STREAMS s >`));
  const other = waiting(leader, "XREADGROUP GROUP h c COUNT 1 BLOCK 0 STREAMS s >");
  const plain = waiting(leader, "XREAD BLOCK 0 STREAMS s $");
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XADD s 110-0 f v");
  expect(other.take()).toEqual([given("s", 110)]);
  expect(plain.take()).toEqual([given("s", 110)]);
  const late = waiting(leader, "XREADGROUP GROUP g late COUNT 1 BLOCK 0 STREAMS s >");
  writer.send("XADD s 111-0 f v");
  expect([a!.take(), b!.take(), late.take()]).toEqual([[], [], []]);
  arrive(scene);
  expect([a!.take(), b!.take(), late.take()]).toEqual([[given("s", 1)], [given("s", 2)], [given("s", 3)]]);
  expect(leader.memory.traffic.readsNow).toBe(0);
});

test("what others took while its blocks were read is not for it: it keeps its place", () => {
  const scene = coldLeader();
  const { leader, writer } = scene;
  const reader = waiting(leader, "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >");
  const behind = waiting(leader, "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s >");
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XADD s 110-0 f v", "XGROUP SETID s g $");
  arrive(scene);
  expect(reader.take()).toEqual([]);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, blockedCalls: 2 });
  expect(leader.memory.traffic.count).toBe(0);
  writer.send("XADD s 111-0 f v");
  expect([reader.take(), behind.take()]).toEqual([[given("s", 111)], []]);
});

test("one that wants more at once than a command may is told so, and the next one has its turn", () => {
  const scene = coldLeader({ limits: { coldCallBytes: 64 * 1024 } });
  const { leader, writer } = scene;
  const reader = waiting(leader, "XREADGROUP GROUP g a BLOCK 0 STREAMS s t > >");
  const behind = waiting(leader, "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s >");
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XGROUP SETID t g 0 ENTRIESREAD 0", "XADD s 110-0 f v");
  expect(reader.take()).toEqual([]);
  arrive(scene);
  expect(reader.take()).toEqual([`1 ${TOO_MUCH}`]);
  expect(behind.take()).toEqual([given("s", 1)]);
  expect(reader.send("XREADGROUP GROUP g a COUNT 1 STREAMS s >")).toEqual([given("s", 2).replace("1 ", "2 ")]);
});

test("one that ends while its blocks are read lets those behind it be served, and holds nothing any more", () => {
  for (const how of [CancelHow.drop, CancelHow.timeOut, CancelHow.unblock]) {
    const scene = coldLeader();
    const { cluster, leader, writer } = scene;
    const reader = waiting(leader, "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS t s > >");
    const behind = waiting(leader, "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s >");
    writer.send("XGROUP SETID t g 0 ENTRIESREAD 0", "XADD t 110-0 f v");
    // Entries of a stream that it reads too, for which it is asked first.
    writer.send("XADD s 110-0 f v");
    expect(behind.take()).toEqual([]);
    leader.up.cancel(reader, 1, how);
    cluster.settle();
    expect(behind.take()).toEqual([given("s", 110)]);
    arrive(scene);
    expect(leader.up.status()).toMatchObject({ coldCalls: 0, blockedCalls: 0 });
    expect(leader.memory.traffic.count).toBe(0);
  }
});

test("who waits longer in a queue is not held up by one behind it that reads blocks for another stream", () => {
  const scene = coldLeader();
  const { leader, writer } = scene;
  const first = waiting(leader, "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >");
  const second = waiting(leader, "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s t > >");
  const third = waiting(leader, "XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >");
  writer.send("XGROUP SETID t g 0 ENTRIESREAD 0", "XADD t 110-0 f v");
  writer.send("XADD s 110-0 f v", "XADD s 111-0 f v", "XADD s 112-0 f v");
  expect([first.take(), second.take(), third.take()]).toEqual([[given("s", 110)], [], []]);
  arrive(scene);
  // One call takes from all its streams, in its order.
  expect(second.take()).toEqual([`1 [[s [${entry(111)}]] [t [${entry(1)}]]]`]);
  expect(third.take()).toEqual([given("s", 112)]);
});

test("plain readers do not wait for each other", () => {
  const scene = coldLeader();
  const { leader, writer } = scene;
  const [all, last] = ["0", "99-0"].map((id) => waiting(leader, `XREAD BLOCK 0 STREAMS {s}u ${id}`));
  writer.send("RENAME s {s}u");
  expect([all!.take(), last!.take()]).toEqual([[], [given("{s}u", 100)]]);
  arrive(scene);
  expect(all!.take()).toEqual([given("{s}u", ...ALL, 100)]);
  expect(leader.memory.traffic.readsNow).toBe(0);
});

test("a part that waits is offered what has to be read first when that has come, and takes it when it is accepted", () => {
  const scene = coldLeader({ limits: { coldAheadBytes: 0 } });
  const { leader, writer } = scene;
  const part = waiting(leader, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >", RequestMode.offered);
  const behind = waiting(leader, "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s >");
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XADD s 110-0 f v");
  expect(part.offers).toEqual([]);
  arrive(scene);
  expect(part.offers).toHaveLength(1);
  // The first block told that there is something; the others are asked for now.
  leader.kv.holdReads = true;
  answer(scene, part, OfferHow.accept);
  expect([part.take(), behind.take()]).toEqual([[], []]);
  arrive(scene);
  expect(idsIn(part.take())).toEqual([...ALL, 100, 110]);
  expect(leader.memory.traffic.readsNow).toBe(0);
  writer.send("XADD s 111-0 f v");
  expect(behind.take()).toEqual([given("s", 111)]);
});

test("an accepted offer that gives nothing any more when its blocks have come is void", () => {
  const scene = coldLeader({ limits: { coldAheadBytes: 0 } });
  const { leader, writer } = scene;
  const part = waiting(leader, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >", RequestMode.offered);
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XADD s 110-0 f v");
  arrive(scene);
  leader.kv.holdReads = true;
  answer(scene, part, OfferHow.accept);
  writer.send("XGROUP SETID s g $");
  arrive(scene);
  expect(part.take()).toEqual(["1 void"]);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, blockedCalls: 1 });
});

test("a leader that is deposed while it reads for a call that waits hands it back: nothing has happened", () => {
  const scene = coldLeader({ replicas: 3 });
  const { cluster, leader, writer } = scene;
  const reader = waiting(leader, "XREADGROUP GROUP g a BLOCK 0 STREAMS s >");
  writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XADD s 110-0 f v");
  expect(leader.up.status().coldCalls).toBe(1);
  cluster.isolate(1);
  cluster.pass(400);
  expect(reader.take()).toEqual([expect.stringMatching(/^1 refused 1 /)]);
  arrive(scene);
  expect(leader.up.status()).toMatchObject({ coldCalls: 0, blockedCalls: 0 });
  cluster.heal();
  cluster.pass(400);
  cluster.assertSame();
});

test("a lane that is gone, or begins anew, while blocks are read for its call takes nothing", () => {
  for (const isGone of [true, false]) {
    const scene = coldLeader();
    const { cluster, leader, writer } = scene;
    const reader = waiting(leader, "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >");
    const behind = waiting(leader, "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS s >");
    writer.send("XGROUP SETID s g 0 ENTRIESREAD 0", "XADD s 110-0 f v");
    if (isGone) {
      reader.closed = true;
      leader.up.laneClosed(reader);
      cluster.settle();
    } else {
      reader.epoch++;
      reader.nextNumber = 1;
      expect(reader.send("XLEN s")).toEqual(["1 :82"]);
    }
    arrive(scene);
    expect(reader.take()).toEqual(isGone ? [] : ["1 :82"]);
    expect(behind.take()).toEqual([given("s", 1)]);
    expect(leader.up.status()).toMatchObject({ coldCalls: 0, blockedCalls: 0, queuedBytes: 0 });
  }
});
