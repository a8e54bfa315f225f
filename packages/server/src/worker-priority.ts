/**
 * V8's threads give way to the main threads. They collect garbage and compile in bursts, on as many cores as there are, and each burst stands in the way of whoever
 * shares the machine: this process' own loop, that of the next node, of the gateway. Their work can wait some milliseconds, an answer can't. So they
 * get a third of what a main thread gets where both want a core, and all of it where nobody else does (bench/results/worker-priority.txt).
 *
 * Not where the memory budget is small: buffers that are garbage are given back by these threads too, and a node took 20 to 40 MB more beyond its budget.
 */
import { readdirSync, readFileSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { isSmallBudget } from "./allocator.ts";

const WORKER = "node-V8Worker";
/** More than the process' own, as `nice` has it: five steps make it a third of what others get. It needs no privilege upwards. */
const NICER_BY = 5;
const OWN_THREADS = "/proc/self/task";

/** In a node with this memory budget, 0: none; in a gateway. Answers how many threads there were. Only where the system has a priority for each thread, and says which are there: Linux. */
export function lowerWorkerPriority(budgetBytes: number): number {
  if (process.platform !== "linux" || isSmallBudget(budgetBytes)) return 0;
  const workers = readdirSync(OWN_THREADS).filter((thread) => nameOf(thread) === WORKER);
  const nice = Math.min(constants.priority.PRIORITY_LOW, getPriority() + NICER_BY);
  for (const thread of workers) setPriority(Number(thread), nice);
  return workers.length;
}

function nameOf(thread: string): string {
  return readFileSync(`${OWN_THREADS}/${thread}/comm`, "latin1").trim();
}
