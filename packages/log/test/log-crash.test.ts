import fc from "fast-check";
import type { Done } from "@headrace/ports";
import type { Entry } from "@headrace/raft-ts";
import { describe, expect, test } from "vitest";
import type { WalConfig } from "../src/api.ts";
import { LogBench, smallConfig, testEntry } from "../testing/log-bench.ts";
import { MemoryDisk } from "../testing/memory-disk.ts";

/** What a group's log must look like, kept naively: the list after each append or compaction, and how many of these are durable. */
class GroupModel {
  entries: Entry[] = [];
  compactedIndex = 0;
  compactedTerm = 0;
  term = 1;
  /** The log after each append in order; [0] is the empty one. */
  readonly history: { readonly entries: readonly Entry[]; readonly hardTerm: number }[] = [
    { entries: [], hardTerm: 0 },
  ];
  durable = 0;

  get lastIndex(): number {
    return this.compactedIndex + this.entries.length;
  }
}

type Action =
  | {
      readonly kind: "append";
      readonly group: number;
      readonly back: number;
      readonly sizes: readonly number[];
      readonly mustSync: boolean;
    }
  | { readonly kind: "compact"; readonly group: number; readonly share: number }
  | { readonly kind: "steps"; readonly count: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "requestSync" };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      group: fc.integer({ min: 1, max: 3 }),
      back: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 4 }) },
      ),
      sizes: fc.array(fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 2500 })), {
        minLength: 1,
        maxLength: 4,
      }),
      mustSync: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("compact" as const),
      group: fc.integer({ min: 1, max: 3 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("steps" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 11, 1001) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "requestSync" as const }) },
);

/** Runs actions on a log and the models side by side. */
class Subject {
  readonly models: Map<number, GroupModel> = new Map();
  bench: LogBench;

  constructor(bench: LogBench) {
    this.bench = bench;
  }

  model(group: number): GroupModel {
    let model = this.models.get(group);
    if (model === undefined) this.models.set(group, (model = new GroupModel()));
    return model;
  }

  run(step: Action): void {
    switch (step.kind) {
      case "append":
        return this.append(step.group, step.back, step.sizes, step.mustSync);
      case "compact": {
        const model = this.model(step.group);
        const index = model.compactedIndex + Math.floor(model.entries.length * step.share);
        const at = model.entries[index - model.compactedIndex - 1];
        if (at === undefined) return;
        this.bench.log.compact(step.group, index, at.term);
        model.entries = model.entries.slice(index - model.compactedIndex);
        model.compactedIndex = index;
        model.compactedTerm = at.term;
        return;
      }
      case "steps":
        for (let i = 0; i < step.count; i++) if (!this.bench.time.runDue()) this.bench.disk.step();
        return;
      case "pass":
        this.bench.time.nowMs += step.ms;
        return;
      case "requestSync":
        return this.bench.log.requestSync();
    }
  }

  append(group: number, back: number, sizes: readonly number[], mustSync: boolean): void {
    const model = this.model(group);
    const keep = Math.max(0, model.entries.length - back);
    if (keep < model.entries.length) model.term++;
    model.entries = model.entries.slice(0, keep);
    const added = sizes.map((size, i) => testEntry(model.compactedIndex + keep + i + 1, model.term, size));
    model.entries = [...model.entries, ...added];
    const state = model.history.push({ entries: model.entries, hardTerm: model.term }) - 1;
    this.bench.log.append({
      groupId: group,
      hardState: { term: model.term, vote: group, commit: 0 },
      entries: added,
      mustSync,
      onWritten: null,
      onDurable: () => {
        expect(model.durable).toBe(state - 1);
        model.durable = state;
      },
    });
  }

  /** Everything that was durable is there; what is more is a state that was reached later, never one that was not. */
  check(bench: LogBench): void {
    const groups = bench.groups();
    for (const [groupId, model] of this.models) {
      const found = groups.get(groupId);
      if (found === undefined) {
        expect(model.durable, `group ${groupId} is gone`).toBe(0);
        continue;
      }
      expect(found.compactedIndex).toBeLessThanOrEqual(model.compactedIndex);
      const behind = (entries: readonly Entry[]): readonly Entry[] =>
        entries.filter((entry) => entry.index > found.compactedIndex);
      const candidates = model.history.slice(model.durable);
      const reached = candidates.findIndex((state) => sameEntries(behind(state.entries), found.entries));
      // An append that spans blocks may be there in part: then the state is between two.
      const partly = candidates.findIndex((state, i) => {
        const before = candidates[i - 1];
        return before !== undefined && isPartOf(found.entries, behind(before.entries), behind(state.entries));
      });
      if (reached < 0 && partly < 0) {
        expect.fail(
          `group ${groupId}: ${found.entries.map((entry) => `${entry.index}/${entry.term}`).join(" ")} was never its log`,
        );
      }
      expect(found.hardState.term).toBeGreaterThanOrEqual(model.history[model.durable]!.hardTerm);
      for (const entry of found.entries) expect(entry.term).toBeLessThanOrEqual(found.hardState.term);
    }
  }
}

