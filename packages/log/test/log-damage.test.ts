import { crc32 } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import type { RecoveryOutcome } from "../src/api.ts";
import { LogBench, smallConfig, testEntry } from "../testing/log-bench.ts";
import { MemoryDisk } from "../testing/memory-disk.ts";

const config = { ...smallConfig, segmentBytes: 2048 };

/** A log over several segments: entry i durable before entry i+1 is written, so that each stands in a block of its own. */
function smallLog(sealed: boolean): Map<number, Uint8Array> {
  const bench = LogBench.open(new MemoryDisk(), config);
  for (let index = 1; index <= 6; index++) {
    bench.append(1, [testEntry(index, 1, 400)], { hardState: { term: 1, vote: 1, commit: 0 } });
    bench.settle();
  }
  if (sealed) bench.pass(11);
  return bench.disk.content();
}

function recovered(content: Iterable<readonly [number, Uint8Array]>): RecoveryOutcome {
  return new LogBench(MemoryDisk.from(content), config).recover();
}

/** What may come out of a damaged log: a refusal that names the place, the whole log, or the log without its last unsealed block. */
function judge(outcome: RecoveryOutcome, sealed: boolean, place: string): "damaged" | "whole" | "torn" {
  if (outcome.kind === "damaged") {
    expect(outcome.message, place).toMatch(/segments? \d+.*offset \d+/);
    return "damaged";
  }
  if (outcome.kind === "unknown") throw new Error(`${place}: ${outcome.message}`);
  const indexes = outcome.groups.get(1)?.entries.map((entry) => entry.index) ?? [];
  const all = [1, 2, 3, 4, 5, 6];
  if (indexes.length === 6) {
    expect(outcome.groups.get(1)!.entries, place).toEqual(all.map((index) => testEntry(index, 1, 400)));
    return "whole";
  }
  expect(sealed, `${place}: a sealed log lost ${indexes.join()}`).toBe(false);
  expect(indexes, place).toEqual(all.slice(0, 5));
  expect(outcome.tornBytes, place).toBeGreaterThan(0);
  return "torn";
}

describe.each([true, false])("a log whose last block is sealed: %s", (sealed) => {
  const content = smallLog(sealed);

  test("stands in several segments and is whole when nothing happened to it", () => {
    expect(content.size).toBeGreaterThanOrEqual(3);
    expect(judge(recovered(content), sealed, "untouched")).toBe("whole");
    const outcome = recovered(content);
    expect(outcome.kind === "recovered" && outcome.tornBytes).toBe(0);
  });

  test("tells a flipped byte at every single offset, or loses exactly the last unsealed block", () => {
    const verdicts = { damaged: 0, whole: 0, torn: 0 };
    for (const [sequence, bytes] of content) {
      for (let offset = 0; offset < bytes.length; offset++) {
        const flipped = bytes.slice();
        flipped[offset]! ^= 1 << (offset % 8);
        const all = new Map(content).set(sequence, flipped);
        verdicts[judge(recovered(all), sealed, `segment ${sequence} offset ${offset}`)]++;
      }
    }
    // Six blocks of 512 bytes and the starts of segments; the last one may be torn, zeros may hold anything.
    expect(verdicts.damaged).toBeGreaterThan(5 * 500);
    expect(verdicts.torn > 0).toBe(!sealed);
  });

  test("tells a file that was cut short at any length", () => {
    for (const [sequence, bytes] of content) {
      for (let length = 0; length < bytes.length; length += 8) {
        const all = new Map(content).set(sequence, bytes.slice(0, length));
        expect(judge(recovered(all), sealed, `segment ${sequence} cut to ${length}`)).toBe("damaged");
      }
    }
  });

  test("tells a tail that was overwritten with zeros from any offset on, or loses exactly the last unsealed block", () => {
    const [last] = [...content.keys()]
      .filter((sequence) => content.get(sequence)!.some((byte) => byte !== 0))
      .toReversed();
    for (const [sequence, bytes] of content) {
      if (sequence === last) continue;
      for (let offset = 0; offset < bytes.length; offset += 8) {
        if (bytes.subarray(offset).every((byte) => byte === 0)) break;
        const all = new Map(content).set(sequence, bytes.slice().fill(0, offset));
        expect(judge(recovered(all), sealed, `segment ${sequence} zeroed from ${offset}`)).toBe("damaged");
      }
    }
  });

  test("tells a segment that is missing in the middle or at the front", () => {
    for (const sequence of [...content.keys()].slice(0, -2)) {
      const all = new Map(content);
      all.delete(sequence);
      expect(judge(recovered(all), sealed, `segment ${sequence} missing`)).toBe("damaged");
    }
  });
});

