/**
 * Which segments there are: old ones that are only read, the current one, and the next one, created ahead so that a full segment costs no
 * waiting. A full disk while creating is not a failure of the log: nothing was promised, it is tried again. Decides nothing about blocks.
 */
import { assert } from "@headrace/bytes";
import type { Logger, Scheduler, SegmentDisk } from "@headrace/ports";

const CREATE_RETRY_MS = 1000;

export interface SegmentSetEvents {
  /** The next segment is ready. */
  readonly onReady: () => void;
  readonly onFailure: (message: string) => void;
}

export class SegmentSet {
  readonly #disk: SegmentDisk;
  readonly #scheduler: Scheduler;
  readonly #logger: Logger;
  #segmentBytes = 0;
  readonly #events: SegmentSetEvents;
  /** Sequence of the first segment that still exists. */
  first = 0;
  /** The segment written to, how far it is written, and how many blocks it has. */
  current = 0;
  offset = 0;
  blocks = 0;
  /** Ready ahead of use. */
  #nextIsReady = false;
  #isCreating = false;
  #isRemoving = false;
  /** The disk is full: creating is being tried again. */
  lacksSpace = false;

  constructor(disk: SegmentDisk, scheduler: Scheduler, logger: Logger, events: SegmentSetEvents) {
    this.#disk = disk;
    this.#scheduler = scheduler;
    this.#logger = logger;
    this.#events = events;
  }

  get count(): number {
    return this.current === 0 ? 0 : this.current - this.first + 1 + (this.#nextIsReady ? 1 : 0);
  }

  get freeBytes(): number {
    return this.current === 0 ? 0 : this.#segmentBytes - this.offset;
  }

  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  get nextIsReady(): boolean {
    return this.#nextIsReady;
  }

  /** After recovery: `current` 0 means that no block was ever written. */
  restore(segmentBytes: number, first: number, current: number, last: number): void {
    this.#segmentBytes = segmentBytes;
    this.first = first;
    this.current = current;
    this.#nextIsReady = last > current;
  }

  /** Starts creating the next segment unless it is there or on its way. */
  createNext(): void {
    if (this.#nextIsReady || this.#isCreating) return;
    this.#isCreating = true;
    const sequence = this.current + 1;
    this.#disk.create(sequence, this.#segmentBytes, (created) => {
      if (created.ok) {
        this.#isCreating = false;
        this.#nextIsReady = true;
        this.lacksSpace = false;
        this.#events.onReady();
      } else if (created.reason === "space") {
        this.lacksSpace = true;
        this.#logger.warn("wal_segment_no_space", { segment: sequence, message: created.message });
        this.#scheduler.after(CREATE_RETRY_MS, () => {
          this.#isCreating = false;
          this.createNext();
        });
      } else {
        this.#events.onFailure(`segment ${sequence} cannot be created: ${created.message}`);
      }
    });
  }

  /** Begins to write the next segment. */
  advance(): void {
    assert(this.#nextIsReady, "no segment is ready");
    this.current++;
    if (this.first === 0) this.first = this.current;
    this.offset = 0;
    this.blocks = 0;
    this.#nextIsReady = false;
  }

  /** Removes the oldest segments while `isUnneeded` says so, one at a time and in order, so that the rest is always without holes. */
  removeOldest(isUnneeded: (sequence: number) => boolean): void {
    if (this.#isRemoving || this.first >= this.current || !isUnneeded(this.first)) return;
    const sequence = this.first;
    this.#isRemoving = true;
    this.first++;
    this.#disk.remove(sequence, (removed) => {
      this.#isRemoving = false;
      if (!removed.ok) return this.#events.onFailure(`segment ${sequence} cannot be removed: ${removed.message}`);
      this.#logger.debug("wal_segment_removed", { segment: sequence });
      this.removeOldest(isUnneeded);
    });
  }
}
