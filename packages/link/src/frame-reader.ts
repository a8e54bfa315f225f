/**
 * Cuts the byte stream of a link into frames and puts fragments together again. Trusts nothing: every length is bounded before memory is
 * taken, and whatever is malformed ends the link with a named error, never with an exception.
 *
 * The answer of `next` is the reader itself, as offsets into `bytes`. Memory that `bytes` points to is never written again by the reader, so
 * a receiver may keep a subarray of it for as long as it likes.
 */
import { allocate, copyBytes } from "@headrace/bytes";
import { FLAG_MORE, FRAME_HEADER_BYTES, FrameType, LINK_MAGIC, MAX_FRAME_PAYLOAD_BYTES } from "./frame.ts";

export const FrameResult = { frame: 0, needMore: 1, error: 2 } as const;
export type FrameResult = (typeof FrameResult)[keyof typeof FrameResult];

/** Why a byte stream is not a link. Final: the connection must be closed. */
export type LinkError =
  | "badMagic"
  | "frameTooLarge"
  | "unknownType"
  | "badFragment"
  | "messageTooLarge"
  | "tooManyFragments";

export interface FrameReaderLimits {
  /** Payload of one message, all fragments together. */
  readonly maxMessageBytes: number;
  /** Bytes of all unfinished messages. */
  readonly maxPartialBytes: number;
}

/** One frame as offsets: what the payload decoders take. */
export interface Frame {
  readonly type: number;
  readonly shard: number;
  readonly lane: number;
  readonly bytes: Uint8Array;
  /** Over `bytes`. */
  readonly view: DataView;
  /** The payload: bytes[start, end). */
  readonly start: number;
  readonly end: number;
}

/** By type: 1 if there is such a frame. */
const KNOWN_TYPES = new Uint8Array(256);
for (const type of Object.values(FrameType)) KNOWN_TYPES[type] = 1;
const NOTHING = new Uint8Array(0);
const NOTHING_VIEW = new DataView(NOTHING.buffer);

/** An unfinished message: fragments of one lane and type, copied behind each other. */
class Partial {
  bytes: Uint8Array;
  length: number;
  readonly shard: number;

  constructor(shard: number, capacityBytes: number) {
    this.bytes = allocate(capacityBytes);
    this.length = 0;
    this.shard = shard;
  }
}

export class FrameReader implements Frame {
  type: number = 0;
  shard: number = 0;
  lane: number = 0;
  bytes: Uint8Array = NOTHING;
  view: DataView = NOTHING_VIEW;
  start: number = 0;
  end: number = 0;
  /** Set once `next` has answered error. */
  error: LinkError | null = null;

  readonly #limits: FrameReaderLimits;
  #magicLeft: number;
  #chunk: Uint8Array;
  #chunkView: DataView;
  #at: number;
  /** A frame that crosses chunks: its first bytes. Fresh for each such frame, because receivers may keep what they were given. */
  #stash: Uint8Array;
  #stashLength: number;
  readonly #header: Uint8Array;
  readonly #partials: Map<number, Partial>;
  #partialBytes: number;

  /** `expectMagic` on the node's side; a gateway's link carries the magic in one direction only, gateway to node. */
  constructor(limits: FrameReaderLimits, expectMagic: boolean) {
    this.#limits = limits;
    this.#magicLeft = expectMagic ? LINK_MAGIC.length : 0;
    this.#chunk = NOTHING;
    this.#chunkView = NOTHING_VIEW;
    this.#at = 0;
    this.#stash = NOTHING;
    this.#stashLength = 0;
    this.#header = new Uint8Array(FRAME_HEADER_BYTES);
    this.#partials = new Map();
    this.#partialBytes = 0;
  }

