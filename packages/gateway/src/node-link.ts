/**
 * One connection to one node's data port, carrying the lanes of all clients. It connects, shakes hands, reconnects with growing pauses,
 * notices silence, keeps the credits, and writes once per turn. What frames mean is the lanes' business.
 */
import { ByteWriter } from "@headrace/bytes";
import {
  FrameReader,
  FrameResult,
  FrameType,
  GatewayHandshake,
  REQUEST_RESEND,
  NOTHING_USED,
  RESEND_BYTES,
  ReplyPayload,
  RequestMode,
  USED_BYTES,
  beginRequest,
  decodeCredit,
  decodeLeader,
  decodeLost,
  decodeMessage,
  decodeOffer,
  decodeParked,
  decodePing,
  decodeRefuse,
  decodeSubscriptionsTaken,
  decodeWaitAnswer,
  endFrame,
  writeCancel,
  writeLaneClose,
  writeLaneOpen,
  writeLaneSet,
  writeOfferAnswer,
  writePing,
  writePong,
  writeSubscriptions,
  writeWaitCancel,
  writeWaitQuery,
} from "@headrace/link";
import type { Cancel, ChannelMessage, LaneOpen, Lost, Offer, OfferAnswer, Parked, Refuse } from "@headrace/link";
import type { SubscriptionChange, WaitAnswerPayload, WaitQueryPayload } from "@headrace/link";
import type { ByteConnection, CloseReason, GatewayWorld, Timer } from "@headrace/ports";
import type { LaneCore } from "./lane-core.ts";
import type { RequestRun } from "./request-run.ts";
import type { ShardLane } from "./shard-lane.ts";
import type { SubscriptionLink } from "./subscriptions.ts";

const REQUEST_HEADER_BYTES = 32;
const OUT_MIN_BYTES = 1024;
const OUT_MAX_BYTES = 512 * 1024;
const READER_LIMITS = { maxMessageBytes: 1024 * 1024 * 1024, maxPartialBytes: 2 * 1024 * 1024 * 1024 };

/** A client's lane on this link. */
export interface LaneOnLink {
  readonly laneId: number;
  creditBytes: number;
}

export interface NodeLinkEvents {
  onLinkUp(link: NodeLink): void;
  /** Everything sent on it and unanswered is lost. */
  onLinkDown(link: NodeLink): void;
  /** The node stops: what it has not answered did not happen. */
  onLinkLeft(link: NodeLink): void;
  onReply(link: NodeLink, laneId: number, shardId: number, reply: ReplyPayload, bytes: Uint8Array): boolean;
  onRefuse(link: NodeLink, laneId: number, shardId: number, refuse: Refuse): boolean;
  onLost(link: NodeLink, laneId: number, shardId: number, lost: Lost): boolean;
  onParked(link: NodeLink, laneId: number, shardId: number, parked: Parked): boolean;
  onOffer(link: NodeLink, laneId: number, shardId: number, offer: Offer, isVoid: boolean): void;
  onPush(laneId: number, bytes: Uint8Array, start: number, end: number): void;
  onSubscriptionsTaken(): void;
  /** The message is bytes[message.start, message.end). */
  onMessage(shardId: number, message: ChannelMessage, bytes: Uint8Array): void;
  onLeader(link: NodeLink, shardId: number, nodeId: number, term: number): void;
  onWaitAnswer(answer: WaitAnswerPayload): void;
  clusterId(): string;
}

export interface NodeLinkConfig {
  readonly nodeId: number;
  readonly address: string;
  readonly gatewayId: string;
  readonly incarnation: number;
  readonly secret: Uint8Array | null;
}