function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && a.every((entry, i) => sameEntry(entry, b[i]!));
}

function sameEntry(a: Entry, b: Entry): boolean {
  return a.index === b.index && a.term === b.term && Buffer.compare(a.data, b.data) === 0;
}

/** Whether `found` is what the append that led from `before` to `after` leaves when only its first entries were written. */
function isPartOf(found: readonly Entry[], before: readonly Entry[], after: readonly Entry[]): boolean {
  if (!sameEntries(found, after.slice(0, found.length))) return sameEntries(found, before);
  const firstNew = after.findIndex((entry, i) => before[i] === undefined || !sameEntry(entry, before[i]));
  return firstNew >= 0 && found.length >= firstNew;
}

describe.each(["always", "everysec", "no"] as const)("a power cut with fsync %s", (fsync) => {
  const config: WalConfig = { ...smallConfig, fsync };

  test("at any moment loses nothing that was reported durable, and leaves no gap", () => {
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1 }),
        fc.integer({ min: 0, max: 60 }),
        (steps, seed, cut) => {
          const subject = new Subject(LogBench.open(new MemoryDisk(), config));
          for (const step of steps) subject.run(step);
          for (let i = 0; i < cut; i++) if (!subject.bench.time.runDue()) subject.bench.disk.step();
          const left = subject.bench.disk.crash(seed);
          subject.check(new LogBench(MemoryDisk.from(left), config));
        },
      ),
      { numRuns: 400 },
    );
  });

  test("after power cut loses nothing: recovery itself may be cut, and what it handed out stays", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.array(action, { maxLength: 15 }), fc.integer({ min: 1 }), fc.integer({ min: 0, max: 12 })),
          { minLength: 1, maxLength: 4 },
        ),
        (rounds) => {
          let disk = new MemoryDisk();
          for (const [steps, seed, cut] of rounds) {
            const bench = LogBench.open(disk, config);
            const subject = new Subject(bench);
            // Starts from what recovery hands out: that counts as durable.
            const again = new LogBench(MemoryDisk.from(bench.disk.content()), config).groups();
            for (const [groupId, group] of again) {
              const model = subject.model(groupId);
              model.entries = [...group.entries];
              model.compactedIndex = group.compactedIndex;
              model.term = group.hardState.term;
              model.history[0] = { entries: model.entries, hardTerm: model.term };
            }
            for (const step of steps) subject.run(step);
            const left = bench.disk.crash(seed);
            // The next recovery is cut off in its middle first.
            const half = MemoryDisk.from(left);
            new LogBench(half, config).log.recover(() => {});
            for (let i = 0; i < cut; i++) half.step();
            const leftAgain = half.crash(seed + 1);
            subject.check(new LogBench(MemoryDisk.from(leftAgain), config));
            disk = MemoryDisk.from(leftAgain);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test("after a kill loses nothing that recovery has handed out", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 25 }), fc.integer({ min: 1 }), (steps, seed) => {
        const disk = new MemoryDisk();
        const subject = new Subject(LogBench.open(disk, config));
        for (const step of steps) subject.run(step);
        disk.kill();
        const handedOut = new LogBench(disk, config).groups();
        const after = new LogBench(MemoryDisk.from(disk.crash(seed)), config).groups();
        expect(after).toEqual(handedOut);
      }),
      { numRuns: 200 },
    );
  });

  test("around the removal of segments loses nothing: what replaces them is durable first", () => {
    for (let cut = 0; ; cut++) {
      const subject = new Subject(LogBench.open(new MemoryDisk(), config));
      const { bench } = subject;
      let steps = 0;
      let ended = true;
      run: for (let round = 0; round < 20; round++) {
        subject.append(1, 0, [1500], false);
        if (round % 3 === 2) subject.run({ kind: "compact", group: 1, share: 1 });
        if (round % 7 === 6) subject.run({ kind: "requestSync" });
        for (;;) {
          if (steps++ === cut) {
            ended = false;
            break run;
          }
          if (!bench.time.runDue() && !bench.disk.step()) break;
        }
      }
      subject.check(new LogBench(MemoryDisk.from(bench.disk.crash(cut * 31 + 7)), config));
      if (!ended) continue;
      expect(bench.disk.log).toContain("remove");
      break;
    }
  });

  test("at every single step of one long run loses nothing that was reported durable", () => {
    const appends = (subject: Subject, round: number): void => {
      subject.append(1, round % 3 === 0 ? 1 : 0, [30, 1500], round % 2 === 0);
      subject.append(2, 0, [round * 10], false);
      if (round % 5 === 4) subject.run({ kind: "compact", group: 1, share: 0.7 });
    };
    for (let cut = 0; ; cut++) {
      const subject = new Subject(LogBench.open(new MemoryDisk(), config));
      let steps = 0;
      let ended = true;
      run: for (let round = 0; round < 8; round++) {
        appends(subject, round);
        for (;;) {
          if (steps++ === cut) {
            ended = false;
            break run;
          }
          if (!subject.bench.time.runDue() && !subject.bench.disk.step()) break;
        }
        subject.bench.time.nowMs += 400;
      }
      const left = subject.bench.disk.crash(cut * 7919 + 1);
      subject.check(new LogBench(MemoryDisk.from(left), config));
      if (ended) break;
    }
  });
});

