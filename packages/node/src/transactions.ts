/**
 * WATCH, UNWATCH and EXEC on the leader. An EXEC brings all that its client has queued (commands' transaction/shard-exec.ts): it is judged as a whole
 * before its first effect, run in one turn, and never sliced: all its effects are in one log entry, under one origin (I14). Calls that wait for keys
 * are served when it is over.
 *
 * One that meets cold blocks before its first write waits for them with its lane and runs again, all of it; its watches stay meanwhile, and decide
 * when it runs. Reads behind a write have no such chance any more: what these need is looked for before the first part.
 *
 * Watches are this leader's, of one term and one link (I12). An EXEC whose WATCH calls were not all seen here is answered nil, as if the keys had
 * changed: nobody knows whether they have.
 */
import { assert } from "@headrace/bytes";
import {
  Ack,
  Errors,
  execAbortedBy,
  findCommand,
  findKeys,
  Flag,
  gateIndex,
  refusal,
  ShardExec,
} from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";
import { ColdMiss } from "@headrace/engine";
import type { ShardStateApi } from "@headrace/engine";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { DecoderLimits, Request, RequestDecoderApi } from "@headrace/resp";
import type { ColdBlocks } from "./cold-blocks.ts";
import type { LaneProgress } from "./lane-progress.ts";
import { LaneWatch } from "./lane-watch.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { Lane, ShardSettings } from "./shard-api.ts";
import type { TurnReplies } from "./turn-replies.ts";

export interface TransactionRooms {
  readonly batch: OpenBatch;
  readonly replies: TurnReplies;
  readonly settings: ShardSettings;
  readonly cold: ColdBlocks;
  readonly decoderLimits: DecoderLimits;
  ownsKeys(record: CommandRecord, request: Request): boolean;
}

/** How a request ended; `waits`: it has not, nothing has happened but that keys were found expired, and it runs again when its cold blocks have come. */
export const TransactionEnd = {
  answered: 0,
  changed: 1,
  notOwner: 2,
  nonsense: 3,
  noSpace: 4,
  noMemory: 5,
  waits: 6,
} as const;
export type TransactionEnd = (typeof TransactionEnd)[keyof typeof TransactionEnd];

/** What its commands' replies have to wait for, all together. */
interface Needs {
  gate: number;
  /** Something was read or handed out, or an error or a nil says what the state was. */
  hasRead: boolean;
  wrote: boolean;
  /** There are effects: writes, or keys that were found expired. */
  changed: boolean;
  /** The highest level of its writes: the connection's, else their streams', else the cluster's. */
  ack: Ack;
}

export class Transactions {
  readonly #rooms: TransactionRooms;
  readonly #batch: OpenBatch;
  readonly #replies: TurnReplies;
  #decoder: RequestDecoderApi;
  #state: ShardStateApi;
  readonly #positions: number[];

