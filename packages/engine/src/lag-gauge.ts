/**
 * How much of a stream lies behind one position, live entries or stored bytes, kept up to date by what happens to the stream: asking costs nothing while the
 * position stays, and a walk over the blocks that it has passed when it moves. Made by who asks (the leader's XADD of a stream with a limit), forgotten
 * with the stream's object, and no part of the state: replicas that have none apply the same effects.
 *
 * Entries are exact: where the count begins inside a block, that block has to be in memory (ColdMiss). Bytes go by lines: a block that is not in memory counts
 * as a whole, so they are at most a block too many; deleted entries count as long as their block holds them, as they do for retention.
 */
import type { Block } from "./block.ts";
import type { EntryLog } from "./entry-log.ts";
import type { StreamId } from "./stream-id.ts";

export type LagUnit = "entries" | "bytes";

export class LagGauge {
  readonly #log: EntryLog;
  readonly #unit: LagUnit;
  /** Null: it has to be counted anew. */
  #position: StreamId | null;
  /** Where what is counted begins: number of the block, and which entry of it, the one behind its last one perhaps. 0: there was no block. */
  #block: number;
  #entry: number;
  /** Bytes of the block before that entry: the block may leave memory. */
  #skippedBytes: number;
  #behind: number;

  constructor(log: EntryLog, unit: LagUnit) {
    this.#log = log;
    this.#unit = unit;
    this.#position = null;
    this.#block = 0;
    this.#entry = 0;
    this.#skippedBytes = 0;
    this.#behind = 0;
  }

  /** What has an id above this one. May throw ColdMiss. */
  behind(id: StreamId): number {
    if (this.#position === null || !this.#position.equals(id)) this.#moveTo(id);
    return this.#behind;
  }

  // ── what happens to the stream ──────────────────────────────────────────────────────────────────────────────────────────────────

  appended(count: number, bytes: number): void {
    this.#behind += this.#unit === "entries" ? count : bytes;
  }

  /** Entries [from, to) of the block are about to be killed: those of them that live. */
  kills(block: Block, from: number, to: number): void {
    if (this.#unit === "bytes" || block.number < this.#block) return;
    const first = block.number === this.#block ? Math.max(from, this.#entry) : from;
    if (first < to) this.#behind -= block.liveBetween(first, to);
  }

  /** A block is about to go. */
  drops(number: number, live: number, bytes: number): void {
    if (number === this.#block) this.forget();
    else if (number > this.#block) this.#behind -= this.#unit === "entries" ? live : bytes;
  }

  /** Dead entries at the end of the tail are taken back, or what is there came from elsewhere. */
  forget(): void {
    this.#position = null;
  }

  // ── positions ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #moveTo(id: StreamId): void {
    const { blocks } = this.#log;
    const next = id.next();
    if (next !== null && this.#unit === "bytes") this.#moveToAbout(next);
    else if (next !== null) this.#moveToExactly(next);
    else this.#moveToPlace(blocks.length, 0);
    this.#position = id;
  }

  /** May throw ColdMiss, before anything has changed. */
  #moveToExactly(next: StreamId): void {
    this.#log.seek(next);
    this.#moveToPlace(this.#log.seekBlock, this.#log.seekEntry);
  }

  #moveToAbout(next: StreamId): void {
    const { blocks } = this.#log;
    const at = Math.max(0, blocks.lastBeginningAt(next));
    if (at >= blocks.length) this.#moveToPlace(at, 0);
    else if (blocks.lastIdAt(at).compare(next) < 0) this.#moveToPlace(at + 1, 0);
    else this.#moveToPlace(at, entryIn(blocks.slots[at]!, next));
  }

  #moveToPlace(block: number, entryOfBlock: number): void {
    const { blocks } = this.#log;
    let at = block;
    let entry = entryOfBlock;
    if (at === blocks.length && at > 0) {
      // What is added next may join the last block.
      at--;
      entry = blocks.countAt(at);
    }
    const before = this.#before(at, entry);
    this.#behind = this.#count(at, before);
    this.#block = at < blocks.length ? blocks.numberAt(at) : 0;
    this.#entry = entry;
    this.#skippedBytes = this.#unit === "bytes" ? before : 0;
  }

  /** Of three ways the one with the fewest blocks: on from where it was, as for a consumer that reads; back from the end; on from the front. */
  #count(at: number, before: number): number {
    const { blocks } = this.#log;
    const known = this.#position === null ? -1 : blocks.indexOf(this.#block);
    const fromEnd = blocks.length - at;
    if (known >= 0 && known <= at && at - known <= Math.min(at, fromEnd)) {
      const skipped = this.#unit === "bytes" ? this.#skippedBytes : this.#before(known, this.#entry);
      return this.#behind + skipped - this.#sum(known, at) - before;
    }
    if (fromEnd <= at) return this.#sum(at, blocks.length) - before;
    return this.#total() - this.#sum(0, at) - before;
  }

  #total(): number {
    return this.#unit === "entries" ? this.#log.length : this.#log.byteLength;
  }

  #sum(from: number, to: number): number {
    const { blocks } = this.#log;
    let sum = 0;
    if (this.#unit === "entries") for (let at = from; at < to; at++) sum += blocks.liveAt(at);
    else for (let at = from; at < to; at++) sum += blocks.entryBytesAt(at);
    return sum;
  }

  /** What the block holds before this entry of it. */
  #before(at: number, entry: number): number {
    const { blocks } = this.#log;
    if (entry === 0) return 0;
    if (this.#unit === "entries") return blocks.hasDeadAt(at) ? blocks.slots[at]!.liveBetween(0, entry) : entry;
    if (entry >= blocks.countAt(at)) return blocks.entryBytesAt(at);
    const block = blocks.slots[at]!;
    return entry === block.hollow ? block.hollowBytes : block.startOf(entry);
  }
}

/** The first entry with an id ≥ `id`, as far as memory tells; 0: all of the block counts. */
function entryIn(block: Block | null, id: StreamId): number {
  if (block === null || !block.knowsPlaceOf(id)) return 0;
  const entry = block.lowerBound(id);
  return entry < block.hollow ? 0 : entry;
}
