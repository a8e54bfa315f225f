import { describe, expect, test } from "vitest";
import { lastIndexOf, recoveredTerm } from "../src/recovered-group.ts";
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

  test("writes at most so much at once, except for one entry that is larger, whatever has gathered", () => {
    const config = { ...smallConfig, segmentBytes: 65536, maxWriteBytes: 4096 };
    const disk = new MemoryDisk();
    const bench = LogBench.open(disk, config);
    const sizes: number[] = [];
    const write = disk.write.bind(disk);
    disk.write = (sequence, offset, chunks, durable, done) => {
      sizes.push(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      write(sequence, offset, chunks, durable, done);
    };
    for (let index = 1; index <= 60; index++) bench.append(1, [testEntry(index, 1, index === 30 ? 9000 : 500)]);
    bench.settle();
    expect(bench.durable).toHaveLength(60);
    // The entry of 9,000 bytes has a block of its own: 40 bytes of header and 32 of record beside it.
    expect(sizes.filter((size) => size > 4096)).toEqual([9072]);
    // Seven entries of 32 + 504 bytes fill a block.
    expect(sizes.length).toBe(Math.ceil(29 / 7) + 1 + Math.ceil(30 / 7));
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

describe("durability by policy", () => {
  const everysec = { ...smallConfig, fsync: "everysec" } as const;

  test("everysec leaves a write that nothing waits for with the operating system, and syncs it within a second", () => {
    const bench = LogBench.open(new MemoryDisk(), everysec);
    bench.append(1, [testEntry(1, 1)], { mustSync: false });
    bench.settle();
    expect([bench.written, bench.durable]).toEqual([["1:1"], []]);
    bench.pass(999);
    expect(bench.durable).toEqual([]);
    bench.pass(1);
    expect(bench.durable).toEqual(["1:1"]);
  });

  test("no never syncs by itself, until something must be durable: then all before it is, first", () => {
    const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, fsync: "no" });
    bench.append(1, [testEntry(1, 1)], { mustSync: false });
    bench.settle();
    bench.append(2, [testEntry(1, 1)], { mustSync: false });
    bench.pass(100_000);
    expect(bench.durable).toEqual([]);
    bench.append(3, [testEntry(1, 1)], { mustSync: true });
    bench.settle();
    expect(bench.durable).toEqual(["1:1", "2:1", "3:1"]);
    expect(bench.written).toEqual(["1:1", "2:1", "3:1"]);
  });

  test("a requested sync makes durable what was appended before", () => {
    const bench = LogBench.open(new MemoryDisk(), everysec);
    bench.append(1, [testEntry(1, 1)], { mustSync: false });
    bench.settle();
    bench.append(1, [testEntry(2, 1)], { mustSync: false });
    bench.log.requestSync();
    bench.settle();
    expect(bench.durable).toEqual(["1:1", "1:2"]);
  });

  test("an append without content completes behind what was written before, and writes nothing", () => {
    const bench = LogBench.open(new MemoryDisk(), everysec);
    bench.append(1, [], { mustSync: true });
    const { writes } = bench.log.stats;
    bench.settle();
    expect(bench.durable).toEqual(["1:"]);
    bench.append(1, [testEntry(1, 1)], { mustSync: false });
    bench.settle();
    bench.append(1, [], { mustSync: false });
    bench.settle();
    expect(bench.durable).toEqual(["1:"]);
    bench.append(1, [], { mustSync: true });
    bench.settle();
    expect(bench.durable).toEqual(["1:", "1:1", "1:", "1:"]);
    expect(bench.log.stats.writes).toBe(writes + 1);
  });

  test("a block is sealed after ten idle milliseconds, once", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.pass(100);
    bench.append(1, [testEntry(1, 1)]);
    bench.settle();
    const { writes } = bench.log.stats;
    bench.pass(9);
    expect(bench.log.stats.writes).toBe(writes);
    bench.pass(1);
    expect(bench.log.stats.writes).toBe(writes + 1);
    bench.pass(1000);
    expect(bench.log.stats.writes).toBe(writes + 1);
  });

  test("closing writes what is queued, makes it durable and seals it", () => {
    const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, fsync: "no" });
    bench.append(1, [testEntry(1, 1)], { mustSync: false });
    bench.close();
    expect(bench.durable).toEqual(["1:1"]);
    expect(bench.disk.log.slice(-3)).toEqual(["sync", "write", "close"]);
  });
});

