/** Streams at rest: packed and unpacked are the same state, whoever looks, and a packed one takes little. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Capture,
  type Effects,
  KeyWatch,
  MAX_ID,
  MIN_ID,
  NEVER,
  RetentionKeep,
  ShardLoader,
  ShardState,
} from "../src/index.ts";
import { add, batch, id, streamOf, wireOf } from "./entries.ts";
import { DATA_REGION, Driver, RowStore, STEP_KIND_MAX, type Step } from "./state-driver.ts";
import { differencesOf, dumpOf } from "./state-dump.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);

/** What a node's budget asks for at its worst. */
function packAll(state: ShardState, store: RowStore): void {
  state.evict(Number.POSITIVE_INFINITY, store.index);
  state.verify();
}

/** `count` streams `k0` … of three entries; captured, and packed. */
function atRest(count: number): { state: ShardState; store: RowStore } {
  const state = new ShardState();
  const store = new RowStore();
  batch(state, (effects) => {
    for (let key = 0; key < count; key++) for (let ms = 1; ms <= 3; ms++) add(effects, `k${key}`, ms);
  });
  store.write(state.capture());
  state.coldReads = store.coldReads(false);
  packAll(state, store);
  expect(state.memory.packedStreams).toBe(count);
  return { state, store };
}

/** A log entry of so many seconds since 2020. */
function atSecond(state: ShardState, second: number, run: (effects: Effects) => void): void {
  run(state.openBatch(state.index + 1, Date.UTC(2020, 0, 1) + second * 1000));
  state.sealBatch();
}

interface Turn {
  readonly steps: readonly Step[];
  /** 0: nothing, 1: a capture is taken, 2: and written, 3: and everything that may be is packed, 4: only packed. */
  readonly end: number;
}

function turns(maxLength: number): fc.Arbitrary<Turn[]> {
  const pick = fc.nat({ max: 10_000 });
  const step = fc.record({ kind: fc.nat({ max: STEP_KIND_MAX }), a: pick, b: pick, c: pick });
  const turn = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 5 }),
    end: fc.constantFrom(0, 1, 2, 2, 3, 3, 3, 4),
  });
  return fc.array(turn, { minLength: 1, maxLength });
}

/** A life with its store and the captures that wait; `packs` is all that tells two of them apart. */
class Life {
  readonly driver: Driver;
  readonly store = new RowStore();
  readonly queue: Capture[] = [];
  readonly packs: boolean;

  constructor(packs: boolean) {
    this.driver = new Driver(3, 20);
    this.driver.leader.coldReads = this.store.coldReads(false);
    this.packs = packs;
  }

  live({ steps, end }: Turn): void {
    const { leader } = this.driver;
    this.driver.batch(steps);
    if (end > 0 && end < 4) this.queue.push(leader.capture());
    if (end === 2 || end === 3) this.store.write(this.queue.shift()!);
    if (end < 3) return;
    // Blocks leave both; streams are packed in one of them.
    leader.keyspace.meter.pool.evict(Number.POSITIVE_INFINITY, this.store.index);
    if (this.packs) packAll(leader, this.store);
  }
}