describe.each(["always", "everysec", "no"] as const)("with fsync %s and a group that lags behind", (fsync) => {
  test.each([
    { why: "the log is long", sizes: { segmentsMax: 2 }, rounds: 16, lastOfLaggard: 12 },
    { why: "it has hardly anything", sizes: { segmentBytes: 16_384 }, rounds: 60, lastOfLaggard: 6 },
  ])(
    "a power cut at every single step loses nothing while its entries are copied forward, since $why, and old segments go",
    (load) => {
      const config: WalConfig = { ...smallConfig, ...load.sizes, fsync };
      let copied = 0;
      for (let cut = 0; ; cut++) {
        const subject = new Subject(LogBench.open(new MemoryDisk(), config));
        const { bench } = subject;
        let steps = 0;
        let ended = true;
        run: for (let round = 0; round < load.rounds; round++) {
          if (round % 6 === 0 && round <= load.lastOfLaggard)
            subject.append(2, round % 12 === 6 ? 1 : 0, [40, 60], round % 4 === 0);
          subject.append(1, 0, [1200], round % 2 === 0);
          if (round % 2 === 1) subject.run({ kind: "compact", group: 1, share: 1 });
          for (;;) {
            if (steps++ === cut) {
              ended = false;
              break run;
            }
            if (!bench.time.runDue() && !bench.disk.step()) break;
          }
          bench.time.nowMs += 300;
        }
        if (ended) copied = bench.log.stats.copiedBytes;
        subject.check(new LogBench(MemoryDisk.from(bench.disk.crash(cut * 7919 + 3)), config));
        if (ended) break;
      }
      // What lagged was moved, and the segments that it stood in went.
      expect(copied).toBeGreaterThan(0);
    },
  );

  test("there is never more than one write or sync under way", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 40 }), (steps) => {
        const disk = new MemoryDisk();
        let underWay = 0;
        let most = 0;
        const counted = <T>(done: Done<T>): Done<T> => {
          most = Math.max(most, ++underWay);
          return (result) => {
            underWay--;
            done(result);
          };
        };
        const write = disk.write.bind(disk);
        const sync = disk.sync.bind(disk);
        disk.write = (sequence, offset, chunks, durable, done) =>
          write(sequence, offset, chunks, durable, counted(done));
        disk.sync = (sequence, done) => sync(sequence, counted(done));
        const subject = new Subject(LogBench.open(disk, { ...smallConfig, fsync, segmentsMax: 3 }));
        for (const step of steps) subject.run(step);
        subject.bench.settle();
        expect(most).toBe(1);
        expect(underWay).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

test("a segment is removed only when what freed it is durable, also behind another removal", () => {
  for (let secondAt = 1; secondAt <= 12; secondAt++) {
    for (let seed = 1; seed <= 4; seed++) {
      const bench = LogBench.open(new MemoryDisk(), { ...smallConfig, fsync: "everysec" });
      for (let index = 1; index <= 30; index++) {
        bench.append(1, [testEntry(index, 1, 700)]);
        bench.settle();
      }
      bench.log.compact(1, 7, 1);
      bench.log.requestSync();
      // While the first removal is under way, the next segments lose what lives in them; nobody asks for a sync of that.
      for (let steps = 0; steps < secondAt; steps++) if (!bench.time.runDue()) bench.disk.step();
      bench.log.compact(1, 25, 1);
      bench.settle();
      const outcome = new LogBench(MemoryDisk.from(bench.disk.crash(seed))).recover();
      expect(outcome, `second compaction after ${secondAt} steps, seed ${seed}`).toMatchObject({ kind: "recovered" });
    }
  }
});
