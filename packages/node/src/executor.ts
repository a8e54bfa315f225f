/**
 * Runs requests on the leader: decode, find the command, check that its keys are owned, run the handler against memory, and say what its reply
 * has to wait for. One open batch at a time; sealed and proposed in the same turn, at the index that was predicted (I2).
 *
 *   frame ─► request ─► handler ─► effects in the open batch ─► reply bytes in the turn's writer ─► segment with requirements
 *                                        └─ sealed at ~256 KiB or at the end of the turn ─► propose
 *
 * It is called only while this replica leads, has committed in its term and X = L (I1). It does not know how replies leave.
 */
import { assert, compareBytes, copyOf, slotOf } from "@headrace/bytes";
import { Ack, Errors, findCommand, findKeys, Flag, gateIndex, refusal } from "@headrace/commands";
import type { BlockedCall, CommandRecord } from "@headrace/commands";
import type { ShardStateApi } from "@headrace/engine";
import { RefuseReason, SERVED_LATER } from "@headrace/link";
import type { Logger } from "@headrace/ports";
import type { RaftNodeApi } from "@headrace/raft-ts";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import type { DecoderLimits, Request, RequestDecoderApi } from "@headrace/resp";
import { BlockedEnd, BlockedRead } from "./blocked-reads.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import { HeldSegment } from "./held-replies.ts";
import type { HeldReplies } from "./held-replies.ts";
import type { LaneProgress, QueuedRequests } from "./lane-progress.ts";
import type { RaftLog } from "./raft-log.ts";
import type { RequestQueue } from "./request-queue.ts";
import type { ShardLimits, ShardSettings, SlotRange } from "./shard-api.ts";
import { ReusedContext } from "./shard-context.ts";
import type { UncommittedEntries } from "./uncommitted-entries.ts";

/** Requests come canonical from a gateway that has checked its own limits; these only stop nonsense. */
const DECODER_LIMITS: DecoderLimits = {
  maxBulkBytes: 512 * 1024 * 1024,
  maxArguments: 1024 * 1024,
  maxInlineBytes: 64 * 1024,
  maxRequestBytes: 1024 * 1024 * 1024,
};

const UNBLOCKED_TEXT = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
const NOT_HERE_TEXT = "ERR this command does not run on a shard";

/** What an argument may become in an effect besides its bytes: XCLAIM notes an id, a time and a count for each. */
const EFFECT_BYTES_PER_ARGUMENT = 32;
const EFFECT_OVERHEAD_BYTES = 1024;

export interface ExecutorOptions {
  readonly limits: ShardLimits;
  /** What the log takes as one entry. */
  readonly maxEntryBytes: number;
  readonly settings: ShardSettings;
  readonly slots: readonly SlotRange[];
  readonly raft: RaftNodeApi;
  readonly raftLog: Pick<RaftLog, "memoryBytes">;
  /** What the leader may stamp now (I4). */
  readonly stampMs: () => number;
  readonly logger: Logger;
  readonly queue: RequestQueue;
  readonly held: HeldReplies;
  readonly blocked: BlockedReads;
  readonly uncommitted: UncommittedEntries;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #raft: RaftNodeApi;
  readonly #reply: ReplyWriter;
  readonly #positions: number[];
  readonly #ownsAllSlots: boolean;
  /** A batch that has reached this size is sealed. */
  readonly #batchBytes: number;
  /** What is left of a log entry for one command behind the largest open batch. */
  readonly #roomBytes: number;
  #decoder: RequestDecoderApi;
  #resumeDecoder: RequestDecoderApi;
  #state: ShardStateApi;
  #context: ReusedContext | null;
  /** Index of the open batch; 0 = none is open. */
  #openIndex: number;
  #segment: HeldSegment | null;
  /** Read number of this turn; 0 = not asked for yet. */
  #turnRead: number;
  #turnRequests: number;
  #turnBytes: number;
  /** Where this turn's replies begin in the writer. */
  #turnReplies: number;
  #durabilityWanted: number;
  #executed: number;
  #refusedForSpace: number;

