/**
 * Keys that hold hashes: against maps of JavaScript that know nothing of leaves, through followers, stores, dropped captures, packing and rollbacks. The seed
 * stands in the tests' names.
 */
import { bytesOf, ByteReader, ByteWriter } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import {
  type Effects,
  type HashView,
  imageOf,
  MemberList,
  NEVER,
  ShardState,
  writeFieldRecord,
  DamagedRowError,
} from "../src/index.ts";
import { DirtyMeter } from "../src/dirty-meter.ts";
import { HashValue } from "../src/hash-value.ts";
import { add, batch } from "./entries.ts";
import { expectEqual, rolledBack } from "./rolled-back.ts";
import { RowStore } from "./state-driver.ts";
import { judgeLives, judgeScans, SEED, type Step } from "./value-lives.ts";

const NAMES = ["{s}a", "{s}b", "{s}c", "{t}d"] as const;
/** Redis' hash-max-listpack-entries and hash-max-listpack-value as they are by default. */
const LISTPACK = { fields: 512, bytes: 64 };

type Pairs = readonly (readonly [field: string, value: string])[];

interface Held {
  /** Null: the key holds a stream. */
  readonly fields: ReadonlyMap<string, string> | null;
  readonly isListpack: boolean;
  readonly expiresAtMs: number;
}

type Model = Map<string, Held>;

function spanOf(text: string): { bytes: Uint8Array; start: number; end: number } {
  const bytes = bytesOf(text);
  return { bytes, start: 0, end: bytes.length };
}

function recordsOf(pairs: Pairs): Uint8Array {
  const writer = new ByteWriter();
  for (const [field, value] of pairs) writeFieldRecord(writer, spanOf(field), spanOf(value));
  return writer.view();
}

function listOf(fields: Iterable<string>): MemberList {
  const list = new MemberList();
  for (const field of fields) list.push(bytesOf(field), 0, field.length);
  return list;
}

function put(effects: Effects, key: string, pairs: Pairs, seed: number = 7): number {
  const records = recordsOf(pairs);
  return effects.values.hashes.put(key, records, 0, records.length, seed, "hset");
}

const text = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.subarray(start, end)).toString("latin1");

function pairsOf(view: HashView): Pairs {
  const pairs: [string, string][] = [];
  view.forEach((bytes, fieldStart, fieldEnd, valueStart, valueEnd) =>
    pairs.push([text(bytes, fieldStart, fieldEnd), text(bytes, valueStart, valueEnd)]),
  );
  return pairs;
}

function hashAt(state: ShardState, name: string): HashView {
  return state.keyspace.existing(name).value as unknown as HashView;
}

function shownOf(state: ShardState): Map<string, unknown> {
  const shown = new Map<string, unknown>();
  const names: string[] = [];
  state.keyspace.forEachKey(({ key, type }) => names.push(`${type} ${key}`));
  for (const each of names) {
    const [type, name] = each.split(" ") as [string, string];
    const key = state.keyspace.existing(name);
    expect(key.type, "what a packed key says of itself").toBe(type);
    const { expiresAtMs } = key;
    if (key.stream !== null) shown.set(name, { fields: null, encoding: "stream", expiresAtMs });
    else shown.set(name, { ...shownHash(key.value as unknown as HashView), expiresAtMs });
  }
  return shown;
}

/** All that can be asked of it: the walk, each field by name, and by place. */
function shownHash(view: HashView): { fields: Pairs; encoding: string } {
  const fields = pairsOf(view);
  expect(fields.length).toBe(view.size);
  for (const [field, value] of fields.slice(0, 20)) {
    const found = view.find(bytesOf(field), 0, field.length);
    expect(found === null ? null : text(found.bytes, found.start, found.end)).toBe(value);
    expect(view.find(bytesOf(`${field}?`), 0, field.length + 1)).toBe(null);
  }
  const placed: string[] = [];
  for (let i = 0; i < Math.min(view.size, 20); i++)
    view.at(i, (bytes, start, end) => placed.push(text(bytes, start, end)));
  expect(placed).toEqual(fields.slice(0, 20).map(([field]) => field));
  const bytes = recordsOf(fields).length;
  expect(view.recordBytes).toBe(bytes);
  return { fields: view.isListpack ? fields : sortedPairs(fields), encoding: view.encoding };
}

function sortedPairs(pairs: Pairs): Pairs {
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
}

function expected(model: Model): Map<string, unknown> {
  return new Map(
    [...model].map(([name, { fields, isListpack, expiresAtMs }]): [string, unknown] => {
      if (fields === null) return [name, { fields: null, encoding: "stream", expiresAtMs }];
      // A Map keeps the order in which its keys came, as a listpack does.
      const pairs = isListpack ? [...fields] : sortedPairs([...fields]);
      return [name, { fields: pairs, encoding: isListpack ? "listpack" : "hashtable", expiresAtMs }];
    }),
  );
}

