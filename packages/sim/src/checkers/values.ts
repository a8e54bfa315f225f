/**
 * Counters count every acknowledged step once: no two steps have one answer, the end has all that were acknowledged at ack=all and nothing that nobody asked
 * for, and no look goes back behind an earlier one. What grows in transactions has grown alike for whoever looks at all of it at once.
 */
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { COUNTERS, GROWING, LOOK_AT_GROWING } from "../value-work.ts";
import { isCommittedLevel, isRefused } from "./reading.ts";
import { checkSets, type SetsReport } from "./sets.ts";

/** As a quiet reader finds them at the end. */
export interface ValueView {
  readonly counters: ReadonlyMap<string, number>;
  /** Length of the stream, the counter, length of the string. */
  readonly growing: readonly number[];
  /** Members of the set of tickets, and of the one that some were moved to. */
  readonly sets: readonly (readonly string[])[];
}

/** A count that somebody was told. */
interface Told {
  readonly operation: Operation;
  readonly count: number;
  /** It was made by this very operation. */
  readonly isStep: boolean;
  /** Nothing may take it back. */
  readonly isSafe: boolean;
}

export interface ValueReport {
  readonly counted: number;
  /** Steps whose fate their client does not know. */
  readonly doubtful: number;
  readonly looks: number;
  readonly sets: SetsReport;
}

/** Throws on the first contradiction. */
export function checkValues(operations: readonly Operation[], final: ValueView): ValueReport {
  let counted = 0;
  let doubtful = 0;
  for (const counter of COUNTERS) {
    const about = operations.filter(({ args }) => args[1] === counter && (args[0] === "INCR" || args[0] === "GET"));
    const steps = about.filter(({ args }) => args[0] === "INCR");
    checkCounter(counter, about.flatMap(toldBy), steps, final.counters.get(counter)!);
    counted += steps.filter(({ reply }) => typeof reply === "number").length;
    doubtful += steps.filter(isDoubtful).length;
  }
  const execs = operations.filter(({ parts }) => parts?.some(([, key]) => key === GROWING.counter) === true);
  const steps = execs.filter(({ parts }) => parts!.length > 0 && parts![0]![0] === "XADD");
  checkCounter(GROWING.counter, execs.flatMap(toldByExec), steps, alike(final.growing, "at the end"));
  const sets = checkSets(operations, final.sets);
  return { counted, doubtful: doubtful + steps.filter(isDoubtful).length, looks: execs.length - steps.length, sets };
}

function isDoubtful({ reply }: Operation): boolean {
  return reply === undefined || (reply instanceof ErrorReply && reply.code === "UNCERTAIN");
}

function toldBy(operation: Operation): Told[] {
  const { args, reply } = operation;
  const isStep = args[0] === "INCR";
  if (isStep && typeof reply === "number")
    return [{ operation, count: reply, isStep, isSafe: isCommittedLevel(operation) }];
  if (isStep || (reply !== null && typeof reply !== "string")) return [];
  return [{ operation, count: Number(reply ?? 0), isStep, isSafe: true }];
}

function toldByExec(operation: Operation): Told[] {
  const { parts, reply, client } = operation;
  if (!Array.isArray(reply)) return [];
  const isStep = parts![0]![0] !== LOOK_AT_GROWING[0]![0];
  // Of a write the first answer is the entry's id.
  const counts = (isStep ? reply.slice(1) : reply).map((each) => Number(each ?? 0));
  const count = alike(counts, `for ${client} (steps ${operation.invokedStep}–${operation.completedStep})`);
  return [{ operation, count, isStep, isSafe: !isStep || isCommittedLevel(operation) }];
}

function alike(counts: readonly number[], where: string): number {
  if (counts.some((count) => count !== counts[0]))
    throw new Error(
      `half a transaction ${where}: ${Object.values(GROWING).join(", ")} have grown by ${counts.join(", ")}`,
    );
  return counts[0]!;
}

function checkCounter(name: string, told: readonly Told[], steps: readonly Operation[], end: number): void {
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
