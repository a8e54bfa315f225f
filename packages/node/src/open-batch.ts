/**
 * The leader's open batch: the log entry that grows while requests are executed. Opened by the first request that needs it, at the index that it
 * will have; sealed and proposed at ~256 KiB or at the end of the turn, in the turn in which it was executed (I2).
 *
 * It runs handlers against it, and knows neither lanes' order nor what replies wait for.
 */
import { assert } from "@headrace/bytes";
import { Ack, missesAreEvents, streamAck } from "@headrace/commands";
import type { BlockedCall, CommandRecord } from "@headrace/commands";
import { KeyEventClass } from "@headrace/engine";
import type { ShardStateApi } from "@headrace/engine";
import { NOTHING_USED, RequestMode } from "@headrace/link";
import type { ReadUse } from "@headrace/link";
import type { RaftNodeApi } from "@headrace/raft-ts";
import type { ReplyWriter, Request } from "@headrace/resp";
import { Announcements } from "./announcements.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import type { ChannelRegistry } from "./channel-registry.ts";
import type { LeaderCounters } from "./leader-counters.ts";
import { PressureNews } from "./pressure-news.ts";
import type { Lane, ShardLimits, ShardSettings } from "./shard-api.ts";
import { ReusedContext } from "./shard-context.ts";
import type { UncommittedEntries } from "./uncommitted-entries.ts";
import { WatchfulKeyspace } from "./watchful-keyspace.ts";

/** What an argument may become in an effect besides its bytes: XCLAIM notes an id, a time and a count for each. */
const EFFECT_BYTES_PER_ARGUMENT = 32;
const EFFECT_OVERHEAD_BYTES = 1024;
/** Classes of events that effects name. */
const EFFECT_EVENTS =
  KeyEventClass.generic |
  KeyEventClass.string |
  KeyEventClass.hash |
  KeyEventClass.list |
  KeyEventClass.sortedSet |
  KeyEventClass.set |
  KeyEventClass.expired |
  KeyEventClass.stream |
  KeyEventClass.new;

export interface OpenBatchOptions {
  readonly limits: ShardLimits;
  /** What the log takes as one entry. */
  readonly maxEntryBytes: number;
  readonly settings: ShardSettings;
  readonly raft: RaftNodeApi;
  /** What the leader may stamp now (I4). */
  readonly stampMs: () => number;
  readonly randomBelow: (n: number) => number;
  readonly uncommitted: UncommittedEntries;
  readonly blocked: BlockedReads;
  readonly shardId: number;
  readonly channels: ChannelRegistry;
}

export class OpenBatch {
  readonly announcements: Announcements;
  readonly pressureNews: PressureNews;
  /** What is left of a log entry for one command behind the largest open batch. */
  readonly roomBytes: number;
  readonly counters: LeaderCounters;
  /** Index of the open batch; 0 = none is open. */
  index: number;
  /** Proposed in this turn. */
  turnBytes: number;
  readonly #options: OpenBatchOptions;
  readonly #raft: RaftNodeApi;
  readonly #reply: ReplyWriter;
  /** A batch that has reached this size is sealed. */
  readonly #batchBytes: number;
  #state: ShardStateApi;
  #context: ReusedContext | null;
  /** While somebody listens for keys that are looked up in vain. */
  #watchful: WatchfulKeyspace | null;

  constructor(options: OpenBatchOptions, reply: ReplyWriter, state: ShardStateApi, counters: LeaderCounters) {
    this.counters = counters;
    this.#batchBytes = Math.min(options.limits.batchBytes, Math.floor(options.maxEntryBytes / 4));
    this.roomBytes = options.maxEntryBytes - this.#batchBytes - EFFECT_OVERHEAD_BYTES;
    this.announcements = new Announcements(options.shardId, options.channels, options.settings);
    this.pressureNews = new PressureNews(this.announcements, state);
    this.index = 0;
    this.turnBytes = 0;
    this.#options = options;
    this.#raft = options.raft;
    this.#reply = reply;
    this.#state = state;
    this.#context = null;
    this.#watchful = null;
  }

  /** Whether anybody listens is looked at once a turn: a command without listeners pays nothing. */
  beginTurn(): void {
    this.turnBytes = 0;
    const { announcements } = this;
    announcements.turnBytes = 0;
    this.#state.keyEvents = announcements.wants(EFFECT_EVENTS) ? announcements : null;
    const watches = announcements.wants(KeyEventClass.keyMiss);
    this.#watchful = watches ? new WatchfulKeyspace(this.#state.live, announcements) : null;
  }

  /** Of the batch that is open, or was last. */
  get context(): ReusedContext {
    return this.#context!;
  }

  /** Effects of commands in it: without what nobody asked for (keys that were found expired), which a read may log without being a write. */
  get writeCount(): number {
    const { effects } = this.context;
    return effects.count - effects.unaskedCount;
  }

  /** Where the state stands with what is executed by now. */
  get stateIndex(): number {
    if (this.index === 0) return this.#state.index;
    return this.context.effects.count > 0 ? this.index : this.index - 1;
  }

