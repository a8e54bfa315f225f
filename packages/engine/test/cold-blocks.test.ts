/** Blocks that are not in memory: what is asked of the store, what is not, what is refused, and what it takes. */
import { withRest } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import {
  BlockBytes,
  ColdMiss,
  type ColdReads,
  DamagedRowError,
  MAX_ID,
  MIN_ID,
  ReferencePolicy,
  ShardState,
  type WantedBlock,
  type StreamView,
} from "../src/index.ts";
import { add, batch, id, streamOf, wireOf } from "./entries.ts";
import { DATA_REGION, RowStore } from "./state-driver.ts";

const VALUE = "x".repeat(1000);
/** With VALUE. */
const PER_BLOCK = 31;

/** `count` entries of about a kilobyte, captured; nothing is in memory that may go. */
function cold(count: number): { state: ShardState; store: RowStore; reads: CountedReads } {
  const state = new ShardState();
  const store = new RowStore();
  batch(state, (effects) => {
    for (let ms = 1; ms <= count; ms++) add(effects, "k", ms, { maxEntries: 100, maxBytes: 4096 }, VALUE);
  });
  store.write(state.capture());
  const reads = new CountedReads(store);
  state.coldReads = reads;
  expect(state.evict(Infinity, store.index)).toBeGreaterThan(count * 1000);
  expect(state.memory.blockBytes).toBe(0);
  state.verify();
  return { state, store, reads };
}

class CountedReads implements ColdReads {
  mayMiss = false;
  blockMemory: BlockBytes = new BlockBytes();
  count = 0;
  wanted: WantedBlock[] = [];
  readonly #store: RowStore;

  constructor(store: RowStore) {
    this.#store = store;
  }

  rowNow(slot: number, subkey: Uint8Array): Uint8Array | null {
    this.count++;
    return this.#store.coldReads(false).rowNow(slot, subkey);
  }

  passed(): void {}

  wantsSoon(block: WantedBlock): void {
    this.wanted.push(block);
  }
}

/** Memory of several states, and who got what. */
class NotedBytes extends BlockBytes {
  readonly taken: Uint8Array[] = [];
  readonly given: Uint8Array[] = [];

  override take(capacityBytes: number): Uint8Array {
    const bytes = super.take(capacityBytes);
    this.taken.push(bytes);
    return bytes;
  }

  override give(bytes: Uint8Array): void {
    this.given.push(bytes);
    super.give(bytes);
  }
}

/** The numbers of the blocks that it misses. */
function missed(read: () => void): { wanted: number[]; ahead: number[] } {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ColdMiss)) throw error;
    return {
      wanted: error.wanted.map(({ number }) => number),
      ahead: error.ahead(4, Infinity).map(({ number }) => number),
    };
  }
  return { wanted: [], ahead: [] };
}

