/**
 * The entries of one stream: blocks in id order, appended at the end, killed anywhere, cut at the front. Every change here is part of
 * `apply`: no settings, no clock. The two decisions that depend on settings (does an entry open a node, a block?) are made by
 * `layoutFlags` on the leader and come back as flags in the run.
 */
import { assert } from "@headrace/bytes";
import { Block, BLOCK_BYTES, BLOCK_ENTRIES_MAX, MARK_DEAD, MARK_OPENS } from "./block.ts";
import { LENGTH_MASK, OPENS_BLOCK, OPENS_NODE } from "./effect-format.ts";
import { EntrySlices } from "./entry-slices.ts";
import type { BlockLines } from "./retention-plan.ts";
import type { RunColumns } from "./run-columns.ts";
import type { StreamId } from "./stream-id.ts";
import { TailNode } from "./tail-node.ts";
import type { EntryPlace, NodeBounds } from "./api.ts";

const SMALL_BLOCK_BYTES = 512;
const SMALL_BLOCK_ENTRIES = 4;
const FULL_BLOCK_ENTRIES = 128;

/** A node without a live entry is gone, as in Redis: what is added next may join the one before, if that has room. So dead nodes at the end are taken
 * back (`truncateTail`); their entries would stand between.
 */
export class EntryLog implements BlockLines {
  blocks: Block[];
  /** Live entries. */
  length: number;
  /** Of all blocks, deleted entries included. */
  byteLength: number;
  nextBlockNumber: number;
  /** Only the leader's layout decisions use it. */
  readonly tailNode: TailNode;
  /** For capture. */
  dirtyBlocks: Block[];
  droppedBlocks: Block[];
  /** Where `seek` found something. */
  seekBlock: number;
  seekEntry: number;

  constructor() {
    this.blocks = [];
    this.length = 0;
    this.byteLength = 0;
    this.nextBlockNumber = 1;
    this.tailNode = new TailNode();
    this.dirtyBlocks = [];
    this.droppedBlocks = [];
    this.seekBlock = 0;
    this.seekEntry = 0;
  }

  get tail(): Block | null {
    const { blocks } = this;
    return blocks.length === 0 ? null : blocks[blocks.length - 1]!;
  }

  /** Flags of an entry of `byteCount` bytes whose fields begin at source[start]: leader only. */
  layoutFlags(
    byteCount: number,
    id: StreamId,
    elementCount: number,
    source: Uint8Array,
    start: number,
    bounds: NodeBounds,
  ): number {
    const tail = this.tail;
    let flags = this.tailNode.admit(this.blocks, id, source, start, elementCount, bounds) ? 0 : OPENS_NODE;
    if (tail === null || tail.byteLength + byteCount > BLOCK_BYTES || tail.count >= BLOCK_ENTRIES_MAX)
      flags |= OPENS_BLOCK;
    return flags;
  }

  /**
   * Appends columns[from, to); their bytes stand back to back in `source` at `offset`. A run of the leader is one entry long, a follower's
   * as long as the effect.
   */
  appendRun(source: Uint8Array, offset: number, columns: RunColumns, from: number, to: number): void {
    const lengths = columns.lengths;
    let at = from;
    while (at < to) {
      let length = lengths[at]!;
      if ((length & OPENS_BLOCK) !== 0) this.#openBlock(length & LENGTH_MASK);
      let byteCount = length & LENGTH_MASK;
      let next = at + 1;
      for (; next < to; next++) {
        length = lengths[next]!;
        if ((length & OPENS_BLOCK) !== 0) break;
        byteCount += length & LENGTH_MASK;
      }
      const tail = this.blocks[this.blocks.length - 1]!;
      tail.append(source, offset, byteCount, columns, at, next);
      this.markBlockDirty(tail);
      this.byteLength += byteCount;
      offset += byteCount;
      at = next;
    }
    this.length += to - from;
  }

  markBlockDirty(block: Block): void {
    if (block.dirty) return;
    block.dirty = true;
    if (this.dirtyBlocks.length === 0) this.dirtyBlocks = [block];
    else this.dirtyBlocks.push(block);
  }

