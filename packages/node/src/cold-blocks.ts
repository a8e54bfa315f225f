/**
 * Blocks of a shard that are not in memory, for the commands that meet them (docs/decisions/0012-cold-blocks.md). A command that has changed nothing
 * is put away with its lane until everything that it wants was read beside the loop, and runs again; whoever cannot be run again has the row read at
 * once.
 *
 *   ColdMiss ─► ColdCall (its lane waits) ─► reads, shared by all calls that want the block ─► rows kept ─► the call's turn: taken in, run again
 *
 * What was read is taken in right before the command runs, in the same turn, and nothing is given up inside a turn: so no budget is too small for
 * any command, and what it read in several steps cannot be lost between them.
 *
 * All of it belongs to one state: `drop` when that goes back, is replaced, or its leadership ends. Reads that come back later are for nobody.
 */
import { assert, compareBytes } from "@headrace/bytes";
import type {
  ColdMiss,
  ColdReads,
  Effects,
  Passage,
  RowRange,
  ShardStateApi,
  StateRow,
  WantedBlock,
} from "@headrace/engine";
import { type BlockBytes, DamagedRowError } from "@headrace/engine";
import type { Failure, KvStore, Result } from "@headrace/ports";
import type { CheckpointRow } from "./checkpoint-row.ts";
import type { BlockReader, ColdReader, ColdTraffic } from "./cold-traffic.ts";
import type { LaneProgress } from "./lane-progress.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { ShardLimits } from "./shard-api.ts";
import { keyBehind, keyRangesOf, readRanges } from "./state-ranges.ts";

/** Neighbours that are read in one scan: opening one costs more than a block. */
const BLOCKS_A_SCAN = 8;
/** Scans that are under way at once for nobody yet. */
const AHEAD_AT_ONCE = 2;
/** And how many may be noted, for all readers of the shard. */
const AHEAD_MAX = 512;

/** So many a command may want, whatever its bound: an entry is in one block, and where it is may be known only of the one before. */
const ALWAYS_BLOCKS = 2;

/** A block could not be read, and whoever needs it can't wait: a command stands half done. */
export class ColdReadFailed extends Error {
  override name: string = "ColdReadFailed";
  /** The store will answer again; else the replica can't go on. */
  readonly passes: boolean;

  constructor(message: string, passes: boolean) {
    super(message);
    this.passes = passes;
  }
}

/** One block on its way, for all who want it. */
class BlockRead {
  readonly block: WantedBlock;
  readonly calls: Set<ColdCall>;
  isBegun: boolean;
  /** Index of the state that the store held when it was begun. */
  storedIndex: number;
  /** Null until it has come; empty when there was nothing to read any more. */
  rows: readonly StateRow[] | null;
  byteLength: number;

  constructor(block: WantedBlock) {
    this.block = block;
    this.calls = new Set();
    this.isBegun = false;
    this.storedIndex = 0;
    this.rows = null;
    this.byteLength = 0;
  }
}

/** What came of one block in a scan of several. */
interface BlockRows {
  readonly read: BlockRead;
  readonly range: RowRange;
  readonly rows: StateRow[];
}

/** A command that waits for blocks: the first of its lane that was not executed. */
export class ColdCall implements ColdReader {
  readonly progress: LaneProgress;
  readonly laneEpoch: number;
  readonly number: number;
  readonly #begin: (reads: readonly BlockRead[], end: () => void) => number;
  /** All that it has wanted so far: it may need every one of them again. */
  readonly reads: BlockRead[];
  wantedBytes: number;
  /** Not come yet. */
  missing: number;
  #next: number;

  constructor(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    begin: (reads: readonly BlockRead[], end: () => void) => number,
  ) {
    this.progress = progress;
    this.laneEpoch = laneEpoch;
    this.number = number;
    this.#begin = begin;
    this.reads = [];
    this.wantedBytes = 0;
    this.missing = 0;
    this.#next = 0;
  }

