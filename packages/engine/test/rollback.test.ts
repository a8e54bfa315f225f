/**
 * A rollback against a load of everything: equal by hash, by every field, and in all that they do afterwards. The truth beside both is a state
 * that never went further. The seed stands in the test's name.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Capture, DamagedRowError, MIN_ID, ShardState } from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";
import { DATA_REGION, Driver, RowStore, STEP_KIND_MAX, type Step } from "./state-driver.ts";
import { expectEqual, feed, rolledBack } from "./rolled-back.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261121);

interface Turn {
  readonly steps: readonly Step[];
  /** 0: nothing, 1: a capture is queued, 2: and the oldest in the queue is written, 3: the oldest is written. */
  readonly checkpoint: number;
}

/** A driver whose leader's captures wait in a queue, as a leader's do while its entries are not committed. */
class Queued {
  readonly driver: Driver;
  readonly store = new RowStore();
  readonly queue: Capture[] = [];
  /** Number of turns done when the state came to an index. */
  readonly turnsAt: number[] = [];
  #turnsDone = 0;

  constructor(driver: Driver) {
    this.driver = driver;
    this.turnsAt[driver.leader.index] = 0;
  }

  turn({ steps, checkpoint }: Turn): void {
    this.driver.batch(steps);
    this.#turnsDone++;
    this.turnsAt[this.driver.leader.index] = this.#turnsDone;
    if (checkpoint === 1 || checkpoint === 2) this.queue.push(this.driver.leader.capture());
    if (checkpoint < 2) return;
    this.writeOldest();
    // Now and then much leaves memory, as far as it is in the store.
    if (this.store.header === null || this.#turnsDone % 2 === 0) return;
    this.driver.leader.coldReads = this.store.coldReads(false);
    this.driver.leader.evict(this.#turnsDone % 3 === 0 ? Number.POSITIVE_INFINITY : 40_000, this.store.index);
  }

  writeOldest(): void {
    const oldest = this.queue.shift();
    if (oldest !== undefined) this.store.write(oldest);
  }
}

interface Life {
  readonly before: readonly Turn[];
  readonly cut: number;
  readonly after: readonly Turn[];
}

function live(make: () => Driver, { before, cut, after }: Life, seen: { partial: number; full: number }): void {
  const first = new Queued(make());
  const { driver, store, queue } = first;
  first.queue.push(driver.leader.capture());
  first.writeOldest();
  for (const turn of before) first.turn(turn);
  const state = driver.leader;
  const cleared = queue.some((capture) => capture.cleared) || state.keyspace.cleared;
  state.coldReads = store.coldReads(false);
  const rollback = state.beginRollback(queue, store.header!, store.index);
  expect(rollback === null).toBe(cleared);
  if (rollback === null) {
    seen.full++;
    return;
  }
  seen.partial++;
  const last = state.index;
  feed(rollback, store);
  rollback.finish();
  state.verify();
  const loaded = store.load();
  expectEqual(state, loaded);
  // Forward to where the new leader's log begins to differ.
  const kept = store.index + (cut % (last - store.index + 1));
  for (let index = store.index + 1; index <= kept; index++) {
    state.apply(driver.payloads[index]!, index);
    loaded.apply(driver.payloads[index]!, index);
  }
  expectEqual(state, loaded);
  // Those that never went further; then both live on in their place, as leader and as follower, with the model watching. A second loaded one
  // leads too: what the lived one has in caches decides nothing.
  const second = make();
  const third = make();
  for (const { steps } of before.slice(0, first.turnsAt[kept])) {
    second.batch(steps);
    third.batch(steps);
  }
  expect(state.stateHash()).toBe(second.leader.stateHash());
  second.leader = state;
  second.follower = loaded;
  third.leader = store.load();
  for (let index = store.index + 1; index <= kept; index++) third.leader.apply(driver.payloads[index]!, index);
  const ownStore = store.copy();
  for (const turn of after) {
    second.batch(turn.steps);
    third.batch(turn.steps);
    expect(second.payloads[state.index]).toEqual(third.payloads[state.index]);
    second.compare(turn.steps[0]!);
    expectEqual(state, loaded);
    if (turn.checkpoint === 0) continue;
    const [one, other] = [state.capture(), loaded.capture()];
    for (const part of ["index", "rows", "header", "cleared", "byteLength"] as const)
      expect(one[part]).toEqual(other[part]);
    ownStore.write(one);
    expect(ownStore.load().stateHash()).toBe(state.stateHash());
  }
}

function turnsOf(maxLength: number): fc.Arbitrary<Turn[]> {
  const pick = fc.nat({ max: 10_000 });
  const step = fc.record({ kind: fc.nat({ max: STEP_KIND_MAX }), a: pick, b: pick, c: pick });
  const turn = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 8 }),
    checkpoint: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  });
  return fc.array(turn, { minLength: 1, maxLength });
}

