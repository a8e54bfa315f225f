/**
 * A system under twice the load that it takes: what is left of its throughput, whether latency and memory stay bounded, and how soon it is itself again. The
 * maximum is measured just before, with batches that wait for their replies, which is as fast as it gets without queues; then come half the maximum,
 * twice the maximum and half the maximum again, open loop, without a pause between.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { BatchWork, Interval, Phase, PhasedWork, Timeline } from "../load/job.ts";
import { rssBytes } from "../system/process-memory.ts";
import type { BenchCase } from "./case.ts";
import { measureLoad, type Measured } from "./load-process.ts";
import { mebibytes } from "./process-usage.ts";
import type { RunningSystem } from "./system.ts";

const CONNECTIONS = 8;
/** The best of these counts as the maximum. */
const WINDOWS = [100, 500, 2000];
const MAXIMUM_WARM_SECONDS = 1;
const MAXIMUM_SECONDS = 3;
const HALF_SECONDS = 10;
/** Of half load, before it is looked at. */
const WARM_SECONDS = 3;
/** Over them recovery is looked for. */
const FINE_SECONDS = 0.1;
/** Latency is normal again when so many fine intervals in a row have a p99 of at most that many times what it was. */
const CALM_INTERVALS = 3;
const CALM_FACTOR = 2;
const LOOK_MS = 1000;
/** The load generator is to have seen its last phase end. */
const LAG_SECONDS = 0.5;

/** Short streams: what grows are queues, if anything does. */
const REQUEST = ["XADD", "{key}", "MAXLEN", "~", "10000", "*", "f", "x".repeat(256)];
const KEYS = Array.from({ length: 100 }, (_, i) => `overload:{${String(i).padStart(2, "0")}}`);

export const overloadCase: BenchCase = {
  name: "overload",
  what: "XADD of 256 B (MAXLEN ~ 10000, 100 streams) at twice the measured maximum, open loop over 8 connections, half of it before and after; ack=all, fsync always (Redis: alone, AOF always)",
  unit: "XADD",
  sets: [],
  seconds: 300,
  runs: 1,
  contenders: (["headrace", "redis-always"] as const).map((system) => ({
    name: system,
    system,
    work: { kind: "overload" },
  })),
};

export interface MemoryLook {
  /** Since the load generator was started. */
  readonly atSeconds: number;
  /** Process → resident MiB. */
  readonly rssMiB: Readonly<Record<string, number>>;
}

export interface OverloadFigures {
  /** Requests a second, before and after. */
  readonly maximum: number;
  readonly maximumAfter: number;
  readonly timeline: Timeline;
  readonly memory: readonly MemoryLook[];
  /** From the end of the overload; null: not while it was looked at. */
  readonly recoverySeconds: number | null;
}

export const PHASES = { warm: "warm", before: "half load before", over: "twice the maximum", after: "half load after" };

/** `seconds` of overload. */
export async function overloaded(
  running: RunningSystem,
  seconds: number,
): Promise<{ readonly figures: Measured; readonly overload: OverloadFigures }> {
  const maximum = await maximumOf(running);
  const phases = phasesOf(maximum, seconds);
  const work: PhasedWork = { kind: "phased", connections: CONNECTIONS, request: REQUEST, keys: KEYS, phases };
  const all = phases.reduce((sum, phase) => sum + phase.seconds, LAG_SECONDS);
  const memory: MemoryLook[] = [];
  const fromMs = performance.now();
  const look = setInterval(() => memory.push(memoryOf(running, fromMs)), LOOK_MS);
  let measured: Measured;
  try {
    measured = await measureLoad(running, { port: running.port, warmSeconds: 0, seconds: all, work });
  } finally {
    clearInterval(look);
  }
  const timeline = measured.timeline!;
  await pause(LOOK_MS);
  const over = phaseOf(timeline, PHASES.over);
  const { timeline: _, ...figures } = measured;
  return {
    figures: { ...figures, operations: over.answered, seconds: over.seconds, latencyMs: over.latencyMs },
    overload: {
      maximum,
      maximumAfter: await maximumOf(running),
      timeline,
      memory,
      recoverySeconds: recoverySeconds(timeline),
    },
  };
}

export function phasesOf(maximum: number, seconds: number): readonly Phase[] {
  const half = { perSecond: maximum / 2, intervalSeconds: FINE_SECONDS };
  return [
    { ...half, name: PHASES.warm, seconds: WARM_SECONDS },
    { ...half, name: PHASES.before, seconds: HALF_SECONDS },
    { name: PHASES.over, perSecond: maximum * 2, seconds, intervalSeconds: 1 },
    { ...half, name: PHASES.after, seconds: HALF_SECONDS },
  ];
}

export function phaseOf({ phases }: Timeline, name: string): Interval {
  const found = phases.find(({ phase }) => phase === name);
  if (found === undefined) throw new Error(`the load generator did not get through "${name}"`);
  return found;
}

/** From the end of the overload to the end of the first interval with which latency is normal, and stays so for a little. */
export function recoverySeconds(timeline: Timeline): number | null {
  const limitMs = phaseOf(timeline, PHASES.before).latencyMs.p99 * CALM_FACTOR;
  const overAt = phaseOf(timeline, PHASES.over).endSeconds;
  const after = timeline.intervals.filter(({ phase }) => phase === PHASES.after);
  // Nothing answered is nothing normal: its p99 is NaN.
  const isCalm = after.map(({ latencyMs }) => latencyMs.p99 <= limitMs);
  for (let at = 0; at + CALM_INTERVALS <= after.length; at++) {
    if (isCalm.slice(at, at + CALM_INTERVALS).every(Boolean)) return after[at]!.endSeconds - overAt;
  }
  return null;
}

async function maximumOf(running: RunningSystem): Promise<number> {
  let highest = 0;
  for (const inFlight of WINDOWS) {
    const work: BatchWork = {
      kind: "batches",
      connections: CONNECTIONS,
      inFlight,
      requests: [REQUEST],
      keys: KEYS,
      wait: null,
    };
    const { operations, seconds } = await measureLoad(running, {
      port: running.port,
      warmSeconds: MAXIMUM_WARM_SECONDS,
      seconds: MAXIMUM_SECONDS,
      work,
    });
    highest = Math.max(highest, operations / seconds);
  }
  return highest;
}

function memoryOf(running: RunningSystem, fromMs: number): MemoryLook {
  return {
    atSeconds: (performance.now() - fromMs) / 1000,
    rssMiB: Object.fromEntries(running.processes().map(({ name, pid }) => [name, mebibytes(rssBytes(pid))])),
  };
}
