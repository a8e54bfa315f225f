/** What cases that are points of one plot say together: a table, and lines over what grows. */
import type { Axis } from "./case.ts";
import { linePlot, type Point, type Series } from "./plot.ts";
import { figureOf, type CaseResult, type FigureName } from "./result.ts";
import { renderTable, type Cell } from "./table.ts";

export interface GrowthResult {
  readonly plot: string;
  readonly axis: Axis;
  readonly what: string;
  readonly unit: CaseResult["unit"];
  /** In the order of what grows. */
  readonly points: readonly { readonly at: number; readonly result: CaseResult }[];
}

/** Plots in the order of their first cases. */
export function growthOf(cases: readonly CaseResult[]): readonly GrowthResult[] {
  const points = cases.flatMap((result) => (result.growth === undefined ? [] : [{ ...result.growth, result }]));
  return [...Map.groupBy(points, ({ plot }) => plot)].map(([plot, own]) => ({
    plot,
    axis: own[0]!.axis,
    what: own[0]!.result.what,
    unit: own[0]!.result.unit,
    points: own.map(({ at, result }) => ({ at, result })).toSorted((a, b) => a.at - b.at),
  }));
}

export function growthTable({ axis, unit, points }: GrowthResult): string {
  const rows = points.flatMap(({ at, result }) =>
    result.contenders.map((contender): Cell[] => {
      const median = (name: FigureName): Cell => figureOf(contender, name)?.median ?? null;
      const rate = unit === "restarts" ? null : figureOf(contender, "perSecond");
      const cpu = figureOf(contender, "cpu")?.median;
      return [
        at.toLocaleString("en-US"),
        contender.name,
        rate?.median ?? null,
        rate?.lowest ?? null,
        rate?.highest ?? null,
        median("p50Ms"),
        median("p99Ms"),
        cpu === undefined ? null : `${Math.round(cpu * 100)}`,
        median("rssMiB"),
        median("anonMiB"),
      ];
    }),
  );
  const head = [
    axis,
    "",
    `${unit} a second`,
    "lowest",
    "highest",
    "p50 ms",
    "p99 ms",
    "CPU %",
    "RSS MiB",
    "RssAnon MiB",
  ];
  return renderTable(head, rows);
}

interface Drawn {
  readonly title: string;
  readonly svg: string;
}

/** Restarts have a time and memory, everything else a rate too. */
export function growthPlots({ axis, unit, points }: GrowthResult): readonly Drawn[] {
  const seriesOf = (figure: FigureName): Series[] => {
    const names = [...new Set(points.flatMap(({ result }) => result.contenders.map(({ name }) => name)))];
    return names.map((name) => ({
      name,
      points: points.flatMap(({ at, result }): Point[] => {
        const contender = result.contenders.find((one) => one.name === name);
        const found = contender === undefined ? null : figureOf(contender, figure);
        if (found === null || Number.isNaN(found.median)) return [];
        return [{ x: at, y: found.median, lowest: found.lowest, highest: found.highest }];
      }),
    }));
  };
  const named = (figure: FigureName, text: string): Series[] =>
    seriesOf(figure).map((each) => ({ ...each, name: `${each.name} ${text}` }));
  const memory: Drawn = {
    title: "memory of all processes of the system: pages of their own (RssAnon)",
    svg: linePlot(seriesOf("anonMiB"), axis, "MiB", { x: "log", y: "linear" }),
  };
  if (unit === "restarts") {
    const svg = linePlot(seriesOf("p50Ms"), axis, "ms", { x: "log", y: "log" });
    return [{ title: "to the first writes", svg }, memory];
  }
  return [
    { title: `${unit} a second`, svg: linePlot(seriesOf("perSecond"), axis, unit, { x: "log", y: "linear" }) },
    {
      title: "latency of what is sent at once",
      svg: linePlot([...named("p50Ms", "p50"), ...named("p99Ms", "p99")], axis, "ms", { x: "log", y: "log" }),
    },
    memory,
  ];
}