  constructor(options: ExecutorOptions, state: ShardStateApi) {
    this.#options = options;
    this.#raft = options.raft;
    this.#reply = new ReplyWriter();
    this.#positions = [];
    const [only] = options.slots;
    this.#ownsAllSlots = options.slots.length === 1 && only!.from === 0 && only!.to === 16383;
    this.#batchBytes = Math.min(options.limits.batchBytes, Math.floor(options.maxEntryBytes / 4));
    this.#roomBytes = options.maxEntryBytes - this.#batchBytes - EFFECT_OVERHEAD_BYTES;
    this.#decoder = new RequestDecoder(DECODER_LIMITS);
    this.#resumeDecoder = new RequestDecoder(DECODER_LIMITS);
    this.#state = state;
    this.#context = null;
    this.#openIndex = 0;
    this.#segment = null;
    this.#turnRead = 0;
    this.#turnRequests = 0;
    this.#turnBytes = 0;
    this.#turnReplies = 0;
    this.#durabilityWanted = 0;
    this.#executed = 0;
    this.#refusedForSpace = 0;
  }

  /** Requests executed since the start. */
  get executed(): number {
    return this.#executed;
  }

  /** Writes that were refused because the disk is below its reserve. */
  get refusedForSpace(): number {
    return this.#refusedForSpace;
  }

  /** The highest index that a held reply needs durable, not only written. */
  get durabilityWanted(): number {
    return this.#durabilityWanted;
  }