function withPairs(held: Held | undefined, pairs: Pairs): Held {
  const fields = new Map(held?.fields);
  let isListpack = held?.isListpack ?? true;
  for (const [field, value] of pairs) {
    fields.set(field, value);
    if (Math.max(field.length, value.length) > LISTPACK.bytes || fields.size > LISTPACK.fields) isListpack = false;
  }
  return { fields, isListpack, expiresAtMs: held?.expiresAtMs ?? NEVER };
}

/** Values by number: none, short ones, and few that are as large as a leaf. */
function valueOf(number: number, style: number): string {
  if (style % 4 === 0) return String(number);
  if (style % 4 === 1) return "v".repeat(number % 60);
  if (style % 4 === 2) return number % 5 === 0 ? "" : `value:${number}`;
  return "z".repeat(number % 30 === 0 ? 70_000 : number % 200);
}

/** One change, in the state and in the model. */
function change(state: ShardState, effects: Effects, model: Model, { kind, a, b, c }: Step): void {
  const name = NAMES[a % NAMES.length]!;
  const other = NAMES[b % NAMES.length]!;
  const found = model.get(name);
  const before = found?.fields ?? new Map<string, string>();
  const expiresAtMs = c % 3 === 0 ? effects.logTimeMs + 1 + c : NEVER;
  const style = a % 2 === 0 ? b % 2 : b;
  switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3: {
      if (found?.fields === null) return;
      const count = 1 + (c % 6 === 0 ? 290 : c % 12);
      const pairs = Array.from({ length: count }, (_, i): [string, string] => [
        `${c % 40 === 0 ? "long:".repeat(14) : "f:"}${(b + i * 7) % 900}`,
        valueOf(c + i, style),
      ]);
      const after = withPairs(found, pairs);
      expect(put(effects, name, pairs, b % 2 === 0 ? 0xffff_fff0 + (c % 16) : c)).toBe(
        after.fields!.size - before.size,
      );
      model.set(name, after);
      return;
    }
    case 4:
    case 5: {
      if (found?.fields === null || found === undefined) return;
      const gone = [...before.keys()].filter((_, i) => (kind === 4 ? (i + c) % 9 === 0 : (i + c) % 5 !== 0));
      if (gone.length === 0) return;
      expect(effects.values.hashes.remove(name, listOf([...gone, gone[0]!]))).toBe(gone.length);
      const after = new Map([...before].filter(([field]) => !gone.includes(field)));
      if (after.size === 0) model.delete(name);
      else model.set(name, { ...found, fields: after });
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
      if (found === undefined || found.fields === null) return;
      const view = state.keyspace.existing(name).value!;
      const image = imageOf(view, 20_000_000)!;
      expect(image.length - 2).toBeLessThanOrEqual(view.imageBytesMax);
      effects.values.put(other, image, expiresAtMs, "copy_to");
      model.set(other, { ...found, expiresAtMs });
      return;
    }
    case 9:
      if (found !== undefined && found.fields !== null) return;
      if (found === undefined) add(effects, name, 1);
      model.set(name, found ?? { fields: null, isListpack: false, expiresAtMs: NEVER });
      return;
    default:
      if (c % 7 !== 0) return;
      effects.flush();
      model.clear();
  }
}

describe(`hashes as keys hold them (seed ${SEED})`, () => {
  test("leader, follower, loaded and rolled back states show what maps of another make show", () => {
    judgeLives<Model>({
      runs: 60,
      lastStep: 10,
      stepsMax: 5,
      newModel: () => new Map(),
      change,
      compare: (state, model) => expect(shownOf(state)).toEqual(expected(model)),
    });
  });

  test("a scan meets every field that is there all the time, whatever comes, goes and gets other values meanwhile", () => {
    judgeScans((seed) => {
      const meter = new DirtyMeter();
      const value = new HashValue(seed);
      value.becomeTable(meter);
      return {
        put: (name, turn) => void value.put(recordsOf([[name, "v".repeat((turn % 5) * 100)]]), 0, meter),
        remove: (name) => value.remove(bytesOf(name), 0, name.length),
        scan: (cursor, count, visit) =>
          value.scan(cursor, count, (bytes, start, end) => visit(text(bytes, start, end))),
        verify: () => value.verify(),
      };
    });
  });
});

const pairs = (from: number, to: number, length: number = 8): Pairs =>
  Array.from({ length: to - from }, (_, i): [string, string] => [`field:${from + i}`, "v".repeat(length)]);