  get isReady(): boolean {
    return this.missing === 0;
  }

  /** Refused meanwhile, or of an epoch that is over: it will not run. */
  get isVoid(): boolean {
    return this.laneEpoch !== this.progress.epoch || this.number >= this.progress.refusedFrom;
  }

  beginNext(end: () => void): number {
    while (this.#next < this.reads.length) {
      const reads = neighboursFrom(this.reads, this.#next);
      this.#next += Math.max(1, reads.length);
      const begun = reads.length === 0 ? 0 : this.#begin(reads, end);
      if (begun > 0) return begun;
    }
    return 0;
  }

  /** Nothing of it is begun any more. */
  giveUp(): void {
    this.#next = this.reads.length;
  }
}

export interface ColdBlocksOptions {
  readonly limits: ShardLimits;
  readonly kvStore: KvStore;
  /** What the shards of a node share. */
  readonly memory: { readonly traffic: ColdTraffic; readonly blockMemory: BlockBytes };
  /** The state that the store holds, and where its rows are. */
  readonly stored: () => Pick<CheckpointRow, "index" | "ranges">;
  /** Asks for a turn. */
  readonly wake: () => void;
  readonly onFailed: (message: string, damaged: boolean) => void;
}

export class ColdBlocks implements ColdReads, BlockReader {
  readonly blockMemory: BlockBytes;
  readonly #options: ColdBlocksOptions;
  readonly #traffic: ColdTraffic;
  #state: ShardStateApi;
  /** Of the command that runs now; null: it can't be run again. */
  #effects: Pick<Effects, "count" | "unaskedCount"> | null;
  #writesBefore: number;
  #said: { readonly turnBytes: number };
  #saidBefore: number;
  /** Counts up with every drop: reads of another life are for nobody. */
  #life: number;
  readonly #reads: Map<string, BlockRead>;
  readonly #calls: Set<ColdCall>;
  /** All has come, and their lanes still wait for being told so. */
  readonly #ready: Set<ColdCall>;
  readonly #readAhead: ReadAhead;
  /** For nobody yet, not begun. */
  #ahead: BlockRead[];
  #aheadUnderWay: number;
  /** Came for nobody: taken in at the beginning of the next turn. */
  #arrived: BlockRead[];
  #heldBytes: number;

  constructor(options: ColdBlocksOptions, state: ShardStateApi) {
    this.blockMemory = options.memory.blockMemory;
    this.#options = options;
    this.#traffic = options.memory.traffic;
    this.#state = state;
    this.#effects = null;
    this.#writesBefore = 0;
    this.#said = { turnBytes: 0 };
    this.#saidBefore = 0;
    this.#life = 0;
    this.#reads = new Map();
    this.#calls = new Set();
    this.#ready = new Set();
    this.#readAhead = new ReadAhead();
    this.#ahead = [];
    this.#aheadUnderWay = 0;
    this.#arrived = [];
    this.#heldBytes = 0;
    state.coldReads = this;
  }

  /** Calls whose lanes wait. */
  get count(): number {
    return this.#calls.size;
  }