  /**
   * At the bound of X − C (I17), of replies that are held, or of the log ahead of the checkpoint, nothing is executed until a commit or a
   * checkpoint makes room.
   */
  isOverBounds(): boolean {
    const { uncommitted, held, raftLog, limits } = this.#options;
    if (uncommitted.isAbove(limits, 1) || held.bytes >= limits.heldBytes) return true;
    if (this.#state.dirtyKeys >= limits.dirtyKeys) return true;
    return raftLog.memoryBytes >= limits.logCacheBytes + limits.logAheadBytes;
  }

  /** A term of leadership begins. */
  beginTerm(): void {
    this.#durabilityWanted = 0;
  }

  /** After a reload: everything that refers to the old state is dropped. */
  replaceState(state: ShardStateApi): void {
    assert(this.#openIndex === 0, "a batch is open on the state that goes away");
    this.#state = state;
    this.#context = null;
  }

  /** One turn's work. Answers whether something that could run now is left for the next turn. */
  run(): boolean {
    const { queue, held, blocked } = this.#options;
    this.#turnRead = 0;
    this.#turnRequests = 0;
    this.#turnBytes = 0;
    this.#turnReplies = this.#reply.writer.length;
    for (const ended of blocked.takeEnded()) this.#endBlocked(ended);
    let isMore = false;
    for (let item = queue.first(); item !== null; item = queue.first()) {
      isMore = this.#turnIsFull();
      if (isMore || this.isOverBounds()) break;
      if (this.#runFrame(item)) queue.done(item);
    }
    this.#closeSegment();
    this.#seal();
    held.endTurn(this.#reply.writer);
    return isMore;
  }

  /** Runs what it may of the frame. True when the frame is finished, refused, or has nothing left that is not parked. */
  #runFrame(item: QueuedRequests): boolean {
    const { progress } = item;
    const decoder = this.#decoder;
    decoder.feed(item.offset === 0 ? item.bytes : item.bytes.subarray(item.offset));
    while (item.count > 0) {
      if (decoder.next() !== DecodeResult.request) {
        this.#refuseNonsense(item);
        return true;
      }
      const request = decoder.request;
      if (item.executedUpTo < 0 || this.#isUnheardOf(item))
        this.#runOne(progress, item.laneEpoch, item.number, request);
      else this.#answerUncertain(progress, item.laneEpoch, item.number);
      item.offset += request.rawEnd - request.rawStart;
      item.number++;
      item.count--;
      if (item.isVoid || progress.blocked !== null || this.#mustPause()) break;
    }
    // A decoder that still holds bytes would put them in front of the next frame's.
    if (decoder.pendingBytes > 0) this.#resetDecoder();
    this.#closeSegment();
    return item.count === 0 || item.isVoid;
  }

  /**
   * A call that was sent before and blocked, or not, somewhere: whether it is certain that it was not served and never will be. This leader has applied
   * all that any earlier one can have done; what an older link of the same client left here is taken away.
   */
  #isUnheardOf({ progress, executedUpTo }: QueuedRequests): boolean {
    const { session } = progress.lane;
    if (this.#state.lastSequence(session) > executedUpTo) return false;
    for (const other of this.#options.queue.lanes()) {
      if (other === progress || compareBytes(other.lane.session, session) !== 0) continue;
      if (other.queued > 0 || other.parked.length > 0) return false;
      if (other.blocked === null) continue;
      other.blocked.end = BlockedEnd.dropped;
      this.#endBlocked(other.blocked);
    }
    return true;
  }

  #answerUncertain(progress: LaneProgress, laneEpoch: number, number: number): void {
    const start = this.#beginReply(progress);
    this.#reply.error(Errors.uncertain);
    this.#answered(progress, laneEpoch, number, start, 0, this.#state.index, this.#readNumber(), 0);
  }

  /** Runs one request. It may be refused, and with it everything behind it in the lane's epoch: the item is void then. */
  #runOne(progress: LaneProgress, laneEpoch: number, number: number, request: Request): void {
    this.#turnRequests++;
    this.#executed++;
    const record = findCommand(request);
    const refused = refusal(request, record);
    if (refused !== null || record === null || record.execute === null) {
      this.#answerError(progress, laneEpoch, number, refused ?? NOT_HERE_TEXT);
      return;
    }
    // Judged before executing (I2): afterwards the entry would have to be taken, and stop every leader that tries.
    if ((record.flags & Flag.write) !== 0 && this.#isTooLarge(request)) {
      this.#answerError(progress, laneEpoch, number, Errors.tooLargeForEntry);
      return;
    }
    if (this.#options.settings.refuseGrowth && (record.flags & Flag.denyoom) !== 0) {
      this.#refusedForSpace++;
      this.#answerError(progress, laneEpoch, number, Errors.noSpace);
      return;
    }
    if (!this.#ownsAllSlots && !this.#ownsKeys(record, request)) {
      this.#closeSegment();
      this.#options.queue.refuse(progress, number, RefuseReason.notOwner);
      return;
    }
    const context = this.#openContext();
    const effectsBefore = context.effects.count;
    this.#state.setOrigin(progress.lane.session, number);
    const start = this.#beginReply(progress);
    this.#execute(context, record, request, progress, null);
    if (context.blockedCall !== null)
      this.#block(progress, laneEpoch, number, record, request, context.blockedCall, start);
    else this.#require(progress, laneEpoch, number, record, request, start, context.effects.count > effectsBefore);
    if (context.effects.count > effectsBefore) {
      this.#sealIfFull();
      if (this.#options.blocked.count > 0) this.#serveTouched();
    }
  }

  /** An error that depends on nothing but the request. */
  #answerError(progress: LaneProgress, laneEpoch: number, number: number, text: string): void {
    const start = this.#beginReply(progress);
    this.#reply.error(text);
    this.#answered(progress, laneEpoch, number, start, 0, 0, 0, 0);
  }

  /** Whether its effects, behind those of the open batch, might make a larger entry than the log takes. */
  #isTooLarge(request: Request): boolean {
    const requestBytes = request.rawEnd - request.rawStart + request.count * EFFECT_BYTES_PER_ARGUMENT;
    return requestBytes > this.#roomBytes;
  }

  #execute(
    context: ReusedContext,
    record: CommandRecord,
    request: Request,
    progress: LaneProgress,
    resumed: BlockedCall | null,
  ): void {
    const { settings } = this.#options;
    context.request = request;
    context.nodeBounds = settings.nodeBounds;
    context.ack = progress.lane.ack ?? settings.ack;
    context.resumed = resumed;
    context.blockedCall = null;
    record.execute!(context);
  }

  /** What the reply that was just written has to wait for (design §4, I5–I7). */
  #require(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    record: CommandRecord,
    request: Request,
    start: number,
    wrote: boolean,
  ): void {
    const context = this.#context!;
    const index = this.#openIndex;
    if (!wrote) {
      const stateIndex = context.effects.count > 0 ? index : index - 1;
      const gate = gateIndex(record, request, context.keyspace, stateIndex);
      this.#answered(progress, laneEpoch, number, start, 0, gate, this.#readNumber(), 0);
      return;
    }
    // A read that logs what it found (an expiry) is still a read: no ack level lets it out early, and it is no write to WAIT for.
    if ((record.flags & Flag.readonly) !== 0) {
      this.#answered(progress, laneEpoch, number, start, 0, index, this.#readNumber(), 0);
      return;
    }
    const ack = record.handsOutData ? Ack.committed : context.ack;
    if (ack === Ack.committed) this.#answered(progress, laneEpoch, number, start, 0, index, 0, index);
    else if (ack === Ack.persisted) this.#answered(progress, laneEpoch, number, start, index, 0, 0, index);
    else this.#answered(progress, laneEpoch, number, start, 0, 0, 0, index);
  }

