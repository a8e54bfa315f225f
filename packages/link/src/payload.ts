/**
 * Every payload of the protocol but the handshake's (handshake.ts), encoded and decoded. Layouts: frame.ts.
 *
 * Encoders write a whole frame. Decoders answer null (or false) for anything malformed: wrong length, numbers that are no safe non-negative
 * integers, unknown enumerators. The two hot ones, Request and Reply, decode into an object that the caller reuses.
 */
import { copyOf, latin1 } from "@headrace/bytes";
import type { ByteWriter } from "@headrace/bytes";
import { ACK_DEFAULT, FrameType, RefuseReason, RequestMode } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import { beginFrame, endFrame } from "./frame-writer.ts";

export const SESSION_ID_BYTES = 16;
export const REQUEST_HEADER_BYTES = 32;
export const REPLY_HEADER_BYTES = 32;
/** Request flags bit 0: sent before, may have been executed; the header is longer by RESEND_BYTES. */
export const REQUEST_RESEND = 1;
export const RESEND_BYTES = 8;
/** Request flags bit 1: earlier parts of the call have taken something of its MAXCOUNT and MAXSIZE. */
const REQUEST_USED = 2;
export const USED_BYTES = 16;
const FLAGS_KNOWN = REQUEST_RESEND | REQUEST_USED;
const MODE_SHIFT = 8;
/** A blocked call writes under its number when it comes, and under this much more when it is served. */
export const SERVED_LATER = 0.5;

export interface LaneOpen {
  readonly respVersion: 2 | 3;
  /** 0, 1, 2 or ACK_DEFAULT. */
  readonly ack: number;
  readonly clientId: number;
  readonly openedAtMs: number;
  /** SESSION_ID_BYTES bytes; decoded ones are an own copy. */
  readonly session: Uint8Array;
}

export interface LaneSet {
  readonly respVersion: 2 | 3;
  readonly ack: number;
}

export interface Refuse {
  readonly laneEpoch: number;
  readonly reason: RefuseReason;
  readonly firstNumber: number;
  /** 0: unknown. */
  readonly leaderNodeId: number;
  readonly term: number;
}

export interface Lost {
  readonly laneEpoch: number;
  readonly count: number;
  readonly firstNumber: number;
}

export interface Parked {
  readonly laneEpoch: number;
  readonly number: number;
  /** From where each stream is read, as the caller would write it; empty: as the request says. */
  readonly ids: readonly string[];
}

/** How a blocked call is ended. */
export const CancelHow = { drop: 0, timeOut: 1, unblock: 2 } as const;
export type CancelHow = (typeof CancelHow)[keyof typeof CancelHow];

export interface Cancel {
  readonly number: number;
  readonly how: CancelHow;
}

export interface Leader {
  readonly nodeId: number;
  readonly term: number;
}

export const WaitKind = { wait: 0, waitAof: 1 } as const;
export type WaitKind = (typeof WaitKind)[keyof typeof WaitKind];

export interface WaitQueryPayload {
  readonly query: number;
  readonly replicasWanted: number;
  readonly kind: WaitKind;
  /** 0: no write on this shard. */
  readonly term: number;
  readonly index: number;
  /** 0: for ever. */
  readonly timeoutMs: number;
}

export const WaitOutcome = { counted: 0, uncertain: 1, notLeader: 2 } as const;
export type WaitOutcome = (typeof WaitOutcome)[keyof typeof WaitOutcome];

export interface WaitAnswerPayload {
  readonly query: number;
  readonly outcome: WaitOutcome;
  readonly localFsynced: boolean;
  readonly replicas: number;
}

// ── lanes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export function writeLaneOpen(writer: ByteWriter, lane: number, open: LaneOpen): void {
  const at = beginFrame(writer, FrameType.LaneOpen, 0, lane);
  writer.u8(open.respVersion);
  writer.u8(open.ack);
  writer.u16(0);
  writer.u32(open.clientId);
  writer.f64(open.openedAtMs);
  writer.raw(open.session, 0, SESSION_ID_BYTES);
  endFrame(writer, at);
}

