/** Exact results that Redis' own stream tests (tests/unit/type/stream.tcl) ask for. */
import { expect, test } from "vitest";
import { ShardState } from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";

function filled(count: number, maxEntries: number): ShardState {
  const state = new ShardState();
  batch(state, (effects) => {
    for (let i = 1; i <= count; i++) add(effects, "s", i, { maxEntries, maxBytes: 4096 });
  });
  return state;
}

function trimmed(state: ShardState, maxLength: number, approximate: boolean, limit: number): number {
  batch(state, (effects) => effects.trim("s", streamOf(state, "s").trimByLength(maxLength, approximate, limit)));
  return streamOf(state, "s").length;
}

test("MAXLEN ~ 555 with each of 1000 small entries leaves 600", () => {
  const state = new ShardState();
  batch(state, (effects) => {
    for (let i = 1; i <= 1000; i++) {
      add(effects, "s", i, { maxEntries: 100, maxBytes: 4096 }, String(i));
      effects.trim("s", streamOf(state, "s").trimByLength(555, true, 10_000));
    }
  });
  expect(streamOf(state, "s").length).toBe(600);
});

test("~ 0 LIMIT 1 on nodes of two entries removes nothing", () => {
  const state = filled(3, 2);
  expect(streamOf(state, "s").trimByLength(0, true, 1).count).toBe(0);
  expect(streamOf(state, "s").trimById(id(100), true, 1).count).toBe(0);
});

test("MAXLEN ~ 55 LIMIT 30 three times over nodes of ten: 71, 62, 63", () => {
  const state = filled(100, 10);
  const lengths = [101, 102, 103].map((ms) => {
    batch(state, (effects) => add(effects, "s", ms, { maxEntries: 10, maxBytes: 4096 }));
    return trimmed(state, 55, true, 30);
  });
  expect(lengths).toEqual([71, 62, 63]);
});

test("an exact trim cuts inside nodes, LIMIT 0 is no bound", () => {
  expect(trimmed(filled(100, 10), 55, false, 0)).toBe(55);
  expect(trimmed(filled(100, 10), 55, true, 0)).toBe(60);
});

test("a node's last id counts its deleted entries: MINID ~ keeps the node until the bound is beyond them", () => {
  const state = filled(4, 2);
  batch(state, (effects) => effects.deleteEntries("s", [id(2)]));
  expect(streamOf(state, "s").trimById(id(2), true, 0).count).toBe(0);
  expect(streamOf(state, "s").trimById(id(3), true, 0).count).toBe(1);
});

// redis-server 7.0.15, 1000 entries `f` + 256 bytes: 67 radix-tree-keys.
test("bytes bound a node too: 4096 hold fifteen entries of 256 bytes", () => {
  const state = new ShardState();
  batch(state, (effects) => {
    for (let i = 1; i <= 150; i++) add(effects, "s", i, { maxEntries: 100, maxBytes: 4096 }, "x".repeat(256));
  });
  expect(streamOf(state, "s").nodeCount).toBe(10);
});

test("a node whose first block is gone stays a node of its own", () => {
  const state = new ShardState();
  // Every entry fills a storage block, every node spans two of them.
  batch(state, (effects) => {
    for (let i = 1; i <= 4; i++) add(effects, "s", i, { maxEntries: 2, maxBytes: 0 }, "x".repeat(20_000));
    effects.deleteEntries("s", [id(3)]);
  });
  expect(streamOf(state, "s").nodeCount).toBe(2);
  expect(streamOf(state, "s").trimByLength(1, true, 0).count).toBe(2);
});
