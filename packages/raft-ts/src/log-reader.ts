import type { ConfState, Entry, HardState, Snapshot } from "./message.ts";

/** What Raft finds at start. */
export interface InitialState {
  readonly hardState: HardState;
  readonly confState: ConfState;
}

/**
 * The stable part of the log as Raft reads it. The owner keeps it: entries of a StorageAppend become readable here no later than when its
 * responses are stepped. Synchronous: entries that are only on disk answer "unavailable" (the owner fetches them and Raft asks again).
 */
export interface LogReader {
  initialState(): InitialState;
  /** First index that is still there: one behind the compacted point. */
  firstIndex(): number;
  lastIndex(): number;
  /** Term of the entry at `index` (firstIndex−1 included), "compacted" below that, "unavailable" above lastIndex. */
  term(index: number): number | "compacted" | "unavailable";
  /** Entries low ≤ index < high, at least one, and not more than `maxBytes` of data unless the first alone is larger. */
  entries(low: number, high: number, maxBytes: number): readonly Entry[] | "compacted" | "unavailable";
  /**
   * A snapshot to send, or "unavailable" while none is ready. It is asked for again at every answer of the follower. One whose configuration does
   * not name the follower is not sent: whoever was added after it needs a newer one.
   */
  snapshot(): Snapshot | "unavailable";
}