const life = fc.record({ before: turnsOf(14), cut: fc.nat({ max: 100 }), after: turnsOf(6) });

/** A state with something clean in it: long streams, and groups whose pending entries fill several leaves. */
function grown(nodeMaxEntries: number, valueBytesMax: number, entries: number): Driver {
  const driver = new Driver(nodeMaxEntries, valueBytesMax);
  const append = (a: number, c: number): Step => ({ kind: 0, a, b: 11, c });
  for (let done = 0; done < entries; done += 12) driver.batch([append(0, done), append(1, done * 3)]);
  for (const a of [0, 1]) {
    for (const b of [0, 1]) {
      // The group, its consumers, then deliveries of about forty entries each.
      driver.batch([{ kind: 17, a, b, c: 30 }]);
      for (const c of [0, 1, 2]) driver.batch([{ kind: 17, a, b, c }]);
      for (let done = 0; done < entries; done += 20) driver.batch([{ kind: 17, a: a + 6, b: b + 38, c: done }]);
    }
  }
  return driver;
}

describe(`a rollback is the same as loading everything again (seed ${SEED})`, () => {
  test("small states, any mix of written and queued captures, any place of the cut", () => {
    const seen = { partial: 0, full: 0 };
    fc.assert(
      fc.property(life, (each) => live(() => new Driver(3, 20), each, seen)),
      { seed: SEED, numRuns: 200 },
    );
    expect(seen.partial).toBeGreaterThan(120);
    expect(seen.full).toBeGreaterThan(5);
  });

  test("states with long streams and many pending entries", () => {
    const seen = { partial: 0, full: 0 };
    fc.assert(
      fc.property(life, (each) => live(() => grown(7, 40, 400), each, seen)),
      { seed: SEED, numRuns: 12 },
    );
    expect(seen.partial).toBeGreaterThan(6);
  });

  test("streams of many blocks", () => {
    const seen = { partial: 0, full: 0 };
    fc.assert(
      fc.property(life, (each) => live(() => grown(5, 12_000, 120), each, seen)),
      { seed: SEED, numRuns: 10 },
    );
    expect(seen.partial).toBeGreaterThan(4);
  });
});

describe("what a rollback reads", () => {
  /** `keys` streams with `entries` entries of 200 bytes each, and a group that has all of them pending; checkpointed. */
  function large(keys: number, entries: number): { state: ShardState; store: RowStore } {
    const state = new ShardState();
    const store = new RowStore();
    for (let key = 0; key < keys; key++) {
      batch(state, (effects) => {
        for (let i = 1; i <= entries; i++) add(effects, `k${key}`, i, undefined, "x".repeat(200));
        if (entries < 1000) return;
        effects.createGroup(`k${key}`, "g", MIN_ID, 0);
        effects.createConsumer(`k${key}`, "g", "c", 5);
        effects.deliver(`k${key}`, "g", "c", id(entries), entries, 9, false);
      });
    }
    store.write(state.capture());
    return { state, store };
  }

  test("of a long stream is the header, a page of the index, and the leaf that was touched", () => {
    const { state, store } = large(1, 5000);
    expect(store.rows.size).toBeGreaterThan(70);
    const before = store.load();
    batch(state, (effects) => {
      add(effects, "k0", 5001);
      effects.acknowledge("k0", "g", [id(700)]);
    });
    const queue = [state.capture()];
    batch(state, (effects) => effects.acknowledge("k0", "g", [id(701)]));
    // Header, group, one page and one leaf.
    expect(rolledBack(state, queue, store)).toBeLessThanOrEqual(4);
    expectEqual(state, before);
  });

  test("of a long stream that was deleted is all of it but the entries", () => {
    const { state, store } = large(1, 2000);
    const before = store.load();
    batch(state, (effects) => effects.deleteKey("k0"));
    expect(rolledBack(state, [], store)).toBe([...store.rows.values()].filter(({ slot }) => slot < DATA_REGION).length);
    expectEqual(state, before);
    expect(streamOf(state, "k0").length).toBe(2000);
  });

  test("of many keys is those that were touched, and few ranges when they are many", () => {
    const { state, store } = large(3000, 1);
    const before = store.load();
    batch(state, (effects) => {
      for (const key of ["k7", "k1500", "k2999", "new"]) add(effects, key, 9);
    });
    expect(rolledBack(state, [], store)).toBeLessThan(60);
    expectEqual(state, before);
    batch(state, (effects) => {
      for (let key = 0; key < 3000; key += 2) add(effects, `k${key}`, 9);
    });
    state.coldReads = store.coldReads(false);
    const rollback = state.beginRollback([], store.header!, store.index)!;
    expect(rollback.ranges.length).toBeLessThan(150);
    feed(rollback, store);
    rollback.finish();
    expectEqual(state, before);
  });

  test("of keys that are new since the checkpoint is nothing", () => {
    const { state, store } = large(10, 1);
    const before = store.load();
    batch(state, (effects) => {
      for (let key = 0; key < 100; key++) add(effects, `new${key}`, 9);
    });
    state.coldReads = store.coldReads(false);
    const rollback = state.beginRollback([], store.header!, store.index)!;
    expect(rollback.keyCount).toBe(100);
    expect(rollback.ranges).toEqual([]);
    rollback.finish();
    expectEqual(state, before);
  });

  test("that is damaged or missing is refused", () => {
    for (const spoil of [(value: Uint8Array) => (value[3]! ^= 1), null]) {
      const { state, store } = large(1, 1000);
      batch(state, (effects) => {
        add(effects, "k0", 2000);
        effects.acknowledge("k0", "g", [id(1)]);
      });
      const touched = state.capture();
      for (const { slot, subkey } of touched.rows) {
        const row = store.rows.get(`${slot}/${Buffer.from(subkey).toString("hex")}`);
        if (row === undefined) continue;
        const spoilt = store.copy();
        const name = `${slot}/${Buffer.from(subkey).toString("hex")}`;
        if (spoil === null) spoilt.rows.delete(name);
        else {
          const value = Uint8Array.from(row.value);
          spoil(value);
          spoilt.rows.set(name, { ...row, value });
        }
        const victim = store.load();
        batch(victim, (effects) => {
          add(effects, "k0", 2000);
          effects.acknowledge("k0", "g", [id(1)]);
        });
        expect(() => rolledBack(victim, [], spoilt)).toThrow(DamagedRowError);
      }
    }
  });
});

