/**
 * The replies of a turn as they are written, and what each has to wait for (design §4, I5–I7). Consecutive replies of a lane share a segment as
 * long as the later ones wait for no more.
 *
 * It does not know how replies leave.
 */
import { Ack, Flag, gateIndex } from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";
import type { RaftNodeApi } from "@headrace/raft-ts";
import type { ReplyWriter, Request } from "@headrace/resp";
import { HeldSegment } from "./held-replies.ts";
import type { HeldReplies } from "./held-replies.ts";
import type { LaneProgress } from "./lane-progress.ts";
import type { OpenBatch } from "./open-batch.ts";

export class TurnReplies {
  readonly reply: ReplyWriter;
  /** The highest index that a held reply needs durable, not only written. */
  durabilityWanted: number;
  readonly #raft: RaftNodeApi;
  readonly #held: HeldReplies;
  readonly #batch: OpenBatch;
  #segment: HeldSegment | null;
  /** Read number of this turn; 0 = not asked for yet. */
  #turnRead: number;
  /** Where this turn's replies begin in the writer. */
  #turnStart: number;

  constructor(raft: RaftNodeApi, held: HeldReplies, reply: ReplyWriter, batch: OpenBatch) {
    this.reply = reply;
    this.durabilityWanted = 0;
    this.#raft = raft;
    this.#held = held;
    this.#batch = batch;
    this.#segment = null;
    this.#turnRead = 0;
    this.#turnStart = 0;
  }

  /** Written in this turn. */
  get turnBytes(): number {
    return this.reply.writer.length - this.#turnStart;
  }

  beginTurn(): void {
    this.#turnRead = 0;
    this.#turnStart = this.reply.writer.length;
  }

  /** What was executed is proposed: replies leave as soon as what they wait for has come. */
  endTurn(): void {
    this.#held.endTurn(this.reply.writer);
  }

  /** Where the next reply begins. */
  begin(progress: LaneProgress): number {
    this.reply.version = progress.lane.respVersion;
    return this.reply.writer.length;
  }

  /** What was written from `start` on is no reply: the command runs again later. */
  takeBack(start: number): void {
    this.reply.writer.length = start;
  }

  /** An error that depends on nothing but the request. */
  error(progress: LaneProgress, laneEpoch: number, number: number, text: string): void {
    const start = this.begin(progress);
    this.reply.error(text);
    this.answered(progress, laneEpoch, number, start, 0, 0, 0, 0);
  }

  /** What the handler's reply, just written, has to wait for. */
  require(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    record: CommandRecord,
    request: Request,
    start: number,
    wrote: boolean,
  ): void {
    const { context, index } = this.#batch;
    if (!wrote) {
      const { stateIndex } = this.#batch;
      const lookups = (record.flags & Flag.readonly) === 0 ? null : this.#batch.counters;
      const gate = gateIndex(record, request, context.keyspace, stateIndex, lookups);
      this.answered(progress, laneEpoch, number, start, 0, gate, this.readNumber(), 0);
      return;
    }
    // A read that logs what it found (an expiry) is still a read: no ack level lets it out early, and it is no write to WAIT for.
    if ((record.flags & Flag.readonly) !== 0) {
      this.answered(progress, laneEpoch, number, start, 0, index, this.readNumber(), 0);
      return;
    }
    const ack = this.#batch.ackOf(record, request, progress.lane);
    if (ack === Ack.committed) this.answered(progress, laneEpoch, number, start, 0, index, 0, index);
    else if (ack === Ack.persisted) this.answered(progress, laneEpoch, number, start, index, 0, 0, index);
    else this.answered(progress, laneEpoch, number, start, 0, 0, 0, index);
  }

  /** Adds the reply to the open segment if that waits for at least as much, else begins the next one. */
  answered(
    progress: LaneProgress,
    laneEpoch: number,
    number: number,
    start: number,
    persist: number,
    commit: number,
    read: number,
    write: number,
  ): void {
    if (commit > this.durabilityWanted) this.durabilityWanted = commit;
    let segment = this.#segment;
    // Committed is more than persisted: a majority has it.
    const covers =
      segment !== null &&
      commit <= segment.commitIndex &&
      read <= segment.readNumber &&
      (persist <= segment.persistIndex || persist <= segment.commitIndex);
    if (segment === null || !covers) {
      this.close();
      segment = new HeldSegment(progress, laneEpoch, number, start);
      segment.persistIndex = persist;
      segment.commitIndex = commit;
      segment.readNumber = read;
      this.#segment = segment;
    }
    segment.count++;
    segment.end = this.reply.writer.length;
    if (write > 0) segment.writeIndex = write;
  }

  /** What comes next is another lane's, or another frame's. */
  close(): void {
    const segment = this.#segment;
    if (segment === null) return;
    this.#segment = null;
    this.#held.hold(segment);
  }

  /** A segment of its own, without a reply: word that a call waits. */
  holdWord(segment: HeldSegment): void {
    if (segment.commitIndex > this.durabilityWanted) this.durabilityWanted = segment.commitIndex;
    this.#held.hold(segment);
  }

  readNumber(): number {
    if (this.#turnRead === 0) this.#turnRead = this.#raft.requestRead();
    return this.#turnRead;
  }
}
