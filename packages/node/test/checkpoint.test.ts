/** The store's answers that come late or say no: to a replica that is removed meanwhile, and while older generations are swept. */
import { compareBytes } from "@headrace/bytes";
import { ShardState } from "@headrace/engine";
import type { KvStore, Result } from "@headrace/ports";
import { expect, test } from "vitest";
import { generationOf, slotKey } from "../src/checkpoint-row.ts";
import type { CheckpointRow } from "../src/checkpoint-row.ts";
import { Checkpointer } from "../src/checkpoint.ts";
import { defaultShardLimits } from "../src/shard-limits.ts";
import { SweepPace } from "../src/sweep-pace.ts";
import { ManualTime, MemoryKv } from "../testing/manual-world.ts";
import { silentLogger } from "./memory-world.ts";
import { Life, sweepPaceIn, VirtualTime } from "./virtual-time.ts";

class Scene {
  readonly time = new VirtualTime();
  readonly checkpointer: Checkpointer;
  /** Writes of the store that are under way. */
  readonly writes: ((result: Result<void>) => void)[] = [];
  isIdle = false;
  readonly #row: CheckpointRow;

  constructor() {
    const { time } = this;
    const life = new Life("node");
    const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const ranges = [{ from: 0, to: 16383, generation: generationOf(1, 1) }];
    const header = new Uint8Array(0);
    this.#row = { index: 1, term: 1, logTimeMs: 0, confState, ranges, sequence: 1, header, isPut: true };
    const kvStore: Pick<KvStore, "write" | "keys"> = {
      write: (_changes, done) => void this.writes.push(done),
      keys: (_from, _to, _rows, done) => void time.after(0, life, () => done({ ok: true, value: [] })),
    };
    this.checkpointer = new Checkpointer({
      groupId: 1,
      limits: defaultShardLimits,
      kvStore: kvStore as KvStore,
      scheduler: {
        soon: (run) => void time.after(0, life, run),
        after: (ms, run) => time.after(ms, life, run),
      },
      logger: silentLogger,
      sweeps: sweepPaceIn(time, life),
      row: this.#row,
      nowMs: 0,
      wake: () => {},
      onNoSpace: () => {},
      onFailed: (message) => expect.fail(message),
    });
    time.run(10);
  }

  /** One batch is on its way to the store. */
  writeOne(): void {
    const state = ShardState.startingAt(1);
    state.apply(new Uint8Array(0), 2);
    this.checkpointer.captureIfDue(state, 1, 0, true);
    this.checkpointer.writeIfCommitted({ committed: 2, applied: 2, durable: 2, termAt: () => 1 });
    expect(this.writes).toHaveLength(1);
  }

  installOne(): void {
    this.checkpointer.reserveGeneration(() => {});
    this.checkpointer.install({ ...this.#row, index: 9 }, () => {});
    expect(this.writes).toHaveLength(1);
  }

  remove(): void {
    this.checkpointer.stop();
    this.checkpointer.whenIdle(() => (this.isIdle = true));
  }

  answer(reason: "space" | "io"): void {
    this.writes.shift()!({ ok: false, reason, message: "no" });
  }
}

test("the store answers that it has no space: a replica that is removed before it is tried again is idle", () => {
  const scene = new Scene();
  scene.writeOne();
  scene.answer("space");
  scene.remove();
  scene.time.run(5000);
  expect(scene.isIdle).toBe(true);
  expect(scene.writes).toHaveLength(0);
});

test.each(["space", "io"] as const)(
  "a batch fails (%s) after the replica was removed: then it is idle, not before",
  (reason) => {
    const scene = new Scene();
    scene.writeOne();
    scene.remove();
    expect(scene.isIdle).toBe(false);
    scene.answer(reason);
    expect(scene.isIdle).toBe(true);
  },
);

test.each(["space", "io"] as const)(
  "an installation fails (%s) after the replica was removed: then it is idle",
  (reason) => {
    const scene = new Scene();
    scene.installOne();
    scene.remove();
    expect(scene.isIdle).toBe(false);
    // Whoever asks for its status meanwhile: nothing was captured.
    expect(scene.checkpointer.capturedBytes).toBe(0);
    scene.answer(reason);
    expect(scene.isIdle).toBe(true);
  },
);

test("what is written to a new generation is swept by nobody, also before the store has said that it is there", () => {
  const time = new ManualTime();
  const kv = new MemoryKv(time);
  const run = (): void => {
    while (time.runOne());
  };
  /** Sweeps rest between two steps. */
  const runLong = (): void => {
    for (let round = 0; round < 10; round++) {
      run();
      time.pass(1000);
    }
  };
  const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const ranges = [{ from: 0, to: 16383, generation: generationOf(1, 1) }];
  const header = new Uint8Array(0);
  const checkpointer = new Checkpointer({
    groupId: 1,
    limits: defaultShardLimits,
    kvStore: kv,
    scheduler: time,
    logger: silentLogger,
    sweeps: new SweepPace(time, time),
    row: { index: 1, term: 1, logTimeMs: 0, confState, ranges, sequence: 1, header, isPut: true },
    nowMs: 0,
    wake: () => {},
    onNoSpace: () => {},
    onFailed: (message) => expect.fail(message),
  });
  run();
  const state = ShardState.startingAt(1);
  const flushAndWrite = (): void => {
    const effects = state.openBatch(state.index + 1, 1000);
    effects.flush();
    effects.createStream("k");
    state.sealBatch();
    const { index } = state;
    checkpointer.captureIfDue(state, 1, 0, true);
    checkpointer.writeIfCommitted({ committed: index, applied: index, durable: index, termAt: () => 1 });
  };
  const rowsOf = (sequence: number): number =>
    kv.rows.filter(
      ({ key }) => compareBytes(key.subarray(0, 4), slotKey(generationOf(1, sequence), 0).subarray(0, 4)) === 0,
    ).length;
  // The second generation is there; the first one is being swept, and that takes long.
  kv.holdReads = true;
  flushAndWrite();
  run();
  expect(rowsOf(2)).toBe(1);
  // The third is in the store; that it is, or was not for lack of space, is said later.
  const write = kv.write.bind(kv);
  const answers: (() => void)[] = [];
  kv.write = (changes, done) => write(changes, (result) => answers.push(() => done(result)));
  flushAndWrite();
  run();
  kv.write = write;
  expect(rowsOf(3)).toBe(1);
  kv.releaseReads();
  run();
  expect(rowsOf(3)).toBe(1);
  for (const answer of answers) answer();
  runLong();
  expect([rowsOf(2), rowsOf(3)]).toEqual([0, 1]);
});

test("the generation that counts is never given to a snapshot, however many were begun and dropped", () => {
  const scene = new Scene();
  const { checkpointer } = scene;
  const { generation } = checkpointer.row.ranges[0]!;
  const given = new Set<number>();
  for (let snapshot = 0; snapshot < 0x1_0000; snapshot++) {
    checkpointer.reserveGeneration((result) => given.add(result.ok ? result.value : NaN));
    checkpointer.dropGeneration();
  }
  // A number has 16 bits.
  expect(given.size).toBe(0xffff);
  expect(given.has(generation)).toBe(false);
});
