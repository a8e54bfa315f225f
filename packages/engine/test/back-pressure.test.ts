/** Limits of lag: what is counted, when it has to be counted anew, and that bytes are never read. Random lives of them are in state-properties.test.ts. */
import { expect, test } from "vitest";
import { ColdMiss, type Effects, ShardLoader, ShardState, type StreamView } from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";
import { DATA_REGION, RowStore } from "./state-driver.ts";

const KILOBYTE = "x".repeat(1000);
/** Of those in a block of 32 KiB, and the bytes of each: `*2`, id, `*2`, field `f` and the value, as a reader gets them. */
const PER_BLOCK = 31;
const NODES = { maxEntries: 100, maxBytes: 4096 };

function filled(count: number, value = "v"): ShardState {
  const state = new ShardState();
  batch(state, (effects) => {
    for (let ms = 1; ms <= count; ms++) add(effects, "s", ms, NODES, value);
    effects.createGroup("s", "g", id(0), 0);
    effects.createConsumer("s", "g", "c", 0);
    effects.limits.setMaxLag("s", "g", { entries: 3, holdMs: 0 });
  });
  return state;
}

function behind(stream: StreamView): number {
  return stream.limitReached()?.behind ?? -1;
}

function change(state: ShardState, make: (effects: Effects) => void): number {
  batch(state, make);
  state.verify();
  return behind(streamOf(state, "s"));
}

test("what comes, goes and is read is counted, wherever the group stands", () => {
  const state = filled(10);
  expect(behind(streamOf(state, "s"))).toBe(10);
  expect(change(state, (effects) => effects.deleteEntries("s", [id(1), id(5)]))).toBe(8);
  expect(change(state, (effects) => effects.deliver("s", "g", "c", id(4), 4, 1, true))).toBe(5);
  // Before the group: delivered long ago.
  expect(change(state, (effects) => effects.deleteEntries("s", [id(3), id(4)]))).toBe(5);
  expect(change(state, (effects) => effects.deleteEntries("s", [id(10)]))).toBe(4);
  expect(change(state, (effects) => add(effects, "s", 11))).toBe(5);
  expect(change(state, (effects) => effects.trim("s", streamOf(state, "s").trimById(id(7), false, 0)))).toBe(4);
  expect(change(state, (effects) => effects.setGroupId("s", "g", id(8), -1))).toBe(-1);
  expect(change(state, (effects) => effects.setGroupId("s", "g", id(0), -1))).toBe(4);
  expect(change(state, (effects) => effects.trim("s", { count: 4, firstKept: null }))).toBe(-1);
  // The stream begins again, at a group that is ahead of it no more.
  expect(
    change(state, (effects) => {
      for (let ms = 20; ms < 24; ms++) add(effects, "s", ms);
    }),
  ).toBe(4);
});

test("a stream without limits, or whose limits are gone, is none that is asked", () => {
  const state = filled(10);
  const stream = streamOf(state, "s");
  expect(stream.isLimited).toBe(true);
  batch(state, (effects) => effects.limits.setMaxLag("s", "g", null));
  expect([stream.isLimited, stream.limitReached(), stream.nearestLimit()]).toEqual([false, null, null]);
  batch(state, (effects) => effects.limits.setMaxLagBytes("s", { bytes: 5, holdMs: 0 }));
  expect(stream.isLimited).toBe(true);
  batch(state, (effects) => effects.destroyGroup("s", "g"));
  expect(stream.isLimited).toBe(false);
});

test("limits and what they count are the same in a state that was loaded", () => {
  const state = filled(10);
  batch(state, (effects) => effects.limits.setMaxLagBytes("s", { bytes: 1_000_000, holdMs: 250 }));
  const store = new RowStore();
  store.write(state.capture());
  const loaded = store.load();
  const stream = streamOf(loaded, "s");
  expect(stream.maxLagBytes).toEqual({ bytes: 1_000_000, holdMs: 250 });
  expect(stream.group("g")!.maxLag).toEqual({ entries: 3, holdMs: 0 });
  expect(stream.limitReached()).toEqual(streamOf(state, "s").limitReached());
  expect(loaded.stateHash()).toEqual(state.stateHash());
});

test("a count that begins inside a block that is not in memory needs that block; bytes need none, and are at most a block too many", () => {
  const state = filled(10 * PER_BLOCK, KILOBYTE);
  const store = new RowStore();
  batch(state, (effects) => {
    effects.limits.setMaxLagBytes("s", { bytes: 1, holdMs: 0 });
    effects.setGroupId("s", "g", id(2 * PER_BLOCK + 5), -1);
  });
  store.write(state.capture());
  const exact = streamOf(state, "s").limitReached()!;
  const loader = new ShardLoader();
  for (const row of store.rows.values()) if (row.slot < DATA_REGION) loader.row(row.slot, row.subkey, row.value);
  const loaded = loader.finish(store.header!, store.index);
  loaded.coldReads = store.coldReads(true);
  const stream = streamOf(loaded, "s");
  const bytes = stream.limitReached()!;
  expect([exact.unit, bytes.unit]).toEqual(["bytes", "bytes"]);
  expect(bytes.behind).toBeGreaterThanOrEqual(exact.behind);
  expect(bytes.behind - exact.behind).toBeLessThanOrEqual(32 * 1024);
  batch(loaded, (effects) => effects.limits.setMaxLagBytes("s", null));
  loaded.coldReads = store.coldReads(true);
  expect(() => stream.limitReached()).toThrow(ColdMiss);
  loaded.coldReads = store.coldReads(false);
  expect(stream.limitReached()!.behind).toBe(8 * PER_BLOCK - 5);
  // What was counted once goes on without the block.
  store.write(loaded.capture());
  loaded.evict(Infinity, store.index);
  loaded.coldReads = store.coldReads(true);
  expect(stream.limitReached()!.behind).toBe(8 * PER_BLOCK - 5);
});
