/**
 * One client: bytes in, bytes out. It cuts input into requests, gathers consecutive ones to the same shard into runs, keeps replies in order
 * and within bounds, and stops parsing (then reading) when the client is ahead of what the cluster takes.
 *
 * What a request means is the dispatcher's business.
 */
import { ByteWriter, copyOf, latin1 } from "@headrace/bytes";
import { isSubscriber } from "@headrace/commands";
import { ACK_DEFAULT, NOTHING_USED, RequestMode } from "@headrace/link";
import type { LaneOpen, ReadUse } from "@headrace/link";
import type { ByteConnection } from "@headrace/ports";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import type { ClientHost } from "./client-host.ts";
import { ClientSubscriptions } from "./client-subscriptions.ts";
import type { Subscriber } from "./client-subscriptions.ts";
import { WrittenStreams } from "./written-streams.ts";
import { ReplyQueue, ReplySlot } from "./reply-queue.ts";
import type { ReplyOutput } from "./reply-queue.ts";
import { MIXED_COMMANDS, NO_COMMAND, RequestRun } from "./request-run.ts";
import type { PartSink } from "./request-run.ts";
import { SessionState } from "./session-state.ts";
import { ShardLane } from "./shard-lane.ts";
import type { LaneOwner } from "./shard-lane.ts";

/** A run, its header and a little more fit one frame. */
const RUN_MAX_BYTES = 60 * 1024;
/** Larger replies go out as they are, smaller ones are gathered. */
const DIRECT_BYTES = 16 * 1024;
const OUT_MIN_BYTES = 256;
const OUT_MAX_BYTES = 64 * 1024;
/** Output that the client has not taken: above this no more of its requests are parsed. */
const OUTPUT_STOP_BYTES = 1024 * 1024;
const NO_BYTES = new Uint8Array(0);
const STAR = 42;
const MINUS = 45;
const UNDERSCORE = 95;
const UNBLOCKED_CODES = ["UNBLOCKED", "BACKPRESSURE"];

export class ClientConnection implements LaneOwner, ReplyOutput, Subscriber {
  readonly session: SessionState;
  readonly laneId: number;
  readonly replies: ReplyQueue;
  readonly lanes: Map<number, ShardLane> = new Map();
  isGone: boolean = false;
  /** A blocking call or WAIT is open: what follows waits, unparsed. */
  barrier: boolean = false;
  /** When bytes last came, by the monotonic clock. */
  lastInputMs: number;
  readonly #host: ClientHost;
  readonly #connection: ByteConnection;
  readonly #sessionId: Uint8Array;
  readonly #decoder: RequestDecoder;
  #backlog: Uint8Array[] = [];
  #backlogBytes: number = 0;
  #isPaused: boolean = false;
  #isPumping: boolean = false;
  #isWaking: boolean = false;
  #chunk: Uint8Array = NO_BYTES;
  #pendingBytes: number = 0;
  /** CLIENT UNBLOCKs that wait to hear how its blocked call ends. */
  #unblockers: ((wasBlocked: boolean) => void)[] = [];
  readonly #out: ByteWriter = new ByteWriter(OUT_MIN_BYTES);
  #isDirty: boolean = false;
  #isEnding: boolean = false;
  /** 0: its output is below the soft bound. */
  #overSoftSinceMs: number = 0;
  /** Parsing stopped because too much is open, not for want of input. */
  #isStalled: boolean = false;
  // The open run: bytes[start, end) of the decoder's memory, for one shard.
  #runLane: ShardLane | null = null;
  #runBytes: Uint8Array = NO_BYTES;
  #runStart: number = 0;
  #runEnd: number = 0;
  #runCount: number = 0;
  #runCommand: number = MIXED_COMMANDS;

  constructor(host: ClientHost, connection: ByteConnection, id: number, sessionId: Uint8Array) {
    this.#host = host;
    this.lastInputMs = host.nowMs;
    this.#connection = connection;
    this.laneId = id;
    this.#sessionId = sessionId;
    const subscriptions = new ClientSubscriptions(this, host.subscriptions);
    const written = new WrittenStreams(this, host.subscriptions);
    const { remoteAddress, localAddress } = connection;
    this.session = new SessionState(id, remoteAddress, localAddress, host.wallMs, { subscriptions, written });
    this.#decoder = new RequestDecoder(host.limits.decoder);
    this.replies = new ReplyQueue(this);
    connection.listen({
      onData: (chunk) => this.#onData(chunk),
      onDrain: () => this.wake(),
      onClose: () => this.#gone(),
    });
  }

  laneOpen(): LaneOpen {
    const session = this.session;
    return {
      respVersion: session.respVersion,
      ack: session.ack ?? ACK_DEFAULT,
      clientId: this.laneId,
      openedAtMs: session.createdAtMs,
      session: this.#sessionId,
    };
  }

