/**
 * How V8 should collect garbage and compile in nodes and gateways. Their heap is small (tens of MB) while buffers outside of it come and go at hundreds of MB a
 * second; by default V8 answers that with a full mark-compact every 64 MB of buffers: 30–45 of them for 300,000 entries, 3–16 ms each. Counted into the
 * ordinary limits it is a few, and the short scavenges free most buffers (see bench/results/gc-flags.txt). A heap that begins larger than this
 * has none at all, but lets followers carry 280 MB of buffers that nobody needs: untouched memory is dear (a page fault each), so less is more. How far
 * garbage may grow beside what is in use decides what a node with a memory budget takes beyond it (bench/results/tiers-heap.txt).
 *
 * That limit is worked out at every full collection, from the heap and the buffers in use then. Where these are small, as in a gateway, or in a node between two
 * long answers, it comes out some ten MB above them, which a long answer after the other fills ten times a second: so a heap's share of the limit is five times
 * what it holds, not a little more, as long as that is not much (see followHeap).
 *
 * With a small budget that is most of what a node takes beyond it, and a collection has little to go over: there it is three tenths (see boundGarbage). V8's own
 * choice is a tenth, 20 MB: a node that reads what is not in memory filled it each second, on all of its threads. And what is young has 8 MB there: V8 begins
 * to mark when less than that is left, and collects young buffers when its own objects have filled it.
 *
 * And when code is compiled for good: the defaults (400, 3000 and 500 calls) suit a page that is soon gone. Most of a node's code runs once a batch, some hundred times a
 * second under load and a tenth of that at rest, and would be interpreted for a minute. Here it is a third as many calls.
 *
 * They belong on the command line, because the heap is laid out before the first line of ours runs; the supervisor starts its children so, and
 * deploy/Dockerfile repeats them. Where somebody starts a node by himself, or everything in one process, all but the sizes of the heap still count.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isSmallBudget } from "./allocator.ts";

export const V8_FLAGS: readonly string[] = [
  "--external-memory-accounted-in-global-limit",
  "--external-memory-max-growing-factor=1.3",
  "--heap-growing-percent=400",
  "--initial-heap-size=128",
  "--min-semi-space-size=32",
  "--invocation-count-for-maglev=100",
  "--invocation-count-for-turbofan=1000",
  "--minimum-invocations-after-ic-update=100",
];

/** What counts only on the command line. */
const SIZES: readonly string[] = ["--initial-heap-size", "--min-semi-space-size"];
const SMALL_YOUNG_SPACE: readonly string[] = ["--min-semi-space-size=8", "--max-semi-space-size=8"];

/** For the command line of a node with this budget, 0: none; of a gateway. */
export function v8Flags(budgetBytes: number): readonly string[] {
  if (!isSmallBudget(budgetBytes)) return V8_FLAGS;
  return [...V8_FLAGS.filter((flag) => !flag.startsWith("--min-semi-space-size")), ...SMALL_YOUNG_SPACE];
}

/** Of the budget, that buffers may grow by between two looks at what is young. */
const YOUNG_PART = 32;
/** Buffers of some MB come in that time, at most. */
const LOOK_EVERY_MS = 10;

/** What a small heap may grow by before all of it is collected. */
const SPARE_HEAP_BYTES = 160 * 1024 * 1024;
const HEAP_GROWING_PERCENT_MAX = 400;
/** Where less would be left V8 decides by itself, by what collections cost: as little as this would collect a large heap all the time. */
const HEAP_GROWING_PERCENT_MIN = 40;
const FOLLOW_EVERY_MS = 1000;

let following: NodeJS.Timeout | null = null;

/** For a process that may have been started without them. */
export function setLateFlags(): void {
  for (const flag of V8_FLAGS) if (!SIZES.some((size) => flag.startsWith(size))) setFlagsFromString(flag);
  followHeap();
}

/** Five times a heap of a GB would be garbage for the most part. V8 looks at the flag whenever it works out a limit. */
function followHeap(): void {
  following ??= setInterval(() => {
    const left = Math.floor((100 * SPARE_HEAP_BYTES) / getHeapStatistics().used_heap_size);
    const percent = left < HEAP_GROWING_PERCENT_MIN ? 0 : Math.min(HEAP_GROWING_PERCENT_MAX, left);
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  }, FOLLOW_EVERY_MS).unref();
}

/** For a node with this budget, 0: none. V8 looks at the flag at every collection, so it may come late. */
export function boundGarbage(budgetBytes: number): void {
  if (!isSmallBudget(budgetBytes)) return;
  if (following !== null) clearInterval(following);
  setFlagsFromString(`--heap-growing-percent=${hasSmallYoungSpace() ? 30 : 20}`);
}

/**
 * What reading the log has left is collected before there is work to do. How much garbage there may be is worked out at a collection, from what is in use then: a
 * process that has just started has had none, and would take twice its budget first.
 */
export function collectStartGarbage(budgetBytes: number): void {
  if (!isSmallBudget(budgetBytes)) return;
  exposedGc()();
}

/**
 * For a node with a small budget that was not started with `v8Flags`: buffers that nobody needs any more are mostly young, but V8 collects what is young when its
 * own objects have filled their space, and these are few beside the buffers. Whenever so many bytes of buffers have come, a scavenge of a millisecond gives back
 * most of them. While V8 marks it ends the marking at once, 30 ms instead of 6, and V8 does not say that it marks: a small young space does better
 * (bench/results/tiers-heap.txt). Answers how to end that.
 */
export function collectYoungGarbage(budgetBytes: number): () => void {
  if (!isSmallBudget(budgetBytes) || hasSmallYoungSpace()) return () => undefined;
  const collect = exposedGc();
  const stepBytes = budgetBytes / YOUNG_PART;
  let lowBytes = getHeapStatistics().external_memory;
  const timer = setInterval(() => {
    const nowBytes = getHeapStatistics().external_memory;
    if (nowBytes < lowBytes) lowBytes = nowBytes;
    if (nowBytes - lowBytes < stepBytes) return;
    collect({ type: "minor" });
    lowBytes = getHeapStatistics().external_memory;
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function exposedGc(): NodeJS.GCFunction {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as NodeJS.GCFunction;
}

function hasSmallYoungSpace(): boolean {
  return SMALL_YOUNG_SPACE.every((flag) => process.execArgv.includes(flag));
}
