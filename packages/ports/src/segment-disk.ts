import type { Done } from "./result.ts";

/** One preallocated log segment as the disk shows it. */
export interface SegmentInfo {
  /** Names the segment; ascending in the order of creation, never reused. */
  readonly sequence: number;
  readonly sizeBytes: number;
}

/**
 * The log's files: preallocated, zero-filled segments written at positions. One technology, no decisions: what is in
 * a segment is the business of the `log` room. Order: writes and syncs on one segment complete in the order of calling; a read sees at
 * least what had completed when it was called, and waits for nothing (reads of laggards must not delay the log).
 */
export interface SegmentDisk {
  /** All segments, ascending. */
  list(done: Done<readonly SegmentInfo[]>): void;
  /**
   * Creates segment `sequence`, zero-filled to `sizeBytes`, and makes file and directory entry durable before it completes.
   * May reuse the space of a removed segment, but only after zeroing it.
   */
  create(sequence: number, sizeBytes: number, done: Done<void>): void;
  /**
   * Reads at most `lengthBytes`; shorter only at the end of the segment. The buffer belongs to the caller afterwards; it is a part of `memory`, where
   * that is given and has so much room.
   */
  read(
    sequence: number,
    offsetBytes: number,
    lengthBytes: number,
    done: Done<Uint8Array>,
    memory?: Uint8Array | null,
  ): void;
  /**
   * Writes the chunks one after another at `offsetBytes`. With `durable` the bytes are on the medium when it completes (O_DSYNC);
   * without it they are only with the operating system. The chunks must not change until then. What lies behind an append, a write
   * that begins where the one before ended, is zero: up to the end of its page it may be written as zeros again.
   */
  write(sequence: number, offsetBytes: number, chunks: readonly Uint8Array[], durable: boolean, done: Done<void>): void;
  /** Makes everything written to the segment durable. */
  sync(sequence: number, done: Done<void>): void;
  /** Deletes the segment. */
  remove(sequence: number, done: Done<void>): void;
  close(done: Done<void>): void;
}
