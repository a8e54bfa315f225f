/**
 * Keys that hold strings, among streams: against a map of strings that knows nothing of effects, through followers, stores, dropped captures, packing and
 * rollbacks. The seed stands in the tests' names.
 */
import { bytesOf } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import { type Effects, imageOf, NEVER, ShardState, type StringView } from "../src/index.ts";
import { add, batch } from "./entries.ts";
import { expectEqual, rolledBack } from "./rolled-back.ts";
import { RowStore } from "./state-driver.ts";
import { judgeLives, SEED, type Step } from "./value-lives.ts";

const NAMES = ["{v}a", "{v}b", "{v}c", "{w}d"] as const;
/** Around the bounds of what is text, of what is one row, and of parts. */
const LENGTHS = [0, 1, 9, 63, 64, 65, 1000, 65_535, 65_536, 65_537, 140_000];

type Model = Map<string, { readonly text: string | null; readonly expiresAtMs: number }>;

function shownOf(state: ShardState): Model {
  const shown: Model = new Map();
  const names: string[] = [];
  state.keyspace.forEachKey(({ key, type }) => names.push(`${type} ${key}`));
  for (const each of names) {
    const [type, name] = each.split(" ") as [string, string];
    const key = state.keyspace.existing(name);
    expect(key.type, "what a packed key says of itself").toBe(type);
    shown.set(name, {
      text: key.stream === null ? textOf(key.value as unknown as StringView) : null,
      expiresAtMs: key.expiresAtMs,
    });
  }
  return shown;
}

function textOf({ text, bytes, length }: StringView): string {
  const all = Buffer.from(bytes.subarray(0, length)).toString("latin1");
  if (text !== null) expect(text).toBe(all);
  return all;
}

function sorted(model: Model): unknown[] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** One change, in the state and in the model. */
function change(state: ShardState, effects: Effects, model: Model, { kind, a, b, c }: Step): void {
  const name = NAMES[a % NAMES.length]!;
  const other = NAMES[b % NAMES.length]!;
  const length = LENGTHS[b % LENGTHS.length]!;
  const bytes = bytesOf(String.fromCharCode(33 + (c % 90)).repeat(length));
  const text = Buffer.from(bytes).toString("latin1");
  const found = model.get(name);
  const { strings } = effects.values;
  const expiresAtMs = c % 3 === 0 ? effects.logTimeMs + 1 + c : NEVER;
  switch (kind) {
    case 0:
    case 1:
      strings.set(name, bytes, 0, length, expiresAtMs, expiresAtMs !== NEVER);
      model.set(name, { text, expiresAtMs });
      return;
    case 2:
      if (found?.text === null) return;
      strings.replace(name, bytes, 0, length, "incrby");
      model.set(name, { text, expiresAtMs: found?.expiresAtMs ?? NEVER });
      return;
    case 3:
    case 4:
    case 5: {
      if (found?.text === null) return;
      const before = found?.text ?? "";
      const offset = kind === 3 ? before.length : c % (kind === 4 ? before.length + 5 : 130_000);
      const piece = bytes.subarray(0, Math.min(length, 70));
      strings.write(name, offset, piece, 0, piece.length, null);
      const after =
        before.slice(0, offset).padEnd(offset, "\0") +
        text.slice(0, piece.length) +
        before.slice(offset + piece.length);
      model.set(name, { text: after, expiresAtMs: found?.expiresAtMs ?? NEVER });
      return;
    }
    case 6:
      if (found === undefined) return;
      effects.deleteKey(name);
      model.delete(name);
      return;
    case 7:
      if (found === undefined || other === name || other.slice(0, 3) !== name.slice(0, 3)) return;
      effects.renameKey(name, other);
      model.delete(name);
      model.set(other, found);
      return;
    case 8: {
      if (found === undefined || found.text === null) return;
      const image = imageOf(state.keyspace.existing(name).value!, 1_000_000)!;
      expect(imageOf(state.keyspace.existing(name).value!, found.text.length + 1)).toBe(null);
      effects.values.put(other, image, expiresAtMs, "copy_to");
      model.set(other, { text: found.text, expiresAtMs });
      return;
    }
    case 9:
      if (found === undefined) return;
      effects.setExpiry(name, expiresAtMs);
      model.set(name, { ...found, expiresAtMs });
      return;
    case 10:
      if (found !== undefined && found.text !== null) return;
      if (found === undefined) add(effects, name, 1);
      model.set(name, found ?? { text: null, expiresAtMs: NEVER });
      return;
    default:
      if (c % 7 !== 0) return;
      effects.flush();
      model.clear();
  }
}

