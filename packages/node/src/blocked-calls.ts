/**
 * What becomes of calls that block, between their first run and their reply: they are parked in the queues of their keys (blocked-reads.ts), run
 * again when one of them is touched, and ended when their time is over or somebody says so. Wakes happen behind the gate (I13): a call that is run
 * again waits for what any other call would wait for.
 *
 * One that meets cold blocks when it is run again keeps its place while they are read beside the loop (cold-blocks.ts). What there is may be for it, so
 * those behind it in the queues of its group wait until it has run; everybody else goes on.
 *
 * An XADD that is held at a limit of lag waits like them, and runs again whenever its key is touched, the longest held first. When its time is over it runs once
 * more where nobody may wait. It has not happened until it has run: wherever it goes meanwhile, it is the same write.
 */
import { assert, compareBytes, copyOf } from "@headrace/bytes";
import { Errors, gateIndex } from "@headrace/commands";
import type { BlockedCall, CommandRecord } from "@headrace/commands";
import { ColdMiss } from "@headrace/engine";
import type { Retry, ShardStateApi } from "@headrace/engine";
import { OfferHow, RefuseReason, RequestMode, SERVED_LATER } from "@headrace/link";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { DecoderLimits, Request, RequestDecoderApi } from "@headrace/resp";
import { BlockedEnd, BlockedRead, HELD_WRITES, TAKERS } from "./blocked-reads.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import type { ColdBlocks } from "./cold-blocks.ts";
import { HeldSegment } from "./held-replies.ts";
import { NothingLeft } from "./nothing-left.ts";
import type { LaneProgress, QueuedRequests } from "./lane-progress.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { RequestQueue } from "./request-queue.ts";
import type { ShardLimits } from "./shard-api.ts";
import type { TurnReplies } from "./turn-replies.ts";

export interface BlockedCallsRooms {
  readonly shardId: number;
  readonly limits: ShardLimits;
  readonly queue: RequestQueue;
  readonly blocked: BlockedReads;
  readonly cold: ColdBlocks;
  readonly batch: OpenBatch;
  readonly replies: TurnReplies;
  readonly decoderLimits: DecoderLimits;
  /** Why a command may not run now whatever it says: the error text. */
  readonly objection: (record: CommandRecord, request: Request) => string | null;
  /** The turn and the log have room for more writes. */
  readonly mayGoOn: () => boolean;
}

/** Of what the shard's queue may hold, the part that copies of held writes may take. */
const HELD_WRITES_SHARE = 1 / 4;

export class BlockedCalls {
  readonly #rooms: BlockedCallsRooms;
  readonly #batch: OpenBatch;
  readonly #replies: TurnReplies;
  readonly #decoder: RequestDecoderApi;
  #state: ShardStateApi;
  /** Their blocks have come, or will not. */
  #fetched: BlockedRead[];
  /** Held writes whose time is over. */
  #overdue: BlockedRead[];
  /** Keys whose held writes may go on, as soon as there is room for them. */
  #heldBack: Set<string>;