export function decodeLaneOpen(frame: Frame): LaneOpen | null {
  const { bytes, view, start } = frame;
  if (frame.end - start !== 16 + SESSION_ID_BYTES) return null;
  const respVersion = versionOf(bytes[start]!);
  const ack = bytes[start + 1]!;
  const openedAtMs = view.getFloat64(start + 8, true);
  if (respVersion === 0 || !isAck(ack) || !Number.isFinite(openedAtMs)) return null;
  const session = copyOf(bytes, start + 16, start + 16 + SESSION_ID_BYTES);
  return { respVersion, ack, clientId: view.getUint32(start + 4, true), openedAtMs, session };
}

export function writeLaneSet(writer: ByteWriter, lane: number, set: LaneSet): void {
  const at = beginFrame(writer, FrameType.LaneSet, 0, lane);
  writer.u8(set.respVersion);
  writer.u8(set.ack);
  endFrame(writer, at);
}

export function decodeLaneSet(frame: Frame): LaneSet | null {
  if (frame.end - frame.start !== 2) return null;
  const respVersion = versionOf(frame.bytes[frame.start]!);
  const ack = frame.bytes[frame.start + 1]!;
  return respVersion === 0 || !isAck(ack) ? null : { respVersion, ack };
}

export function writeLaneClose(writer: ByteWriter, lane: number): void {
  endFrame(writer, beginFrame(writer, FrameType.LaneClose, 0, lane));
}

// ── requests and their fates ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a read over several shards has taken so far, as MAXCOUNT and MAXSIZE count it. */
export interface ReadUse {
  readonly entries: number;
  readonly bytes: number;
}

export const NOTHING_USED: ReadUse = { entries: 0, bytes: 0 };

/** Header of a Request frame; the RESP bytes are bytes[start, end). */
export class RequestPayload {
  laneEpoch: number = 0;
  placementEpoch: number = 0;
  count: number = 0;
  flags: number = 0;
  firstNumber: number = 0;
  lowestUnanswered: number = 0;
  mode: RequestMode = RequestMode.whole;
  used: ReadUse = NOTHING_USED;
  /** Of a resend: the session's last write that is known of; −1: sent for the first time. */
  executedUpTo: number = -1;
  start: number = 0;
  end: number = 0;

  decode(frame: Frame): boolean {
    const at = frame.start;
    if (frame.end - at < REQUEST_HEADER_BYTES) return false;
    const view = frame.view;
    this.laneEpoch = view.getUint32(at, true);
    this.placementEpoch = view.getUint32(at + 4, true);
    this.count = view.getUint32(at + 8, true);
    this.flags = view.getUint32(at + 12, true);
    this.firstNumber = view.getFloat64(at + 16, true);
    this.lowestUnanswered = view.getFloat64(at + 24, true);
    this.start = at + REQUEST_HEADER_BYTES;
    this.end = frame.end;
    this.executedUpTo = -1;
    const mode = this.flags >>> MODE_SHIFT;
    if (mode > RequestMode.offered || (mode !== RequestMode.whole && this.count !== 1)) return false;
    this.mode = mode as RequestMode;
    if ((this.flags & REQUEST_RESEND) !== 0) {
      if (this.end - this.start < RESEND_BYTES) return false;
      this.executedUpTo = view.getFloat64(this.start, true);
      this.start += RESEND_BYTES;
      if (!isNumber(this.executedUpTo / SERVED_LATER)) return false;
    }
    this.used = NOTHING_USED;
    if ((this.flags & REQUEST_USED) !== 0) {
      if (this.end - this.start < USED_BYTES) return false;
      this.used = { entries: view.getFloat64(this.start, true), bytes: view.getFloat64(this.start + 8, true) };
      this.start += USED_BYTES;
      if (!isNumber(this.used.entries) || !isNumber(this.used.bytes)) return false;
    }
    return this.count > 0 && this.firstNumber > 0 && isNumber(this.firstNumber) && isNumber(this.lowestUnanswered);
  }
}

