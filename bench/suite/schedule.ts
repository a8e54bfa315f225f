/**
 * Runs the cases, interleaved: in each run every system is started once, carries all its cases, and is stopped before the next. So whatever the machine does
 * meanwhile falls on all of them. Between cases a system is emptied, and left alone until its processes are quiet.
 */
import { setTimeout as pause } from "node:timers/promises";
import { runLoad } from "../system/redis-benchmark.ts";
import type { BenchCase, Contender } from "./case.ts";
import { measureLoad, type Measured } from "./load-process.ts";
import { usageFromNow } from "./process-usage.ts";
import type { CaseResult, Sample } from "./result.ts";
import type { RunningSystem, System } from "./system.ts";

const QUIET_LOOK_MS = 250;
/** Of one core, all processes together. */
const QUIET_CPU = 0.15;
const QUIET_WITHIN_LOOKS = 40;

export interface Lengths {
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
  const all = lengths.runs * plan.reduce((sum, each) => sum + each.steps.length, 0);
  let done = 0;
  for (let run = 1; run <= lengths.runs; run++) {
    for (const { system, steps: own } of plan) {
      if (own.length === 0) continue;
      told(`run ${run} of ${lengths.runs}: ${system.name} starts`, done, all);
      const running = await system.start();
      try {
        for (const step of own) {
          told(`run ${run} of ${lengths.runs}: ${step.bench.name}, ${step.contender.name}`, done++, all);
          step.samples.push(await sampled(running, step, run, lengths));
        }
      } finally {
        await running.stop();
      }
    }
  }
  return cases.map(({ name, what, unit }) => ({
    name,
    what,
    unit,
    contenders: steps
      .filter((step) => step.bench.name === name && step.samples.length > 0)
      .map(({ contender, samples }) => ({ name: contender.name, system: contender.system, samples })),
  }));
}

async function sampled(running: RunningSystem, step: Step, run: number, lengths: Lengths): Promise<Sample> {
  const { bench, contender } = step;
  try {
    await running.clear();
    await quiet(running);
    const { work } = contender;
    const figures =
      contender.witness === true
        ? await witnessed(running, contender, lengths)
        : await measureLoad(running, {
            port: running.port,
            warmSeconds: lengths.warmSeconds,
            seconds: bench.seconds ?? lengths.seconds,
            work,
          });
    return { run, figures, failed: null };
  } catch (error) {
    return { run, figures: null, failed: (error as Error).message };
  }
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
