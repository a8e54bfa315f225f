/**
 * Replies that wait for a cursor. A segment is what consecutive requests of one frame answered in one turn, with the strongest of their
 * requirements:
 *
 *   persistIndex  the leader's own log has it            (ack=1)
 *   commitIndex   a majority has it durable              (ack=all; the gate of reads, I6; replies that hand out data)
 *   readNumber    a quorum has confirmed the leadership  (I7)
 *
 * Each 0 when nothing is waited for. A segment stands in the bucket of one unmet requirement at a time, so that a cursor that moves touches
 * only what it releases. Within a lane segments leave strictly in order. All of it belongs to one term (I12): `resolve` empties it.
 *
 * It does not know why something waits.
 */
import { assert } from "@headrace/bytes";
import type { ByteWriter } from "@headrace/bytes";
import type { BlockedRead } from "./blocked-reads.ts";
import type { LaneProgress } from "./lane-progress.ts";

/** The writer's buffer is shared by the replies of many turns until it is this full: an allocation per turn costs about 1 µs. */
const SHARED_BYTES = 32 * 1024;

export class HeldSegment {
  readonly progress: LaneProgress;
  readonly laneEpoch: number;
  readonly firstNumber: number;
  count: number;
  /** The buffer with the turn's replies, set when the turn ends; this segment's are [start, end). */
  bytes: Uint8Array | null;
  readonly start: number;
  end: number;
  persistIndex: number;
  commitIndex: number;
  readNumber: number;
  /** Last write answered here, 0 if none. */
  writeIndex: number;
  /** No reply, but word that this call waits, and from where it reads; `count` is 0 then. */
  parked: BlockedRead | null;
  isReady: boolean;
  nextOfLane: HeldSegment | null;
  nextInBucket: HeldSegment | null;

  constructor(progress: LaneProgress, laneEpoch: number, firstNumber: number, start: number) {
    this.progress = progress;
    this.laneEpoch = laneEpoch;
    this.firstNumber = firstNumber;
    this.count = 0;
    this.bytes = null;
    this.start = start;
    this.end = start;
    this.persistIndex = 0;
    this.commitIndex = 0;
    this.readNumber = 0;
    this.writeIndex = 0;
    this.parked = null;
    this.isReady = false;
    this.nextOfLane = null;
    this.nextInBucket = null;
  }
}

/** Segments by the cursor value that they wait for. */
class Buckets {
  readonly #first: Map<number, HeldSegment>;
  #reached: number;

  constructor() {
    this.#first = new Map();
    this.#reached = 0;
  }

  put(key: number, segment: HeldSegment): void {
    segment.nextInBucket = this.#first.get(key) ?? null;
    this.#first.set(key, segment);
  }

  /** Takes the segments whose cursor has come, as a list; null if there are none. */
  take(cursor: number): HeldSegment | null {
    let taken: HeldSegment | null = null;
    if (this.#first.size === 0) {
      this.#reached = cursor;
      return null;
    }
    // Cursors that leap far (a new leader's first commit) are cheaper to meet from the side of the keys.
    if (cursor - this.#reached > this.#first.size) {
      for (const key of this.#first.keys()) if (key <= cursor) taken = this.#takeKey(key, taken);
    } else {
      for (let key = this.#reached + 1; key <= cursor; key++) taken = this.#takeKey(key, taken);
    }
    this.#reached = cursor;
    return taken;
  }

  clear(): void {
    this.#first.clear();
    this.#reached = 0;
  }

  #takeKey(key: number, list: HeldSegment | null): HeldSegment | null {
    const first = this.#first.get(key);
    if (first === undefined) return list;
    this.#first.delete(key);
    let last = first;
    while (last.nextInBucket !== null) last = last.nextInBucket;
    last.nextInBucket = list;
    return first;
  }
}

export class HeldReplies {
  readonly #shardId: number;
  readonly #persist: Buckets;
  readonly #commit: Buckets;
  readonly #read: Buckets;
  /** Segments of the turn that is going on: their bytes are still in the writer. */
  #turn: HeldSegment[];
  #persisted: number;
  #committed: number;
  #confirmed: number;
  #term: number;
  #count: number;
  #bytes: number;