/** Begins a Request frame; the caller appends `count` whole requests and calls `endFrame` with the answer. */
export function beginRequest(
  writer: ByteWriter,
  shard: number,
  lane: number,
  header: Omit<RequestPayload, "start" | "end" | "decode">,
): number {
  const at = beginFrame(writer, FrameType.Request, shard, lane);
  writer.u32(header.laneEpoch);
  writer.u32(header.placementEpoch);
  writer.u32(header.count);
  const isUsed = header.used !== NOTHING_USED;
  writer.u32((header.flags & FLAGS_KNOWN) | (isUsed ? REQUEST_USED : 0) | (header.mode << MODE_SHIFT));
  writer.f64(header.firstNumber);
  writer.f64(header.lowestUnanswered);
  if ((header.flags & REQUEST_RESEND) !== 0) writer.f64(header.executedUpTo);
  if (isUsed) {
    writer.f64(header.used.entries);
    writer.f64(header.used.bytes);
  }
  return at;
}

/** Header of a Reply frame; the RESP bytes of `count` replies are bytes[start, end). */
export class ReplyPayload {
  laneEpoch: number = 0;
  count: number = 0;
  firstNumber: number = 0;
  /** 0: nothing was written. */
  writeTerm: number = 0;
  writeIndex: number = 0;
  start: number = 0;
  end: number = 0;

  decode(frame: Frame): boolean {
    const at = frame.start;
    if (frame.end - at < REPLY_HEADER_BYTES) return false;
    const view = frame.view;
    this.laneEpoch = view.getUint32(at, true);
    this.count = view.getUint32(at + 4, true);
    this.firstNumber = view.getFloat64(at + 8, true);
    this.writeTerm = view.getFloat64(at + 16, true);
    this.writeIndex = view.getFloat64(at + 24, true);
    this.start = at + REPLY_HEADER_BYTES;
    this.end = frame.end;
    return (
      this.count > 0 &&
      this.firstNumber > 0 &&
      isNumber(this.firstNumber) &&
      isNumber(this.writeTerm) &&
      isNumber(this.writeIndex)
    );
  }
}

/** Begins a Reply frame; the caller appends the RESP of `count` replies and calls `endFrame` with the answer. */
export function beginReply(
  writer: ByteWriter,
  shard: number,
  lane: number,
  header: Omit<ReplyPayload, "start" | "end" | "decode">,
): number {
  const at = beginFrame(writer, FrameType.Reply, shard, lane);
  writer.u32(header.laneEpoch);
  writer.u32(header.count);
  writer.f64(header.firstNumber);
  writer.f64(header.writeTerm);
  writer.f64(header.writeIndex);
  return at;
}

export function writeRefuse(writer: ByteWriter, shard: number, lane: number, refuse: Refuse): void {
  const at = beginFrame(writer, FrameType.Refuse, shard, lane);
  writer.u32(refuse.laneEpoch);
  writer.u32(refuse.reason);
  writer.f64(refuse.firstNumber);
  writer.u32(refuse.leaderNodeId);
  writer.f64(refuse.term);
  endFrame(writer, at);
}

export function decodeRefuse(frame: Frame): Refuse | null {
  const { bytes, view, start } = frame;
  if (frame.end - start !== 28) return null;
  const reason = reasonOf(bytes[start + 4]!);
  const firstNumber = view.getFloat64(start + 8, true);
  const term = view.getFloat64(start + 20, true);
  if (reason === null || !isNumber(firstNumber) || firstNumber === 0 || !isNumber(term)) return null;
  return {
    laneEpoch: view.getUint32(start, true),
    reason,
    firstNumber,
    leaderNodeId: view.getUint32(start + 16, true),
    term,
  };
}

export function writeLost(writer: ByteWriter, shard: number, lane: number, lost: Lost): void {
  const at = beginFrame(writer, FrameType.Lost, shard, lane);
  writer.u32(lost.laneEpoch);
  writer.u32(lost.count);
  writer.f64(lost.firstNumber);
  endFrame(writer, at);
}

export function decodeLost(frame: Frame): Lost | null {
  const { view, start } = frame;
  if (frame.end - start !== 16) return null;
  const count = view.getUint32(start + 4, true);
  const firstNumber = view.getFloat64(start + 8, true);
  if (count === 0 || !isNumber(firstNumber) || firstNumber === 0) return null;
  return { laneEpoch: view.getUint32(start, true), count, firstNumber };
}