describe(`strings as keys hold them (seed ${SEED})`, () => {
  test("leader, follower, loaded and rolled back states show what a map of strings shows", () => {
    judgeLives<Model>({
      runs: 150,
      lastStep: 11,
      stepsMax: 5,
      newModel: () => new Map(),
      change,
      compare: (state, model) => expect(sorted(shownOf(state))).toEqual(sorted(model)),
    });
  });
});

describe("rows of a string", () => {
  const set = (state: ShardState, text: string): void => {
    batch(state, (effects) => effects.values.strings.set("k", bytesOf(text), 0, text.length, NEVER, false));
  };
  const write = (state: ShardState, offset: number, text: string): void => {
    batch(state, (effects) => effects.values.strings.write("k", offset, bytesOf(text), 0, text.length, "setrange"));
  };

  test("a byte of sixteen megabytes that changes is written with its part, not with all of them", () => {
    const state = new ShardState();
    set(state, "x".repeat(16 * 1024 * 1024));
    expect(state.capture().rows.length).toBe(1 + 256);
    write(state, 5_000_000, "y");
    const { rows, byteLength } = state.capture();
    expect(rows.map(({ subkey }) => subkey[6])).toEqual([11, 10]);
    expect(byteLength).toBeLessThan(70_000);
  });

  test("what it had in parts goes when it is short again", () => {
    const state = new ShardState();
    const store = new RowStore();
    set(state, "x".repeat(200_000));
    store.write(state.capture());
    expect(store.rows.size).toBe(5);
    set(state, "short");
    store.write(state.capture());
    expect(store.rows.size).toBe(1);
    expect(store.load().stateHash()).toBe(state.stateHash());
    set(state, "x".repeat(200_000));
    store.write(state.capture());
    batch(state, (effects) => effects.deleteKey("k"));
    store.write(state.capture());
    expect(store.rows.size).toBe(0);
  });

  test("who appends logs what is appended", () => {
    const state = new ShardState();
    set(state, "x".repeat(10_000_000));
    const payload = batch(state, (effects) =>
      effects.values.strings.write("k", 10_000_000, bytesOf("tail"), 0, 4, "append"),
    );
    expect(payload!.length).toBeLessThan(100);
  });

  test("a state goes back to before a string was a stream's key", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => add(effects, "k", 1));
    store.write(state.capture());
    set(state, "v");
    const queue = [state.capture()];
    set(state, "w");
    rolledBack(state, queue, store);
    expect(state.keyspace.existing("k").type).toBe("stream");
    expectEqual(state, store.load());
  });
});

test("small strings at rest take less than 130 bytes each beside what the engine counts for names", () => {
  const state = new ShardState();
  const store = new RowStore();
  for (let from = 0; from < 20_000; from += 5000) {
    batch(state, (effects) => {
      for (let i = from; i < from + 5000; i++) {
        const value = bytesOf(`value:${i}`);
        effects.values.strings.set(`key:${i}`, value, 0, value.length, NEVER, false);
      }
    });
  }
  store.write(state.capture());
  state.evict(Number.POSITIVE_INFINITY, store.index);
  expect(state.memory.packedStreams).toBe(20_000);
  expect(state.memory.fixedBytes / 20_000).toBeLessThan(130);
});
