/**
 * What LevelDB holds. Four kinds of rows, told apart by the first byte of the key; all numbers big-endian:
 *
 *   00 key                  → 00 value                                          a small value, in place
 *   00 key                  → 01 file u32 · offset u48 · length u32 · crc u32   a large one: its place in a value file, CRC-32 of its bytes
 *   00 key                  → 02 (the same) · value length u32                  the same, compressed: what is there is one zstd frame
 *   01 file u32 · offset u48 → { length u32 · key length u32 · key } …          whose values lie there, one behind the other from `offset`
 *   02 file u32             → used u48 · live u48 · settled u8                  how far a file is filled, how much of it is pointed at, and
 *                                                                               whether there is nothing left in it to try to compress
 *   03                      → version u8                                        the format of all this
 *
 * Lengths and checksums are of what lies in the file; only `value length` is of what a reader gets.
 *
 * The rows 01 say where values *were* put: they are written with the pointers and go with their file. Whether a value is live only its pointer says.
 */
import { Buffer } from "node:buffer";
import type { Failure } from "@headrace/ports";

/** Where a large value is. */
export interface ValuePointer {
  readonly file: number;
  readonly offset: number;
  /** In the file. */
  readonly length: number;
  /** Of what is in the file. */
  readonly crc: number;
  readonly isCompressed: boolean;
  /** What a reader gets; as `length` unless it is compressed. */
  readonly valueBytes: number;
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
  readonly isSettled: boolean;
}

export const FORMAT_VERSION = 2;
export const FORMAT_KEY: Uint8Array = Uint8Array.of(3);

const POINTER_BYTES = 19;
const COMPRESSED_POINTER_BYTES = POINTER_BYTES + 4;
const COUNTS_BYTES = 13;

const ROW = 0;
const PLACES = 1;
const COUNTS = 2;
const INLINE = 0;
const POINTER = 1;
const COMPRESSED_POINTER = 2;

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

/** `valueBytes` is 0 for a value that lies there as it is. */
export function pointerRow(file: number, offset: number, length: number, crc: number, valueBytes: number): Uint8Array {
  const row = Buffer.allocUnsafe(valueBytes === 0 ? POINTER_BYTES : COMPRESSED_POINTER_BYTES);
  row[0] = valueBytes === 0 ? POINTER : COMPRESSED_POINTER;
  row.writeUInt32BE(file, 1);
  row.writeUIntBE(offset, 5, 6);
  row.writeUInt32BE(length, 11);
  row.writeUInt32BE(crc, 15);
  if (valueBytes > 0) row.writeUInt32BE(valueBytes, POINTER_BYTES);
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
  const isCompressed = row[0] === COMPRESSED_POINTER;
  if (!isCompressed && row[0] !== POINTER) return null;
  if (row.length !== (isCompressed ? COMPRESSED_POINTER_BYTES : POINTER_BYTES)) return null;
  const view = bufferOf(row);
  const length = view.readUInt32BE(11);
  return {
    file: view.readUInt32BE(1),
    offset: view.readUIntBE(5, 6),
    length,
    crc: view.readUInt32BE(15),
    isCompressed,
    valueBytes: isCompressed ? view.readUInt32BE(POINTER_BYTES) : length,
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
  lengths: readonly number[],
  from: number,
  to: number,
): Uint8Array {
  let length = 0;
  for (let i = from; i < to; i++) length += 8 + keys[i]!.length;
  const row = Buffer.allocUnsafe(length);
  let at = 0;
  for (let i = from; i < to; i++) {
    at = row.writeUInt32BE(lengths[i]!, at);
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

export function countsRow({ usedBytes, liveBytes, isSettled }: FileCounts): Uint8Array {
  const row = Buffer.allocUnsafe(COUNTS_BYTES);
  row.writeUIntBE(usedBytes, 0, 6);
  row.writeUIntBE(liveBytes, 6, 6);
  row[12] = isSettled ? 1 : 0;
  return row;
}

/** Throws DamagedIndex. */
export function decodeCounts(key: Uint8Array, row: Uint8Array): FileCounts {
  if (key.length !== 5 || row.length !== COUNTS_BYTES)
    throw new DamagedIndex("a value file's counts have another length");
  const view = bufferOf(row);
  return {
    file: bufferOf(key).readUInt32BE(1),
    usedBytes: view.readUIntBE(0, 6),
    liveBytes: view.readUIntBE(6, 6),
    isSettled: view[12] === 1,
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
