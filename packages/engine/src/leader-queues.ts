/** What a leader has to look at by itself, and when: contracts of queues that are derived from the state and no part of it. */
import type { StreamKeyView, TrimCut } from "./api.ts";
import type { Retention } from "./retention.ts";

/** A stream that retention has looked at. */
export interface RetentionLook {
  readonly key: StreamKeyView;
  /** Whole blocks that it loses; 0: none. */
  readonly blocks: number;
  /** The same, for `Effects.trim`. */
  readonly cut: TrimCut;
}

/** Which streams retention has to look at. The leader's, and no part of the state. */
export interface RetentionQueueApi {
  /** With these bounds of the cluster from now on: the same object for the same bounds. Others than before: every long stream is looked at again. */
  lead(cluster: Retention): void;
  /** Leads no more. */
  rest(): void;
  /** When age alone makes the next look necessary; Infinity: never. */
  readonly firstDueMs: number;
  /** Nothing to look at. */
  isIdle(nowMs: number): boolean;
  /**
   * Looks at the next stream, of which at most `blocksMax` blocks are planned to go: that trim is to be done before the next look, and the stream comes
   * up again. Null: there is none, or (not `isIdle`) none among those that one call passes over.
   */
  look(nowMs: number, blocksMax: number): RetentionLook | null;
}

/** Keys with a group whose idle consumers go, by when one of these may. For the leader, and no part of the state. */
export interface IdleConsumersApi {
  /** Before this log time none goes; Infinity: there is no such key. */
  readonly firstDueMs: number;
  /** The key that has to be looked at first; there is one. */
  readonly first: StreamKeyView;
  /** The key was looked at: before `atMs` none of its consumers goes, Infinity: it has none. */
  next(key: StreamKeyView, atMs: number): void;
}

/** Keys with delayed entries, by when the first of these is due. For the leader, and no part of the state. */
export interface DelayQueueApi {
  /** Delayed entries of all keys. */
  readonly count: number;
  /** Before this log time none is due; Infinity: there is none. */
  readonly firstDueMs: number;
  /** The key whose entry is due first; there is one. */
  readonly first: StreamKeyView;
  /** The key can't take its entry now: it is looked at again at `atMs`, or when something happens to its delayed entries. */
  postpone(key: StreamKeyView, atMs: number): void;
}
