/**
 * Keys that hold sorted sets: against maps that are sorted anew for every look, through followers, stores, dropped captures, packing and rollbacks. The seed
 * stands in the tests' names.
 */
import { describe, expect, test } from "vitest";
import { type Effects, imageOf, NEVER, ShardState, type SortedSetView } from "../src/index.ts";
import { batch } from "./entries.ts";
import { expectEqual, rolledBack } from "./rolled-back.ts";
import { RowStore } from "./state-driver.ts";
import { judgeLives, SEED, type Step } from "./value-lives.ts";

const NAMES = ["{v}a", "{v}b", "{w}c"] as const;

type Model = Map<string, Map<string, number>>;

/** By score, then by bytes: Redis' order. */
function inOrder(scores: ReadonlyMap<string, number>): [string, number][] {
  return [...scores].sort(([a, scoreA], [b, scoreB]) =>
    scoreA < scoreB ? -1 : scoreA > scoreB ? 1 : Buffer.compare(Buffer.from(a, "latin1"), Buffer.from(b, "latin1")),
  );
}

function viewOf(state: ShardState, name: string): SortedSetView {
  return state.keyspace.existing(name).value as unknown as SortedSetView;
}

function shownOf(state: ShardState): unknown[] {
  const names: string[] = [];
  state.keyspace.forEachKey(({ key, type }) => {
    expect(type).toBe("zset");
    names.push(key);
  });
  return names.sort().map((name) => {
    const elements: [string, number][] = [];
    const view = viewOf(state, name);
    view.visit(0, view.count, false, (member, score) => elements.push([member, score]));
    return [name, elements];
  });
}

function expected(model: Model): unknown[] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, scores]) => [name, inOrder(scores)]);
}

const SCORES = [0, 1, 1, 2, -3.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, 5e-324];

/** Some members: few names, so that they come again; now and then a long one. */
function membersOf(count: number, from: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const number = (from + i * 7) % 700;
    return number % 97 === 0 ? `${number}`.padEnd(from % 5 === 0 ? 9000 : 70, "\u00ff") : `m${number}`;
  });
}

/** One change, in the state and in the model. */
function change(state: ShardState, effects: Effects, model: Model, { kind, a, b, c }: Step): void {
  const name = NAMES[a % NAMES.length]!;
  const other = NAMES[b % NAMES.length]!;
  const found = model.get(name);
  const { sortedSets } = effects.values;
  const count = [1, 2, 5, 60, 300][b % 5]!;
  switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const members = [...new Set(membersOf(count, c))];
      const scores = members.map(
        (_, i) => (kind === 3 ? c % 5 : SCORES[(c + i) % SCORES.length]!) + (kind === 2 ? i : 0),
      );
      if (kind === 1 && c % 3 === 0) {
        sortedSets.store(name, members, scores, "zunionstore");
        model.set(name, new Map(members.map((member, i) => [member, scores[i]!])));
        return;
      }
      sortedSets.put(name, members, scores, "zadd");
      const into = found ?? new Map<string, number>();
      for (const [i, member] of members.entries()) into.set(member, scores[i]!);
      model.set(name, into);
      return;
    }
    case 4: {
      if (found === undefined) return;
      const members = [...new Set(membersOf(count, c))].filter((member) => found.has(member));
      if (members.length === 0) return;
      sortedSets.remove(name, members, "zrem");
      for (const member of members) found.delete(member);
      if (found.size === 0) model.delete(name);
      return;
    }
    case 5:
    case 6: {
      if (found === undefined) return;
      const from = c % found.size;
      const to = Math.min(found.size, from + 1 + (kind === 5 ? b % 5 : b % 1000));
      const gone = inOrder(found).slice(from, to);
      sortedSets.removeRanks(name, from, to, "zremrangebyrank");
      for (const [member] of gone) found.delete(member);
      if (found.size === 0) model.delete(name);
      return;
    }
    case 7:
      if (found === undefined || other === name || other.slice(0, 3) !== name.slice(0, 3)) return;
      effects.renameKey(name, other);
      model.delete(name);
      model.set(other, found);
      return;
    case 8:
      if (found === undefined || other === name) return;
      effects.values.put(other, imageOf(viewOf(state, name), 10_000_000)!, NEVER, "copy_to");
      model.set(other, new Map(found));
      return;
    default:
      if (found === undefined || c % 4 !== 0) return;
      effects.deleteKey(name);
      model.delete(name);
  }
}

