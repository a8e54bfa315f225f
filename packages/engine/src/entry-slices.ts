/**
 * The answer to a range: a frozen pair of places in a stream's blocks. Writing it out copies whole slices of blocks and splits only around
 * tombstones (backwards it must go entry by entry). Valid until the next effect on the stream.
 */
import { assert, type ByteWriter } from "@headrace/bytes";
import type { EntryRange } from "./api.ts";
import type { Block } from "./block.ts";
import type { BlockPool } from "./block-pool.ts";
import type { IdListWriter } from "./id-list.ts";
import { MIN_ID, type StreamId } from "./stream-id.ts";

export class EntrySlices implements EntryRange {
  static readonly empty: EntrySlices = new EntrySlices([], 0, 0, 0, 0, 0, false);

  readonly count: number;
  readonly #blocks: readonly (Block | null)[];
  // Half open and trimmed: the first and the last entry inside are live.
  readonly #fromBlock: number;
  readonly #fromEntry: number;
  readonly #toBlock: number;
  readonly #toEntry: number;
  readonly #reverse: boolean;

  constructor(
    blocks: readonly (Block | null)[],
    fromBlock: number,
    fromEntry: number,
    toBlock: number,
    toEntry: number,
    count: number,
    reverse: boolean,
  ) {
    this.count = count;
    this.#blocks = blocks;
    this.#fromBlock = fromBlock;
    this.#fromEntry = fromEntry;
    this.#toBlock = toBlock;
    this.#toEntry = toEntry;
    this.#reverse = reverse;
  }

  /** Live entries in [from, to), at most `wanted` of them, counted from the end when `reverse`. */
  static between(
    blocks: readonly (Block | null)[],
    fromBlock: number,
    fromEntry: number,
    toBlock: number,
    toEntry: number,
    wanted: number,
    reverse: boolean,
  ): EntrySlices {
    return reverse
      ? backward(blocks, fromBlock, fromEntry, toBlock, toEntry, wanted)
      : forward(blocks, fromBlock, fromEntry, toBlock, toEntry, wanted);
  }

  /** Its blocks were used. */
  touch(pool: BlockPool): void {
    if (this.count === 0) return;
    for (let at = this.#fromBlock; at <= this.#toBlock; at++) pool.touch(this.#blocks[at]!);
  }

  get firstId(): StreamId {
    return this.#reverse ? this.#highest() : this.#lowest();
  }

  get lastId(): StreamId {
    return this.#reverse ? this.#lowest() : this.#highest();
  }

  #lowest(): StreamId {
    return this.count === 0 ? MIN_ID : this.#blocks[this.#fromBlock]!.idAt(this.#fromEntry);
  }

