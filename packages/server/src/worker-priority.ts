/**
 * V8's threads give way to the main threads. They collect garbage and compile in bursts, on as many cores as there are, and each burst stands in the way of whoever
 * shares the machine: this process' own loop, that of the next node, of the gateway. Their work can wait some milliseconds, an answer can't. So they
 * get a tenth of what a main thread gets where both want a core, and all of it where nobody else does (bench/results/worker-priority.txt).
 *
 * Not where the memory budget is small: buffers that are garbage are given back by these threads too, and a node took 20 to 40 MB more beyond its budget.
 */
import { readdirSync, readFileSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import type { Logger } from "@headrace/ports";
import { isSmallBudget } from "./allocator.ts";

const WORKER = "node-V8Worker";
/** More than the process' own, as `nice` has it: ten steps make it a tenth of what others get. It needs no privilege upwards. */
const NICER_BY = 10;
const OWN_THREADS = "/proc/self/task";

/**
 * In a node with this memory budget, 0: none; in a gateway. Only where the system has a priority for each thread, and says which are there: Linux. A system that does not
 * allow it is said to the operator, and changes nothing else. Answers how many threads there were.
 */
export function lowerWorkerPriority(budgetBytes: number, logger: Pick<Logger, "warn">): number {
  if (process.platform !== "linux" || isSmallBudget(budgetBytes)) return 0;
  const nice = Math.min(constants.priority.PRIORITY_LOW, getPriority() + NICER_BY);
  let lowered = 0;
  try {
    for (const thread of readdirSync(OWN_THREADS)) {
      if (nameOf(thread) !== WORKER) continue;
      setPriority(Number(thread), nice);
      lowered++;
    }
  } catch (error) {
    logger.warn("v8_threads_keep_priority", { reason: (error as Error).message });
  }
  return lowered;
}

/** Empty when it has ended meanwhile. */
function nameOf(thread: string): string {
  try {
    return readFileSync(`${OWN_THREADS}/${thread}/comm`, "latin1").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}