describe("a rollback", () => {
  test("is not possible before the first checkpoint, nor when FLUSHALL touched everything", () => {
    const state = new ShardState();
    batch(state, (effects) => add(effects, "k", 1));
    expect(state.beginRollback([], { bytes: new Uint8Array(0) }, 0)).toBe(null);
    const store = new RowStore();
    store.write(state.capture());
    batch(state, (effects) => effects.flush());
    expect(state.beginRollback([], store.header!, store.index)).toBe(null);
    const queue = [state.capture()];
    batch(state, (effects) => add(effects, "k", 1));
    expect(state.beginRollback(queue, store.header!, store.index)).toBe(null);
  });

  test("gives ages again that were given since, to keys that are there and to keys that came and went", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => add(effects, "old{t}", 1));
    store.write(state.capture());
    batch(state, (effects) => {
      for (let key = 0; key < 5; key++) add(effects, `new${key}{t}`, 1);
      effects.deleteKey("new4{t}");
      effects.deleteKey("new2{t}");
    });
    rolledBack(state, [], store);
    const loaded = store.load();
    for (const each of [state, loaded]) {
      batch(each, (effects) => {
        add(effects, "other{t}", 2);
        add(effects, "new4{t}", 2);
      });
    }
    expectEqual(state, loaded);
  });

  test("forgets where a stream began: its block's number names other entries afterwards", () => {
    const state = new ShardState();
    const store = new RowStore();
    const value = "x".repeat(1000);
    const addAll = (from: number, to: number): void => {
      batch(state, (effects) => {
        for (let ms = from; ms <= to; ms++) add(effects, "k", ms, undefined, value);
      });
    };
    // Two blocks of 31; of the second three are trimmed, and it was never written.
    addAll(1, 31);
    store.write(state.capture());
    addAll(32, 62);
    batch(state, (effects) => effects.trim("k", streamOf(state, "k").trimByLength(28, false, 0)));
    expect(streamOf(state, "k").firstId.ms()).toBe(35);
    rolledBack(state, [], store);
    // Another second block, whose first three are deleted one by one; then the first block goes in the same way.
    addAll(101, 131);
    batch(state, (effects) => effects.deleteEntries("k", [id(101), id(102), id(103)]));
    store.write(state.capture());
    state.evict(Infinity, store.index);
    const first = Array.from({ length: 31 }, (_, i) => id(1 + i));
    batch(state, (effects) => effects.deleteEntries("k", first));
    expect(streamOf(state, "k").firstId.ms()).toBe(104);
  });

  test("forgets what waited to be committed: a deleted key, and its name used again", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => {
      add(effects, "a", 1);
      add(effects, "b", 1);
    });
    store.write(state.capture());
    batch(state, (effects) => {
      effects.deleteKey("a");
      effects.deleteKey("b");
      add(effects, "a", 7);
    });
    expect(state.keyspace.lastWriterIndex("b")).toBe(2);
    rolledBack(state, [], store);
    expect(state.keyspace.lastWriterIndex("a")).toBe(1);
    expect(state.keyspace.lastWriterIndex("b")).toBe(1);
    expect(streamOf(state, "a").lastId.ms()).toBe(1);
    expectEqual(state, store.load());
  });
});
