/**
 * A field and its value as bytes, the same on the wire, in effects, in memory and in rows: two bulk strings of RESP, one behind the other. So HSET's arguments
 * are records as they come, and a stretch of records is what HGETALL answers.
 *
 *   record   $ length of the field \r\n field \r\n $ length of the value \r\n value \r\n
 */
import type { ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { FieldValue } from "./hash-api.ts";

const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;
const DOLLAR = 36;
const LINE_END_BYTES = 2;

/** Of the record that was read last: field, value, and where the record ends. */
export let fieldStart = 0;
export let fieldEnd = 0;
export let valueStart = 0;
export let valueEnd = 0;
export let recordEnd = 0;

/** Where the bytes of a bulk string begin, and how many they are. */
let bulkStart = 0;
let bulkLength = 0;

function readBulk(bytes: Uint8Array, at: number): void {
  let length = bytes[at + 1]! - ZERO;
  let i = at + 2;
  for (let byte = bytes[i]!; byte !== CR; byte = bytes[++i]!) length = length * 10 + byte - ZERO;
  bulkStart = i + LINE_END_BYTES;
  bulkLength = length;
}

/** `at`: where a whole record begins. */
export function readFieldAt(bytes: Uint8Array, at: number): void {
  readBulk(bytes, at);
  fieldStart = bulkStart;
  fieldEnd = bulkStart + bulkLength;
  readBulk(bytes, fieldEnd + LINE_END_BYTES);
  valueStart = bulkStart;
  valueEnd = bulkStart + bulkLength;
  recordEnd = valueEnd + LINE_END_BYTES;
}

/** Where the record of field source[start, end) begins in bytes[0, used), −1: there is none. It has been read then. */
export function findField(bytes: Uint8Array, used: number, source: Uint8Array, start: number, end: number): number {
  const length = end - start;
  for (let at = 0; at < used; at = recordEnd) {
    readFieldAt(bytes, at);
    if (fieldEnd - fieldStart !== length) continue;
    let i = length - 1;
    // From behind: what fields have in common mostly stands in front.
    while (i >= 0 && bytes[fieldStart + i] === source[start + i]) i--;
    if (i < 0) return at;
  }
  return -1;
}

export function writeFieldRecord(writer: ByteWriter, field: FieldValue, value: FieldValue): void {
  writeBulk(writer, field.bytes, field.start, field.end);
  writeBulk(writer, value.bytes, value.start, value.end);
}

function writeBulk(writer: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  writer.u8(DOLLAR);
  writer.digits(end - start);
  writer.u8(CR);
  writer.u8(LF);
  writer.raw(bytes, start, end);
  writer.u8(CR);
  writer.u8(LF);
}

/** How many records bytes[start, end) are. Throws DamagedRowError. */
export function countFieldRecords(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at = recordEnd, count++) {
    checkBulk(bytes, at, end);
    checkBulk(bytes, bulkStart + bulkLength + LINE_END_BYTES, end);
    readFieldAt(bytes, at);
  }
  return count;
}

/** A bulk string that begins at `at` ends at `end` or before, and its length is written as Redis would. */
function checkBulk(bytes: Uint8Array, at: number, end: number): void {
  let i = at + 1;
  while (i < end && bytes[i]! >= ZERO && bytes[i]! <= NINE) i++;
  const isHead = bytes[at] === DOLLAR && i > at + 1 && i + 1 < end && bytes[i] === CR && bytes[i + 1] === LF;
  if (!isHead || (bytes[at + 1] === ZERO && i > at + 2)) throw new DamagedRowError("a field is cut off");
  readBulk(bytes, at);
  const behind = bulkStart + bulkLength;
  if (!(behind + LINE_END_BYTES <= end) || bytes[behind] !== CR || bytes[behind + 1] !== LF)
    throw new DamagedRowError("a field is cut off");
}
