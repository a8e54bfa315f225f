/** Cases that are points of a plot: which ones there are, and what is made of their figures. Nothing is started. */
import { describe, expect, test } from "vitest";
import { growCasesUpTo } from "../suite/grow-cases.ts";
import { growthOf, growthPlots, growthTable } from "../suite/growth.ts";
import type { Measured } from "../suite/load-process.ts";
import { limitCells, limitsText, sizeText } from "../suite/limits.ts";
import { chosenCases, readOptions } from "../suite/options.ts";
import { linePlot } from "../suite/plot.ts";
import { reportText } from "../suite/report.ts";
import type { CaseResult, Sample } from "../suite/result.ts";
import { systemNames } from "../suite/systems.ts";

const all = growCasesUpTo({ entries: 100_000_000 });

describe("cases of growth", () => {
  test("reach as far as was asked for", () => {
    const ends = (set: string): number[] => chosenCases([set], all).map(({ growth }) => growth!.at);
    expect(ends("grow-nodes")).toEqual([1, 3, 5]);
    expect(ends("grow-shards")).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(ends("grow-streams")).toEqual([1, 10, 100, 1000, 10_000, 100_000, 1_000_000]);
    expect(ends("grow-connections")).toEqual([1, 10, 100, 500, 1000, 2000]);
    expect(new Set(ends("grow-entries"))).toEqual(new Set([1, 2, 5, 10, 20, 50, 100].map((each) => each * 1e6)));
  });

  test("are one set together, have names of their own and systems that there are", () => {
    expect(chosenCases(["growth"], all)).toEqual(all);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { contenders } of all) for (const { system } of contenders) expect(systemNames).toContain(system);
  });

  test("end where an axis is told to end, and that end of entries is one of them", () => {
    const some = growCasesUpTo({ streams: 999, shards: 4, entries: 3_000_000 });
    const ats = (plot: string): number[] =>
      some.filter(({ growth }) => growth!.plot === plot).map(({ growth }) => growth!.at);
    expect(ats("grow-streams")).toEqual([1, 10, 100]);
    expect(ats("grow-shards")).toEqual([1, 2, 4]);
    expect(ats("grow-entries-xadd")).toEqual([1_000_000, 2_000_000, 3_000_000]);
    expect(ats("grow-nodes")).toEqual([1, 3, 5]);
  });

  test("a store is read and restarted before it is written to, and never emptied on the way", () => {
    const store = growCasesUpTo({ entries: 1_000_000 }).filter(({ sets }) => sets.includes("grow-entries"));
    expect(store.map(({ contenders }) => contenders[0]!.work.kind)).toEqual(["ranges", "restart", "grow"]);
    expect(new Set(store.map(({ keeps }) => keeps))).toEqual(new Set(["grow-entries"]));
  });
});

describe("options", () => {
  test("an axis' end is a number behind its name", () => {
    expect(readOptions(["--up-to", "entries=20000000,streams=10"], null).upTo).toEqual({ entries: 2e7, streams: 10 });
    expect(readOptions([], null).upTo).toEqual({});
  });

  test.each([
    ["entry=5", '--up-to needs AXIS=N with one of nodes, shards, streams, connections, entries, not "entry=5"'],
    ["entries", '--up-to entries= needs a number above 0, not ""'],
    ["entries=-1", '--up-to entries= needs a number above 0, not "-1"'],
  ])("%s is refused", (word, text) => {
    expect(() => readOptions(["--up-to", word], null)).toThrow(text);
  });
});

function sample(run: number, perSecond: number): Sample {
  const figures: Measured = {
    operations: perSecond,
    seconds: 1,
    latencyMs: { count: 1, p50: 2, p90: 3, p99: 4, p999: 5, max: 6 },
    cpuSeconds: 0.1,
    usage: { gateway: { cpu: 0.5, rssMiB: 80, anonMiB: 50 }, "node 1": { cpu: 0.75, rssMiB: 200, anonMiB: 150 } },
    othersCpu: 0,
    diskFlushesPerSecond: null,
    diskWritesPerSecond: null,
  };
  return { run, figures, failed: null };
}

function point(at: number, contenders: Readonly<Record<string, readonly Sample[]>>): CaseResult {
  return {
    name: `grow-streams-${at}`,
    what: "many streams",
    unit: "XADD",
    growth: { plot: "grow-streams", axis: "streams", at },
    contenders: Object.entries(contenders).map(([name, samples]) => ({ name, system: name, samples })),
  };
}

