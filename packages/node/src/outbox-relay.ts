/**
 * The sending side of a shard's outbox, on its leader: in each turn what waits is taken on here, if the target's slot is this shard's too, or sent to the leader
 * of the shard that has it. What is sent is committed, and stays in the outbox until that leader has it committed; so it may be sent again, by the next
 * leader too, and is known there by its number.
 *
 * Of each pair of slots one frame is on its way at a time, and all of them together are bounded. Turns come with every tick: they are the timer.
 */
import { takeItem, type TakingRefusal } from "@headrace/commands";
import type { OutboxQueue, ShardStateApi, StoredItem } from "@headrace/engine";
import type { Clock } from "@headrace/ports";
import type { RaftNodeApi } from "@headrace/raft-ts";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import type { OpenBatch } from "./open-batch.ts";
import { itemsFrame, type OutboxFrame } from "./outbox-codec.ts";
import type { OutboxPost, ShardLimits, ShardSettings, SlotRange } from "./shard-api.ts";

/** Taken on within this shard, in one turn. */
const WORK_PER_TURN = 128;
const FRAME_ITEMS_MAX = 64;
const FRAME_BYTES_MAX = 256 * 1024;
/** Of all frames that are on their way; one alone may be larger. */
const SENT_BYTES_MAX = 1024 * 1024;
/** An answer that does not come is not waited for any longer, the longer the more often. */
const ANSWER_MS = 1000;
const ANSWER_DOUBLINGS_MAX = 3;
/** Refused, or sent to the wrong node. */
const REFUSED_RETRY_MS = 500;
const REFUSED_DOUBLINGS_MAX = 4;
const NOT_HERE_RETRY_MS = 50;

export interface OutboxOptions {
  readonly shardId: number;
  readonly limits: ShardLimits;
  readonly settings: Pick<
    ShardSettings,
    "refuseGrowth" | "refuseFixedMemory" | "nodeBounds" | "idempotenceWindow" | "outboxMaxBytes"
  >;
  readonly raft: RaftNodeApi;
  readonly post: OutboxPost;
  readonly slots: readonly SlotRange[];
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly blocked: BlockedReads;
}

/** How far a pair of slots is. */
interface Progress {
  /** When the frame left that is on its way; −1: none is. */
  sentMs: number;
  sentBytes: number;
  attempts: number;
  refusals: number;
  /** Not before. */
  nextMs: number;
  /** Who leads the target's shard, as a node there has said; 0: nobody has. */
  leaderNodeId: number;
}

export class OutboxRelay {
  /** Items that came to where they were to go, and refusals to take one, since the start. */
  delivered: number;
  refused: number;
  /** Why the last one was not taken; null: since then one was. */
  refusal: TakingRefusal | null;
  readonly #options: OutboxOptions;
  readonly #batch: OpenBatch;
  readonly #calls: BlockedCalls;
  #state: ShardStateApi;
  readonly #progress: Map<number, Progress>;
  #answers: OutboxFrame[];
  #sentBytes: number;