describe("nothing is read", () => {
  test("for lengths, first and last ids, whole blocks that are trimmed, and hashes", () => {
    const { state, store, reads } = cold(10 * PER_BLOCK);
    const hot = new ShardState();
    batch(hot, (effects) => {
      for (let ms = 1; ms <= 10 * PER_BLOCK; ms++) add(effects, "k", ms, { maxEntries: 100, maxBytes: 4096 }, VALUE);
    });
    expect(state.stateHash()).toBe(hot.stateHash());
    expect(store.load().stateHash()).toBe(hot.stateHash());
    const view = streamOf(state, "k");
    expect([view.length, view.firstId.ms(), view.lastId.ms()]).toEqual([310, 1, 310]);
    expect(view.trimByLength(6 * PER_BLOCK, false, 0)).toMatchObject({ count: 4 * PER_BLOCK, firstKept: { entry: 0 } });
    expect(view.countAfter(id(4 * PER_BLOCK))).toBe(6 * PER_BLOCK);
    expect(view.has(id(PER_BLOCK + 1))).toBe(true);
    expect(view.has(id(0))).toBe(false);
    expect(reads.count).toBe(0);
  });

  test("but where it ends, of what a trim of whole nodes removes, however much that is", () => {
    for (const [count, plan] of [
      [520, (view: StreamView) => view.trimByLength(100, true, 0)],
      [520, (view: StreamView) => view.trimById(id(521), true, 0)],
      [300, (view: StreamView) => view.trimByLength(100, true, 302)],
    ] as const) {
      const { state, reads } = cold(20 * PER_BLOCK);
      // Nodes of four, of which most blocks begin in the middle of one.
      expect(plan(streamOf(state, "k")).count).toBe(count);
      expect(reads.count).toBeLessThanOrEqual(2);
    }
  });

  test("by a replica that applies what a leader has done, whatever it was", () => {
    const leader = new ShardState();
    const payloads: Uint8Array[] = [];
    const lead = (run: Parameters<typeof batch>[1]): void => {
      payloads.push(batch(leader, run)!);
    };
    const last = 5 * PER_BLOCK;
    const { state, reads } = cold(last);
    lead((effects) => {
      for (let ms = 1; ms <= last; ms++) add(effects, "k", ms, { maxEntries: 100, maxBytes: 4096 }, VALUE);
    });
    lead((effects) => {
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 1);
      effects.deliver("k", "g", "c", id(70), 70, 1, false);
      effects.deleteEntries("k", [id(5), id(40), id(last - 1), id(last)]);
      effects.redeliver("k", "g", "c", id(3), id(9), 7);
      effects.setStreamId("k", id(last - 2), last, id(0));
    });
    lead((effects) => add(effects, "k", last - 1));
    lead((effects) => {
      effects.trim("k", streamOf(leader, "k").trimByLength(150, false, 0));
      effects.acknowledge("k", "g", [id(10), id(12), id(13)]);
      const bound = { maxLength: 120, minId: null };
      effects.trimByPolicy("k", streamOf(leader, "k").trimByPolicy(ReferencePolicy.acknowledged, bound, 0, 1e9));
      effects.trimByPolicy("k", streamOf(leader, "k").trimByPolicy(ReferencePolicy.drop, bound, 0, 1e9));
    });
    payloads.slice(1).forEach((payload, i) => state.apply(payload, i + 2));
    expect(reads.count).toBe(0);
    expect(state.stateHash()).toBe(leader.stateHash());
    expect(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID)).toBe(wireOf(streamOf(leader, "k"), MIN_ID, MAX_ID));
    expect(reads.count).toBeGreaterThan(2);
    state.verify();
  });
});

