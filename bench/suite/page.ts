/** A result as one HTML file with plots; it needs no network and no script. */
import type { BarLine } from "./bar.ts";
import { growthOf, growthPlots, type GrowthResult } from "./growth.ts";
import { LIMIT_HEAD, limitCells, type LimitLine } from "./limits.ts";
import { overloadSection } from "./overload-report.ts";
import { barPlot, escaped, linePlot, type Bar, type Series } from "./plot.ts";
import { figureOf, lengthText, type CaseResult, type FigureName, type SuiteResult } from "./result.ts";
import { shown } from "./table.ts";

const STYLE = [
  "body { font: 15px/1.45 sans-serif; color: #222; max-width: 60em; margin: 2em auto; padding: 0 1em }",
  "h2 { margin-top: 2em; font-size: 1.1em } h3 { font-size: 1em; font-weight: normal; margin: 1em 0 .3em }",
  "table { border-collapse: collapse; font-size: 13px } td, th { padding: .2em .6em; border-bottom: 1px solid #ddd; text-align: left }",
  "td.number { text-align: right } .met { color: #2d6a2d } .missed { color: #a32020; font-weight: bold }",
  "svg { max-width: 100% } ul { font-size: 13px }",
].join("\n");

/** `lines`: of the bar, `limits`: of the machine; or none. */
export function htmlPage(result: SuiteResult, lines: readonly BarLine[], limits: readonly LimitLine[]): string {
  const { command, date, node, cpus, cpuModel, runs, seconds, systems, leftOut, cases } = result;
  const paced = cases.filter(({ name }) => name.startsWith("paced-"));
  const others = cases.filter(({ name, growth }) => !name.startsWith("paced-") && growth === undefined);
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Headrace: ${escaped(result.command)}</title><style>${STYLE}</style>`,
    "<h1>Headrace beside its peers</h1>",
    `<p><code>${escaped(command)}</code>, ${date}, node ${node}, ${cpus} CPUs (${escaped(cpuModel)}) shared by everything on this page; ${runs} interleaved run(s) of ${seconds} s, where nothing else is said. Bars are medians, the line in each goes from the lowest to the highest sample, as the thin ones at points do.</p>`,
    "<ul>",
    ...Object.entries(systems).map(
      ([name, { what, version }]) => `<li><b>${name}</b>: ${escaped(what)}, version ${escaped(version)}</li>`,
    ),
    ...Object.entries(leftOut).map(([name, why]) => `<li><b>${name}</b>: left out, ${escaped(why)}</li>`),
    "</ul>",
    ...(lines.length > 0 ? barTable(lines) : []),
    ...(limits.length > 0 ? limitTable(limits) : []),
    ...others.flatMap(caseSection),
    ...(paced.length > 0 ? pacedSection(paced) : []),
    ...growthOf(cases).flatMap(growthSection),
    "</html>",
    "",
  ].join("\n");
}

function barTable(lines: readonly BarLine[]): string[] {
  return [
    "<h2>The bar</h2>",
    "<table><tr><th></th><th>ours</th><th>peer</th><th>which</th><th>ratio</th><th>wanted</th><th></th></tr>",
    ...lines.map(
      ({ what, ours, peer, peerName, ratio, wanted, verdict, note }) =>
        `<tr title="${escaped(note)}"><td>${escaped(what)}</td><td class="number">${shown(ours)}</td><td class="number">${shown(peer)}</td><td>${peerName}</td><td class="number">${shown(ratio)}</td><td>${wanted}</td><td class="${verdict}">${verdict}</td></tr>`,
    ),
    "</table>",
  ];
}

function limitTable(limits: readonly LimitLine[]): string[] {
  return [
    "<h2>What the machine itself does</h2>",
    `<table><tr>${LIMIT_HEAD.map((title) => `<th>${title}</th>`).join("")}</tr>`,
    ...limits
      .map(limitCells)
      .map(
        ([what, ...numbers]) =>
          `<tr><td>${escaped(shown(what!))}</td>${numbers.map((value) => `<td class="number">${shown(value)}</td>`).join("")}</tr>`,
      ),
    "</table>",
  ];
}

function growthSection(growth: GrowthResult): string[] {
  return [
    `<h2>${growth.plot}</h2><p>${escaped(growth.what)}${lengthText(growth.points[0]!.result)}</p>`,
    ...growthPlots(growth).flatMap(({ title, svg }) => (svg === "" ? [] : [`<h3>${title}</h3>`, svg])),
  ];
}

function caseSection(result: CaseResult): string[] {
  return [
    `<h2>${result.name}</h2><p>${escaped(result.what)}${lengthText(result)}</p>`,
    ...plotOf(result, "perSecond", `${result.unit} a second`, ""),
    ...plotOf(result, "p50Ms", "p50 of what is sent at once", "ms"),
    ...plotOf(result, "p99Ms", "p99", "ms"),
    ...result.contenders.flatMap(({ name, samples }) =>
      samples.flatMap(({ overload }) => (overload === undefined ? [] : overloadSection(name, overload))),
    ),
  ];
}

function plotOf(result: CaseResult, figure: FigureName, title: string, unit: string): string[] {
  const bars = result.contenders.flatMap((contender): Bar[] => {
    const found = figureOf(contender, figure);
    if (found === null || Number.isNaN(found.median)) return [];
    const { median: value, lowest, highest } = found;
    return [{ label: contender.name, value, lowest, highest, isOurs: contender.system.startsWith("headrace") }];
  });
  return bars.length === 0 ? [] : [`<h3>${title}</h3>`, barPlot(bars, unit)];
}

/** Latency over the rate, one line for each system and quantile; rates that were not kept have no point. */
function pacedSection(cases: readonly CaseResult[]): string[] {
  const names = [...new Set(cases.flatMap(({ contenders }) => contenders.map(({ name }) => name)))];
  const series = names.flatMap((name) =>
    (["p50Ms", "p99Ms"] as const).map((figure): Series => {
      const points = cases.flatMap((each) => {
        const contender = each.contenders.find((one) => one.name === name);
        const latency = contender === undefined ? null : figureOf(contender, figure);
        return latency === null ? [] : [{ x: Number(each.name.slice("paced-".length)), y: latency.median }];
      });
      return { name: `${name} ${figure.slice(0, 3)}`, points };
    }),
  );
  return ["<h2>Latency at a fixed rate</h2>", linePlot(series, "XADD a second", "ms")];
}