test("torn bytes are gone for good: later recoveries never take them for blocks", () => {
  // Ten blocks that only the operating system had; the first is lost, the others survive.
  const bench = LogBench.open(new MemoryDisk(), { ...config, fsync: "no" });
  bench.settle();
  const before = bench.disk.content();
  for (let index = 1; index <= 3; index++) {
    bench.append(1, [testEntry(index, 1, 100)], { mustSync: false });
    bench.settle();
  }
  const all = bench.disk.content();
  const first = all.get(1)!.slice();
  const firstBlockAt = before.get(1)!.findLastIndex((byte) => byte !== 0) + 1;
  first.fill(0, (firstBlockAt + 7) & ~7, ((firstBlockAt + 7) & ~7) + 64);
  const torn = new LogBench(MemoryDisk.from([[1, first]]), { ...config, fsync: "no" });
  const outcome = torn.recover();
  expect(outcome.kind === "recovered" && outcome.groups.size).toBe(0);
  expect(outcome.kind === "recovered" && outcome.tornBytes).toBeGreaterThan(200);
  // The very same first entry again: its block ends exactly where the old second one began.
  torn.append(1, [testEntry(1, 1, 100)], { mustSync: false });
  torn.settle();
  const groups = new LogBench(MemoryDisk.from(torn.disk.content()), config).groups();
  expect(groups.get(1)!.entries).toEqual([testEntry(1, 1, 100)]);
});

test("client data that holds blocks of the same log does not look like damage", () => {
  const bench = LogBench.open(new MemoryDisk(), { ...config, segmentBytes: 8192, maxWriteBytes: 8192 });
  bench.append(1, [testEntry(1, 1, 200)]);
  bench.settle();
  const copy = bench.disk.content().get(1)!.slice(0, 1200);
  bench.append(1, [{ index: 2, term: 1, type: 0, data: copy }]);
  bench.settle();
  const bytes = bench.disk.content().get(1)!;
  // The block with the copy is torn: one byte of its header is wrong.
  const magic = [...bytes.keys()].filter(
    (at) => at % 8 === 0 && Buffer.from(bytes.buffer, at, 4).toString() === "HDRW",
  );
  const torn = bytes.slice();
  torn[magic[2]! + 20]! ^= 255;
  const outcome = recovered([[1, torn]]);
  expect(outcome.kind === "recovered" && outcome.groups.get(1)!.entries.map((entry) => entry.index)).toEqual([1]);
});

test("a power cut while the log is founded leaves a log that can be founded", () => {
  for (let cut = 0; cut < 12; cut++) {
    const disk = new MemoryDisk();
    const bench = new LogBench(disk, config);
    bench.log.recover(() => {});
    for (let i = 0; i < cut; i++) if (!bench.time.runDue()) disk.step();
    const again = LogBench.open(MemoryDisk.from(disk.crash(cut + 1)), config);
    again.append(1, [testEntry(1, 1)]);
    again.settle();
    expect(again.durable).toEqual(["1:1"]);
  }
});

test("a segment's start is proven by a block behind it before the segments that it replaces are removed", () => {
  const bench = LogBench.open(new MemoryDisk(), config);
  bench.append(9, [], { hardState: { term: 4, vote: 2, commit: 0 } });
  bench.settle();
  for (let index = 1; index <= 20; index++) {
    bench.append(1, [testEntry(index, 1, 1000)]);
    bench.log.compact(1, index, 1);
    while (bench.time.runDue() || bench.disk.step()) {
      const content = bench.disk.content();
      const written = [...content.keys()].filter((sequence) => content.get(sequence)!.some((byte) => byte !== 0));
      const last = content.get(Math.max(...written))!;
      last[20]! ^= 1;
      const outcome = recovered(content);
      if (outcome.kind === "recovered") expect(outcome.groups.get(9)!.hardState.term).toBe(4);
    }
  }
  expect(bench.disk.log).toContain("remove");
});

