/** What a system did under twice its maximum, as text and as plots over time. */
import type { Interval } from "../load/job.ts";
import { phaseOf, PHASES, type MemoryLook, type OverloadFigures } from "./overload.ts";
import { linePlot, type Series } from "./plot.ts";
import { median } from "./statistics.ts";
import { renderTable, shown, type Cell } from "./table.ts";

/** Rows of the table that the overload itself gets. */
const ROWS = 12;
/** What is asked of every second of it. */
const NEAR_MAXIMUM = 0.9;

export function overloadText(name: string, figures: OverloadFigures): string {
  const { maximum, maximumAfter, timeline, memory, recoverySeconds } = figures;
  const [before, over] = [PHASES.before, PHASES.over].map((phase) => phaseOf(timeline, phase));
  const seconds = overloadSeconds(figures);
  const shares = seconds.map(({ answered, seconds: length }) => answered / length / maximum);
  const near = shares.filter((share) => share >= NEAR_MAXIMUM).length;
  const part = Math.max(1, Math.ceil(seconds.length / ROWS));
  const rows = Array.from({ length: Math.ceil(seconds.length / part) }, (_, i) =>
    rowOf(seconds.slice(i * part, (i + 1) * part), maximum),
  );
  const rate = over!.answered / over!.seconds;
  return [
    `${name}: maximum ${shown(maximum)} a second before, ${shown(maximumAfter)} after`,
    `half load: p50 ${shown(before!.latencyMs.p50)} ms, p99 ${shown(before!.latencyMs.p99)} ms`,
    `overload: ${shown(rate)} a second answered, ${percent(rate / maximum)} of the maximum; ${near} of ${shares.length} seconds at ${percent(NEAR_MAXIMUM)} of it or more, the slowest at ${percent(Math.min(...shares))}`,
    `p50 ${shown(over!.latencyMs.p50)} ms, p99 ${shown(over!.latencyMs.p99)} ms, longest ${shown(over!.latencyMs.max)} ms, at most ${Math.max(...seconds.map(({ unanswered }) => unanswered)).toLocaleString("en-US")} unanswered; ${over!.refused.toLocaleString("en-US")} refused by the server${timeline.firstError === "" ? "" : ` (${timeline.firstError})`}, ${over!.turnedAway.toLocaleString("en-US")} turned away before it`,
    `RSS MiB, highest at half load → highest of all: ${memoryText(figures, memory)}`,
    recoverySeconds === null
      ? "latency did not come back to normal while it was looked at"
      : `latency normal ${shown(recoverySeconds)} s after the overload`,
    renderTable(["s", "a second", "% of maximum", "slowest second %", "p50 ms", "p99 ms", "turned away %"], rows),
    "",
  ].join("\n");
}

/** Of some seconds together: mean rate, median of p50, highest p99. */
function rowOf(seconds: readonly Interval[], maximum: number): Cell[] {
  const sum = (of: (interval: Interval) => number): number => seconds.reduce((all, each) => all + of(each), 0);
  const rate = sum(({ answered }) => answered) / sum((each) => each.seconds);
  const turnedAway = sum((each) => each.turnedAway);
  const last = seconds.at(-1)!;
  const answered = seconds.filter((each) => each.answered > 0);
  return [
    last.endSeconds,
    rate,
    (rate / maximum) * 100,
    Math.min(...seconds.map((each) => each.answered / each.seconds / maximum)) * 100,
    median(answered.map(({ latencyMs }) => latencyMs.p50)),
    Math.max(...answered.map(({ latencyMs }) => latencyMs.p99)),
    (turnedAway / (turnedAway + sum(({ answered }) => answered))) * 100,
  ];
}

/** Whole seconds: the rest at the end is too short for a rate. */
function overloadSeconds({ timeline }: OverloadFigures): readonly Interval[] {
  const all = timeline.intervals.filter(({ phase }) => phase === PHASES.over);
  const whole = all.filter(({ seconds }) => seconds > 0.5);
  return whole.length > 0 ? whole : all;
}

function memoryText({ timeline }: OverloadFigures, memory: readonly MemoryLook[]): string {
  const names = [...new Set(memory.flatMap(({ rssMiB }) => Object.keys(rssMiB)))];
  const until = phaseOf(timeline, PHASES.before).endSeconds;
  const highest = (name: string, looks: readonly MemoryLook[]): number =>
    Math.max(0, ...looks.map(({ rssMiB }) => rssMiB[name] ?? 0));
  return names
    .map(
      (name) =>
        `${name} ${highest(
          name,
          memory.filter(({ atSeconds }) => atSeconds <= until),
        )} → ${highest(name, memory)}`,
    )
    .join(", ");
}

/** HTML. */
export function overloadSection(name: string, { maximum, timeline, memory }: OverloadFigures): string[] {
  const time = { x: "linear", y: "linear" } as const;
  const over = (title: string, of: (interval: Interval) => number): Series => ({
    name: title,
    points: timeline.intervals.map((interval) => ({ x: interval.endSeconds, y: of(interval) })),
  });
  const processes = [...new Set(memory.flatMap(({ rssMiB }) => Object.keys(rssMiB)))];
  return [
    `<h3>${name}: answered, as a share of the maximum of ${shown(maximum)} a second (half load, twice the maximum, half load)</h3>`,
    linePlot([over("answered", ({ answered, seconds }) => (answered / seconds / maximum) * 100)], "seconds", "%", time),
    `<h3>${name}: latency from when a request was due</h3>`,
    linePlot(
      [over("p50", ({ latencyMs }) => latencyMs.p50), over("p99", ({ latencyMs }) => latencyMs.p99)],
      "seconds",
      "ms",
      { x: "linear", y: "log" },
    ),
    `<h3>${name}: resident memory</h3>`,
    linePlot(
      processes.map((process) => ({
        name: process,
        points: memory.map(({ atSeconds, rssMiB }) => ({ x: atSeconds, y: rssMiB[process] ?? 0 })),
      })),
      "seconds",
      "MiB",
      time,
    ),
  ];
}

function percent(share: number): string {
  return `${shown(share * 100)} %`;
}
