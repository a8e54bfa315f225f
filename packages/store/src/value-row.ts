/**
 * What LevelDB holds. Four kinds of rows, told apart by the first byte of the key; all numbers big-endian:
 *
 *   00 key                  → 00 value                                          a small value, in place
 *   00 key                  → 01 file u32 · offset u48 · length u32 · crc u32   a large one: its place in a value file, CRC-32 of its bytes
 *   01 file u32 · offset u48 → { length u32 · key length u32 · key } …          whose values lie there, one behind the other from `offset`
 *   02 file u32             → used u48 · live u48                               how far a file is filled, and how much of it is pointed at
 *   03                      → version u8                                        the format of all this
 *
 * The rows 01 say where values *were* put: they are written with the pointers and go with their file. Whether a value is live only its pointer says.
 */
import { Buffer } from "node:buffer";
import type { Failure } from "@headrace/ports";

/** Where a large value is. */
export interface ValuePointer {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

/** A value where it was put once. */
export interface PlacedValue {
  readonly offset: number;
  readonly length: number;
  /** Of LevelDB, with its kind. */
  readonly rowKey: Uint8Array;
}

export interface FileCounts {
  readonly file: number;
  readonly usedBytes: number;
  readonly liveBytes: number;
}

export const FORMAT_VERSION = 1;
export const FORMAT_KEY: Uint8Array = Uint8Array.of(3);
export const POINTER_BYTES = 19;

const ROW = 0;
const PLACES = 1;
const COUNTS = 2;
const INLINE = 0;
const POINTER = 1;

/** What LevelDB gave back is nothing that this format has. */
export class DamagedIndex extends Error {
  readonly reason: Failure["reason"] = "corrupt";
}

export function rowKey(key: Uint8Array): Uint8Array {
  return tagged(ROW, key);
}

/** A view of it. */
export function keyOfRow(row: Uint8Array): Uint8Array {
  return row.subarray(1);
}

export function inlineRow(value: Uint8Array): Uint8Array {
  return tagged(INLINE, value);
}

export function pointerRow(file: number, offset: number, length: number, crc: number): Uint8Array {
  const row = Buffer.allocUnsafe(POINTER_BYTES);
  row[0] = POINTER;
  row.writeUInt32BE(file, 1);
  row.writeUIntBE(offset, 5, 6);
  row.writeUInt32BE(length, 11);
  row.writeUInt32BE(crc, 15);
  return row;
}

/** The value itself, a view of `row`, or where it is. Throws DamagedIndex. */
export function decodeRow(row: Uint8Array): Uint8Array | ValuePointer {
  if (row[0] === INLINE) return row.subarray(1);
  const pointer = pointerOf(row);
  if (pointer === null) throw new DamagedIndex(`a row of ${row.length} bytes that begins with ${row[0]}`);
  return pointer;
}

/** Null for a value in place. */
export function pointerOf(row: Uint8Array): ValuePointer | null {
  if (row[0] !== POINTER || row.length !== POINTER_BYTES) return null;
  const view = bufferOf(row);
  return {
    file: view.readUInt32BE(1),
    offset: view.readUIntBE(5, 6),
    length: view.readUInt32BE(11),
    crc: view.readUInt32BE(15),
  };
}

/** Also the lower bound of a file's places, with offset 0. */
export function placesKey(file: number, offset: number): Uint8Array {
  const key = Buffer.allocUnsafe(11);
  key[0] = PLACES;
  key.writeUInt32BE(file, 1);
  key.writeUIntBE(offset, 5, 6);
  return key;
}

/** Behind the last place of the file. */
export function placesEnd(file: number): Uint8Array {
  const end = Buffer.alloc(12, 0xff);
  end[0] = PLACES;
  end.writeUInt32BE(file, 1);
  return end;
}

/** Of the values from `from` to below `to`. */
export function placesRow(
  keys: readonly Uint8Array[],
  values: readonly Uint8Array[],
  from: number,
  to: number,
): Uint8Array {
  let length = 0;
  for (let i = from; i < to; i++) length += 8 + keys[i]!.length;
  const row = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = from; i < to; i++) {
    at = row.writeUInt32BE(values[i]!.length, at);
    at = row.writeUInt32BE(keys[i]!.length, at);
    row.set(keys[i]!, at);
    at += keys[i]!.length;
  }
  return row;
}

/** Throws DamagedIndex. */
export function decodePlaces(key: Uint8Array, row: Uint8Array): readonly PlacedValue[] {
  const view = bufferOf(row);
  const places: PlacedValue[] = [];
  let offset = bufferOf(key).readUIntBE(5, 6);
  for (let at = 0; at < row.length;) {
    const length = at + 8 <= row.length ? view.readUInt32BE(at) : 0;
    const end = length === 0 ? Infinity : at + 8 + view.readUInt32BE(at + 4);
    if (end > row.length) throw new DamagedIndex(`a row of places with ${row.length} bytes ends inside a place`);
    places.push({ offset, length, rowKey: view.subarray(at + 8, end) });
    offset += length;
    at = end;
  }
  return places;
}

export function countsKey(file: number): Uint8Array {
  const key = Buffer.allocUnsafe(5);
  key[0] = COUNTS;
  key.writeUInt32BE(file, 1);
  return key;
}

export const COUNTS_FROM: Uint8Array = Uint8Array.of(COUNTS);
export const COUNTS_TO: Uint8Array = Uint8Array.of(COUNTS + 1);

export function countsRow(usedBytes: number, liveBytes: number): Uint8Array {
  const row = Buffer.allocUnsafe(12);
  row.writeUIntBE(usedBytes, 0, 6);
  row.writeUIntBE(liveBytes, 6, 6);
  return row;
}

/** Throws DamagedIndex. */
export function decodeCounts(key: Uint8Array, row: Uint8Array): FileCounts {
  if (key.length !== 5 || row.length !== 12) throw new DamagedIndex("a value file's counts have another length");
  const view = bufferOf(row);
  return {
    file: bufferOf(key).readUInt32BE(1),
    usedBytes: view.readUIntBE(0, 6),
    liveBytes: view.readUIntBE(6, 6),
  };
}

function tagged(tag: number, bytes: Uint8Array): Uint8Array {
  const row = Buffer.allocUnsafe(1 + bytes.length);
  row[0] = tag;
  row.set(bytes, 1);
  return row;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
