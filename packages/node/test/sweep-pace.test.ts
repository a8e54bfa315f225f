/** Rows that nobody needs are deleted a step at a time on a whole node, with rests between that clients have for themselves. */
import { expect, test } from "vitest";
import { generationOf, stateKey } from "../src/checkpoint-row.ts";
import { GenerationSweeper } from "../src/generation-sweeper.ts";
import { MemoryDisks, MemoryKvStore, silentLogger } from "./memory-world.ts";
import { Life, sweepPaceIn, VirtualTime } from "./virtual-time.ts";

test("steps of several groups come one after the other, each when four times the former one's time has passed", () => {
  const time = new VirtualTime();
  const life = new Life("node");
  const pace = sweepPaceIn(time, life);
  const begun: [string, number][] = [];
  const take = (name: string, tookMs: number): void => {
    pace.next((over) => {
      begun.push([name, time.nowMs]);
      time.after(tookMs, life, over);
    });
  };
  take("a", 10);
  take("b", 2);
  take("c", 5);
  time.run(1000);
  // 10 + 4 × 10, then 2 + 4 × 2 more.
  expect(begun).toEqual([
    ["a", 0],
    ["b", 50],
    ["c", 60],
  ]);
  take("d", 1);
  expect(begun.at(-1)).toEqual(["d", 1000]);
});

function sweepOf(rows: number): {
  readonly time: VirtualTime;
  readonly disks: MemoryDisks;
  readonly sweeper: GenerationSweeper;
} {
  const time = new VirtualTime();
  const disks = new MemoryDisks();
  disks.rows = Array.from({ length: rows }, (_, i) => ({
    key: stateKey(generationOf(1, 1), 7, Uint8Array.of(i >> 8, i & 0xff)),
    value: Uint8Array.of(1),
  }));
  const life = new Life("node");
  const sweeper = new GenerationSweeper(1, new MemoryKvStore(time, life, disks), silentLogger, sweepPaceIn(time, life));
  return { time, disks, sweeper };
}

/** When all rows were gone. */
function endOf({ time, disks, sweeper }: ReturnType<typeof sweepOf>): number {
  expect(time.runUntil(() => sweeper.isSwept, 60_000)).toBe(true);
  expect(disks.rows).toEqual([]);
  return time.nowMs;
}

test("a sweep that nobody waits for rests after each step, one that somebody waits for does not", () => {
  const patient = sweepOf(5000);
  patient.sweeper.start([{ from: 0, to: 16383, generation: generationOf(1, 2) }], 0);
  const slowMs = endOf(patient);

  const awaited = sweepOf(5000);
  awaited.sweeper.start([{ from: 0, to: 16383, generation: generationOf(1, 2) }], 0);
  let answered = false;
  awaited.sweeper.whenSwept((result) => (answered = result.ok));
  const fastMs = endOf(awaited);
  expect(answered).toBe(true);
  expect(slowMs).toBeGreaterThan(fastMs * 3);
});

test("a replica that stops in the middle of its sweep leaves the turn to the others", () => {
  const time = new VirtualTime();
  const life = new Life("node");
  const pace = sweepPaceIn(time, life);
  const store = new MemoryKvStore(time, life, new MemoryDisks());
  const sweeper = new GenerationSweeper(1, store, silentLogger, pace);
  sweeper.start([], 0);
  sweeper.stop();
  let isBegun = false;
  pace.next((over) => {
    isBegun = true;
    over();
  });
  time.run(1000);
  expect(isBegun).toBe(true);
  expect(sweeper.isSwept).toBe(false);
});
