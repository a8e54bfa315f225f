/**
 * The taking side: what other shards have sent is done here and marked as taken in one log entry, and said to be taken when that is committed. What was taken
 * before is known by its number and said so again. Frames wait for the leader's turn, a bounded number of bytes; who is not answered sends again.
 */
import { slotOfKey } from "@headrace/bytes";
import { takeItem, type TakingRefusal } from "@headrace/commands";
import type { OutboxItem, ShardStateApi } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { OpenBatch } from "./open-batch.ts";
import { addressBack, notHereFrame, type OutboxAddress, type OutboxFrame, takenFrame } from "./outbox-codec.ts";
import { type OutboxOptions, OutboxRelay, ownsSlot } from "./outbox-relay.ts";

const WAITING_BYTES_MAX = 4 * 1024 * 1024;

type ItemsFrame = Extract<OutboxFrame, { readonly kind: "items" }>;

interface Arrived {
  readonly frame: ItemsFrame;
  readonly fromNodeId: number;
}

interface Answer {
  /** Log index that has to be committed first. */
  readonly index: number;
  readonly toNodeId: number;
  readonly frame: Uint8Array;
}

export class OutboxIntake {
  /** Items taken, since the start. */
  taken: number;
  readonly #options: OutboxOptions;
  readonly #batch: OpenBatch;
  readonly #calls: BlockedCalls;
  #state: ShardStateApi;
  #arrived: Arrived[];
  #arrivedBytes: number;
  #answers: Answer[];

  constructor(options: OutboxOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.taken = 0;
    this.#options = options;
    this.#batch = batch;
    this.#calls = calls;
    this.#state = state;
    this.#arrived = [];
    this.#arrivedBytes = 0;
    this.#answers = [];
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  /** The term is over: what it would have said may not be so. */
  rest(): void {
    this.#arrived = [];
    this.#arrivedBytes = 0;
    this.#answers = [];
  }

  receive(frame: ItemsFrame, fromNodeId: number): void {
    if (this.#arrivedBytes > 0 && this.#arrivedBytes + frame.byteLength > WAITING_BYTES_MAX) return;
    this.#arrivedBytes += frame.byteLength;
    this.#arrived.push({ frame, fromNodeId });
  }

  /** The leader's turn. Answers whether there is more to do than one turn takes. */
  run(request: Request): boolean {
    if (this.#arrived.length === 0) return false;
    const takenBefore = this.taken;
    let frames = 0;
    while (frames < this.#arrived.length && this.#batch.turnBytes < this.#options.limits.turnBytes) {
      const arrived = this.#arrived[frames++]!;
      this.#arrivedBytes -= arrived.frame.byteLength;
      this.#take(arrived, request);
    }
    this.#arrived.splice(0, frames);
    if (this.taken > takenBefore && this.#options.blocked.count > 0) this.#calls.serveTouched();
    return this.#arrived.length > 0;
  }

  committed(index: number): void {
    let done = 0;
    while (done < this.#answers.length && this.#answers[done]!.index <= index) {
      const { toNodeId, frame } = this.#answers[done++]!;
      this.#options.post.send(toNodeId, frame);
    }
    if (done > 0) this.#answers.splice(0, done);
  }

  #take({ frame, fromNodeId }: Arrived, request: Request): void {
    const { targetSlot, slot, items } = frame;
    const { post, slots } = this.#options;
    const back = addressBack(frame);
    if (!ownsSlot(slots, targetSlot)) return post.send(fromNodeId, notHereFrame(back, 0));
    let upTo = 0;
    let refusal: TakingRefusal | null = null;
    for (const item of items) {
      if (!this.#state.outbox.isTaken(frame, item.number)) {
        // Nobody sends such a thing.
        if (item.slot !== slot || slotOfKey(item.target) !== targetSlot || item.number <= upTo) return;
        refusal = this.#takeOne(item, frame, request);
        if (refusal !== null) break;
      }
      upTo = item.number;
    }
    this.#answer(back, fromNodeId, { upTo, refusal });
  }

  #takeOne(item: OutboxItem, { targetSlot, slot }: ItemsFrame, request: Request): TakingRefusal | null {
    const { settings } = this.#options;
    const { keyspace, effects, nowMs } = this.#batch.open(request);
    this.#state.setOrigin(null, 0);
    const { nodeBounds, idempotenceWindow, outboxMaxBytes } = settings;
    const growthRefusal = OutboxRelay.growthRefusal(settings);
    const context = { keyspace, effects, nowMs, nodeBounds, idempotenceWindow, outboxMaxBytes, growthRefusal };
    const refusal = takeItem(context, item);
    if (refusal !== null) return refusal;
    effects.outbox.take({ targetSlot, slot, number: item.number });
    this.taken++;
    this.#batch.sealIfFull();
    return null;
  }

  /** Of what was taken before, too: the mark that says so may not be committed yet. */
  #answer(
    back: OutboxAddress,
    toNodeId: number,
    { upTo, refusal }: { readonly upTo: number; readonly refusal: TakingRefusal | null },
  ): void {
    const index = this.#batch.stateIndex;
    this.#answers.push({ index, toNodeId, frame: takenFrame(back, upTo, refusal) });
  }
}
