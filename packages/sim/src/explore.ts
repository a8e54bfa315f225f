/**
 * Fresh seeds on all cores: worker processes run them, so that one that hangs or dies is a finding too. The first failure is made small; in the end the
 * sums say what was reached.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Reached } from "./reached.ts";
import type { RunOutcome, RunRequest } from "./run-request.ts";
import type { SimulationResult } from "./simulation.ts";

/** A run takes about a second. */
const RUN_LIMIT_MS = 120_000;

/** How a worker answers: maps don't survive the way as they are. */
export type WireOutcome =
  | Exclude<RunOutcome, { kind: "passed" }>
  | { readonly kind: "passed"; readonly result: Omit<SimulationResult, "counts" | "replies"> & WireCounts };
interface WireCounts {
  readonly counts: readonly (readonly [string, number])[];
  readonly replies: readonly (readonly [string, number])[];
}

export function toWire(outcome: RunOutcome): WireOutcome {
  if (outcome.kind === "failed") return outcome;
  const { counts, replies, ...rest } = outcome.result;
  return { kind: "passed", result: { ...rest, counts: [...counts], replies: [...replies] } };
}

function fromWire(wire: WireOutcome): RunOutcome {
  if (wire.kind === "failed") return wire;
  const { counts, replies, ...rest } = wire.result;
  return { kind: "passed", result: { ...rest, counts: new Map(counts), replies: new Map(replies) } };
}

/** One process that runs what it is given, one at a time. */
export class Worker {
  #child: ChildProcess | null = null;

  run(request: RunRequest, limitMs: number = RUN_LIMIT_MS): Promise<RunOutcome> {
    const child = (this.#child ??= fork(fileURLToPath(import.meta.resolve("./main.ts")), ["--worker"]));
    return new Promise((resolve) => {
      const finish = (outcome: RunOutcome): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(outcome);
      };
      const died = (message: string): void => {
        this.stop();
        finish({ kind: "failed", message, stack: "", traceHash: "", atStep: 0, faults: [], happened: [] });
      };
      const timer = setTimeout(() => died(`the run did not end within ${limitMs / 1000} s`), limitMs);
      child.once("message", (message) => finish(fromWire(message as WireOutcome)));
      child.once("exit", (code, signal) => died(`the run's process ended: ${code ?? signal}`));
      child.send(request);
    });
  }

  stop(): void {
    this.#child?.removeAllListeners();
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }
}

export interface Exploration {
  /** The next run; null: no more. */
  readonly next: () => RunRequest | null;
  readonly onPassed: (result: SimulationResult, tookMs: number) => void;
  /** Answers whether to go on. */
  readonly onFailed: (request: RunRequest, outcome: Extract<RunOutcome, { kind: "failed" }>) => Promise<boolean>;
}

/** Runs until there is no more to run, on so many processes. */
export async function explore(exploration: Exploration, processes: number): Promise<Reached> {
  const reached = new Reached();
  let goesOn = true;
  const work = async (): Promise<void> => {
    const worker = new Worker();
    for (let request = exploration.next(); request !== null && goesOn; request = exploration.next()) {
      const startedMs = performance.now();
      const outcome = await worker.run(request);
      if (outcome.kind === "passed") {
        reached.add(outcome.result);
        exploration.onPassed(outcome.result, performance.now() - startedMs);
      } else if (!(await exploration.onFailed(request, outcome))) goesOn = false;
    }
    worker.stop();
  };
  await Promise.all(Array.from({ length: processes }, work));
  return reached;
}
