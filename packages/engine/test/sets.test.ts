/**
 * Keys that hold sets: against sets of JavaScript that know nothing of leaves, through followers, stores, dropped captures, packing and rollbacks. The seed
 * stands in the tests' names.
 */
import { bytesOf } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import { type Effects, imageOf, MemberList, NEVER, ShardState, type SetView } from "../src/index.ts";
import { halfSipHash } from "../src/half-sip-hash.ts";
import { MemberTable } from "../src/member-table.ts";
import { add, batch } from "./entries.ts";
import { expectEqual, rolledBack } from "./rolled-back.ts";
import { RowStore } from "./state-driver.ts";
import { judgeLives, judgeScans, SEED, type Step } from "./value-lives.ts";

const NAMES = ["{s}a", "{s}b", "{s}c", "{t}d"] as const;
const INTSET_MAX = 512;

interface Held {
  /** Null: the key holds a stream. */
  readonly members: ReadonlySet<string> | null;
  readonly isIntset: boolean;
  readonly expiresAtMs: number;
}

type Model = Map<string, Held>;

const isInt = (text: string): boolean =>
  /^(?:0|-?[1-9]\d*)$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
const staysIntset = (members: ReadonlySet<string>): boolean => members.size <= INTSET_MAX && [...members].every(isInt);

function listOf(members: Iterable<string>): MemberList {
  const list = new MemberList();
  for (const member of members) {
    const bytes = bytesOf(member);
    list.push(bytes, 0, bytes.length);
  }
  return list;
}

function membersOf(view: SetView): string[] {
  const members: string[] = [];
  view.forEach((bytes, start, end) => members.push(Buffer.from(bytes.subarray(start, end)).toString("latin1")));
  return members;
}

function setAt(state: ShardState, name: string): SetView {
  return state.keyspace.existing(name).value as unknown as SetView;
}

function shownOf(state: ShardState): Model {
  const shown: Model = new Map();
  const names: string[] = [];
  state.keyspace.forEachKey(({ key, type }) => names.push(`${type} ${key}`));
  for (const each of names) {
    const [type, name] = each.split(" ") as [string, string];
    const key = state.keyspace.existing(name);
    expect(key.type, "what a packed key says of itself").toBe(type);
    const view = key.stream === null ? (key.value as unknown as SetView) : null;
    if (view !== null) expect(membersOf(view).length).toBe(view.size);
    shown.set(name, {
      members: view === null ? null : new Set(membersOf(view)),
      isIntset: view !== null && view.isIntset,
      expiresAtMs: key.expiresAtMs,
    });
  }
  return shown;
}

function sorted(model: Model): unknown[] {
  return [...model]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, held]) => [name, { ...held, members: held.members === null ? null : [...held.members].sort() }]);
}

/** Members by number: integers, short and long texts, and few that are as large as a leaf. */
function memberOf(number: number, style: number): string {
  if (style % 3 === 0) return String(number - 50);
  if (style % 3 === 1) return `member:${number}`;
  return `${number}`.padEnd(number % 40 === 0 ? 70_000 : 100, "z");
}

/** One change, in the state and in the model. */
function change(state: ShardState, effects: Effects, model: Model, { kind, a, b, c }: Step): void {
  const name = NAMES[a % NAMES.length]!;
  const other = NAMES[b % NAMES.length]!;
  const found = model.get(name);
  const { sets } = effects.values;
  const expiresAtMs = c % 3 === 0 ? effects.logTimeMs + 1 + c : NEVER;
  const before = found?.members ?? new Set<string>();
  const style = a % 2 === 0 ? 0 : b;
  const some = new Set(
    Array.from({ length: 1 + (c % 5 === 0 ? 300 : c % 9) }, (_, i) => memberOf((b + i * 7) % 900, style)),
  );
  switch (kind) {
    case 0:
    case 1:
    case 2: {
      if (found?.members === null) return;
      const fresh = [...some].filter((member) => !before.has(member));
      if (fresh.length === 0) return;
      const after = new Set([...before, ...fresh]);
      expect(sets.add(name, listOf([...fresh, fresh[0]!]), c)).toBe(fresh.length);
      model.set(name, {
        members: after,
        isIntset: (found?.isIntset ?? true) && staysIntset(after),
        expiresAtMs: found?.expiresAtMs ?? NEVER,
      });
      return;
    }
    case 3:
    case 4: {
      if (found?.members === null || found === undefined) return;
      const gone = [...before].filter((member, i) => (kind === 3 ? some.has(member) : (i + c) % 5 !== 0));
      if (gone.length === 0) return;
      expect(sets.remove(name, listOf(gone), "srem")).toBe(gone.length);
      const after = new Set([...before].filter((member) => !gone.includes(member)));
      if (after.size === 0) model.delete(name);
      else model.set(name, { ...found, members: after });
      return;
    }
    case 5: {
      if (found?.members === null || found === undefined) return;
      const kept = new Set([...before].filter((_, i) => i % 6 === 0));
      sets.keep(name, listOf(kept), "spop");
      model.set(name, { ...found, members: kept, isIntset: staysIntset(kept) });
      return;
    }
    case 6:
      if (found === undefined) return;
      if (found.members !== null) sets.popAll(name);
      else effects.deleteKey(name);
      model.delete(name);
      return;
    case 7:
      if (found === undefined || other === name || other.slice(0, 3) !== name.slice(0, 3)) return;
      effects.renameKey(name, other);
      model.delete(name);
      model.set(other, found);
      return;
    case 8: {
      if (found === undefined || found.members === null) return;
      const view = state.keyspace.existing(name).value!;
      const image = imageOf(view, 10_000_000)!;
      expect(image.length - 2).toBeLessThanOrEqual(view.imageBytesMax);
      effects.values.put(other, image, expiresAtMs, "copy_to");
      model.set(other, { ...found, expiresAtMs });
      return;
    }
    case 9: {
      const list = listOf(some);
      list.wasTable = c % 2 === 0;
      sets.store(name, list, c, "sunionstore");
      model.set(name, { members: some, isIntset: !list.wasTable && staysIntset(some), expiresAtMs: NEVER });
      return;
    }
    case 10:
      if (found !== undefined && found.members !== null) return;
      if (found === undefined) add(effects, name, 1);
      model.set(name, found ?? { members: null, isIntset: false, expiresAtMs: NEVER });
      return;
    default:
      if (c % 7 !== 0) return;
      effects.flush();
      model.clear();
  }
}

