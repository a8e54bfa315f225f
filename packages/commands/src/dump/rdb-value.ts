/**
 * Values that are no streams in Redis' RDB format, both ways: into images of ours for RESTORE, and for DUMP as a Redis 7.0 takes it. A type that is not here
 * is refused as bad data, as a Redis refuses what it does not know.
 *
 *   type 0 string   string (rdb-reader.ts); written as an integer of 8, 16 or 32 bits where it is one, else as it is                         (rdb.c)
 */
import { assert, readInteger, type ByteWriter } from "@headrace/bytes";
import { beginImage, STRING_KIND } from "@headrace/engine";
import type { StringView, ValueView } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import type { RdbReader } from "./rdb-reader.ts";

const Type = { string: 0 } as const;

export function isValueType(type: number): boolean {
  return type === Type.string;
}

/** Writes the image. Throws BadDumpError. */
export function readRdbValue(type: number, reader: RdbReader, image: ByteWriter): void {
  assert(type === Type.string, "a type that is read");
  const { bytes, start, end } = reader.string();
  beginImage(image, STRING_KIND);
  image.raw(bytes, start, end);
  if (!reader.isAtEnd) throw new BadDumpError("more than a string");
}

/** Type and object. */
export function writeRdbValue(writer: ByteWriter, value: ValueView): void {
  const { bytes, length } = value as StringView;
  writer.u8(Type.string);
  writeRdbString(writer, bytes, 0, length);
}

/** rdbSaveRawString, but never packed. */
export function writeRdbString(writer: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  const length = end - start;
  if (length <= 11) {
    const value = readInteger(bytes, start, end);
    if (writeRdbInteger(writer, value)) return;
  }
  writeRdbLength(writer, length);
  writer.raw(bytes, start, end);
}

/** False: it is none of 32 bits. */
function writeRdbInteger(writer: ByteWriter, value: number): boolean {
  if (value >= -128 && value <= 127) {
    writer.u8(0xc0);
    writer.u8(value & 0xff);
  } else if (value >= -32_768 && value <= 32_767) {
    writer.u8(0xc1);
    writer.u16(value & 0xffff);
  } else if (value >= -2_147_483_648 && value <= 2_147_483_647) {
    writer.u8(0xc2);
    writer.u32(value >>> 0);
  } else {
    return false;
  }
  return true;
}

function writeRdbLength(writer: ByteWriter, length: number): void {
  if (length < 0x40) {
    writer.u8(length);
  } else if (length < 0x4000) {
    writer.u8(0x40 | (length >>> 8));
    writer.u8(length & 0xff);
  } else {
    writer.u8(0x80);
    for (const shift of [24, 16, 8, 0]) writer.u8((length >>> shift) & 0xff);
  }
}
