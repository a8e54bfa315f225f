/**
 * The blocks of one stream in the order of their ids, in memory or not, with what is known of each either way. Three forms of a block: whole; hollow
 * (block.ts), when it is the last one, has tombstones or several rows; else a line of the index, where `slots` has a null.
 *
 * A reader says which blocks it needs (`need`); whoever may run again gets a ColdMiss that names all of them, the others wait for the store. `apply`
 * never needs any.
 */
import { assert } from "@headrace/bytes";
import { ColdMiss, type WantedBlock } from "./cold-api.ts";
import { Block, type BlockLine, type BlockOwner } from "./block.ts";
import { BlockIndex } from "./block-index.ts";
import { fillBlock, type Fragment, fragmentNow } from "./cold-block.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { StreamId } from "./stream-id.ts";

/** Of each block, in memory or not: its line and its slot. */
export const BLOCK_LINE_BYTES = 80;
/** So many rows of one block are too many to go on with. */
const FRAGMENTS_MAX = 16;
/** A block's object, without its arrays. */
export const BLOCK_SHELL_BYTES = 400;

export class BlockList {
  /** Which key's they are, as rows name it. */
  slot: number;
  age: number;
  /** Null: only its line is there. */
  slots: (Block | null)[];
  /** How many are not whole. */
  coldCount: number;
  readonly meter: DirtyMeter;
  readonly #owner: BlockOwner;
  #index: BlockIndex;

  constructor(meter: DirtyMeter, owner: BlockOwner) {
    this.slot = 0;
    this.age = 0;
    this.slots = [];
    this.coldCount = 0;
    this.meter = meter;
    this.#owner = owner;
    this.#index = NO_INDEX;
  }

  get length(): number {
    return this.slots.length;
  }

  /** The last one is never a line. */
  get tail(): Block | null {
    const { slots } = this;
    return slots.length === 0 ? null : slots[slots.length - 1]!;
  }

  push(block: Block): void {
    const { slots } = this;
    // An array of one is one word; the first push onto an empty one makes room for seventeen, which many small streams would feel.
    if (slots.length === 0) this.slots = [block];
    else slots.push(block);
    this.meter.fixedBytes += BLOCK_LINE_BYTES;
    this.account(block);
  }

  /** Takes `count` blocks out from `at` on. */
  remove(at: number, count: number): void {
    for (let i = at; i < at + count; i++) {
      const block = this.slots[i]!;
      if (!this.isWhole(i)) this.coldCount--;
      if (block !== null) this.#release(block);
    }
    this.meter.fixedBytes -= BLOCK_LINE_BYTES * count;
    this.slots.splice(at, count);
    this.#index.remove(at, count);
    if (this.slots.length > 0) this.shell(this.slots.length - 1);
  }

  /** The stream is gone: what is counted for its blocks is taken back. */
  releaseAll(): void {
    for (const block of this.slots) if (block !== null) this.#release(block);
    this.meter.fixedBytes -= BLOCK_LINE_BYTES * this.slots.length;
  }

