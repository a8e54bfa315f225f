/** Twice the load that a system takes: which phases there are, when it counts as recovered, and what is said of it. */
import { describe, expect, test } from "vitest";
import type { Interval, Timeline } from "../load/job.ts";
import { overloadSection, overloadText } from "../suite/overload-report.ts";
import { PHASES, phasesOf, recoverySeconds, type OverloadFigures } from "../suite/overload.ts";

function interval(phase: string, endSeconds: number, answered: number, p99: number, seconds: number = 1): Interval {
  const latencyMs = { count: answered, p50: p99 / 2, p90: p99, p99, p999: p99, max: p99 };
  return { phase, endSeconds, seconds, answered, refused: 0, turnedAway: answered, unanswered: 7, latencyMs };
}

/** Half load with a p99 of 10 ms, three seconds of overload, and then tenths of seconds with these. */
function timeline(...after: readonly number[]): Timeline {
  const half = interval(PHASES.before, 10, 500, 10, 10);
  const over = [900, 1000, 500].map((answered, i) => interval(PHASES.over, 11 + i, answered, 100 * (i + 1)));
  return {
    intervals: [half, ...over, ...after.map((p99, i) => interval(PHASES.after, 13 + (i + 1) / 10, 50, p99, 0.1))],
    phases: [half, interval(PHASES.over, 13, 2400, 300, 3)],
    firstError: "",
  };
}

test("the rates are half, twice and half of the maximum", () => {
  expect(phasesOf(1000, 300).map(({ perSecond, seconds }) => [perSecond, seconds])).toEqual([
    [500, 3],
    [500, 10],
    [2000, 300],
    [500, 10],
  ]);
});

describe("recovery", () => {
  test("is the first tenth of a second after which p99 stays within twice what it was", () => {
    expect(recoverySeconds(timeline(300, 20, 21, 20, 20, 19, 300))).toBeCloseTo(0.4);
    expect(recoverySeconds(timeline(5, 5, 5))).toBeCloseTo(0.1);
  });

  test("has not come while nothing is answered, or when latency is not low for long enough", () => {
    expect(recoverySeconds(timeline(Number.NaN, Number.NaN, Number.NaN, 300))).toBeNull();
    expect(recoverySeconds(timeline(300, 10, 10))).toBeNull();
  });
});

describe("the report", () => {
  const figures: OverloadFigures = {
    maximum: 1000,
    maximumAfter: 990,
    timeline: timeline(10, 10, 10),
    memory: [
      { atSeconds: 5, rssMiB: { gateway: 80, "node 1": 200 } },
      { atSeconds: 12, rssMiB: { gateway: 90, "node 1": 190 } },
    ],
    recoverySeconds: 0.1,
  };

  test("has shares of the maximum, the slowest second, memory before and at its highest, recovery", () => {
    const text = overloadText("headrace", figures);
    expect(text).toContain("overload: 800 a second answered, 80.0 % of the maximum; 2 of 3 seconds at 90.0 %");
    expect(text).toContain("the slowest at 50.0 %");
    expect(text).toContain("gateway 80 → 90, node 1 200 → 200");
    expect(text).toContain("latency normal 0.100 s after the overload");
    expect(text).toMatch(/^12\.0 +1,000 +100 +100 +100 +200 +50\.0$/m);
    expect(overloadText("headrace", { ...figures, recoverySeconds: null })).toContain("did not come back to normal");
  });

  test("an error of the server stands with its text", () => {
    const refused = { ...figures.timeline, firstError: "BUSY come later" };
    expect(overloadText("headrace", { ...figures, timeline: refused })).toContain(
      "refused by the server (BUSY come later)",
    );
  });

  test("five minutes have a dozen rows", () => {
    const seconds = Array.from({ length: 300 }, (_, i) => interval(PHASES.over, 11 + i, 1000, 100));
    const text = overloadText("headrace", { ...figures, timeline: { ...figures.timeline, intervals: seconds } });
    expect(text.split("\n").filter((line) => /^ *\d+(\.\d)? +1,000 /.test(line))).toHaveLength(12);
  });

  test("plots rate, latency and memory over time", () => {
    const svgs = overloadSection("headrace", figures).filter((part) => part.startsWith("<svg"));
    expect(svgs.map((svg) => svg.match(/<polyline/g)!.length)).toEqual([1, 2, 2]);
  });
});
