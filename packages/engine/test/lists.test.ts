/**
 * Keys that hold lists, against arrays of strings, through followers, stores, dropped captures, packing and rollbacks. The seed stands in the tests' names.
 */
import { bytesOf } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import { type Effects, type ElementSource, imageOf, type ListView, ShardState } from "../src/index.ts";
import { batch } from "./entries.ts";
import { expectEqual, rolledBack } from "./rolled-back.ts";
import { RowStore } from "./state-driver.ts";
import { judgeLives, SEED, type Step } from "./value-lives.ts";

const NAMES = ["{v}a", "{v}b", "{w}c"] as const;
/** Around the bounds of lengths in one byte, and of leaves. */
const LENGTHS = [0, 1, 3, 9, 253, 254, 300, 2000, 4000, 8186, 8193, 20_000];

type Model = Map<string, string[]>;

function sourceOf(elements: readonly string[]): ElementSource {
  const ends: number[] = [];
  let end = 0;
  for (const each of elements) ends.push((end += each.length));
  return { bytes: bytesOf(elements.join("")), start: (i) => (i === 0 ? 0 : ends[i - 1]!), end: (i) => ends[i]! };
}

function elementsOf(list: ListView): string[] {
  const seen: string[] = [];
  list.visit(0, list.length, false, (bytes, start, end) => {
    seen.push(Buffer.from(bytes.subarray(start, end)).toString("latin1"));
    return true;
  });
  const back: string[] = [];
  list.visit(list.length - 1, list.length, true, (bytes, start, end) => {
    back.push(Buffer.from(bytes.subarray(start, end)).toString("latin1"));
    return true;
  });
  expect(back.reverse()).toEqual(seen);
  return seen;
}

function shownOf(state: ShardState): [string, string[]][] {
  const names: string[] = [];
  state.keyspace.forEachKey(({ key }) => names.push(key));
  return names.sort().map((name) => {
    const { value } = state.keyspace.existing(name);
    return [name, elementsOf(value as unknown as ListView)];
  });
}

function sorted(model: Model): [string, string[]][] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The first `count` places of `element`, or the last, are taken out. */
function without(elements: readonly string[], element: string, count: number, fromRight: boolean): string[] {
  const kept = fromRight ? elements.toReversed() : [...elements];
  for (let left = count; left > 0; left--) kept.splice(kept.indexOf(element), 1);
  return fromRight ? kept.reverse() : kept;
}

/** One change, in the state and in the model. */
function change(state: ShardState, effects: Effects, model: Model, { kind, a, b, c }: Step): void {
  const name = NAMES[a % NAMES.length]!;
  const other = NAMES[b % NAMES.length]!;
  const { lists } = effects.values;
  const found = model.get(name);
  const element = String.fromCharCode(97 + (c % 5)).repeat(LENGTHS[b % LENGTHS.length]!);
  const bytes = bytesOf(element);
  const become = (elements: string[]): void => {
    if (elements.length === 0) model.delete(name);
    else model.set(name, elements);
  };
  switch (kind) {
    case 0:
    case 1:
    case 2: {
      const isLeft = c % 2 === 0;
      const count = 1 + (c % (kind === 2 ? 1500 : 3));
      const pushed = Array.from({ length: count }, (_, i) => (kind === 2 ? `${i % 97}` : element));
      lists.push(name, isLeft, sourceOf(pushed), 0, count);
      const before = found ?? [];
      model.set(name, isLeft ? [...pushed.toReversed(), ...before] : [...before, ...pushed]);
      return;
    }
    case 3:
    case 4: {
      if (found === undefined) return;
      const left = (kind === 3 ? b % 4 : b) % (found.length + 1);
      const right = (kind === 3 ? c % 4 : c) % (found.length - left + 1);
      lists.cut(name, left, right, "ltrim");
      become(found.slice(left, found.length - right));
      return;
    }
    case 5:
    case 6: {
      if (found === undefined) return;
      const index = c % found.length;
      lists.set(name, index, bytes, 0, bytes.length);
      model.set(name, found.with(index, element));
      return;
    }
    case 7:
    case 8: {
      if (found === undefined) return;
      const index = c % (found.length + 1);
      lists.insert(name, index, bytes, 0, bytes.length);
      model.set(name, found.toSpliced(index, 0, element));
      return;
    }
    case 9:
    case 10: {
      if (found === undefined) return;
      const taken = found[c % found.length]!;
      const all = found.filter((each) => each === taken).length;
      const count = b % 3 === 0 ? all : 1 + (b % all);
      const fromRight = a % 2 === 0;
      lists.remove(name, bytesOf(taken), 0, taken.length, count, fromRight);
      become(without(found, taken, count, fromRight));
      return;
    }
    case 11:
      if (found === undefined || other === name || other.slice(0, 3) !== name.slice(0, 3)) return;
      effects.renameKey(name, other);
      model.delete(name);
      model.set(other, found);
      return;
    case 12:
      if (found === undefined) return;
      effects.values.put(other, imageOf(state.keyspace.existing(name).value!, 1_000_000_000)!, -1, "copy_to");
      model.set(other, found);
      return;
    default:
      if (found === undefined || c % 3 !== 0) return;
      effects.deleteKey(name);
      model.delete(name);
  }
}

