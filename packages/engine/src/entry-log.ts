/**
 * The entries of one stream: blocks in id order, appended at the end, killed anywhere, cut at the front. Every change here is part of
 * `apply`: no settings, no clock, and nothing that may not be in memory. The two decisions that depend on settings (does an entry open a node, a
 * block?) are made by `layoutFlags` on the leader and come back as flags in the run.
 *
 * A node without a live entry is gone, as in Redis: what is added next may join the one before, if that has room. So dead nodes at the end are taken
 * back (`truncateTail`); their entries would stand between.
 */
import { assert, type ByteReader, type ByteWriter } from "@headrace/bytes";
import type { EntryPlace, NodeBounds } from "./api.ts";
import { Block, BLOCK_ENTRIES_MAX, type BlockEnd, MARK_OPENS, type DroppedBlock, PAGE_BITS } from "./block.ts";
import { BLOCK_BYTES } from "./block-bytes.ts";
import { BlockList } from "./block-list.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { LENGTH_MASK, OPENS_BLOCK, OPENS_NODE } from "./effect-format.ts";
import { verifyEntryLog } from "./entry-log-verification.ts";
import { EntrySlices } from "./entry-slices.ts";
import type { LagGauge } from "./lag-gauge.ts";
import type { BlockLines } from "./retention-plan.ts";
import type { RunColumns } from "./run-columns.ts";
import { NUMBER_TURN } from "./state-rows.ts";
import { MIN_ID, StreamId } from "./stream-id.ts";
import { TailNode } from "./tail-node.ts";

const SMALL_BLOCK_BYTES = 512;
const SMALL_BLOCK_ENTRIES = 4;
const FULL_BLOCK_ENTRIES = 128;
export class EntryLog implements BlockLines {
  readonly blocks: BlockList;
  /** Live entries. */
  length: number;
  /** Of all blocks, deleted entries included. */
  byteLength: number;
  nextBlockNumber: number;
  /** Only the leader's layout decisions use it. */
  readonly tailNode: TailNode;
  /** For capture. */
  dirtyBlocks: Block[];
  droppedBlocks: DroppedBlock[];
  dirtyPages: Set<number> | null;
  /** Where `seek` found something. */
  seekBlock: number;
  seekEntry: number;
  /** What limits of lag count; null for most. No part of the state. */
  gauges: readonly LagGauge[] | null;
  /** The id of an entry at the front, as long as the stream begins there: its block may not be in memory. */
  #front: EntryPlace | null;

  constructor(meter: DirtyMeter) {
    this.blocks = new BlockList(meter, this);
    this.length = 0;
    this.byteLength = 0;
    this.nextBlockNumber = 1;
    this.tailNode = new TailNode();
    this.dirtyBlocks = [];
    this.droppedBlocks = [];
    this.dirtyPages = null;
    this.seekBlock = 0;
    this.seekEntry = 0;
    this.gauges = null;
    this.#front = null;
  }