  constructor(rooms: BlockedCallsRooms, state: ShardStateApi) {
    this.#rooms = rooms;
    this.#batch = rooms.batch;
    this.#replies = rooms.replies;
    this.#decoder = new RequestDecoder(rooms.decoderLimits);
    this.#state = state;
    this.#fetched = [];
    this.#overdue = [];
    this.#heldBack = new Set();
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  /** The lane's call waits for blocks no longer: `serveFetched` runs it. */
  fetched(waiting: BlockedRead): void {
    this.#fetched.push(waiting);
  }

  /** Runs the calls again whose blocks have come, each in its place. */
  serveFetched(): void {
    if (this.#fetched.length === 0) return;
    const all = this.#fetched;
    this.#fetched = [];
    for (const waiting of all) {
      if (!waiting.isFetching) continue;
      if (waiting.isWrite && waiting.end === BlockedEnd.timedOut) this.#overdue.push(waiting);
      if (waiting.end !== BlockedEnd.none) continue;
      this.#rooms.blocked.fetched(waiting);
      if (waiting.acceptedOffer !== 0) this.#accepted(waiting, waiting.acceptedOffer, true);
      this.#serveQueuesOf(waiting);
      // Its turn has not come: it holds nothing meanwhile that another may wait for.
      if (!waiting.isFetching) this.#letBlocksGo(waiting);
    }
  }

  #letBlocksGo({ progress, laneEpoch, number }: BlockedRead): void {
    const call = progress.cold;
    if (call !== null && call.laneEpoch === laneEpoch && call.number === number) this.#rooms.cold.executed(progress);
  }

  /** Calls that have come to their end since the last turn. */
  endEnded(): void {
    for (const ended of this.#rooms.blocked.takeEnded()) this.#end(ended);
  }

  /** The handler has written nothing and wants to wait. */
  park(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    mode: RequestMode,
    record: CommandRecord,
    request: Request,
    call: BlockedCall,
    start: number,
  ): void {
    const { blocked, limits, queue } = this.#rooms;
    assert(this.#replies.reply.writer.length === start, "a call that blocks has written a reply");
    this.#replies.close();
    if (progress.lane.closed) return;
    if (call.kind === "write" && !this.#mayHold(request)) {
      this.#executeAtOnce(record, request, call, mode);
      return this.#replies.require(progress, laneEpoch, number, record, request, start, false);
    }
    if (blocked.count >= limits.blockedCalls) {
      queue.refuse(progress, number, RefuseReason.overloaded);
      return;
    }
    const own = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const [group, consumer] = readerOf(request, call);
    const waiting = new BlockedRead(progress, laneEpoch, number, record, { group, consumer, request: own, mode, call });
    blocked.add(waiting, this.#state);
    if (waiting.isWrite) this.#batch.counters.writesHeld++;
    if (call.kind !== "read" || call.readsFromState || mode === RequestMode.part)
      this.#sayParked(waiting, request, start);
    this.#wakeLater(waiting, call);
    // That it met its consumer is nothing for others; that it found keys expired is.
    this.#serve(this.#state.takeTouchedKeys(), false);
    this.serveTouched();
    const { ended } = progress;
    if (ended !== null && ended.number === number) blocked.cancel(progress, number, ended.how);
    else if (mode === RequestMode.offered) this.#serveQueuesOf(waiting);
  }

  /** A position that was read from the state waits as a reply would: what is uncommitted, or a deposed leader's, is no position (I6, I7). */
  #sayParked(waiting: BlockedRead, request: Request, start: number): void {
    const { progress, laneEpoch, number, record, call } = waiting;
    const segment = new HeldSegment(progress, laneEpoch, number, start);
    segment.parked = waiting;
    // That there was nothing is an answer too, where other shards may have something.
    if (call.readsFromState || waiting.mode === RequestMode.part) {
      const { context, stateIndex } = this.#batch;
      segment.commitIndex = gateIndex(record, request, context.keyspace, stateIndex);
      segment.readNumber = this.#replies.readNumber();
    }
    this.#replies.holdWord(segment);
  }

  /**
   * Runs the calls again that wait for keys that are ready, the longest waiting first, as Redis does after each command. Serving touches keys itself: it
   * takes entries, which is for nobody but calls that take pending ones (what was handed out will be old some day), and it finds keys expired, which is
   * for all.
   */
  serveTouched(): void {
    for (let keys = this.#state.takeTouchedKeys(); keys.size > 0; keys = this.#state.takeTouchedKeys()) {
      this.#serve(keys, true);
    }
  }

  /** Runs the calls again for which a pending entry may have become old enough. */
  serveDue(): void {
    const { blocked } = this.#rooms;
    for (const key of blocked.claimWakes.takeDue()) {
      for (const [group, queue] of blocked.queues(key)) this.#serveQueue(key, group, queue);
    }
    this.serveTouched();
  }

  /** `pending`: calls that take pending entries are run again even where there is nothing for others. */
  #serve(keys: ReadonlyMap<string, boolean>, pending: boolean): void {
    for (const [key, isReady] of keys) {
      this.#batch.pressureNews.touched(key);
      if (!isReady && !pending) continue;
      for (const [group, queue] of this.#rooms.blocked.queues(key)) this.#serveQueue(key, group, queue, !isReady);
    }
  }

  #wakeLater({ call }: BlockedRead, { wakeAtMs }: BlockedCall): void {
    const { nowMs } = this.#batch.context;
    for (const key of call.keys) this.#rooms.blocked.claimWakes.at(key, wakeAtMs, nowMs);
  }

  /** Offers that were answered, or not in time. */
  dealWithOffers(): void {
    const { offers } = this.#rooms.blocked;
    for (const { progress, number, offer, how } of offers.take()) {
      const waiting = progress.blocked;
      if (waiting === null || waiting.number !== number || waiting.end !== BlockedEnd.none) continue;
      const isOpen = waiting.offer === offer && offer !== 0;
      if (how === "void" && !isOpen) continue;
      if (isOpen) offers.close(waiting);
      if (how === OfferHow.accept) this.#accepted(waiting, offer, isOpen);
      else waiting.isPassedOver = how !== OfferHow.resume;
      this.#serveQueuesOf(waiting);
    }
  }

  #accepted(waiting: BlockedRead, offer: number, isInTime: boolean): void {
    waiting.isPassedOver = false;
    waiting.acceptedOffer = 0;
    if (isInTime && this.#resume(waiting, null)) return;
    if (isInTime && waiting.isFetching) {
      waiting.acceptedOffer = offer;
      return;
    }
    const { lane } = waiting.progress;
    if (!lane.closed) lane.sink.offerVoid(lane, this.#rooms.shardId, waiting.number, offer);
  }

  /** What it wanted, or may not want any more, may be for those behind it. */
  #serveQueuesOf(waiting: BlockedRead): void {
    const { blocked } = this.#rooms;
    for (const key of waiting.call.keys) {
      const queue = blocked.queue(key, waiting.group);
      if (queue !== null) this.#serveQueue(key, waiting.group, queue);
    }
    this.serveTouched();
  }

  #serveQueue(key: string, group: string, queue: ReadonlySet<BlockedRead>, onlyPending = false): void {
    const { blocked } = this.#rooms;
    if (group === HELD_WRITES) return this.#serveHeld(key, queue);
    const retry = group === "" ? null : this.#retryOf(key, group);
    const takesPending = blocked.claimingCount > 0 || retry !== null;
    if (onlyPending && !takesPending) return;
    const nothing = new NothingLeft(retry);
    for (const waiting of queue) {
      if (waiting.end !== BlockedEnd.none || waiting.isPassedOver) continue;
      if (onlyPending && !nothing.mayTakePending(waiting)) continue;
      if (nothing.isAllFor(waiting)) continue;
      // Those behind it wait until it has answered, or its blocks have come. Plain readers take nothing from each other.
      if (waiting.holdsUpOthers && waiting.group === "") continue;
      if (waiting.holdsUpOthers) return;
      const isOver = waiting.mode === RequestMode.offered ? this.#look(waiting) : this.#resume(waiting, key);
      if (isOver || waiting.group === "") continue;
      if (waiting.holdsUpOthers) return;
      // Nothing left for one consumer of a group: nothing for the others either, unless they take pending entries that this one does not.
      if (!takesPending) return;
      nothing.foundBy(waiting);
    }
  }

  // ── held writes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What waits behind held writes is bounded too: where that is much already, nobody is held. */
  #mayHold(request: Request): boolean {
    const { blocked, limits, queue } = this.#rooms;
    const bytes = blocked.heldWriteBytes + request.rawEnd - request.rawStart;
    return !queue.isHalfFull && blocked.count < limits.blockedCalls && bytes <= limits.queueBytes * HELD_WRITES_SHARE;
  }

