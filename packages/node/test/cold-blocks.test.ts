/** Commands that wait for blocks, against a state that knows nothing but which blocks are in memory. */
import { assert, bytesOf, latin1 } from "@headrace/bytes";
import { BlockBytes, ColdMiss, DamagedRowError } from "@headrace/engine";
import type { BlockName, RowRange, ShardStateApi, StateRow, WantedBlock } from "@headrace/engine";
import { describe, expect, test, vi, type MockInstance } from "vitest";
import { ColdBlocks } from "../src/cold-blocks.ts";
import { ColdTraffic, type BlockReader, type ColdReader } from "../src/cold-traffic.ts";
import { stateKey } from "../src/checkpoint-row.ts";
import { LaneProgress } from "../src/lane-progress.ts";
import { keyBehind } from "../src/state-ranges.ts";
import { defaultShardLimits } from "../src/shard-limits.ts";
import { ManualTime, MemoryKv } from "../testing/manual-world.ts";
import { TestLane } from "../testing/test-lane.ts";

const GENERATION = 7;
const SLOT = 5;

const BLOCK_BYTES = 32 * 1024;

function named(number: number, byteLength: number = BLOCK_BYTES): WantedBlock {
  return { slot: SLOT, age: 1, number, byteLength };
}

function subkeyOf({ number }: BlockName): Uint8Array {
  return bytesOf(`block ${String(number).padStart(3, "0")}`);
}

/** Blocks are in memory or not; their one row says how they are called and in which version. */
class FakeState {
  readonly cold = new Set<number>();
  readonly gone = new Set<number>();
  readonly version = new Map<number, number>();
  readonly taken: number[] = [];
  coldReads: ColdBlocks | null = null;

  rowsOfBlock(block: BlockName): RowRange | null {
    if (!this.cold.has(block.number) || this.gone.has(block.number)) return null;
    const from = subkeyOf(block);
    return { fromSlot: SLOT, from, toSlot: SLOT, to: keyBehind(from) };
  }

  takeBlock(block: BlockName, rows: readonly StateRow[]): boolean {
    if (this.gone.has(block.number) || !this.cold.has(block.number)) return false;
    const [row] = rows;
    const wanted = `${block.number} v${this.version.get(block.number) ?? 1}`;
    if (row === undefined || latin1(row.value!, 0, row.value!.length) !== wanted) {
      throw new DamagedRowError(`block ${block.number} is not as it was written`);
    }
    this.cold.delete(block.number);
    this.taken.push(block.number);
    return true;
  }
}

class Scene {
  readonly time = new ManualTime();
  readonly kv = new MemoryKv(this.time);
  readonly state = new FakeState();
  readonly traffic = new ColdTraffic();
  readonly failures: string[] = [];
  readonly woken: LaneProgress[] = [];
  readonly stalled: Set<LaneProgress> = new Set();
  storedIndex = 10;
  turns = 0;
  readonly #scans: MockInstance<MemoryKv["scan"]>;
  readonly cold: ColdBlocks;

  constructor(coldCallBytes: number = defaultShardLimits.coldCallBytes) {
    this.#scans = vi.spyOn(this.kv, "scan");
    this.cold = new ColdBlocks(
      {
        limits: { ...defaultShardLimits, coldCallBytes },
        kvStore: this.kv,
        memory: { traffic: this.traffic, blockMemory: new BlockBytes() },
        stored: () => ({ index: this.storedIndex, ranges: [{ from: 0, to: 16383, generation: GENERATION }] }),
        wake: () => this.turns++,
        onFailed: (message, damaged) => this.failures.push(`${damaged ? "damaged: " : ""}${message}`),
      },
      this.state as unknown as ShardStateApi,
    );
  }

  get scans(): number {
    return this.#scans.mock.calls.length;
  }

  /** Blocks that are in the store and not in memory. */
  store(...numbers: readonly number[]): void {
    const changes = numbers.map((number) => ({
      key: stateKey(GENERATION, SLOT, subkeyOf(named(number))),
      value: bytesOf(`${number} v${this.state.version.get(number) ?? 1}`),
    }));
    this.kv.write(changes, () => {});
    this.run();
    for (const number of numbers) this.state.cold.add(number);
  }

