/**
 * Makes a failing run small: fewer kinds of faults, fewer single faults, fewer clients, fewer steps, as long as it fails in the same way. Leaving
 * something out gives another history, so each try is a run of its own; what is found is small, not smallest.
 */
import type { RunOutcome, RunRequest } from "./run-request.ts";

/** Runs a try; null: the time for shrinking is over. */
export type Try = (request: RunRequest) => Promise<RunOutcome | null>;

export interface Shrunk {
  readonly request: RunRequest;
  readonly message: string;
  readonly tries: number;
}

type Failure = Extract<RunOutcome, { kind: "failed" }>;

const CLIENTS = 6;

export async function shrink(start: RunRequest, failure: Failure, attempt: Try): Promise<Shrunk> {
  const kind = kindOfFailure(failure.message);
  let best = { request: start, failure };
  let tries = 0;
  const keep = async (change: Partial<RunRequest>): Promise<boolean> => {
    const request = { ...best.request, ...change };
    const outcome = await attempt(request);
    tries++;
    if (outcome === null || outcome.kind === "passed" || kindOfFailure(outcome.message) !== kind) return false;
    best = { request, failure: outcome };
    return true;
  };
  await fewerSteps(best.request.steps, keep);
  for (const name of failure.faults) {
    if (best.failure.faults.includes(name)) await keep({ without: [...best.request.without, name] });
  }
  await fewerFaults(() => best.failure.happened, keep);
  for (let clients = 1; clients < CLIENTS; clients++) if (await keep({ clients })) break;
  await fewerSteps(best.request.steps, keep);
  await fewerFaults(() => best.failure.happened, keep);
  return { request: best.request, message: best.failure.message, tries };
}

/** Half, three quarters … of what is left. */
async function fewerSteps(steps: number, keep: (change: Partial<RunRequest>) => Promise<boolean>): Promise<void> {
  let low = 0;
  let high = steps;
  while (high - low > Math.max(50, steps / 32)) {
    const middle = Math.floor((low + high) / 2);
    if (await keep({ steps: middle })) high = middle;
    else low = middle;
  }
}

/** Leaves out halves, quarters … and at last single faults. */
async function fewerFaults(
  happened: () => readonly number[],
  keep: (change: Partial<RunRequest>) => Promise<boolean>,
): Promise<void> {
  for (let size = Math.ceil(happened().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < happened().length;) {
      const numbers = happened();
      const only = [...numbers.slice(0, at), ...numbers.slice(at + size)];
      if (!(await keep({ only }))) at += size;
    }
  }
}

/** Numbers, names and ids aside: the same promise is broken. */
export function kindOfFailure(message: string): string {
  return message
    .replaceAll(/[a-z]+\d*:\{\w\}|\b[a-z]+-?\d[\w.-]*|\d[\d.-]*/g, "#")
    .split(" ")
    .slice(0, 4)
    .join(" ");
}