export function writeParked(writer: ByteWriter, shard: number, lane: number, parked: Parked): void {
  const at = beginFrame(writer, FrameType.Parked, shard, lane);
  writer.u32(parked.laneEpoch);
  writer.u32(0);
  writer.f64(parked.number);
  writer.latin1(parked.ids.join(" "));
  endFrame(writer, at);
}

export function decodeParked(frame: Frame): Parked | null {
  const { bytes, view, start } = frame;
  if (frame.end - start < 16) return null;
  const number = view.getFloat64(start + 8, true);
  if (!isNumber(number) || number === 0) return null;
  const ids = latin1(bytes, start + 16, frame.end);
  return { laneEpoch: view.getUint32(start, true), number, ids: ids === "" ? [] : ids.split(" ") };
}

export function writeCancel(writer: ByteWriter, shard: number, lane: number, cancel: Cancel): void {
  const at = beginFrame(writer, FrameType.Cancel, shard, lane);
  writer.f64(cancel.number);
  writer.u8(cancel.how);
  endFrame(writer, at);
}

export function decodeCancel(frame: Frame): Cancel | null {
  if (frame.end - frame.start !== 9) return null;
  const number = frame.view.getFloat64(frame.start, true);
  const how = frame.bytes[frame.start + 8]!;
  if (!isNumber(number) || number === 0) return null;
  return how === 0 || how === 1 || how === 2 ? { number, how } : null;
}

// ── offers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Offer {
  readonly number: number;
  readonly offer: number;
}

export const OfferHow = { accept: 0, decline: 1, resume: 2 } as const;
export type OfferHow = (typeof OfferHow)[keyof typeof OfferHow];

export interface OfferAnswer extends Offer {
  readonly how: OfferHow;
}

export function writeOffer(writer: ByteWriter, shard: number, lane: number, offer: Offer): void {
  writeOfferFrame(writer, FrameType.Offer, shard, lane, offer);
}

export function writeOfferVoid(writer: ByteWriter, shard: number, lane: number, offer: Offer): void {
  writeOfferFrame(writer, FrameType.OfferVoid, shard, lane, offer);
}

function writeOfferFrame(writer: ByteWriter, type: FrameType, shard: number, lane: number, offer: Offer): void {
  const at = beginFrame(writer, type, shard, lane);
  writer.f64(offer.number);
  writer.u32(offer.offer);
  endFrame(writer, at);
}

/** Offer and OfferVoid. */
export function decodeOffer(frame: Frame): Offer | null {
  if (frame.end - frame.start !== 12) return null;
  const number = frame.view.getFloat64(frame.start, true);
  if (!isNumber(number) || number === 0) return null;
  return { number, offer: frame.view.getUint32(frame.start + 8, true) };
}

export function writeOfferAnswer(writer: ByteWriter, shard: number, lane: number, answer: OfferAnswer): void {
  const at = beginFrame(writer, FrameType.OfferAnswer, shard, lane);
  writer.f64(answer.number);
  writer.u32(answer.offer);
  writer.u8(answer.how);
  endFrame(writer, at);
}

export function decodeOfferAnswer(frame: Frame): OfferAnswer | null {
  if (frame.end - frame.start !== 13) return null;
  const number = frame.view.getFloat64(frame.start, true);
  const how = frame.bytes[frame.start + 12]!;
  if (!isNumber(number) || number === 0 || how > OfferHow.resume) return null;
  return { number, offer: frame.view.getUint32(frame.start + 8, true), how: how as OfferHow };
}

// ── flow, leaders, liveness ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** `lane` 0 is the link itself. */
export function writeCredit(writer: ByteWriter, lane: number, creditBytes: number): void {
  const at = beginFrame(writer, FrameType.Credit, 0, lane);
  writer.u32(creditBytes);
  endFrame(writer, at);
}

/** Bytes granted, or null. */
export function decodeCredit(frame: Frame): number | null {
  return frame.end - frame.start === 4 ? frame.view.getUint32(frame.start, true) : null;
}

export function writeLeader(writer: ByteWriter, shard: number, leader: Leader): void {
  const at = beginFrame(writer, FrameType.Leader, shard, 0);
  writer.u32(leader.nodeId);
  writer.f64(leader.term);
  endFrame(writer, at);
}