  /** Of messages that have come in part. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** Gives the next chunk; kept by reference. Only after `next` has answered needMore (or before its first call). */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#chunkView = viewOf(chunk);
    this.#at = 0;
  }

  next(): FrameResult {
    if (this.error !== null) return FrameResult.error;
    while (this.#magicLeft > 0) {
      if (this.#at === this.#chunk.length) return FrameResult.needMore;
      if (this.#chunk[this.#at++] !== LINK_MAGIC[LINK_MAGIC.length - this.#magicLeft]) {
        return this.#fail("badMagic");
      }
      this.#magicLeft--;
    }
    for (;;) {
      const cut = this.#stashLength > 0 ? this.#cutFromStash() : this.#cutFromChunk();
      if (cut !== FrameResult.frame) return cut;
      const flags = this.bytes[this.start - 7]!;
      if ((flags & FLAG_MORE) === 0 && this.#partials.size === 0) return FrameResult.frame;
      const joined = this.#join((flags & FLAG_MORE) !== 0);
      if (joined !== FrameResult.needMore) return joined;
    }
  }

  #cutFromChunk(): FrameResult {
    const left = this.#chunk.length - this.#at;
    if (left < FRAME_HEADER_BYTES) {
      copyBytes(this.#header, 0, this.#chunk, this.#at, this.#chunk.length);
      this.#stash = this.#header;
      this.#stashLength = left;
      this.#at = this.#chunk.length;
      return FrameResult.needMore;
    }
    const payloadBytes = this.#chunkView.getUint32(this.#at, true);
    if (!this.#checkHeader(payloadBytes, this.#chunk[this.#at + 4]!)) return FrameResult.error;
    if (left < FRAME_HEADER_BYTES + payloadBytes) {
      this.#stash = allocate(FRAME_HEADER_BYTES + payloadBytes);
      copyBytes(this.#stash, 0, this.#chunk, this.#at, this.#chunk.length);
      this.#stashLength = left;
      this.#at = this.#chunk.length;
      return FrameResult.needMore;
    }
    this.#show(this.#chunk, this.#chunkView, this.#at, payloadBytes);
    this.#at += FRAME_HEADER_BYTES + payloadBytes;
    return FrameResult.frame;
  }

  #cutFromStash(): FrameResult {
    if (this.#stash === this.#header) {
      if (!this.#fillStash(FRAME_HEADER_BYTES)) return FrameResult.needMore;
      const payloadBytes = viewOf(this.#header).getUint32(0, true);
      if (!this.#checkHeader(payloadBytes, this.#header[4]!)) return FrameResult.error;
      this.#stash = allocate(FRAME_HEADER_BYTES + payloadBytes);
      copyBytes(this.#stash, 0, this.#header, 0, FRAME_HEADER_BYTES);
    }
    if (!this.#fillStash(this.#stash.length)) return FrameResult.needMore;
    const whole = this.#stash;
    this.#stash = NOTHING;
    this.#stashLength = 0;
    this.#show(whole, viewOf(whole), 0, whole.length - FRAME_HEADER_BYTES);
    return FrameResult.frame;
  }

  #fillStash(wantedBytes: number): boolean {
    const take = Math.min(wantedBytes - this.#stashLength, this.#chunk.length - this.#at);
    copyBytes(this.#stash, this.#stashLength, this.#chunk, this.#at, this.#at + take);
    this.#stashLength += take;
    this.#at += take;
    return this.#stashLength === wantedBytes;
  }

  #checkHeader(payloadBytes: number, type: number): boolean {
    if (payloadBytes > MAX_FRAME_PAYLOAD_BYTES) {
      this.#fail("frameTooLarge");
      return false;
    }
    if (KNOWN_TYPES[type] === 0) {
      this.#fail("unknownType");
      return false;
    }
    return true;
  }

  #show(bytes: Uint8Array, view: DataView, at: number, payloadBytes: number): void {
    this.type = bytes[at + 4]!;
    this.shard = view.getUint16(at + 6, true);
    this.lane = view.getUint32(at + 8, true);
    this.bytes = bytes;
    this.view = view;
    this.start = at + FRAME_HEADER_BYTES;
    this.end = this.start + payloadBytes;
  }

  /** The shown frame is a fragment, or could be the last one of a message. needMore: the message is not whole yet. */
  #join(more: boolean): FrameResult {
    const key = this.lane * 256 + this.type;
    let partial = this.#partials.get(key);
    if (partial === undefined) {
      if (!more) return FrameResult.frame;
      partial = new Partial(this.shard, 4 * MAX_FRAME_PAYLOAD_BYTES);
      this.#partials.set(key, partial);
    }
    const size = this.end - this.start;
    // A fragment without bytes would let a peer open partial messages at no cost in credit.
    if (partial.shard !== this.shard || (more && size === 0)) return this.#fail("badFragment");
    if (partial.length + size > this.#limits.maxMessageBytes) return this.#fail("messageTooLarge");
    this.#partialBytes += size;
    if (this.#partialBytes > this.#limits.maxPartialBytes) return this.#fail("tooManyFragments");
    appendTo(partial, this.bytes, this.start, this.end);
    if (more) return FrameResult.needMore;
    this.#partials.delete(key);
    this.#partialBytes -= partial.length;
    this.bytes = partial.bytes;
    this.view = viewOf(partial.bytes);
    this.start = 0;
    this.end = partial.length;
    return FrameResult.frame;
  }

  #fail(error: LinkError): FrameResult {
    this.error = error;
    this.#partials.clear();
    this.#chunk = NOTHING;
    this.#stash = NOTHING;
    return FrameResult.error;
  }
}

function appendTo(partial: Partial, source: Uint8Array, start: number, end: number): void {
  const needed = partial.length + end - start;
  if (needed > partial.bytes.length) {
    const grown = allocate(Math.max(partial.bytes.length * 2, needed));
    copyBytes(grown, 0, partial.bytes, 0, partial.length);
    partial.bytes = grown;
  }
  partial.length = copyBytes(partial.bytes, partial.length, source, start, end);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