describe(`a state that packs and one that never does (seed ${SEED})`, () => {
  test("are equal in what they write, log, show and roll back to", () => {
    let packed = 0;
    let unpacked = 0;
    let rolledBack = 0;
    fc.assert(
      fc.property(turns(25), (life) => {
        const [one, other] = [new Life(true), new Life(false)];
        for (const turn of life) {
          one.live(turn);
          other.live(turn);
          const [mine, theirs] = [one.driver.leader, other.driver.leader];
          packed += mine.memory.packedStreams;
          expect(theirs.memory.packedStreams).toBe(0);
          expect(mine.stateHash()).toBe(theirs.stateHash());
          expect(one.driver.payloads[mine.index]).toEqual(other.driver.payloads[mine.index]);
          expect([one.store.rows, one.store.header]).toEqual([other.store.rows, other.store.header]);
          expect(one.queue.map(({ rows }) => rows)).toEqual(other.queue.map(({ rows }) => rows));
          expect([mine.dirtyBytes, mine.dirtyKeys]).toEqual([theirs.dirtyBytes, theirs.dirtyKeys]);
          const names: string[][] = [[], []];
          mine.keyspace.forEachKey(({ key }) => names[0]!.push(key));
          theirs.keyspace.forEachKey(({ key }) => names[1]!.push(key));
          expect(names[0]).toEqual(names[1]);
        }
        unpacked += one.driver.leader.memory.unpackings;
        if (one.store.header === null) return;
        const [mine, theirs] = [one, other].map(({ driver, store, queue }) => {
          const rollback = driver.leader.beginRollback(queue, store.header!, store.index);
          if (rollback === null) return null;
          for (const row of store.rows.values()) {
            if (row.slot < DATA_REGION) rollback.row(row.slot, row.subkey, row.value);
          }
          rollback.finish();
          driver.leader.verify();
          return driver.leader;
        });
        expect(mine === null).toBe(theirs === null);
        if (mine === null) return;
        rolledBack++;
        expect(mine!.stateHash()).toBe(one.store.load().stateHash());
        expect(differencesOf(dumpOf(mine!), dumpOf(theirs!))).toEqual([]);
      }),
      { seed: SEED, numRuns: 120 },
    );
    expect(packed).toBeGreaterThan(500);
    expect(unpacked).toBeGreaterThan(200);
    expect(rolledBack).toBeGreaterThan(40);
  });
});

describe("what is packed", () => {
  test("takes less than 200 bytes, name and three entries included, and is counted so", () => {
    const { state } = atRest(20_000);
    expect(state.memory.blockBytes).toBe(0);
    expect(state.memory.fixedBytes / 20_000).toBeGreaterThan(80);
    expect(state.memory.fixedBytes / 20_000).toBeLessThan(160);
  });

  test("is nothing that the store may lack", () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => add(effects, "k", 1));
    const first = state.capture();
    // Captured, and not written yet.
    state.evict(Number.POSITIVE_INFINITY, 0);
    expect(state.memory.packedStreams).toBe(0);
    store.write(first);
    batch(state, (effects) => effects.createGroup("k", "g", MIN_ID, 0));
    packAll(state, store);
    expect(state.memory.packedStreams).toBe(0);
    const second = state.capture();
    packAll(state, store);
    expect(state.memory.packedStreams).toBe(0);
    store.write(second);
    packAll(state, store);
    expect(state.memory.packedStreams).toBe(1);
  });

  test("are not streams that expire, know idempotent ids, were renamed, have several blocks, large groups or long names", () => {
    const state = new ShardState();
    const store = new RowStore();
    const long = "x".repeat(256);
    state.coldReads = store.coldReads(false);
    batch(state, (effects) => {
      for (const key of ["expires", "iids", "{r}1", "blocks", "group", long, "plain"]) add(effects, key, 1);
      effects.setExpiry("expires", 1e12);
      effects.recordIid("iids", "p", new Uint8Array(1), 0, 1, id(1));
      effects.renameKey("{r}1", "{r}2");
      for (let ms = 2; ms < 80; ms++) add(effects, "blocks", ms, undefined, "x".repeat(1000));
      for (let ms = 2; ms < 60; ms++) add(effects, "group", ms);
      effects.createGroup("group", "g", MIN_ID, 0);
      effects.createConsumer("group", "g", "c", 1);
      effects.deliver("group", "g", "c", id(60), 59, 1, false);
    });
    store.write(state.capture());
    packAll(state, store);
    const loaded = store.load();
    for (const each of [state, loaded]) {
      expect(each.memory.packedStreams).toBe(1);
      expect(each.keyspace.packed.find("plain")).toBeGreaterThanOrEqual(0);
    }
    // Nothing of it lasts.
    batch(state, (effects) => {
      effects.setExpiry("expires", NEVER);
      effects.acknowledge(
        "group",
        "g",
        Array.from({ length: 50 }, (_, i) => id(1 + i)),
      );
      effects.trim("blocks", streamOf(state, "blocks").trimByLength(3, false, 0));
    });
    store.write(state.capture());
    packAll(state, store);
    expect(state.memory.packedStreams).toBe(4);
  });

  test("are those first that nobody has used for a while", () => {
    const { state, store } = atRest(100);
    // Whoever looks through `live` uses them, in this second.
    const use = (second: number, from: number): void =>
      atSecond(state, second, (effects) => {
        for (let key = from; key < 100; key++) state.live.find(`k${key}`);
        add(effects, "other", effects.index);
      });
    use(10, 0);
    store.write(state.capture());
    // The hand comes round: all of them were used since they were unpacked.
    expect(state.evict(1, store.index)).toBeGreaterThan(0);
    expect(state.memory.packedStreams).toBeLessThan(2);
    use(20, 50);
    store.write(state.capture());
    const half = 50 * 2300;
    expect(state.evict(half, store.index)).toBeGreaterThan(half * 0.9);
    for (let key = 50; key < 100; key++) expect(state.keyspace.packed.find(`k${key}`)).toBe(-1);
    expect(state.memory.packedStreams).toBeGreaterThan(30);
  });
});

