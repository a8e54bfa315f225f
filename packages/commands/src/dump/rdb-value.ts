/**
 * Values that are no streams in Redis' RDB format, both ways: into images of ours for RESTORE, and for DUMP as a Redis 7.0 takes it. A type that is not here
 * is refused as bad data, as a Redis refuses what it does not know.
 *
 *   type 0 string   string (rdb-reader.ts); written as an integer of 8, 16 or 32 bits where it is one, else as it is                         (rdb.c)
 *   hashes: rdb-hash.ts; lists: rdb-list.ts; sets: rdb-set.ts; sorted sets: rdb-sorted-set.ts
 */
import { assert, type ByteWriter } from "@headrace/bytes";
import { beginImage, STRING_KIND } from "@headrace/engine";
import type { HashView, ListView, SetView, StringView, ValueView } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { HashType, readRdbHash, writeRdbHash } from "./rdb-hash.ts";
import { ListType, readRdbList, writeRdbList } from "./rdb-list.ts";
import { readRdbSet, SetType, writeRdbSet } from "./rdb-set.ts";
import type { RdbReader } from "./rdb-reader.ts";
import { readRdbSortedSet, SORTED_SET_LISTPACK_TYPE, SORTED_SET_TYPE, writeRdbSortedSet } from "./rdb-sorted-set.ts";
import { writeRdbString } from "./rdb-string.ts";

const STRING_TYPE = 0;

type Read = (type: number, reader: RdbReader, image: ByteWriter) => void;

const READS: ReadonlyMap<number, Read> = new Map<number, Read>([
  [STRING_TYPE, readRdbStringValue],
  [HashType.hash, readRdbHash],
  [HashType.listpack, readRdbHash],
  [ListType.list, readRdbList],
  [ListType.quicklist, readRdbList],
  [SetType.set, readRdbSet],
  [SetType.intset, readRdbSet],
  [SetType.listpack, readRdbSet],
  [SORTED_SET_TYPE, readRdbSortedSet],
  [SORTED_SET_LISTPACK_TYPE, readRdbSortedSet],
]);

export function isValueType(type: number): boolean {
  return READS.has(type);
}

/** Writes the image. Throws BadDumpError. */
export function readRdbValue(type: number, reader: RdbReader, image: ByteWriter): void {
  READS.get(type)!(type, reader, image);
}

function readRdbStringValue(_type: number, reader: RdbReader, image: ByteWriter): void {
  const { bytes, start, end } = reader.string();
  beginImage(image, STRING_KIND);
  image.raw(bytes, start, end);
  if (!reader.isAtEnd) throw new BadDumpError("more than a string");
}

/** Type and object. */
export function writeRdbValue(writer: ByteWriter, value: ValueView): void {
  if (value.type === "hash") return writeRdbHash(writer, value as HashView);
  if (value.type === "list") return writeRdbList(writer, value as ListView);
  if (value.type === "set") return writeRdbSet(writer, value as SetView);
  if (value.type === "zset") return writeRdbSortedSet(writer, value);
  assert(value.type === "string", "a kind that has a form in RDB");
  const { bytes, length } = value as StringView;
  writer.u8(STRING_TYPE);
  writeRdbString(writer, bytes, 0, length);
}
