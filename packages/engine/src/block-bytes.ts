/**
 * Memory for the entries of blocks. What a block gave up when it left memory is what the next one gets: a node whose blocks come and go at the edge of
 * its budget asks the allocator for nothing, leaves nothing to the collector, and no holes between what stays. All shards of a node share one: a long read
 * brings blocks of one shard in, and those of all others leave for them.
 *
 * Only who knows that nobody reads a block any more may give its bytes back; all others leave them to the collector.
 */
import { allocate } from "@headrace/bytes";

/** Of a full block. */
export const BLOCK_BYTES = 32 * 1024;
/** Some more than are read ahead of one reader; what is kept counts for nobody. */
const SPARE_MAX = 128;
/** So full a block that is read back gets a whole one: it fits into what the next one gave up. */
const NEARLY_FULL_BYTES = (BLOCK_BYTES * 3) / 4;

export class BlockBytes {
  readonly #spare: Uint8Array[] = [];

  /** At least so many, with anything in them. */
  take(capacityBytes: number): Uint8Array {
    const isFull = capacityBytes > NEARLY_FULL_BYTES && capacityBytes <= BLOCK_BYTES;
    if (!isFull) return allocate(capacityBytes);
    return this.#spare.pop() ?? allocate(BLOCK_BYTES);
  }

  /** Nobody has a view of them any more. */
  give(bytes: Uint8Array): void {
    if (bytes.length === BLOCK_BYTES && this.#spare.length < SPARE_MAX) this.#spare.push(bytes);
  }
}
