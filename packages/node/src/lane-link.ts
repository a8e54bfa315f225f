/**
 * The node's end of one link to a gateway: frames in, requests out to the shards; replies in, one write per turn out. A lane is one client
 * of the gateway.
 *
 * CREDIT counts the payloads of Request frames that have no fate yet, per lane and per link. It is granted back in quarters of the window
 * as requests are answered: a gateway sends while its credit is above 0, so what is kept back for a while stops nobody. One that goes on
 * without credit is not read from until its requests are answered; a link that does not take its replies is not read from either. Requests
 * that wait for long (blocked calls, a lost majority) give their credit back early, or enough of them would starve everything else on the
 * link; the memory that they hold is bounded by their shard.
 *
 * Must not know: Raft, what the requests say.
 */
import { ByteWriter } from "@headrace/bytes";
import {
  beginReply,
  decodeCancel,
  decodeLaneOpen,
  decodeLaneSet,
  decodeOfferAnswer,
  decodePing,
  decodeSubscriptions,
  decodeWaitCancel,
  decodeWaitQuery,
  endFrame,
  endFrameBy,
  FrameReader,
  FrameResult,
  FrameType,
  RefuseReason,
  RequestPayload,
  WaitKind,
  WaitOutcome,
  writeBye,
  writeCredit,
  writeLeader,
  writeLost,
  writeMessage,
  writeOffer,
  writeOfferVoid,
  writeParked,
  writePong,
  writeRefuse,
  writeSubscriptionsTaken,
  writeWaitAnswer,
} from "@headrace/link";
import type { ChannelKind } from "@headrace/commands";
import type { CancelHow, NodeHandshake, OfferAnswer } from "@headrace/link";
import type { ByteConnection, ByteConnectionEvents, CloseReason } from "@headrace/ports";
import type { ChannelRegistry, MessageSink } from "./channel-registry.ts";
import { ackOf, LaneRequest, LinkLane } from "./link-lane.ts";
import type { Lane, LaneSink, RequestBatch, WaitQuery } from "./shard-api.ts";

/** What a link needs of a shard's replica on this node. */
export interface LaneShard {
  enqueue(batch: RequestBatch): void;
  cancel(lane: Lane, number: number, how: CancelHow): void;
  answerOffer(lane: Lane, answer: OfferAnswer): void;
  /** The client is gone: its blocked calls go, its writes go on. */
  laneClosed(lane: Lane): void;
  /** A sink that said it was full has room again. */
  sinkDrained(): void;
  wait(query: WaitQuery): void;
  /** After that the query is not answered. */
  cancelWait(query: WaitQuery): void;
}

/** Replies from this size on leave as they are, beside what is written: a copy of them would be more memory than all the rest. */
const BY_REFERENCE_BYTES_MIN = 16 * 1024;
/** What the link's writer begins with behind one. */
const CAPACITY_BEHIND_LARGE_BYTES = 1024;

export interface LaneLinkLimits {
  readonly laneCreditBytes: number;
  readonly linkCreditBytes: number;
  /** One request at most; client-query-buffer-limit. */
  readonly maxRequestBytes: number;
  /** Reply bytes waiting for the gateway beyond which the link is not read from. */
  readonly maxBufferedBytes: number;
  /** Bytes waiting for the gateway beyond which messages to subscribers are dropped: publishers wait for nobody. */
  readonly maxMessageBytes: number;
  /** Memory for the names that one gateway may have subscribed to. */
  readonly maxSubscriptionBytes: number;
  readonly maxLanes: number;
}

export interface LaneLinkHost {
  /** null: no replica of that shard here. */
  shard(shardId: number): LaneShard | null;
  /** Node that leads the shard as far as known, 0 if not. */
  leaderNodeOf(shardId: number): number;
  /** True once the node is stopping: every request is refused. */
  readonly stopping: boolean;
  readonly channels: ChannelRegistry;
  droppedMessages: number;
  nextLaneId(): number;
  /** Something was written: `flush` is to be called at the end of the turn. */
  requestFlush(link: LaneLink): void;
  onReady(link: LaneLink): void;
  onClosed(link: LaneLink, reason: string): void;
}