  /** Rows that have come and were not taken in. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  // ── what the state asks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  get mayMiss(): boolean {
    const effects = this.#effects;
    if (effects === null) return false;
    return effects.count - effects.unaskedCount === this.#writesBefore && this.#said.turnBytes === this.#saidBefore;
  }

  rowNow(slot: number, subkey: Uint8Array): Uint8Array | null {
    const { kvStore, stored } = this.#options;
    const range = { fromSlot: slot, from: subkey, toSlot: slot, to: keyBehind(subkey) };
    const [place] = keyRangesOf(stored().ranges, [range]);
    assert(place !== undefined, "a slot of this shard");
    this.#traffic.readsNow++;
    const read = kvStore.getNow(place.from);
    if (read.ok) return read.value;
    const message = `a block cannot be read: ${read.message}`;
    throw read.reason === "corrupt"
      ? new DamagedRowError(message)
      : new ColdReadFailed(message, read.reason === "later");
  }

  wantsSoon(block: WantedBlock): void {
    this.#noteAhead([block]);
    this.#options.wake();
  }

  passed(passage: Passage): void {
    this.#noteAhead(this.#readAhead.passed(passage, this.#options.limits.coldAheadBytes));
  }

  // ── what the executor tells ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A command begins that can be run again as long as it has written nothing, and `said` says that nobody was told anything. That a key has expired is
   * nobody's write: who runs again finds it gone.
   */
  begin(effects: Pick<Effects, "count" | "unaskedCount">, said: { readonly turnBytes: number }): void {
    this.#effects = effects;
    this.#writesBefore = effects.count - effects.unaskedCount;
    this.#said = said;
    this.#saidBefore = said.turnBytes;
  }

  /** It is over; what runs beside commands can't be run again. */
  end(): void {
    this.#effects = null;
  }

