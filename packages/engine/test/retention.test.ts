/** What retention drops, against a model that knows no blocks, and that nobody looks at streams that have nothing to lose. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Effects,
  MAX_ID,
  MIN_ID,
  NO_RETENTION,
  type OwnRetention,
  ownRetention,
  resolveRetention,
  type Retention,
  RetentionKeep,
  ShardState,
} from "../src/index.ts";
import { add, DEFAULT_BOUNDS, id, streamOf, wireOf } from "./entries.ts";
import { complaint, type ModelEntry, type ModelPosition } from "./retention-model.ts";
import { RowStore } from "./state-driver.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);
const NOON_MS = Date.UTC(2026, 10, 29, 12);
/** What a block holds at most: the unit in which retention drops. */
const BLOCK_ENTRIES = 1024;
const BLOCK_BYTES = 32 * 1024;

function retentionOf(bounds: Partial<Retention>): Retention {
  return { ...NO_RETENTION, ...bounds };
}

/** A leader and a follower of the same log. */
class Pair {
  leader: ShardState = new ShardState();
  follower: ShardState = new ShardState();
  nowMs: number = NOON_MS;

  batch(run: (effects: Effects) => void): void {
    const index = this.leader.index + 1;
    run(this.leader.openBatch(index, this.nowMs));
    const payload = this.leader.sealBatch();
    if (payload === null) return;
    this.follower.apply(payload, index);
    expect(this.follower.stateHash()).toBe(this.leader.stateHash());
  }

  /** The keys that were looked at, each with the blocks that it lost. */
  enforce(cluster: Retention, blocksMax = 1000): [key: string, blocks: number][] {
    const { retention } = this.leader;
    retention.lead(cluster);
    const looked: [key: string, blocks: number][] = [];
    while (!retention.isIdle(this.nowMs)) {
      const look = retention.look(this.nowMs, blocksMax);
      if (look === null) continue;
      expect(look.blocks).toBeLessThanOrEqual(blocksMax);
      looked.push([look.key.key, look.blocks]);
      if (look.blocks > 0) this.batch((effects) => effects.trim(look.key.key, look.cut));
    }
    this.leader.verify();
    this.follower.verify();
    return looked;
  }

  /** Entries of a kilobyte, one each millisecond: some thirty to a block. */
  fill(key: string, firstMs: number, count: number): void {
    this.batch((effects) => {
      for (let ms = firstMs; ms < firstMs + count; ms++) add(effects, key, ms, DEFAULT_BOUNDS, "x".repeat(1000));
    });
  }

  ids(key: string): number[] {
    const found: number[] = [];
    streamOf(this.leader, key)
      .range(MIN_ID, MAX_ID, -1, false)
      .forEachId((one) => found.push(one.ms()));
    return found;
  }
}