describe("what is made of the points", () => {
  const failed: Sample = { run: 1, figures: null, failed: "no room" };
  const cases = [
    point(1000, { headrace: [sample(1, 300), sample(2, 100), sample(3, 200)], redis: [failed] }),
    point(10, { headrace: [sample(1, 500)], redis: [sample(1, 400)] }),
    { name: "other", what: "", unit: "XADD", contenders: [] } satisfies CaseResult,
  ];

  test("they stand in the order of what grows; other cases are none of them", () => {
    const growths = growthOf(cases);
    expect(growths.map(({ plot }) => plot)).toEqual(["grow-streams"]);
    expect(growths[0]!.points.map(({ at }) => at)).toEqual([10, 1000]);
  });

  test("the table has medians and spreads, and what all processes use together", () => {
    const table = growthTable(growthOf(cases)[0]!);
    expect(table).toMatch(/^1,000 +headrace +200 +100 +300 +2\.00 +4\.00 +125 +280 +200$/m);
    expect(table).toMatch(/^10 +redis +400 +400 +400 +2\.00 +4\.00 +125 +280 +200$/m);
    expect(table).toMatch(/^1,000 +redis( +–){8}$/m);
  });

  test("the text has the table once, and what failed with its place", () => {
    const text = reportText({
      command: "npm run bench",
      date: "2026-11-29T00:00:00.000Z",
      node: "v26",
      cpus: 2,
      cpuModel: "a model",
      runs: 3,
      warmSeconds: 1,
      seconds: 2,
      systems: {},
      leftOut: {},
      cases,
    });
    expect(text.match(/many streams/g)).toHaveLength(1);
    expect(text).toContain("1,000 streams, redis, run 1 failed: no room");
  });

  test("a plot has a line for each system, and no point where nothing was measured", () => {
    const [rate, latency, memory] = growthPlots(growthOf(cases)[0]!);
    expect(rate!.svg.match(/<circle/g)).toHaveLength(3);
    expect(latency!.svg.match(/<polyline/g)).toHaveLength(4);
    expect(memory!.svg.match(/<polyline/g)).toHaveLength(2);
  });

  test("a restart has a time and memory, but no rate", () => {
    const restarts = growthOf(cases).map((growth) => ({ ...growth, unit: "restarts" as const }));
    expect(growthPlots(restarts[0]!).map(({ title }) => title.split(":")[0])).toEqual([
      "to the first writes",
      "memory of all processes of the system",
    ]);
    expect(growthTable(restarts[0]!)).toMatch(/^10 +redis( +–){3} +2\.00/m);
  });
});

describe("plots", () => {
  const places = (svg: string): { x: number; y: number }[] =>
    [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => ({ x: Number(x), y: Number(y) }));

  test("on a linear axis places are proportional, and zero has one", () => {
    const points = [0, 1, 3].map((value) => ({ x: value, y: value * 10 }));
    const [zero, one, three] = places(linePlot([{ name: "a", points }], "s", "%", { x: "linear", y: "linear" }));
    expect((three!.x - zero!.x) / (one!.x - zero!.x)).toBeCloseTo(3, 1);
    expect((three!.y - zero!.y) / (one!.y - zero!.y)).toBeCloseTo(3, 1);
  });

  test("on a logarithmic axis each factor of ten is as far, and the other axis may be linear", () => {
    const points = [1, 10, 100].map((x) => ({ x, y: x }));
    const [one, ten, hundred] = places(linePlot([{ name: "a", points }], "n", "", { x: "log", y: "linear" }));
    expect(hundred!.x - ten!.x).toBeCloseTo(ten!.x - one!.x, 0);
    expect((one!.y - hundred!.y) / (one!.y - ten!.y)).toBeCloseTo(11, 0);
  });

  test("a linear axis has round steps that hold the highest value", () => {
    const svg = linePlot([{ name: "a", points: [{ x: 1, y: 4100 }] }], "n", "", { x: "log", y: "linear" });
    for (const tick of ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]) expect(svg).toContain(`>${tick}</text>`);
    expect(svg).not.toContain(">6,000</text>");
  });

  test("a point with a spread has a line from its lowest to its highest", () => {
    const points = [{ x: 1, y: 5, lowest: 0, highest: 10 }];
    const svg = linePlot([{ name: "a", points }], "n", "", { x: "log", y: "linear" });
    const [, from, to] = /<line x1="[\d.]+" x2="[\d.]+" y1="([\d.]+)" y2="([\d.]+)" stroke="#1f6f8b"/.exec(svg)!;
    const [at] = places(svg);
    expect((Number(from) + Number(to)) / 2).toBeCloseTo(at!.y, 1);
  });
});

describe("limits of the machine", () => {
  test("sizes are said in the unit that they are whole in", () => {
    expect([300, 4096, 65_536, 67_108_864].map(sizeText)).toEqual(["300 B", "4 KiB", "64 KiB", "64 MiB"]);
  });

  test("what was only timed as a whole has no latency", () => {
    const line = { what: "copy", perSecond: 10, megabytesPerSecond: 20, p50Ms: Number.NaN, p99Ms: Number.NaN };
    expect(limitCells(line)).toEqual(["copy", 10, 20, null, null]);
    expect(limitsText([line, { ...line, what: "write", p50Ms: 1, p99Ms: 2 }])).toMatch(
      /^copy +10\.0 +20\.0 +– +–\nwrite +10\.0 +20\.0 +1\.00 +2\.00$/m,
    );
  });
});
