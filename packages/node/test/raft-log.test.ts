import { expect, test } from "vitest";
import * as fc from "fast-check";
import type { RecoveredGroup } from "@headrace/log";
import type { Entry } from "@headrace/raft-ts";
import { RaftLog } from "../src/raft-log.ts";
import { ManualTime, MemoryLog } from "../testing/manual-world.ts";

const members = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

function entry(index: number, term: number, bytes: number): Entry {
  return { index, term, type: 0, data: new Uint8Array(bytes).fill(index & 0xff) };
}

class LogUnderTest {
  readonly time = new ManualTime();
  readonly disk: MemoryLog;
  fetched = 0;
  readonly log: RaftLog;

  constructor(cacheBytes: number, recovered: RecoveredGroup | null = null, disk: MemoryLog | null = null) {
    this.disk = disk ?? new MemoryLog(this.time, "always");
    const onFailed = (message: string): void => {
      throw new Error(message);
    };
    const snapshot = (): "unavailable" => "unavailable";
    const limits = { logCacheBytes: cacheBytes, logFetchBytes: 1000 };
    const config = { groupId: 1, limits, onFetched: () => this.fetched++, onFailed, snapshot };
    this.log = new RaftLog(config, this.disk, recovered, { index: 0, term: 0, confState: members });
  }

  append(...entries: Entry[]): number {
    this.disk.append({ groupId: 1, hardState: null, entries, mustSync: true, onWritten: null, onDurable: () => {} });
    this.run();
    return this.log.append(entries);
  }

  run(): void {
    while (this.time.runOne());
  }
}

test("an evicted entry is unavailable until it is fetched from the shared log, never wrong", () => {
  const under = new LogUnderTest(200);
  for (let index = 1; index <= 20; index++) under.append(entry(index, 1, 100));
  under.log.evict(15);
  expect(under.log.entries(20, 21, 1000)).toHaveLength(1);
  expect(under.log.entries(3, 6, 1000)).toBe("unavailable");
  under.run();
  expect(under.fetched).toBe(1);
  const found = under.log.entries(3, 6, 1000);
  expect(found === "unavailable" || found === "compacted" ? [] : found.map((each) => each.index)).toEqual([3, 4, 5]);
  expect(under.log.term(3)).toBe(1);
});

test("entries behind the checkpoint never leave memory", () => {
  const under = new LogUnderTest(0);
  for (let index = 1; index <= 20; index++) under.append(entry(index, 1, 100));
  under.log.evict(12);
  expect(under.log.entry(13).index).toBe(13);
  expect(() => under.log.entry(12)).toThrow("in memory");
});

test("a log whose covered entries stayed on disk at recovery is as one that has evicted them", () => {
  const entries = Array.from({ length: 20 }, (_, i) => entry(i + 1, i < 8 ? 1 : 3, 100 * 1024));
  const evicted = new LogUnderTest(0);
  evicted.append(...entries);
  evicted.log.evict(12);
  const onDisk = entries.slice(0, 12).map(({ term, data }) => ({ term, dataBytes: data.length }));
  const recovered = new LogUnderTest(
    0,
    { ...evicted.disk.group(1)!, onDisk, entries: entries.slice(12) },
    evicted.disk,
  );
  const told = [evicted, recovered].map(({ log }) => ({
    bounds: [log.firstIndex(), log.lastIndex(), log.retainedBytes, log.memoryBytes],
    tails: [1, 300_000, 900_000, 9_000_000].map((bytes) => log.indexWithTail(bytes)),
    terms: entries.map(({ index }) => log.term(index)),
    there: log.entries(13, 21, Infinity),
  }));
  expect(told[1]).toEqual(told[0]);
  expect(recovered.log.entries(4, 5, Infinity)).toBe("unavailable");
  evicted.run();
  expect(recovered.log.entries(4, 5, Infinity)).toEqual([entries[3]]);
  expect(recovered.append(entry(14, 4, 1))).toBe(14);
});