  constructor(shardId: number) {
    this.#shardId = shardId;
    this.#persist = new Buckets();
    this.#commit = new Buckets();
    this.#read = new Buckets();
    this.#turn = [];
    this.#persisted = 0;
    this.#committed = 0;
    this.#confirmed = 0;
    this.#term = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Segments held. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of replies held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A new term of leadership begins; nothing may be held. */
  begin(term: number): void {
    assert(this.#count === 0, "replies of an older term are still held");
    this.#term = term;
    this.#persist.clear();
    this.#commit.clear();
    this.#read.clear();
    this.#persisted = 0;
    this.#committed = 0;
    this.#confirmed = 0;
  }

  /** Takes a closed segment of this turn; `end` is set, requirements are final. */
  hold(segment: HeldSegment): void {
    const progress = segment.progress;
    if (progress.heldLast === null) progress.heldFirst = segment;
    else progress.heldLast.nextOfLane = segment;
    progress.heldLast = segment;
    this.#turn.push(segment);
    this.#count++;
    this.#bytes += segment.end - segment.start;
  }

  /** Nothing of this turn that was done at this index becomes an entry: whatever level it wanted, nobody is told that it happened. */
  neverCommits(index: number): void {
    for (const segment of this.#turn) if (segment.writeIndex === index && index > 0) segment.commitIndex = index;
  }

  /** The turn is over and proposed: its replies leave the writer, and those that need nothing more leave the node. */
  endTurn(writer: ByteWriter): void {
    const turn = this.#turn;
    if (turn.length === 0) return;
    this.#turn = [];
    // What is written stays where it is and is never written again; later turns go on behind it.
    const { bytes } = writer;
    for (const segment of turn) segment.bytes = bytes;
    if (writer.length >= SHARED_BYTES) writer.take(2 * SHARED_BYTES);
    for (const segment of turn) this.#place(segment);
  }

  /** Cursors of the term have moved. */
  advance(persisted: number, committed: number, confirmedRead: number): void {
    if (persisted > this.#persisted) {
      this.#persisted = persisted;
      this.#placeAll(this.#persist.take(persisted));
    }
    if (committed > this.#committed) {
      this.#committed = committed;
      this.#placeAll(this.#commit.take(committed));
    }
    if (confirmedRead > this.#confirmed) {
      this.#confirmed = confirmedRead;
      this.#placeAll(this.#read.take(confirmedRead));
    }
  }

  /**
   * Leadership is lost (I5): writes that are known to be committed succeed, everything else is lost: executed or not, nobody can tell.
   * `isCommitted(index)`: the entry that this term had at `index` is committed.
   */
  resolve(lanes: Iterable<LaneProgress>, isCommitted: (index: number) => boolean): void {
    assert(this.#turn.length === 0, "leadership is judged between turns");
    for (const progress of lanes) {
      let segment = progress.heldFirst;
      progress.heldFirst = null;
      progress.heldLast = null;
      for (; segment !== null; segment = segment.nextOfLane) {
        this.#forget(segment);
        const needed = Math.max(segment.persistIndex, segment.commitIndex);
        const proven = segment.readNumber <= this.#confirmed;
        if (segment.isReady || (proven && segment.writeIndex > 0 && isCommitted(needed))) this.#emit(segment);
        else if (segment.parked === null) lose(segment, this.#shardId);
      }
    }
    assert(this.#count === 0, "a held reply belongs to no lane");
    this.#persist.clear();
    this.#commit.clear();
    this.#read.clear();
  }

  #placeAll(list: HeldSegment | null): void {
    let segment = list;
    while (segment !== null) {
      const next = segment.nextInBucket;
      segment.nextInBucket = null;
      this.#place(segment);
      segment = next;
    }
  }

  #place(segment: HeldSegment): void {
    if (segment.persistIndex > this.#persisted) this.#persist.put(segment.persistIndex, segment);
    else if (segment.commitIndex > this.#committed) this.#commit.put(segment.commitIndex, segment);
    else if (segment.readNumber > this.#confirmed) this.#read.put(segment.readNumber, segment);
    else {
      segment.isReady = true;
      if (segment.progress.heldFirst === segment) this.#release(segment.progress);
    }
  }

  #release(progress: LaneProgress): void {
    let segment = progress.heldFirst;
    while (segment !== null && segment.isReady) {
      this.#forget(segment);
      this.#emit(segment);
      segment = segment.nextOfLane;
    }
    progress.heldFirst = segment;
    if (segment === null) progress.heldLast = null;
  }

  #forget(segment: HeldSegment): void {
    this.#count--;
    this.#bytes -= segment.end - segment.start;
  }

  #emit(segment: HeldSegment): void {
    const lane = segment.progress.lane;
    if (lane.closed) return;
    if (segment.parked !== null) {
      const { isQueued, number } = segment.parked;
      if (isQueued) lane.sink.parked(lane, this.#shardId, segment.laneEpoch, number, segment.parked.positions());
      return;
    }
    assert(segment.bytes !== null, "a reply leaves after its turn");
    lane.sink.reply(
      lane,
      this.#shardId,
      segment.laneEpoch,
      segment.firstNumber,
      segment.count,
      segment.writeIndex > 0 ? this.#term : 0,
      segment.writeIndex,
      segment.bytes.subarray(segment.start, segment.end),
    );
  }
}

function lose(segment: HeldSegment, shardId: number): void {
  const lane = segment.progress.lane;
  if (lane.closed) return;
  lane.sink.lost(lane, shardId, segment.laneEpoch, segment.firstNumber, segment.count);
}
