/**
 * Retention by the letter of its promise, entry by entry: knows nothing of blocks. An entry that has gone must have been outside of a bound, whatever
 * went with it; an entry that is needed must be there.
 */
import { RetentionKeep, type Retention } from "../src/index.ts";

export interface ModelEntry {
  readonly ms: number;
  /** In wire form. */
  readonly bytes: number;
  isDeleted: boolean;
}

export interface ModelPosition {
  /** Delivered up to this one. */
  deliveredMs: number;
  readonly pendingMs: Set<number>;
}

/** 2001-09-09T01:46:40Z: the first time whose milliseconds have thirteen digits. */
const FIRST_TIME_MS = Date.UTC(2001, 8, 9, 1, 46, 40);

/** Why none of the first `gone` entries, all of those that are left but for these, may have been trimmed; null: they may. */
export function complaint(
  entries: readonly ModelEntry[],
  gone: number,
  groups: Iterable<ModelPosition>,
  retention: Retention,
  nowMs: number,
): string | null {
  if (gone === 0) return null;
  const lost = entries.slice(0, gone);
  const kept = entries.slice(gone);
  if (kept.length === 0) return "nothing is left";
  const keptLive = kept.filter((entry) => !entry.isDeleted).length;
  const keptBytes = kept.reduce((sum, entry) => sum + entry.bytes, 0);
  const isByCount = retention.entries > 0 && keptLive >= retention.entries;
  const isByBytes = retention.bytes > 0 && keptBytes >= retention.bytes;
  const last = lost[lost.length - 1]!;
  const isByAge = retention.ageMs > 0 && last.ms >= FIRST_TIME_MS && last.ms < nowMs - retention.ageMs;
  if (!isByCount && !isByBytes && !isByAge) return `${last.ms} is inside of every bound`;
  if (retention.keep !== RetentionKeep.unacknowledged) return null;
  for (const { deliveredMs, pendingMs } of groups) {
    for (const { ms, isDeleted } of lost) {
      if (!isDeleted && ms > deliveredMs) return `${ms} was not delivered`;
      if (!isDeleted && pendingMs.has(ms)) return `${ms} is pending`;
    }
  }
  return null;
}
