/** One memory budget for a node: who holds what, what leaves when it is exceeded, and what is refused when nothing more can. */
import { expect, test } from "vitest";
import { MemoryBudget, type MemoryUser } from "../src/memory-budget.ts";
import { defaultShardLimits, limitsWithin } from "../src/shard-limits.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";

const MIB = 1024 * 1024;

class FakeUser implements MemoryUser {
  fixedBytes = 0;
  blockBytes = 0;
  packableBytes = 0;
  /** Blocks that are not in the store yet. */
  dirtyBytes = 0;
  otherBytes = 0;

  get memoryBytes(): number {
    return this.fixedBytes + this.blockBytes + this.otherBytes;
  }

  evict(bytes: number): number {
    const freed = Math.min(bytes, this.blockBytes - this.dirtyBytes);
    this.blockBytes -= freed;
    return freed + this.pack(bytes - freed);
  }

  pack(bytes: number): number {
    const packed = Math.min(bytes, this.packableBytes);
    this.packableBytes -= packed;
    this.fixedBytes -= packed;
    return packed;
  }
}

function budgetOf(budgetBytes: number, users: number): { memory: MemoryBudget; users: FakeUser[]; full: boolean[] } {
  const full: boolean[] = [];
  const memory = new MemoryBudget(defaultShardLimits, { otherBytes: () => 0, onFull: (isFull) => full.push(isFull) });
  memory.budgetBytes = budgetBytes;
  const found = Array.from({ length: users }, () => new FakeUser());
  for (const user of found) memory.note(user);
  return { memory, users: found, full };
}

test("the sum follows what each holds, and forgets who is gone", () => {
  const { memory, users } = budgetOf(0, 2);
  const [first, second] = users as [FakeUser, FakeUser];
  Object.assign(first, { fixedBytes: 10, blockBytes: 100, otherBytes: 1000 });
  second.blockBytes = 5;
  memory.note(first);
  memory.note(second);
  expect(memory).toMatchObject({ usedBytes: 1115, fixedBytes: 10, blockBytes: 105 });
  first.blockBytes = 50;
  memory.note(first);
  expect(memory).toMatchObject({ usedBytes: 1065, fixedBytes: 10, blockBytes: 55 });
  memory.forget(first);
  memory.forget(first);
  expect(memory).toMatchObject({ usedBytes: 5, fixedBytes: 0, blockBytes: 5 });
});

test("without a budget small streams are packed when they take more than 128 MiB, by each one's share, a bounded amount a turn, and no block leaves", () => {
  const { memory, users } = budgetOf(0, 2);
  const [large, small] = users as [FakeUser, FakeUser];
  Object.assign(large, { fixedBytes: 150 * MIB, packableBytes: 150 * MIB, blockBytes: 500 * MIB });
  Object.assign(small, { fixedBytes: 50 * MIB, packableBytes: 50 * MIB });
  for (const user of users) memory.note(user);
  memory.endTurn();
  expect([large.packableBytes, small.packableBytes]).toEqual([147 * MIB, 49 * MIB]);
  for (let turn = 0; turn < 20; turn++) memory.endTurn();
  expect(large.packableBytes + small.packableBytes).toBe(128 * MIB);
  expect(memory).toMatchObject({ fixedBytes: 128 * MIB, blockBytes: 500 * MIB });
});

test("without a budget nothing leaves", () => {
  const { memory, users } = budgetOf(0, 1);
  users[0]!.blockBytes = 1024 * MIB;
  memory.note(users[0]!);
  memory.endTurn();
  expect(users[0]!.blockBytes).toBe(1024 * MIB);
});

test("above the budget each gives by its share of all blocks, a bounded amount a turn, until the budget is kept", () => {
  const { memory, users } = budgetOf(100 * MIB, 3);
  const sizes = [90 * MIB, 30 * MIB, 0];
  users.forEach((user, i) => (user.blockBytes = sizes[i]!));
  for (const user of users) memory.note(user);
  memory.endTurn();
  expect(memory.usedBytes).toBe(116 * MIB);
  expect(users.map(({ blockBytes }) => blockBytes)).toEqual([87 * MIB, 29 * MIB, 0]);
  for (let turn = 0; turn < 4; turn++) memory.endTurn();
  expect(memory.usedBytes).toBe(100 * MIB);
  expect(memory.evictedBytes).toBe(20 * MIB);
  memory.endTurn();
  expect(memory.usedBytes).toBe(100 * MIB);
});

