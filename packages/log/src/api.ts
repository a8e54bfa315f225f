/**
 * The node's one write-ahead log, shared by all Raft groups, as logic over the SegmentDisk port (so that the simulator crashes the real
 * format). Formats are drawn in wal-format.ts; this is the contract.
 */
import type { Done } from "@headrace/ports";
import type { LatencyHistogram } from "@headrace/bytes";
import type { Entry, HardState } from "@headrace/raft-ts";

/** An entry that recovery has left where it is. */
export interface EntryOnDisk {
  readonly term: number;
  readonly dataBytes: number;
}

/** What recovery found of one group. */
export interface RecoveredGroup {
  readonly groupId: number;
  readonly hardState: HardState;
  /** Those behind compactedIndex that a checkpoint covers, contiguous, ascending: they stay on disk, `readEntries` has them. */
  readonly onDisk: readonly EntryOnDisk[];
  /** What follows them, overwritten ones already replaced. */
  readonly entries: readonly Entry[];
  /** Log was cut behind a checkpoint: index and term of the last entry that is gone. */
  readonly compactedIndex: number;
  readonly compactedTerm: number;
}

export type RecoveryOutcome =
  | {
      readonly kind: "recovered";
      readonly groups: ReadonlyMap<number, RecoveredGroup>;
      /** Bytes of the last, unsealed block that were torn away; 0 when clean. */
      readonly tornBytes: number;
    }
  /** Damage before the last block (I23): the node must serve nothing. */
  | { readonly kind: "damaged"; readonly message: string }
  /** Whole, but written by a program that knows more than this one: nothing may be skipped, and nothing is thrown away. */
  | { readonly kind: "unknown"; readonly message: string };

export interface WalConfig {
  readonly segmentBytes: number;
  /** ≤ 1 MiB: one write. A larger single entry makes one larger write. */
  readonly maxWriteBytes: number;
  /** After this long without traffic an empty sealing block is written. */
  readonly sealAfterMs: number;
  /** always | everysec | no: what a write does that holds only this node's own ack=0/1 entries (design §6). */
  readonly fsync: "always" | "everysec" | "no";
  /** More segments than this: what still lives in the oldest is copied forward, if it is little. Default 16. */
  readonly segmentsMax?: number;
}

/** One group's part of a write. */
export interface WalAppend {
  readonly groupId: number;
  /** null: unchanged. */
  readonly hardState: HardState | null;
  /** May begin below the last index: the suffix is replaced. */
  readonly entries: readonly Entry[];
  /**
   * Something waits for durability (vote, follower's append, ack=all, gated read, group delivery, WAITAOF). False: with everysec/no it may stay with
   * the operating system.
   */
  readonly mustSync: boolean;
  /** Written (W). May be called before `onDurable`, never after. */
  readonly onWritten: (() => void) | null;
  /** Durable (F). In order per group. Not called after a failure: see onPoisoned. */
  readonly onDurable: () => void;
}

export interface SharedLogApi {
  /**
   * Reads everything and prepares for appending. Call once, first. `covered`: up to which index a synced checkpoint covers a group's log; what it covers
   * is not kept in memory.
   */
  recover(done: Done<RecoveryOutcome>, covered?: ReadonlyMap<number, number>): void;
  /** Queues; one write is in flight at a time, everything queued meanwhile shares the next. */
  append(append: WalAppend): void;
  /** Makes sure that all that is written so far becomes durable soon (a WAITAOF or a read arrived under everysec/no). */
  requestSync(): void;
  /** The group's log up to `index` is covered by a synced checkpoint; segments that nobody needs are removed. */
  compact(groupId: number, index: number, term: number): void;
  /** The group is gone (replica removed). */
  forget(groupId: number): void;
  /** Reads entries that are no longer in memory. */
  readEntries(groupId: number, low: number, high: number, maxBytes: number, done: Done<readonly Entry[]>): void;
  /** No single log entry may have more data than this: it has to fit into one segment. */
  readonly maxEntryBytes: number;
  /** Any write or sync error: called once; nothing is retried, the node's groups stop (I22). */
  onPoisoned: (message: string) => void;
  /** A record that was read back later is not what had been written (I23). Whoever asked for it gets a `corrupt` failure as well. */
  onDamage: (message: string) => void;
  /** For metrics. */
  readonly stats: {
    readonly writes: number;
    readonly bytes: number;
    /** Data of the log entries in it, without those that were copied forward: what all other writing is for. */
    readonly entryBytes: number;
    /** Data of entries that were written again, so that the segment that they stood in can go. */
    readonly copiedBytes: number;
    readonly segments: number;
    readonly lastWriteMs: number;
    /** Of writes that were durable when they returned. */
    readonly durableWrites: LatencyHistogram;
  };
  /** Writes the sealing block, then closes. */
  close(done: Done<void>): void;
}
