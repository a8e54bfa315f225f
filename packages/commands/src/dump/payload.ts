/**
 * What DUMP hands out and RESTORE takes.
 *
 *   ours    u8 'H' · stream image (engine/stream-image.ts, its version first) · u16 FORMAT · CRC-64
 *   Redis'  u8 type · object · u16 RDB version · CRC-64                                     (cluster.c: createDumpPayload, verifyDumpPayload)
 *
 * The footer is Redis' in both, little-endian; the sum is over everything in front of it, 0 says that there is none (Redis ≥ 8). Our format number is
 * above every RDB version, so that a Redis says what is wrong. Payloads come from anybody: nothing in them is believed.
 */
import { ByteWriter, crc64 } from "@headrace/bytes";
import { readForeignImage, StreamImageWriter } from "@headrace/engine";
import type { StreamView, ValueView } from "@headrace/engine";
import { Errors } from "../errors.ts";
import { BadDumpError } from "./bad-dump.ts";
import { RdbReader } from "./rdb-reader.ts";
import { isStreamType, readRdbStream } from "./rdb-stream.ts";
import { isValueType, readRdbValue, writeRdbValue } from "./rdb-value.ts";

const OWN_TYPE = 0x48;
const OWN_FORMAT = 0x4801;
/** Above all of Redis 8. A payload of a later version is taken as long as its stream has a form that we know. */
const RDB_VERSION_MAX = 99;
const SUM_BYTES = 8;
/** Redis 7.0's. */
const RDB_VERSION = 10;
/** Type, length and footer. */
const RDB_FRAME_BYTES = 32;
const FOOTER_BYTES = 2 + SUM_BYTES;

/** The payload of a stream; null: larger than `imageBytesMax`. */
export function dumpOfStream(stream: StreamView, imageBytesMax: number): Uint8Array | null {
  const image = stream.image(imageBytesMax);
  return image === null ? null : dumpOf(image);
}

/** The payload of a value that is no stream, as Redis 7.0 writes it; null: larger than `imageBytesMax`. */
export function dumpOfValue(value: ValueView, imageBytesMax: number): Uint8Array | null {
  if (value.imageBytesMax > imageBytesMax) return null;
  const writer = new ByteWriter(value.imageBytesMax + RDB_FRAME_BYTES);
  writeRdbValue(writer, value);
  writer.u16(RDB_VERSION);
  writer.all(crc64(writer.bytes, 0, writer.length));
  return writer.take(0);
}

function dumpOf(image: Uint8Array): Uint8Array {
  const payload = new Uint8Array(1 + image.length + FOOTER_BYTES);
  payload[0] = OWN_TYPE;
  payload.set(image, 1);
  const footer = 1 + image.length;
  payload[footer] = OWN_FORMAT & 0xff;
  payload[footer + 1] = OWN_FORMAT >>> 8;
  payload.set(crc64(payload, 0, footer + 2), footer + 2);
  return payload;
}

/** What a payload holds: an image of a stream, or of another value. */
export interface ReadDump {
  readonly isStream: boolean;
  readonly image: Uint8Array;
}

/** The image in a payload, of at most `imageBytesMax`; or the error text. */
export function readDump(bytes: Uint8Array, start: number, end: number, imageBytesMax: number): ReadDump | string {
  if (!hasGoodFooter(bytes, start, end)) return Errors.badDumpFooter;
  const footer = end - FOOTER_BYTES;
  const version = bytes[footer]! | (bytes[footer + 1]! << 8);
  const type = footer > start ? bytes[start]! : -1;
  if (version !== OWN_FORMAT && isValueType(type)) {
    return valueOf(type, new RdbReader(bytes, start + 1, footer, imageBytesMax), imageBytesMax);
  }
  const image = new StreamImageWriter(imageBytesMax);
  let isGood: boolean;
  if (version === OWN_FORMAT) isGood = type === OWN_TYPE && readForeignImage(bytes, start + 1, footer, image);
  else isGood = isStreamType(type) && readsAsRdb(type, new RdbReader(bytes, start + 1, footer, imageBytesMax), image);
  if (image.isTooLarge) return Errors.tooLargeForEntry;
  return isGood ? { isStream: true, image: image.finish() } : Errors.badDump;
}

function valueOf(type: number, reader: RdbReader, imageBytesMax: number): ReadDump | string {
  const writer = new ByteWriter(256);
  try {
    readRdbValue(type, reader, writer);
  } catch (error) {
    if (error instanceof BadDumpError) return Errors.badDump;
    throw error;
  }
  if (writer.length > imageBytesMax) return Errors.tooLargeForEntry;
  return { isStream: false, image: writer.take(0) };
}

/** Bytes of a payload behind what it holds. */
export const DUMP_FOOTER_BYTES = FOOTER_BYTES;

/** Whether version and sum at the end of a payload are some that we take. */
export function hasGoodFooter(bytes: Uint8Array, start: number, end: number): boolean {
  const footer = end - FOOTER_BYTES;
  if (footer < start) return false;
  const version = bytes[footer]! | (bytes[footer + 1]! << 8);
  if (version > RDB_VERSION_MAX && version !== OWN_FORMAT) return false;
  return isSumRight(bytes, start, footer + 2);
}

function isSumRight(bytes: Uint8Array, start: number, end: number): boolean {
  let isStated = false;
  for (let i = 0; i < SUM_BYTES; i++) if (bytes[end + i] !== 0) isStated = true;
  if (!isStated) return true;
  const sum = crc64(bytes, start, end);
  for (let i = 0; i < SUM_BYTES; i++) if (bytes[end + i] !== sum[i]) return false;
  return true;
}

function readsAsRdb(type: number, reader: RdbReader, image: StreamImageWriter): boolean {
  try {
    readRdbStream(type, reader, image);
    return true;
  } catch (error) {
    if (error instanceof BadDumpError) return false;
    throw error;
  }
}