  #highest(): StreamId {
    return this.count === 0 ? MIN_ID : this.#blocks[this.#toBlock]!.idAt(this.#toEntry - 1);
  }

  /** Of their blocks, dead entries included: at least what `writeTo` writes. */
  #byteLength(): number {
    let bytes = 0;
    for (let at = this.#fromBlock; at <= this.#toBlock; at++) {
      const block = this.#blocks[at]!;
      const from = at === this.#fromBlock ? this.#fromEntry : 0;
      const to = at === this.#toBlock ? this.#toEntry : block.count;
      if (to > from) bytes += block.ends[to - 1]! - block.startOf(from);
    }
    return bytes;
  }

  writeTo(writer: ByteWriter): void {
    if (this.count === 0) return;
    // A long answer would grow the writer step by step, and copy it as often.
    writer.reserve(this.#byteLength());
    for (let i = this.#fromBlock; i <= this.#toBlock; i++) {
      const at = this.#reverse ? this.#toBlock - (i - this.#fromBlock) : i;
      const block = this.#blocks[at]!;
      const from = at === this.#fromBlock ? this.#fromEntry : 0;
      const to = at === this.#toBlock ? this.#toEntry : block.count;
      if (this.#reverse) writeBackward(block, from, to, writer);
      else writeForward(block, from, to, writer);
    }
  }

  forEachId(visit: (id: StreamId) => void): void {
    if (this.count === 0) return;
    for (let i = this.#fromBlock; i <= this.#toBlock; i++) {
      const at = this.#reverse ? this.#toBlock - (i - this.#fromBlock) : i;
      const block = this.#blocks[at]!;
      const from = at === this.#fromBlock ? this.#fromEntry : 0;
      const to = at === this.#toBlock ? this.#toEntry : block.count;
      for (let j = from; j < to; j++) {
        const entry = this.#reverse ? to - 1 - (j - from) : j;
        if (block.isLive(entry)) visit(block.idAt(entry));
      }
    }
  }

  /** Ascending. */
  listIds(writer: ByteWriter, list: IdListWriter): void {
    if (this.count === 0) return;
    for (let at = this.#fromBlock; at <= this.#toBlock; at++) {
      const block = this.#blocks[at]!;
      const { ids } = block;
      const to = at === this.#toBlock ? this.#toEntry : block.count;
      for (let entry = at === this.#fromBlock ? this.#fromEntry : 0; entry < to; entry++) {
        const cell = entry * 4;
        if (block.isLive(entry)) list.add(writer, ids[cell]!, ids[cell + 1]!, ids[cell + 2]!, ids[cell + 3]!);
      }
    }
  }

  visitEntries(visit: (bytes: Uint8Array, start: number, end: number) => boolean): void {
    assert(!this.#reverse, "entries are visited from the first one on");
    if (this.count === 0) return;
    for (let at = this.#fromBlock; at <= this.#toBlock; at++) {
      const block = this.#blocks[at]!;
      const to = at === this.#toBlock ? this.#toEntry : block.count;
      for (let entry = at === this.#fromBlock ? this.#fromEntry : 0; entry < to; entry++) {
        if (block.isLive(entry) && !visit(block.bytes, block.startOf(entry), block.ends[entry]!)) return;
      }
    }
  }
}

function forward(
  blocks: readonly (Block | null)[],
  fromBlock: number,
  fromEntry: number,
  toBlock: number,
  toEntry: number,
  wanted: number,
): EntrySlices {
  let count = 0;
  let firstBlock = -1;
  let firstEntry = 0;
  let lastBlock = 0;
  let lastEntry = 0;
  for (let at = fromBlock; at <= toBlock && at < blocks.length && count < wanted; at++) {
    const block = blocks[at]!;
    const low = at === fromBlock ? fromEntry : 0;
    const high = at === toBlock ? toEntry : block.count;
    if (low >= high) continue;
    if (block.deadCount === 0) {
      const taken = Math.min(high - low, wanted - count);
      if (firstBlock < 0) {
        firstBlock = at;
        firstEntry = low;
      }
      lastBlock = at;
      lastEntry = low + taken;
      count += taken;
      continue;
    }
    for (let entry = Math.max(low, block.firstLive); entry < high && count < wanted; entry++) {
      if (!block.isLive(entry)) continue;
      if (firstBlock < 0) {
        firstBlock = at;
        firstEntry = entry;
      }
      lastBlock = at;
      lastEntry = entry + 1;
      count++;
    }
  }
  return count === 0
    ? EntrySlices.empty
    : new EntrySlices(blocks, firstBlock, firstEntry, lastBlock, lastEntry, count, false);
}

function backward(
  blocks: readonly (Block | null)[],
  fromBlock: number,
  fromEntry: number,
  toBlock: number,
  toEntry: number,
  wanted: number,
): EntrySlices {
  let count = 0;
  let firstBlock = 0;
  let firstEntry = 0;
  let lastBlock = -1;
  let lastEntry = 0;
  for (let at = Math.min(toBlock, blocks.length - 1); at >= fromBlock && count < wanted; at--) {
    const block = blocks[at]!;
    const low = at === fromBlock ? fromEntry : 0;
    const high = at === toBlock ? toEntry : block.count;
    for (let entry = high - 1; entry >= low && count < wanted; entry--) {
      if (!block.isLive(entry)) continue;
      if (lastBlock < 0) {
        lastBlock = at;
        lastEntry = entry + 1;
      }
      firstBlock = at;
      firstEntry = entry;
      count++;
    }
  }
  return count === 0
    ? EntrySlices.empty
    : new EntrySlices(blocks, firstBlock, firstEntry, lastBlock, lastEntry, count, true);
}

function writeForward(block: Block, from: number, to: number, writer: ByteWriter): void {
  assert(to <= block.count, "range outlived its stream");
  if (block.deadCount === 0) {
    writer.raw(block.bytes, block.startOf(from), block.ends[to - 1]!);
    return;
  }
  let entry = from;
  while (entry < to) {
    while (entry < to && !block.isLive(entry)) entry++;
    if (entry === to) return;
    const begin = entry;
    while (entry < to && block.isLive(entry)) entry++;
    writer.raw(block.bytes, block.startOf(begin), block.ends[entry - 1]!);
  }
}

function writeBackward(block: Block, from: number, to: number, writer: ByteWriter): void {
  for (let entry = to - 1; entry >= from; entry--) {
    if (block.isLive(entry)) writer.raw(block.bytes, block.startOf(entry), block.ends[entry]!);
  }
}