  /**
   * At the beginning of a turn: the lanes that need wait no longer, and what was read ahead is taken in. What is stalled has its blocks and can't run, for
   * as long as its gateway likes: it makes room for those that wait for it, and begins again when it can. Throws DamagedRowError.
   */
  settle(goOn: (progress: LaneProgress) => void, isStalled: (progress: LaneProgress) => boolean): void {
    if (this.#arrived.length > 0) {
      const arrived = this.#arrived;
      this.#arrived = [];
      for (const read of arrived) if (read.calls.size === 0) this.#takeInForNobody(read);
    }
    for (const call of this.#calls) {
      if (call.isVoid) {
        this.#release(call);
        goOn(call.progress);
      } else if (this.#traffic.isCrowded && call.isReady && isStalled(call.progress)) {
        this.#release(call);
      }
    }
    for (const { progress } of this.#ready) goOn(progress);
    this.#ready.clear();
  }

  /**
   * The command is about to run: what was read for it is taken in. False: some of it has been written again since, it waits once more. Throws
   * DamagedRowError.
   */
  takeInFor(progress: LaneProgress, laneEpoch: number, number: number): boolean {
    const call = progress.cold;
    if (call === null) return true;
    if (call.laneEpoch !== laneEpoch || call.number !== number) {
      this.#release(call);
      return true;
    }
    const stale = call.reads.filter((read) => !this.#takes(read));
    if (stale.length === 0) return true;
    const before = call.wantedBytes;
    for (const read of stale) this.#want(call, this.#readAgain(read));
    this.#traffic.enter(call, call.wantedBytes - before);
    if (call.isReady) this.#becameReady(call);
    return false;
  }

  /** It has run, and met nothing cold. */
  executed(progress: LaneProgress): void {
    if (progress.cold !== null) this.#release(progress.cold);
  }

  /** It has met cold blocks: its lane waits. False: it wants more than one command may, and has to be answered with an error. */
  park(progress: LaneProgress, laneEpoch: number, number: number, miss: ColdMiss): boolean {
    if (!this.hasRoomFor(progress, miss)) {
      this.executed(progress);
      return false;
    }
    const call = progress.cold ?? new ColdCall(progress, laneEpoch, number, (reads, end) => this.#begin(reads, end));
    const known = call.reads.length;
    const knownBytes = call.wantedBytes;
    for (const block of miss.wanted) {
      let read = this.#readOf(block);
      if (read.calls.has(call)) {
        if (read.rows === null) continue;
        // It was in memory when its turn to be read came, and has left since.
        assert(read.rows.length === 0, "a block that was taken in is still cold");
        read = this.#readAgain(read);
      }
      this.#want(call, read);
    }
    assert(call.reads.length > known, "who misses wants something");
    progress.cold = call;
    this.#calls.add(call);
    this.#traffic.waits++;
    this.#traffic.enter(call, call.wantedBytes - knownBytes);
    this.#noteAhead(this.#readAhead.wanted(miss, this.#options.limits.coldAheadBytes));
    // All of it had come for others.
    if (call.isReady) this.#becameReady(call);
    return true;
  }

  /** Whether the command that has met them may wait for them, with all that it has waited for before. */
  hasRoomFor({ cold }: LaneProgress, { wanted }: ColdMiss): boolean {
    if ((cold?.reads.length ?? 0) + wanted.length <= ALWAYS_BLOCKS) return true;
    let wantedBytes = cold?.wantedBytes ?? 0;
    for (const { byteLength } of wanted) wantedBytes += byteLength;
    return wantedBytes <= this.#options.limits.coldCallBytes;
  }

  /** Nothing that was asked for counts any more; the lanes are refused or forgotten by whoever calls. */
  drop(): void {
    this.#life++;
    this.#ahead = [];
    this.#readAhead.forget();
    this.#traffic.forget(this);
    for (const call of this.#calls) call.giveUp();
    for (const call of this.#calls) {
      call.progress.cold = null;
      this.#traffic.leave(call);
    }
    this.#calls.clear();
    this.#reads.clear();
    this.#ready.clear();
    this.#aheadUnderWay = 0;
    this.#arrived = [];
    this.#heldBytes = 0;
    this.#effects = null;
  }

  replaceState(state: ShardStateApi): void {
    this.drop();
    this.#state = state;
    state.coldReads = this;
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  beginNext(end: () => void): number {
    if (this.#aheadUnderWay >= AHEAD_AT_ONCE) return 0;
    while (this.#ahead.length > 0) {
      const reads = neighboursFrom(this.#ahead, 0);
      this.#ahead.splice(0, Math.max(1, reads.length));
      if (reads.length === 0) continue;
      const life = this.#life;
      const ended = (): void => {
        if (this.#life === life) this.#aheadUnderWay--;
        end();
      };
      const begun = this.#begin(reads, ended);
      if (begun === 0) continue;
      this.#aheadUnderWay++;
      this.#traffic.blocksAhead += begun;
      return begun;
    }
    return 0;
  }

  #readOf(block: WantedBlock): BlockRead {
    const key = keyOf(block);
    let read = this.#reads.get(key);
    if (read === undefined) this.#reads.set(key, (read = new BlockRead(block)));
    return read;
  }

  /** The same block once more, for whoever wants it from now on. */
  #readAgain(old: BlockRead): BlockRead {
    this.#forget(old);
    old.rows = [];
    return this.#readOf(old.block);
  }

  #want(call: ColdCall, read: BlockRead): void {
    read.calls.add(call);
    call.reads.push(read);
    call.wantedBytes += read.block.byteLength;
    if (read.rows === null) call.missing++;
  }

  #noteAhead(blocks: readonly WantedBlock[]): void {
    for (const block of blocks) {
      if (this.#ahead.length >= AHEAD_MAX) return;
      if (this.#reads.has(keyOf(block))) continue;
      this.#ahead.push(this.#readOf(block));
    }
    if (this.#ahead.length > 0) this.#traffic.readAhead(this);
  }

  /** Neighbours of one stream, in one scan. Answers how many have to be read at all. */
  #begin(reads: readonly BlockRead[], end: () => void): number {
    const { kvStore, limits, stored } = this.#options;
    const storedNow = stored();
    const begun: BlockRows[] = [];
    for (const read of reads) {
      read.isBegun = true;
      read.storedIndex = storedNow.index;
      const range = this.#state.rowsOfBlock(read.block);
      if (range === null) this.#came(read, []);
      else begun.push({ read, range, rows: [] });
    }
    if (begun.length === 0) return 0;
    begun.sort((a, b) => a.read.block.number - b.read.block.number);
    const hull = { ...begun[0]!.range, to: begun.at(-1)!.range.to };
    const places = keyRangesOf(storedNow.ranges, [hull]);
    assert(places.length === 1, "a slot of this shard, which is in one generation");
    const life = this.#life;
    let at = 0;
    const take = (slot: number, subkey: Uint8Array, value: Uint8Array): void => {
      while (compareBytes(subkey, begun[at]!.range.to) >= 0) at++;
      // Between two of them may be one that is in memory.
      if (compareBytes(subkey, begun[at]!.range.from) >= 0) begun[at]!.rows.push({ slot, subkey, value });
    };
    readRanges(kvStore, places, limits, take, (result) => {
      if (this.#life === life) for (const { read, rows } of begun) this.#read(read, rows, result);
      end();
    });
    return begun.length;
  }

  #read(read: BlockRead, rows: readonly StateRow[], result: Result<void>): void {
    if (!result.ok) return this.#failed(read, result);
    for (const { subkey, value } of rows) read.byteLength += subkey.length + value!.length;
    this.#heldBytes += read.byteLength;
    this.#came(read, rows);
  }

  #came(read: BlockRead, rows: readonly StateRow[]): void {
    read.rows = rows;
    if (read.calls.size === 0) this.#arrived.push(read);
    for (const call of read.calls) if (--call.missing === 0) this.#becameReady(call);
    this.#options.wake();
  }

  #becameReady(call: ColdCall): void {
    this.#ready.add(call);
    this.#options.wake();
  }

  #failed({ block }: BlockRead, failure: Failure): void {
    const name = `block ${block.number} of key ${block.age} in slot ${block.slot}`;
    this.#options.onFailed(`${name} cannot be read: ${failure.message}`, failure.reason === "corrupt");
  }

  /** False: what was read does not fit, and the store has been written since: it must be read again. Throws DamagedRowError. */
  #takes(read: BlockRead): boolean {
    const { block, rows, storedIndex } = read;
    if (rows === null || rows.length === 0) return true;
    try {
      this.#state.takeBlock(block, rows);
      return true;
    } catch (error) {
      if (!(error instanceof DamagedRowError) || storedIndex === this.#options.stored().index) throw error;
      return false;
    }
  }

  #takeInForNobody(read: BlockRead): void {
    this.#takes(read);
    this.#forget(read);
  }

  /** The call needs nothing any more. */
  #release(call: ColdCall): void {
    call.progress.cold = null;
    this.#calls.delete(call);
    this.#ready.delete(call);
    for (const read of call.reads) {
      read.calls.delete(call);
      // One that is under way still comes, for nobody.
      if (read.calls.size === 0 && (read.rows !== null || !read.isBegun)) this.#forget(read);
    }
    this.#traffic.leave(call);
  }

  #forget(read: BlockRead): void {
    const key = keyOf(read.block);
    if (this.#reads.get(key) === read) this.#reads.delete(key);
    this.#heldBytes -= read.byteLength;
    read.byteLength = 0;
    if (read.rows === null) return;
    // What was taken in has been copied.
    for (const { value } of read.rows) this.#options.kvStore.giveBack(value!);
    read.rows = [];
  }
}

/** From that place on: blocks that lie one behind the other, in either direction, and are still to be read; none if the first is not. */
function neighboursFrom(reads: readonly BlockRead[], from: number): readonly BlockRead[] {
  const { slot, age, number } = reads[from]!.block;
  const step = reads[from + 1]?.block.number === number - 1 ? -1 : 1;
  let to = from;
  for (; to < reads.length && to - from < BLOCKS_A_SCAN; to++) {
    const { block, isBegun, rows } = reads[to]!;
    const isNext = block.slot === slot && block.age === age && block.number === number + step * (to - from);
    if (isBegun || rows !== null || !isNext) break;
  }
  return reads.slice(from, to);
}

function keyOf({ slot, age, number }: WantedBlock): string {
  return `${slot}:${age}:${number}`;
}
