/**
 * The blocks of a shard that are in memory and in the store, in the order of their last use, and what they take. Blocks come in when a capture has
 * written them or when they were read; appending touches nothing here, since what is dirty can't go anyway.
 */
import type { Block, BlockOwner } from "./block.ts";
import { BlockBytes } from "./block-bytes.ts";
import type { ColdReads } from "./cold-api.ts";

/** Blocks in a row, the longest unused ones, that no durable capture has yet: the others are not older. */
const UNDURABLE_MAX = 256;

export class BlockPool {
  coldReads: ColdReads | null;
  /** Entries and columns in memory. */
  blockBytes: number;
  readonly #own: BlockBytes;
  #oldest: Block | null;
  #newest: Block | null;

  constructor() {
    this.coldReads = null;
    this.blockBytes = 0;
    this.#own = new BlockBytes();
    this.#oldest = null;
    this.#newest = null;
  }

  get memory(): BlockBytes {
    return this.coldReads?.blockMemory ?? this.#own;
  }

  /** Nothing is left: all keys are gone. */
  clear(): void {
    this.blockBytes = 0;
    this.#oldest = null;
    this.#newest = null;
  }

  /** Used now. Of a block that is in no pool nothing is said. */
  touch(block: Block): void {
    if (block.owner === null || block === this.#newest) return;
    this.#unlink(block);
    this.#link(block);
  }

  add(block: Block, owner: BlockOwner): void {
    if (block.owner !== null) {
      this.touch(block);
      return;
    }
    block.owner = owner;
    this.#link(block);
  }

  remove(block: Block): void {
    if (block.owner === null) return;
    this.#unlink(block);
    block.owner = null;
  }

  /** See ShardStateApi.evict. */
  evict(bytes: number, durableIndex: number): number {
    let freed = 0;
    let undurable = 0;
    let next: Block | null;
    for (let block = this.#oldest; block !== null && freed < bytes; block = next) {
      next = block.newer;
      if (block.dirty) {
        // The capture that writes it brings it back.
        this.remove(block);
      } else if (block.capturedIndex > durableIndex) {
        if (++undurable === UNDURABLE_MAX) break;
      } else {
        freed += block.owner!.evict(block);
      }
    }
    return freed;
  }

  #link(block: Block): void {
    block.older = this.#newest;
    block.newer = null;
    if (this.#newest === null) this.#oldest = block;
    else this.#newest.newer = block;
    this.#newest = block;
  }

  #unlink(block: Block): void {
    const { older, newer } = block;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    block.older = null;
    block.newer = null;
  }
}
