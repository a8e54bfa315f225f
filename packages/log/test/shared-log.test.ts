import { describe, expect, test } from "vitest";
import { LogBench, smallConfig, testEntry } from "../testing/log-bench.ts";
import { MemoryDisk } from "../testing/memory-disk.ts";

function reopened(bench: LogBench): LogBench {
  return new LogBench(MemoryDisk.from(bench.disk.content()));
}

describe("the shared log", () => {
  test("gives back after a restart what was durable, group by group", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.append(7, [testEntry(1, 1), testEntry(2, 1, 2500), testEntry(3, 2, 0)], {
      hardState: { term: 2, vote: 3, commit: 1 },
    });
    bench.append(8, [testEntry(1, 5)]);
    bench.settle();
    expect(bench.written).toEqual(["7:1,2,3", "8:1"]);
    expect(bench.durable).toEqual(["7:1,2,3", "8:1"]);
    const groups = reopened(bench).groups();
    expect([...groups.keys()]).toEqual([7, 8]);
    expect(groups.get(7)!.hardState).toEqual({ term: 2, vote: 3, commit: 1 });
    expect(groups.get(7)!.entries).toEqual([testEntry(1, 1), testEntry(2, 1, 2500), testEntry(3, 2, 0)]);
    expect(groups.get(8)!.entries).toEqual([testEntry(1, 5)]);
    expect(groups.get(8)!.hardState).toEqual({ term: 0, vote: 0, commit: 0 });
  });

  test("writes what one turn appends as one block", () => {
    const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, segmentBytes: 65536, maxWriteBytes: 65536 });
    const before = bench.log.stats.writes;
    for (let group = 1; group <= 50; group++) bench.append(group, [testEntry(1, 1)]);
    bench.settle();
    expect(bench.log.stats.writes - before).toBe(1);
    expect(bench.durable).toHaveLength(50);
  });

  test("shares one block among everything that is appended while a write is in flight", () => {
    const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, segmentBytes: 65536, maxWriteBytes: 65536 });
    const before = bench.log.stats.writes;
    bench.append(1, [testEntry(1, 1)]);
    bench.time.runDue();
    expect(bench.disk.pending).toBe(1);
    for (let index = 2; index <= 20; index++) bench.append(1, [testEntry(index, 1)]);
    bench.settle();
    expect(bench.log.stats.writes - before).toBe(2);
  });

  test("replaces the suffix when an append begins below the last index", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.append(1, [testEntry(1, 1), testEntry(2, 1), testEntry(3, 1), testEntry(4, 1)]);
    bench.settle();
    bench.append(1, [testEntry(2, 2)]);
    bench.append(1, [testEntry(3, 2)]);
    bench.settle();
    expect(bench.read(1, 1, 9, 1e6)).toEqual([testEntry(1, 1), testEntry(2, 2), testEntry(3, 2)]);
    expect(reopened(bench).groups().get(1)!.entries).toEqual([testEntry(1, 1), testEntry(2, 2), testEntry(3, 2)]);
  });

  test("goes from segment to segment and reads all of them again", () => {
    const bench = LogBench.open(new MemoryDisk());
    const all = Array.from({ length: 60 }, (_, i) => testEntry(i + 1, 1, 700));
    for (const entry of all) {
      bench.append(1, [entry], { hardState: { term: 1, vote: 2, commit: entry.index - 1 } });
      bench.settle();
    }
    expect(bench.log.stats.segments).toBeGreaterThan(10);
    const again = reopened(bench);
    const group = again.groups().get(1)!;
    expect(group.entries).toEqual(all);
    expect(group.hardState).toEqual({ term: 1, vote: 2, commit: 59 });
    again.append(1, [testEntry(61, 2)]);
    again.settle();
    expect(again.read(1, 20, 62, 1e6)).toEqual([...all.slice(19), testEntry(61, 2)]);
    expect(again.read(1, 20, 62, 1500)).toEqual(all.slice(19, 21));
    expect(again.read(1, 20, 62, 1)).toEqual(all.slice(19, 20));
    expect(again.read(1, 62, 63, 1)).toMatch(/^missing/);
  });
});