  /** All of them wait for the same: when one has to wait on, so have those behind it. */
  #serveHeld(key: string, queue: ReadonlySet<BlockedRead>): void {
    for (const waiting of queue) {
      if (waiting.end !== BlockedEnd.none) continue;
      if (waiting.isFetching) return;
      if (!this.#rooms.mayGoOn()) {
        this.#heldBack.add(key);
        return;
      }
      if (!this.#resume(waiting, null)) return;
    }
  }

  /** True: some of them can run as soon as there is room. */
  get areHeldBack(): boolean {
    return this.#heldBack.size > 0 || this.#overdue.length > 0;
  }

  /** Held writes that found no room in an earlier turn, and those whose time is over. */
  serveHeldBack(): void {
    const { blocked, queue } = this.#rooms;
    if (blocked.heldWriteCount > 0 && queue.isHalfFull) blocked.endHeldWrites();
    if (this.#overdue.length > 0) {
      const overdue = this.#overdue;
      this.#overdue = [];
      for (const held of overdue) if (held.isQueued) this.#resume(held, null, true);
      this.serveTouched();
    }
    if (this.#heldBack.size === 0) return;
    const keys = this.#heldBack;
    this.#heldBack = new Set();
    for (const key of keys) {
      const held = blocked.queue(key, HELD_WRITES);
      if (held !== null) this.#serveHeld(key, held);
    }
    this.serveTouched();
  }

  #executeAtOnce(record: CommandRecord, request: Request, call: BlockedCall, mode: RequestMode): void {
    const { context } = this.#batch;
    context.denyBlocking = true;
    try {
      this.#batch.execute(record, request, call, mode);
    } finally {
      context.denyBlocking = false;
    }
  }

