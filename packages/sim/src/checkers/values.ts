/**
 * Counters, as counters.ts has them. What grows in transactions has grown alike for whoever looks at all of it at once. Sets and hashes have checkers of their
 * own.
 */
import type { Operation } from "../sim-client.ts";
import { COUNTERS, GROWING, LOOK_AT_GROWING } from "../value-work.ts";
import { checkCounter, type Told } from "./counters.ts";
import { checkHashes, type HashesReport, type HashesView } from "./hashes.ts";
import { isCommittedLevel, isDoubtful } from "./reading.ts";
import { checkSets, type SetsReport } from "./sets.ts";

/** As a quiet reader finds them at the end. */
export interface ValueView {
  readonly counters: ReadonlyMap<string, number>;
  /** Length of the stream, the counter, length of the string. */
  readonly growing: readonly number[];
  /** Members of the set of tickets, and of the one that some were moved to. */
  readonly sets: readonly (readonly string[])[];
  readonly hashes: HashesView;
}

export interface ValueReport {
  readonly counted: number;
  /** Steps whose fate their client does not know. */
  readonly doubtful: number;
  readonly looks: number;
  readonly sets: SetsReport;
  readonly hashes: HashesReport;
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
  const hashes = checkHashes(operations, final.hashes);
  doubtful += steps.filter(isDoubtful).length;
  return { counted, doubtful, looks: execs.length - steps.length, sets, hashes };
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