  lane(): LaneProgress {
    const progress = new LaneProgress(new TestLane({ up: { enqueue() {} }, cluster: { settle() {} } }));
    progress.epoch = 1;
    return progress;
  }

  /** What the executor does with a command that needs these blocks: true when it has run. */
  runCommand(
    progress: LaneProgress,
    number: number,
    wanted: readonly number[],
    ahead: readonly number[] = [],
  ): boolean {
    if (!this.cold.takeInFor(progress, 1, number)) return false;
    const missing = wanted.filter((block) => this.state.cold.has(block));
    if (missing.length > 0) {
      return !this.cold.park(
        progress,
        1,
        number,
        new ColdMiss(
          missing.map((block) => named(block)),
          1,
          () => ahead.map((block) => named(block)),
        ),
      );
    }
    this.cold.executed(progress);
    return true;
  }

  /** Everything that can come comes; then the next turn begins. */
  turn(): void {
    this.run();
    this.cold.settle(
      (progress) => this.woken.push(progress),
      (progress) => this.stalled.has(progress),
    );
  }

  run(): void {
    while (this.time.runOne());
  }
}

test("blocks that lie one behind the other are read in one scan, eight at a time, in either direction", () => {
  const scene = new Scene();
  const numbers = Array.from({ length: 11 }, (_, i) => i + 1);
  scene.store(...numbers);
  const [forwards, backwards] = [scene.lane(), scene.lane()];
  scene.runCommand(forwards, 1, numbers);
  scene.turn();
  expect(scene.scans).toBe(2);
  expect(scene.runCommand(forwards, 1, numbers)).toBe(true);
  expect(scene.state.taken).toEqual(numbers);
  expect(scene.traffic.blocksRead).toBe(11);
  scene.store(21, 22, 23, 31);
  scene.runCommand(backwards, 1, [31, 23, 22, 21]);
  scene.turn();
  expect(scene.scans).toBe(4);
  expect(scene.runCommand(backwards, 1, [31, 23, 22, 21])).toBe(true);
  expect(scene.cold.heldBytes).toBe(0);
});

test("a block in the middle of a scan that is in memory by then is not for its neighbours", () => {
  const scene = new Scene();
  scene.store(1, 2, 3);
  const [first, second] = [scene.lane(), scene.lane()];
  // Six others come first, and only then are the reads of the second begun.
  scene.store(11, 21, 31, 41, 51, 61);
  scene.runCommand(first, 1, [11, 21, 31, 41, 51, 61]);
  scene.runCommand(second, 1, [1, 2, 3]);
  scene.state.cold.delete(2);
  scene.turn();
  expect(scene.runCommand(second, 1, [1, 2, 3])).toBe(true);
  expect(scene.state.taken.toSorted((a, b) => a - b)).toEqual([1, 3]);
});

test("a block that the state wants soon is read when there is time, once, and taken in by the next turn", () => {
  const scene = new Scene();
  scene.store(1);
  scene.cold.wantsSoon(named(1));
  scene.cold.wantsSoon(named(1));
  expect(scene.turns).toBeGreaterThan(0);
  expect(scene.state.taken).toEqual([]);
  scene.turn();
  expect(scene.state.taken).toEqual([1]);
  expect(scene.scans).toBe(1);
  expect(scene.cold.heldBytes).toBe(0);
});