describe(`sets as keys hold them (seed ${SEED})`, () => {
  test("leader, follower, loaded and rolled back states show what sets of another make show", () => {
    judgeLives<Model>({
      runs: 120,
      lastStep: 11,
      stepsMax: 5,
      newModel: () => new Map(),
      change,
      compare: (state, model) => expect(sorted(shownOf(state))).toEqual(sorted(model)),
    });
  });

  test("a scan meets everybody who is a member all the time, whatever comes and goes meanwhile, and nobody twice while nothing does", () => {
    judgeScans((seed) => {
      const table = new MemberTable(seed, null);
      return {
        put: (name) => void table.add(bytesOf(name), 0, name.length),
        remove: (name) => void table.remove(bytesOf(name), 0, name.length),
        scan: (cursor, count, visit) =>
          table.scan(cursor, count, (bytes, start, end) =>
            visit(Buffer.from(bytes.subarray(start, end)).toString("latin1")),
          ),
        verify: () => table.verify(),
      };
    });
  });

  test("every place of a set has another member", () => {
    const table = new MemberTable(1, null);
    for (let i = 0; i < 20_000; i++) table.add(bytesOf(`m${i}`), 0, `m${i}`.length);
    const seen = new Set<string>();
    for (let i = 0; i < table.count; i += 1) {
      table.at(i, (bytes, start, end) => seen.add(Buffer.from(bytes.subarray(start, end)).toString("latin1")));
    }
    expect(seen.size).toBe(20_000);
  });
});

describe("rows of a set", () => {
  const put = (state: ShardState, from: number, to: number): void => {
    const members = Array.from({ length: to - from }, (_, i) => `member:${from + i}`);
    batch(state, (effects) => void effects.values.sets.add("k", listOf(members), 7));
  };

  test("a member that comes to a hundred thousand is written with its leaf, not with all of them", () => {
    const state = new ShardState();
    put(state, 0, 100_000);
    expect(state.capture().rows.length).toBeGreaterThan(1000);
    put(state, 100_000, 100_001);
    const { rows, byteLength } = state.capture();
    // Its leaf, two more if one was split, and the head.
    expect(rows.length).toBeLessThanOrEqual(4);
    expect(byteLength).toBeLessThan(10_000);
  });

  test("a set that is small again has one row, and a set that has lost all members none", () => {
    const state = new ShardState();
    const store = new RowStore();
    put(state, 0, 1000);
    store.write(state.capture());
    expect(store.rows.size).toBeGreaterThan(10);
    const gone = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, i) => `member:${from + i}`);
    batch(state, (effects) => void effects.values.sets.remove("k", listOf(gone(0, 990)), "srem"));
    store.write(state.capture());
    expect(store.rows.size).toBe(1);
    expect(store.load().stateHash()).toBe(state.stateHash());
    batch(state, (effects) => void effects.values.sets.remove("k", listOf(gone(990, 1000)), "spop"));
    store.write(state.capture());
    expect(store.rows.size).toBe(0);
    expect(state.keyspace.find("k")).toBe(null);
  });

  test("a state goes back to before a set was a stream's key", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => add(effects, "k", 1));
    store.write(state.capture());
    batch(state, (effects) => effects.values.sets.store("k", listOf(["a"]), 1, "sunionstore"));
    const queue = [state.capture()];
    put(state, 0, 300);
    rolledBack(state, queue, store);
    expect(state.keyspace.existing("k").type).toBe("stream");
    expectEqual(state, store.load());
  });

  test("an intset's walk goes by value, over all of 64 bits", () => {
    const state = new ShardState();
    const values = ["10", "9", "-1", "0", "9223372036854775807", "-9223372036854775808", "9007199254740993", "-20"];
    batch(state, (effects) => void effects.values.sets.add("k", listOf(values), 1));
    expect(membersOf(setAt(state, "k"))).toEqual(
      values.toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0)),
    );
  });
});

test("members lie where HalfSipHash-1-3 says", () => {
  // Linux' lib/test_siphash.c: hsiphash of the bytes 0 … n−1 under the key bytes 0 … 7.
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
  const words = [0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b, 0xa0080b65, 0x9d38d9d6];
  expect(words.map((_, n) => halfSipHash(bytes, 0, n, 0x03020100, 0x07060504))).toEqual(words);
});