  constructor(rooms: TransactionRooms, state: ShardStateApi) {
    this.#rooms = rooms;
    this.#batch = rooms.batch;
    this.#replies = rooms.replies;
    this.#decoder = new RequestDecoder(rooms.decoderLimits);
    this.#state = state;
    this.#positions = [];
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  /** The lane is gone, or the term is over. */
  unwatch(progress: LaneProgress): void {
    const { watch } = progress;
    if (watch === null) return;
    progress.watch = null;
    this.#state.watches.remove(watch.flag);
  }

  /** Its flags are set from here on; that they are is a read like any other. */
  runWatch(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    record: CommandRecord,
    request: Request,
  ): TransactionEnd {
    if (!this.#rooms.ownsKeys(record, request)) return TransactionEnd.notOwner;
    // It logs what it finds expired.
    if (this.#batch.costBytes(request) > this.#batch.roomBytes) {
      this.#replies.error(progress, laneEpoch, number, Errors.tooLargeForEntry);
      return TransactionEnd.answered;
    }
    const { keyspace, effects } = this.#batch.open(request);
    const effectsBefore = effects.count;
    if (!progress.lane.closed) {
      progress.watch ??= new LaneWatch();
      progress.watch.calls++;
      const found = findKeys(record, request, this.#positions);
      for (let i = 0; i < found; i++) {
        const key = request.latin1(this.#positions[i]!);
        // One that has expired already is watched as one that is not there.
        keyspace.peek(key);
        this.#state.watches.add(key, progress.watch.flag);
      }
    }
    const start = this.#replies.begin(progress);
    this.#replies.reply.ok();
    const gate = gateIndex(record, request, keyspace, this.#batch.stateIndex);
    this.#replies.answered(progress, laneEpoch, number, start, 0, gate, this.#replies.readNumber(), 0);
    return effects.count > effectsBefore ? TransactionEnd.changed : TransactionEnd.answered;
  }

  runUnwatch(progress: LaneProgress, laneEpoch: number, number: number): TransactionEnd {
    this.unwatch(progress);
    const start = this.#replies.begin(progress);
    this.#replies.reply.ok();
    this.#replies.answered(progress, laneEpoch, number, start, 0, 0, 0, 0);
    return TransactionEnd.answered;
  }

  runExec(progress: LaneProgress, laneEpoch: number, number: number, request: Request): TransactionEnd {
    const count = ShardExec.count(request);
    // Judged before anything happens (I2): the room that each part needs at least, and who may not run at all.
    let costBytes = 0;
    let grows = false;
    let writes = false;
    let readsBehindWrite = false;
    for (let i = 0; i < count; i++) {
      const part = this.#part(request, i);
      if (part === null) return TransactionEnd.nonsense;
      const record = findCommand(part);
      if (record === null) continue;
      if (!this.#rooms.ownsKeys(record, part)) return TransactionEnd.notOwner;
      if ((record.flags & Flag.denyoom) !== 0) grows = true;
      if ((record.flags & Flag.readonly) === 0) writes = true;
      else if (writes) readsBehindWrite = true;
      // Reads too: they log what they find expired.
      costBytes += this.#batch.costBytes(part);
    }
    if (costBytes > this.#batch.roomBytes) {
      return this.#abort(progress, laneEpoch, number, Errors.tooLargeForEntry, TransactionEnd.answered);
    }
    if (grows && this.#rooms.settings.refuseFixedMemory) {
      return this.#abort(progress, laneEpoch, number, Errors.outOfMemory, TransactionEnd.noMemory);
    }
    if (grows && this.#rooms.settings.refuseGrowth) {
      return this.#abort(progress, laneEpoch, number, Errors.noSpace, TransactionEnd.noSpace);
    }
    const { cold } = this.#rooms;
    if (progress.cold !== null && !cold.takeInFor(progress, laneEpoch, number)) return TransactionEnd.waits;
    const changed = this.#expireWatched(progress, request);
    this.#batch.open(request);
    const needs: Needs = { gate: this.#watchGate(progress), hasRead: false, wrote: false, ack: 0, changed };
    const start = this.#replies.begin(progress);
    if (this.#isStale(progress, ShardExec.watchCalls(request))) {
      this.#replies.reply.nullArray();
    } else {
      const miss = this.#runParts(progress, number, request, costBytes, readsBehindWrite, needs);
      if (miss !== null) {
        this.#replies.takeBack(start);
        if (cold.park(progress, laneEpoch, number, miss)) return TransactionEnd.waits;
        const end = needs.changed ? TransactionEnd.changed : TransactionEnd.answered;
        return this.#abort(progress, laneEpoch, number, Errors.tooMuchAtOnce, end);
      }
    }
    this.unwatch(progress);
    this.#require(progress, laneEpoch, number, start, needs);
    return needs.changed ? TransactionEnd.changed : TransactionEnd.answered;
  }

  /** Null: all of it has run. Else nothing has happened, but for bytes of a reply and keys that it found expired. */
  #runParts(
    progress: LaneProgress,
    number: number,
    request: Request,
    costBytes: number,
    readsBehindWrite: boolean,
    needs: Needs,
  ): ColdMiss | null {
    const { cold } = this.#rooms;
    const { context } = this.#batch;
    const count = ShardExec.count(request);
    const effectsBefore = context.effects.count;
    this.#state.setOrigin(progress.lane.session, number);
    cold.begin(context.effects, this.#batch.announcements);
    context.denyBlocking = true;
    try {
      if (readsBehindWrite) this.#lookAhead(progress, request);
      this.#replies.reply.array(count);
      let roomBytes = this.#batch.roomBytes - costBytes;
      for (let i = 0; i < count; i++)
        roomBytes = this.#runPart(progress.lane, this.#part(request, i)!, roomBytes, needs);
      return null;
    } catch (error) {
      if (error instanceof ColdMiss) return error;
      throw error;
    } finally {
      cold.end();
      if (context.effects.count > effectsBefore) needs.changed = true;
      context.denyBlocking = false;
      context.effectRoomBytes = this.#batch.roomBytes;
    }
  }

  /**
   * Runs the reads behind the first write for what they miss, as the state is now: mostly that is what they will need. Nobody hears of it. Behind a part
   * that may take entries away nobody can say. Keys that are found expired are so in truth.
   */
  #lookAhead(progress: LaneProgress, request: Request): void {
    const { cold } = this.#rooms;
    let isBehindWrite = false;
    for (let i = 0; i < ShardExec.count(request) && cold.mayMiss; i++) {
      const part = this.#part(request, i)!;
      const record = findCommand(part);
      if (record === null || record.execute === null || refusal(part, record) !== null) continue;
      if ((record.flags & Flag.readonly) !== 0) {
        if (isBehindWrite && this.#readsCold(record, part) && !this.#look(progress, record, part)) return;
      } else if ((record.flags & (Flag.denyoom | Flag.pubsub)) !== 0) {
        isBehindWrite = true;
      } else {
        return;
      }
    }
  }

  /** False: it wants more than may be waited for. What it really needs may be less. */
  #look(progress: LaneProgress, record: CommandRecord, part: Request): boolean {
    const start = this.#replies.reply.writer.length;
    try {
      this.#batch.look(record, part);
      return true;
    } catch (error) {
      if (!(error instanceof ColdMiss) || this.#rooms.cold.hasRoomFor(progress, error)) throw error;
      return false;
    } finally {
      this.#replies.takeBack(start);
    }
  }

  #readsCold(record: CommandRecord, part: Request): boolean {
    const found = findKeys(record, part, this.#positions);
    for (let i = 0; i < found; i++) {
      const key = this.#state.keyspace.find(part.latin1(this.#positions[i]!));
      if (key?.stream?.hasCold === true) return true;
    }
    return false;
  }

  /** A watched key whose time is over has changed: true, then, and nothing else of the transaction happens. No part of it, so of entries of their own. */
  #expireWatched({ watch }: LaneProgress, request: Request): boolean {
    if (watch === null) return false;
    let changed = false;
    for (const key of watch.flag.keys) {
      const { keyspace, effects } = this.#batch.open(request);
      const effectsBefore = effects.count;
      keyspace.peek(key);
      if (effects.count === effectsBefore) continue;
      changed = true;
      this.#batch.sealIfFull();
    }
    return changed;
  }

  /** `roomBytes`: of the log entry, beside what the parts from this one on need at least. Answers what is left of it. */
  #runPart(lane: Lane, part: Request, roomBytes: number, needs: Needs): number {
    const { reply } = this.#replies;
    const record = findCommand(part);
    const refused = refusal(part, record);
    if (refused !== null || record === null || record.execute === null) {
      reply.error(refused ?? Errors.notInsideMulti);
      return roomBytes;
    }
    const { context } = this.#batch;
    const effectsBefore = context.effects.count;
    const writesBefore = this.#batch.writeCount;
    const bytesBefore = context.effects.byteLength;
    const ownBytes = this.#batch.costBytes(part);
    context.effectRoomBytes = ownBytes + roomBytes;
    this.#batch.execute(record, part, null);
    assert(context.blockedCall === null, "nothing waits inside a transaction");
    if (context.effects.count > effectsBefore) needs.changed = true;
    if (this.#batch.writeCount === writesBefore) {
      needs.hasRead = true;
      needs.gate = Math.max(needs.gate, gateIndex(record, part, context.keyspace, this.#batch.stateIndex));
    } else {
      needs.wrote = true;
      needs.ack = Math.max(needs.ack, this.#batch.ackInMulti(record, part, lane)) as Ack;
      if ((record.flags & Flag.readonly) !== 0 || record.handsOutData || context.handsOut) needs.hasRead = true;
    }
    const usedBytes = context.effects.byteLength - bytesBefore;
    return roomBytes - Math.max(0, usedBytes - ownBytes);
  }

  /** One reply: it waits for what any part of it needs. A write's own level counts only where nothing was read beside it (design §4, §10). */
  #require(progress: LaneProgress, laneEpoch: number, number: number, start: number, needs: Needs): void {
    const replies = this.#replies;
    const { index } = this.#batch;
    if (!needs.wrote) {
      replies.answered(progress, laneEpoch, number, start, 0, needs.gate, replies.readNumber(), 0);
      return;
    }
    const ack = needs.hasRead ? Ack.committed : needs.ack;
    if (ack === Ack.committed) replies.answered(progress, laneEpoch, number, start, 0, index, 0, index);
    else if (ack === Ack.persisted) replies.answered(progress, laneEpoch, number, start, index, 0, 0, index);
    else replies.answered(progress, laneEpoch, number, start, 0, 0, 0, index);
  }

  #isStale({ watch }: LaneProgress, watchCalls: number): boolean {
    if (watch === null) return watchCalls > 0;
    return watch.calls !== watchCalls || watch.flag.isTouched;
  }

  /** A nil says that a key was changed, which depends on the last writes of all of them (I6). */
  #watchGate({ watch }: LaneProgress): number {
    let gate = 0;
    if (watch === null) return gate;
    for (const key of watch.flag.keys) gate = Math.max(gate, this.#state.keyspace.lastWriterIndex(key));
    return gate;
  }

  /** Nothing of it happens, and nothing is watched any more. */
  #abort(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    error: string,
    end: TransactionEnd,
  ): TransactionEnd {
    this.unwatch(progress);
    this.#replies.error(progress, laneEpoch, number, execAbortedBy(error));
    return end;
  }

  /** Null: it is no request. */
  #part(request: Request, i: number): Request | null {
    const decoder = this.#decoder;
    decoder.feed(ShardExec.part(request, i));
    if (decoder.next() === DecodeResult.request && decoder.pendingBytes === 0) return decoder.request;
    this.#decoder = new RequestDecoder(this.#rooms.decoderLimits);
    return null;
  }
}