/** What is asked of a set is what the sorted model says. */
function ask(view: SortedSetView, scores: ReadonlyMap<string, number>, c: number): void {
  const all = inOrder(scores);
  expect(view.count).toBe(all.length);
  const [member, score] = all[c % all.length]!;
  expect(view.scoreOf(member)).toBe(score);
  expect(view.rankOf(member)).toBe(c % all.length);
  expect([view.scoreOf("nobody"), view.rankOf("nobody")]).toEqual([undefined, -1]);
  for (const bound of [score, score + 0.5, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
    expect(view.countBelowScore(bound, false)).toBe(all.filter(([, each]) => each < bound).length);
    expect(view.countBelowScore(bound, true)).toBe(all.filter(([, each]) => each <= bound).length);
  }
  const from = c % all.length;
  const to = Math.min(all.length, from + (c % 400));
  const backwards: [string, number][] = [];
  view.visit(from, to, true, (each, its) => backwards.push([each, its]));
  expect(backwards).toEqual(all.slice(from, to).reverse());
  const scanned: string[] = [];
  let cursor = 0;
  do {
    cursor = view.scan(cursor, 1 + (c % 50), (each) => scanned.push(each));
  } while (cursor !== 0);
  expect(scanned.sort()).toEqual([...scores.keys()].sort());
}

describe(`sorted sets as keys hold them (seed ${SEED})`, () => {
  test("leader, follower, loaded and rolled back states show what a sorted map shows", () => {
    judgeLives<Model>({
      runs: 150,
      lastStep: 9,
      stepsMax: 5,
      newModel: () => new Map(),
      change,
      compare: (state, model, choice) => {
        expect(shownOf(state)).toEqual(expected(model));
        for (const [name, scores] of model) ask(viewOf(state, name), scores, choice);
      },
    });
  });
});

describe("a large sorted set", () => {
  const put = (state: ShardState, members: readonly string[], score: (i: number) => number): Uint8Array =>
    batch(state, (effects) =>
      effects.values.sortedSets.put(
        "k",
        members,
        members.map((_, i) => score(i)),
        "zadd",
      ),
    )!;
  const filled = (count: number): ShardState => {
    const state = new ShardState();
    for (let from = 0; from < count; from += 10_000) {
      const members = Array.from({ length: Math.min(10_000, count - from) }, (_, i) => `member:${from + i}`);
      put(state, members, (i) => ((from + i) * 7919) % count);
    }
    return state;
  };

  test("is written leaf by leaf: one score of a hundred thousand that changes writes the two leaves that it leaves and enters", () => {
    const state = filled(100_000);
    expect(state.capture().rows.length).toBeGreaterThan(700);
    const payload = put(state, ["member:5"], () => 77_777.5);
    expect(payload.length).toBeLessThan(100);
    const { rows, byteLength } = state.capture();
    expect(rows.map(({ subkey }) => subkey[6])).toEqual([11, 11, 10]);
    expect(byteLength).toBeLessThan(8000);
  });

  test("that becomes small gives back its parts, and one that goes leaves no row", () => {
    const state = filled(5000);
    const store = new RowStore();
    store.write(state.capture());
    expect(store.rows.size).toBeGreaterThan(30);
    batch(state, (effects) => effects.values.sortedSets.removeRanks("k", 10, 5000, "zremrangebyrank"));
    store.write(state.capture());
    expect(store.rows.size).toBe(1);
    expect(store.load().stateHash()).toBe(state.stateHash());
    expect(viewOf(state, "k").encoding).toBe("skiplist");
    batch(state, (effects) => effects.values.sortedSets.removeRanks("k", 0, 10, "zpopmin"));
    expect(state.keyspace.find("k")).toBe(null);
    store.write(state.capture());
    expect(store.rows.size).toBe(0);
  });

  test("finds ranks across its sections, also when scores only grow and when its middle goes", () => {
    const state = new ShardState();
    for (let from = 0; from < 200_000; from += 20_000) {
      const members = Array.from({ length: 20_000 }, (_, i) => `m${from + i}`);
      put(state, members, (i) => from + i);
    }
    const view = viewOf(state, "k");
    expect([view.rankOf("m0"), view.rankOf("m123456"), view.rankOf("m199999")]).toEqual([0, 123_456, 199_999]);
    batch(state, (effects) => effects.values.sortedSets.removeRanks("k", 1000, 190_000, "zremrangebyrank"));
    state.verify();
    expect([view.count, view.rankOf("m999"), view.rankOf("m190000")]).toEqual([11_000, 999, 1000]);
  });

  test("shows who is a member from beginning to end once to a walk, though it grows and shrinks meanwhile", () => {
    const state = filled(1000);
    const view = viewOf(state, "k");
    const seen = new Map<string, number>();
    let cursor = 0;
    let round = 0;
    do {
      cursor = view.scan(cursor, 50, (member) => seen.set(member, (seen.get(member) ?? 0) + 1));
      round++;
      if (round > 8) continue;
      const members = Array.from({ length: 300 }, (_, i) => `new:${round}:${i}`);
      put(state, members, () => round);
      batch(state, (effects) => effects.values.sortedSets.remove("k", [`member:${500 + round}`], "zrem"));
    } while (cursor !== 0);
    for (let i = 0; i < 500; i++) expect(seen.get(`member:${i}`)).toBe(1);
    expect(Math.max(...seen.values())).toBe(1);
  });

  test("goes back to before it was another kind's key", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => effects.values.strings.set("k", Buffer.from("v"), 0, 1, NEVER, false));
    store.write(state.capture());
    batch(state, (effects) => effects.values.sortedSets.store("k", ["a"], [1], "zunionstore"));
    const queue = [state.capture()];
    put(state, ["b"], () => 2);
    rolledBack(state, queue, store);
    expect(state.keyspace.existing("k").type).toBe("string");
    expectEqual(state, store.load());
  });
});
