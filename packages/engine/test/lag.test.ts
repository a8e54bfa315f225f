/** The lag tests of Redis 8's stream-cgroups.tcl, told as effects. `read` is XREADGROUP … COUNT n. */
import { expect, test } from "vitest";
import { entriesReadAfterDelivery, lagOf, MAX_ID, MIN_ID, ShardState } from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";

function filled(groups: readonly string[], deleted: readonly number[] = []): ShardState {
  const state = new ShardState();
  batch(state, (effects) => {
    for (let i = 1; i <= 5; i++) add(effects, "x", i);
    if (deleted.length > 0) {
      effects.deleteEntries(
        "x",
        deleted.map((ms) => id(ms)),
      );
    }
    for (const group of groups) {
      effects.createGroup("x", group, MIN_ID, -1);
      effects.createConsumer("x", group, "c", 0);
    }
  });
  return state;
}

function read(state: ShardState, name: string, count: number): void {
  batch(state, (effects) => {
    const stream = streamOf(state, "x");
    const group = stream.group(name)!;
    const range = stream.range(group.lastDeliveredId.next()!, MAX_ID, count, false);
    effects.deliver("x", name, "c", range.lastId, entriesReadAfterDelivery(stream, group, range), 1, false);
  });
}

function shown(state: ShardState, name: string): [number | null, number | null] {
  const group = streamOf(state, "x").group(name)!;
  return [group.entriesRead === -1 ? null : group.entriesRead, lagOf(streamOf(state, "x"), group)];
}

test("Consumer group lag sanity", () => {
  const state = filled(["g1"]);
  expect(shown(state, "g1")).toEqual([null, 5]);
  read(state, "g1", 1);
  expect(shown(state, "g1")).toEqual([1, 4]);
  read(state, "g1", 10);
  expect(shown(state, "g1")).toEqual([5, 0]);
  batch(state, (effects) => add(effects, "x", 6));
  expect(shown(state, "g1")).toEqual([5, 1]);
});

test("Consumer Group Lag with XDELs", () => {
  const state = filled(["g1", "g2"], [3]);
  expect(shown(state, "g1")).toEqual([null, null]);
  for (let i = 0; i < 3; i++) {
    read(state, "g1", 1);
    expect(shown(state, "g1")).toEqual([null, null]);
  }
  read(state, "g1", 1);
  expect(shown(state, "g1")).toEqual([5, 0]);
  batch(state, (effects) => add(effects, "x", 6));
  expect(shown(state, "g1")).toEqual([5, 1]);
  batch(state, (effects) => effects.trim("x", streamOf(state, "x").trimById(id(3), false, 0)));
  expect(shown(state, "g1")).toEqual([5, 1]);
  expect(shown(state, "g2")).toEqual([null, 3]);
  batch(state, (effects) => effects.trim("x", streamOf(state, "x").trimById(id(5), false, 0)));
  expect(shown(state, "g1")).toEqual([5, 1]);
  expect(shown(state, "g2")).toEqual([null, 2]);
});

test("Consumer Group Lag with XTRIM: a group behind the first entry lags by the length", () => {
  const state = filled(["g1"]);
  read(state, "g1", 1);
  expect(shown(state, "g1")).toEqual([1, 4]);
  batch(state, (effects) => effects.trim("x", streamOf(state, "x").trimByLength(1, false, 0)));
  expect(shown(state, "g1")).toEqual([1, 1]);
  read(state, "g1", 1);
  expect(shown(state, "g1")).toEqual([5, 0]);
});

test("an empty stream lags by nothing, written or not", () => {
  const state = filled(["g1"], [1, 2, 3, 4, 5]);
  expect(shown(state, "g1")).toEqual([null, 0]);
});