describe("a command that meets cold blocks", () => {
  test("waits until all of them were read, and then has them", () => {
    const scene = new Scene();
    scene.store(1, 2, 3);
    const lane = scene.lane();
    expect(scene.runCommand(lane, 1, [1, 2, 3])).toBe(false);
    expect(lane.mustWait).toBe(true);
    expect(scene.woken).toEqual([]);
    scene.turn();
    expect(scene.woken).toEqual([lane]);
    expect(lane.mustWait).toBe(false);
    expect(scene.runCommand(lane, 1, [1, 2, 3])).toBe(true);
    expect(scene.state.taken).toEqual([1, 2, 3]);
    expect(lane.isIdle).toBe(true);
    expect(scene.cold.heldBytes).toBe(0);
    expect(scene.traffic.count).toBe(0);
  });

  test("keeps what it had read in an earlier step although memory has given it up again", () => {
    const scene = new Scene();
    scene.store(1, 2);
    const lane = scene.lane();
    // It can't say that it will need 2 before it has seen 1.
    scene.runCommand(lane, 1, [1]);
    scene.turn();
    expect(scene.runCommand(lane, 1, [1, 2])).toBe(false);
    scene.state.cold.add(1);
    scene.turn();
    expect(scene.runCommand(lane, 1, [1, 2])).toBe(true);
    expect(scene.state.taken).toEqual([1, 1, 2]);
    expect(scene.scans).toBe(2);
  });

  test("shares the read with others that want the same block", () => {
    const scene = new Scene();
    scene.store(1);
    const lanes = [scene.lane(), scene.lane(), scene.lane()];
    for (const lane of lanes) scene.runCommand(lane, 1, [1]);
    scene.turn();
    expect(scene.scans).toBe(1);
    expect(scene.woken).toEqual(lanes);
    for (const lane of lanes) expect(scene.runCommand(lane, 1, [1])).toBe(true);
    expect(scene.cold.heldBytes).toBe(0);
  });

  test("that wants more than one command may is told so, and nothing is read", () => {
    const scene = new Scene(2 * BLOCK_BYTES);
    scene.store(1, 2, 3);
    const lane = scene.lane();
    expect(scene.runCommand(lane, 1, [1, 2, 3])).toBe(true);
    expect(scene.scans).toBe(0);
    expect(lane.isIdle).toBe(true);
  });

  test("is judged by the bytes of its blocks: few with large entries are more than many others", () => {
    const scene = new Scene(1024 * 1024);
    scene.store(1, 2, 3);
    const lane = scene.lane();
    const large = (number: number): WantedBlock => named(number, 500 * 1024);
    expect(scene.cold.park(lane, 1, 1, new ColdMiss([large(1), large(2)]))).toBe(true);
    // In a second step, too: what it has read counts until it has run.
    expect(scene.cold.park(lane, 1, 1, new ColdMiss([large(3)]))).toBe(false);
    expect(lane.isIdle).toBe(true);
    expect(scene.traffic.count).toBe(0);
  });

  test("may want two blocks however large they are, or an entry that is larger than the bound could never be read", () => {
    const scene = new Scene(1024 * 1024);
    scene.store(1, 2, 3);
    const lane = scene.lane();
    const huge = (number: number): WantedBlock => named(number, 20 * 1024 * 1024);
    expect(scene.cold.park(lane, 1, 1, new ColdMiss([huge(1)]))).toBe(true);
    // The block of the id itself may have nothing behind it, and the next one has what is wanted.
    expect(scene.cold.park(lane, 1, 1, new ColdMiss([huge(2)]))).toBe(true);
    expect(scene.cold.park(lane, 1, 1, new ColdMiss([huge(3)]))).toBe(false);
  });

  test("has what comes next read too, which is in memory before anybody asks", () => {
    const scene = new Scene();
    scene.store(1, 2, 3);
    const lane = scene.lane();
    scene.runCommand(lane, 1, [1], [2, 3]);
    scene.turn();
    scene.runCommand(lane, 1, [1]);
    expect(scene.state.taken.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
    expect(scene.runCommand(lane, 2, [2, 3])).toBe(true);
    expect(scene.traffic.blocksAhead).toBe(2);
    expect(scene.traffic.waits).toBe(1);
  });

  test("runs without a block that has gone meanwhile", () => {
    const scene = new Scene();
    scene.store(1);
    const lane = scene.lane();
    scene.runCommand(lane, 1, [1]);
    scene.state.gone.add(1);
    scene.state.cold.delete(1);
    scene.turn();
    expect(scene.runCommand(lane, 1, [])).toBe(true);
    expect(scene.state.taken).toEqual([]);
  });

  test("has a block read again that was in memory when its turn came and has left since", () => {
    const scene = new Scene();
    scene.store(1, 2);
    const lane = scene.lane();
    const miss = new ColdMiss([named(1), named(2)]);
    scene.state.cold.delete(2);
    scene.cold.park(lane, 1, 1, miss);
    scene.state.cold.add(2);
    scene.turn();
    expect(scene.runCommand(lane, 1, [1, 2])).toBe(false);
    scene.turn();
    expect(scene.runCommand(lane, 1, [1, 2])).toBe(true);
  });

  test("has a block read again that was written anew since, and is damage only where nothing was", () => {
    const scene = new Scene();
    scene.store(1);
    const lane = scene.lane();
    scene.runCommand(lane, 1, [1]);
    scene.turn();
    // Taken in by another way, grown, stored and given up.
    scene.state.version.set(1, 2);
    scene.store(1);
    scene.storedIndex = 11;
    expect(scene.runCommand(lane, 1, [1])).toBe(false);
    expect(lane.mustWait).toBe(true);
    scene.turn();
    expect(scene.runCommand(lane, 1, [1])).toBe(true);

    scene.store(2);
    scene.runCommand(lane, 2, [2]);
    scene.turn();
    scene.state.version.set(2, 2);
    expect(() => scene.runCommand(lane, 2, [2])).toThrow(DamagedRowError);
  });
});

describe("what was asked for and is not wanted any more", () => {
  test("a read that comes back after a drop is for nobody", () => {
    const scene = new Scene();
    scene.store(1);
    const lane = scene.lane();
    scene.runCommand(lane, 1, [1], [1]);
    scene.cold.drop();
    expect(lane.cold).toBeNull();
    scene.turn();
    expect(scene.woken).toEqual([]);
    expect(scene.state.taken).toEqual([]);
    expect(scene.traffic.underWay).toBe(0);
    expect(scene.traffic.count).toBe(0);
    // The next leadership begins with nothing known.
    expect(scene.runCommand(lane, 1, [1])).toBe(false);
    scene.turn();
    expect(scene.runCommand(lane, 1, [1])).toBe(true);
  });

  test("a call that was refused is forgotten with what was read for it", () => {
    const scene = new Scene();
    scene.store(1);
    const lane = scene.lane();
    scene.runCommand(lane, 4, [1]);
    lane.refusedFrom = 4;
    scene.turn();
    expect(lane.cold).toBeNull();
    expect(scene.cold.heldBytes).toBe(0);
    expect(scene.traffic.count).toBe(0);
  });

  test("a call whose lane can't go on, since its replies find no room, gives up its blocks when others wait for room", () => {
    const scene = new Scene();
    scene.traffic.roomBytes = BLOCK_BYTES;
    scene.store(1, 2);
    const [deaf, other] = [scene.lane(), scene.lane()];
    scene.runCommand(deaf, 1, [1]);
    scene.stalled.add(deaf);
    scene.turn();
    scene.turn();
    // Nobody wants its place: it need not read again.
    expect(deaf.cold?.isReady).toBe(true);
    scene.runCommand(other, 1, [2]);
    scene.turn();
    scene.turn();
    expect(deaf.cold).toBeNull();
    expect(scene.runCommand(other, 1, [2])).toBe(true);
    scene.stalled.clear();
    expect(scene.runCommand(deaf, 1, [1])).toBe(false);
    scene.turn();
    expect(scene.runCommand(deaf, 1, [1])).toBe(true);
    expect(scene.cold.heldBytes).toBe(0);
    expect(scene.traffic.count).toBe(0);
  });

  test("a failed read fails the replica, damage as damage", () => {
    const scene = new Scene();
    scene.store(1, 2);
    scene.kv.scan = (_from, _to, _rows, _bytes, _snapshot, done) =>
      scene.time.soon(() => done({ ok: false, reason: "corrupt", message: "a checksum" }));
    scene.runCommand(scene.lane(), 1, [1]);
    scene.run();
    scene.kv.scan = (_from, _to, _rows, _bytes, _snapshot, done) =>
      scene.time.soon(() => done({ ok: false, reason: "io", message: "EIO" }));
    scene.runCommand(scene.lane(), 1, [2]);
    scene.run();
    expect(scene.failures).toEqual([
      "damaged: block 1 of key 1 in slot 5 cannot be read: a checksum",
      "block 2 of key 1 in slot 5 cannot be read: EIO",
    ]);
  });
});

describe("whether a command may be run again", () => {
  test("it may as long as it has written nothing and nobody was told anything, and nobody else may", () => {
    const { cold } = new Scene();
    const effects = { count: 3, unaskedCount: 1 };
    const said = { turnBytes: 0 };
    expect(cold.mayMiss).toBe(false);
    cold.begin(effects, said);
    expect(cold.mayMiss).toBe(true);
    // It has found a key expired.
    effects.count++;
    effects.unaskedCount++;
    expect(cold.mayMiss).toBe(true);
    effects.count++;
    expect(cold.mayMiss).toBe(false);
    cold.begin(effects, said);
    said.turnBytes += 10;
    expect(cold.mayMiss).toBe(false);
    cold.begin(effects, said);
    cold.end();
    expect(cold.mayMiss).toBe(false);
  });

  test("who may not has the row at once", () => {
    const scene = new Scene();
    scene.store(3);
    const row = scene.cold.rowNow(SLOT, subkeyOf(named(3)));
    expect(latin1(row!, 0, row!.length)).toBe("3 v1");
    expect(scene.cold.rowNow(SLOT, subkeyOf(named(4)))).toBeNull();
    expect(scene.traffic.readsNow).toBe(2);
    scene.kv.getNow = () => ({ ok: false, reason: "corrupt", message: "a checksum" });
    expect(() => scene.cold.rowNow(SLOT, subkeyOf(named(3)))).toThrow(DamagedRowError);
    scene.kv.getNow = () => ({ ok: false, reason: "io", message: "EIO" });
    expect(() => scene.cold.rowNow(SLOT, subkeyOf(named(3)))).toThrow("EIO");
  });
});

/** Wants so many blocks; every read is open until `answer`. */
class CountingReader implements ColdReader {
  readonly name: string;
  readonly wantedBytes: number;
  begun = 0;
  readonly #blockCount: number;
  readonly #log: string[];
  readonly open: (() => void)[] = [];

  constructor(name: string, blockCount: number, log: string[]) {
    this.name = name;
    this.wantedBytes = blockCount * BLOCK_BYTES;
    this.#blockCount = blockCount;
    this.#log = log;
  }

  beginNext(end: () => void): number {
    if (this.begun === this.#blockCount) return 0;
    this.begun++;
    this.#log.push(this.name);
    this.open.push(end);
    return 1;
  }

  answer(): void {
    const end = this.open.shift();
    assert(end !== undefined, "a read is open");
    end();
  }
}

describe("the reads of a node", () => {
  test("six are under way at once, and who came later gets every other one", () => {
    const traffic = new ColdTraffic();
    const log: string[] = [];
    const large = new CountingReader("large", 100, log);
    const small = new CountingReader("small", 2, log);
    traffic.enter(large, large.wantedBytes);
    expect(log).toEqual(Array.from({ length: 6 }, () => "large"));
    traffic.enter(small, small.wantedBytes);
    expect(log).toHaveLength(6);
    for (let i = 0; i < 4; i++) large.answer();
    expect(log.slice(6).filter((name) => name === "small")).toHaveLength(2);
  });

  test("calls beyond the room wait for those before them, and one that is alone may want more than there is", () => {
    const traffic = new ColdTraffic();
    traffic.roomBytes = 4 * BLOCK_BYTES;
    const log: string[] = [];
    const first = new CountingReader("first", 5, log);
    const second = new CountingReader("second", 1, log);
    const third = new CountingReader("third", 1, log);
    traffic.enter(first, first.wantedBytes);
    traffic.enter(second, second.wantedBytes);
    traffic.enter(third, third.wantedBytes);
    for (let i = 0; i < 5; i++) first.answer();
    expect(log.filter((name) => name !== "first")).toEqual([]);
    traffic.leave(first);
    expect(log.slice(5)).toEqual(["second", "third"]);
  });

  test("what nobody waits for is read when nobody waits", () => {
    const traffic = new ColdTraffic();
    const log: string[] = [];
    const waiting = new CountingReader("waiting", 7, log);
    const ahead: BlockReader = new CountingReader("ahead", 1, log);
    traffic.enter(waiting, waiting.wantedBytes);
    traffic.readAhead(ahead);
    expect(log).not.toContain("ahead");
    waiting.answer();
    expect(log).not.toContain("ahead");
    waiting.answer();
    expect(log.filter((name) => name === "ahead")).toHaveLength(1);
  });
});