  /** Adds the reply to the open segment if that waits for at least as much, else begins the next one. */
  #answered(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    start: number,
    persist: number,
    commit: number,
    read: number,
    write: number,
  ): void {
    if (commit > this.#durabilityWanted) this.#durabilityWanted = commit;
    let segment = this.#segment;
    // Committed is more than persisted: a majority has it.
    const covers =
      segment !== null &&
      commit <= segment.commitIndex &&
      read <= segment.readNumber &&
      (persist <= segment.persistIndex || persist <= segment.commitIndex);
    if (segment === null || !covers) {
      this.#closeSegment();
      segment = new HeldSegment(progress, laneEpoch, number, start);
      segment.persistIndex = persist;
      segment.commitIndex = commit;
      segment.readNumber = read;
      this.#segment = segment;
    }
    segment.count++;
    segment.end = this.#reply.writer.length;
    if (write > 0) segment.writeIndex = write;
  }

  #beginReply(progress: LaneProgress): number {
    this.#reply.version = progress.lane.respVersion;
    return this.#reply.writer.length;
  }

  #closeSegment(): void {
    const segment = this.#segment;
    if (segment === null) return;
    this.#segment = null;
    this.#options.held.hold(segment);
  }

  #readNumber(): number {
    if (this.#turnRead === 0) this.#turnRead = this.#raft.requestRead();
    return this.#turnRead;
  }

  #openContext(): ReusedContext {
    if (this.#openIndex !== 0) return this.#context!;
    const raft = this.#raft;
    const index = raft.lastIndex + 1;
    assert(this.#state.index === index - 1, "the leader's state is at the end of its log (I1)");
    const effects = this.#state.openBatch(index, this.#options.stampMs());
    this.#openIndex = index;
    let context = this.#context;
    if (context === null) {
      const { keyspace } = this.#state;
      context = new ReusedContext(this.#decoder.request, this.#reply, keyspace, effects, {
        nodeBounds: this.#options.settings.nodeBounds,
        effectRoomBytes: this.#roomBytes,
      });
      this.#context = context;
    }
    context.effects = effects;
    context.nowMs = effects.logTimeMs;
    return context;
  }

  /** Closes the open batch and proposes it, in the turn in which it was executed (I2). */
  #seal(): void {
    if (this.#openIndex === 0) return;
    const index = this.#openIndex;
    this.#openIndex = 0;
    const data = this.#state.sealBatch();
    if (data === null) return;
    const proposed = this.#raft.propose(data);
    assert(proposed.ok, "a proposal was refused after its commands were executed");
    assert(proposed.index === index && proposed.term === this.#raft.term, "an entry did not get the predicted index");
    this.#options.uncommitted.proposed(index, data.length);
    this.#turnBytes += data.length;
  }

  /** After each command: the next one finds the room that it was judged by. */
  #sealIfFull(): void {
    if (this.#openIndex !== 0 && this.#context!.effects.byteLength >= this.#batchBytes) this.#seal();
  }

  #turnIsFull(): boolean {
    const { turnRequests, turnBytes } = this.#options.limits;
    if (this.#turnRequests >= turnRequests || this.#turnBytes >= turnBytes) return true;
    return this.#reply.writer.length - this.#turnReplies >= turnBytes;
  }

  /** Between two commands of a frame. Judged only when no batch is open or the turn is full: a batch that is open may go on. */
  #mustPause(): boolean {
    return this.#turnIsFull() || (this.#openIndex === 0 && this.isOverBounds());
  }

  #ownsKeys(record: CommandRecord, request: Request): boolean {
    const positions = this.#positions;
    const found = findKeys(record, request, positions);
    for (let i = 0; i < found; i++) {
      const at = positions[i]!;
      if (!this.#ownsSlot(slotOf(request.bytes, request.start(at), request.end(at)))) return false;
    }
    return true;
  }

  #ownsSlot(slot: number): boolean {
    for (const range of this.#options.slots) if (slot >= range.from && slot <= range.to) return true;
    return false;
  }

  #refuseNonsense(item: QueuedRequests): void {
    const { logger, queue } = this.#options;
    logger.error("undecodable_request", { lane: item.progress.lane.id, number: item.number });
    this.#resetDecoder();
    this.#closeSegment();
    queue.refuse(item.progress, item.number, RefuseReason.staleEpoch);
  }

  #resetDecoder(): void {
    this.#decoder = new RequestDecoder(DECODER_LIMITS);
  }

  #block(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    record: CommandRecord,
    request: Request,
    call: BlockedCall,
    start: number,
  ): void {
    const { blocked, limits, queue } = this.#options;
    assert(this.#reply.writer.length === start, "a call that blocks has written a reply");
    this.#closeSegment();
    if (progress.lane.closed) return;
    if (blocked.count >= limits.blockedCalls) {
      queue.refuse(progress, number, RefuseReason.overloaded);
      return;
    }
    const own = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const group = call.kind === "group" ? groupOf(request) : "";
    const waiting = new BlockedRead(progress, laneEpoch, number, record, { group, request: own, call });
    blocked.add(waiting, this.#state);
    if (call.kind === "group" || call.readsFromState) this.#sayParked(waiting, request, start);
    // Whatever touched its keys before it blocked is not for it.
    this.#state.takeTouchedKeys();
  }

  /** A position that was read from the state waits as a reply would: what is uncommitted, or a deposed leader's, is no position (I6, I7). */
  #sayParked(waiting: BlockedRead, request: Request, start: number): void {
    const { progress, laneEpoch, number, record, call } = waiting;
    const segment = new HeldSegment(progress, laneEpoch, number, start);
    segment.parked = waiting;
    if (call.readsFromState) {
      const context = this.#context!;
      const stateIndex = context.effects.count > 0 ? this.#openIndex : this.#openIndex - 1;
      segment.commitIndex = gateIndex(record, request, context.keyspace, stateIndex);
      segment.readNumber = this.#readNumber();
    }
    this.#durabilityWanted = Math.max(this.#durabilityWanted, segment.commitIndex);
    this.#options.held.hold(segment);
  }

  /** Runs the calls again that wait for keys that were touched, the longest waiting first, as Redis does after each command. */
  #serveTouched(): void {
    const { blocked } = this.#options;
    const keys = this.#state.takeTouchedKeys();
    for (const key of keys) {
      for (const queue of blocked.queues(key)) {
        for (const waiting of queue) {
          if (waiting.end !== BlockedEnd.none) continue;
          // Nothing left for one consumer of a group: nothing for the others either.
          if (!this.#resume(waiting) && waiting.group !== "") break;
        }
      }
    }
    // Serving only takes; what it touched wakes nobody.
    if (keys.length > 0) this.#state.takeTouchedKeys();
  }

  /** False: it found nothing and keeps its place. */
  #resume(waiting: BlockedRead): boolean {
    const { blocked, queue } = this.#options;
    const { progress, laneEpoch, number, record } = waiting;
    this.#closeSegment();
    const request = this.#decodeAgain(waiting);
    const context = this.#openContext();
    const effectsBefore = context.effects.count;
    this.#state.setOrigin(progress.lane.session, number + SERVED_LATER);
    const start = this.#beginReply(progress);
    this.#execute(context, record, request, progress, waiting.call);
    if (context.blockedCall !== null) {
      assert(this.#reply.writer.length === start, "a call that blocks has written a reply");
      return false;
    }
    blocked.remove(waiting, this.#state);
    this.#require(progress, laneEpoch, number, record, request, start, context.effects.count > effectsBefore);
    this.#closeSegment();
    this.#sealIfFull();
    queue.unpark(progress);
    return true;
  }

  /** Out of time, cancelled or unblocked by another client. */
  #endBlocked(ended: BlockedRead): void {
    if (!ended.isQueued) return;
    const { blocked, queue } = this.#options;
    const { progress, laneEpoch, number, record } = ended;
    blocked.remove(ended, this.#state);
    queue.unpark(progress);
    if (ended.end === BlockedEnd.dropped) return;
    const start = this.#beginReply(progress);
    if (ended.end === BlockedEnd.unblocked) {
      this.#reply.error(UNBLOCKED_TEXT);
      this.#answered(progress, laneEpoch, number, start, 0, 0, 0, 0);
    } else {
      assert(record.timeOut !== null, "a command that blocks says what it answers when its time is over");
      record.timeOut(this.#reply);
      const gate = gateIndex(record, this.#decodeAgain(ended), this.#state.keyspace, this.#state.index);
      this.#answered(progress, laneEpoch, number, start, 0, gate, this.#readNumber(), 0);
    }
    this.#closeSegment();
  }

  #decodeAgain(blocked: BlockedRead): Request {
    const decoder = this.#resumeDecoder;
    decoder.feed(blocked.request);
    const result = decoder.next();
    assert(result === DecodeResult.request, "a request that was decoded before");
    return decoder.request;
  }
}

/** The group that an XREADGROUP names; its grammar was checked by the handler. */
function groupOf(request: Request): string {
  for (let i = 1; i + 1 < request.count; i++) if (request.is(i, "GROUP")) return request.latin1(i + 1);
  return "";
}
