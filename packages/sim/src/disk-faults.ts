/**
 * What a simulated disk does wrong: operations that fail, a full disk, a crash exactly at an operation, bits that change at rest. Armed by the faults of a
 * run; the disk asks before and after each operation. Bits are only changed where the design says that it must be noticed: in a block of the log that
 * later durable blocks vouch for, and in values of the store.
 */
import type { SeededRandom } from "./seeded-random.ts";

/** What becomes of an operation. `crashBefore`: the machine stops with it still under way; `crashAfter`: done, but nobody is told. */
export type OperationFate = "fine" | "io" | "crashBefore" | "crashAfter";

/** A block that was written durably, in the order of writing. */
export interface WrittenBlock {
  readonly segment: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** A block says how far the log was durable when it was written: so two younger durable ones prove that it had been there. */
const PROVING_BLOCKS = 2;
const BLOCKS_KEPT = 4096;

export class DiskFaults {
  /** No room: nothing can grow. */
  isFull = false;
  /** This many operations from now one fails with EIO; 0: none. */
  errorIn = 0;
  /** After the first all others fail too, until the disk is healed. */
  errorStays = false;
  /** This many operations from now the machine stops at one; 0: never. */
  crashIn = 0;
  crashAfterOperation = false;
  onCrash: () => void = () => undefined;
  /** Operations that failed since the disk was healed: then the process may stop, and has a reason. */
  errors = 0;
  /** Bits that were changed: what the process finds is no news. */
  flips = 0;
  #blocks: WrittenBlock[] = [];

  get hasErred(): boolean {
    return this.errors > 0;
  }

  /** Asked once for each operation, at its completion. */
  next(): OperationFate {
    if (this.errors > 0 && this.errorStays) return "io";
    if (this.errorIn > 0 && --this.errorIn === 0) {
      this.errors++;
      return "io";
    }
    if (this.crashIn > 0 && --this.crashIn === 0) return this.crashAfterOperation ? "crashAfter" : "crashBefore";
    return "fine";
  }

  /** A good disk again, for the next process; changed bits stay changed. */
  heal(): void {
    this.isFull = false;
    this.errorIn = 0;
    this.errorStays = false;
    this.crashIn = 0;
    this.errors = 0;
  }

  wrote(block: WrittenBlock): void {
    this.#blocks.push(block);
    if (this.#blocks.length > 2 * BLOCKS_KEPT) this.#blocks = this.#blocks.slice(-BLOCKS_KEPT);
  }

  forgetBlocks(): void {
    this.#blocks = [];
  }

  /** A block whose damage must be noticed, if recovery still needs it; null: there is none. */
  provenBlock(random: SeededRandom, exists: (segment: number) => boolean): WrittenBlock | null {
    const proven = this.#blocks.slice(0, -PROVING_BLOCKS).filter(({ segment }) => exists(segment));
    return proven.length === 0 ? null : random.pick(proven);
  }
}