  /** After a reload: everything that refers to the old state is dropped. */
  replaceState(state: ShardStateApi): void {
    assert(this.index === 0, "a batch is open on the state that goes away");
    this.#state = state;
    this.#context = null;
    this.pressureNews.replaceState(state);
  }

  /** Upper bound of what the request's own bytes become in effects; what it can multiply, its handler judges. */
  costBytes(request: Request): number {
    return request.rawEnd - request.rawStart + request.count * EFFECT_BYTES_PER_ARGUMENT;
  }

  /** The context of the open batch, which is opened if none is. */
  open(request: Request): ReusedContext {
    if (this.index !== 0) return this.#context!;
    const index = this.#raft.lastIndex + 1;
    assert(this.#state.index === index - 1, "the leader's state is at the end of its log (I1)");
    const effects = this.#state.openBatch(index, this.#options.stampMs());
    this.index = index;
    let context = this.#context;
    if (context === null) {
      const { live } = this.#state;
      context = new ReusedContext(request, this.#reply, live, effects, {
        nodeBounds: this.#options.settings.nodeBounds,
        idempotenceWindow: this.#options.settings.idempotenceWindow,
        effectRoomBytes: this.roomBytes,
        isHeldUp: (key, group) => this.#options.blocked.isHeldUp(key, group, this.context.resumed),
        counters: this.counters,
        channels: this.announcements,
        pressureNews: this.pressureNews,
        randomBelow: this.#options.randomBelow,
      });
      this.#context = context;
    }
    context.effects = effects;
    this.announcements.batch = effects;
    context.nowMs = effects.logTimeMs;
    return context;
  }

  /** Runs the handler; the batch is open. `resumed`: the call has waited and runs again, or `looksOnly`. */
  execute(
    record: CommandRecord,
    request: Request,
    resumed: BlockedCall | null,
    mode: RequestMode = RequestMode.whole,
    looksOnly: boolean = false,
    used: ReadUse = NOTHING_USED,
  ): void {
    this.#prepare(request, resumed, mode, looksOnly, used);
    const context = this.#context!;
    const writesBefore = this.writeCount;
    if (this.#watchful !== null && missesAreEvents(record)) this.#executeWatched(record, this.#watchful);
    else record.execute!(context);
    if (!context.isUncounted && this.writeCount > writesBefore) this.counters.changes++;
  }

  /** Runs the handler of a read for what it needs: nobody is to hear of it, and its reply is taken back. */
  look(record: CommandRecord, request: Request): void {
    this.#prepare(request, null, RequestMode.whole, false, NOTHING_USED);
    record.execute!(this.#context!);
  }

  #prepare(request: Request, resumed: BlockedCall | null, mode: RequestMode, looksOnly: boolean, used: ReadUse): void {
    const { settings } = this.#options;
    const context = this.#context!;
    context.request = request;
    context.nodeBounds = settings.nodeBounds;
    context.idempotenceWindow = settings.idempotenceWindow;
    context.delayedMaxEntries = settings.delayedMaxEntries;
    context.outboxMaxBytes = settings.outboxMaxBytes;
    context.ack = null;
    context.resumed = resumed;
    context.readMode = mode;
    context.looksOnly = looksOnly;
    context.used = used;
    context.isOffer = false;
    context.blockedCall = null;
    context.isUncounted = false;
    context.handsOut = false;
  }

  #executeWatched(record: CommandRecord, watchful: WatchfulKeyspace): void {
    const context = this.#context!;
    const { live } = this.#state;
    context.keyspace = watchful.begin(live);
    try {
      record.execute!(context);
    } finally {
      context.keyspace = live;
    }
  }

  /** The level that the write waits for that was just executed for this lane. */
  ackOf(record: CommandRecord, request: Request, lane: Lane): Ack {
    if (record.handsOutData || this.context.handsOut) return Ack.committed;
    return this.context.ack ?? this.ackInMulti(record, request, lane);
  }

  /** The same where the command's own word does not count. */
  ackInMulti(record: CommandRecord, request: Request, lane: Lane): Ack {
    return lane.ack ?? streamAck(record, request, this.context.keyspace, this.#options.settings.ack);
  }

  /** The open batch stands half done and becomes no entry; its index, 0 if none was open. The state is of no use any more. */
  abandon(): number {
    const { index } = this;
    this.index = 0;
    return index;
  }

  /** Closes the open batch and proposes it, in the turn in which it was executed (I2). */
  seal(): void {
    if (this.index === 0) return;
    const { index } = this;
    this.index = 0;
    const data = this.#state.sealBatch();
    if (data === null) return;
    const proposed = this.#raft.propose(data);
    assert(proposed.ok, "a proposal was refused after its commands were executed");
    assert(proposed.index === index && proposed.term === this.#raft.term, "an entry did not get the predicted index");
    this.#options.uncommitted.proposed(index, data.length);
    this.turnBytes += data.length;
  }

  /** After each command: the next one finds the room that it was judged by. */
  sealIfFull(): void {
    if (this.index !== 0 && this.#context!.effects.byteLength >= this.#batchBytes) this.seal();
  }
}