  #openBlock(firstBytes: number): void {
    const sealed = this.tail;
    // Its fragments become one row.
    if (sealed !== null && sealed.fragments.length > 1) this.markBlockDirty(sealed);
    const block =
      sealed === null
        ? new Block(this.nextBlockNumber, Math.max(SMALL_BLOCK_BYTES, firstBytes), SMALL_BLOCK_ENTRIES)
        : new Block(this.nextBlockNumber, Math.max(BLOCK_BYTES, firstBytes), FULL_BLOCK_ENTRIES);
    this.nextBlockNumber++;
    // An array of one is one word; the first push onto an empty one makes room for seventeen, which many small streams would feel.
    if (sealed === null) this.blocks = [block];
    else this.blocks.push(block);
  }

  /** Puts the place of the first entry with an id ≥ `id`, dead or not, into seekBlock/seekEntry; behind the end: (blocks, 0). */
  seek(id: StreamId): void {
    const { blocks } = this;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (blocks[middle]!.compareAt(0, id) <= 0) low = middle + 1;
      else high = middle;
    }
    if (low === 0) {
      this.seekBlock = 0;
      this.seekEntry = 0;
      return;
    }
    const block = blocks[low - 1]!;
    const entry = block.lowerBound(id);
    if (entry < block.count) {
      this.seekBlock = low - 1;
      this.seekEntry = entry;
    } else {
      this.seekBlock = low;
      this.seekEntry = 0;
    }
  }

  has(id: StreamId): boolean {
    this.seek(id);
    if (this.seekBlock >= this.blocks.length) return false;
    const block = this.blocks[this.seekBlock]!;
    return block.compareAt(this.seekEntry, id) === 0 && block.isLive(this.seekEntry);
  }

  /** Live entries with an id < `id`. */
  countBefore(id: StreamId): number {
    this.seek(id);
    const { blocks, seekBlock } = this;
    let count = 0;
    for (let i = 0; i < seekBlock; i++) count += blocks[i]!.liveCount;
    if (seekBlock < blocks.length) count += blocks[seekBlock]!.liveBetween(0, this.seekEntry);
    return count;
  }

  /** Null when there is no live entry. Blocks without one are never kept. */
  firstLiveId(): StreamId | null {
    if (this.blocks.length === 0) return null;
    const block = this.blocks[0]!;
    return block.idAt(block.firstLive);
  }

  /** Where the live entry number `ordinal` from the front stands, or null. */
  livePlaceAt(ordinal: number): EntryPlace | null {
    let rest = ordinal;
    for (const block of this.blocks) {
      if (rest >= block.liveCount) {
        rest -= block.liveCount;
        continue;
      }
      if (block.deadCount === 0) return placeIn(block, rest);
      for (let entry = block.firstLive; ; entry++) {
        if (!block.isLive(entry)) continue;
        if (rest === 0) return placeIn(block, entry);
        rest--;
      }
    }
    return null;
  }

  /** Where the live entry with this id stands; null: there is none. */
  placeOf(id: StreamId): EntryPlace | null {
    return this.has(id) ? { id, block: this.blocks[this.seekBlock]!.number, entry: this.seekEntry } : null;
  }

  /** Where the first entry with an id ≥ `id` stands, dead or not; null: behind the end. */
  placeFrom(id: StreamId): EntryPlace | null {
    this.seek(id);
    const block = this.blocks[this.seekBlock];
    return block === undefined ? null : placeIn(block, this.seekEntry);
  }

  /** See StreamView.range. */
  range(start: StreamId, end: StreamId, limit: number, reverse: boolean): EntrySlices {
    if (this.length === 0 || limit === 0 || start.compare(end) > 0) return EntrySlices.empty;
    this.seek(start);
    const fromBlock = this.seekBlock;
    const fromEntry = this.seekEntry;
    this.seek(end);
    let toBlock = this.seekBlock;
    let toEntry = this.seekEntry;
    // Half open: behind `end` itself when that entry exists.
    if (toBlock < this.blocks.length && this.blocks[toBlock]!.compareAt(toEntry, end) === 0) {
      toEntry++;
      if (toEntry === this.blocks[toBlock]!.count) {
        toBlock++;
        toEntry = 0;
      }
    }
    return EntrySlices.between(this.blocks, fromBlock, fromEntry, toBlock, toEntry, limit, reverse);
  }

  get blockCount(): number {
    return this.blocks.length;
  }

  firstIdOf(block: number): StreamId {
    return this.blocks[block]!.idAt(0);
  }

  lastIdOf(block: number): StreamId {
    const { count } = this.blocks[block]!;
    return this.blocks[block]!.idAt(count - 1);
  }

  liveCountOf(block: number): number {
    return this.blocks[block]!.liveCount;
  }

  byteLengthOf(block: number): number {
    return this.blocks[block]!.byteLength;
  }

  /** Where the stream begins without the blocks before this one. */
  firstLiveOf(at: number): EntryPlace {
    const block = this.blocks[at]!;
    return placeIn(block, block.firstLive);
  }

  /** Counts what stands in the blocks, which came from elsewhere. */
  recount(): void {
    this.length = 0;
    this.byteLength = 0;
    for (const block of this.blocks) {
      this.length += block.liveCount;
      this.byteLength += block.byteLength;
    }
  }

  /** Makes the live entries in [from, to) of the block tombstones. */
  killBetween(blockNumber: number, from: number, to: number): void {
    const block = this.blocks[this.#indexOf(blockNumber)]!;
    const killed = block.killBetween(from, to);
    if (killed === 0) return;
    this.length -= killed;
    this.markBlockDirty(block);
  }

  /** Behind the last `killBetween` of a block: a block without a live entry goes. */
  dropIfDead(blockNumber: number): void {
    const at = this.#indexOf(blockNumber);
    if (this.blocks[at]!.liveCount === 0) this.#dropBlock(at);
  }

  /** The stream begins at this entry, or behind it if it is dead. */
  cutBefore(blockNumber: number, entry: number): void {
    const { blocks } = this;
    const whole = this.#indexOf(blockNumber);
    for (let at = 0; at < whole; at++) {
      this.length -= blocks[at]!.liveCount;
      this.#forget(blocks[at]!);
    }
    if (whole > 0) blocks.splice(0, whole);
    this.killBetween(blockNumber, 0, entry);
    this.dropIfDead(blockNumber);
  }

  cutAll(): void {
    for (const block of this.blocks) this.#forget(block);
    this.blocks = [];
    this.length = 0;
  }

  /** Leader: how many entries of the tail stay when nodes at its end of which nothing is alive are taken back (0: there is no tail). */
  countWithoutDeadNodes(): number {
    return this.tail === null ? 0 : this.tail.countWithoutDeadNodes();
  }

  /** Leader: the same for dead entries above `id`, which will be the stream's last one. */
  countWithoutDeadAbove(id: StreamId): number {
    return this.tail === null ? 0 : this.tail.countWithoutDeadAbove(id);
  }

  /** Takes back the dead entries of the tail from `count` on. */
  truncateTail(count: number): void {
    const tail = this.tail!;
    if (count === tail.count) return;
    this.byteLength -= tail.byteLength;
    tail.truncate(count);
    this.byteLength += tail.byteLength;
    this.markBlockDirty(tail);
    this.tailNode.forget();
  }

  /** After removals, `before` them the tail was this one: the tail node lives as long as the stream's newest entry does, roughly: else its fill is worked out anew. */
  checkTailNode(before: Block | null): void {
    const tail = this.tail;
    if (tail === null || tail !== before || !tail.isLive(tail.count - 1)) this.tailNode.forget();
  }

  #indexOf(blockNumber: number): number {
    const { blocks } = this;
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (blocks[middle]!.number < blockNumber) low = middle + 1;
      else high = middle;
    }
    assert(low < blocks.length && blocks[low]!.number === blockNumber, "no such block");
    return low;
  }

  #forget(block: Block): void {
    block.dropped = true;
    this.byteLength -= block.byteLength;
    if (block.fragments.length > 0) this.droppedBlocks.push(block);
  }

  #dropBlock(index: number): void {
    const block = this.blocks[index]!;
    this.#forget(block);
    this.blocks.splice(index, 1);
    // A node that began in the dropped block and goes on in the next one must not melt into the node before.
    if (block.opensCount === 0 || index >= this.blocks.length) return;
    const next = this.blocks[index]!;
    if ((next.marks[0]! & MARK_OPENS) !== 0) return;
    next.markOpens(0);
    this.markBlockDirty(next);
  }

  /** Redis' listpack nodes that hold live entries. */
  nodeCount(): number {
    let nodes = 0;
    let counted = false;
    let first = true;
    for (const block of this.blocks) {
      if (block.deadCount === 0) {
        const opensFirst = first || (block.marks[0]! & MARK_OPENS) !== 0;
        const opens = block.opensCount + (opensFirst && (block.marks[0]! & MARK_OPENS) === 0 ? 1 : 0);
        nodes += opens + (!opensFirst && !counted ? 1 : 0);
        counted = true;
      } else {
        for (let entry = 0; entry < block.count; entry++) {
          const mark = block.marks[entry]!;
          if ((mark & MARK_OPENS) !== 0 || (first && entry === 0)) counted = false;
          if ((mark & MARK_DEAD) === 0 && !counted) {
            nodes++;
            counted = true;
          }
        }
      }
      first = false;
    }
    return nodes;
  }

  verify(): void {
    let live = 0;
    let byteLength = 0;
    let previous: StreamId | null = null;
    for (const block of this.blocks) {
      assert(block.count > 0, "empty block kept");
      assert(block.count <= block.ends.length, "columns shorter than the block");
      assert(block.ends[block.count - 1] === block.byteLength, "last offset is not the block's length");
      let dead = 0;
      let opens = 0;
      for (let entry = 0; entry < block.count; entry++) {
        const id = block.idAt(entry);
        assert(previous === null || previous.compare(id) < 0, "ids out of order");
        previous = id;
        if (!block.isLive(entry)) dead++;
        if ((block.marks[entry]! & MARK_OPENS) !== 0) opens++;
        assert(block.bytes[block.startOf(entry)] === 42, "entry does not begin with an array");
      }
      assert(dead === block.deadCount, "tombstones miscounted");
      assert(opens === block.opensCount, "node boundaries miscounted");
      assert(dead < block.count, "dead block kept");
      assert(block.isLive(block.firstLive), "first live entry is dead");
      assert(block.liveBetween(0, block.firstLive) === 0, "live entry before the first live one");
      assert(!block.dropped, "dropped block kept");
      live += block.liveCount;
      byteLength += block.byteLength;
    }
    assert(byteLength === this.byteLength, "bytes of the blocks miscounted");
    assert(live === this.length, "length is not the number of live entries");
  }
}

function placeIn(block: Block, entry: number): EntryPlace {
  return { id: block.idAt(entry), block: block.number, entry };
}
