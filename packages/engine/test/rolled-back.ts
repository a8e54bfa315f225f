/** A state taken back to what a store has, and whether two states are equal in all that can be seen of them. */
import { compareBytes } from "@headrace/bytes";
import { expect } from "vitest";
import type { Capture, ShardRollbackApi, ShardState } from "../src/index.ts";
import type { RowStore } from "./state-driver.ts";
import { differencesOf, dumpOf } from "./state-dump.ts";

/** Hands over the rows of the ranges, as the store has them; answers how many there were. */
export function feed(rollback: ShardRollbackApi, store: RowStore): number {
  const at = (slot: number, subkey: Uint8Array): Uint8Array => Uint8Array.of(slot >>> 8, slot & 255, ...subkey);
  const rows = [...store.rows.values()].map((row) => ({ ...row, key: at(row.slot, row.subkey) }));
  let count = 0;
  let before: Uint8Array = new Uint8Array(0);
  for (const range of rollback.ranges) {
    const from = at(range.fromSlot, range.from);
    const to = at(range.toSlot, range.to);
    expect(compareBytes(before, from), "ranges ascend without overlap").toBeLessThanOrEqual(0);
    expect(compareBytes(from, to)).toBeLessThan(0);
    before = to;
    for (const row of rows) {
      if (compareBytes(row.key, from) < 0 || compareBytes(row.key, to) >= 0) continue;
      rollback.row(row.slot, row.subkey, row.value);
      count++;
    }
  }
  return count;
}

export function rolledBack(state: ShardState, queue: readonly Capture[], store: RowStore): number {
  state.coldReads = store.coldReads(false);
  const rollback = state.beginRollback(queue, store.header!, store.index);
  expect(rollback).not.toBe(null);
  const count = feed(rollback!, store);
  rollback!.finish();
  state.verify();
  return count;
}

export function expectEqual(one: ShardState, other: ShardState): void {
  expect(one.stateHash()).toBe(other.stateHash());
  expect(differencesOf(dumpOf(one), dumpOf(other))).toEqual([]);
}
