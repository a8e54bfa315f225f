/** One run as it is asked for on the command line, and as it is sent to a worker process: what replays it is in here. */
import type { WorkName } from "./workload.ts";
import { simulate, type SimulationResult } from "./simulation.ts";
import { Violation } from "./violation.ts";

export interface RunRequest {
  readonly seed: number;
  readonly steps: number;
  readonly clients: number | null;
  /** What all clients do; null: everything. */
  readonly work: WorkName | null;
  /** Kinds of faults that are left out. */
  readonly without: readonly string[];
  /** Numbers of the only faults that happen; null: all. */
  readonly only: readonly number[] | null;
}

export type RunOutcome =
  | { readonly kind: "passed"; readonly result: SimulationResult }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly stack: string;
      readonly traceHash: string;
      /** Steps done when it failed. */
      readonly atStep: number;
      readonly faults: readonly string[];
      readonly happened: readonly number[];
    };

export function run(
  request: RunRequest,
  on: {
    readonly onTrace?: (line: string) => void;
    readonly onLog?: (line: string) => void;
    readonly onStep?: (steps: number) => void;
  } = {},
): RunOutcome {
  const { seed, steps, clients, work, without, only } = request;
  try {
    const choice = { without, ...(only === null ? {} : { only }) };
    const result = simulate({ seed, steps, ...(clients === null ? {} : { clients }), only: work, choice, ...on });
    return { kind: "passed", result };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const { message, stack = "", traceHash, atStep, faults, happened } = error;
    return { kind: "failed", message, stack, traceHash, atStep, faults, happened };
  }
}

/** The command that does it again. */
export function replayCommand({ seed, steps, clients, work, without, only }: RunRequest): string {
  return [
    `npm run sim -- --seed ${seed} --steps ${steps}`,
    clients === null ? "" : ` --clients ${clients}`,
    work === null ? "" : ` --work ${work}`,
    without.length === 0 ? "" : ` --without ${without.join(",")}`,
    only === null ? "" : ` --faults ${only.length === 0 ? "none" : only.join(",")}`,
  ].join("");
}