  #retryOf(key: string, group: string): Retry | null {
    return this.#state.keyspace.find(key)?.stream?.group(group)?.retry ?? null;
  }

  /** Offers what there is. True: the call has ended with an error; false: it waits on, with or without an offer. */
  #look(waiting: BlockedRead): boolean {
    const { blocked, queue, shardId } = this.#rooms;
    const { progress, laneEpoch, number, record } = waiting;
    this.#replies.close();
    const request = this.#decodeAgain(waiting);
    const context = this.#batch.open(request);
    const start = this.#replies.begin(progress);
    if (!this.#run(waiting, request, start, true)) return !waiting.isQueued;
    if (context.isOffer) {
      const offer = blocked.offers.open(waiting);
      if (!progress.lane.closed) progress.lane.sink.offer(progress.lane, shardId, number, offer);
      return false;
    }
    if (context.blockedCall !== null) {
      this.#wakeLater(waiting, context.blockedCall);
      return false;
    }
    blocked.remove(waiting, this.#state);
    this.#replies.require(progress, laneEpoch, number, record, request, start, false);
    this.#replies.close();
    queue.unpark(progress);
    return true;
  }

  /** `key`: that woke it. False: it found nothing and keeps its place. `isLast`: it may not wait any more. */
  #resume(waiting: BlockedRead, key: string | null, isLast = false): boolean {
    const { blocked, queue } = this.#rooms;
    const { progress, laneEpoch, number, record } = waiting;
    this.#replies.close();
    const request = this.#decodeAgain(waiting);
    const objection = waiting.isWrite ? this.#rooms.objection(record, request) : null;
    if (objection !== null) {
      blocked.remove(waiting, this.#state);
      this.#letBlocksGo(waiting);
      this.#replies.error(progress, laneEpoch, number, objection);
      this.#replies.close();
      queue.unpark(progress);
      return true;
    }
    const context = this.#batch.open(request);
    context.readyKey = key;
    const writesBefore = this.#batch.writeCount;
    this.#state.setOrigin(progress.lane.session, number + SERVED_LATER);
    const start = this.#replies.begin(progress);
    if (!this.#run(waiting, request, start, false, isLast)) return !waiting.isQueued;
    if (context.blockedCall !== null) {
      assert(this.#replies.reply.writer.length === start, "a call that blocks has written a reply");
      this.#wakeLater(waiting, context.blockedCall);
      return false;
    }
    blocked.remove(waiting, this.#state);
    this.#replies.require(progress, laneEpoch, number, record, request, start, this.#batch.writeCount > writesBefore);
    this.#replies.close();
    this.#batch.sealIfFull();
    queue.unpark(progress);
    return true;
  }

  /**
   * False: nothing has happened, but for bytes of a reply and keys that it found expired. It keeps its place and waits for blocks, or it wants too many
   * at once and is answered.
   */
  #run(waiting: BlockedRead, request: Request, start: number, looksOnly: boolean, isLast = false): boolean {
    const { blocked, cold, queue } = this.#rooms;
    const { progress, laneEpoch, number, record, call, mode } = waiting;
    if (!cold.takeInFor(progress, laneEpoch, number)) {
      blocked.fetching(waiting);
      return false;
    }
    cold.begin(this.#batch.context.effects, this.#batch.announcements);
    try {
      if (isLast) this.#executeAtOnce(record, request, call, mode);
      else this.#batch.execute(record, request, call, mode, looksOnly);
    } catch (error) {
      if (!(error instanceof ColdMiss)) throw error;
      this.#replies.takeBack(start);
      if (cold.park(progress, laneEpoch, number, error)) {
        blocked.fetching(waiting);
      } else {
        blocked.remove(waiting, this.#state);
        this.#replies.error(progress, laneEpoch, number, Errors.tooMuchAtOnce);
        this.#replies.close();
        queue.unpark(progress);
      }
      this.#batch.sealIfFull();
      return false;
    } finally {
      cold.end();
    }
    if (progress.cold !== null) cold.executed(progress);
    return true;
  }

  /**
   * A call that was sent before and blocked, or not, somewhere: whether it is certain that it was not served and never will be. This leader has applied
   * all that any earlier one can have done; what an older link of the same client left here is taken away.
   */
  isUnheardOf({ progress, executedUpTo }: QueuedRequests): boolean {
    const { session } = progress.lane;
    if (this.#state.lastSequence(session) > executedUpTo) return false;
    for (const other of this.#rooms.queue.lanes()) {
      if (other === progress || compareBytes(other.lane.session, session) !== 0) continue;
      if (other.queued > 0 || other.parked.length > 0) return false;
      if (other.blocked === null) continue;
      other.blocked.end = BlockedEnd.dropped;
      this.#end(other.blocked);
    }
    return true;
  }

  /** Out of time, cancelled or unblocked by another client. */
  #end(ended: BlockedRead): void {
    if (!ended.isQueued) return;
    if (ended.isWrite && ended.end === BlockedEnd.timedOut) {
      this.#overdue.push(ended);
      return;
    }
    const { blocked, queue } = this.#rooms;
    const replies = this.#replies;
    const { progress, laneEpoch, number, record } = ended;
    const heldUpOthers = ended.holdsUpOthers;
    blocked.remove(ended, this.#state);
    this.#letBlocksGo(ended);
    queue.unpark(progress);
    if (heldUpOthers) this.#serveQueuesOf(ended);
    if (ended.end === BlockedEnd.dropped) return;
    if (ended.end === BlockedEnd.unblocked) {
      replies.error(progress, laneEpoch, number, Errors.unblocked);
    } else {
      assert(record.timeOut !== null, "a command that blocks says what it answers when its time is over");
      const start = replies.begin(progress);
      record.timeOut(replies.reply);
      // Another call that ended in this turn may have let somebody be served: a batch is open then.
      const gate = gateIndex(record, this.#decodeAgain(ended), this.#state.keyspace, this.#batch.stateIndex);
      replies.answered(progress, laneEpoch, number, start, 0, gate, replies.readNumber(), 0);
    }
    replies.close();
  }

  #decodeAgain(blocked: BlockedRead): Request {
    const decoder = this.#decoder;
    decoder.feed(blocked.request);
    const result = decoder.next();
    assert(result === DecodeResult.request, "a request that was decoded before");
    return decoder.request;
  }
}

/** In which of its keys' queues the call stands: the group that an XREADGROUP names, and the consumer; its grammar was checked by the handler. */
function readerOf(request: Request, { kind }: BlockedCall): readonly [group: string, consumer: string] {
  if (kind === "list" || kind === "zset") return [TAKERS[kind], ""];
  if (kind !== "group") return [kind === "write" ? HELD_WRITES : "", ""];
  for (let i = 1; i + 2 < request.count; i++)
    if (request.is(i, "GROUP")) return [request.latin1(i + 1), request.latin1(i + 2)];
  return ["", ""];
}
