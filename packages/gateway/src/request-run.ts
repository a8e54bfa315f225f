/**
 * A run: consecutive requests of one client to one shard, as the raw bytes that the client sent. It is one Request frame, one stretch of the
 * reply queue, and what is sent again if a node refuses it or loses its reads. `splitRequests` finds the borders inside when only a part of
 * a run shares a fate (rare, so it parses again instead of keeping an object per command).
 */
import { assert } from "@headrace/bytes";
import type { ReadUse, RequestMode } from "@headrace/link";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { DecoderLimits, Request } from "@headrace/resp";
import type { ReplySlot } from "./reply-queue.ts";

export const RunState = { queued: 0, sent: 1, done: 2 } as const;
export type RunState = (typeof RunState)[keyof typeof RunState];

/** Takes the one reply of a request that the gateway itself put together (fan-out), and what is said of one that waits. */
export interface PartSink {
  onPart(part: number, bytes: Uint8Array, start: number, end: number): void;
  /** It found nothing and waits. Said again by the next node if it had to move. */
  onParked?(part: number): void;
  onOffer?(part: number, offer: number): void;
  /** The offer that was accepted gave nothing; it waits on. */
  onOfferVoid?(part: number): void;
}

export class RequestRun {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  state: RunState;
  /** Set when sent. */
  firstNumber: number;
  /** Replies (or losses) that the node has given. */
  answered: number;
  /** When the client asked; counts for holding. */
  readonly sinceMs: number;
  sentAtMs: number;
  /** Infinity: no end; of a blocking call. */
  deadlineMs: number;
  readonly isBlocking: boolean;
  readonly mode: RequestMode;
  readonly used: ReadUse;
  /** Where replies go; null with `sink` null: nobody wants them any more. */
  slot: ReplySlot | null;
  sink: PartSink | null;
  readonly part: number;
  /** Index of the command of all its requests, for what is counted; MIXED_COMMANDS when they differ, NO_COMMAND when the gateway itself asks. */
  readonly command: number;
  /** On a node's own port it goes to the shard's leader wherever that is. */
  isForAnyNode: boolean;
  /** A blocking call, or a held write, that stands in a node's queues under its present number: it has taken nothing, and written nothing, yet. */
  isParked: boolean;
  /** An offer was accepted, and what came of it is not known yet. */
  isAccepted: boolean;
  /** Of a blocked call whose fate is not known: the client's last write that is; −1: nothing is unknown. */
  executedUpTo: number;
  /** Replies that came, or were decided, before an earlier run of the same shard was done. */
  early: Uint8Array[] | null;
  earlyCount: number;

  constructor(bytes: Uint8Array, start: number, end: number, count: number, fate: RunFate) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.count = count;
    this.state = RunState.queued;
    this.firstNumber = 0;
    this.answered = 0;
    this.sinceMs = fate.sinceMs;
    this.sentAtMs = 0;
    this.deadlineMs = fate.deadlineMs;
    this.isBlocking = fate.isBlocking;
    this.mode = fate.mode;
    this.used = fate.used;
    this.slot = fate.slot;
    this.sink = fate.sink;
    this.part = fate.part;
    this.command = fate.command;
    this.isForAnyNode = false;
    this.isParked = false;
    this.isAccepted = false;
    this.executedUpTo = -1;
    this.early = null;
    this.earlyCount = 0;
  }

  /** The same one request in other bytes, in the same state. */
  static inPlaceOf(run: RequestRun, bytes: Uint8Array, length: number): RequestRun {
    const other = new RequestRun(bytes, 0, length, 1, run);
    other.state = run.state;
    other.firstNumber = run.firstNumber;
    other.answered = run.answered;
    other.sentAtMs = run.sentAtMs;
    other.isForAnyNode = run.isForAnyNode;
    other.isParked = run.isParked;
    other.isAccepted = run.isAccepted;
    other.executedUpTo = run.executedUpTo;
    other.early = run.early;
    other.earlyCount = run.earlyCount;
    return other;
  }

  get isWanted(): boolean {
    return this.slot !== null || this.sink !== null;
  }
}

/** What a run keeps when it is cut into parts: a run is one itself. */
export interface RunFate {
  readonly sinceMs: number;
  readonly deadlineMs: number;
  readonly isBlocking: boolean;
  readonly mode: RequestMode;
  readonly used: ReadUse;
  readonly slot: ReplySlot | null;
  readonly sink: PartSink | null;
  readonly part: number;
  readonly command: number;
}

export const MIXED_COMMANDS = -1;
export const NO_COMMAND = -2;

/** For requests that were taken once: CONFIG SET may have lowered what a client may send since. */
export const NO_LIMITS: DecoderLimits = Object.freeze({
  maxBulkBytes: Number.MAX_SAFE_INTEGER,
  maxArguments: 1024 * 1024,
  maxInlineBytes: 64 * 1024,
  maxRequestBytes: Number.MAX_SAFE_INTEGER,
});

/** Visits each request of a run, at most `limit` of them; `from` and `to` are its bytes. Raw bytes of a run are canonical, so decoding can't fail. */
export function splitRequests(
  run: RequestRun,
  visit: (request: Request, from: number, to: number) => void,
  limit: number = run.count,
): void {
  const decoder = new RequestDecoder(NO_LIMITS);
  decoder.feed(run.bytes.subarray(run.start, run.end));
  const count = Math.min(run.count, limit);
  for (let i = 0; i < count; i++) {
    assert(decoder.next() === DecodeResult.request, "a run holds whole requests");
    const request = decoder.request;
    visit(request, run.start + request.rawStart, run.start + request.rawEnd);
  }
}
