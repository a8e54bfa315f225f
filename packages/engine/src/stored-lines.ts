/**
 * The lines of a stream's sealed blocks as pages of them come from the store. They go into words as they are (block-index.ts): a stream of millions of
 * entries has very many, all read at a start, and what nobody asks for never becomes an object.
 */
import type { ByteReader } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { BLOCK_ENTRIES_MAX, type BlockLine, PAGE_BITS } from "./block.ts";
import { BlockIndex } from "./block-index.ts";
import { isOneRow, ONE_ROW_LINE_BYTES, readLine } from "./block-line.ts";

export class StoredLines {
  /** Ascending in number once `countBefore` was asked. */
  readonly index: BlockIndex;
  /** Of blocks whose entries stand in several rows. Their words are in the index too, for their places. */
  #scattered: Map<number, BlockLine>;
  #count: number;
  #isSorted: boolean;

  constructor() {
    this.index = new BlockIndex();
    this.#scattered = NONE_SCATTERED;
    this.#count = 0;
    this.#isSorted = true;
  }

  get scattered(): Iterable<BlockLine> {
    return this.#scattered.values();
  }

  /** Takes in the page's body, which stands before the reader. `expected`: how many lines there will be in all, if that is known. */
  takePage(page: number, reader: ByteReader, expected: number): void {
    const lines = reader.u32();
    this.index.reserve(Math.max(expected, this.#count + lines));
    for (let left = lines; left > 0; left--) this.#takeLine(page, reader);
  }

  #takeLine(page: number, reader: ByteReader): void {
    const at = this.#count++;
    const { index } = this;
    if (isOneRow(reader)) {
      index.putWords(at, reader.bytes, reader.skip(ONE_ROW_LINE_BYTES));
      const entries = index.count(at);
      if (entries === 0 || entries > BLOCK_ENTRIES_MAX) throw new DamagedRowError("a block's line says what cannot be");
    } else {
      const line = readLine(reader);
      index.put(at, line);
      if (this.#scattered === NONE_SCATTERED) this.#scattered = new Map();
      this.#scattered.set(line.number, line);
    }
    const number = index.number(at);
    if (number >>> PAGE_BITS !== page) throw new DamagedRowError("a block on a page that is not its own");
    if (at > 0 && number <= index.number(at - 1)) this.#isSorted = false;
  }

  /** How many have a smaller number than `tail`, which stand in front then. */
  countBefore(tail: BlockLine | null): number {
    this.#sort();
    if (tail === null) return this.#count;
    // The page of a block that was sealed before, and is the last one again, may still have it: as it was then.
    let count = this.#count;
    while (count > 0 && this.index.number(count - 1) >= tail.number) count--;
    return count;
  }

  /** `at`: as `countBefore` has put them. */
  line(at: number): BlockLine {
    return this.#scattered.get(this.index.number(at)) ?? this.index.get(at);
  }

  /** Pages come in any order, though hardly ever in another than their own. */
  #sort(): void {
    if (this.#isSorted) return;
    const lines = Array.from({ length: this.#count }, (_, at) => this.index.get(at));
    lines.sort((a, b) => a.number - b.number);
    lines.forEach((line, at) => this.index.put(at, line));
    this.#isSorted = true;
  }
}

/** Never written. */
const NONE_SCATTERED: Map<number, BlockLine> = new Map();
