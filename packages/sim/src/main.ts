/** `npm run sim`: replays one seed, or explores fresh ones on all cores and says what was reached. */
import { availableParallelism } from "node:os";
import { reportConsumption } from "./consumption-report.ts";
import { explore, toWire, Worker } from "./explore.ts";
import { BIG_RUNS, mustBeReached, type Reached } from "./reached.ts";
import { replayCommand, run, type RunOutcome, type RunRequest } from "./run-request.ts";
import { shrink } from "./shrink.ts";
import type { SimulationResult } from "./simulation.ts";
import { workNamed } from "./workload.ts";

const HELP = [
  "npm run sim -- --seed N [--steps N]     replays one run; a step is one delivered message, disk completion, timer or client command",
  "npm run sim -- --seeds N [--steps N]    runs N fresh seeds on all cores",
  "npm run sim -- --minutes M              fresh seeds until the time is over",
  "  --from N      the first of the seeds      --first       stops at the first violation, and does not make it smaller",
  "  --processes N                             --keep-going  goes on after a violation",
  "  --clients N   --without KIND,KIND   --faults N,N        leave things out of a run: what a shrunk failure is replayed with",
  "  --work deadLetters|lists|zsets   all clients do with these what some do otherwise",
  "npm run sim -- --work consumption [--hours H] [--seed N]   so long a simulated time of producers, consumers, poison and faults, two hours if nothing is said;",
  "                then each entry is acknowledged once or a dead letter once, and producers never made a node hold more than its budget",
  "  --trace   every step, one line each       --log   what the nodes log     --verbose   what was reached     --json   the same as JSON",
].join("\n");
const SHRINK_MS = 90_000;

const args = process.argv.slice(2);
const has = (name: string): boolean => args.includes(name);
const value = (name: string): string | undefined => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
};
const list = (name: string): string[] => {
  const text = value(name) ?? "";
  return text === "" || text === "none" ? [] : text.split(",");
};
const print = (line: string): void => void process.stdout.write(`${line}\n`);

function requestOf(seed: number): RunRequest {
  const clients = value("--clients");
  return {
    seed,
    steps: Number(value("--steps") ?? 20_000),
    clients: clients === undefined ? null : Number(clients),
    work: workNamed(value("--work")),
    without: list("--without"),
    only: value("--faults") === undefined ? null : list("--faults").map(Number),
  };
}

if (has("--worker")) {
  process.on("message", (request: RunRequest) => process.send!(toWire(run(request))));
} else if (has("--help")) {
  print(HELP);
} else if (value("--work") === "consumption") {
  const seed = Number(value("--seed") ?? Math.floor(Math.random() * 0x7fffffff));
  const only = value("--faults") === undefined ? null : list("--faults").map(Number);
  const request = { seed, hours: Number(value("--hours") ?? 2), without: list("--without"), only };
  process.exitCode = reportConsumption(request, print, has("--log") ? print : null) ? 0 : 1;
} else if (value("--seed") !== undefined) {
  replay(requestOf(Number(value("--seed"))));
} else {
  process.exit(await exploreFresh());
}

function replay(request: RunRequest): void {
  const startedMs = performance.now();
  const outcome = run(request, {
    ...(has("--trace") ? { onTrace: print } : {}),
    ...(has("--log") ? { onLog: print } : {}),
  });
  if (outcome.kind === "failed") {
    showFailure(request, outcome);
    process.exitCode = 1;
    return;
  }
  showRun(outcome.result, performance.now() - startedMs);
  const { result } = outcome;
  if (has("--json")) print(JSON.stringify({ ...result, counts: [...result.counts], replies: [...result.replies] }));
  if (!has("--verbose")) return;
  for (const [name, times] of [...result.counts, ...result.replies].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    print(`  ${name}: ${times}`);
}

async function exploreFresh(): Promise<number> {
  const minutes = value("--minutes");
  const until = minutes === undefined ? null : performance.now() + Number(minutes) * 60_000;
  const count = Number(value("--seeds") ?? (until === null ? 1 : Number.POSITIVE_INFINITY));
  const firstSeed = Number(value("--from") ?? Math.floor(Math.random() * 0x7fffffff));
  const startedMs = performance.now();
  let started = 0;
  let failed = 0;
  const next = (): RunRequest | null => {
    if (started >= count || (until !== null && performance.now() >= until)) return null;
    return requestOf((firstSeed + started++ * 7919) >>> 0);
  };
  const onFailed = async (request: RunRequest, outcome: Extract<RunOutcome, { kind: "failed" }>): Promise<boolean> => {
    showFailure(request, outcome);
    if (failed++ === 0 && !has("--first") && outcome.faults.length > 0) await showSmaller(request, outcome);
    return has("--keep-going");
  };
  const onPassed = (result: SimulationResult, tookMs: number): void => {
    if (has("--verbose") && !has("--json")) showRun(result, tookMs);
  };
  const processes = Math.min(count, Number(value("--processes") ?? availableParallelism()));
  const reached = await explore({ next, onPassed, onFailed }, processes);
  const isComplete = showReached(reached, failed, (performance.now() - startedMs) / 1000);
  return failed === 0 && isComplete ? 0 : 1;
}

function showRun(result: SimulationResult, tookMs: number): void {
  print(
    `seed ${result.seed}: ${result.steps} steps, ${(result.simulatedMs / 1000).toFixed(1)} simulated s in ${(tookMs / 1000).toFixed(1)} s, trace ${result.traceHash}, faults ${result.faults.join(" ")}`,
  );
}

function showFailure(request: RunRequest, outcome: Extract<RunOutcome, { kind: "failed" }>): void {
  print(`seed ${request.seed}: VIOLATION ${outcome.message}`);
  print(outcome.stack);
  print(`trace ${outcome.traceHash}, step ${outcome.atStep}; replay it with: ${replayCommand(request)} --trace`);
}

async function showSmaller(request: RunRequest, outcome: Extract<RunOutcome, { kind: "failed" }>): Promise<void> {
  const worker = new Worker();
  const until = performance.now() + SHRINK_MS;
  const small = await shrink(request, outcome, (smaller) =>
    performance.now() > until ? Promise.resolve(null) : worker.run(smaller, 20_000),
  );
  worker.stop();
  print(`made smaller in ${small.tries} tries: ${small.message}`);
  print(`  ${replayCommand(small.request)} --log`);
}

/** False: a big run that has not been everywhere. */
function showReached(reached: Reached, failed: number, seconds: number): boolean {
  const missing = reached.missing();
  const isBig = reached.runs >= BIG_RUNS;
  const sums = {
    runs: reached.runs,
    failed,
    steps: reached.steps,
    seconds: Math.round(seconds),
    simulatedSeconds: Math.round(reached.simulatedMs / 1000),
    statesCompared: reached.statesCompared,
    entriesCompared: reached.entriesCompared,
  };
  if (has("--json")) {
    print(JSON.stringify({ ...sums, missing, reached: Object.fromEntries(reached.rows()) }));
  } else {
    if (has("--verbose") || isBig) {
      for (const [name, times] of reached.rows())
        print(`  ${String(times).padStart(9)}  ${name}${mustBeReached.includes(name) ? "" : " (not required)"}`);
    }
    print(
      `${sums.runs} runs, ${sums.failed} violations, ${sums.steps} steps, ${sums.simulatedSeconds} simulated s in ${sums.seconds} s, ${sums.statesCompared} states and ${sums.entriesCompared} log entries compared`,
    );
    if (isBig && missing.length > 0) print(`NOT REACHED: ${missing.join(", ")}`);
  }
  return !isBig || missing.length === 0;
}