describe(`retention against a model that knows no blocks (seed ${SEED})`, () => {
  const bound = (...values: number[]): fc.Arbitrary<number | null> => fc.constantFrom(null, 0, ...values);
  const own = fc.record({
    ageMs: bound(1, 50, 400),
    bytes: bound(1, 40_000, 200_000),
    entries: bound(1, 30, 300, 1500),
    keep: fc.constantFrom(null, RetentionKeep.nothing, RetentionKeep.unacknowledged),
  });
  const step = fc.record({
    kind: fc.constantFrom("add", "add", "add", "delete", "deliver", "ack", "group", "own", "cluster", "lead", "wait"),
    count: fc.integer({ min: 1, max: 400 }),
    bytes: fc.constantFrom(1, 20, 500, 4000, 40_000),
    pick: fc.nat(10_000),
    own,
    blocksMax: fc.constantFrom(1, 2, 1000),
  });

  class Life {
    readonly pair: Pair = new Pair();
    entries: ModelEntry[] = [];
    readonly groups: Map<string, ModelPosition> = new Map();
    own: OwnRetention | null = null;
    cluster: Retention = NO_RETENTION;
    nextMs: number;

    constructor(firstMs: number) {
      this.nextMs = firstMs;
      this.add(1, 1);
    }

    add(count: number, bytes: number): void {
      this.pair.batch((effects) => {
        for (let i = 0; i < count; i++) {
          const ms = this.nextMs++;
          add(effects, "s", ms, DEFAULT_BOUNDS, "x".repeat(bytes));
          const wireBytes = wireOf(streamOf(this.pair.leader, "s"), id(ms), id(ms)).length;
          this.entries.push({ ms, bytes: wireBytes, isDeleted: false });
        }
      });
      if (this.nextMs > NOON_MS - 1_000_000) this.pair.nowMs = Math.max(this.pair.nowMs, this.nextMs);
    }

    delete(count: number, pick: number): void {
      const living = this.entries.filter(({ isDeleted }) => !isDeleted);
      const gone = living.slice(pick % living.length).slice(0, count);
      this.pair.batch((effects) =>
        effects.deleteEntries(
          "s",
          gone.map(({ ms }) => id(ms)),
        ),
      );
      for (const entry of gone) entry.isDeleted = true;
    }

    deliver(count: number, pick: number): void {
      const [name, group] = [...this.groups][pick % Math.max(1, this.groups.size)] ?? [];
      if (name === undefined || group === undefined) return;
      const next = this.entries.filter(({ ms, isDeleted }) => !isDeleted && ms > group.deliveredMs).slice(0, count);
      const last = next[next.length - 1];
      if (last === undefined) return;
      this.pair.batch((effects) => effects.deliver("s", name, "c", id(last.ms), -1, this.pair.nowMs, false));
      for (const { ms } of next) group.pendingMs.add(ms);
      group.deliveredMs = last.ms;
    }

    acknowledge(count: number, pick: number): void {
      for (const [name, { pendingMs }] of this.groups) {
        const some = [...pendingMs].slice(pick % 3 === 0 ? pick % (pendingMs.size + 1) : 0).slice(0, count);
        if (some.length === 0) continue;
        this.pair.batch((effects) =>
          effects.acknowledge(
            "s",
            name,
            some.map((ms) => id(ms)),
          ),
        );
        for (const ms of some) pendingMs.delete(ms);
      }
    }

    changeGroups(pick: number): void {
      const name = `g${pick % 3}`;
      if (this.groups.has(name)) {
        this.pair.batch((effects) => effects.destroyGroup("s", name));
        this.groups.delete(name);
        return;
      }
      const deliveredMs = this.entries[pick % this.entries.length]!.ms;
      this.pair.batch((effects) => {
        effects.createGroup("s", name, id(deliveredMs), -1);
        effects.createConsumer("s", name, "c", this.pair.nowMs);
      });
      this.groups.set(name, { deliveredMs, pendingMs: new Set() });
    }

    enforce(blocksMax: number): void {
      const { pair } = this;
      const { retention } = pair.leader;
      retention.lead(this.cluster);
      const counts = resolveRetention(this.own, this.cluster);
      while (!retention.isIdle(pair.nowMs)) {
        const look = retention.look(pair.nowMs, blocksMax);
        if (look === null || look.blocks === 0) continue;
        const before = new Set(pair.ids("s"));
        pair.batch((effects) => effects.trim("s", look.cut));
        const after = pair.ids("s");
        expect(before.size - after.length).toBe(look.cut.count);
        const gone = this.entries.findIndex(({ ms }) => ms === after[0]);
        expect(complaint(this.entries, gone, this.groups.values(), counts, pair.nowMs)).toBeNull();
        this.entries = this.entries.slice(gone);
        expect(after).toEqual(this.entries.filter(({ isDeleted }) => !isDeleted).map(({ ms }) => ms));
      }
      pair.leader.verify();
      pair.follower.verify();
      if (counts.keep === RetentionKeep.nothing) this.#isTight(counts);
    }

    /** No bound is exceeded by more than a block. */
    #isTight({ entries, bytes, ageMs }: Retention): void {
      const living = this.entries.filter(({ isDeleted }) => !isDeleted);
      const largest = Math.max(BLOCK_BYTES, ...this.entries.map((entry) => entry.bytes));
      if (entries > 0) expect(living.length).toBeLessThan(entries + BLOCK_ENTRIES);
      if (bytes > 0) expect(living.reduce((sum, entry) => sum + entry.bytes, 0)).toBeLessThan(bytes + largest);
      if (ageMs === 0 || this.entries[0]!.ms < Date.UTC(2001, 8, 9, 1, 46, 40)) return;
      expect(living.filter(({ ms }) => ms < this.pair.nowMs - ageMs).length).toBeLessThanOrEqual(BLOCK_ENTRIES);
    }
  }

  const life = (firstMs: number): fc.IPropertyWithHooks<[unknown]> =>
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      const lived = new Life(firstMs);
      for (const { kind, count, bytes, pick, own: bounds, blocksMax } of steps) {
        if (kind === "add") lived.add(bytes > 4000 ? 1 + (count % 5) : count, bytes);
        // One that is left keeps the model simple: an empty stream has no first entry.
        else if (kind === "delete" && lived.entries.filter(({ isDeleted }) => !isDeleted).length > count + 1)
          lived.delete(count, pick % 3 === 0 ? 0 : pick);
        else if (kind === "deliver") lived.deliver(count * 3, pick);
        else if (kind === "ack") lived.acknowledge(count * 2, pick);
        else if (kind === "group") lived.changeGroups(pick);
        else if (kind === "wait") lived.pair.nowMs += count;
        else if (kind === "cluster") {
          const { ageMs, entries, bytes: most, keep } = bounds;
          lived.cluster = { ageMs: ageMs ?? 0, entries: entries ?? 0, bytes: most ?? 0, keep: keep ?? 0 };
        } else if (kind === "own") {
          lived.own = ownRetention(bounds.ageMs, bounds.bytes, bounds.entries, bounds.keep);
          lived.pair.batch((effects) => effects.setStreamRetention("s", lived.own));
        } else if (kind === "lead") {
          const { pair } = lived;
          pair.leader.retention.rest();
          [pair.leader, pair.follower] = [pair.follower, pair.leader];
        }
        if (pick % 4 > 0) lived.enforce(blocksMax);
      }
      lived.enforce(1000);
    });

  test("ids that are times: what goes was outside of a bound and needed by nobody, and no bound is exceeded by more than a block", () => {
    fc.assert(life(NOON_MS - 500), { seed: SEED, numRuns: 80 });
  });

  test("ids that are counters: the same, and none is ever too old", () => {
    fc.assert(life(1), { seed: SEED, numRuns: 30 });
  });
});