test("a replaced suffix is told by its lowest index of another term", () => {
  const under = new LogUnderTest(1000);
  under.append(entry(1, 1, 1), entry(2, 1, 1), entry(3, 2, 1), entry(4, 2, 1));
  expect(under.append(entry(3, 2, 1), entry(4, 3, 1))).toBe(4);
  expect(under.append(entry(2, 4, 1))).toBe(2);
  expect(under.log.lastIndex()).toBe(2);
  expect(under.log.term(2)).toBe(4);
  expect(under.log.has(1, 2)).toBe(false);
});

test("a suffix that was replaced and put back in part, before the log heard of either, is told by the first entry that is gone", () => {
  const under = new LogUnderTest(1000);
  under.append(entry(1, 1, 1), entry(2, 2, 1), entry(3, 2, 1), entry(4, 2, 1));
  // A leader of term 3 replaced 2…4, one of term 4 has (2, 2) and (2, 3) and sends them first: Raft hands over only the outcome.
  expect(under.append(entry(2, 2, 1), entry(3, 2, 1))).toBe(4);
  expect(under.log.lastIndex()).toBe(3);
  expect(under.log.has(2, 4)).toBe(false);
  expect(under.append(entry(4, 4, 1))).toBe(0);
});

test("terms of compacted entries are remembered for those who ask what became of a write", () => {
  const under = new LogUnderTest(1000);
  under.append(entry(1, 1, 1), entry(2, 1, 1), entry(3, 2, 1), entry(4, 4, 1), entry(5, 4, 1));
  under.log.compact(4);
  expect(under.log.term(3)).toBe("compacted");
  const known = [1, 2, 3, 4, 5].map((index) => [1, 2, 3, 4].filter((term) => under.log.hasOrHad(term, index)));
  expect(known).toEqual([[1], [1], [2], [4], [4]]);
  expect(under.log.hasOrHad(4, 6)).toBe(false);
});

test("terms, bounds and entries agree with a plain array under appends, replacements, evictions and compactions", () => {
  const step = fc.record({ kind: fc.nat(9), a: fc.nat(30), b: fc.nat(4) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const under = new LogUnderTest(300);
      const model: Entry[] = [];
      let compacted = 0;
      let compactedTerm = 0;
      let checkpoint = 0;
      let term = 1;
      for (const { kind, a, b } of steps) {
        const last = compacted + model.length;
        if (kind < 5) {
          const added = Array.from({ length: b + 1 }, (_, i) => entry(last + 1 + i, term, a * 5));
          under.append(...added);
          model.push(...added);
        } else if (kind < 7) {
          const from = Math.min(last, Math.max(checkpoint, compacted) + 1 + a);
          if (from <= checkpoint || from <= compacted) continue;
          term++;
          const added = [entry(from, term, b * 10)];
          expect(under.append(...added)).toBe(from);
          model.length = from - compacted - 1;
          model.push(...added);
        } else if (kind < 9) {
          checkpoint = Math.max(checkpoint, Math.min(last, compacted + a));
          under.log.evict(checkpoint);
        } else {
          const to = Math.min(checkpoint, compacted + a);
          if (to <= compacted) continue;
          compactedTerm = model[to - compacted - 1]!.term;
          model.splice(0, to - compacted);
          compacted = to;
          under.log.compact(to);
        }
        expect(under.log.firstIndex()).toBe(compacted + 1);
        expect(under.log.lastIndex()).toBe(compacted + model.length);
        expect(under.log.term(compacted)).toBe(compactedTerm);
        for (const each of model) expect(under.log.term(each.index)).toBe(each.term);
        for (const each of model) {
          let found = under.log.entries(each.index, each.index + 1, 0);
          if (found === "unavailable") {
            under.run();
            found = under.log.entries(each.index, each.index + 1, 0);
          }
          if (found === "unavailable") {
            under.run();
            found = under.log.entries(each.index, each.index + 1, 0);
          }
          expect(found).toEqual([each]);
        }
      }
    }),
    { numRuns: 150 },
  );
});