  get tail(): Block | null {
    return this.blocks.tail;
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
    const bytesBefore = this.byteLength;
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
      const tail = this.blocks.tail!;
      const { bytes, ends } = tail;
      tail.append(source, offset, byteCount, columns, at, next, this.blocks.meter.pool.memory);
      if (tail.bytes !== bytes || tail.ends !== ends) this.blocks.account(tail);
      this.markBlockDirty(tail);
      this.byteLength += byteCount;
      offset += byteCount;
      at = next;
    }
    this.length += to - from;
    if (this.gauges !== null) for (const gauge of this.gauges) gauge.appended(to - from, this.byteLength - bytesBefore);
  }

  markBlockDirty(block: Block): void {
    if (block.dirty) return;
    block.dirty = true;
    if (this.dirtyBlocks.length === 0) this.dirtyBlocks = [block];
    else this.dirtyBlocks.push(block);
  }

  markPageDirty(blockNumber: number): void {
    this.dirtyPages ??= new Set();
    this.dirtyPages.add(blockNumber >>> PAGE_BITS);
  }

  #openBlock(firstBytes: number): void {
    const sealed = this.tail;
    if (sealed !== null) {
      // Its fragments become one row, if they are there to be written.
      if (sealed.fragments.length > 1 && sealed.hollow === 0) this.markBlockDirty(sealed);
      this.markPageDirty(sealed.number);
      // Still in the processor's cache, and one by one: a capture of many would stop everything for it.
      if (sealed.hollow === 0) sealed.contentCrc();
    } else if (this.nextBlockNumber >= NUMBER_TURN) {
      this.goBackTo(1);
    }
    const { memory } = this.blocks.meter.pool;
    const block =
      sealed === null
        ? new Block(this.nextBlockNumber, memory.take(Math.max(SMALL_BLOCK_BYTES, firstBytes)), SMALL_BLOCK_ENTRIES)
        : new Block(this.nextBlockNumber, memory.take(Math.max(BLOCK_BYTES, firstBytes)), FULL_BLOCK_ENTRIES);
    this.nextBlockNumber++;
    this.blocks.push(block);
  }

  // ── reads ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts the place of the first entry with an id ≥ `id`, dead or not, into seekBlock/seekEntry; behind the end: (blocks, 0). */
  seek(id: StreamId): void {
    const { blocks } = this;
    const at = blocks.lastBeginningAt(id);
    if (at < 0) {
      this.seekBlock = 0;
      this.seekEntry = 0;
      return;
    }
    const entry = this.#entryFrom(at, id);
    if (entry < blocks.countAt(at)) {
      this.seekBlock = at;
      this.seekEntry = entry;
    } else {
      this.seekBlock = at + 1;
      this.seekEntry = 0;
    }
  }

  /** First entry of the block, which begins at or before `id`, with an id ≥ `id`. */
  #entryFrom(at: number, id: StreamId): number {
    const { blocks } = this;
    const block = blocks.slots[at]!;
    if (block !== null && block.knowsPlaceOf(id)) return block.lowerBound(id);
    if (blocks.compareFirst(at, id) === 0) return 0;
    const fromLast = blocks.lastIdAt(at).compare(id);
    if (fromLast < 0) return blocks.countAt(at);
    return fromLast === 0 ? blocks.countAt(at) - 1 : blocks.whole(at).lowerBound(id);
  }

  has(id: StreamId): boolean {
    const { blocks } = this;
    this.seek(id);
    const at = this.seekBlock;
    if (at >= blocks.length) return false;
    const block = blocks.slots[at]!;
    const isIt = this.seekEntry === 0 ? blocks.compareFirst(at, id) === 0 : this.#isEntry(at, this.seekEntry, id);
    return isIt && (block === null || block.isLive(this.seekEntry));
  }

  #isEntry(at: number, entry: number, id: StreamId): boolean {
    const block = this.blocks.slots[at]!;
    if (block !== null && entry >= block.hollow) return block.compareAt(entry, id) === 0;
    // `seek` comes to an entry that is not in memory only by the last id of what is not.
    return (block === null ? this.blocks.lastIdAt(at) : block.hollowLastId).equals(id);
  }

  /** Has all blocks in memory that hold one of these ids, as far as it may lie inside. */
  needEntries(ids: readonly StreamId[]): void {
    const { blocks } = this;
    if (blocks.coldCount === 0) return;
    const wanted = new Set<number>();
    for (const id of ids) {
      const at = blocks.lastBeginningAt(id);
      if (at >= 0 && !blocks.isWhole(at) && blocks.lastIdAt(at).compare(id) >= 0) wanted.add(at);
    }
    blocks.needThese([...wanted]);
  }

  /** Live entries with an id < `id`. */
  countBefore(id: StreamId): number {
    this.seek(id);
    const { blocks, seekBlock, seekEntry } = this;
    let count = 0;
    for (let i = 0; i < seekBlock; i++) count += blocks.liveAt(i);
    if (seekEntry > 0) {
      count += blocks.hasDeadAt(seekBlock) ? blocks.slots[seekBlock]!.liveBetween(0, seekEntry) : seekEntry;
    }
    return count;
  }

  /** Null when there is no live entry. Blocks without one are never kept. */
  firstLiveId(): StreamId | null {
    const { blocks } = this;
    if (blocks.length === 0) return null;
    const block = blocks.slots[0]!;
    if (block === null || block.firstLive === 0) return blocks.firstIdAt(0);
    if (block.firstLive >= block.hollow) return block.idAt(block.firstLive);
    return this.#knownFront()?.id ?? blocks.whole(0).idAt(block.firstLive);
  }

  /** Before the block leaves memory: what it says of the stream's front and of its last node stays known. */
  evict(block: Block): number {
    const { blocks } = this;
    // Of a part that has left before it is known already, or has to be read.
    const { firstLive } = block;
    if (blocks.slots[0] === block && firstLive > 0 && firstLive >= block.hollow)
      this.#front = placeIn(block, firstLive);
    this.tailNode.leavesMemory(block, blocks);
    return blocks.evict(block);
  }

  /** What is known beside the rows of entries that are not in memory, for who packs the stream: its front and its last node. Nothing when nothing is. */
  writeKnown(writer: ByteWriter): void {
    const front = this.#knownFront();
    const { tailNode } = this;
    if (front === null && !tailNode.isWritten) return;
    writer.u8(front === null ? 0 : 1);
    if (front !== null) front.id.write(writer);
    tailNode.write(writer);
  }

  /** What `writeKnown` has written, up to the reader's end, of a stream with the same entries. */
  readKnown(reader: ByteReader): void {
    const block = this.blocks.slots[0];
    if (reader.u8() === 1) this.#front = { id: StreamId.read(reader), block: block!.number, entry: block!.firstLive };
    if (reader.remaining > 0) this.tailNode.read(reader);
  }

  #knownFront(): EntryPlace | null {
    const front = this.#front;
    const block = this.blocks.length === 0 ? null : this.blocks.slots[0]!;
    if (front === null || block === null || block.firstLive === 0) return null;
    return front.block === block.number && front.entry === block.firstLive ? front : null;
  }

  /** Where the live entry number `ordinal` from the front stands, or null. */
  livePlaceAt(ordinal: number): EntryPlace | null {
    let rest = ordinal;
    const { blocks } = this;
    for (let at = 0; at < blocks.length; at++) {
      const live = blocks.liveAt(at);
      if (rest >= live) {
        rest -= live;
        continue;
      }
      if (!blocks.hasDeadAt(at)) {
        if (rest === 0) return { id: blocks.firstIdAt(at), block: blocks.numberAt(at), entry: 0 };
        return placeIn(blocks.whole(at), rest);
      }
      const block = blocks.whole(at);
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
    return this.has(id) ? { id, block: this.blocks.numberAt(this.seekBlock), entry: this.seekEntry } : null;
  }

  /** Where the first entry with an id ≥ `id` stands, dead or not; null: behind the end. */
  placeFrom(id: StreamId): EntryPlace | null {
    const { blocks } = this;
    this.seek(id);
    const { seekBlock, seekEntry } = this;
    if (seekBlock >= blocks.length) return null;
    if (seekEntry === 0) return { id: blocks.firstIdAt(seekBlock), block: blocks.numberAt(seekBlock), entry: 0 };
    return placeIn(blocks.whole(seekBlock), seekEntry);
  }

  /** See StreamView.range. */
  range(start: StreamId, end: StreamId, limit: number, reverse: boolean): EntrySlices {
    if (this.length === 0 || limit === 0 || start.compare(end) > 0) return EntrySlices.empty;
    const { blocks } = this;
    const low = Math.max(0, blocks.lastBeginningAt(start));
    const high = blocks.lastBeginningAt(end);
    if (high < low) return EntrySlices.empty;
    const wanted = limit < 0 ? Number.POSITIVE_INFINITY : limit;
    if (blocks.coldCount === 0) {
      const slices = this.#between(low, high, start, end, wanted, reverse);
      slices.touch(blocks.meter.pool);
      return slices;
    }
    const [first, last] = reverse ? this.#needBack(low, high, end, wanted) : this.#needOn(low, high, start, wanted);
    // Beyond what is needed nobody looks: those ends are whole blocks.
    return this.#between(first, last, first === low ? start : MIN_ID, last === high ? end : null, wanted, reverse);
  }

  /** Of blocks first … last what lies between the ids, `end` included; null: all. */
  #between(
    first: number,
    last: number,
    start: StreamId,
    end: StreamId | null,
    wanted: number,
    reverse: boolean,
  ): EntrySlices {
    const { blocks } = this;
    let fromBlock = first;
    let fromEntry = 0;
    if (blocks.compareFirst(first, start) < 0) {
      fromEntry = this.#entryFrom(first, start);
      if (fromEntry === blocks.countAt(first)) {
        fromBlock++;
        fromEntry = 0;
      }
    }
    let toBlock = last + 1;
    let toEntry = 0;
    if (end !== null) {
      // Half open: behind `end` itself when that entry exists.
      toEntry = this.#entryFrom(last, end);
      if (toEntry < blocks.countAt(last) && this.#isAt(last, toEntry, end)) toEntry++;
      if (toEntry < blocks.countAt(last)) toBlock = last;
      else toEntry = 0;
    }
    return EntrySlices.between(blocks.slots, fromBlock, fromEntry, toBlock, toEntry, wanted, reverse);
  }

  #isAt(at: number, entry: number, id: StreamId): boolean {
    return entry === 0 ? this.blocks.compareFirst(at, id) === 0 : this.#isEntry(at, entry, id);
  }

  /** Has in memory what a read from `start` on needs of blocks low … high; answers the first and the last of them that it needs. */
  #needOn(low: number, high: number, start: StreamId, wanted: number): [number, number] {
    const { blocks } = this;
    let last = low;
    // What lies behind a hollow part can be read without it.
    const first = blocks.slots[low]!;
    const isBehind = first !== null && first.hollow > 0 && first.hollowLastId.compare(start) < 0;
    if (wanted === Number.POSITIVE_INFINITY) {
      last = high;
    } else {
      let found = 0;
      if (isBehind || blocks.isWhole(low)) found = first!.liveBetween(first!.lowerBound(start), first!.count);
      else if (blocks.compareFirst(low, start) >= 0) found = blocks.liveAt(low);
      while (last < high && found < wanted) found += blocks.liveAt(++last);
    }
    blocks.need(isBehind ? low + 1 : low, last + 1, Number.isFinite(wanted) ? 1 : 0);
    return [low, last];
  }

  /** The same backwards from `end` on. */
  #needBack(low: number, high: number, end: StreamId, wanted: number): [number, number] {
    const { blocks } = this;
    let first = high;
    if (wanted === Number.POSITIVE_INFINITY) {
      first = low;
    } else {
      const block = blocks.slots[high]!;
      let found = 0;
      if (blocks.isWhole(high)) {
        const entry = block!.lowerBound(end);
        found = block!.liveBetween(0, entry);
        if (entry < block!.count && block!.compareAt(entry, end) === 0 && block!.isLive(entry)) found++;
      } else if (blocks.lastIdAt(high).compare(end) <= 0) {
        found = blocks.liveAt(high);
      }
      while (first > low && found < wanted) found += blocks.liveAt(--first);
    }
    blocks.need(first, high + 1, Number.isFinite(wanted) ? -1 : 0);
    return [first, high];
  }

  // ── what retention looks at: lines alone ────────────────────────────────────────────────────────────────────────────────────────

  get blockCount(): number {
    return this.blocks.length;
  }

  firstIdOf(at: number): StreamId {
    return this.blocks.firstIdAt(at);
  }

  lastIdOf(at: number): StreamId {
    return this.blocks.lastIdAt(at);
  }

  liveCountOf(at: number): number {
    return this.blocks.liveAt(at);
  }

  byteLengthOf(at: number): number {
    return this.blocks.entryBytesAt(at);
  }

  /** Where the stream begins without the blocks before this one, or behind it when that one is dead. */
  firstOf(at: number): EntryPlace {
    return { id: this.blocks.firstIdAt(at), block: this.blocks.numberAt(at), entry: 0 };
  }

  /** Numbers from this one on are given again: after a rollback, and when an empty stream has used up half of them. */
  goBackTo(nextBlockNumber: number): void {
    this.nextBlockNumber = nextBlockNumber;
    this.#front = null;
  }

  /** Counts what stands in the blocks, which came from elsewhere. */
  recount(): void {
    this.#forgetLags();
    this.length = 0;
    this.byteLength = 0;
    for (let at = 0; at < this.blocks.length; at++) {
      this.length += this.blocks.liveAt(at);
      this.byteLength += this.blocks.entryBytesAt(at);
    }
  }

  #forgetLags(): void {
    if (this.gauges !== null) for (const gauge of this.gauges) gauge.forget();
  }

  // ── removals ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes the live entries in [from, to) of the block tombstones. */
  killBetween(blockNumber: number, from: number, to: number): void {
    const block = this.blocks.shell(this.#indexOf(blockNumber));
    if (this.gauges !== null) for (const gauge of this.gauges) gauge.kills(block, from, to);
    const killed = block.killBetween(from, to);
    if (killed === 0) return;
    this.length -= killed;
    this.markBlockDirty(block);
  }

  /** Behind the last `killBetween` of a block: a block without a live entry goes. */
  dropIfDead(blockNumber: number): void {
    const at = this.#indexOf(blockNumber);
    if (this.blocks.liveAt(at) === 0) this.#dropBlock(at);
  }

  /** The stream begins at this entry, or behind it if it is dead. */
  cutBefore(place: EntryPlace): void {
    const { blocks } = this;
    const whole = this.#indexOf(place.block);
    this.#forget(whole);
    if (whole > 0) blocks.remove(0, whole);
    if (place.entry > 0) this.killBetween(place.block, 0, place.entry);
    this.dropIfDead(place.block);
    this.#front = place;
  }

  cutAll(): void {
    const { blocks } = this;
    this.#forget(blocks.length);
    blocks.remove(0, blocks.length);
  }

  /**
   * Leader, who has changed something already: where the tail ends when nodes at its end of which nothing is alive are taken back, or, if `lastId`
   * is given, dead entries above it. Null: as it does, or there is none.
   */
  tailEnd(lastId: StreamId | null): BlockEnd | null {
    const { blocks, tail } = this;
    if (tail === null || tail.isLive(tail.count - 1)) return null;
    const block = blocks.wholeNow(blocks.length - 1);
    const count = lastId === null ? block.countWithoutDeadNodes() : block.countWithoutDeadAbove(lastId);
    return count === block.count ? null : block.endAt(count);
  }

  /** Takes back the dead entries at the tail's end. */
  truncateTail(end: BlockEnd): void {
    const { blocks } = this;
    const tail = blocks.tail!;
    this.#forgetLags();
    this.byteLength += end.byteLength - tail.byteLength;
    tail.truncate(end);
    blocks.account(tail);
    this.markBlockDirty(tail);
    this.tailNode.forget();
  }

  /** After removals, before them the tail was this one: the tail node lives as long as the stream's newest entry does, roughly: else its fill is worked
   * out anew. */
  checkTailNode(before: Block | null): void {
    const tail = this.tail;
    if (tail === null || tail !== before || !tail.isLive(tail.count - 1)) this.tailNode.forget();
  }

  #indexOf(blockNumber: number): number {
    const at = this.blocks.indexOf(blockNumber);
    assert(at >= 0, "no such block");
    return at;
  }

  /** The first `count` blocks are about to go. */
  #forget(count: number): void {
    for (let at = 0; at < count; at++) this.#forgetAt(at);
  }

  #forgetAt(at: number): void {
    const { blocks } = this;
    this.length -= blocks.liveAt(at);
    this.byteLength -= blocks.entryBytesAt(at);
    const block = blocks.slots[at]!;
    const number = blocks.numberAt(at);
    if (this.gauges !== null)
      for (const gauge of this.gauges) gauge.drops(number, blocks.liveAt(at), blocks.entryBytesAt(at));
    this.markPageDirty(number);
    if (block === null) {
      this.droppedBlocks.push({ number, fragments: [0], marksPersisted: false });
      return;
    }
    block.dropped = true;
    if (block.fragments.length > 0) this.droppedBlocks.push(block);
  }

  #dropBlock(at: number): void {
    const { blocks } = this;
    const opensCount = blocks.opensCountAt(at);
    this.#forgetAt(at);
    blocks.remove(at, 1);
    if (at >= blocks.length) {
      // What was sealed is the tail now: its page no longer has it.
      if (at > 0) this.markPageDirty(blocks.numberAt(at - 1));
      return;
    }
    // A node that began in the dropped block and goes on in the next one must not melt into the node before.
    if (opensCount === 0 || blocks.opensFirstAt(at)) return;
    const next = blocks.shell(at);
    next.openFirst();
    this.markBlockDirty(next);
    this.markPageDirty(next.number);
  }

  /** Redis' listpack nodes that hold live entries. */
  nodeCount(): number {
    const { blocks } = this;
    this.#needMarks();
    let nodes = 0;
    let counted = false;
    for (let at = 0; at < blocks.length; at++) {
      const opensFirst = at === 0 || blocks.opensFirstAt(at);
      if (!blocks.hasDeadAt(at)) {
        const opens = blocks.opensCountAt(at) + (opensFirst && !blocks.opensFirstAt(at) ? 1 : 0);
        nodes += opens + (!opensFirst && !counted ? 1 : 0);
        counted = true;
        continue;
      }
      const block = blocks.slots[at]!;
      for (let entry = 0; entry < block.count; entry++) {
        if (entry === 0 ? opensFirst : (block.marks[entry]! & MARK_OPENS) !== 0) counted = false;
        if (block.isLive(entry) && !counted) {
          nodes++;
          counted = true;
        }
      }
    }
    return nodes;
  }

  /** Where nodes begin is asked of blocks with tombstones entry by entry. */
  #needMarks(): void {
    const { blocks } = this;
    if (blocks.coldCount === 0) return;
    const wanted: number[] = [];
    for (let at = 0; at < blocks.length; at++) if (blocks.hasDeadAt(at) && !blocks.isWhole(at)) wanted.push(at);
    blocks.needThese(wanted);
  }

  verify(): void {
    verifyEntryLog(this);
  }
}

function placeIn(block: Block, entry: number): EntryPlace {
  return { id: block.idAt(entry), block: block.number, entry };
}