test("a bound of 0 of its own is none, whatever the cluster has, and back at the default the cluster's counts", () => {
  const pair = new Pair();
  pair.fill("s", NOON_MS, 300);
  pair.batch((effects) => effects.setStreamRetention("s", ownRetention(null, null, 0, null)));
  const cluster = retentionOf({ entries: 100 });
  pair.enforce(cluster);
  expect(pair.ids("s")).toHaveLength(300);
  pair.batch((effects) => effects.setStreamRetention("s", null));
  pair.enforce(cluster);
  expect(pair.ids("s").length).toBeGreaterThanOrEqual(100);
  expect(pair.ids("s").length).toBeLessThan(100 + 33);
});

test("an entry goes in the millisecond in which it is older than its age, together with the block that it ends", () => {
  const pair = new Pair();
  pair.fill("s", NOON_MS, 100);
  const cluster = retentionOf({ ageMs: 1000 });
  pair.nowMs = NOON_MS + 100;
  expect(pair.enforce(cluster)).toEqual([["s", 0]]);
  const dueMs = pair.leader.retention.firstDueMs;
  pair.nowMs = dueMs - 1;
  expect(pair.enforce(cluster)).toEqual([]);
  pair.nowMs = dueMs;
  pair.enforce(cluster);
  // The last one that went has had its 1,000 milliseconds, and not the one behind it.
  expect(pair.ids("s")[0]).toBe(dueMs - 1000);
});

test("ids of seconds or counters are no times; a time behind them makes them old", () => {
  const pair = new Pair();
  pair.fill("s", Math.floor(NOON_MS / 1000), 100);
  const cluster = retentionOf({ ageMs: 1000 });
  pair.enforce(cluster);
  expect(pair.ids("s")).toHaveLength(100);
  pair.fill("s", NOON_MS - 100_000, 100);
  pair.enforce(cluster);
  expect(pair.ids("s")[0]).toBeGreaterThan(NOON_MS - 100_000);
});

test("the last block stays, however old and large it is", () => {
  const pair = new Pair();
  pair.fill("s", NOON_MS - 1_000_000, 10);
  expect(pair.enforce(retentionOf({ ageMs: 1, bytes: 1, entries: 1 }))).toEqual([]);
  expect(pair.ids("s")).toHaveLength(10);
});

test("what a group has not acknowledged stays, and goes when it has", () => {
  const pair = new Pair();
  pair.fill("s", NOON_MS, 200);
  pair.batch((effects) => {
    effects.createGroup("s", "g", id(0), -1);
    effects.createConsumer("s", "g", "c", NOON_MS);
  });
  const cluster = retentionOf({ entries: 1, keep: RetentionKeep.unacknowledged });
  pair.enforce(cluster);
  expect(pair.ids("s")).toHaveLength(200);
  pair.batch((effects) => effects.deliver("s", "g", "c", id(NOON_MS + 199), 200, NOON_MS, false));
  pair.enforce(cluster);
  expect(pair.ids("s")).toHaveLength(200);
  const all = Array.from({ length: 200 }, (_, i) => id(NOON_MS + i));
  pair.batch((effects) => effects.acknowledge("s", "g", all));
  pair.enforce(cluster);
  expect(pair.ids("s").length).toBeLessThanOrEqual(33);
});

test("one pending entry keeps its block and what is behind it, wherever in the block it stands", () => {
  for (let held = 0; held < 66; held++) {
    const pair = new Pair();
    pair.fill("s", NOON_MS, 100);
    pair.batch((effects) => {
      effects.createGroup("s", "g", id(0), -1);
      effects.createConsumer("s", "g", "c", NOON_MS);
      effects.deliver("s", "g", "c", id(NOON_MS + 99), 100, NOON_MS, false);
      const others = Array.from({ length: 100 }, (_, i) => id(NOON_MS + i)).toSpliced(held, 1);
      effects.acknowledge("s", "g", others);
    });
    pair.enforce(retentionOf({ entries: 1, keep: RetentionKeep.unacknowledged }));
    const ids = pair.ids("s");
    expect(ids).toContain(NOON_MS + held);
    expect(ids[0]).toBeGreaterThan(NOON_MS + held - 33);
  }
});