  #release(block: Block): void {
    this.meter.pool.remove(block);
    this.meter.pool.blockBytes -= block.heldBytes;
    this.meter.fixedBytes -= block.shellBytes;
    block.heldBytes = 0;
    block.shellBytes = 0;
  }

  /** Its arrays have grown, come or gone. */
  account(block: Block): void {
    const { bytes, ids, ends, marks } = block;
    const isShell = bytes.length === 0;
    const held = isShell ? 0 : bytes.length + ids.byteLength + ends.byteLength + marks.length;
    const shell = isShell ? marks.length + BLOCK_SHELL_BYTES : 0;
    this.meter.pool.blockBytes += held - block.heldBytes;
    this.meter.fixedBytes += shell - block.shellBytes;
    block.heldBytes = held;
    block.shellBytes = shell;
  }

  // ── what is known of all ────────────────────────────────────────────────────────────────────────────────────────────────────────

  numberAt(at: number): number {
    const block = this.slots[at]!;
    return block === null ? this.#index.number(at) : block.number;
  }

  countAt(at: number): number {
    const block = this.slots[at]!;
    return block === null ? this.#index.count(at) : block.count;
  }

  liveAt(at: number): number {
    const block = this.slots[at]!;
    return block === null ? this.#index.count(at) : block.count - block.deadCount;
  }

  hasDeadAt(at: number): boolean {
    const block = this.slots[at]!;
    return block !== null && block.deadCount > 0;
  }

  entryBytesAt(at: number): number {
    const block = this.slots[at]!;
    return block === null ? this.#index.entryBytes(at) : block.byteLength;
  }

  opensCountAt(at: number): number {
    const block = this.slots[at]!;
    return block === null ? this.#index.opensCount(at) : block.opensCount;
  }

  opensFirstAt(at: number): boolean {
    const block = this.slots[at]!;
    return block === null ? this.#index.opensFirst(at) : block.opensFirst;
  }

  firstIdAt(at: number): StreamId {
    const block = this.slots[at]!;
    return block === null ? this.#index.firstId(at) : block.firstId;
  }

  lastIdAt(at: number): StreamId {
    const block = this.slots[at]!;
    return block === null ? this.#index.lastId(at) : block.lastId;
  }

  /** Sign of (first id − id). */
  compareFirst(at: number, id: StreamId): number {
    const block = this.slots[at]!;
    if (block === null) return this.#index.firstId(at).compare(id);
    return block.hollow > 0 ? block.hollowFirstId.compare(id) : block.compareAt(0, id);
  }

  lineAt(at: number): BlockLine {
    const block = this.slots[at]!;
    return block === null ? this.#index.get(at) : block.line;
  }

  /** First place of a block with a number ≥ `number`. */
  lowerBound(number: number): number {
    let low = 0;
    let high = this.slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.numberAt(middle) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** −1: there is none, or no longer. */
  indexOf(number: number): number {
    const at = this.lowerBound(number);
    return at < this.slots.length && this.numberAt(at) === number ? at : -1;
  }

  /** Last place of a block that begins at or before `id`; −1 when there is none. */
  lastBeginningAt(id: StreamId): number {
    let low = 0;
    let high = this.slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareFirst(middle, id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  isWhole(at: number): boolean {
    const block = this.slots[at]!;
    return block !== null && block.hollow === 0;
  }

  /** The block, hollow perhaps: for who changes what is known of it. */
  shell(at: number): Block {
    let block = this.slots[at]!;
    if (block !== null) return block;
    block = Block.shell(this.#index.get(at));
    this.slots[at] = block;
    this.account(block);
    return block;
  }

  /** The block with all that is in it. */
  whole(at: number): Block {
    this.need(at, at + 1);
    return this.slots[at]!;
  }

  /** The same for who has changed something already. */
  wholeNow(at: number): Block {
    if (!this.isWhole(at)) this.#readNow(at);
    return this.slots[at]!;
  }

  /** All blocks in [from, to). `step`: 1 or −1 when a reader goes on that way; 0: nobody does. */
  need(from: number, to: number, step: -1 | 0 | 1 = 0): void {
    const { pool } = this.meter;
    let wanted: number[] | null = null;
    for (let at = from; at < to; at++) {
      const block = this.slots[at]!;
      if (block !== null && block.hollow === 0) pool.touch(block);
      else if (wanted === null) wanted = [at];
      else wanted.push(at);
    }
    if (wanted !== null) this.needThese(wanted, step);
    else if (step !== 0 && from < to) this.#passed(step > 0 ? to - 1 : from, step);
  }

  /** Before it has to wait somebody may see that it comes along. */
  #passed(at: number, step: -1 | 1): void {
    const { coldReads } = this.meter.pool;
    if (coldReads === null || !coldReads.mayMiss) return;
    const ahead: ColdMiss["ahead"] = (count, bytesMax) => this.#ahead(at + step, step, count, bytesMax);
    coldReads.passed({ last: this.#wantedAt(at), step, ahead });
  }

  /** Places of blocks that are not whole, ascending. */
  needThese(wanted: readonly number[], step: -1 | 0 | 1 = 0): void {
    if (wanted.length === 0) return;
    if (this.meter.pool.coldReads?.mayMiss === true) {
      const from = (step < 0 ? wanted[0]! : wanted.at(-1)!) + step;
      throw new ColdMiss(
        wanted.map((at) => this.#wantedAt(at)),
        step,
        (count, bytesMax) => (step === 0 ? [] : this.#ahead(from, step, count, bytesMax)),
      );
    }
    for (const at of wanted) this.#readNow(at);
  }

  #ahead(from: number, step: -1 | 1, count: number, bytesMax: number): WantedBlock[] {
    const ahead: WantedBlock[] = [];
    let bytes = 0;
    for (let i = 0, at = from; i < count && at >= 0 && at < this.slots.length; i++, at += step) {
      bytes += this.entryBytesAt(at);
      if (bytes > bytesMax) break;
      if (!this.isWhole(at)) ahead.push(this.#wantedAt(at));
    }
    return ahead;
  }

  #wantedAt(at: number): WantedBlock {
    return { slot: this.slot, age: this.age, number: this.numberAt(at), byteLength: this.entryBytesAt(at) };
  }

  /** Puts in what was read of it. Throws DamagedRowError; then it is as it was. */
  fill(at: number, fragmentAt: (first: number) => Fragment): void {
    const block = this.shell(at);
    fillBlock(block, fragmentAt, this.meter.pool.memory);
    this.coldCount--;
    this.account(block);
    if (!block.dirty) this.meter.pool.add(block, this.#owner);
  }

  /** It is whole, and the store has it in so many rows that they should become one. */
  isScattered(at: number): boolean {
    const block = this.slots[at]!;
    return block !== null && block.hollow === 0 && block.fragments.length >= FRAGMENTS_MAX;
  }

  #readNow(at: number): void {
    const { coldReads } = this.meter.pool;
    assert(coldReads !== null, "a block has left memory, and nobody can read it");
    const number = this.numberAt(at);
    this.fill(at, (first) => fragmentNow(coldReads, this.slot, this.age, number, first));
  }

  /** It was captured at this index: it may go when that is durable. */
  captured(block: Block, index: number): void {
    block.capturedIndex = index;
    if (block.heldBytes > 0) this.meter.pool.add(block, this.#owner);
  }

  /** The block is clean, and whole or hollow only in part. Answers how many bytes became free. */
  evict(block: Block): number {
    const at = this.indexOf(block.number);
    assert(this.slots[at] === block && !block.dirty, "only clean blocks leave memory");
    const { heldBytes } = block;
    if (block.hollow === 0) this.coldCount++;
    // Between batches: what was read of it is written out.
    this.meter.pool.memory.give(block.hollowOut());
    this.meter.pool.remove(block);
    this.account(block);
    this.#settle(at);
    // What trickles in leaves a row each time that it goes.
    if (block.fragments.length >= FRAGMENTS_MAX) this.meter.pool.coldReads?.wantsSoon(this.#wantedAt(at));
    return heldBytes;
  }

  /** A block that is nowhere in memory becomes a line if that says all of it. */
  #settle(at: number): void {
    const block = this.slots[at]!;
    const isLine =
      at < this.slots.length - 1 && block.deadCount === 0 && !block.marksPersisted && block.fragments.length === 1;
    if (!isLine) return;
    if (this.#index === NO_INDEX) this.#index = new BlockIndex();
    this.#index.reserve(this.slots.length);
    this.#index.put(at, block.line);
    this.meter.fixedBytes -= block.shellBytes;
    block.shellBytes = 0;
    this.slots[at] = null;
  }

  /** From the store: these are all blocks now, the first `count` of the index and the last one; none is in memory. The index is this list's from now on. */
  adoptLines(index: BlockIndex, count: number, tail: Block | null): void {
    this.#index = count === 0 ? NO_INDEX : index;
    this.slots = [];
    for (let at = 0; at < count; at++) this.slots.push(null);
    if (tail !== null) this.slots.push(tail);
    this.coldCount = this.slots.length;
  }

  /** Right behind that: a block that is more than a line, which is in memory neither. */
  adoptShell(shell: Block): void {
    this.slots[this.indexOf(shell.number)] = shell;
  }

  /** What was adopted counts from now on. */
  accountAll(): void {
    for (const block of this.slots) {
      if (block === null) continue;
      this.account(block);
      if (block.heldBytes > 0 && !block.dirty) this.meter.pool.add(block, this.#owner);
    }
    this.meter.fixedBytes += BLOCK_LINE_BYTES * this.slots.length;
  }

  /** Rollback: the blocks without these numbers, and with those. */
  replace(numbers: ReadonlySet<number>, blocks: readonly (Block | BlockLine)[]): void {
    const all: (Block | BlockLine)[] = [...blocks];
    for (let at = 0; at < this.slots.length; at++) {
      const block = this.slots[at]!;
      const number = this.numberAt(at);
      if (!numbers.has(number)) all.push(block ?? this.#index.get(at));
      else if (block !== null) this.meter.pool.remove(block);
    }
    all.sort((a, b) => a.number - b.number);
    this.#adopt(all);
  }

  /** These are all blocks now, ascending; those that are no block yet are not in memory. */
  #adopt(blocks: readonly (Block | BlockLine)[]): void {
    this.slots = [];
    this.coldCount = 0;
    this.#index = NO_INDEX;
    if (blocks.length > 1) {
      this.#index = new BlockIndex();
      this.#index.reserve(blocks.length);
    }
    blocks.forEach((block, at) => {
      const isLast = at === blocks.length - 1;
      if (!(block instanceof Block) && !isLast && block.fragments.length === 1) {
        this.#index.put(at, block);
        this.slots.push(null);
        this.coldCount++;
        return;
      }
      const shell = block instanceof Block ? block : Block.shell(block);
      this.slots.push(shell);
      if (shell.hollow > 0) this.coldCount++;
    });
  }
}

/** Of streams that never had a line; never written. */
const NO_INDEX = new BlockIndex();
