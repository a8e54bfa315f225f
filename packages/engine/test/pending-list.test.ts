/** Pending entries in any order of coming and going, over many leaves, against a map. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_ID, MIN_ID, type Retry, StreamId } from "../src/index.ts";
import { Consumer } from "../src/consumer.ts";
import { DirtyMeter } from "../src/dirty-meter.ts";
import { LEAF_RECORDS_MAX, PendingLeaf } from "../src/pending-leaf.ts";
import { PendingList } from "../src/pending-list.ts";
import { id } from "./entries.ts";

const SEED = 20261121;

const RETRIES: readonly (Retry | null)[] = [
  null,
  { minIdleMs: 10, factor: 1, maxIdleMs: 10 },
  { minIdleMs: 10, factor: 1.01, maxIdleMs: 100_000 },
  { minIdleMs: 3, factor: 2, maxIdleMs: 4_000 },
];

/** In the order of `n`: over several high words of the milliseconds, and further on of the sequence number too. */
function spreadId(n: number): StreamId {
  const isWide = n > 2000;
  return new StreamId(Math.floor(n / 900), isWide ? n - (n % 2) : n, isWide ? n % 2 : 0, 0);
}

function numberOf(id: StreamId): number {
  return id.msLo + id.seqHi;
}

/** By the definition, one delivery after the other. */
function restMs(retry: Retry | null, deliveries: number): number {
  if (retry === null) return 0;
  let rest = retry.minIdleMs;
  for (let each = 1; each < deliveries && rest < retry.maxIdleMs; each++) rest *= retry.factor;
  return Math.min(retry.maxIdleMs, Math.floor(rest));
}

test(`puts, removals and consumer deletions keep order, owners and values (seed ${SEED})`, () => {
  const step = fc.record({
    // 0 put a stretch, 1 remove a stretch, 2 drop a consumer, 3 another retry
    kind: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
    from: fc.nat(3000),
    count: fc.nat(400),
    stride: fc.integer({ min: 1, max: 7 }),
    owner: fc.integer({ min: 1, max: 4 }),
    time: fc.oneof(fc.nat(5), fc.nat(2 ** 30)),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
      const consumers = new Map([1, 2, 3, 4].map((n) => [n, new Consumer(`c${n}`, n, 0)]));
      const byName = new Map([...consumers.values()].map((consumer) => [consumer.name, consumer]));
      const list = new PendingList({ byName, byNumber: consumers }, new DirtyMeter());
      const model = new Map<number, [string, number, number]>();
      let retry = RETRIES[0]!;
      for (const { kind, from, count, stride, owner, time } of steps) {
        if (kind === 2) {
          const gone = [...model].filter(([, entry]) => entry[0] === `c${owner}`);
          expect(list.removeConsumer(owner)).toBe(gone.length);
          for (const [ms] of gone) model.delete(ms);
        }
        if (kind === 3) {
          retry = RETRIES[count % RETRIES.length]!;
          list.retry = retry;
        }
        for (let ms = from; kind < 2 && ms < from + count; ms += stride) {
          const before = model.get(ms);
          const answered = kind === 0 ? list.put(spreadId(ms), owner, time, ms) : list.remove(spreadId(ms));
          expect(answered).toBe(before === undefined ? -1 : Number(before[0].slice(1)));
          if (kind === 0) model.set(ms, [`c${owner}`, time, ms]);
          else model.delete(ms);
        }
        list.verify();
        expect(list.count).toBe(model.size);
        const sorted = [...model].sort((a, b) => a[0] - b[0]);
        for (const consumer of [null, "c1", "c4", "nobody"]) {
          const seen: unknown[] = [];
          list.visit(MIN_ID, MAX_ID, consumer, (entry) => {
            seen.push([numberOf(entry.id), [entry.consumer, entry.deliveryTimeMs, entry.deliveryCount]]);
            return true;
          });
          expect(seen).toEqual(sorted.filter(([, entry]) => consumer === null || entry[0] === consumer));
        }
        const oldest: unknown[] = [];
        list.visitOldest((entry) => {
          oldest.push([numberOf(entry.id), entry.deliveryTimeMs]);
          return oldest.length < 300;
        });
        const byAge = sorted.toSorted((a, b) => a[1][1] - b[1][1] || a[0] - b[0]);
        expect(oldest).toEqual(byAge.slice(0, 300).map(([ms, entry]) => [ms, entry[1]]));
        const due: unknown[] = [];
        list.visitDue((entry, dueMs) => {
          due.push([numberOf(entry.id), dueMs]);
          return due.length < 300;
        });
        const byDue = sorted
          .map(([ms, [, delivered, deliveries]]) => [ms, delivered + restMs(retry, deliveries)] as const)
          .toSorted((a, b) => a[1] - b[1] || a[0] - b[0]);
        expect(due).toEqual(retry === null ? [] : byDue.slice(0, 300));
        const first = byDue[0] === undefined || retry === null ? Number.POSITIVE_INFINITY : byDue[0][1];
        expect(list.dueFromMs).toBe(first);
        list.verify();
      }
    }),
    { seed: SEED, numRuns: 60 },
  );
});