  // ── what the dispatcher does with a request ────────────────────────────────────────────────────────────────────────────────────

  /** Hot path: the request joins the open run, or opens one. `command`: its index, for what is counted. */
  toShard(shardId: number, request: Request, command: number): void {
    if (
      this.#runLane !== null &&
      this.#runLane.shardId === shardId &&
      this.#runBytes === request.bytes &&
      this.#runEnd === request.rawStart &&
      request.rawEnd - this.#runStart <= RUN_MAX_BYTES
    ) {
      this.#runEnd = request.rawEnd;
      this.#runCount++;
      if (this.#runCommand !== command) this.#runCommand = MIXED_COMMANDS;
      return;
    }
    this.closeRun();
    this.#runLane = this.lane(shardId);
    this.#runBytes = request.bytes;
    this.#runStart = request.rawStart;
    this.#runEnd = request.rawEnd;
    this.#runCount = 1;
    this.#runCommand = command;
  }

  /** A call that may block: a run of its own, and nothing is parsed until it is answered. */
  toShardBlocking(shardId: number, request: Request, deadlineMs: number, command: number): void {
    this.closeRun();
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const slot = new ReplySlot(1);
    this.replies.push(slot);
    this.barrier = true;
    this.session.blocked = true;
    this.#charge(bytes.length);
    const fate = {
      sinceMs: this.#host.nowMs,
      deadlineMs,
      isBlocking: true,
      mode: RequestMode.whole,
      used: NOTHING_USED,
      slot,
      sink: null,
      part: 0,
      command,
    };
    this.lane(shardId).submit(new RequestRun(bytes, 0, bytes.length, 1, fate));
  }

  /** A request that any node's port takes: its run is never redirected. */
  toAnyNode(shardId: number, request: Request, command: number): void {
    this.closeRun();
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const slot = new ReplySlot(1);
    this.replies.push(slot);
    this.#charge(bytes.length);
    const { nowMs: sinceMs } = this.#host;
    const mode = RequestMode.whole;
    const fate = {
      mode,
      used: NOTHING_USED,
      command,
      sinceMs,
      deadlineMs: Infinity,
      isBlocking: false,
      slot,
      sink: null,
      part: 0,
    };
    const run = new RequestRun(bytes, 0, bytes.length, 1, fate);
    run.isForAnyNode = true;
    this.lane(shardId).submit(run);
  }

  /** One of the requests that a fan-out is made of. `bytes` is one whole request and stays as it is. `isBlocking`: it may wait for ever. */
  partToShard(
    shardId: number,
    bytes: Uint8Array,
    sink: PartSink,
    part: number,
    mode: RequestMode = RequestMode.whole,
    isBlocking: boolean = false,
    command: number = NO_COMMAND,
    used: ReadUse = NOTHING_USED,
  ): void {
    this.#charge(bytes.length);
    const sinceMs = this.#host.nowMs;
    const fate = { sinceMs, deadlineMs: Infinity, isBlocking, mode, used, slot: null, sink, part, command };
    this.lane(shardId).submit(new RequestRun(bytes, 0, bytes.length, 1, fate));
  }

  /** A place in the order of replies for one that comes later. */
  reserve(): ReplySlot {
    this.closeRun();
    const slot = new ReplySlot(1);
    this.replies.push(slot);
    return slot;
  }

  /** A reply made here, now. The bytes are copied. */
  answer(bytes: Uint8Array, start: number, end: number): void {
    this.closeRun();
    if (this.replies.isEmpty) {
      if (this.replies.isSilent) return;
      // What leaves as it is must not change until it has left.
      if (end - start >= DIRECT_BYTES) this.append(copyOf(bytes, start, end), 0, end - start);
      else this.append(bytes, start, end);
      return;
    }
    const slot = new ReplySlot(1);
    this.replies.push(slot);
    this.replies.deliver(slot, 1, copyOf(bytes, start, end), 0, end - start);
  }

  /** Submits the open run, if there is one. */
  closeRun(): void {
    const lane = this.#runLane;
    if (lane === null) return;
    this.#runLane = null;
    let bytes = this.#runBytes;
    let start = this.#runStart;
    let end = this.#runEnd;
    // A chunk is never written again and may be kept; the decoder's own memory is used again.
    if (bytes !== this.#chunk) {
      bytes = copyOf(bytes, start, end);
      end -= start;
      start = 0;
    }
    this.#runBytes = NO_BYTES;
    const slot = new ReplySlot(this.#runCount);
    this.replies.push(slot);
    this.#charge(end - start);
    const fate = {
      sinceMs: this.#host.nowMs,
      deadlineMs: Infinity,
      isBlocking: false,
      mode: RequestMode.whole,
      used: NOTHING_USED,
      slot,
      sink: null,
      part: 0,
      command: this.#runCommand,
    };
    lane.submit(new RequestRun(bytes, start, end, this.#runCount, fate));
  }

  lane(shardId: number): ShardLane {
    let lane = this.lanes.get(shardId);
    if (lane === undefined) {
      lane = new ShardLane(this.#host, this, shardId);
      this.lanes.set(shardId, lane);
    }
    return lane;
  }

  // ── LaneOwner ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  released(requestBytes: number): void {
    // A blocked call that was rewritten weighs a few bytes more or less than was charged; with nothing open the sum is zero again.
    this.#pendingBytes = this.replies.outstanding === 0 ? 0 : this.#pendingBytes - requestBytes;
    if (this.#isStalled && !this.#isPumping && this.#mayParse()) this.wake();
  }

  unblocked(): void {
    this.session.blocked = false;
    this.barrier = false;
    this.#tellUnblockers(false);
    this.wake();
  }

  blockingAnswered(bytes: Uint8Array, start: number): void {
    if (this.#unblockers.length > 0) this.#tellUnblockers(isUnblockedReply(bytes, start));
  }

  heldElsewhere(): void {
    this.#tellUnblockers(false);
  }

  /** CLIENT UNBLOCK of its one call, or held write, that waits at a shard. `done`: whether the call's reply is what this made it. */
  unblock(withError: boolean, done: (wasBlocked: boolean) => void): void {
    this.#unblockers.push(done);
    for (const lane of this.lanes.values()) if (lane.unblock(withError)) return;
    this.#tellUnblockers(false);
  }

  #tellUnblockers(wasBlocked: boolean): void {
    const waiting = this.#unblockers;
    if (waiting.length === 0) return;
    this.#unblockers = [];
    for (const done of waiting) {
      done(wasBlocked);
      // Who comes second finds nothing to unblock.
      wasBlocked = false;
    }
  }

  /** Goes on parsing at the end of this turn. */
  wake(): void {
    if (this.#isWaking || this.isGone) return;
    if (this.#backlogBytes === 0 && this.#decoder.pendingBytes === 0 && !this.#isPaused && !this.session.closing)
      return;
    this.#isWaking = true;
    this.#host.wake(this);
  }

  // ── output ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  append(bytes: Uint8Array, start: number, end: number): void {
    if (this.isGone) return;
    if (end - start >= DIRECT_BYTES) {
      this.flush();
      this.#write(bytes.subarray(start, end));
    } else {
      this.#out.raw(bytes, start, end);
    }
    this.held();
  }

  /** Its bounds are looked at when the turn ends. */
  held(): void {
    if (this.#isDirty || this.isGone) return;
    this.#isDirty = true;
    this.#host.dirty(this);
  }

  /** Bytes that the client has not taken yet. */
  get outputBytes(): number {
    return this.#connection.bufferedBytes() + this.#out.length + this.replies.heldBytes;
  }

  /** What it has sent and nobody has taken, and the request that is being answered: as Redis shows it. */
  get queryBufferBytes(): number {
    const { rawStart, rawEnd } = this.#decoder.request;
    const current = this.#isPumping ? rawEnd - rawStart : 0;
    return this.#backlogBytes + this.#decoder.pendingBytes + current;
  }

  flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    const next = Math.min(OUT_MAX_BYTES, Math.max(OUT_MIN_BYTES, out.length + (out.length >> 2)));
    this.#write(out.take(next));
  }

  #write(bytes: Uint8Array): void {
    this.session.outputBytes += bytes.length;
    const { statistics } = this.#host;
    statistics.outputBytes += bytes.length;
    statistics.writesProcessed++;
    this.#connection.write(bytes);
  }

  /** End of a turn in which something was appended. */
  flushTurn(): void {
    this.#isDirty = false;
    if (this.isGone) return;
    this.flush();
    if (this.#isOverOutputLimit()) {
      this.closeOverLimit();
    } else if (this.#isStalled && this.#mayParse()) {
      this.wake();
    }
  }

  /** It does not read what it has asked for. */
  closeOverLimit(): void {
    this.#host.statistics.outputLimitClosed++;
    this.close();
  }

  /** Redis' rule: above the hard bound at once, above the soft one when it has been for so long. */
  #isOverOutputLimit(): boolean {
    const { output } = this.#host.limits;
    const limit = this.session.subscriptions.total > 0 ? output.pubsub : output.normal;
    const { outputBytes } = this;
    if (limit.hardBytes > 0 && outputBytes > limit.hardBytes) return true;
    if (limit.softBytes === 0 || outputBytes <= limit.softBytes) {
      this.#overSoftSinceMs = 0;
      return false;
    }
    const { nowMs } = this.#host;
    if (this.#overSoftSinceMs === 0) this.#overSoftSinceMs = nowMs;
    return nowMs - this.#overSoftSinceMs > limit.softSeconds * 1000;
  }

  /** Takes no more requests; closes when those that are open have been answered. */
  closeWhenAnswered(): void {
    this.session.closing = true;
    this.pump();
  }

  /** At once; what the client has not taken is lost. */
  close(): void {
    if (this.isGone) return;
    this.#connection.destroy();
    this.#gone();
  }

  sweep(nowMs: number): void {
    const { idleTimeoutSeconds } = this.#host.limits;
    if (idleTimeoutSeconds > 0 && this.#mayTimeOut() && nowMs - this.lastInputMs > idleTimeoutSeconds * 1000) {
      this.close();
      return;
    }
    for (const lane of this.lanes.values()) lane.sweep(nowMs);
    // Nothing may have been appended since it went above the soft bound.
    if (this.#overSoftSinceMs > 0) this.held();
  }

  /** Redis' setting `timeout` spares those who wait for something. */
  #mayTimeOut(): boolean {
    const waits = this.barrier || this.session.monitors || isSubscriber(this.session.subscriptions);
    return !waits && this.replies.isEmpty;
  }

  // ── input ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onData(chunk: Uint8Array): void {
    if (this.isGone || chunk.length === 0) return;
    this.#backlog.push(chunk);
    this.#backlogBytes += chunk.length;
    this.session.lastActiveAtMs = this.#host.wallMs;
    this.session.inputBytes += chunk.length;
    const { statistics } = this.#host;
    statistics.inputBytes += chunk.length;
    statistics.readsProcessed++;
    this.lastInputMs = this.#host.nowMs;
    this.pump();
  }

  #mayParse(): boolean {
    return (
      !this.barrier &&
      !this.session.closing &&
      this.#pendingBytes < this.#host.limits.pendingBytes &&
      this.outputBytes < OUTPUT_STOP_BYTES
    );
  }

  /** Parses as much as may be parsed, then decides whether the socket is read on. */
  pump(): void {
    this.#isWaking = false;
    if (this.#isPumping || this.isGone) return;
    this.#isPumping = true;
    this.#isStalled = true;
    const decoder = this.#decoder;
    let sinceCheck = 0;
    while (this.#pendingBytes < this.#host.limits.pendingBytes && !this.barrier && !this.session.closing) {
      // Looking at the socket's buffer costs more than the rest of this condition.
      if (sinceCheck-- <= 0) {
        if (!this.#mayParse()) break;
        sinceCheck = 64;
      }
      const result = decoder.next();
      if (result === DecodeResult.request) {
        this.#host.dispatch(this, decoder.request);
      } else if (result === DecodeResult.needMore) {
        this.closeRun();
        const chunk = this.#backlog.shift();
        if (chunk === undefined) {
          this.#isStalled = false;
          break;
        }
        this.#backlogBytes -= chunk.length;
        this.#chunk = chunk;
        decoder.feed(chunk);
      } else {
        this.#host.protocolError(this, decoder.errorText);
        break;
      }
    }
    this.closeRun();
    this.#isPumping = false;
    if (this.isGone) return;
    if (this.session.closing) this.#closeWhenAnswered();
    else this.#pace();
  }

  /** A stopped client is read on only up to a bound, so that its hanging up is still noticed. */
  #pace(): void {
    const tooMuch = this.#backlogBytes > this.#host.limits.backlogBytes;
    if (tooMuch === this.#isPaused) return;
    this.#isPaused = tooMuch;
    if (tooMuch) this.#connection.pause();
    else this.#connection.resume();
  }

  #closeWhenAnswered(): void {
    this.#backlog = [];
    this.#backlogBytes = 0;
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (!this.replies.isEmpty) {
      const last = new ReplySlot(1);
      last.onFirst = () => this.#end();
      this.replies.push(last);
      return;
    }
    this.#end();
  }

  #end(): void {
    if (this.isGone) return;
    this.flush();
    this.#connection.end();
    this.#gone();
  }

  #charge(requestBytes: number): void {
    this.#pendingBytes += requestBytes;
  }

  #gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#backlog = [];
    this.replies.clear();
    for (const lane of this.lanes.values()) lane.close();
    this.lanes.clear();
    this.#tellUnblockers(false);
    this.session.subscriptions.clear();
    this.session.written.clear();
    this.#host.clientGone(this);
  }
}

/** A null or, of a held write, that the limit stands, as if time were over; or the error. */
function isUnblockedReply(bytes: Uint8Array, start: number): boolean {
  const isNull = bytes[start] === UNDERSCORE || (bytes[start] === STAR && bytes[start + 1] === MINUS);
  if (isNull || bytes[start] !== MINUS) return isNull;
  return UNBLOCKED_CODES.some((code) => latin1(bytes, start + 1, start + 1 + code.length) === code);
}
