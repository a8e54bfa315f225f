/**
 * Reading arguments in place: stream ids by Redis' rules without strings or BigInt, and counts that Redis holds in 64 bits.
 *
 *   id      = ms [ "-" seq ]            strict places
 *   range   = "-" | "+" | [ "(" ] id    intervals; `(` excludes
 *   XADD id = "*" | ms "-*" | id
 */
import { latin1 } from "@headrace/bytes";
import { deliveryCountOf, MAX_ID, MIN_ID, StreamId } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Errors } from "./errors.ts";

const MINUS = 45;
const PLUS = 43;
const STAR = 42;
const OPEN = 40;
const ZERO = 48;
/** Redis copies an id into a buffer of 128 bytes, with its end mark. */
const ID_BYTES_MAX = 127;
/** That many digits are exact in a double. */
const SAFE_DIGITS = 15;
const TWO_32 = 0x1_0000_0000;
const LOW_32 = 0xffff_ffffn;
const UNSIGNED_64_MAX = 2n ** 64n - 1n;

/** The last number read by `readUnsigned64`. */
let high = 0;
let low = 0;

/** Unsigned 64-bit decimal in bytes[start, end) into `high` and `low`; leading zeros are allowed, as strtoull allows them. */
function readUnsigned64(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  let at = start;
  if (bytes[at] === PLUS && end - at > 1) at++;
  let lowPart = 0;
  if (end - at <= SAFE_DIGITS) {
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return false;
      lowPart = lowPart * 10 + digit;
    }
    high = Math.floor(lowPart / TWO_32);
    low = lowPart - high * TWO_32;
    return true;
  }
  let highPart = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return false;
    lowPart = lowPart * 10 + digit;
    const carry = Math.floor(lowPart / TWO_32);
    lowPart -= carry * TWO_32;
    highPart = highPart * 10 + carry;
    if (highPart >= TWO_32) return false;
  }
  high = highPart;
  low = lowPart;
  return true;
}

function findMinus(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (bytes[at] === MINUS) return at;
  }
  return end;
}

function parseId(bytes: Uint8Array, start: number, end: number, missingSeqIsMax: boolean): StreamId | null {
  if (end - start > ID_BYTES_MAX) return null;
  const minus = findMinus(bytes, start, end);
  if (!readUnsigned64(bytes, start, minus)) return parseOddId(latin1(bytes, start, end), missingSeqIsMax);
  const msHi = high;
  const msLo = low;
  if (minus === end) {
    const seq = missingSeqIsMax ? 0xffffffff : 0;
    return new StreamId(msHi, msLo, seq, seq);
  }
  if (!readUnsigned64(bytes, minus + 1, end)) return parseOddId(latin1(bytes, start, end), missingSeqIsMax);
  return new StreamId(msHi, msLo, high, low);
}

/** What Redis' string2ull makes of words that are no plain numbers: C's strtoull skips blanks, knows signs, and a string ends at its first NUL. */
function parseOddId(text: string, missingSeqIsMax: boolean): StreamId | null {
  const nul = text.indexOf("\0");
  const word = nul < 0 ? text : text.slice(0, nul);
  const minus = word.indexOf("-");
  const ms = oddUnsigned64(minus < 0 ? word : word.slice(0, minus));
  let seq: bigint | null = missingSeqIsMax ? UNSIGNED_64_MAX : 0n;
  if (minus >= 0) seq = oddUnsigned64(word.slice(minus + 1));
  if (ms === null || seq === null) return null;
  return new StreamId(Number(ms >> 32n), Number(ms & LOW_32), Number(seq >> 32n), Number(seq & LOW_32));
}

function oddUnsigned64(word: string): bigint | null {
  // A plain negative number is one, and out of range; others are folded into 64 bits.
  if (/^-[1-9]\d*$/.test(word) && BigInt(word) >= -(2n ** 63n)) return null;
  const [, sign, digits] = /^[ \t\n\v\f\r]*([+-]?)(\d+)$/.exec(word) ?? [];
  if (digits === undefined) return null;
  const value = BigInt(digits);
  if (value > UNSIGNED_64_MAX) return null;
  return sign === "-" ? BigInt.asUintN(64, -value) : value;
}

