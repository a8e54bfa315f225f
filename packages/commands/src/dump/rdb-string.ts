/** Strings and lengths as Redis' RDB format has them (rdb-reader.ts reads them). */
import { readInteger, type ByteWriter } from "@headrace/bytes";

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

export function writeRdbLength(writer: ByteWriter, length: number): void {
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
