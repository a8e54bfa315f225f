/**
 * glibc's allocator in nodes. Other C libraries ignore these names.
 *
 * With a small memory budget: a node's buffers live for milliseconds or for minutes, and in one heap the long-lived ones pin the holes that the others
 * leave: 110 MB of them beside 300 MB in use. From 32 KiB on, where nearly all of their bytes are, they get mappings of their own, which end with them
 * (bench/results/tiers-heap.txt). Blocks of entries are not touched by that: they are used again (engine/block-bytes.ts). It costs page faults.
 *
 * Else it is those that cost: a collection frees some 20 MB of buffers at once, by default glibc gives most of it back, and the next buffers touch fresh
 * pages again, which took a third of a follower's time (bench/results/profile-8x100.txt). So much may stay.
 */
const MIB = 1024 * 1024;
const SMALL_BUDGET_BYTES = 1024 * MIB;

/** Whether a node with this memory budget has to be careful with what it takes beyond it. 0: it has none. */
export function isSmallBudget(budgetBytes: number): boolean {
  return budgetBytes !== 0 && budgetBytes <= SMALL_BUDGET_BYTES;
}

type AllocatorSettings = Readonly<Record<string, string>>;

const SMALL: AllocatorSettings = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(MIB),
};

const LARGE: AllocatorSettings = {
  MALLOC_MMAP_THRESHOLD_: String(32 * MIB),
  MALLOC_TRIM_THRESHOLD_: String(128 * MIB),
};

/** For a node's environment; what stands in `own` already is the operator's choice. `budgetBytes` 0: none. */
export function allocatorEnvironment(
  budgetBytes: number,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const settings = isSmallBudget(budgetBytes) ? SMALL : LARGE;
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, own[name] ?? value]));
}