export class LaneLink implements LaneSink, MessageSink, ByteConnectionEvents {
  readonly #connection: ByteConnection;
  readonly #host: LaneLinkHost;
  readonly #limits: LaneLinkLimits;
  readonly #handshake: NodeHandshake;
  readonly #reader: FrameReader;
  readonly #request: RequestPayload;
  readonly #writer: ByteWriter;
  readonly #send: (chunk: Uint8Array) => void;
  readonly #lanes: Map<number, LinkLane>;
  readonly #waits: Map<number, () => void>;
  #ready: boolean;
  #closed: boolean;
  /** Bye was said: nothing is taken any more. */
  #left: boolean;
  #paused: boolean;
  /** Request bytes of the link without a fate. */
  #unansweredBytes: number;
  #owedBytes: number;
  /** Counts the calls of `giveBackOld`. */
  #age: number;
  #flushRequested: boolean;
  /** Shards that wait until the gateway has taken what is buffered for it. */
  readonly #waitingShards: Set<number>;

  constructor(connection: ByteConnection, host: LaneLinkHost, handshake: NodeHandshake, limits: LaneLinkLimits) {
    this.#connection = connection;
    this.#host = host;
    this.#limits = limits;
    this.#handshake = handshake;
    const maxMessageBytes = limits.maxRequestBytes + 1024;
    this.#reader = new FrameReader(
      { maxMessageBytes, maxPartialBytes: maxMessageBytes + limits.linkCreditBytes },
      true,
    );
    this.#request = new RequestPayload();
    this.#writer = new ByteWriter(1024);
    this.#send = (chunk) => {
      this.#connection.write(chunk);
    };
    this.#lanes = new Map();
    this.#waits = new Map();
    this.#ready = false;
    this.#closed = false;
    this.#left = false;
    this.#paused = false;
    this.#unansweredBytes = 0;
    this.#owedBytes = 0;
    this.#age = 0;
    this.#flushRequested = false;
    this.#waitingShards = new Set();
    connection.listen(this);
  }

  get ready(): boolean {
    return this.#ready && !this.#closed;
  }

  get laneCount(): number {
    return this.#lanes.size;
  }

  get unansweredBytes(): number {
    return this.#unansweredBytes;
  }

  get gatewayId(): string {
    return this.#handshake.gateway?.gatewayId ?? "";
  }

  /** Another cluster, another version, no proof of the secret: the gateway was told why. */
  get wasRefused(): boolean {
    return this.#handshake.state === "failed";
  }

  /** One write for everything that was answered since the last call. */
  flush(): void {
    this.#flushRequested = false;
    if (this.#closed) return;
    const writer = this.#writer;
    if (writer.length > 0) {
      // The next buffer is sized by this turn's output: a quiet link keeps a small one, a busy one does not grow step by step.
      const nextCapacity = Math.min(Math.max(writer.length * 2, 1024), 256 * 1024);
      this.#connection.write(writer.take(nextCapacity));
    }
    this.#holdReading();
  }

  /** To be called once a second: requests older than one call give their credit back. */
  giveBackOld(): void {
    this.#age++;
    if (!this.ready || this.#unansweredBytes === 0) return;
    for (const lane of this.#lanes.values()) {
      for (const request of lane.requests) {
        // In the order of arrival: the first young one ends it.
        if (request.age + 1 >= this.#age) break;
        if (request.creditBytes === 0) continue;
        this.#owe(lane, request.creditBytes);
        request.creditBytes = 0;
      }
    }
    this.#written();
  }

  sendLeader(shardId: number, nodeId: number, term: number): void {
    if (!this.ready) return;
    writeLeader(this.#writer, shardId, { nodeId, term });
    this.#written();
  }

  /** The node stops, and every request taken has its fate: what is still on its way here is told to be refused. */
  leave(): void {
    if (this.ready && !this.#left) writeBye(this.#writer);
    this.#left = true;
    this.end();
  }

  /** Closes from this side; what is written is sent first. */
  end(): void {
    this.flush();
    this.#connection.end();
  }

  // ── what the connection calls ─────────────────────────────────────────────────────────────────────────────────────────────────────

  onData(chunk: Uint8Array): void {
    if (this.#closed || this.#left) return;
    const reader = this.#reader;
    reader.feed(chunk);
    for (;;) {
      const result = reader.next();
      if (result === FrameResult.needMore) break;
      if (result === FrameResult.error) return this.#fail(reader.error ?? "malformed frame");
      if (!(this.#ready ? this.#onFrame() : this.#onHandshake())) {
        return this.#fail(this.#handshake.failure || `malformed frame of type ${reader.type}`);
      }
    }
    this.#holdReading();
  }

  onDrain(): void {
    this.#holdReading();
  }

  onClose(reason: CloseReason): void {
    this.#shut(reason);
  }

  // ── what the shards call ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  reply(
    lane: Lane,
    shardId: number,
    laneEpoch: number,
    firstNumber: number,
    count: number,
    writeTerm: number,
    writeIndex: number,
    bytes: Uint8Array,
  ): void {
    if (this.#closed) return;
    const own = lane as LinkLane;
    if (!own.closed) {
      const header = { laneEpoch, count, firstNumber, writeTerm, writeIndex };
      const at = beginReply(this.#writer, shardId, own.wireId, header);
      if (bytes.length < BY_REFERENCE_BYTES_MIN) {
        this.#writer.all(bytes);
        endFrame(this.#writer, at);
      } else {
        endFrameBy(this.#writer, at, bytes, this.#send, CAPACITY_BEHIND_LARGE_BYTES);
      }
    }
    this.#settle(own, shardId, laneEpoch, firstNumber, firstNumber + count);
  }

  refuse(
    lane: Lane,
    shardId: number,
    laneEpoch: number,
    firstNumber: number,
    reason: RefuseReason,
    leaderNodeId: number,
    term: number,
  ): void {
    if (this.#closed) return;
    const own = lane as LinkLane;
    if (!own.closed) {
      writeRefuse(this.#writer, shardId, own.wireId, { laneEpoch, reason, firstNumber, leaderNodeId, term });
    }
    this.#settle(own, shardId, laneEpoch, firstNumber, Number.POSITIVE_INFINITY);
  }

  lost(lane: Lane, shardId: number, laneEpoch: number, firstNumber: number, count: number): void {
    if (this.#closed) return;
    const own = lane as LinkLane;
    if (!own.closed) writeLost(this.#writer, shardId, own.wireId, { laneEpoch, count, firstNumber });
    this.#settle(own, shardId, laneEpoch, firstNumber, firstNumber + count);
  }

  parked(lane: Lane, shardId: number, laneEpoch: number, number: number, ids: readonly string[]): void {
    const own = lane as LinkLane;
    if (this.#closed || own.closed) return;
    writeParked(this.#writer, shardId, own.wireId, { laneEpoch, number, ids });
    // It may wait for long, and so may what came behind it: others need the credit.
    for (const request of own.requests) {
      if (request.shardId !== shardId || request.creditBytes === 0) continue;
      this.#owe(own, request.creditBytes);
      request.creditBytes = 0;
    }
    this.#written();
  }

  offer(lane: Lane, shardId: number, number: number, offer: number): void {
    const own = lane as LinkLane;
    if (this.#closed || own.closed) return;
    writeOffer(this.#writer, shardId, own.wireId, { number, offer });
    this.#written();
  }

  offerVoid(lane: Lane, shardId: number, number: number, offer: number): void {
    const own = lane as LinkLane;
    if (this.#closed || own.closed) return;
    writeOfferVoid(this.#writer, shardId, own.wireId, { number, offer });
    this.#written();
  }

  message(shardId: number, term: number, kind: ChannelKind, channel: string, message: Uint8Array): void {
    if (this.#closed || this.#left) return;
    if (this.#connection.bufferedBytes() + this.#writer.length > this.#limits.maxMessageBytes) {
      this.#host.droppedMessages++;
      return;
    }
    writeMessage(this.#writer, shardId, term, kind, channel, message);
    this.#written();
  }

  isFull(shardId: number): boolean {
    if (!this.#isOverfull()) return false;
    this.#waitingShards.add(shardId);
    return true;
  }

  // ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onHandshake(): boolean {
    const state = this.#handshake.onFrame(this.#reader, this.#writer);
    this.#written();
    if (state === "ready") {
      this.#ready = true;
      this.#host.onReady(this);
    }
    return state !== "failed";
  }

  /** False: malformed, the link ends. */
  #onFrame(): boolean {
    switch (this.#reader.type) {
      case FrameType.Request:
        return this.#onRequest();
      case FrameType.LaneOpen:
        return this.#onLaneOpen();
      case FrameType.LaneSet:
        return this.#onLaneSet();
      case FrameType.LaneClose:
        return this.#onLaneClose();
      case FrameType.Cancel:
        return this.#onCancel();
      case FrameType.OfferAnswer:
        return this.#onOfferAnswer();
      case FrameType.WaitQuery:
        return this.#onWaitQuery();
      case FrameType.WaitCancel:
        return this.#onWaitCancel();
      case FrameType.Subscriptions:
        return this.#onSubscriptions();
      case FrameType.Ping: {
        const echo = decodePing(this.#reader);
        if (echo === null) return false;
        writePong(this.#writer, echo);
        this.#written();
        return true;
      }
      case FrameType.Pong:
        return true;
      default:
        return false;
    }
  }

  #onRequest(): boolean {
    const reader = this.#reader;
    const header = this.#request;
    if (!header.decode(reader)) return false;
    const lane = this.#lanes.get(reader.lane);
    if (lane === undefined) return false;
    const creditBytes = reader.end - reader.start;
    const request = new LaneRequest(reader.shard, header, creditBytes, this.#age);
    lane.requests.push(request);
    this.#unansweredBytes += creditBytes;
    const shard = this.#host.shard(request.shardId);
    if (this.#host.stopping || shard === null) {
      const reason = this.#host.stopping ? RefuseReason.stopping : RefuseReason.notOwner;
      const leader = this.#host.leaderNodeOf(request.shardId);
      this.refuse(lane, request.shardId, request.laneEpoch, request.firstNumber, reason, leader, 0);
      return true;
    }
    lane.shardIds.add(request.shardId);
    // A view: shards take requests out of it within a turn, and copy those that block.
    const bytes = reader.bytes.subarray(header.start, header.end);
    const { laneEpoch, firstNumber, count } = request;
    const { executedUpTo, mode, used } = header;
    shard.enqueue({ lane, laneEpoch, firstNumber, count, executedUpTo, mode, used, bytes });
    return true;
  }

  #onLaneOpen(): boolean {
    const wireId = this.#reader.lane;
    const open = decodeLaneOpen(this.#reader);
    if (open === null || this.#lanes.has(wireId) || this.#lanes.size >= this.#limits.maxLanes) return false;
    this.#lanes.set(wireId, new LinkLane(this.#host.nextLaneId(), wireId, open, this));
    return true;
  }

  #onLaneSet(): boolean {
    const set = decodeLaneSet(this.#reader);
    const lane = this.#lanes.get(this.#reader.lane);
    if (set === null || lane === undefined) return false;
    lane.respVersion = set.respVersion;
    lane.ack = ackOf(set.ack);
    return true;
  }

  #onLaneClose(): boolean {
    const lane = this.#lanes.get(this.#reader.lane);
    // A close may cross with one of ours; it says nothing new then.
    if (lane === undefined) return true;
    this.#lanes.delete(lane.wireId);
    this.#closeLane(lane);
    return true;
  }

  #onCancel(): boolean {
    const cancel = decodeCancel(this.#reader);
    if (cancel === null) return false;
    const lane = this.#lanes.get(this.#reader.lane);
    if (lane !== undefined) this.#host.shard(this.#reader.shard)?.cancel(lane, cancel.number, cancel.how);
    return true;
  }

  #onOfferAnswer(): boolean {
    const answer = decodeOfferAnswer(this.#reader);
    if (answer === null) return false;
    const lane = this.#lanes.get(this.#reader.lane);
    if (lane !== undefined) this.#host.shard(this.#reader.shard)?.answerOffer(lane, answer);
    return true;
  }

  #onWaitQuery(): boolean {
    const query = decodeWaitQuery(this.#reader);
    if (query === null || this.#waits.has(query.query)) return false;
    const { shard: shardId, lane } = this.#reader;
    const answer = (outcome: WaitOutcome, replicas: number, localFsynced: boolean): void => {
      this.#waits.delete(query.query);
      if (this.#closed) return;
      writeWaitAnswer(this.#writer, shardId, lane, { query: query.query, outcome, localFsynced, replicas });
      this.#written();
    };
    const shard = this.#host.shard(shardId);
    if (shard === null) {
      answer(WaitOutcome.notLeader, 0, false);
      return true;
    }
    const asked: WaitQuery = {
      replicasWanted: query.replicasWanted,
      kind: query.kind === WaitKind.wait ? "wait" : "waitaof",
      term: query.term,
      index: query.index,
      timeoutMs: query.timeoutMs,
      answer: (outcome, replicas, localFsynced) => answer(WaitOutcome[outcome], replicas, localFsynced),
    };
    this.#waits.set(query.query, () => shard.cancelWait(asked));
    shard.wait(asked);
    return true;
  }

  #onWaitCancel(): boolean {
    const query = decodeWaitCancel(this.#reader);
    if (query === null) return false;
    this.#waits.get(query)?.();
    this.#waits.delete(query);
    return true;
  }

  #onSubscriptions(): boolean {
    const said = decodeSubscriptions(this.#reader);
    if (said === null) return false;
    const { channels } = this.#host;
    for (const { kind, name, subscribers } of said.changes) channels.set(this, kind as ChannelKind, name, subscribers);
    if (channels.bytesOf(this) > this.#limits.maxSubscriptionBytes) return false;
    if (said.number > 0) {
      writeSubscriptionsTaken(this.#writer, said.number);
      this.#written();
    }
    return true;
  }

  // ── credit and flow ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The lane's requests first ≤ number < end of that shard and epoch have their fate. */
  #settle(lane: LinkLane, shardId: number, laneEpoch: number, first: number, end: number): void {
    this.#written();
    const requests = lane.requests;
    for (let i = 0; i < requests.length;) {
      const request = requests[i]!;
      const requestEnd = request.firstNumber + request.count;
      const settled =
        request.shardId === shardId && request.laneEpoch === laneEpoch
          ? Math.min(end, requestEnd) - Math.max(first, request.firstNumber)
          : 0;
      if (settled > 0) request.unanswered -= settled;
      if (request.unanswered <= 0) {
        requests.splice(i, 1);
        this.#owe(lane, request.creditBytes);
      } else {
        i++;
      }
      if (settled > 0 && requestEnd >= end) return;
    }
  }

  #owe(lane: LinkLane, bytes: number): void {
    this.#unansweredBytes -= bytes;
    this.#owedBytes += bytes;
    if (this.#owedBytes * 4 >= this.#limits.linkCreditBytes) {
      writeCredit(this.#writer, 0, this.#owedBytes);
      this.#owedBytes = 0;
    }
    if (lane.closed) return;
    lane.owedBytes += bytes;
    if (lane.owedBytes * 4 >= this.#limits.laneCreditBytes) {
      writeCredit(this.#writer, lane.wireId, lane.owedBytes);
      lane.owedBytes = 0;
    }
  }

  /** Messages that have come in part, and what the gateway has not taken yet. Whole requests are the shards'. */
  get bufferedBytes(): number {
    if (this.#closed) return 0;
    return this.#reader.partialBytes + this.#connection.bufferedBytes() + this.#writer.length;
  }

  /** Reads only while both directions are within their bounds. */
  #holdReading(): void {
    if (this.#closed) return;
    const limits = this.#limits;
    const hold = this.#unansweredBytes > limits.linkCreditBytes + limits.maxRequestBytes || this.#isOverfull();
    if (this.#waitingShards.size > 0 && !this.#isOverfull()) this.#tellDrained();
    if (hold === this.#paused) return;
    this.#paused = hold;
    if (hold) this.#connection.pause();
    else this.#connection.resume();
  }

  #isOverfull(): boolean {
    if (this.#closed) return false;
    return this.#connection.bufferedBytes() + this.#writer.length > this.#limits.maxBufferedBytes;
  }

  #tellDrained(): void {
    const waiting = [...this.#waitingShards];
    this.#waitingShards.clear();
    for (const shardId of waiting) this.#host.shard(shardId)?.sinkDrained();
  }

  #written(): void {
    if (this.#flushRequested) return;
    this.#flushRequested = true;
    this.#host.requestFlush(this);
  }

  // ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #closeLane(lane: LinkLane): void {
    lane.closed = true;
    // Shards drop a closed lane's replies without a word: what it has open is given back here, or the link would run out of credit.
    const requests = lane.requests.splice(0);
    if (!this.#closed && requests.length > 0) {
      for (const request of requests) this.#owe(lane, request.creditBytes);
      this.#written();
    }
    for (const shardId of lane.shardIds) this.#host.shard(shardId)?.laneClosed(lane);
  }

  #fail(reason: string): void {
    // A Reject, if one was written, explains itself to the other side: it leaves before the end.
    this.end();
    this.#shut(reason);
  }

  #shut(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const cancel of this.#waits.values()) cancel();
    this.#waits.clear();
    this.#host.channels.forget(this);
    for (const lane of this.#lanes.values()) this.#closeLane(lane);
    this.#lanes.clear();
    this.#waitingShards.clear();
    this.#host.onClosed(this, reason);
  }
}
