/** What a group's pending entries look like from outside. */
import type { StreamId } from "./stream-id.ts";

/** One pending entry, as plain values. */
export interface PendingEntry {
  readonly id: StreamId;
  /** "" when nobody owns it. */
  readonly consumer: string;
  /** False: XNACK has given it back, it can be claimed at once. */
  readonly isOwned: boolean;
  /** 0 when nobody owns it. */
  readonly deliveryTimeMs: number;
  /** As it is kept: `shownDeliveryCount` says what clients see. */
  readonly deliveryCount: number;
}

export interface PendingView {
  readonly count: number;
  /** Entries that nobody owns; `count` has them too. */
  readonly unownedCount: number;
  readonly firstId: StreamId | null;
  readonly lastId: StreamId | null;
  find(id: StreamId): PendingEntry | null;
  has(id: StreamId): boolean;
  /** Entries with start ≤ id ≤ end in id order, of one consumer when named; `visit` answers false to stop. */
  visit(start: StreamId, end: StreamId, consumer: string | null, visit: (entry: PendingEntry) => boolean): void;
  /**
   * In the order of claiming: entries that nobody owns as they were given back, then by delivery time, then by id. Costs O(log count) an entry;
   * `visit` answers false to stop.
   */
  visitOldest(visit: (entry: PendingEntry) => boolean): void;
  /** No entry is to be handed out again before this log time, by the group's `retry`; perhaps later. 0: at once; Infinity: there is none. */
  readonly dueFromMs: number;
  /** By when they are to be handed out again, then by id: entries that nobody owns first, as they were given back. Costs and stops as above. */
  visitDue(visit: (entry: PendingEntry, dueMs: number) => boolean): void;
}