describe("a packed stream", () => {
  test("is counted, walked over, scanned and picked without being unpacked", () => {
    const { state } = atRest(500);
    expect(state.keyspace.size).toBe(500);
    batch(state, (effects) => {
      const walked: string[] = [];
      state.live.forEachKey(({ key, type }) => walked.push(`${key} ${type}`));
      const scanned: string[] = [];
      let cursor = 0n;
      do cursor = state.live.scan(cursor, 7, ({ key, type }) => scanned.push(`${key} ${type}`));
      while (cursor !== 0n);
      expect(scanned).toEqual(walked);
      expect(new Set(walked).size).toBe(500);
      expect(state.memory.unpackings).toBe(0);
      // One by its number is met, as by its name.
      for (let i = 0; i < 3; i++) expect(`${state.live.pick(i * 100)!.key} stream`).toBe(walked[i * 100]);
      expect(state.memory.unpackings).toBe(3);
      effects.flush();
    });
    expect([state.keyspace.size, state.memory.packedStreams, state.memory.fixedBytes]).toEqual([0, 0, 0]);
    state.verify();
  });

  test("shows all of itself to who goes on to ask", () => {
    const { state } = atRest(3);
    const lengths: number[] = [];
    state.keyspace.forEachKey(({ stream, lastWriterIndex }) => lengths.push(stream!.length + lastWriterIndex));
    expect(lengths).toEqual([4, 4, 4]);
    expect(wireOf(streamOf(state, "k1"), MIN_ID, MAX_ID)).toContain("$3\r\n3-0\r\n");
    state.verify();
  });

  test("is appended to without a look at its entries: its last node is remembered", () => {
    const { state, store } = atRest(1);
    const hot = new ShardState();
    batch(hot, (effects) => {
      for (let ms = 1; ms <= 3; ms++) add(effects, "k0", ms);
    });
    state.coldReads = null;
    for (let ms = 4; ms <= 12; ms++) {
      const bounds = { maxEntries: 5, maxBytes: 0 };
      const payload = batch(state, (effects) => add(effects, "k0", ms, bounds));
      expect(payload).toEqual(batch(hot, (effects) => add(effects, "k0", ms, bounds)));
      store.write(state.capture());
      packAll(state, store);
      expect(state.memory.packedStreams).toBe(1);
    }
    expect(state.stateHash()).toBe(hot.stateHash());
  });

  test("remembers when it was used, and after an opening nobody has used it before that", () => {
    const { state, store } = atRest(2);
    atSecond(state, 7, () => state.live.find("k0"));
    atSecond(state, 9, (effects) => add(effects, "other", 1));
    store.write(state.capture());
    packAll(state, store);
    expect(["k0", "k1", "other"].map((key) => state.keyspace.find(key)!.usedAtSeconds)).toEqual([7, 0, 9]);
    expect(store.load().keyspace.find("k1")!.usedAtSeconds).toBe(9);
  });

  test("is seen by WATCH, by blocked readers and by retention when it is touched or flushed", () => {
    const { state, store } = atRest(3);
    const watch = new KeyWatch();
    state.watches.add("k0", watch);
    state.watchKey("k0");
    batch(state, (effects) => add(effects, "k0", 9));
    expect([watch.isTouched, [...state.takeTouchedKeys()]]).toEqual([true, [["k0", true]]]);
    store.write(state.capture());
    packAll(state, store);
    watch.isTouched = false;
    batch(state, (effects) => effects.flush());
    expect([watch.isTouched, [...state.takeTouchedKeys()]]).toEqual([true, [["k0", true]]]);

    const again = atRest(1);
    const cluster = { ageMs: 0, bytes: 0, entries: 10, keep: RetentionKeep.nothing };
    again.state.retention.lead(cluster);
    batch(again.state, (effects) => {
      for (let ms = 10; ms < 90; ms++) add(effects, "k0", ms, undefined, "x".repeat(1000));
    });
    expect(again.state.retention.look(0, 100)!.blocks).toBeGreaterThan(0);
  });

  test("keeps what only its header says: level of acknowledgement and retention, also for who only asks whether any stream has one", () => {
    const { state, store } = atRest(1);
    batch(state, (effects) => {
      effects.setStreamAck("k0", 1);
      effects.setStreamRetention("k0", { ageMs: null, bytes: null, entries: 7, keep: null });
    });
    store.write(state.capture());
    packAll(state, store);
    const loaded = store.load();
    expect([loaded.memory.packedStreams, loaded.keyspace.anyAcks]).toEqual([1, true]);
    for (const each of [state, loaded]) {
      const { stream } = each.keyspace.existingStream("k0");
      expect([stream.ack, stream.retention?.entries]).toEqual([1, 7]);
    }
  });

  test("has its blocks read under its own name, wherever it is by then", () => {
    const { state, store } = atRest(1);
    const { slot, age } = store.load().keyspace.find("k0")!;
    const name = { slot, age, number: 1 };
    expect(state.memory.packedStreams).toBe(1);
    store.takeIn(state, [name]);
    expect(state.memory.packedStreams).toBe(0);
    packAll(state, store);
    expect(state.rowsOfBlock(name)).not.toBe(null);
  });
});