describe("a failing disk", () => {
  test.each(["write", "sync"] as const)(
    "poisons the log when a %s fails: told once, nothing completes any more",
    (name) => {
      const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, fsync: "no" });
      bench.append(1, [testEntry(1, 1)], { mustSync: false });
      bench.settle();
      bench.disk.failNext = { name, reason: "io" };
      bench.append(1, [testEntry(2, 1)]);
      bench.append(2, [testEntry(1, 1)]);
      bench.settle();
      bench.append(2, [testEntry(2, 1)]);
      bench.log.requestSync();
      bench.pass(5000);
      expect(bench.poisonings).toHaveLength(1);
      expect(bench.poisonings[0]).toMatch(/segment 1 at offset \d+ failed: injected io/);
      expect(bench.durable).toEqual([]);
      expect(bench.disk.pending).toBe(0);
    },
  );

  test("that is full when a segment is to be created makes writers wait, and they go on when there is space", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.disk.failNext = { name: "create", reason: "space" };
    for (let index = 1; index <= 4; index++) bench.append(1, [testEntry(index, 1, 1800)]);
    bench.settle();
    expect(bench.durable).toEqual(["1:1", "1:2"]);
    expect(bench.poisonings).toEqual([]);
    bench.pass(1000);
    expect(bench.durable).toEqual(["1:1", "1:2", "1:3", "1:4"]);
  });

  test("an entry that no segment can take is refused where it is appended", () => {
    const bench = LogBench.open(new MemoryDisk());
    expect(() => bench.append(1, [testEntry(1, 1, 4000)])).toThrow("log entry of 4000 bytes; a WAL segment takes 2920");
    bench.append(1, [testEntry(1, 1, 2920)], { hardState: { term: 1, vote: 1, commit: 0 } });
    bench.append(1, [testEntry(2, 1, 2920)]);
    bench.settle();
    expect(reopened(bench).groups().get(1)!.entries).toEqual([testEntry(1, 1, 2920), testEntry(2, 1, 2920)]);
  });

  test("bits that rot under a running log are not handed out", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.append(1, [testEntry(1, 1), testEntry(2, 1, 100), testEntry(3, 1)]);
    bench.settle();
    const rotten = bench.disk.content().get(1)!;
    const data = testEntry(2, 1, 100).data;
    const at = Buffer.from(rotten).indexOf(data) + 50;
    bench.disk.write(1, at, [new Uint8Array([rotten[at]! ^ 4])], true, () => {});
    bench.settle();
    expect(bench.read(1, 1, 2, 1e6)).toEqual([testEntry(1, 1)]);
    expect(bench.read(1, 1, 4, 1e6)).toMatch(
      /^corrupt: segment 1 is damaged at offset \d+: not log entry 2 of group 1/,
    );
  });
});