describe("a read that may miss", () => {
  test("names all blocks that it needs at once, and those that come next when it has a limit", () => {
    const { state, reads } = cold(20 * PER_BLOCK);
    reads.mayMiss = true;
    const view = streamOf(state, "k");
    const first = missed(() => view.range(MIN_ID, MAX_ID, 100, false));
    expect(first).toEqual({ wanted: [1, 2, 3, 4], ahead: [5, 6, 7, 8] });
    const back = missed(() => view.range(MIN_ID, MAX_ID, 40, true));
    expect(back).toEqual({ wanted: [19, 20], ahead: [18, 17, 16, 15] });
    // The block of the id itself counts for nothing as long as nobody knows what of it lies behind.
    expect(missed(() => view.range(id(40), MAX_ID, 31, false)).wanted).toEqual([2, 3]);
    expect(missed(() => view.range(id(40), id(100), -1, false))).toEqual({ wanted: [2, 3, 4], ahead: [] });
    expect(missed(() => view.needEntries([id(2), id(70), id(71), id(9999)])).wanted).toEqual([1, 3]);
    expect(reads.count).toBe(0);
  });

  test("says how large the blocks are, and has no large ones read that perhaps nobody asks for", () => {
    const state = new ShardState();
    const store = new RowStore();
    // An entry of 100 kB has a block of its own.
    const value = "x".repeat(100_000);
    batch(state, (effects) => {
      for (let ms = 1; ms <= 8; ms++) add(effects, "k", ms, undefined, value);
    });
    store.write(state.capture());
    state.coldReads = store.coldReads(true);
    state.evict(Infinity, store.index);
    try {
      streamOf(state, "k").range(MIN_ID, MAX_ID, 2, false);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof ColdMiss)) throw error;
      const bytes = [...error.wanted, ...error.ahead(4, 256 * 1024)].map(({ byteLength }) =>
        Math.round(byteLength / 1000),
      );
      expect(bytes).toEqual([100, 100, 100, 100]);
      expect(error.wanted).toHaveLength(2);
    }
  });

  test("finds what was taken in, as often as it asks", () => {
    const { state, store, reads } = cold(4 * PER_BLOCK);
    reads.mayMiss = true;
    const view = streamOf(state, "k");
    const range = (): string => wireOf(view, id(30), id(70));
    expect(missed(range).wanted).toEqual([1, 2, 3]);
    const { slot, age } = state.keyspace.find("k")!;
    store.takeIn(
      state,
      [1, 2, 3].map((number) => ({ slot, age, number })),
    );
    expect(range().match(/\d+-0/g)!.length).toBe(41);
    expect(state.memory.blockBytes).toBeGreaterThan(3 * 32_000);
    expect(reads.count).toBe(0);
    expect(state.rowsOfBlock({ slot, age, number: 2 })).toBe(null);
    expect(state.rowsOfBlock({ slot, age, number: 99 })).toBe(null);
    expect(state.rowsOfBlock({ slot, age: age + 1, number: 4 })).toBe(null);
  });
});

describe("the last block of a stream that is idle", () => {
  test("grows behind what is not in memory, and is read together with it", () => {
    const { state, store, reads } = cold(10);
    batch(state, (effects) => add(effects, "k", 11, undefined, "new"));
    expect(reads.count).toBe(0);
    expect(wireOf(streamOf(state, "k"), id(11), MAX_ID)).toContain("new");
    expect(reads.count).toBe(0);
    store.write(state.capture());
    expect(store.load().stateHash()).toBe(state.stateHash());
    expect(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID).match(/\d+-0/g)!.length).toBe(11);
    expect(reads.count).toBe(1);
    // Two rows, and again gone: both are read.
    state.evict(Infinity, store.index);
    batch(state, (effects) => add(effects, "k", 12));
    store.write(state.capture());
    state.evict(Infinity, store.index);
    expect(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID).match(/\d+-0/g)!.length).toBe(12);
    expect(store.load().stateHash()).toBe(state.stateHash());
    state.verify();
  });

  test("grows while its first entries are deleted, and leaves memory twice: the first one that is left stays known", () => {
    const { state, store, reads } = cold(10);
    batch(state, (effects) => effects.deleteEntries("k", [id(1), id(2)]));
    store.write(state.capture());
    state.evict(Infinity, store.index);
    const before = reads.count;
    batch(state, (effects) => add(effects, "k", 11));
    store.write(state.capture());
    state.evict(Infinity, store.index);
    expect(streamOf(state, "k").firstId).toEqual(id(3));
    expect(reads.count).toBe(before);
    expect(store.load().stateHash()).toBe(state.stateHash());
  });
});

