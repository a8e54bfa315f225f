/**
 * glibc's allocator in nodes with a small memory budget. A node's buffers live for milliseconds or for minutes, and in one heap the long-lived ones pin the
 * holes that the others leave: 110 MB of them beside 300 MB in use. From 32 KiB on, where nearly all of their bytes are, they get mappings of their own,
 * which end with them (bench/results/tiers-heap.txt). Blocks of entries are not touched by that: they are used again (engine/block-bytes.ts).
 *
 * It costs page faults, so a node with much memory, where the holes are a small part, is left alone. Other C libraries ignore these names.
 */
const MIB = 1024 * 1024;
export const SMALL_BUDGET_BYTES: number = 1024 * MIB;

const SETTINGS: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(MIB),
};

/** For a node's environment; what stands in `own` already is the operator's choice. `budgetBytes` 0: none. */
export function allocatorEnvironment(
  budgetBytes: number,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  if (budgetBytes === 0 || budgetBytes > SMALL_BUDGET_BYTES) return {};
  return Object.fromEntries(Object.entries(SETTINGS).map(([name, value]) => [name, own[name] ?? value]));
}
