/**
 * Runs requests on the leader, frame by frame: decode, find the command, check that its keys are owned, run the handler against memory. What follows
 * from it lives beside it: the log entry that grows (open-batch.ts), what the reply has to wait for (turn-replies.ts), calls that wait
 * (blocked-calls.ts).
 *
 *   frame ─► request ─► handler ─► effects in the open batch ─► reply bytes in the turn's writer ─► segment with requirements
 *                                        └─ sealed at ~256 KiB or at the end of the turn ─► propose
 *
 * It is called only while this replica leads, has committed in its term and X = L (I1).
 */
import { slotOf } from "@headrace/bytes";
import { arityFits, Errors, exec, findCommand, findKeys, Flag, isShardExec, refusal } from "@headrace/commands";
import { ShardExec, unwatch, watch } from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";
import { ColdMiss, DamagedRowError } from "@headrace/engine";
import type { ShardStateApi } from "@headrace/engine";
import { RefuseReason } from "@headrace/link";
import type { ReadUse, RequestMode } from "@headrace/link";
import type { Logger } from "@headrace/ports";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import type { DecoderLimits, Request, RequestDecoderApi } from "@headrace/resp";
import { BlockedCalls } from "./blocked-calls.ts";
import { ColdReadFailed } from "./cold-blocks.ts";
import type { ColdBlocks } from "./cold-blocks.ts";
import type { HeldReplies } from "./held-replies.ts";
import type { LaneProgress, QueuedRequests } from "./lane-progress.ts";
import { LeaderCounters } from "./leader-counters.ts";
import { DelayedReleases, type DelayedReleasesOptions } from "./delayed-releases.ts";
import { DueKeys } from "./due-keys.ts";
import { IdleConsumers } from "./idle-consumers.ts";
import type { LeaderTask } from "./leader-task.ts";
import { OpenBatch } from "./open-batch.ts";
import { OutboxDesk } from "./outbox-desk.ts";
import type { OutboxDeskOptions } from "./outbox-desk.ts";
import type { OpenBatchOptions } from "./open-batch.ts";
import type { RaftLog } from "./raft-log.ts";
import type { RequestQueue } from "./request-queue.ts";
import { RetentionTrims } from "./retention-trims.ts";
import type { RetentionTrimsOptions } from "./retention-trims.ts";
import type { ShardSettings, SlotRange } from "./shard-api.ts";
import { TransactionEnd, Transactions } from "./transactions.ts";
import { TurnReplies } from "./turn-replies.ts";

/** Requests come canonical from a gateway that has checked its own limits; these only stop nonsense. */
const DECODER_LIMITS: DecoderLimits = {
  maxBulkBytes: 512 * 1024 * 1024,
  maxArguments: 1024 * 1024,
  maxInlineBytes: 64 * 1024,
  maxRequestBytes: 1024 * 1024 * 1024,
};

const NOT_HERE_TEXT = "ERR this command does not run on a shard";

export interface ExecutorOptions
  extends OpenBatchOptions, DelayedReleasesOptions, RetentionTrimsOptions, OutboxDeskOptions {
  readonly settings: ShardSettings;
  readonly shardId: number;
  readonly slots: readonly SlotRange[];
  readonly raftLog: Pick<RaftLog, "memoryBytes">;
  readonly logger: Logger;
  readonly queue: RequestQueue;
  readonly held: HeldReplies;
  readonly cold: ColdBlocks;
}

/** Why this replica can't go on as it is: what it had to have was not on its disk as it was written, or can't be read. */
export interface ExecutionFailure {
  readonly message: string;
  readonly damaged: boolean;
  /** It can be read later: with its state loaded anew the replica goes on. */
  readonly passes: boolean;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #batch: OpenBatch;
  readonly #replies: TurnReplies;
  readonly #calls: BlockedCalls;
  readonly #transactions: Transactions;
  /** In the order in which they run. */
  readonly #tasks: readonly LeaderTask[];
  readonly #retention: RetentionTrims;
  readonly #idle: IdleConsumers;
  readonly outbox: OutboxDesk;
  readonly #delayed: DelayedReleases;
  readonly #positions: number[];
  readonly #ownsAllSlots: boolean;
  #decoder: RequestDecoderApi;
  #state: ShardStateApi;
  #turnRequests: number;
  #executed: number;
  #refusedForSpace: number;
  #refusedForMemory: number;
  #failure: ExecutionFailure | null;