describe("a stream that something trickles into, and that leaves memory each time", () => {
  test("asks for its last block when that stands in sixteen rows, and then stands in one", () => {
    const { state, store, reads } = cold(1);
    let most = 0;
    let comings = 0;
    for (let ms = 2; ms <= 200; ms++) {
      batch(state, (effects) => add(effects, "k", ms, undefined, "drop"));
      store.write(state.capture());
      state.evict(Infinity, store.index);
      const fragments = [...store.rows.values()].filter(({ slot }) => slot >= DATA_REGION).length;
      most = Math.max(most, fragments);
      expect(reads.wanted.length).toBe(fragments < 16 ? 0 : 1);
      comings += reads.wanted.length;
      store.takeIn(state, reads.wanted);
      reads.wanted = [];
    }
    // Sixteen rows are read, the next entry makes them one, and fifteen more come.
    expect(most).toBe(16);
    expect(comings).toBe(Math.floor(200 / 16));
    expect(reads.count).toBe(0);
    expect(store.load().stateHash()).toBe(state.stateHash());
    state.verify();
  });

  test("without anybody who reads it, goes on as it was", () => {
    const { state, store } = cold(1);
    for (let ms = 2; ms <= 40; ms++) {
      batch(state, (effects) => add(effects, "k", ms, undefined, "drop"));
      store.write(state.capture());
      state.evict(Infinity, store.index);
    }
    expect(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID).match(/\d+-0/g)!.length).toBe(40);
  });
});

describe("what may not go", () => {
  test("is dirty, or in a capture that is not durable yet", () => {
    const { state, store } = cold(2);
    batch(state, (effects) => {
      for (let ms = 3; ms <= 100; ms++) add(effects, "k", ms, undefined, VALUE);
    });
    expect(state.evict(Infinity, store.index)).toBe(0);
    const capture = state.capture();
    expect(state.evict(Infinity, store.index)).toBe(0);
    store.write(capture);
    expect(state.evict(Infinity, store.index)).toBeGreaterThan(98_000);
  });

  test("goes in the order of its last use", () => {
    const { state, store } = cold(6 * PER_BLOCK);
    const view = streamOf(state, "k");
    view.range(MIN_ID, MAX_ID, -1, false);
    view.range(id(1), id(10), -1, false);
    // 34 kB each: three of the four that were used longest ago, all but the first.
    const bytes = state.memory.blockBytes / 6;
    expect(state.evict(bytes * 2.5, store.index)).toBeCloseTo(bytes * 3, -4);
    const reads = state.coldReads as CountedReads;
    const before = reads.count;
    view.range(id(1), id(10), -1, false);
    expect(reads.count).toBe(before);
    view.range(id(40), id(41), -1, false);
    expect(reads.count).toBe(before + 1);
  });
});

describe("entries in the store that are not what the index says", () => {
  test("are damage, whichever way they are read, and the state is as it was", () => {
    const spoils: readonly [string, (store: RowStore, name: string) => void][] = [
      ["a byte", (store, name) => (store.rows.get(name)!.value[40]! ^= 1)],
      ["gone", (store, name) => void store.rows.delete(name)],
      [
        "of another time",
        (store, name) => {
          const other = new ShardState();
          batch(other, (effects) => {
            for (let ms = 1; ms <= 2 * PER_BLOCK; ms++) add(effects, "k", ms, undefined, `y${VALUE.slice(1)}`);
          });
          const { value, rest } = other.capture().rows.find(({ subkey, slot }) => name === nameOf(slot, subkey))!;
          store.rows.set(name, { ...store.rows.get(name)!, value: withRest(value!, rest) });
        },
      ],
    ];
    for (const [what, spoil] of spoils) {
      const { state, store } = cold(2 * PER_BLOCK);
      const row = [...store.rows].find(([, { slot, subkey }]) => slot >= DATA_REGION && subkey.at(-5) === 1)!;
      // Not of the store that other tests see.
      store.rows.set(row[0], { ...row[1], value: Uint8Array.from(row[1].value) });
      spoil(store, row[0]);
      const hash = state.stateHash();
      expect(() => wireOf(streamOf(state, "k"), MIN_ID, MAX_ID), what).toThrow(DamagedRowError);
      const { slot, age } = state.keyspace.find("k")!;
      expect(() => store.takeIn(state, [{ slot, age, number: 1 }]), what).toThrow(DamagedRowError);
      expect(state.stateHash()).toBe(hash);
      state.verify();
    }
  });
});