describe("an opening", () => {
  test("packs small streams as their rows come, in whatever order", () => {
    const { store } = atRest(300);
    const rows = [...store.rows.values()].filter(({ slot }) => slot < DATA_REGION);
    const load = (ordered: typeof rows): ShardState => {
      const loader = new ShardLoader();
      for (const { slot, subkey, value } of ordered) loader.row(slot, subkey, value);
      const state = loader.finish(store.header!, store.index);
      state.verify();
      return state;
    };
    const state = load(rows);
    expect(state.memory.packedStreams).toBe(300);
    expect(load([...rows].reverse()).stateHash()).toBe(state.stateHash());
  });

  test(`of keys whose rows come all mixed up is the same (seed ${SEED})`, () => {
    const state = new ShardState();
    const store = new RowStore();
    batch(state, (effects) => {
      for (let key = 0; key < 20; key++) {
        for (let ms = 1; ms <= 9; ms++) add(effects, `k${key}`, ms);
        effects.createGroup(`k${key}`, "g", MIN_ID, 0);
        effects.createConsumer(`k${key}`, "g", "c", 1);
        effects.deliver(`k${key}`, "g", "c", id(4), 4, 1, false);
        effects.deleteEntries(`k${key}`, [id(2), id(9)]);
      }
    });
    store.write(state.capture());
    const rows = [...store.rows.values()].filter(({ slot }) => slot < DATA_REGION);
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (mixed) => {
        const loader = new ShardLoader();
        for (const { slot, subkey, value } of mixed) loader.row(slot, subkey, value);
        const loaded = loader.finish(store.header!, store.index);
        loaded.verify();
        expect(loaded.stateHash()).toBe(state.stateHash());
      }),
      { seed: SEED, numRuns: 20 },
    );
  });
});