  constructor(options: ExecutorOptions, state: ShardStateApi) {
    const reply = new ReplyWriter();
    const counters = new LeaderCounters(options.blocked, () => this.#state.memory);
    const batch = new OpenBatch(options, reply, state, counters);
    const replies = new TurnReplies(options.raft, options.held, reply, batch);
    const { shardId, limits, queue, blocked } = options;
    this.#options = options;
    this.#batch = batch;
    this.#replies = replies;
    this.#calls = new BlockedCalls(
      {
        shardId,
        limits,
        queue,
        blocked,
        cold: options.cold,
        batch,
        replies,
        decoderLimits: DECODER_LIMITS,
        objection: (record, request) => this.#objection(record, request),
        mayGoOn: () => !this.#turnIsFull() && !this.isOverBounds(),
      },
      state,
    );
    const { settings, cold } = options;
    const ownsKeys = (record: CommandRecord, request: Request): boolean =>
      this.#ownsAllSlots || this.#ownsKeys(record, request);
    const transactionRooms = { batch, replies, settings, cold, decoderLimits: DECODER_LIMITS, ownsKeys };
    this.#transactions = new Transactions(transactionRooms, state);
    this.#retention = new RetentionTrims(options, batch, this.#calls, state);
    this.#idle = new IdleConsumers(options, batch, this.#calls, state);
    this.outbox = new OutboxDesk(options, batch, this.#calls, state);
    this.#delayed = new DelayedReleases(options, batch, this.#calls, state);
    const due = new DueKeys(options, batch, this.#calls, state);
    this.#tasks = [this.#delayed, due, this.#retention, this.#idle];
    this.#positions = [];
    const [only] = options.slots;
    this.#ownsAllSlots = options.slots.length === 1 && only!.from === 0 && only!.to === 16383;
    this.#decoder = new RequestDecoder(DECODER_LIMITS);
    this.#state = state;
    this.#turnRequests = 0;
    this.#executed = 0;
    this.#refusedForSpace = 0;
    this.#refusedForMemory = 0;
    this.#failure = null;
  }

  /** Not null after a turn that could not be finished: nothing of its open batch is proposed, and nothing may be done with the state any more. */
  get failure(): ExecutionFailure | null {
    return this.#failure;
  }

  /** Requests executed since the start. */
  get executed(): number {
    return this.#executed;
  }

  /** Writes that were refused because the disk is below its reserve. */
  get refusedForSpace(): number {
    return this.#refusedForSpace;
  }

  /** Writes that were refused because the node's memory is full of what cannot leave it. */
  get refusedForMemory(): number {
    return this.#refusedForMemory;
  }

  /** XADDs that a limit of lag has refused. */
  get refusedForLag(): number {
    return this.#batch.counters.refusedForLag;
  }

  /** XADDs that a limit of lag has held. */
  get writesHeld(): number {
    return this.#batch.counters.writesHeld;
  }

  /** Bytes of messages and events that wait for commit. */
  get announcedBytes(): number {
    return this.#batch.announcements.bytes;
  }

  /** Entries that retention has trimmed. */
  get trimmedByRetention(): number {
    return this.#retention.trimmed;
  }

  /** Idle consumers that went. */
  get expiredConsumers(): number {
    return this.#idle.expired;
  }

  /** Delayed entries that have appeared. */
  get releasedDelayed(): number {
    return this.#delayed.released;
  }

  /** The highest index that a held reply needs durable, not only written. */
  get durabilityWanted(): number {
    return this.#replies.durabilityWanted;
  }

  /**
   * At the bound of X − C (I17), of replies that are held, or of the log ahead of the checkpoint, nothing is executed until a commit or a
   * checkpoint makes room.
   */
  isOverBounds(): boolean {
    const { uncommitted, held, raftLog, limits } = this.#options;
    if (uncommitted.isAbove(limits, 1) || held.bytes >= limits.heldBytes) return true;
    if (this.#batch.announcements.bytes >= limits.heldBytes) return true;
    if (this.#state.dirtyKeys >= limits.dirtyKeys) return true;
    return raftLog.memoryBytes >= limits.logCacheBytes + limits.logAheadBytes;
  }

  /** A term of leadership begins. */
  beginTerm(term: number): void {
    this.#replies.durabilityWanted = 0;
    this.#batch.announcements.begin(term);
    this.#batch.pressureNews.beginTerm();
  }

  /** Commit has moved. */
  committed(index: number): void {
    this.#batch.announcements.release(index);
    this.outbox.committed(index);
  }

  /** Nothing that it watched or wanted to say outlives the term (I12). */
  endTerm(isCommitted: (index: number) => boolean): void {
    this.#batch.announcements.resolve(isCommitted);
    this.#batch.pressureNews.endTerm();
    for (const progress of this.#options.queue.lanes()) this.#transactions.unwatch(progress);
    this.#options.cold.drop();
    this.#retention.rest();
    this.#idle.rest();
    this.outbox.rest();
  }

  laneClosed(progress: LaneProgress): void {
    this.#transactions.unwatch(progress);
  }

  /** After a reload: everything that refers to the old state is dropped. */
  replaceState(state: ShardStateApi): void {
    this.#failure = null;
    this.#state = state;
    this.#options.cold.replaceState(state);
    this.#batch.replaceState(state);
    this.#calls.replaceState(state);
    this.#transactions.replaceState(state);
    for (const task of this.#tasks) task.replaceState(state);
    this.outbox.replaceState(state);
  }

  /** Nothing will be executed any more. */
  stop(): void {
    for (const task of this.#tasks) task.stop();
  }

  /** One turn's work. Answers whether something that could run now is left for the next turn. */
  run(): boolean {
    this.#turnRequests = 0;
    this.#batch.beginTurn();
    this.#replies.beginTurn();
    try {
      const isMore = this.#runTurn();
      this.#replies.close();
      this.#batch.seal();
      this.#replies.endTurn();
      return isMore;
    } catch (error) {
      const damaged = error instanceof DamagedRowError;
      if (!damaged && !(error instanceof ColdReadFailed)) throw error;
      // A command stands half done: the batch never becomes an entry, and who waits for it learns that its fate is unknown (I5).
      this.#failure = { message: error.message, damaged, passes: error instanceof ColdReadFailed && error.passes };
      this.#replies.close();
      this.#options.held.neverCommits(this.#batch.abandon());
      this.#replies.endTurn();
      return false;
    }
  }

  #runTurn(): boolean {
    const { queue, cold } = this.#options;
    cold.settle(
      (progress) => {
        if (progress.blocked === null) queue.unpark(progress);
        else this.#calls.fetched(progress.blocked);
      },
      // A call that waits is answered whatever its sink holds.
      (progress) => progress.blocked === null && queue.isStalled(progress),
    );
    this.#calls.endEnded();
    if (!this.isOverBounds()) {
      this.#calls.serveFetched();
      this.#calls.dealWithOffers();
      this.#calls.serveDue();
      this.#calls.serveHeldBack();
    }
    let isMore = false;
    for (let item = queue.first(); item !== null; item = queue.first()) {
      isMore = this.#turnIsFull();
      if (isMore || this.isOverBounds()) break;
      if (this.#runFrame(item)) queue.done(item);
    }
    for (const task of this.#tasks) if (!this.isOverBounds() && task.run(this.#decoder.request)) isMore = true;
    if (!this.isOverBounds() && this.outbox.run(this.#decoder.request)) isMore = true;
    this.#tellOfPressure();
    const hasMore = this.#batch.pressureNews.hasToLook || this.#calls.areHeldBack;
    return isMore || (hasMore && !this.isOverBounds());
  }

  #tellOfPressure(): void {
    const { pressureNews } = this.#batch;
    if (pressureNews.hasToLook && !this.isOverBounds()) {
      this.#batch.open(this.#decoder.request);
      pressureNews.lookOn();
    }
    if (pressureNews.isWatching) this.#calls.serveTouched();
  }

  /** Runs what it may of the frame. True when the frame is finished, refused, or has nothing left that is not parked. Throws what `run` catches. */
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
      if (item.executedUpTo < 0 || this.#calls.isUnheardOf(item)) {
        if (!this.#runOne(progress, item.laneEpoch, item.number, item, request)) break;
      } else {
        this.#answerUncertain(progress, item.laneEpoch, item.number);
      }
      // Whatever became of it; what it waits for from now on is its own again.
      if (progress.cold !== null && progress.blocked === null) this.#options.cold.executed(progress);
      item.offset += request.rawEnd - request.rawStart;
      item.number++;
      item.count--;
      if (item.isVoid || progress.blocked !== null || this.#mustPause()) break;
    }
    // A decoder that still holds bytes would put them in front of the next frame's.
    if (decoder.pendingBytes > 0) this.#resetDecoder();
    this.#replies.close();
    return item.count === 0 || item.isVoid;
  }

  #answerUncertain(progress: LaneProgress, laneEpoch: number, number: number): void {
    const replies = this.#replies;
    const start = replies.begin(progress);
    replies.reply.error(Errors.uncertain);
    replies.answered(progress, laneEpoch, number, start, 0, this.#state.index, replies.readNumber(), 0);
  }

  /**
   * Runs one request. It may be refused, and with it everything behind it in the lane's epoch: the item is void then. False: it waits for cold blocks,
   * and will run again as if it had never run.
   */
  #runOne(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    { mode, used }: QueuedRequests,
    request: Request,
  ): boolean {
    const replies = this.#replies;
    this.#turnRequests++;
    this.#executed++;
    const record = findCommand(request);
    const refused = refusal(request, record);
    if (refused !== null || record === null || record.execute === null) {
      const end = this.#runForTransaction(progress, laneEpoch, number, record, request);
      if (end === null) replies.error(progress, laneEpoch, number, refused ?? NOT_HERE_TEXT);
      return end !== TransactionEnd.waits;
    }
    const error = this.#objection(record, request);
    if (error !== null) {
      replies.error(progress, laneEpoch, number, error);
      return true;
    }
    if (!this.#ownsAllSlots && !this.#ownsKeys(record, request)) {
      replies.close();
      this.#options.queue.refuse(progress, number, RefuseReason.notOwner);
      return true;
    }
    if (progress.cold !== null && !this.#options.cold.takeInFor(progress, laneEpoch, number)) return false;
    const batch = this.#batch;
    const context = batch.open(request);
    const effectsBefore = context.effects.count;
    const writesBefore = batch.writeCount;
    this.#state.setOrigin(progress.lane.session, number);
    const start = replies.begin(progress);
    const miss = this.#execute(record, request, mode, used);
    const changed = context.effects.count > effectsBefore;
    if (miss !== null) {
      const isAnswered = this.#putAway(progress, laneEpoch, number, start, miss);
      if (changed) this.#afterChange();
      return isAnswered;
    }
    if (progress.cold !== null) this.#options.cold.executed(progress);
    const wrote = batch.writeCount > writesBefore;
    if (context.blockedCall !== null)
      this.#calls.park(progress, laneEpoch, number, mode, record, request, context.blockedCall, start);
    else replies.require(progress, laneEpoch, number, record, request, start, wrote);
    if (changed) this.#afterChange();
    return true;
  }

  /**
   * Judged before executing (I2): afterwards the entry would have to be taken, and stop every leader that tries. Reads too: they log what they find
   * expired.
   */
  #objection(record: CommandRecord, request: Request): string | null {
    if (this.#batch.costBytes(request) > this.#batch.roomBytes) return Errors.tooLargeForEntry;
    if ((record.flags & Flag.denyoom) === 0) return null;
    const { settings } = this.#options;
    if (settings.refuseFixedMemory) {
      this.#refusedForMemory++;
      return Errors.outOfMemory;
    }
    if (settings.refuseGrowth) {
      this.#refusedForSpace++;
      return Errors.noSpace;
    }
    return null;
  }

  /** Null: it has run. Else nothing has happened, but for bytes of a reply and keys that it found expired. */
  #execute(record: CommandRecord, request: Request, mode: RequestMode, used: ReadUse): ColdMiss | null {
    const { cold } = this.#options;
    const batch = this.#batch;
    cold.begin(batch.context.effects, batch.announcements);
    try {
      batch.execute(record, request, null, mode, false, used);
      return null;
    } catch (error) {
      if (error instanceof ColdMiss) return error;
      throw error;
    } finally {
      cold.end();
    }
  }

  /** True: it wants too much, and is answered. */
  #putAway(progress: LaneProgress, laneEpoch: number, number: number, start: number, miss: ColdMiss): boolean {
    this.#replies.takeBack(start);
    if (this.#options.cold.park(progress, laneEpoch, number, miss)) {
      this.#executed--;
      return false;
    }
    this.#replies.error(progress, laneEpoch, number, Errors.tooMuchAtOnce);
    return true;
  }

  #afterChange(): void {
    this.#batch.sealIfFull();
    if (this.#options.blocked.count > 0) this.#calls.serveTouched();
  }

  /** Null: it is no request of that kind. */
  #runForTransaction(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    record: CommandRecord | null,
    request: Request,
  ): TransactionEnd | null {
    const transactions = this.#transactions;
    let end: TransactionEnd;
    if (record === exec && isShardExec(request)) {
      end = transactions.runExec(progress, laneEpoch, number, request);
      // A run that ends in waiting is none.
      this.#executed += end === TransactionEnd.waits ? -1 : ShardExec.count(request);
    } else if (record === watch && arityFits(record, request.count)) {
      end = transactions.runWatch(progress, laneEpoch, number, record, request);
    } else if (record === unwatch) {
      end = transactions.runUnwatch(progress, laneEpoch, number);
    } else {
      return null;
    }
    if (end === TransactionEnd.changed || end === TransactionEnd.waits) {
      this.#afterChange();
    } else if (end === TransactionEnd.noSpace) {
      this.#refusedForSpace++;
    } else if (end === TransactionEnd.noMemory) {
      this.#refusedForMemory++;
    } else if (end === TransactionEnd.notOwner || end === TransactionEnd.nonsense) {
      this.#replies.close();
      const reason = end === TransactionEnd.notOwner ? RefuseReason.notOwner : RefuseReason.staleEpoch;
      this.#options.queue.refuse(progress, number, reason);
    }
    return end;
  }

  #turnIsFull(): boolean {
    const { turnRequests, turnBytes } = this.#options.limits;
    if (this.#batch.announcements.turnBytes >= turnBytes) return true;
    if (this.#turnRequests >= turnRequests || this.#batch.turnBytes >= turnBytes) return true;
    return this.#replies.turnBytes >= turnBytes;
  }

  /** Between two commands of a frame. Judged only when no batch is open or the turn is full: a batch that is open may go on. */
  #mustPause(): boolean {
    return this.#turnIsFull() || (this.#batch.index === 0 && this.isOverBounds());
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
    const { logger, queue, shardId } = this.#options;
    logger.error("undecodable_request", { group: shardId, lane: item.progress.lane.id, number: item.number });
    this.#resetDecoder();
    this.#replies.close();
    queue.refuse(item.progress, item.number, RefuseReason.staleEpoch);
  }

  #resetDecoder(): void {
    this.#decoder = new RequestDecoder(DECODER_LIMITS);
  }
}
