/** What the suite makes of samples: options, medians, verdicts, tables and plots. Nothing is started. */
import { describe, expect, test } from "vitest";
import { barLines, barRows, barText } from "../suite/bar.ts";
import type { BenchCase } from "../suite/case.ts";
import type { Measured } from "../suite/load-process.ts";
import { chosenCases, helpText, readOptions } from "../suite/options.ts";
import { htmlPage } from "../suite/page.ts";
import { barPlot, linePlot } from "../suite/plot.ts";
import { busySecondsOf, cpuSecondsOf } from "../suite/process-usage.ts";
import { readCases } from "../suite/read-cases.ts";
import { reportText } from "../suite/report.ts";
import { figureOf, type CaseResult, type SuiteResult } from "../suite/result.ts";
import { median, spread } from "../suite/statistics.ts";
import { systemNames } from "../suite/systems.ts";
import { renderTable, shown } from "../suite/table.ts";
import { writeCases } from "../suite/write-cases.ts";

const cases = [...writeCases, ...readCases];

function sample(operations: number, p50: number = 1): Measured {
  return {
    operations,
    seconds: 2,
    latencyMs: { count: 10, p50, p90: 2, p99: 3, p999: 4, max: 5 },
    cpuSeconds: 0.5,
    usage: { gateway: { cpu: 0.25, rssMiB: 80, anonMiB: 50 } },
    othersCpu: 0.5,
    diskFlushesPerSecond: 100,
    diskWritesPerSecond: 200,
  };
}

function caseOf(name: string, contenders: Readonly<Record<string, readonly (Measured | string)[]>>): CaseResult {
  return {
    name,
    what: "what <is> measured",
    unit: "XADD",
    contenders: Object.entries(contenders).map(([contender, all]) => ({
      name: contender,
      system: contender,
      samples: all.map((each, i) =>
        typeof each === "string"
          ? { run: i + 1, figures: null, failed: each }
          : { run: i + 1, figures: each, failed: null },
      ),
    })),
  };
}

const conditions = {
  command: "npm run bench",
  date: "2026-11-29T00:00:00.000Z",
  node: "v26",
  cpus: 2,
  cpuModel: "a <model>",
  runs: 3,
  warmSeconds: 1,
  seconds: 2,
  systems: { headrace: { what: "headrace up", version: "0.1.0" } },
  leftOut: { nats: "nats-server is not on PATH" },
};

describe("options", () => {
  test("what is not said has its default", () => {
    expect(readOptions([], "p")).toMatchObject({
      only: ["xadd"],
      runs: null,
      seconds: null,
      prototype: "p",
      save: true,
    });
    expect(readOptions(["--no-prototype"], "p").prototype).toBeNull();
    expect(readOptions(["--only", "bar,gateway"], null)).toMatchObject({
      only: ["bar", "gateway"],
      name: "bar-gateway",
    });
  });

  test.each([
    [["--runs", "0"], '--runs needs a number above 0, not "0"'],
    [["--runs", "1.5"], '--runs needs a number above 0, not "1.5"'],
    [["--seconds", "x"], '--seconds needs a number above 0, not "x"'],
    [["--name", "../x"], '--name needs letters, digits, - and _, not "../x"'],
    [["--only", ","], "--only needs a name"],
  ])("%j is refused", (args, text) => {
    expect(() => readOptions(args, null)).toThrow(text);
  });

  test("an unknown option is refused", () => {
    expect(() => readOptions(["--fast"], null)).toThrow("--fast");
  });

  test("cases are chosen by name and by set, in their own order", () => {
    const three = ["a", "b", "c"].map((name, i): BenchCase => ({
      name,
      what: "",
      unit: "XADD",
      sets: i === 1 ? [] : ["outer"],
      contenders: [],
    }));
    const names = (only: readonly string[]): string[] => chosenCases(only, three).map(({ name }) => name);
    expect(names(["outer"])).toEqual(["a", "c"]);
    expect(names(["c", "b"])).toEqual(["b", "c"]);
    expect(() => names(["d"])).toThrow("no case or set is called d; there are a, outer, b, c");
  });

  test("the help names every case", () => {
    const text = helpText(cases);
    for (const { name } of cases) expect(text).toContain(`  ${name}`);
  });
});

describe("cases", () => {
  test("have names of their own, and so have the contenders of each", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    for (const { contenders } of cases) {
      expect(new Set(contenders.map(({ name }) => name)).size).toBe(contenders.length);
      for (const { system } of contenders) expect(systemNames).toContain(system);
    }
  });

  test("hold every contender that the bar compares, in the set that fills it", () => {
    const inBar = chosenCases(["bar"], cases);
    for (const row of barRows) {
      if ("probe" in row) continue;
      const found = inBar.find(({ name }) => name === row.bench);
      expect(found, row.bench).toBeDefined();
      const names = found!.contenders.map(({ name }) => name);
      for (const name of [row.ours, ...row.peers]) expect(names, row.bench).toContain(name);
    }
  });
});

test("the median is the middle one, or the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
  expect(spread([5, 9, 1])).toEqual({ median: 5, lowest: 1, highest: 9 });
});

test("the processor time of a process is what /proc says of user and kernel, whatever its name is", () => {
  // proc(5): pid (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime …
  expect(cpuSecondsOf("77 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0")).toBe(3);
});

test("the machine was busy in everything but idle and waiting for the disk", () => {
  // proc(5): user nice system idle iowait irq softirq steal guest guest_nice
  expect(busySecondsOf("cpu  100 200 300 9000 9000 10 20 70 50 50\ncpu0 1 1 1 1 1 1 1 1 1 1\n")).toBe(7);
});

