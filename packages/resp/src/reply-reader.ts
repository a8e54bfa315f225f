/**
 * Cuts a stream of replies into whole replies, by offsets, without looking at what they say: for merging the answers of several shards and
 * for tests. RESP2 and RESP3 (attributes count as part of the reply that they precede; streamed aggregates are not spoken here).
 */
import { AssertionError, allocate, copyBytes, readInteger } from "@headrace/bytes";

const CR = 13;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The offset behind the whole reply at `offset`, or −1 when bytes[offset, end) ends before it does. Foreign bytes are asserted. */
export function skipReply(bytes: Uint8Array, offset: number, end: number): number {
  let at = offset;
  let open = 1;
  while (open > 0) {
    const lineEnd = findLineEnd(bytes, at, end);
    if (lineEnd < 0) return -1;
    open += childrenOf(bytes[at]!, bytes, at + 1, lineEnd) - 1;
    at = behindElement(bytes[at]!, bytes, at + 1, lineEnd);
    if (at > end) return -1;
  }
  return at;
}

/** The number in an aggregate's or bulk's header line at `offset`, and the text of an integer reply. −1 for RESP2 nulls. */
export function headerNumber(bytes: Uint8Array, offset: number, end: number): number {
  return readInteger(bytes, offset + 1, findLineEnd(bytes, offset, end));
}

/** Where the content of the header line at `offset` ends and the elements begin: behind its CR LF. */
export function behindHeader(bytes: Uint8Array, offset: number, end: number): number {
  return findLineEnd(bytes, offset, end) + 2;
}

/** Gathers chunks and hands out whole replies; goes on where it stopped, so a large reply in small pieces is walked once. */
export class ReplyReader {
  bytes: Uint8Array;
  /** The reply found by `next`, valid until `feed`. */
  start: number;
  end: number;
  #filled: number;
  #at: number;
  #open: number;

  constructor() {
    this.bytes = NO_BYTES;
    this.start = 0;
    this.end = 0;
    this.#filled = 0;
    this.#at = 0;
    this.#open = 0;
  }

  /** Takes a copy of the chunk. */
  feed(chunk: Uint8Array): void {
    const from = this.#open > 0 ? this.start : this.#at;
    const kept = this.#filled - from;
    if (this.#filled + chunk.length > this.bytes.length) {
      let capacity = Math.max(1024, this.bytes.length);
      while (capacity < kept + chunk.length) capacity *= 2;
      const target = capacity === this.bytes.length ? this.bytes : allocate(capacity);
      if (target === this.bytes) target.copyWithin(0, from, this.#filled);
      else copyBytes(target, 0, this.bytes, from, this.#filled);
      this.bytes = target;
      this.#filled = kept;
      this.#at -= from;
      this.start = 0;
    }
    this.#filled = copyBytes(this.bytes, this.#filled, chunk, 0, chunk.length);
  }

  /** True: one whole reply lies in bytes[start, end). */
  next(): boolean {
    if (this.#open === 0) {
      this.start = this.#at;
      if (this.#at >= this.#filled) return false;
      this.#open = 1;
    }
    const bytes = this.bytes;
    while (this.#open > 0) {
      const at = this.#at;
      const lineEnd = findLineEnd(bytes, at, this.#filled);
      if (lineEnd < 0) return false;
      const behind = behindElement(bytes[at]!, bytes, at + 1, lineEnd);
      if (behind > this.#filled) return false;
      this.#open += childrenOf(bytes[at]!, bytes, at + 1, lineEnd) - 1;
      this.#at = behind;
    }
    this.end = this.#at;
    return true;
  }
}

/** Offset of the CR, or −1 while CR LF are not both there. */
function findLineEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at + 1 < end; at++) {
    if (bytes[at] === CR) return at;
  }
  return -1;
}

/** Elements that follow the header of this type. */
function childrenOf(type: number, bytes: Uint8Array, start: number, lineEnd: number): number {
  switch (type) {
    case 42: // *
    case 126: // ~
    case 62: // >
      return Math.max(0, readInteger(bytes, start, lineEnd));
    case 37: // %
      return 2 * readInteger(bytes, start, lineEnd);
    case 124: // | and the reply that it describes
      return 2 * readInteger(bytes, start, lineEnd) + 1;
    default:
      return 0;
  }
}

/** Offset behind the header line, and behind the payload of strings with a length. */
function behindElement(type: number, bytes: Uint8Array, start: number, lineEnd: number): number {
  switch (type) {
    case 36: // $
    case 61: // =
    case 33: {
      // !
      const length = readInteger(bytes, start, lineEnd);
      return length < 0 ? lineEnd + 2 : lineEnd + 2 + length + 2;
    }
    case 42:
    case 126:
    case 62:
    case 37:
    case 124:
    case 43: // +
    case 45: // -
    case 58: // :
    case 44: // ,
    case 35: // #
    case 95: // _
    case 40: // (
      return lineEnd + 2;
    default:
      throw new AssertionError(`not a reply: type byte ${type}`);
  }
}