export class NodeLink implements SubscriptionLink {
  readonly nodeId: number;
  readonly address: string;
  isReady: boolean = false;
  placementEpoch: number = 0;
  takenNumber: number = -1;
  readonly #config: NodeLinkConfig;
  readonly #world: GatewayWorld;
  readonly #core: LaneCore;
  readonly #events: NodeLinkEvents;
  #connection: ByteConnection | null = null;
  #reader: FrameReader = new FrameReader(READER_LIMITS, false);
  #handshake: GatewayHandshake | null = null;
  readonly #out: ByteWriter = new ByteWriter(OUT_MIN_BYTES);
  readonly #lanes: Map<number, LaneOnLink> = new Map();
  readonly #creditWaiters: Set<ShardLane> = new Set();
  readonly #reply: ReplyPayload = new ReplyPayload();
  readonly #header = {
    laneEpoch: 0,
    placementEpoch: 0,
    count: 0,
    flags: 0,
    mode: RequestMode.whole as RequestMode,
    used: NOTHING_USED,
    executedUpTo: -1,
    firstNumber: 0,
    lowestUnanswered: 0,
  };
  #creditBytes: number = 0;
  #laneCreditBytes: number = 0;
  #heardAtMs: number = 0;
  /** As `heardAtMs`, but dialling does not count. */
  #lastWordAtMs: number;
  #pingedAtMs: number = 0;
  #pauseMs: number;
  #retry: Timer | null = null;
  #closed: boolean = false;

  constructor(config: NodeLinkConfig, world: GatewayWorld, core: LaneCore, events: NodeLinkEvents) {
    this.nodeId = config.nodeId;
    this.address = config.address;
    this.#config = config;
    this.#world = world;
    this.#core = core;
    this.#events = events;
    this.#pauseMs = core.limits.reconnectMinMs;
    this.#lastWordAtMs = core.nowMs;
  }

  connect(): void {
    if (this.#closed || this.#connection !== null) return;
    this.#retry = null;
    const connection = this.#world.network.connect(this.address);
    this.#connection = connection;
    this.#heardAtMs = this.#core.nowMs;
    this.#reader = new FrameReader(READER_LIMITS, false);
    this.#handshake = new GatewayHandshake(
      {
        clusterId: this.#events.clusterId(),
        gatewayId: this.#config.gatewayId,
        incarnation: this.#config.incarnation,
        featureLevel: 1,
      },
      this.nodeId,
      {
        secret: this.#config.secret,
        hmacSha256: (key, data) => this.#world.digest.hmacSha256(key, data),
        nonce: this.#nonce(),
      },
    );
    connection.listen({
      onData: (chunk) => {
        if (connection === this.#connection) this.#onData(chunk);
      },
      onDrain: () => {},
      onClose: (reason) => {
        if (connection === this.#connection) this.#onClose(reason);
      },
    });
    this.#handshake.begin(this.#out);
    this.flush();
  }

  /** Dials now instead of after its pause: others have heard of the node meanwhile. */
  hurry(): void {
    if (this.#retry === null) return;
    this.#retry.cancel();
    this.#pauseMs = this.#core.limits.reconnectMinMs;
    this.connect();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#drop("closed");
  }

  /** The lane of a client, opened on first use. Only when ready. */
  openLane(laneId: number): LaneOnLink {
    let lane = this.#lanes.get(laneId);
    if (lane === undefined) {
      lane = { laneId, creditBytes: this.#laneCreditBytes };
      this.#lanes.set(laneId, lane);
      const open = this.#core.laneOpen(laneId);
      if (open !== null) writeLaneOpen(this.#out, laneId, open);
      this.#core.requestTurn();
    }
    return lane;
  }

  /** The client changed protocol version or ack level. */
  updateLane(laneId: number, open: LaneOpen): void {
    if (!this.#lanes.has(laneId)) return;
    writeLaneSet(this.#out, laneId, open);
    this.#core.requestTurn();
  }

  closeLane(laneId: number): void {
    if (!this.#lanes.delete(laneId)) return;
    writeLaneClose(this.#out, laneId);
    this.#core.requestTurn();
  }

  canSend(lane: LaneOnLink): boolean {
    return this.isReady && this.#creditBytes > 0 && lane.creditBytes > 0;
  }

  waitForCredit(lane: ShardLane): void {
    this.#creditWaiters.add(lane);
  }

  forget(lane: ShardLane): void {
    this.#creditWaiters.delete(lane);
  }

  sendRequest(lane: LaneOnLink, shardId: number, laneEpoch: number, run: RequestRun, lowest: number): void {
    const header = this.#header;
    header.laneEpoch = laneEpoch;
    header.placementEpoch = this.placementEpoch;
    header.count = run.count;
    header.flags = run.executedUpTo < 0 ? 0 : REQUEST_RESEND;
    header.mode = run.mode;
    header.used = run.used;
    header.executedUpTo = run.executedUpTo;
    header.firstNumber = run.firstNumber;
    header.lowestUnanswered = lowest;
    const out = this.#out;
    const at = beginRequest(out, shardId, lane.laneId, header);
    out.raw(run.bytes, run.start, run.end);
    endFrame(out, at);
    let bytes = REQUEST_HEADER_BYTES + run.end - run.start;
    if (run.executedUpTo >= 0) bytes += RESEND_BYTES;
    if (run.used !== NOTHING_USED) bytes += USED_BYTES;
    lane.creditBytes -= bytes;
    this.#creditBytes -= bytes;
    this.#core.requestTurn();
  }

  /** Ends a call that waits. */
  sendCancel(shardId: number, laneId: number, cancel: Cancel): void {
    writeCancel(this.#out, shardId, laneId, cancel);
    this.#core.requestTurn();
  }

  sendOfferAnswer(shardId: number, laneId: number, answer: OfferAnswer): void {
    writeOfferAnswer(this.#out, shardId, laneId, answer);
    this.#core.requestTurn();
  }

  sendSubscriptions(number: number, changes: Iterable<SubscriptionChange>): void {
    writeSubscriptions(this.#out, number, changes);
    this.#core.requestTurn();
  }

  sendWaitQuery(shardId: number, laneId: number, query: WaitQueryPayload): void {
    writeWaitQuery(this.#out, shardId, laneId, query);
    this.#core.requestTurn();
  }

  sendWaitCancel(shardId: number, laneId: number, query: number): void {
    if (!this.isReady) return;
    writeWaitCancel(this.#out, shardId, laneId, query);
    this.#core.requestTurn();
  }

  /** One write per turn. */
  flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    if (this.#connection === null) {
      out.clear();
      return;
    }
    // The chunk is the socket's now; the next buffer is about as large as this one was full.
    const next = Math.min(OUT_MAX_BYTES, Math.max(OUT_MIN_BYTES, out.length + (out.length >> 2)));
    this.#connection.write(out.take(next));
  }

  silentForMs(nowMs: number): number {
    return nowMs - this.#heardAtMs;
  }

  unheardForMs(nowMs: number): number {
    return nowMs - this.#lastWordAtMs;
  }

  /** Liveness: pings a quiet link, gives up a silent one. */
  sweep(nowMs: number): void {
    if (this.#connection === null) return;
    if (nowMs - this.#heardAtMs >= this.#core.limits.pingTimeoutMs) {
      this.#drop("silent");
      return;
    }
    if (this.isReady && nowMs - this.#pingedAtMs >= this.#core.limits.pingIntervalMs) {
      this.#pingedAtMs = nowMs;
      writePing(this.#out, nowMs);
      this.#core.requestTurn();
    }
  }

  #onData(chunk: Uint8Array): void {
    this.#heardAtMs = this.#core.nowMs;
    this.#lastWordAtMs = this.#heardAtMs;
    const reader = this.#reader;
    reader.feed(chunk);
    for (;;) {
      const result = reader.next();
      if (result === FrameResult.needMore) return;
      if (result === FrameResult.error) {
        this.#drop(`protocol: ${reader.error ?? ""}`);
        return;
      }
      const understood = this.isReady ? this.#onFrame(reader) : this.#onHandshake(reader);
      if (!understood) {
        this.#drop(this.#handshake?.failure || `protocol: frame type ${reader.type}`);
        return;
      }
      if (reader !== this.#reader) return;
    }
  }

  #onHandshake(reader: FrameReader): boolean {
    const handshake = this.#handshake!;
    const state = handshake.onFrame(reader, this.#out);
    this.#core.requestTurn();
    if (state === "failed") return false;
    if (state === "waiting") return true;
    this.#creditBytes = handshake.credits!.linkCreditBytes;
    this.#laneCreditBytes = handshake.credits!.laneCreditBytes;
    this.#pauseMs = this.#core.limits.reconnectMinMs;
    this.isReady = true;
    this.#core.statistics.linkConnects++;
    this.#world.logger.info("link_up", { nodeId: this.nodeId, incarnation: handshake.node!.incarnation });
    this.#events.onLinkUp(this);
    return true;
  }

  #onFrame(frame: FrameReader): boolean {
    const { lane, shard } = frame;
    switch (frame.type) {
      case FrameType.Reply: {
        const reply = this.#reply;
        return reply.decode(frame) && this.#events.onReply(this, lane, shard, reply, frame.bytes);
      }
      case FrameType.Credit:
        return this.#onCredit(lane, decodeCredit(frame));
      case FrameType.Refuse: {
        const refuse = decodeRefuse(frame);
        return refuse !== null && this.#events.onRefuse(this, lane, shard, refuse);
      }
      case FrameType.Lost: {
        const lost = decodeLost(frame);
        return lost !== null && this.#events.onLost(this, lane, shard, lost);
      }
      case FrameType.Parked: {
        const parked = decodeParked(frame);
        return parked !== null && this.#events.onParked(this, lane, shard, parked);
      }
      case FrameType.Offer:
      case FrameType.OfferVoid: {
        const offer = decodeOffer(frame);
        if (offer !== null) this.#events.onOffer(this, lane, shard, offer, frame.type === FrameType.OfferVoid);
        return offer !== null;
      }
      case FrameType.Leader: {
        const leader = decodeLeader(frame);
        if (leader !== null) this.#events.onLeader(this, shard, leader.nodeId, leader.term);
        return leader !== null;
      }
      case FrameType.WaitAnswer: {
        const answer = decodeWaitAnswer(frame);
        if (answer !== null) this.#events.onWaitAnswer(answer);
        return answer !== null;
      }
      case FrameType.Push:
        this.#events.onPush(lane, frame.bytes, frame.start, frame.end);
        return true;
      case FrameType.SubscriptionsTaken: {
        const number = decodeSubscriptionsTaken(frame);
        if (number === null) return false;
        this.takenNumber = number;
        this.#events.onSubscriptionsTaken();
        return true;
      }
      case FrameType.Message: {
        const message = decodeMessage(frame);
        if (message !== null) this.#events.onMessage(shard, message, frame.bytes);
        return message !== null;
      }
      case FrameType.Ping: {
        const echo = decodePing(frame);
        if (echo !== null) writePong(this.#out, echo);
        this.#core.requestTurn();
        return echo !== null;
      }
      case FrameType.Pong:
        return true;
      case FrameType.Bye:
        this.#onBye();
        return true;
      default:
        return false;
    }
  }

  /** The last frame. What was sent and has no fate goes elsewhere, as refused requests do; then the connection is of no more use. */
  #onBye(): void {
    this.isReady = false;
    this.#world.logger.info("link_left", { nodeId: this.nodeId });
    const waiters = [...this.#creditWaiters];
    this.#events.onLinkLeft(this);
    this.#drop("the node stops");
    for (const waiter of waiters) waiter.trySend();
  }

  #onCredit(laneId: number, bytes: number | null): boolean {
    if (bytes === null) return false;
    if (laneId === 0) this.#creditBytes += bytes;
    else {
      const lane = this.#lanes.get(laneId);
      if (lane !== undefined) lane.creditBytes += bytes;
    }
    if (this.#creditBytes <= 0 || this.#creditWaiters.size === 0) return true;
    for (const waiter of Array.from(this.#creditWaiters)) {
      if (laneId !== 0 && waiter.owner.laneId !== laneId) continue;
      this.#creditWaiters.delete(waiter);
      waiter.trySend();
    }
    return true;
  }

  #onClose(reason: CloseReason): void {
    this.#connection = null;
    this.#lost(reason);
  }

  #drop(reason: string): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#connection = null;
    connection.destroy();
    this.#lost(reason);
  }

  #lost(reason: string): void {
    const wasReady = this.isReady;
    this.isReady = false;
    this.takenNumber = -1;
    this.#out.clear();
    this.#lanes.clear();
    const waiters = [...this.#creditWaiters];
    this.#creditWaiters.clear();
    if (!this.#closed) {
      const delayMs = this.#pauseMs + this.#world.random.below(Math.max(1, Math.ceil(this.#pauseMs / 4)));
      this.#pauseMs = Math.min(this.#core.limits.reconnectMaxMs, this.#pauseMs * 2);
      this.#retry = this.#world.scheduler.after(delayMs, () => this.connect());
    }
    if (!wasReady) return;
    this.#core.statistics.linkLosses++;
    this.#world.logger.warn("link_down", { nodeId: this.nodeId, reason });
    this.#events.onLinkDown(this);
    for (const waiter of waiters) waiter.trySend();
  }

  #nonce(): string {
    let nonce = "";
    for (let i = 0; i < 8; i++) nonce += this.#world.random.u32().toString(16).padStart(8, "0");
    return nonce;
  }
}
