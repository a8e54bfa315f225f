/** A result as text: one table for each case, and what the figures were taken with. */
import { growthOf, growthTable, type GrowthResult } from "./growth.ts";
import { overloadText } from "./overload-report.ts";
import {
  figureOf,
  lengthText,
  OTHERS_CPU_MAX,
  type CaseResult,
  type ContenderResult,
  type SuiteResult,
} from "./result.ts";
import { renderTable, shown, type Cell } from "./table.ts";

/** Above this share of its core the load generator may be what was measured. */
const LOAD_CPU_MAX = 0.85;

const HEAD = [
  "",
  "per second",
  "lowest",
  "highest",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "syncs/s",
  "load CPU %",
  "others %",
  "processes: CPU %, RSS MiB",
];

export function reportText(result: SuiteResult): string {
  const { date, node, cpus, cpuModel, command, runs, warmSeconds, seconds, systems, leftOut, cases } = result;
  return [
    `${date}, node ${node}, ${cpus} CPUs (${cpuModel}) shared by everything that is named here`,
    command,
    `${runs} interleaved run(s), ${seconds} s each after ${warmSeconds} s of the same load, where nothing else is said; medians. Latency is of what is sent at once: a batch, a page, one write.`,
    ...Object.entries(systems).map(([name, { what, version }]) => `${name}: ${what}, version ${version}`),
    ...Object.entries(leftOut).map(([name, why]) => `${name}: left out, ${why}`),
    "",
    ...cases.filter(({ growth }) => growth === undefined).flatMap(caseLines),
    ...growthOf(cases).flatMap(growthLines),
  ].join("\n");
}

function caseLines(result: CaseResult): string[] {
  const { name, what, unit, contenders } = result;
  const rows = contenders.map(rowOf);
  return [
    `${name}: ${what}${lengthText(result)}`,
    renderTable([unit, ...HEAD.slice(1)], rows),
    ...contenders.flatMap(failures),
    ...contenders.flatMap(doubts),
    ...contenders.flatMap(overloads),
    "",
  ];
}

/** Cases that are points of a plot stand in one table. */
function growthLines(growth: GrowthResult): string[] {
  const { plot, what, points } = growth;
  const said = points.flatMap(({ at, result }) =>
    result.contenders
      .flatMap((contender) => [...failures(contender), ...doubts(contender)])
      .map((line) => `${at.toLocaleString("en-US")} ${growth.axis}, ${line}`),
  );
  return [`${plot}: ${what}${lengthText(points[0]!.result)}`, growthTable(growth), ...said, ""];
}

function overloads({ name, samples }: ContenderResult): string[] {
  return samples.flatMap(({ overload }) => (overload === undefined ? [] : ["", overloadText(name, overload)]));
}

function rowOf(contender: ContenderResult): Cell[] {
  const perSecond = figureOf(contender, "perSecond");
  return [
    contender.name,
    perSecond?.median ?? null,
    perSecond?.lowest ?? null,
    perSecond?.highest ?? null,
    figureOf(contender, "p50Ms")?.median ?? null,
    figureOf(contender, "p99Ms")?.median ?? null,
    figureOf(contender, "p999Ms")?.median ?? null,
    figureOf(contender, "syncs")?.median ?? null,
    percent(figureOf(contender, "loadCpu")?.median),
    percent(figureOf(contender, "othersCpu")?.median),
    usageText(contender),
  ];
}

function percent(share: number | undefined): Cell {
  return share === undefined || Number.isNaN(share) ? null : `${Math.round(share * 100)}`;
}

/** Of the last good run: shares add up only within one. */
function usageText({ samples }: ContenderResult): string {
  const last = samples.findLast((sample) => sample.figures !== null)?.figures;
  if (last === undefined || last === null) return "";
  return Object.entries(last.usage)
    .map(([name, { cpu, rssMiB }]) => `${name} ${Math.round(cpu * 100)} % ${rssMiB}`)
    .join(", ");
}

function failures({ name, samples }: ContenderResult): string[] {
  return samples.flatMap(({ run, failed }) => (failed === null ? [] : [`${name}, run ${run} failed: ${failed}`]));
}

function doubts(contender: ContenderResult): string[] {
  const load = figureOf(contender, "loadCpu")?.highest ?? 0;
  const others = figureOf(contender, "othersCpu")?.median ?? 0;
  const lines: string[] = [];
  if (load > LOAD_CPU_MAX)
    lines.push(`the load generator itself used ${shown(load * 100)} % of a core; the system may be faster`);
  if (others > OTHERS_CPU_MAX)
    lines.push(
      `other processes of the machine had ${shown(others * 100)} % of a core; the figure is not of a quiet machine`,
    );
  return lines.map((line) => `${contender.name}: ${line}`);
}