test("samples that failed do not count, and a contender without a good one has no figure", () => {
  const { contenders } = caseOf("x", { good: [sample(200), "no", sample(400)], bad: ["no"] });
  expect(figureOf(contenders[0]!, "perSecond")).toEqual({ median: 150, lowest: 100, highest: 200 });
  expect(figureOf(contenders[1]!, "perSecond")).toBeNull();
});

describe("the bar", () => {
  const line = (name: string, all: readonly CaseResult[]) =>
    barLines(all, []).find(({ what }) => what.startsWith(name))!;

  test("takes the better of two peers: the faster one, and the one with the shorter time", () => {
    const fast = caseOf("xadd-8x100", {
      headrace: [sample(900)],
      "redis-wait1": [sample(200)],
      "redis-wait2": [sample(300)],
    });
    expect(line("XADD 8x100, 3 nodes, ack=all", [fast])).toMatchObject({
      peerName: "redis-wait2",
      ratio: 3,
      wanted: "≥ 3 ×",
      verdict: "met",
    });
    const slow = caseOf("xadd-1x1", {
      headrace: [sample(1, 0.6)],
      "redis-wait1": [sample(1, 0.5)],
      "redis-wait2": [sample(1, 0.7)],
    });
    expect(line("same, 1x1, p50", [slow])).toMatchObject({
      ours: 0.6,
      peer: 0.5,
      peerName: "redis-wait1",
      verdict: "missed",
    });
  });

  test("a row whose figures are not of a quiet machine says so", () => {
    const quiet = { ...sample(1), othersCpu: 0.05 };
    const disturbed = caseOf("xadd-8x100", { headrace: [sample(1)], "redis-wait1": [quiet], "redis-wait2": [quiet] });
    expect(line("XADD 8x100, 3 nodes, ack=all", [disturbed]).note).toBe(
      "not of a quiet machine: others had 50.0 % of a core beside headrace",
    );
  });

  test("a row without our figure or without a peer's is not measured", () => {
    expect(line("XADD 8x100, 3 nodes, ack=all", [])).toMatchObject({ ours: null, verdict: "not measured" });
    const lonely = caseOf("xadd-8x100", { headrace: [sample(1)] });
    expect(line("XADD 8x100, 3 nodes, ack=all", [lonely])).toMatchObject({
      ours: 0.5,
      peer: null,
      verdict: "not measured",
    });
  });

  test("figures that are no load are held against a limit, or against the peer's and what is allowed on top", () => {
    const lines = barLines(
      [],
      [
        { name: "pending-memory", ours: 33, peer: 140, peerName: "redis", note: "how" },
        { name: "restart", ours: 2.5, peer: 2, peerName: "empty", note: "" },
        { name: "failover", ours: null, peer: null, peerName: "", note: "nothing kept" },
      ],
    );
    expect(lines.map(({ verdict }) => verdict).slice(-3)).toEqual(["missed", "met", "not measured"]);
    expect(barText(lines)).toContain(`1 met, 1 missed, ${barRows.length - 2} not measured`);
    expect(barText(lines)).toContain("nothing kept");
  });
});

describe("tables", () => {
  test("numbers have three digits that count, from 1000 on they are whole", () => {
    expect([1_234_567.8, 999.6, 45.67, 4.567, 0.0456, 0, null, Number.NaN, "text"].map(shown)).toEqual([
      "1,234,568",
      "1000",
      "45.7",
      "4.57",
      "0.046",
      "0.00",
      "–",
      "–",
      "text",
    ]);
  });

  test("columns of numbers stand to the right, words to the left", () => {
    expect(
      renderTable(
        ["who", "n"],
        [
          ["long name", 5],
          ["x", 1234],
        ],
      ),
    ).toBe(["who            n", "---------  -----", "long name   5.00", "x          1,234"].join("\n"));
  });
});

describe("reports", () => {
  const result: SuiteResult = {
    ...conditions,
    cases: [
      caseOf("xadd-8x100", { headrace: [sample(200), "it broke"] }),
      caseOf("paced-1000", { headrace: [sample(9)] }),
    ],
  };

  test("the text has the conditions, what was left out, the figures and what failed", () => {
    const text = reportText(result);
    expect(text).toContain("nats: left out, nats-server is not on PATH");
    expect(text).toContain("headrace, run 2 failed: it broke");
    expect(text).toContain("headrace: other processes of the machine had 50.0 % of a core");
    expect(text).toMatch(/^headrace +100 +100 +100 +1\.00 +3\.00 +4\.00 +100 +25 +50 +gateway 25 % 80$/m);
  });

  test("the page needs nothing from elsewhere and lets no text become markup", () => {
    const page = htmlPage(result, barLines(result.cases, []), []);
    expect(page).not.toMatch(/(src|href)=|<script|@import|url\(/);
    expect(page).toContain("what &lt;is&gt; measured");
    expect(page).not.toContain("<is>");
    expect(page.match(/<svg/g)).toHaveLength(4);
  });

  test("a bar is as long as its share of the longest line", () => {
    const plot = barPlot(
      [
        { label: "a", value: 50, lowest: 40, highest: 100, isOurs: true },
        { label: "b", value: 25, lowest: 25, highest: 25, isOurs: false },
      ],
      "ms",
    );
    const widths = [...plot.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(widths[0]).toBeCloseTo(2 * widths[1]!, 1);
  });

  test("a line leaves out what has no logarithm", () => {
    const points = [
      { x: 1, y: 1 },
      { x: 10, y: 0 },
      { x: 100, y: 10 },
    ];
    const plot = linePlot([{ name: "a", points }], "x", "y");
    expect(plot.match(/<circle/g)).toHaveLength(2);
    expect(linePlot([], "x", "y")).toBe("");
  });
});
