/**
 * `npm run bench`: puts Headrace and what it is measured beside under the same loads, interleaved, prints tables of medians and writes them with the raw samples
 * and a page of plots to bench/results/.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { progressBar } from "../system/progress-bar.ts";
import { barLines, barText, type BarLine } from "./bar.ts";
import type { BenchCase } from "./case.ts";
import { growCasesUpTo } from "./grow-cases.ts";
import { limitsText, measureLimits, type LimitLine } from "./limits.ts";
import { chosenCases, helpText, readOptions, type Options } from "./options.ts";
import { overloadCase } from "./overload.ts";
import { htmlPage } from "./page.ts";
import { failover, pendingMemory, restart, type ProbeResult } from "./probe.ts";
import { readCases } from "./read-cases.ts";
import { reportText } from "./report.ts";
import { machine, type SuiteResult } from "./result.ts";
import { runSchedule } from "./schedule.ts";
import type { System } from "./system.ts";
import { allSystems, systemNames } from "./systems.ts";
import { writeCases } from "./write-cases.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const DEFAULT_SECONDS = 3;
const DEFAULT_RUNS = 5;
const neighbour = join(root, "..", "shared", "prototype");

let options: Options;
let cases: readonly BenchCase[];
try {
  options = readOptions(process.argv.slice(2), existsSync(neighbour) ? neighbour : null);
  cases = [...writeCases, ...readCases, ...growCasesUpTo(options.upTo), overloadCase];
  if (!options.help) chosenCases(options.only, cases);
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exit(2);
}
if (options.help) {
  console.log(helpText(cases));
  process.exit(0);
}

const bar = progressBar();
const result = await measured(options);
const probes = await probed(options);
const limits = isProbed(options, "limits", ["bar", "growth", "overload"]) ? await limitsOfMachine() : [];
bar("");
const lines: readonly BarLine[] = options.only.includes("bar") ? barLines(result.cases, probes) : [];
const text = [
  reportText(result),
  ...(lines.length > 0 ? [barText(lines)] : []),
  ...(limits.length > 0 ? [limitsText(limits)] : []),
].join("\n");
if (options.save) {
  const file = join(root, "bench", "results", options.name);
  writeFileSync(`${file}.json`, `${JSON.stringify({ ...result, probes, lines, limits }, null, 1)}\n`);
  writeFileSync(`${file}.txt`, text);
  writeFileSync(`${file}.html`, htmlPage(result, lines, limits));
}
console.log(options.json ? JSON.stringify({ ...result, probes, lines, limits }) : text);

/** When nothing is said, with these sets. */
function isProbed({ only, probes: chosen }: Options, name: string, sets: readonly string[]): boolean {
  return chosen === null ? sets.some((set) => only.includes(set)) : chosen.includes(name);
}

function limitsOfMachine(): Promise<readonly LimitLine[]> {
  bar("limits of the machine", 1);
  return measureLimits();
}

async function probed(asked: Options): Promise<readonly ProbeResult[]> {
  const { redis } = allSystems(asked.flags, asked.prototype);
  const results: ProbeResult[] = [];
  for (const [name, measure] of Object.entries({
    "pending-memory": () => pendingMemory(redis),
    restart,
    failover,
  })) {
    if (!isProbed(asked, name, ["bar"])) continue;
    bar(`bar: ${name}`, 1);
    results.push(await measure());
  }
  return results;
}

async function measured({
  only,
  runs: askedRuns,
  seconds: asked,
  warmSeconds,
  flags,
  prototype,
  systems,
}: Options): Promise<SuiteResult> {
  const seconds = asked ?? DEFAULT_SECONDS;
  const runs = askedRuns ?? DEFAULT_RUNS;
  const chosen = chosenCases(only, cases).map((each) => ({
    ...each,
    ...(asked === null ? {} : { seconds: asked }),
    ...(askedRuns === null ? {} : { runs: askedRuns }),
  }));
  const needed = new Set<string>(chosen.flatMap((each) => each.contenders.map(({ system }) => system)));
  const all = allSystems(flags, prototype);
  const present: System[] = [];
  const versions: Record<string, { what: string; version: string }> = {};
  const leftOut: Record<string, string> = {};
  for (const name of systemNames.filter((each) => needed.has(each))) {
    const system = all[name];
    const found = systems?.includes(name) === false ? { missing: "not asked for" } : system.find();
    if ("missing" in found) {
      leftOut[name] = found.missing;
      continue;
    }
    present.push(system);
    versions[name] = { what: system.what, version: found.version };
  }
  const results = await runSchedule(chosen, present, { runs, seconds, warmSeconds }, (what, done, total) =>
    bar(what, done / total),
  );
  return {
    command: `npm run bench -- ${process.argv.slice(2).join(" ")}`,
    date: new Date().toISOString(),
    ...machine(),
    runs,
    warmSeconds,
    seconds,
    systems: versions,
    leftOut,
    cases: results,
  };
}