describe("compaction", () => {
  test("removes the segments that no group needs, keeps hard states, and survives a restart", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.append(9, [], { hardState: { term: 4, vote: 2, commit: 0 } });
    for (let index = 1; index <= 40; index++) {
      bench.append(1, [testEntry(index, 3, 700)], { hardState: { term: 3, vote: 1, commit: index } });
      bench.settle();
    }
    const { segments } = bench.log.stats;
    expect(segments).toBeGreaterThan(8);
    bench.log.compact(1, 38, 3);
    bench.settle();
    expect(bench.log.stats.segments).toBeLessThanOrEqual(4);
    expect(bench.read(1, 38, 39, 1)).toMatch(/^missing/);
    const again = reopened(bench);
    const groups = again.groups();
    expect(groups.get(9)!.hardState).toEqual({ term: 4, vote: 2, commit: 0 });
    expect(groups.get(1)).toEqual({
      groupId: 1,
      hardState: { term: 3, vote: 1, commit: 40 },
      onDisk: [],
      entries: [testEntry(39, 3, 700), testEntry(40, 3, 700)],
      compactedIndex: 38,
      compactedTerm: 3,
    });
  });

  test("behind a checkpoint that has them, recovery leaves entries on disk, from where they are read as before", () => {
    const bench = LogBench.open(new MemoryDisk());
    for (let index = 1; index <= 9; index++) bench.append(1, [testEntry(index, index < 5 ? 3 : 4, 50 + index)]);
    bench.append(2, [testEntry(1, 1)]);
    bench.log.compact(1, 2, 3);
    bench.settle();
    const again = reopened(bench);
    const group = again.groups(new Map([[1, 6]])).get(1)!;
    expect(group.onDisk).toEqual([
      { term: 3, dataBytes: 53 },
      { term: 3, dataBytes: 54 },
      { term: 4, dataBytes: 55 },
      { term: 4, dataBytes: 56 },
    ]);
    expect(group.entries).toEqual([7, 8, 9].map((index) => testEntry(index, 4, 50 + index)));
    expect([lastIndexOf(group), ...[2, 3, 6, 7, 9, 10].map((index) => recoveredTerm(group, index))]).toEqual([
      9,
      null,
      3,
      4,
      4,
      4,
      null,
    ]);
    expect(again.read(1, 3, 7, 10_000)).toEqual(
      [3, 4, 5, 6].map((index) => testEntry(index, index < 5 ? 3 : 4, 50 + index)),
    );
    again.append(1, [testEntry(10, 4)]);
    again.settle();
    expect(
      reopened(again)
        .groups(new Map([[1, 10]]))
        .get(1)!.entries,
    ).toEqual([]);
  });

  test("to a snapshot ahead of the log, or of another term, replaces the log", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.append(1, [testEntry(1, 1), testEntry(2, 1)]);
    bench.append(2, [testEntry(1, 1), testEntry(2, 1), testEntry(3, 1)]);
    bench.log.compact(1, 10, 5);
    bench.log.compact(2, 2, 4);
    bench.append(1, [testEntry(11, 5)]);
    bench.settle();
    const groups = reopened(bench).groups();
    expect(groups.get(1)).toMatchObject({ compactedIndex: 10, compactedTerm: 5, entries: [testEntry(11, 5)] });
    expect(groups.get(1)!.hardState.commit).toBe(10);
    expect(groups.get(2)).toMatchObject({ compactedIndex: 2, compactedTerm: 4, entries: [] });
  });

  test("of nothing happens for a group that was forgotten", () => {
    const bench = LogBench.open(new MemoryDisk());
    bench.append(1, [testEntry(1, 1)], { hardState: { term: 1, vote: 1, commit: 1 } });
    bench.append(2, [testEntry(1, 1)]);
    bench.log.forget(1);
    bench.settle();
    expect([...reopened(bench).groups().keys()]).toEqual([2]);
  });

  test("a group that lags behind does not keep its old segments: its few entries are copied forward", () => {
    const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, segmentsMax: 5 });
    bench.append(2, [testEntry(1, 1), testEntry(2, 1), testEntry(3, 1)]);
    for (let index = 1; index <= 60; index++) {
      bench.append(1, [testEntry(index, 1, 900)]);
      if (index === 3) bench.append(2, [testEntry(3, 2), testEntry(4, 2)]);
      bench.log.compact(1, index, 1);
      bench.settle();
    }
    expect(bench.log.stats.segments).toBeLessThanOrEqual(6);
    const expected = [testEntry(1, 1), testEntry(2, 1), testEntry(3, 2), testEntry(4, 2)];
    expect(bench.read(2, 1, 9, 1e6)).toEqual(expected);
    const again = reopened(bench);
    expect(again.groups().get(2)!.entries).toEqual(expected);
    again.append(2, [testEntry(2, 3)]);
    again.settle();
    expect(reopened(again).groups().get(2)!.entries).toEqual([testEntry(1, 1), testEntry(2, 3)]);
  });
});

/** 600 entries of 900 bytes to group 1, each of them in a checkpoint at once. */
function writeNineSegments(bench: LogBench): void {
  for (let index = 1; index <= 600; index++) {
    bench.append(1, [testEntry(index, 1, 900)]);
    bench.log.compact(1, index, 1);
    bench.settle();
  }
}

test("a group to which nothing happens does not keep a log that is short: what little it has is copied forward", () => {
  const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, segmentBytes: 65_536 });
  const idle = [testEntry(1, 1), testEntry(2, 1)];
  bench.append(2, idle);
  writeNineSegments(bench);
  // The limit for groups that lag behind is 16.
  expect(bench.log.stats.segments).toBeLessThanOrEqual(3);
  expect(bench.log.stats.copiedBytes).toBeGreaterThan(0);
  expect(bench.read(2, 1, 9, 1e6)).toEqual(idle);
  expect(reopened(bench).groups().get(2)!.entries).toEqual(idle);
});

test("a group that needs much of an old segment keeps it, as long as the log is short", () => {
  const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, segmentBytes: 65_536 });
  bench.append(2, [testEntry(1, 1, 2000)]);
  writeNineSegments(bench);
  expect(bench.log.stats.segments).toBeGreaterThanOrEqual(9);
  expect(bench.log.stats.copiedBytes).toBe(0);
});

test("a read of entries whose block is being written waits for it", () => {
  const bench = LogBench.open(new MemoryDisk());
  bench.append(1, [testEntry(1, 1)]);
  bench.time.runDue();
  expect(bench.disk.pending).toBe(1);
  expect(bench.read(1, 1, 2, 1e6)).toEqual([testEntry(1, 1)]);
});

test("the size of segments is fixed when the log is founded; a later setting does not make it look damaged", () => {
  const bench = LogBench.open(new MemoryDisk());
  bench.append(1, [testEntry(1, 1)]);
  bench.settle();
  const again = new LogBench(MemoryDisk.from(bench.disk.content()), { ...smallConfig, segmentBytes: 8192 });
  expect(again.groups().get(1)!.entries).toEqual([testEntry(1, 1)]);
  expect(again.log.maxEntryBytes).toBe(2920);
});
