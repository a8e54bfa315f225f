/**
 * Payloads about channels: who wants messages, and the messages. Layouts: frame.ts. Decoders answer null for anything malformed.
 */
import { latin1 } from "@headrace/bytes";
import type { ByteWriter } from "@headrace/bytes";
import { FrameType, MAX_FRAME_PAYLOAD_BYTES } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import { beginFrame, endFrame } from "./frame-writer.ts";

/** Patterns are no kind of a message. */
const PATTERN = 1;
const KIND_MAX = 3;
const CHANGE_HEAD_BYTES = 9;
const MESSAGE_HEAD_BYTES = 16;
/** A frame is closed behind the change that brings it here: only a long name makes fragments. */
const CLOSED_AT_BYTES = MAX_FRAME_PAYLOAD_BYTES / 2;

/** The number of a frame behind which others follow. */
const NO_ANSWER = 0;

/** So many clients of the gateway have subscribed to this name. */
export interface SubscriptionChange {
  readonly kind: number;
  readonly name: string;
  readonly subscribers: number;
}

/** As many frames as it takes; the last one has the number, and so the answer means all of them. */
export function writeSubscriptions(writer: ByteWriter, number: number, changes: Iterable<SubscriptionChange>): void {
  let at = beginSubscriptions(writer, NO_ANSWER);
  for (const { kind, name, subscribers } of changes) {
    if (writer.length - at > CLOSED_AT_BYTES) {
      endFrame(writer, at);
      at = beginSubscriptions(writer, NO_ANSWER);
    }
    writer.u8(kind);
    writer.u32(subscribers);
    writer.string(name);
  }
  endFrame(writer, at);
  endFrame(writer, beginSubscriptions(writer, number));
}

function beginSubscriptions(writer: ByteWriter, number: number): number {
  const at = beginFrame(writer, FrameType.Subscriptions, 0, 0);
  writer.f64(number);
  return at;
}

/** The frame's number (0: not to be answered) and changes; null: malformed. */
export function decodeSubscriptions(frame: Frame): { number: number; changes: SubscriptionChange[] } | null {
  const { bytes, view, end } = frame;
  let at = frame.start;
  if (end - at < 8) return null;
  const number = view.getFloat64(at, true);
  if (!isNumber(number)) return null;
  at += 8;
  const changes: SubscriptionChange[] = [];
  while (at < end) {
    if (end - at < CHANGE_HEAD_BYTES) return null;
    const kind = bytes[at]!;
    const subscribers = view.getUint32(at + 1, true);
    const nameAt = at + CHANGE_HEAD_BYTES;
    at = nameAt + view.getUint32(at + 5, true);
    if (kind > KIND_MAX || at > end) return null;
    changes.push({ kind, subscribers, name: latin1(bytes, nameAt, at) });
  }
  return { number, changes };
}

export function writeSubscriptionsTaken(writer: ByteWriter, number: number): void {
  const at = beginFrame(writer, FrameType.SubscriptionsTaken, 0, 0);
  writer.f64(number);
  endFrame(writer, at);
}

export function decodeSubscriptionsTaken(frame: Frame): number | null {
  if (frame.end - frame.start !== 8) return null;
  const number = frame.view.getFloat64(frame.start, true);
  return isNumber(number) ? number : null;
}

export interface ChannelMessage {
  /** Of the leadership that the message comes from. */
  readonly term: number;
  readonly kind: number;
  readonly channel: string;
  /** The message is bytes[start, end) of the frame. */
  readonly start: number;
  readonly end: number;
}

export function writeMessage(
  writer: ByteWriter,
  shard: number,
  term: number,
  kind: number,
  channel: string,
  message: Uint8Array,
): void {
  const at = beginFrame(writer, FrameType.Message, shard, 0);
  writer.f64(term);
  writer.u32(kind);
  writer.string(channel);
  writer.all(message);
  endFrame(writer, at);
}

export function decodeMessage(frame: Frame): ChannelMessage | null {
  const { bytes, view, start, end } = frame;
  if (end - start < MESSAGE_HEAD_BYTES) return null;
  const term = view.getFloat64(start, true);
  const kind = bytes[start + 8]!;
  const channelAt = start + MESSAGE_HEAD_BYTES;
  const messageAt = channelAt + view.getUint32(start + 12, true);
  if (!isNumber(term) || kind === PATTERN || kind > KIND_MAX || messageAt > end) return null;
  return { term, kind, channel: latin1(bytes, channelAt, messageAt), start: messageAt, end };
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