/** An id where `-` and `+` are not allowed; a bare ms means seq 0. Null: invalid. */
export function readStrictId(request: Request, i: number): StreamId | null {
  return strictIdIn(request.bytes, request.start(i), request.end(i));
}

/** The same in other bytes than a request's. */
export function strictIdIn(bytes: Uint8Array, start: number, end: number): StreamId | null {
  return parseId(bytes, start, end, false);
}

/** An id where `-` and `+` are allowed (XGROUP SETID). */
export function readLooseId(request: Request, i: number): StreamId | null {
  const start = request.start(i);
  if (request.end(i) - start === 1) {
    if (request.bytes[start] === MINUS) return MIN_ID;
    if (request.bytes[start] === PLUS) return MAX_ID;
  }
  return readStrictId(request, i);
}

export const AddIdForm = { invalid: 0, auto: 1, autoSeq: 2, explicit: 3 } as const;
export type AddIdForm = (typeof AddIdForm)[keyof typeof AddIdForm];

/** The id read by `readAddId`; for `ms-*` its seq is 0. */
export let addId: StreamId = MIN_ID;

export function readAddId(request: Request, i: number): AddIdForm {
  const bytes = request.bytes;
  const start = request.start(i);
  const end = request.end(i);
  if (end - start === 1 && bytes[start] === STAR) return AddIdForm.auto;
  const autoSeq = end - start >= 3 && bytes[end - 1] === STAR && bytes[end - 2] === MINUS;
  const id = parseId(bytes, start, autoSeq ? end - 2 : end, false);
  if (id === null || (autoSeq && findMinus(bytes, start, end) !== end - 2)) return AddIdForm.invalid;
  addId = id;
  return autoSeq ? AddIdForm.autoSeq : AddIdForm.explicit;
}

/** The lower bound of an interval, or the error text. */
export function readRangeStart(request: Request, i: number): StreamId | string {
  const bound = readBound(request, i, false);
  if (bound === null) return Errors.invalidStreamId;
  if (!isExclusive(request, i)) return bound;
  return bound.next() ?? Errors.invalidStart;
}

/** The upper bound of an interval, or the error text. */
export function readRangeEnd(request: Request, i: number): StreamId | string {
  const bound = readBound(request, i, true);
  if (bound === null) return Errors.invalidStreamId;
  if (!isExclusive(request, i)) return bound;
  return bound.previous() ?? Errors.invalidEnd;
}

function isExclusive(request: Request, i: number): boolean {
  const start = request.start(i);
  return request.end(i) - start > 1 && request.bytes[start] === OPEN;
}

function readBound(request: Request, i: number, missingSeqIsMax: boolean): StreamId | null {
  const start = request.start(i);
  const end = request.end(i);
  if (end - start === 1) {
    if (request.bytes[start] === MINUS) return MIN_ID;
    if (request.bytes[start] === PLUS) return MAX_ID;
  }
  return parseId(request.bytes, isExclusive(request, i) ? start + 1 : start, end, missingSeqIsMax);
}

/** Ids of arguments [from, to), or null when one of them is invalid: all or nothing. */
export function readStrictIds(request: Request, from: number, to: number): StreamId[] | null {
  const ids: StreamId[] = [];
  for (let i = from; i < to; i++) {
    const id = readStrictId(request, i);
    if (id === null) return null;
    ids.push(id);
  }
  return ids;
}

/**
 * A signed 64-bit integer as a double; NaN when it is none. Beyond 2^53 it is rounded, which no count, time or limit of ours can notice.
 */
export function readLong(request: Request, i: number): number {
  const exact = request.integer(i);
  if (!Number.isNaN(exact)) return exact;
  const wide = request.int64(i);
  return wide === null ? Number.NaN : Number(wide);
}

/** A delivery count as a pending entry keeps it; NaN when it is no signed 64-bit integer, negative as it is. */
export function readDeliveryCount(request: Request, i: number): number {
  const shown = request.int64(i);
  if (shown === null) return Number.NaN;
  return shown < 0n ? Number(shown) : deliveryCountOf(shown);
}

/** Whether argument i is exactly this one byte. */
export function isByte(request: Request, i: number, byte: number): boolean {
  const start = request.start(i);
  return request.end(i) - start === 1 && request.bytes[start] === byte;
}