describe("a block that is whole but of a newer program", () => {
  const content = smallLog(false);
  /** The first block behind a segment's start, in the last segment that has one; its checksum made right again after the change. */
  function changed(change: (bytes: Uint8Array, at: number) => void): RecoveryOutcome {
    const [sequence, bytes] = [...content].findLast(([, each]) => each.some((byte) => byte !== 0))!;
    const next = bytes.slice();
    const view = new DataView(next.buffer);
    const at = 40 + view.getUint32(8, true);
    change(next, at);
    const end = at + 40 + view.getUint32(at + 8, true);
    const covered = crc32(next.subarray(at, at + 36), view.getUint32(at + 32, true));
    view.setUint32(at + 36, crc32(next.subarray(at + 40, end), covered), true);
    return recovered(new Map(content).set(sequence, next));
  }

  test("by its format version stops recovery with that reason, which is not damage", () => {
    const outcome = changed((bytes, at) => (bytes[at + 4] = 9));
    expect(outcome.kind).toBe("unknown");
    expect(outcome.kind === "unknown" && outcome.message).toMatch(
      /^segment \d+ at offset \d+: format version 9 is not known$/,
    );
  });

  test("by the kind of a record stops recovery with that reason, which is not damage", () => {
    const outcome = changed((bytes, at) => (bytes[at + 40] = 77));
    expect(outcome.kind === "unknown" && outcome.message).toMatch(
      /^segment \d+ at offset \d+: record kind 77 is not known$/,
    );
  });
});

test("a flipped bit anywhere in a record that is read back later is told, and never handed out", () => {
  const bench = LogBench.open(new MemoryDisk());
  const written = testEntry(2, 1, 40);
  bench.append(1, [testEntry(1, 1), { ...written, type: 1 }, testEntry(3, 1)]);
  bench.settle();
  const bytes = bench.disk.content().get(1)!;
  const start = Buffer.from(bytes).indexOf(written.data) - 32;
  let told = 0;
  // Bytes 2 and 3 of a record mean nothing, and neither do those behind the data.
  const meaningful = Array.from({ length: 32 + 40 }, (_, i) => i).filter((i) => i !== 2 && i !== 3);
  for (const offset of meaningful) {
    for (let bit = 0; bit < 8; bit++) {
      bench.disk.write(1, start + offset, [new Uint8Array([bytes[start + offset]! ^ (1 << bit)])], true, () => {});
      bench.settle();
      const read = bench.read(1, 2, 3, 1e6);
      expect(read, `byte ${offset} bit ${bit}`).toMatch(
        /^corrupt: segment 1 is damaged at offset \d+: not log entry 2 of group 1$/,
      );
      told++;
      bench.disk.write(1, start + offset, [bytes.slice(start + offset, start + offset + 1)], true, () => {});
      bench.settle();
    }
  }
  expect(bench.damages).toHaveLength(told);
  expect(bench.read(1, 1, 4, 1e6)).toHaveLength(3);
});

test("an entry that is compacted while it is read is missing, not damaged", () => {
  const bench = LogBench.open(new MemoryDisk());
  for (let index = 1; index <= 20; index++) {
    bench.append(1, [testEntry(index, 1, 700)], { hardState: { term: 1, vote: 1, commit: index } });
    bench.settle();
  }
  const answers: string[] = [];
  bench.log.compact(1, 19, 1);
  // The segments go one by one while the questions are under way.
  for (let index = 1; index <= 19; index++) {
    bench.log.readEntries(1, index, index + 1, 1e6, (result) => answers.push(result.ok ? "read" : result.reason));
    if (!bench.time.runDue()) bench.disk.step();
  }
  bench.settle();
  expect(answers).toHaveLength(19);
  expect(answers).toContain("missing");
  expect(answers).not.toContain("corrupt");
  expect(bench.damages).toEqual([]);
});