function nameOf(slot: number, subkey: Uint8Array): string {
  return `${slot}/${Buffer.from(subkey).toString("hex")}`;
}

test("a block that is not in memory is counted with no more than 120 bytes", () => {
  const before = cold(PER_BLOCK).state.memory.fixedBytes;
  const { state } = cold(101 * PER_BLOCK);
  expect((state.memory.fixedBytes - before) / 100).toBeLessThanOrEqual(120);
});

test("a block that was sealed while its first part was away, and is whole again when it changes, is found by the next opening", () => {
  const state = new ShardState();
  const store = new RowStore();
  const addUpTo = (from: number, to: number): void => {
    batch(state, (effects) => {
      for (let ms = from; ms <= to; ms++) add(effects, "k", ms, { maxEntries: 100, maxBytes: 4096 }, VALUE);
    });
    store.write(state.capture());
  };
  addUpTo(1, 20);
  state.coldReads = new CountedReads(store);
  state.evict(Infinity, store.index);
  addUpTo(21, 22);
  // Opens the second block: the first one stays two rows, as nobody has all of it.
  addUpTo(23, 40);
  expect(store.load().stateHash()).toBe(state.stateHash());
  const whole = wireOf(streamOf(state, "k"), MIN_ID, MAX_ID);
  batch(state, (effects) => effects.deleteEntries("k", [id(3)]));
  store.write(state.capture());
  const opened = store.load();
  opened.coldReads = new CountedReads(store);
  expect(wireOf(streamOf(opened, "k"), MIN_ID, MAX_ID)).toBe(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID));
  expect(whole.length).toBeGreaterThan(wireOf(streamOf(opened, "k"), MIN_ID, MAX_ID).length);
  opened.verify();
});

test("a block that was cut at its end where it was not in memory grows again", () => {
  const leader = new ShardState();
  const follower = new ShardState();
  const store = new RowStore();
  follower.coldReads = new CountedReads(store);
  const run = (work: Parameters<typeof batch>[1]): void => follower.apply(batch(leader, work)!, leader.index);
  run((effects) => {
    for (let ms = 1; ms <= 30; ms++) add(effects, "k", ms, { maxEntries: 5, maxBytes: 4096 });
  });
  store.write(follower.capture());
  follower.evict(Infinity, store.index);
  run((effects) =>
    effects.deleteEntries(
      "k",
      Array.from({ length: 25 }, (_, i) => id(6 + i)),
    ),
  );
  run((effects) => add(effects, "k", 31));
  follower.verify();
  expect(follower.stateHash()).toBe(leader.stateHash());
  expect(wireOf(streamOf(follower, "k"), MIN_ID, MAX_ID)).toBe(wireOf(streamOf(leader, "k"), MIN_ID, MAX_ID));
  store.write(follower.capture());
  expect(store.load().stateHash()).toBe(leader.stateHash());
});

test("what blocks of one state gave up is what those of another that shares their memory are read into, and each reads as before", () => {
  const memory = new NotedBytes();
  const [one, other] = [cold(3 * PER_BLOCK), cold(3 * PER_BLOCK)];
  for (const { reads } of [one, other]) reads.blockMemory = memory;
  const read = (state: ShardState): string => wireOf(streamOf(state, "k"), MIN_ID, MAX_ID);
  const shown = read(one.state);
  expect(memory.given).toEqual([]);
  expect(one.state.evict(Infinity, one.store.index)).toBeGreaterThan(3 * PER_BLOCK * 1000);
  expect(memory.given.length).toBe(3);

  memory.taken.length = 0;
  expect(read(other.state)).toBe(shown);
  expect(new Set(memory.taken)).toEqual(new Set(memory.given));
  expect(read(one.state)).toBe(shown);
  for (const { state } of [one, other]) state.verify();
});
