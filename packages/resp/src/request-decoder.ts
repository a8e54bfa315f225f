/**
 * Cuts what a client sends into requests, without copying: a request that lies whole in one chunk is offsets into that chunk. Only a request
 * that spans chunks is gathered in a buffer of our own, which doubles, so that a large argument in small pieces is copied a bounded number of
 * times; parsing goes on where it stopped.
 *
 * Stricter than Redis in one point: the two bytes behind a length and behind an argument must be CR LF (Redis skips them unread), because
 * entries are stored and handed to readers in the form in which they came.
 *
 * Source of rules and texts: Redis 7 networking.c, processMultibulkBuffer and processInlineBuffer.
 */
import { allocate, assert, copyBytes, digitCount, readInteger, writeDigits } from "@headrace/bytes";
import { DecodeResult } from "./api.ts";
import type { DecoderLimits, Request, RequestDecoderApi } from "./api.ts";
import { splitInlineArguments } from "./inline-arguments.ts";
import { RequestView } from "./request-view.ts";

const NO_BYTES: Uint8Array = new Uint8Array(0);
const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
/** Longest length that the fast path reads; longer ones are errors by any limit we accept. */
const LENGTH_DIGITS_MAX = 10;
/** A gathering buffer above this is given back when it is empty. */
const KEEP_OWN_BYTES = 64 * 1024;
const INT32_MAX = 0x7fffffff;

export class RequestDecoder implements RequestDecoderApi {
  readonly #limits: DecoderLimits;
  readonly #view: RequestView;
  errorText: string;
  #bytes: Uint8Array;
  #end: number;
  /** Where the request being read begins, and where reading goes on. */
  #from: number;
  #at: number;
  /** Up to here no line end was found: not searched again. */
  #searched: number;
  /** Arguments announced; 0 = no multi-bulk is open. */
  #expected: number;
  #known: number;
  /** The gathering buffer; `#bytes` is either this or the client's chunk. */
  #own: Uint8Array;

  constructor(limits: DecoderLimits) {
    this.#limits = limits;
    this.#view = new RequestView();
    this.errorText = "";
    this.#bytes = NO_BYTES;
    this.#end = 0;
    this.#from = 0;
    this.#at = 0;
    this.#searched = 0;
    this.#expected = 0;
    this.#known = 0;
    this.#own = NO_BYTES;
  }

  get request(): Request {
    return this.#view;
  }

  get pendingBytes(): number {
    return this.#end - this.#from;
  }