describe(`lists as keys hold them (seed ${SEED})`, () => {
  test("leader, follower, loaded and rolled back states show what arrays show", () => {
    judgeLives<Model>({
      runs: 120,
      lastStep: 13,
      stepsMax: 6,
      newModel: () => new Map(),
      change,
      compare: (state, model) => expect(shownOf(state)).toEqual(sorted(model)),
    });
  });
});

describe("rows of a list", () => {
  const push = (state: ShardState, count: number, element: string, isLeft = false): Uint8Array | null =>
    batch(state, (effects) => {
      const source = sourceOf(Array.from({ length: count }, () => element));
      effects.values.lists.push("k", isLeft, source, 0, count);
    });
  const cut = (state: ShardState, left: number, right: number): Uint8Array | null =>
    batch(state, (effects) => effects.values.lists.cut("k", left, right, "ltrim"));

  test("of a long queue a capture writes its ends", () => {
    const state = new ShardState();
    push(state, 100_000, "element");
    expect(state.capture().rows.length).toBeGreaterThan(100);
    push(state, 1, "last");
    cut(state, 1, 0);
    const { rows, byteLength } = state.capture();
    expect(rows.map(({ subkey }) => subkey[6])).toEqual([11, 11, 10]);
    expect(byteLength).toBeLessThan(20_000);
  });

  test("what it had in parts goes when it is short again, and with the key", () => {
    const state = new ShardState();
    const store = new RowStore();
    push(state, 3000, "element");
    store.write(state.capture());
    expect(store.rows.size).toBeGreaterThan(3);
    cut(state, 1500, 1499);
    store.write(state.capture());
    expect(store.rows.size).toBe(1);
    expect(store.load().stateHash()).toBe(state.stateHash());
    push(state, 3000, "element", true);
    store.write(state.capture());
    cut(state, 3000, 1);
    store.write(state.capture());
    expect(store.rows.size).toBe(0);
  });

  test("who trims a long list logs two numbers", () => {
    const state = new ShardState();
    push(state, 100_000, "element");
    expect(cut(state, 40_000, 50_000)!.length).toBeLessThan(100);
  });

  test("leaves that are put in between again and again find numbers between", () => {
    const state = new ShardState();
    const store = new RowStore();
    const element = bytesOf("e".repeat(5000));
    push(state, 20, "e".repeat(5000));
    for (let round = 0; round < 60; round++) {
      batch(state, (effects) => effects.values.lists.insert("k", 10, element, 0, element.length));
      batch(state, (effects) => effects.values.lists.insert("k", 10 + round, element, 0, element.length));
      state.verify();
      store.write(state.capture());
    }
    expectEqual(state, store.load());
    expect(store.rows.size).toBe(1 + 20 + 120);
  });

  test("a state goes back to before a list was long", () => {
    const state = new ShardState();
    const store = new RowStore();
    push(state, 3, "e");
    store.write(state.capture());
    push(state, 9000, "element");
    const queue = [state.capture()];
    cut(state, 100, 100);
    rolledBack(state, queue, store);
    expectEqual(state, store.load());
  });
});