export function decodeLeader(frame: Frame): Leader | null {
  if (frame.end - frame.start !== 12) return null;
  const term = frame.view.getFloat64(frame.start + 4, true);
  return isNumber(term) ? { nodeId: frame.view.getUint32(frame.start, true), term } : null;
}

export function writeBye(writer: ByteWriter): void {
  endFrame(writer, beginFrame(writer, FrameType.Bye, 0, 0));
}

/** Ping and Pong: the echo is opaque to the answering side. */
export function writePing(writer: ByteWriter, sentAtMs: number): void {
  const at = beginFrame(writer, FrameType.Ping, 0, 0);
  writer.f64(sentAtMs);
  endFrame(writer, at);
}

export function writePong(writer: ByteWriter, echo: number): void {
  const at = beginFrame(writer, FrameType.Pong, 0, 0);
  writer.f64(echo);
  endFrame(writer, at);
}

export function decodePing(frame: Frame): number | null {
  return frame.end - frame.start === 8 ? frame.view.getFloat64(frame.start, true) : null;
}

// ── WAIT ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export function writeWaitQuery(writer: ByteWriter, shard: number, lane: number, query: WaitQueryPayload): void {
  const at = beginFrame(writer, FrameType.WaitQuery, shard, lane);
  writer.u32(query.query);
  writer.u32(query.replicasWanted);
  writer.u32(query.kind);
  writer.f64(query.term);
  writer.f64(query.index);
  writer.f64(query.timeoutMs);
  endFrame(writer, at);
}

export function decodeWaitQuery(frame: Frame): WaitQueryPayload | null {
  const { bytes, view, start } = frame;
  if (frame.end - start !== 36) return null;
  const kind = bytes[start + 8]!;
  const term = view.getFloat64(start + 12, true);
  const index = view.getFloat64(start + 20, true);
  const timeoutMs = view.getFloat64(start + 28, true);
  if (kind > 1 || !isNumber(term) || !isNumber(index) || !(timeoutMs >= 0)) return null;
  return {
    query: view.getUint32(start, true),
    replicasWanted: view.getUint32(start + 4, true),
    kind: kind === 0 ? WaitKind.wait : WaitKind.waitAof,
    term,
    index,
    timeoutMs,
  };
}

export function writeWaitAnswer(writer: ByteWriter, shard: number, lane: number, answer: WaitAnswerPayload): void {
  const at = beginFrame(writer, FrameType.WaitAnswer, shard, lane);
  writer.u32(answer.query);
  writer.u8(answer.outcome);
  writer.u8(answer.localFsynced ? 1 : 0);
  writer.u16(0);
  writer.u32(answer.replicas);
  endFrame(writer, at);
}

export function decodeWaitAnswer(frame: Frame): WaitAnswerPayload | null {
  const { bytes, view, start } = frame;
  if (frame.end - start !== 12) return null;
  const outcome = bytes[start + 4]!;
  if (outcome !== 0 && outcome !== 1 && outcome !== 2) return null;
  return {
    query: view.getUint32(start, true),
    outcome,
    localFsynced: bytes[start + 5] === 1,
    replicas: view.getUint32(start + 8, true),
  };
}

export function writeWaitCancel(writer: ByteWriter, shard: number, lane: number, query: number): void {
  const at = beginFrame(writer, FrameType.WaitCancel, shard, lane);
  writer.u32(query);
  endFrame(writer, at);
}

export function decodeWaitCancel(frame: Frame): number | null {
  return frame.end - frame.start === 4 ? frame.view.getUint32(frame.start, true) : null;
}

// ── checks ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isAck(value: number): boolean {
  return value <= 2 || value === ACK_DEFAULT;
}

function versionOf(value: number): 0 | 2 | 3 {
  return value === 2 || value === 3 ? value : 0;
}

function reasonOf(value: number): RefuseReason | null {
  switch (value) {
    case RefuseReason.notLeader:
    case RefuseReason.notOwner:
    case RefuseReason.notReady:
    case RefuseReason.overloaded:
    case RefuseReason.staleEpoch:
    case RefuseReason.stopping:
      return value;
    default:
      return null;
  }
}
