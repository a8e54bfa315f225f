/** `npm run sim`: replays one seed, or explores fresh ones for some minutes. */
import { simulate, Violation, type SimulationResult } from "./simulation.ts";

const args = process.argv.slice(2);
const value = (name: string): string | undefined => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
};

if (args.includes("--help")) {
  console.log(
    [
      "npm run sim -- --seed N [--steps N]     replays one run; a step is one delivered message, disk completion, timer or client command",
      "npm run sim -- --seeds N [--steps N]    runs N fresh seeds",
      "npm run sim -- --minutes M              fresh seeds until the time is over",
      "  --from N  the first of the seeds        --first   stops at the first violation",
      "  --trace   every step, one line each     --log   what the nodes log     --json   one JSON line for each run",
    ].join("\n"),
  );
  process.exit(0);
}

const steps = Number(value("--steps") ?? 20_000);
const asJson = args.includes("--json");
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const fixed = value("--seed");
const until = value("--minutes") === undefined ? null : performance.now() + Number(value("--minutes")) * 60_000;
const count = fixed !== undefined ? 1 : Number(value("--seeds") ?? (until === null ? 1 : Number.POSITIVE_INFINITY));
const firstSeed = Number(fixed ?? value("--from") ?? Math.floor(Math.random() * 0x7fffffff));

let failed = 0;
for (let i = 0; i < count && (until === null || performance.now() < until); i++) {
  const seed = (firstSeed + i * 7919) >>> 0;
  const from = performance.now();
  try {
    const result = simulate({
      seed,
      steps,
      ...(args.includes("--trace") ? { onTrace: print } : {}),
      ...(args.includes("--log") ? { onLog: print } : {}),
      ...(process.stderr.isTTY
        ? {
            onStep: (done) => {
              if (done % 1000 === 0) process.stderr.write(`\rseed ${seed}: ${done} of ${steps} steps`);
            },
          }
        : {}),
    });
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    show(result, performance.now() - from);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    failed++;
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    print(`seed ${seed}: VIOLATION ${error.message}`);
    print(error.stack ?? "");
    print(`trace ${error.traceHash}; replay it with: npm run sim -- --seed ${seed} --steps ${steps} --trace`);
    if (args.includes("--first")) break;
  }
}
process.exit(failed === 0 ? 0 : 1);

function show(result: SimulationResult, tookMs: number): void {
  if (asJson) {
    print(
      JSON.stringify({
        ...result,
        counts: Object.fromEntries(result.counts),
        replies: Object.fromEntries(result.replies),
      }),
    );
    return;
  }
  print(
    `seed ${result.seed}: ${result.steps} steps, ${(result.simulatedMs / 1000).toFixed(1)} simulated s in ${(tookMs / 1000).toFixed(1)} s, trace ${result.traceHash}, faults ${result.faults.join(" ")}`,
  );
  if (!args.includes("--verbose")) return;
  for (const [name, times] of [...result.counts, ...result.replies].sort(([a], [b]) => (a < b ? -1 : 1)))
    print(`  ${name}: ${times}`);
  print(`  states compared: ${result.statesCompared}, log entries compared: ${result.entriesCompared}`);
}
