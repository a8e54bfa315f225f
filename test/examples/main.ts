/**
 * `npm run examples -- --kills 20`: every example on a cluster of real processes while leaders of its shards are killed with -9, and now and then the
 * gateway and a program of the example. At the end what was done is counted and held against the input.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LocalCluster } from "@headrace/testkit";
import { planOf, play, type Outcome } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";

const SHARDS = 4;
const BAR = 30;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    minutes: { type: "string", default: "15" },
    only: { type: "string", default: "" },
    save: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run examples [-- options]",
      "  --kills N      leaders killed with -9 in each example (default 20); beside them a gateway and a program of the example at every fifth",
      "  --minutes M    no further kills in an example after so long (default 15)",
      `  --only a,b     of: ${scenarios.map(({ name }) => name).join(", ")}`,
      "  --save         results into bench/results/examples.txt and .json, beside those of other examples",
      "  --json         one JSON line instead of the table",
    ].join("\n"),
  );
  process.exit(0);
}

const only = values.only === "" ? null : values.only.split(",");
const chosen = scenarios.filter(({ name }) => only === null || only.includes(name));
const plan = planOf(Number(values.kills));
const cluster = await LocalCluster.start({ flags: ["--shards", String(SHARDS)] });
const outcomes: Outcome[] = [];
let at = 0;
try {
  for (const scenario of chosen) {
    outcomes.push(
      await play(scenario, { cluster, shards: SHARDS }, { plan, withinMs: Number(values.minutes) * 60_000 }, (text) => {
        const filled = Math.round((++at / (chosen.length * plan.length)) * BAR);
        process.stderr.write(`[${"#".repeat(filled).padEnd(BAR, ".")}] ${text}\n`);
      }),
    );
  }
} finally {
  await cluster.destroy();
}

const good = outcomes.every(({ wrong, kills }) => wrong.length === 0 && kills === Number(values.kills));
const result = { date: new Date().toISOString(), node: process.version, cores: cpus().length, good, outcomes };
if (values.save) save();
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : table(outcomes));
process.exit(good ? 0 : 1);

/** What was kept of other examples stays. */
function save(): void {
  const file = fileURLToPath(new URL("../../bench/results/examples", import.meta.url));
  const kept = existsSync(`${file}.json`) ? (JSON.parse(readFileSync(`${file}.json`, "utf8")) as typeof result) : null;
  const all = scenarios.flatMap(({ name }) =>
    [...outcomes, ...(kept?.outcomes ?? [])].filter((outcome) => outcome.name === name).slice(0, 1),
  );
  const whole = { ...result, good: all.every(({ wrong }) => wrong.length === 0), outcomes: all };
  writeFileSync(`${file}.json`, `${JSON.stringify(whole, null, 2)}\n`);
  writeFileSync(`${file}.txt`, table(all));
}

function table(shown: readonly Outcome[]): string {
  const head = [
    "example",
    "leaders",
    "gateways",
    "programs",
    "input",
    "done",
    "answers lost",
    "overtaken",
    "seconds",
    "",
  ];
  const rows = shown.map((outcome) => [
    outcome.name,
    outcome.kills,
    outcome.gatewayKills,
    outcome.programKills,
    outcome.expected,
    outcome.counted,
    (outcome.programs["repeated"] ?? 0) + (outcome.programs["begunAgain"] ?? 0),
    outcome.programs["overtaken"] ?? 0,
    outcome.seconds,
    outcome.wrong.length === 0 ? outcome.promise : "NOT AS IT SHOULD BE",
  ]);
  const all = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) =>
        column === 0 || column === head.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
  const wrong = shown.flatMap((outcome) => outcome.wrong.map((text) => `${outcome.name}: ${text}`));
  return `npm run examples -- --kills ${values.kills}\nkilled with -9 | lines of input, and effects counted at the end\n${[...lines, ...wrong].join("\n")}\n`;
}
