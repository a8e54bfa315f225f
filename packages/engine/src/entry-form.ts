/**
 * The wire form of one entry, `*2\r\n$<len>\r\n<id>\r\n*<n>\r\n<fields>`, and what Redis' listpack would take for the same fields. Knows
 * bytes only, nothing about streams. The fields are the client's own RESP bulk strings and are never decoded.
 */
import { asciiBytes, copyBytes, copyOf, digitCount, writeDigits, writeLatin1 } from "@headrace/bytes";
import { stringListpackBytes } from "./listpack-size.ts";
import type { StreamId } from "./stream-id.ts";

/** Room for everything in front of the fields: two 20-digit numbers, counts and separators. */
export const ENTRY_HEAD_BYTES_MAX = 80;

const CR = 13;
const LF = 10;
const DASH = 45;

/** Writes the entry's head at `at`, which must have ENTRY_HEAD_BYTES_MAX of room; returns the offset behind it. */
export function writeEntryHead(bytes: Uint8Array, at: number, id: StreamId, elementCount: number): number {
  bytes[at] = 42;
  bytes[at + 1] = 50;
  bytes[at + 2] = CR;
  bytes[at + 3] = LF;
  bytes[at + 4] = 36;
  at += 5;
  if (id.msHi < 0x20_0000 && id.seqHi < 0x20_0000) {
    const ms = id.msHi * 0x1_0000_0000 + id.msLo;
    const seq = id.seqHi * 0x1_0000_0000 + id.seqLo;
    at = writeDigits(bytes, at, digitCount(ms) + 1 + digitCount(seq));
    bytes[at] = CR;
    bytes[at + 1] = LF;
    at = writeDigits(bytes, at + 2, ms);
    bytes[at] = DASH;
    at = writeDigits(bytes, at + 1, seq);
  } else {
    const text = id.toString();
    at = writeDigits(bytes, at, text.length);
    bytes[at] = CR;
    bytes[at + 1] = LF;
    at = writeLatin1(bytes, at + 2, text);
  }
  bytes[at] = CR;
  bytes[at + 1] = LF;
  bytes[at + 2] = 42;
  at = writeDigits(bytes, at + 3, elementCount);
  bytes[at] = CR;
  bytes[at + 1] = LF;
  return at + 2;
}

/** Writes a whole entry; `bytes` must have the room. Returns the offset behind it. */
export function writeEntry(
  bytes: Uint8Array,
  at: number,
  id: StreamId,
  elementCount: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  return copyBytes(bytes, writeEntryHead(bytes, at, id, elementCount), source, start, end);
}

/** Offset of the fields of the stored entry at `start`, and its element count: how a new leader learns the fill of a tail node. */
export function fieldsOffset(
  bytes: Uint8Array,
  start: number,
): { readonly offset: number; readonly elementCount: number } {
  let at = start + 5;
  let idBytes = 0;
  for (; bytes[at] !== CR; at++) idBytes = idBytes * 10 + (bytes[at]! - 48);
  at += 2 + idBytes + 2 + 1;
  let elementCount = 0;
  for (; bytes[at] !== CR; at++) elementCount = elementCount * 10 + (bytes[at]! - 48);
  return { offset: at + 2, elementCount };
}

const head = new Uint8Array(ENTRY_HEAD_BYTES_MAX);
const NO_END = -1;

/** Whether bytes[start, end) are exactly the wire form of an entry with this id: for bytes that nobody vouches for. */
export function isEntryForm(bytes: Uint8Array, start: number, end: number, id: StreamId): boolean {
  // Up to the count of elements every entry with this id begins alike; the `0` that is written for the count is not compared.
  const fixed = writeEntryHead(head, 0, id, 0) - 3;
  if (end - start < fixed) return false;
  for (let i = 0; i < fixed; i++) if (bytes[start + i] !== head[i]) return false;
  let at = behindCount(bytes, start + fixed, end);
  if (at === NO_END || countRead < 2 || countRead % 2 !== 0) return false;
  for (let left = countRead; left > 0; left--) {
    if (bytes[at] !== 36) return false;
    at = behindCount(bytes, at + 1, end);
    if (at === NO_END || at + countRead + 2 > end) return false;
    at += countRead + 2;
    if (bytes[at - 2] !== CR || bytes[at - 1] !== LF) return false;
  }
  return at === end;
}

let countRead = 0;

/** Reads digits and CR LF into `countRead`; answers the offset behind them, or NO_END. */
function behindCount(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let count = 0;
  for (; at < end && at - start < 10; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) break;
    count = count * 10 + digit;
  }
  countRead = count;
  const isNumber = at > start && (bytes[start] !== 48 || at === start + 1);
  return isNumber && at + 2 <= end && bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : NO_END;
}

/** Adds up what Redis would store for an entry's fields: one object for all streams, filled again for each entry. */
export class FieldMeasure {
  /** Names and values as raw strings: what streamAppendItem adds to the listpack's size before comparing. */
  rawBytes: number;
  nameListpackBytes: number;
  valueListpackBytes: number;
  /** The names are those of the entry measured against, in the same order. */
  sameNames: boolean;

  constructor() {
    this.rawBytes = 0;
    this.nameListpackBytes = 0;
    this.valueListpackBytes = 0;
    this.sameNames = false;
  }

  /**
   * Measures the fields in source[start, …). `master` holds the fields of an entry with as many elements at `masterAt`, whose names are
   * compared; null: none.
   */
  measure(source: Uint8Array, start: number, elementCount: number, master: Uint8Array | null, masterAt: number): void {
    let at = start;
    let raw = 0;
    let names = 0;
    let values = 0;
    let same = master !== null;
    for (let element = 0; element < elementCount; element++) {
      const header = at++;
      let length = 0;
      for (let byte = source[at]!; byte !== CR; byte = source[++at]!) length = length * 10 + (byte - 48);
      at += 2;
      raw += length;
      const stored = stringListpackBytes(source, at, length);
      at += length + 2;
      if ((element & 1) === 1) {
        values += stored;
        if (same && element + 1 < elementCount) masterAt = behindBulk(master!, masterAt);
        continue;
      }
      names += stored;
      // Whole bulk strings: equal names have equal headers.
      for (let i = header; same && i < at; i++, masterAt++) if (source[i] !== master![masterAt]) same = false;
    }
    this.rawBytes = raw;
    this.nameListpackBytes = names;
    this.valueListpackBytes = values;
    this.sameNames = same;
  }
}

const EMPTY_VALUE = asciiBytes("$0\r\n\r\n");
const FIELD_NAMES_BYTES_MAX = 1024;
const names = new Uint8Array(FIELD_NAMES_BYTES_MAX);

/** A copy of the fields that begin at `start` with empty values, for who compares names; null: they are longer than a kilobyte. */
export function fieldNames(bytes: Uint8Array, start: number, elementCount: number): Uint8Array | null {
  let length = 0;
  let at = start;
  for (let left = elementCount; left > 0; left -= 2) {
    const end = behindBulk(bytes, at);
    if (length + (end - at) + EMPTY_VALUE.length > FIELD_NAMES_BYTES_MAX) return null;
    length = copyBytes(names, length, bytes, at, end);
    length = copyBytes(names, length, EMPTY_VALUE, 0, EMPTY_VALUE.length);
    at = behindBulk(bytes, end);
  }
  return copyOf(names, 0, length);
}

function behindBulk(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  let length = 0;
  for (let byte = bytes[at]!; byte !== CR; byte = bytes[++at]!) length = length * 10 + (byte - 48);
  return at + 2 + length + 2;
}