describe("a hash as large as a listpack of Redis'", () => {
  test.each([
    ["512 fields", pairs(0, 512), "listpack"],
    ["513 fields", pairs(0, 513), "hashtable"],
    ["a value of 64 bytes", pairs(0, 1, 64), "listpack"],
    ["a value of 65 bytes", pairs(0, 1, 65), "hashtable"],
    ["a field of 65 bytes", [["f".repeat(65), ""]] as Pairs, "hashtable"],
  ])("%s", (_name, all, encoding) => {
    const state = new ShardState();
    batch(state, (effects) => void put(effects, "k", all));
    expect(hashAt(state, "k").encoding).toBe(encoding);
    // It stays what it is when little is left.
    const gone = listOf(all.slice(1).map(([field]) => field));
    batch(state, (effects) => {
      put(effects, "k", [[all[0]![0], "v"]]);
      if (gone.count > 0) effects.values.hashes.remove("k", gone);
    });
    expect(hashAt(state, "k").encoding).toBe(encoding);
  });

  test("its fields keep their places, whatever lengths their values get", () => {
    const state = new ShardState();
    batch(state, (effects) => void put(effects, "k", pairs(0, 40)));
    const after = pairs(0, 40).map(([field], i): [string, string] => [field, "w".repeat((i * 37) % 65)]);
    batch(state, (effects) => {
      for (const pair of after.toReversed()) put(effects, "k", [pair]);
    });
    expect(pairsOf(hashAt(state, "k"))).toEqual(after);
  });

  test("what HGETALL answers is what HSET was given", () => {
    const state = new ShardState();
    const records = recordsOf(pairs(0, 30));
    batch(state, (effects) => void effects.values.hashes.put("k", records, 0, records.length, 1, "hset"));
    const stretches: number[] = [];
    hashAt(state, "k").forEachStretch((bytes, start, end) => stretches.push(...bytes.subarray(start, end)));
    expect(Uint8Array.from(stretches)).toEqual(new Uint8Array(records));
    expect(text(records, 0, 27)).toBe("$7\r\nfield:0\r\n$8\r\nvvvvvvvv\r\n");
  });
});

describe("rows of a hash", () => {
  test("a field of a hundred thousand that gets another value is written with its leaf, not with all of them", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => void put(effects, "k", pairs(0, 100_000)));
    store.write(state.capture());
    expect(store.rows.size).toBeGreaterThan(1000);
    // As long as the one before it.
    batch(state, (effects) => void put(effects, "k", [["field:77", "wwwwwwww"]]));
    const capture = state.capture();
    // Its leaf, and the head.
    expect(capture.rows.length).toBe(2);
    expect(capture.byteLength).toBeLessThan(6000);
    store.write(capture);
    expect(store.load().stateHash()).toBe(state.stateHash());
  });

  test("a hash that is small again has one row, and a hash that has lost all fields none", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => void put(effects, "k", pairs(0, 1000)));
    store.write(state.capture());
    expect(store.rows.size).toBeGreaterThan(10);
    const gone = (from: number, to: number): MemberList => listOf(pairs(from, to).map(([field]) => field));
    batch(state, (effects) => void effects.values.hashes.remove("k", gone(0, 990)));
    store.write(state.capture());
    expect(store.rows.size).toBe(1);
    expect(store.load().stateHash()).toBe(state.stateHash());
    batch(state, (effects) => void effects.values.hashes.remove("k", gone(990, 1000)));
    store.write(state.capture());
    expect(store.rows.size).toBe(0);
    expect(state.keyspace.find("k")).toBe(null);
  });

  test("a state goes back to before a listpack became a table", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => void put(effects, "k", pairs(0, 500)));
    store.write(state.capture());
    batch(state, (effects) => void put(effects, "k", pairs(500, 3000)));
    const queue = [state.capture()];
    batch(state, (effects) => void effects.values.hashes.remove("k", listOf(["field:7"])));
    rolledBack(state, queue, store);
    expect(pairsOf(hashAt(state, "k"))).toEqual(pairs(0, 500));
    expectEqual(state, store.load());
  });

  test.each([
    ["is cut off", "$1\r\na\r\n$1\r\n"],
    ["lacks its value", "$1\r\na\r\n"],
    ["ends late", "$1\r\na\r\n$9\r\nb\r\n"],
    ["has no length", "$\r\na\r\n$1\r\nb\r\n"],
    ["has a length of another form", "$01\r\na\r\n$1\r\nb\r\n"],
    ["has no end of line", "$1\r\na\r\n$1\r\nb\rx"],
    ["is another reply", ":1\r\n"],
    ["has no end of its length", "$1"],
  ])("a record that %s is damage", (_name, records) => {
    const writer = new ByteWriter();
    writer.u32(1);
    writer.u8(0);
    writer.latin1(`$1\r\nx\r\n$0\r\n\r\n${records}`);
    const read = (): unknown => HashValue.read(new ByteReader(writer.view()), new Map(), new DirtyMeter());
    expect(read).toThrow(DamagedRowError);
  });
});
