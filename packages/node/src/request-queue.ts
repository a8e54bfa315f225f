/**
 * Requests on their way to execution, and what is remembered of their lanes. Bounded: what finds no room is refused, nothing happened. The order
 * rule of the link (link/frame.ts) is kept here: per lane in number order inside a lane epoch, and after one refusal nothing of that epoch.
 *
 * It does not look into requests.
 */
import { assert } from "@headrace/bytes";
import { RefuseReason } from "@headrace/link";
import { LaneProgress, QueuedRequests } from "./lane-progress.ts";
import type { Lane, RequestBatch } from "./shard-api.ts";

/** Executed items at the front are given back in steps of this many. */
const TRIM_ITEMS = 256;

/** What a refusal tells the gateway about where to go. */
export interface LeaderHint {
  leaderNodeId(): number;
  term(): number;
}

export class RequestQueue {
  readonly #shardId: number;
  readonly #maxBytes: number;
  readonly #hint: LeaderHint;
  readonly #lanes: Map<Lane, LaneProgress>;
  #items: QueuedRequests[];
  #head: number;
  #bytes: number;
  #closed: LaneProgress[];
  /** Lanes whose frames are parked because their sink is full. */
  readonly #stalled: Set<LaneProgress>;

  constructor(shardId: number, maxBytes: number, hint: LeaderHint) {
    this.#shardId = shardId;
    this.#maxBytes = maxBytes;
    this.#hint = hint;
    this.#lanes = new Map();
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#closed = [];
    this.#stalled = new Set();
  }

  /** Bytes queued, parked ones behind blocked calls included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What waits takes so much that little more may be made to wait. */
  get isHalfFull(): boolean {
    return this.#bytes * 2 > this.#maxBytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  lanes(): Iterable<LaneProgress> {
    return this.#lanes.values();
  }

  find(lane: Lane): LaneProgress | null {
    return this.#lanes.get(lane) ?? null;
  }

  /** Takes a frame of requests, or refuses it: `refusal` is the reason why nothing is taken now, 0 if there is none. */
  accept(batch: RequestBatch, refusal: RefuseReason | 0): void {
    let progress = this.#lanes.get(batch.lane);
    if (progress === undefined) {
      progress = new LaneProgress(batch.lane);
      this.#lanes.set(batch.lane, progress);
    }
    if (batch.laneEpoch > progress.epoch) {
      progress.epoch = batch.laneEpoch;
      progress.nextNumber = batch.firstNumber;
      progress.refusedFrom = Infinity;
    }
    if (batch.laneEpoch < progress.epoch) {
      this.#sendRefuse(progress, batch.laneEpoch, batch.firstNumber, RefuseReason.staleEpoch);
      return;
    }
    if (progress.refusedFrom !== Infinity || batch.firstNumber !== progress.nextNumber) {
      this.refuse(progress, batch.firstNumber, RefuseReason.staleEpoch);
      return;
    }
    if (refusal !== 0) {
      this.refuse(progress, batch.firstNumber, refusal);
      return;
    }
    if (this.#bytes + batch.bytes.length > this.#maxBytes && this.#bytes > 0) {
      this.refuse(progress, batch.firstNumber, RefuseReason.overloaded);
      return;
    }
    progress.nextNumber += batch.count;
    this.#push(new QueuedRequests(progress, batch));
    this.#bytes += batch.bytes.length;
  }

  /**
   * The next frame to execute; frames that a refusal covers, those behind a blocked call or one that waits for cold blocks, and those whose sink is
   * full are put away on the way.
   */
  first(): QueuedRequests | null {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head]!;
      if (item.isVoid) {
        this.done(item);
        continue;
      }
      if (!item.progress.mustWait && !this.#mustStall(item.progress)) return item;
      this.#takeFirst(item);
      item.progress.parked.push(item);
    }
    return null;
  }

  /** Its frames are parked because its replies find no room. */
  isStalled(progress: LaneProgress): boolean {
    return this.#stalled.has(progress);
  }

  /** Whether its replies find no room; what comes behind a parked frame is parked too. */
  #mustStall(progress: LaneProgress): boolean {
    const { lane } = progress;
    if (!this.#stalled.has(progress)) {
      if (lane.closed || !lane.sink.isFull(this.#shardId)) return false;
      this.#stalled.add(progress);
    }
    return true;
  }

  /** Sinks have taken what they held: frames that waited for it are queued again, in their lane's order. */
  unstall(): void {
    for (const progress of this.#stalled) {
      if (!progress.lane.closed && progress.lane.sink.isFull(this.#shardId)) continue;
      this.#stalled.delete(progress);
      this.unpark(progress);
    }
  }

  /** The first frame is executed, or what is left of it is void. */
  done(item: QueuedRequests): void {
    this.#takeFirst(item);
    this.#bytes -= item.bytes.length;
  }

  /** The lane need wait no longer: what waited is queued again, before what has come since. */
  unpark(progress: LaneProgress): void {
    const { parked } = progress;
    if (parked.length === 0) return;
    progress.parked = [];
    let at = this.#items.length;
    if (progress.queued > 0) at = this.#items.findIndex((item, i) => i >= this.#head && item.progress === progress);
    this.#items.splice(at, 0, ...parked);
    progress.queued += parked.length;
  }

  /** Refuses `number` and everything behind it in the lane's epoch. */
  refuse(progress: LaneProgress, number: number, reason: RefuseReason): void {
    progress.refusedFrom = Math.min(progress.refusedFrom, number);
    this.#sendRefuse(progress, progress.epoch, number, reason);
  }

  /** Nothing that waits will be executed here: one refusal per lane, at its lowest number. Blocked calls were handed back before. */
  refuseAll(reason: RefuseReason): void {
    for (const progress of this.#lanes.values()) {
      for (const item of progress.parked) {
        if (!item.isVoid) this.refuse(progress, item.number, reason);
        this.#bytes -= item.bytes.length;
      }
      progress.parked = [];
    }
    this.#stalled.clear();
    while (!this.isEmpty) {
      const item = this.#items[this.#head]!;
      if (!item.isVoid) this.refuse(item.progress, item.number, reason);
      this.done(item);
    }
    assert(this.#bytes === 0, "bytes of an empty queue");
  }

  /** The lane is gone; forgotten when nothing of it is left. */
  laneClosed(lane: Lane): void {
    const progress = this.#lanes.get(lane);
    if (progress === undefined) return;
    this.#closed.push(progress);
    if (this.#stalled.delete(progress)) this.unpark(progress);
  }

  /** Forgets closed lanes of which nothing is left; once a turn. */
  sweep(): void {
    if (this.#closed.length === 0) return;
    this.#closed = this.#closed.filter((progress) => {
      if (!progress.isIdle) return true;
      this.#lanes.delete(progress.lane);
      return false;
    });
  }

  #push(item: QueuedRequests): void {
    this.#items.push(item);
    item.progress.queued++;
  }

  #takeFirst(item: QueuedRequests): void {
    assert(this.#items[this.#head] === item, "the first in the queue");
    item.progress.queued--;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= TRIM_ITEMS && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #sendRefuse(progress: LaneProgress, laneEpoch: number, number: number, reason: RefuseReason): void {
    const { lane } = progress;
    if (lane.closed) return;
    const leader = this.#hint.leaderNodeId();
    lane.sink.refuse(lane, this.#shardId, laneEpoch, number, reason, leader, this.#hint.term());
  }
}
