/**
 * A counter counts every acknowledged step once: no two steps have one answer, the end has all that were acknowledged at ack=all and nothing that nobody asked
 * for, and no look goes back behind an earlier one.
 */
import type { Operation } from "../sim-client.ts";
import { isRefused } from "./reading.ts";

/** A count that somebody was told. */
export interface Told {
  readonly operation: Operation;
  readonly count: number;
  /** It was made by this very operation. */
  readonly isStep: boolean;
  /** Nothing may take it back. */
  readonly isSafe: boolean;
}

/** `end`: what a quiet reader finds. Throws on the first contradiction. */
export function checkCounter(name: string, told: readonly Told[], steps: readonly Operation[], end: number): void {
  const possible = steps.filter((step) => !isRefused(step) && step.reply !== null).length;
  const safe = told.filter(({ isStep, isSafe }) => isStep && isSafe);
  if (end < safe.length) throw new Error(`${name} is ${end}, but ${safe.length} steps were acknowledged`);
  if (end > possible)
    throw new Error(`${name} is ${end}, but only ${possible} steps can have been made: one was repeated`);
  const owners = new Map<number, Operation>();
  for (const { operation, count } of safe) {
    const other = owners.get(count);
    if (other !== undefined)
      throw new Error(`${name} was counted to ${count} for ${operation.client} and ${other.client}`);
    owners.set(count, operation);
  }
  const high = told.find(({ count, isSafe }) => isSafe && count > end);
  if (high !== undefined)
    throw new Error(`seen and gone: ${name} was ${high.count} for ${high.operation.client}, and ends at ${end}`);
  checkOrder(name, told);
}

/** Whoever asks later is told no less; a step is told more. Not at a lower level: a leader that others have left behind may answer for a while. */
function checkOrder(name: string, told: readonly Told[]): void {
  const byEnd = told
    .filter(({ isSafe }) => isSafe)
    .sort((a, b) => a.operation.completedStep - b.operation.completedStep);
  const byStart = told.filter(({ isSafe }) => isSafe).sort((a, b) => a.operation.invokedStep - b.operation.invokedStep);
  let at = 0;
  let reached = 0;
  for (const { operation, count, isStep } of byStart) {
    for (; at < byEnd.length && byEnd[at]!.operation.completedStep < operation.invokedStep; at++)
      reached = Math.max(reached, byEnd[at]!.count);
    if (count < (isStep ? reached + 1 : reached))
      throw new Error(`${name} had been seen at ${reached}, and was ${count} for ${operation.client} later`);
  }
}