  feed(chunk: Uint8Array): void {
    if (this.#from === this.#end) {
      if (this.#own.length > KEEP_OWN_BYTES) this.#own = NO_BYTES;
      this.#bytes = chunk;
      this.#end = chunk.length;
      this.#moveTo(0);
      return;
    }
    this.#gather(chunk.length);
    this.#end = copyBytes(this.#own, this.#end, chunk, 0, chunk.length);
  }

  next(): DecodeResult {
    if (this.errorText !== "") return DecodeResult.error;
    for (;;) {
      if (this.#expected > 0) return this.#readArguments();
      if (this.#at >= this.#end) return DecodeResult.needMore;
      if (this.#bytes[this.#at] !== STAR) {
        const result = this.#readInline();
        if (result >= 0) return result as DecodeResult;
        continue;
      }
      const length = this.#readLength(STAR);
      if (length === NEED_MORE) return DecodeResult.needMore;
      if (length === FAILED) return DecodeResult.error;
      if (length <= 0) {
        this.#from = this.#at;
        continue;
      }
      this.#expected = length;
      this.#known = 0;
      this.#view.firstHeader = this.#at;
    }
  }

  #readArguments(): DecodeResult {
    const view = this.#view;
    const bytes = this.#bytes;
    const end = this.#end;
    const expected = this.#expected;
    const bulkMax = this.#limits.maxBulkBytes;
    const stopMax = this.#from + this.#limits.maxRequestBytes;
    let at = this.#at;
    let index = this.#known;
    let result: DecodeResult = DecodeResult.request;
    while (index < expected) {
      const digits = at + 1;
      let p = digits;
      let length = 0;
      if (p < end && bytes[at] === DOLLAR) {
        const stop = Math.min(end, digits + LENGTH_DIGITS_MAX);
        for (; p < stop; p++) {
          const digit = bytes[p]! - 48;
          if (digit < 0 || digit > 9) break;
          length = length * 10 + digit;
        }
      }
      if (
        p + 1 >= end ||
        p === digits ||
        bytes[p] !== CR ||
        bytes[p + 1] !== LF ||
        (bytes[digits] === 48 && p > digits + 1) ||
        length > bulkMax
      ) {
        // Not a plain whole header: the slow path finds out whether it is short or wrong.
        this.#at = at;
        result = this.#readLength(DOLLAR) === NEED_MORE ? DecodeResult.needMore : DecodeResult.error;
        break;
      }
      const start = p + 2;
      const stop = start + length;
      if (stop + 2 > stopMax) {
        result = this.#fail("request is larger than client-query-buffer-limit");
        break;
      }
      if (stop + 2 > end) {
        result = DecodeResult.needMore;
        break;
      }
      if (bytes[stop] !== CR || bytes[stop + 1] !== LF) {
        result = this.#fail("invalid bulk length");
        break;
      }
      if (index >= view.starts.length) view.growTo(index);
      view.starts[index] = start;
      view.ends[index] = stop;
      index++;
      at = stop + 2;
    }
    this.#at = at;
    if (this.#searched < at) this.#searched = at;
    this.#known = index;
    if (result !== DecodeResult.request) return result;
    view.bytes = bytes;
    view.count = expected;
    view.rawStart = this.#from;
    view.rawEnd = at;
    this.#from = at;
    this.#expected = 0;
    return DecodeResult.request;
  }

  /** Reads `*n\r\n` or `$n\r\n` at the cursor. Moves the cursor only for `*`; for `$` it only tells short from wrong. */
  #readLength(kind: typeof STAR | typeof DOLLAR): number {
    const bytes = this.#bytes;
    const at = this.#at;
    const searchEnd = Math.min(this.#end, at + this.#limits.maxInlineBytes + 1);
    let p = Math.max(at, this.#searched);
    while (p < searchEnd && bytes[p] !== CR) p++;
    this.#searched = p;
    if (p >= searchEnd) {
      if (p - at > this.#limits.maxInlineBytes) {
        this.#fail(kind === STAR ? "too big mbulk count string" : "too big bulk count string");
        return FAILED;
      }
      return NEED_MORE;
    }
    if (p + 1 >= this.#end) return NEED_MORE;
    if (bytes[at] !== kind) {
      this.#fail(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`);
      return FAILED;
    }
    const length = readInteger(bytes, at + 1, p);
    if (kind === DOLLAR) {
      this.#fail("invalid bulk length");
      return FAILED;
    }
    if (Number.isNaN(length) || length > this.#limits.maxArguments || bytes[p + 1] !== LF) {
      this.#fail("invalid multibulk length");
      return FAILED;
    }
    this.#at = p + 2;
    this.#searched = this.#at;
    return length;
  }

  /** A DecodeResult, or −1 when an empty line was skipped. */
  #readInline(): number {
    const bytes = this.#bytes;
    const from = this.#from;
    const searchEnd = Math.min(this.#end, from + this.#limits.maxInlineBytes + 1);
    let p = Math.max(from, this.#searched);
    while (p < searchEnd && bytes[p] !== LF) p++;
    this.#searched = p;
    if (p >= searchEnd) {
      if (p - from > this.#limits.maxInlineBytes) return this.#fail("too big inline request");
      return DecodeResult.needMore;
    }
    const lineEnd = p > from && bytes[p - 1] === CR ? p - 1 : p;
    const found = splitInlineArguments(bytes, from, lineEnd);
    if (found === null) return this.#fail("unbalanced quotes in request");
    this.#from = p + 1;
    this.#at = p + 1;
    this.#searched = p + 1;
    if (found.length === 0) return -1;
    this.#encodeInline(found);
    return DecodeResult.request;
  }

  /** Brings an inline command into canonical RESP, in a buffer of its own. */
  #encodeInline(found: readonly number[][]): void {
    let size = 3 + digitCount(found.length);
    for (const each of found) size += 5 + digitCount(each.length) + each.length;
    const bytes = allocate(size);
    const view = this.#view;
    let at = writeHeader(bytes, 0, STAR, found.length);
    view.firstHeader = at;
    for (const [index, each] of found.entries()) {
      at = writeHeader(bytes, at, DOLLAR, each.length);
      view.growTo(index);
      view.starts[index] = at;
      bytes.set(each, at);
      at += each.length;
      view.ends[index] = at;
      bytes[at] = CR;
      bytes[at + 1] = LF;
      at += 2;
    }
    assert(at === size, "inline command: size was counted wrong");
    view.bytes = bytes;
    view.count = found.length;
    view.rawStart = 0;
    view.rawEnd = at;
  }

  /** Brings what is left to the front of the gathering buffer if needed, with room for `moreBytes`. */
  #gather(moreBytes: number): void {
    const kept = this.#end - this.#from;
    const gathering = this.#bytes === this.#own;
    if (gathering && this.#end + moreBytes <= this.#own.length) return;
    let target = this.#own;
    if (target.length < kept + moreBytes) {
      let capacity = Math.max(1024, target.length);
      while (capacity < kept + moreBytes) capacity *= 2;
      assert(capacity <= INT32_MAX, "request offsets fit 31 bits");
      target = allocate(capacity);
    }
    if (target === this.#bytes) target.copyWithin(0, this.#from, this.#end);
    else copyBytes(target, 0, this.#bytes, this.#from, this.#end);
    this.#own = target;
    this.#bytes = target;
    this.#end = kept;
    const distance = this.#from;
    this.#view.shift(this.#known, distance);
    this.#at -= distance;
    this.#searched -= distance;
    this.#from = 0;
  }

  #moveTo(offset: number): void {
    this.#from = offset;
    this.#at = offset;
    this.#searched = offset;
  }

  #fail(text: string): DecodeResult {
    this.errorText = `ERR Protocol error: ${text}`;
    return DecodeResult.error;
  }
}

const NEED_MORE = -0x7fffffff;
const FAILED = -0x7ffffffe;

function writeHeader(bytes: Uint8Array, offset: number, kind: number, value: number): number {
  bytes[offset] = kind;
  const at = writeDigits(bytes, offset + 1, value);
  bytes[at] = CR;
  bytes[at + 1] = LF;
  return at + 2;
}