  constructor(options: OutboxOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.delivered = 0;
    this.refused = 0;
    this.refusal = null;
    this.#options = options;
    this.#batch = batch;
    this.#calls = calls;
    this.#state = state;
    this.#progress = new Map();
    this.#answers = [];
    this.#sentBytes = 0;
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  /** The term is over. Where leaders are is worth nothing then either. */
  rest(): void {
    if (this.#progress.size > 0) this.#progress.clear();
    if (this.#answers.length > 0) this.#answers = [];
    this.#sentBytes = 0;
  }

  /** An answer; dealt with in the next turn. */
  receive(frame: OutboxFrame): void {
    this.#answers.push(frame);
  }

  /** The leader's turn. Answers whether there is more to do than one turn takes. */
  run(request: Request): boolean {
    const { outbox } = this.#state;
    if (outbox.size === 0) {
      this.rest();
      return false;
    }
    const nowMs = this.#options.clock.monotonicMs();
    const queues = new Map<number, OutboxQueue>();
    for (const queue of outbox.queues()) queues.set(pairOf(queue), queue);
    this.#forgetGone(queues);
    this.#dealWithAnswers(queues, nowMs, request);
    let work = WORK_PER_TURN;
    // What is taken on may put more into the outbox: that is for the next turn.
    for (const queue of queues.values()) {
      if (queue.size === 0 || work <= 0) continue;
      if (ownsSlot(this.#options.slots, queue.targetSlot)) work -= this.#takeHere(queue, { nowMs, work, request });
      else this.#send(queue, nowMs);
    }
    if (work === WORK_PER_TURN) return false;
    if (this.#options.blocked.count > 0) this.#calls.serveTouched();
    return outbox.size > 0;
  }

  /** FLUSHALL takes queues away without an answer. */
  #forgetGone(queues: ReadonlyMap<number, OutboxQueue>): void {
    for (const [pair, progress] of this.#progress) {
      if (queues.has(pair)) continue;
      this.#noLongerSent(progress);
      this.#progress.delete(pair);
    }
  }

  /** Why nothing may grow here now. */
  static growthRefusal({ refuseGrowth, refuseFixedMemory }: OutboxOptions["settings"]): "memory" | "space" | null {
    if (refuseFixedMemory) return "memory";
    return refuseGrowth ? "space" : null;
  }

  /** One item after another, in the batch that also takes it out of the outbox. Answers how many. */
  #takeHere(
    queue: OutboxQueue,
    { nowMs, work, request }: { readonly nowMs: number; readonly work: number; readonly request: Request },
  ): number {
    const { settings, limits } = this.#options;
    const progress = this.#progressOf(queue);
    let taken = 0;
    while (queue.size > 0 && taken < work && nowMs >= progress.nextMs && this.#batch.turnBytes < limits.turnBytes) {
      const item = queue.first;
      const { keyspace, effects, nowMs: logTimeMs } = this.#batch.open(request);
      this.#state.setOrigin(null, 0);
      const { nodeBounds, idempotenceWindow, outboxMaxBytes } = settings;
      const given = {
        nodeBounds,
        idempotenceWindow,
        outboxMaxBytes,
        growthRefusal: OutboxRelay.growthRefusal(settings),
      };
      const refusal = takeItem({ keyspace, effects, nowMs: logTimeMs, ...given }, item);
      if (refusal !== null) {
        this.#onRefused(progress, refusal, nowMs);
        break;
      }
      effects.outbox.settle([item.number]);
      this.#onDelivered(progress, 1);
      taken++;
      this.#batch.sealIfFull();
    }
    return taken;
  }

  #send(queue: OutboxQueue, nowMs: number): void {
    const progress = this.#progressOf(queue);
    if (nowMs < progress.nextMs) return;
    if (progress.sentMs >= 0) {
      const waitMs = ANSWER_MS * 2 ** Math.min(progress.attempts - 1, ANSWER_DOUBLINGS_MAX);
      if (nowMs - progress.sentMs < waitMs) return;
      // Whoever said so may be gone.
      progress.leaderNodeId = 0;
      this.#noLongerSent(progress);
    }
    const items = this.#committedOf(queue);
    if (items.length === 0) return;
    const { post, shardId } = this.#options;
    const { targetSlot, slot } = queue;
    const toShardId = post.shardOfSlot(targetSlot);
    const frame = itemsFrame({ toShardId, fromShardId: shardId, targetSlot, slot }, items);
    if (this.#sentBytes > 0 && this.#sentBytes + frame.length > SENT_BYTES_MAX) return;
    progress.sentMs = nowMs;
    progress.sentBytes = frame.length;
    this.#sentBytes += frame.length;
    // One that does not leave is as good as lost.
    post.sendToLeader(toShardId, frame, { leaderNodeId: progress.leaderNodeId, attempt: progress.attempts });
    progress.attempts++;
  }

  /** What may be seen elsewhere: what a change of leader takes back must not have been there. */
  #committedOf(queue: OutboxQueue): StoredItem[] {
    const { commit } = this.#options.raft;
    const items: StoredItem[] = [];
    let bytes = 0;
    for (const item of queue) {
      if (item.index > commit || items.length >= FRAME_ITEMS_MAX) break;
      bytes += item.bytes.length;
      if (items.length > 0 && bytes > FRAME_BYTES_MAX) break;
      items.push(item);
    }
    return items;
  }

  #dealWithAnswers(queues: ReadonlyMap<number, OutboxQueue>, nowMs: number, request: Request): void {
    const answers = this.#answers;
    if (answers.length === 0) return;
    this.#answers = [];
    for (const answer of answers) {
      const queue = queues.get(pairOf(answer));
      // Answered before, by another frame.
      if (queue === undefined || queue.size === 0) continue;
      const progress = this.#progressOf(queue);
      this.#noLongerSent(progress);
      if (answer.kind === "notHere") {
        progress.leaderNodeId = answer.leaderNodeId;
        progress.nextMs = nowMs + NOT_HERE_RETRY_MS;
      } else if (answer.kind === "taken") {
        this.#settle(queue, answer.number, request);
        if (answer.refusal !== null) this.#onRefused(progress, answer.refusal, nowMs);
      }
    }
  }

  /** Everything up to the number is where it was to go. */
  #settle(queue: OutboxQueue, upTo: number, request: Request): void {
    const numbers: number[] = [];
    for (const item of queue) {
      if (item.number > upTo) break;
      numbers.push(item.number);
    }
    if (numbers.length === 0) return;
    const { effects } = this.#batch.open(request);
    this.#state.setOrigin(null, 0);
    effects.outbox.settle(numbers);
    this.#onDelivered(this.#progressOf(queue), numbers.length);
    this.#batch.sealIfFull();
  }

  #onDelivered(progress: Progress, count: number): void {
    progress.attempts = 0;
    progress.refusals = 0;
    this.delivered += count;
    this.refusal = null;
  }

  #onRefused(progress: Progress, refusal: TakingRefusal, nowMs: number): void {
    progress.nextMs = nowMs + REFUSED_RETRY_MS * 2 ** Math.min(progress.refusals, REFUSED_DOUBLINGS_MAX);
    progress.refusals++;
    this.refused++;
    this.refusal = refusal;
  }

  #noLongerSent(progress: Progress): void {
    progress.sentMs = -1;
    this.#sentBytes -= progress.sentBytes;
    progress.sentBytes = 0;
  }

  #progressOf(queue: OutboxQueue): Progress {
    const pair = pairOf(queue);
    let progress = this.#progress.get(pair);
    if (progress === undefined) {
      progress = { sentMs: -1, sentBytes: 0, attempts: 0, refusals: 0, nextMs: 0, leaderNodeId: 0 };
      this.#progress.set(pair, progress);
    }
    return progress;
  }
}

function pairOf({ targetSlot, slot }: { readonly targetSlot: number; readonly slot: number }): number {
  return targetSlot * 0x1_0000 + slot;
}

/** By the shard's own log, not by the placement, which is a hint (I25). */
export function ownsSlot(slots: readonly SlotRange[], slot: number): boolean {
  return slots.some(({ from, to }) => slot >= from && slot <= to);
}