test("a group that is destroyed needs nothing any more", () => {
  const pair = new Pair();
  pair.fill("s", NOON_MS, 200);
  pair.batch((effects) => effects.createGroup("s", "g", id(0), -1));
  const cluster = retentionOf({ entries: 1, keep: RetentionKeep.unacknowledged });
  pair.enforce(cluster);
  pair.batch((effects) => effects.destroyGroup("s", "g"));
  pair.enforce(cluster);
  expect(pair.ids("s").length).toBeLessThanOrEqual(33);
});

test("only streams of several blocks that were touched are looked at, and all of those when the cluster's bounds change", () => {
  const pair = new Pair();
  for (let key = 0; key < 40; key++) pair.fill(`long${key}`, NOON_MS, 70);
  for (let key = 0; key < 40; key++) pair.fill(`short${key}`, NOON_MS, 2);
  expect(pair.enforce(NO_RETENTION)).toEqual([]);
  const cluster = retentionOf({ entries: 1000 });
  expect(pair.enforce(cluster)).toHaveLength(40);
  expect(pair.enforce(cluster)).toEqual([]);
  pair.fill("long7", NOON_MS + 1000, 1);
  pair.fill("short7", NOON_MS + 1000, 1);
  expect(pair.enforce(cluster)).toEqual([["long7", 0]]);
  expect(pair.enforce(retentionOf({ entries: 2000 }))).toHaveLength(40);
});

test("streams without bounds are not looked at when others have their own", () => {
  const pair = new Pair();
  for (let key = 0; key < 10; key++) pair.fill(`s${key}`, NOON_MS, 70);
  pair.batch((effects) => effects.setStreamRetention("s3", ownRetention(null, null, 1, null)));
  const looked = pair.enforce(NO_RETENTION);
  expect(new Set(looked.map(([key]) => key))).toEqual(new Set(["s3"]));
  expect(pair.ids("s3").length).toBeLessThanOrEqual(33);
  expect(pair.ids("s4")).toHaveLength(70);
});

test("who takes over the leadership looks at every long stream once", () => {
  const pair = new Pair();
  for (let key = 0; key < 10; key++) pair.fill(`s${key}`, NOON_MS, 70);
  const cluster = retentionOf({ entries: 1000 });
  pair.enforce(cluster);
  pair.leader.retention.rest();
  [pair.leader, pair.follower] = [pair.follower, pair.leader];
  expect(pair.enforce(cluster)).toHaveLength(10);
  expect(pair.enforce(cluster)).toEqual([]);
});

test("keys that are deleted, flushed or renamed are neither met again nor lost", () => {
  const pair = new Pair();
  for (const key of ["a", "b{t}", "d"]) pair.fill(key, NOON_MS, 100);
  const cluster = retentionOf({ ageMs: 500 });
  pair.enforce(cluster);
  pair.batch((effects) => {
    effects.deleteKey("a");
    effects.renameKey("b{t}", "c{t}");
  });
  pair.nowMs = NOON_MS + 10_000;
  const looked = pair.enforce(cluster);
  expect(new Set(looked.map(([key]) => key))).toEqual(new Set(["c{t}", "d"]));
  pair.fill("d", NOON_MS + 20_000, 100);
  pair.batch((effects) => effects.flush());
  expect(pair.enforce(cluster)).toEqual([]);
  expect(pair.leader.retention.firstDueMs).toBe(Number.POSITIVE_INFINITY);
});

test("a stream's own retention comes back from its rows, with and without a time to live", () => {
  const pair = new Pair();
  const bounds = ownRetention(86_400_000, 0, null, RetentionKeep.unacknowledged);
  pair.fill("s", NOON_MS, 3);
  pair.fill("t", NOON_MS, 3);
  pair.fill("u", NOON_MS, 3);
  pair.batch((effects) => {
    effects.setStreamRetention("s", bounds);
    effects.setStreamRetention("t", bounds);
    effects.setExpiry("t", NOON_MS + 5000);
  });
  const store = new RowStore();
  store.write(pair.leader.capture());
  const loaded = store.load();
  expect(["s", "t", "u"].map((key) => streamOf(loaded, key).retention)).toEqual([bounds, bounds, null]);
  expect(loaded.stateHash()).toBe(pair.leader.stateHash());
  pair.batch((effects) => effects.setStreamRetention("s", null));
  expect(loaded.stateHash()).not.toBe(pair.leader.stateHash());
});
