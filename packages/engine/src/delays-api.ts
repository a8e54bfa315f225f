/**
 * Delayed entries (XADD DELAY, AT) as handlers and the leader's turn see them: the part of the engine's contract (api.ts) that is about them. A delayed
 * entry belongs to its key and is no entry of the stream until it is released: it has no id, nobody reads it, no bound counts it.
 */
import type { NodeBounds, ReferencePolicy } from "./api.ts";
import type { StreamId } from "./stream-id.ts";

/** How far ahead an entry may be due: 366 days. */
export const DELAY_MS_MAX = 366 * 86_400_000;

/** A trim that goes with an entry: what XADD's MAXLEN or MINID said, to be done when the entry appears. */
export interface AppendTrim {
  /** Null: by length. */
  readonly minId: StreamId | null;
  readonly maxLength: number;
  readonly approximate: boolean;
  /** 0: none; −1: not given, so it follows from the node bounds of then. */
  readonly limit: number;
  readonly policy: ReferencePolicy;
}

export interface DelayedEntryView {
  /** Unique in the shard for ever. */
  readonly number: number;
  readonly dueMs: number;
  /** Twice the number of fields. */
  readonly elementCount: number;
  /** The client's own RESP of the fields and values. Not to be written to. */
  readonly fields: Uint8Array;
  readonly trim: AppendTrim | null;
}

/** What of a stream is delayed. */
export interface DelayedView {
  readonly count: number;
  /** Infinity: there is none. */
  readonly firstDueMs: number;
  /** The one that is due first; null: there is none. */
  readonly first: DelayedEntryView | null;
  find(number: number): DelayedEntryView | null;
  /** By when they are due, then by arrival; `visit` answers false to stop. */
  visit(visit: (entry: DelayedEntryView) => boolean): void;
}

export interface DelayEffects {
  /** Delays an entry; creates the stream if the key is free. `elementCount`, `source` as in `Effects.append`. Answers its number. */
  delay(
    key: string,
    dueMs: number,
    trim: AppendTrim | null,
    elementCount: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): number;
  /** Looks at what `release` will look at, for who delays first and can't wait for blocks afterwards. May throw ColdMiss. */
  lookAhead(key: string): void;
  /** The delayed entry appears in its stream. `id` > last id. Its trim is the caller's business. */
  release(key: string, number: number, id: StreamId, bounds: NodeBounds): void;
  cancel(key: string, number: number): void;
  /** As `Effects.recordIid`, for an entry that is delayed. */
  recordIid(key: string, producer: string, source: Uint8Array, start: number, end: number, number: number): void;
}

/** What an idempotent id stands for. */
export interface KnownIid {
  /** The entry's, deleted or not; of an entry that was delayed nothing. */
  readonly id: StreamId;
  /** The number of the delayed entry, whatever has become of it; 0: the entry was not delayed. */
  readonly delayed: number;
}
