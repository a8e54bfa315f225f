/**
 * What a shard remembers of one lane: how far its requests have come, which replies are held, whether its epoch was refused (design §3, order).
 * Requests of a lane are taken in number order within a lane epoch; after one refusal all later ones of that epoch are refused.
 */
import type { CancelHow, ReadUse, RequestMode } from "@headrace/link";
import type { BlockedRead } from "./blocked-reads.ts";
import type { ColdCall } from "./cold-blocks.ts";
import type { HeldSegment } from "./held-replies.ts";
import type { LaneWatch } from "./lane-watch.ts";
import type { Lane, RequestBatch } from "./shard-api.ts";

/** Requests of one frame that are not executed yet: `bytes` from `offset` on, `count` of them, the first one numbered `number`. */
export class QueuedRequests {
  readonly progress: LaneProgress;
  readonly laneEpoch: number;
  readonly bytes: Uint8Array;
  /** −1, or of a resend. */
  readonly executedUpTo: number;
  readonly mode: RequestMode;
  readonly used: ReadUse;
  offset: number;
  number: number;
  count: number;

  constructor(progress: LaneProgress, batch: RequestBatch) {
    this.progress = progress;
    this.laneEpoch = batch.laneEpoch;
    this.bytes = batch.bytes;
    this.executedUpTo = batch.executedUpTo;
    this.mode = batch.mode;
    this.used = batch.used;
    this.offset = 0;
    this.number = batch.firstNumber;
    this.count = batch.count;
  }

  /** Refused meanwhile (the refusal covers it), or of an epoch that is over. */
  get isVoid(): boolean {
    return this.laneEpoch !== this.progress.epoch || this.number >= this.progress.refusedFrom;
  }
}

export class LaneProgress {
  readonly lane: Lane;
  epoch: number;
  /** The number that the next frame must begin with. */
  nextNumber: number;
  /** A request of this epoch was refused, and all from it on; Infinity: none was. Earlier ones that were taken still go on. */
  refusedFrom: number;
  /** The lane's call that waits for entries; requests behind it wait in `parked`. */
  blocked: BlockedRead | null;
  parked: QueuedRequests[];
  /** The lane's first request, while it waits for cold blocks or has just got them; those behind it wait in `parked` too. */
  cold: ColdCall | null;
  /** A call that was ended before it was executed: it will not wait. */
  ended: { readonly number: number; readonly how: CancelHow } | null;
  /** Held segments in request order. */
  heldFirst: HeldSegment | null;
  heldLast: HeldSegment | null;
  /** Frames in the shard's queue. */
  queued: number;
  /** What the client watches here; of this term and this link (I12). */
  watch: LaneWatch | null;

  constructor(lane: Lane) {
    this.lane = lane;
    this.epoch = -1;
    this.nextNumber = 0;
    this.refusedFrom = Infinity;
    this.blocked = null;
    this.parked = [];
    this.cold = null;
    this.ended = null;
    this.heldFirst = null;
    this.heldLast = null;
    this.queued = 0;
    this.watch = null;
  }

  /** Its first request can't run now. */
  get mustWait(): boolean {
    return this.blocked !== null || (this.cold !== null && !this.cold.isReady);
  }

  /** Nothing of this lane is left here. */
  get isIdle(): boolean {
    const hasRequests = this.blocked !== null || this.cold !== null || this.parked.length > 0 || this.queued > 0;
    return !hasRequests && this.heldFirst === null;
  }
}