test("ids in order fill their leaves, and an emptied list has none", () => {
  const consumer = new Consumer("c", 1, 0);
  const consumers = { byName: new Map([["c", consumer]]), byNumber: new Map([[1, consumer]]) };
  const list = new PendingList(consumers, new DirtyMeter());
  for (let ms = 1; ms <= 10 * LEAF_RECORDS_MAX; ms++) list.put(id(ms), 1, 5, 1);
  expect(list.leaves.length).toBe(10);
  for (let ms = 1; ms <= 10 * LEAF_RECORDS_MAX; ms++) list.remove(id(ms));
  expect(list.leaves.length).toBe(0);
});

test.each([
  ["with one high word each", [1, 2, 3, 899]],
  ["with several of the milliseconds", [898, 899, 900, 1900]],
  ["with several of the sequence numbers", [2002, 2003, 2004]],
])("a leaf of ids %s is stored as its rows have it, and loads as it was", (_, numbers) => {
  const leaf = new PendingLeaf(1);
  // The last first, so that the others are put in before it.
  for (const n of numbers.toReversed()) leaf.insert(0, spreadId(n), n, 2 ** 40 + n, 2 ** 35 + n);
  const rows = numbers.flatMap((n) => {
    const { msHi, msLo, seqHi, seqLo } = spreadId(n);
    return [msHi, msLo, seqHi, seqLo, n, n, n, 2 ** 8 * 2 ** 16 + 2 ** 3];
  });
  expect([...leaf.stored()]).toEqual(rows);

  const loaded = new PendingLeaf(2);
  loaded.load(leaf.stored(), numbers.length);
  expect(numbers.map((_n, i) => numberOf(loaded.idAt(i)))).toEqual(numbers);
  expect(numbers.map((_n, i) => loaded.timeAt(i))).toEqual(numbers.map((n) => 2 ** 40 + n));
  expect(numbers.map((_n, i) => loaded.deliveriesAt(i))).toEqual(numbers.map((n) => 2 ** 35 + n));
  expect(loaded.owners).toEqual(numbers);
  expect([...loaded.stored()]).toEqual(rows);
});

test("a leaf whose ids have one high word each takes 24 bytes a record, and where they differ 32", () => {
  const leaf = new PendingLeaf(1);
  for (let n = 0; n < LEAF_RECORDS_MAX; n++) leaf.insert(n, spreadId(n), 1, 0, 1);
  expect(leaf.recordBytes).toBe(LEAF_RECORDS_MAX * 24);
  leaf.remove(0);
  leaf.insert(LEAF_RECORDS_MAX - 1, spreadId(900), 1, 0, 1);
  expect(leaf.recordBytes).toBe(LEAF_RECORDS_MAX * 32);
});
