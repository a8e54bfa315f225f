/**
 * What all groups of a node share when snapshots travel: one snapshot is sent at a time, no faster than the setting says, and there is one place
 * where everything is counted.
 */
import type { Clock } from "@headrace/ports";

export class SnapshotTraffic {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  #sender: object | null;
  /** When what was sent so far is paid for. */
  #freeAtMs: number;
  /** Snapshots that a receiver had completely. */
  sent: number;
  sentBytes: number;
  installed: number;
  /** Went on in the middle after chunks had been lost or the stream was broken. */
  resumed: number;
  /** Given up by source or receiver. */
  failed: number;
  /** Frames for what is not here, or from somebody who is not where he claims to be. */
  refused: number;
  /** Frames that did not match their checksum. */
  damagedChunks: number;
  /** Rows of the own store that did not, when a snapshot was read from it. */
  damagedRows: number;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#sender = null;
    this.#freeAtMs = 0;
    this.sent = 0;
    this.sentBytes = 0;
    this.installed = 0;
    this.resumed = 0;
    this.failed = 0;
    this.refused = 0;
    this.damagedChunks = 0;
    this.damagedRows = 0;
  }

  /** Whether this sender may have a snapshot open; true again for the one that has. */
  claim(sender: object): boolean {
    this.#sender ??= sender;
    return this.#sender === sender;
  }

  release(sender: object): void {
    if (this.#sender === sender) this.#sender = null;
  }

  /** Milliseconds until what was sent so far is paid for. */
  waitMs(): number {
    return Math.max(0, this.#freeAtMs - this.#clock.monotonicMs());
  }

  /** So many bytes leave now. */
  spend(bytes: number): void {
    const startMs = Math.max(this.#clock.monotonicMs(), this.#freeAtMs);
    this.#freeAtMs = startMs + (bytes * 1000) / this.#bytesPerSecond;
    this.sentBytes += bytes;
  }

  status(): Record<string, number> {
    const { sent, sentBytes, installed, resumed, failed, refused, damagedChunks, damagedRows } = this;
    return { sent, sentBytes, installed, resumed, failed, refused, damagedChunks, damagedRows };
  }
}
