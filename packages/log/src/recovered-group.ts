/** What can be asked of a recovered group, wherever its entries are. */
import type { RecoveredGroup } from "./api.ts";

/** Index of the last entry that recovery found. */
export function lastIndexOf({ compactedIndex, onDisk, entries }: RecoveredGroup): number {
  return compactedIndex + onDisk.length + entries.length;
}

/** Term of the recovered entry at `index`; null: recovery found none there. */
export function recoveredTerm({ compactedIndex, onDisk, entries }: RecoveredGroup, index: number): number | null {
  const place = index - compactedIndex - 1;
  return (place < onDisk.length ? onDisk[place] : entries[place - onDisk.length])?.term ?? null;
}
