/**
 * Runs the cases, interleaved: in each run every system is started once, carries all its cases, and is stopped before the next. So whatever the machine does
 * meanwhile falls on all of them. Between cases a system is emptied, and left alone until its processes are quiet.
 */
import { setTimeout as pause } from "node:timers/promises";
import { runLoad } from "../system/redis-benchmark.ts";
import type { BenchCase, Contender } from "./case.ts";
import { measureLoad, type Measured } from "./load-process.ts";
import { overloaded } from "./overload.ts";
import { usageFromNow } from "./process-usage.ts";
import type { CaseResult, Sample } from "./result.ts";
import type { RunningSystem, System } from "./system.ts";

const QUIET_LOOK_MS = 250;
/** Of one core, all processes together. */
const QUIET_CPU = 0.15;
const QUIET_WITHIN_LOOKS = 40;
/** After a restart. */
const SETTLE_MS = 1000;

export interface Lengths {
  /** Of cases that do not say themselves. */
  readonly runs: number;
  readonly warmSeconds: number;
  readonly seconds: number;
}

/** `done` of `all` samples are there. */
export type Told = (what: string, done: number, all: number) => void;

interface Step {
  readonly bench: BenchCase;
  readonly contender: Contender;
  readonly samples: Sample[];
}

/** Systems in the order in which they are started. Contenders of other systems are left out. */
export async function runSchedule(
  cases: readonly BenchCase[],
  systems: readonly System[],
  lengths: Lengths,
  told: Told,
): Promise<readonly CaseResult[]> {
  const steps = cases.flatMap((bench) =>
    bench.contenders.map((contender): Step => ({ bench, contender, samples: [] })),
  );
  const plan = systems.map((system) => ({
    system,
    steps: steps.filter((step) => step.contender.system === system.name),
  }));
  const runsOf = ({ bench }: Step): number => bench.runs ?? lengths.runs;
  const planned = plan.flatMap((each) => each.steps);
  const all = planned.reduce((sum, step) => sum + runsOf(step), 0);
  const runs = Math.max(0, ...planned.map(runsOf));
  let done = 0;
  for (let run = 1; run <= runs; run++) {
    for (const { system, steps: ofSystem } of plan) {
      const own = ofSystem.filter((step) => run <= runsOf(step));
      if (own.length === 0) continue;
      told(`run ${run} of ${runs}: ${system.name} starts`, done, all);
      const running = await system.start();
      try {
        let kept: string | undefined;
        for (const step of own) {
          told(`run ${run} of ${runs}: ${step.bench.name}, ${step.contender.name}`, done++, all);
          const isKept = step.bench.keeps !== undefined && step.bench.keeps === kept;
          step.samples.push(await sampled(running, step, run, lengths, isKept));
          kept = step.bench.keeps;
        }
      } finally {
        await running.stop();
      }
    }
  }
  return cases.map(({ name, what, unit, growth, runs, seconds }) => ({
    name,
    what,
    unit,
    ...(growth === undefined ? {} : { growth }),
    ...(runs === undefined ? {} : { runs }),
    ...(seconds === undefined ? {} : { seconds }),
    contenders: steps
      .filter((step) => step.bench.name === name && step.samples.length > 0)
      .map(({ contender, samples }) => ({ name: contender.name, system: contender.system, samples })),
  }));
}

async function sampled(
  running: RunningSystem,
  { bench, contender }: Step,
  run: number,
  lengths: Lengths,
  isKept: boolean,
): Promise<Sample> {
  const { warmSeconds } = lengths;
  const seconds = bench.seconds ?? lengths.seconds;
  const { work } = contender;
  try {
    if (!isKept) await running.clear();
    await quiet(running);
    if (work.kind === "restart") return { run, figures: await restarted(running), failed: null };
    if (work.kind === "overload") return { run, ...(await overloaded(running, seconds)), failed: null };
    const figures =
      contender.witness === true
        ? await witnessed(running, contender, lengths)
        : await measureLoad(running, { port: running.port, warmSeconds, seconds, work });
    return { run, figures, failed: null };
  } catch (error) {
    return { run, figures: null, failed: (error as Error).message };
  }
}

/** One restart is one operation; its latency is the time to the first write. What the processes use is of the second after it. */
async function restarted(running: RunningSystem): Promise<Measured> {
  if (running.restart === undefined) throw new Error("is not restarted");
  const { tookMs } = await running.restart();
  const usage = usageFromNow(running.processes());
  await pause(SETTLE_MS);
  return {
    operations: 1,
    seconds: tookMs / 1000,
    latencyMs: { count: 1, p50: tookMs, p90: tookMs, p99: tookMs, p999: tookMs, max: tookMs },
    cpuSeconds: Number.NaN,
    usage: usage(),
    othersCpu: null,
    diskFlushesPerSecond: null,
    diskWritesPerSecond: null,
  };
}

/** The same load from redis-benchmark: some requests first, then about as many as fit into the time. */
async function witnessed(running: RunningSystem, { work }: Contender, lengths: Lengths): Promise<Measured> {
  if (work.kind !== "batches") throw new Error("redis-benchmark is for batches");
  const words = work.requests[0]!.map((word) => word.replace("{key}", work.keys[0]!));
  const load = { name: "witness", clients: work.connections, pipeline: work.inFlight, requests: 100_000 };
  const first = await runLoad(running.port, load, words);
  const warm = Math.ceil(first.perSecond * lengths.warmSeconds);
  const { perSecond } = await runLoad(running.port, { ...load, requests: warm }, words);
  const usage = usageFromNow(running.processes());
  const requests = Math.ceil(perSecond * lengths.seconds);
  const result = await runLoad(running.port, { ...load, requests }, words);
  const { p50Ms: p50, p99Ms: p99 } = result;
  return {
    operations: requests,
    seconds: requests / result.perSecond,
    latencyMs: { count: requests, p50, p90: Number.NaN, p99, p999: Number.NaN, max: Number.NaN },
    cpuSeconds: Number.NaN,
    usage: usage(),
    othersCpu: null,
    diskFlushesPerSecond: null,
    diskWritesPerSecond: null,
  };
}

/** Until what is left of the case before is worked off, or ten seconds. */
async function quiet(running: RunningSystem): Promise<void> {
  for (let look = 0; look < QUIET_WITHIN_LOOKS; look++) {
    const usage = usageFromNow(running.processes());
    await pause(QUIET_LOOK_MS);
    if (Object.values(usage()).reduce((sum, { cpu }) => sum + cpu, 0) < QUIET_CPU) return;
  }
}
