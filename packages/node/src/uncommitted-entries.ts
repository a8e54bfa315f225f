/** Sizes of the leader's entries in (C, X]: what admission is bounded by (I17). */
import type { ShardLimits } from "./shard-api.ts";

export class UncommittedEntries {
  #sizes: number[];
  /** Index of the first size. */
  #first: number;
  #bytes: number;

  constructor() {
    this.#sizes = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): number {
    return this.#sizes.length;
  }

  /** Whether bytes or entries have reached this part of their bound. */
  isAbove(limits: ShardLimits, part: number): boolean {
    return this.#bytes >= limits.uncommittedBytes * part || this.#sizes.length >= limits.uncommittedEntries * part;
  }

  proposed(index: number, bytes: number): void {
    if (this.#sizes.length === 0) this.#first = index;
    // Entries that Raft itself put in between (changes of members) have no size worth counting.
    while (this.#first + this.#sizes.length < index) this.#sizes.push(0);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  committed(index: number): void {
    let gone = 0;
    while (gone < this.#sizes.length && this.#first + gone <= index) {
      this.#bytes -= this.#sizes[gone]!;
      gone++;
    }
    if (gone === 0) return;
    this.#sizes.splice(0, gone);
    this.#first += gone;
  }

  clear(): void {
    this.#sizes = [];
    this.#bytes = 0;
  }
}