test("streams that could be packed count like blocks, also where there are no blocks", () => {
  const { memory, users } = budgetOf(100 * MIB, 2);
  Object.assign(users[0]!, { fixedBytes: 80 * MIB, packableBytes: 60 * MIB });
  users[1]!.blockBytes = 24 * MIB;
  for (const user of users) memory.note(user);
  memory.endTurn();
  expect(memory.usedBytes / MIB).toBeCloseTo(100);
  expect(users[0]!.fixedBytes / MIB).toBeCloseTo(80 - (4 * 60) / 84);
  expect(users[1]!.blockBytes / MIB).toBeCloseTo(24 - (4 * 24) / 84);
});

test("it is full when what can't leave takes most of it and nothing else can go, and no more when that shrinks", () => {
  const { memory, users, full } = budgetOf(100 * MIB, 1);
  const user = users[0]!;
  Object.assign(user, { fixedBytes: 80 * MIB, blockBytes: 30 * MIB, dirtyBytes: 28 * MIB });
  memory.note(user);
  memory.endTurn();
  // Something went: it may be enough soon.
  expect(full).toEqual([]);
  memory.endTurn();
  expect(full).toEqual([true]);
  // A checkpoint was written.
  user.dirtyBytes = 0;
  for (let turn = 0; turn < 3; turn++) memory.endTurn();
  expect(full).toEqual([true, false]);
  expect(memory.usedBytes).toBe(100 * MIB);
});

test("what is on its way does not make it full: that has bounds of its own", () => {
  const { memory, users, full } = budgetOf(100 * MIB, 1);
  Object.assign(users[0]!, { fixedBytes: 20 * MIB, otherBytes: 200 * MIB });
  memory.note(users[0]!);
  memory.endTurn();
  expect(full).toEqual([]);
});

test("a node with 256 MiB and eight shards can keep it: what may queue up on the way takes at most five eighths, all together", () => {
  const { memory } = budgetOf(256 * MIB, 8);
  const { limits } = memory;
  const waiting = limits.logCacheBytes + limits.logAheadBytes + limits.heldBytes + limits.checkpointBytes * 2;
  expect(waiting * 8).toBeLessThanOrEqual((256 * MIB * 5) / 8);
  expect(limits.logAheadBytes).toBeGreaterThan(limits.checkpointBytes);
  // A shard that is added takes its part from all, and a budget that is lifted gives everything back.
  memory.note(new FakeUser());
  expect(memory.limits.logCacheBytes).toBeLessThan((256 * MIB) / 8 / 8);
  memory.budgetBytes = 0;
  expect(memory.limits).toEqual(defaultShardLimits);
});

test("bounds never grow by a budget, and never get so small that a shard stands still", () => {
  for (const budgetBytes of [1, 64 * MIB, 64 * 1024 * MIB]) {
    const limits = limitsWithin(defaultShardLimits, budgetBytes, 1000);
    for (const [name, bound] of Object.entries(limits)) {
      expect(bound, name).toBeGreaterThan(0);
      expect(bound, name).toBeLessThanOrEqual(defaultShardLimits[name as keyof typeof defaultShardLimits]);
    }
    expect(limits.logAheadBytes).toBeGreaterThanOrEqual(limits.checkpointBytes);
  }
});

test("a leader whose memory is full refuses what grows it, with nothing done, and goes on with the rest", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v", "XGROUP CREATE s g 0");
  lane.take();
  cluster.settings.refuseFixedMemory = true;
  const refused = "-OOM command not allowed when used memory > 'maxmemory'.";
  const { lastIndex } = leader.up.status();
  expect(lane.send("XADD s 4-0 f v", "XGROUP CREATE s h 0")).toEqual([`5 ${refused}`, `6 ${refused}`]);
  expect(leader.up.status().lastIndex).toBe(lastIndex);
  // As in Redis: reading for a group is not refused, although it makes pending entries.
  expect(
    lane.send("XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XACK s g 1-0", "XDEL s 1-0", "XTRIM s MAXLEN 1"),
  ).toEqual(["7 [[s [[1-0 [f v]]]]]", "8 :1", "9 :1", "10 :1"]);
  expect(lane.send("XLEN s", "DEL s")).toEqual(["11 :1", "12 :1"]);
  const parts = ["XLEN s", "XADD s 5-0 f v"].map((command) => {
    const words = command.split(" ");
    return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  });
  const exec = ["EXEC", "0", "0", "WRITE", ...parts].join(" ");
  expect(lane.send(exec)).toEqual([
    "13 -EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
  ]);
  expect(leader.up.status().refusedForMemory).toBe(3);
  cluster.settings.refuseFixedMemory = false;
  expect(lane.send(exec)).toEqual(["14 [:0 5-0]"]);
  cluster.pass(20);
  cluster.assertSame();
});
