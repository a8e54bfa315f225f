import type { Done, Result } from "./result.ts";

/** One change of an atomic batch. `value: null` deletes. Buffers must not change until the batch has completed. */
export interface KvChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  /** What stands behind `value` in the same row, piece after piece: so a row is written from where its bytes lie. With null it has no meaning. */
  readonly rest?: readonly Uint8Array[] | undefined;
  /** CRC-32 of the whole value, where the writer knows it: the store need not go over it once more. */
  readonly crc?: number | undefined;
}

/** One row, owned by the receiver. */
export interface KvRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A frozen view of the whole store; must be released. */
export interface KvSnapshot {
  readonly id: number;
}

/**
 * Ordered keys (bytewise), atomic batches, snapshots. The real one is LevelDB with large values in files beside it. A value that the store finds
 * damaged or missing is a failure `corrupt`, never absent; but it does not find all damage: values carry their own checksums.
 */
export interface KvStore {
  /** Applies all changes or none; durable (synced) when it completes. Batches complete in the order of calling. */
  write(changes: readonly KvChange[], done: Done<void>): void;
  /** The value, or null when there is none. */
  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void;
  /** The same, now, while the whole process waits: for what is rare and cannot be run again. Failure `later`: not now, but `get` would wait and answer. */
  getNow(key: Uint8Array): Result<Uint8Array | null>;
  /**
   * Rows with `from` ≤ key < `to`, ascending, at most `limitRows` and about `limitBytes`. An empty result means there are no more; so do fewer
   * rows than `limitRows` with keys and values below half of `limitBytes`.
   * To go on, call again with `from` = last key + 0x00.
   */
  scan(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    limitBytes: number,
    snapshot: KvSnapshot | null,
    done: Done<readonly KvRow[]>,
  ): void;
  /** The keys of such a range, at most `limitRows`; none: there are no more. Values are not looked at, damaged or not. */
  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void;
  /**
   * A value that a scan has handed over and that nobody will look at again: the store may use its memory for the next one. Nobody has to: a value that is
   * kept is its reader's for good.
   */
  giveBack(value: Uint8Array): void;
  snapshot(): KvSnapshot;
  release(snapshot: KvSnapshot): void;
  close(done: Done<void>): void;
}
