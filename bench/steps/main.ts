/**
 * `npm run bench:micro`: what each step of the straight path costs a command, in nanoseconds and bytes, beside its budget. Ends with 1 when a budget is broken;
 * `--update` writes down what it measures.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { renderTable } from "../suite/table.ts";
import { progressBar } from "../system/progress-bar.ts";
import { verdicts, type BudgetFile, type Cost } from "./budget.ts";
import type { MeasuredStep } from "./measure.ts";
import { stepNames } from "./steps.ts";

const file = new URL("../budgets.json", import.meta.url);
const script = fileURLToPath(new URL("measure.ts", import.meta.url));
/** Of each step, in turn; the lowest of each figure counts. */
const PASSES = 3;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: stepNames.join(",") },
    update: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run bench:micro [-- options]",
      `  --only NAME[,NAME]   steps (default ${stepNames.join(",")})`,
      "  --update             write what is measured into bench/budgets.json",
      "  --json               one JSON line instead of the table",
      "",
      "Ends with 1 when a step costs more than its budget allows.",
    ].join("\n"),
  );
  process.exit(0);
}

const chosen = values.only.split(",");
const unknown = chosen.filter((name) => !stepNames.includes(name));
if (unknown.length > 0) {
  console.error(`bench:micro: no step is called ${unknown.join(", ")}; there are ${stepNames.join(", ")}`);
  process.exit(2);
}

const bar = progressBar();
const measured = new Map<string, MeasuredStep>();
for (let pass = 0; pass < PASSES; pass++) {
  for (const [i, name] of chosen.entries()) {
    bar(name, (pass * chosen.length + i) / (PASSES * chosen.length), `pass ${pass + 1} of ${PASSES}`);
    const now = JSON.parse(execFileSync(process.execPath, [script, name], { encoding: "utf8" })) as MeasuredStep;
    const before = measured.get(name);
    const faster = before !== undefined && ratioOf(before) < ratioOf(now) ? before : now;
    measured.set(name, { ...faster, bytes: Math.min(now.bytes, before?.bytes ?? now.bytes) });
  }
}
bar("");

const costs: Record<string, Cost> = {};
for (const [name, step] of measured)
  costs[name] = { ratio: rounded(ratioOf(step), 10_000), bytes: rounded(step.bytes, 10) };
if (values.update) update();
const budgets = JSON.parse(readFileSync(file, "utf8")) as BudgetFile;
const results = verdicts(costs, budgets, chosen.length === stepNames.length);
const broken = results.flatMap((each) => each.broken);
console.log(values.json ? JSON.stringify({ costs, results }) : table());
for (const line of broken) console.error(`over budget: ${line}`);
process.exit(broken.length > 0 ? 1 : 0);

function ratioOf({ nanoseconds, unitNanoseconds }: MeasuredStep): number {
  return nanoseconds / unitNanoseconds;
}

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}

function table(): string {
  const rows = results.flatMap(({ step, ratioMax, bytesMax }) => {
    const figures = measured.get(step);
    if (figures === undefined) return [];
    const { ratio, bytes } = costs[step]!;
    return [[step, figures.nanoseconds, figures.unitNanoseconds, ratio, ratioMax, bytes, bytesMax]];
  });
  return renderTable(["a command", "ns", "unit ns", "× unit", "allowed", "heap bytes", "allowed"], rows);
}

/** Steps that were not measured keep what they have. */
function update(): void {
  const old = JSON.parse(readFileSync(file, "utf8")) as BudgetFile;
  const kept = Object.entries(old.steps).filter(([name]) => stepNames.includes(name));
  const steps = { ...Object.fromEntries(kept), ...costs };
  const date = new Date().toISOString();
  writeFileSync(file, `${JSON.stringify({ ...old, node: process.version, date, steps }, null, 2)}\n`);
}
