/**
 * Hashes in Redis' RDB format, both ways.
 *
 *   type 4  hash         length · {field · value} each, as strings (rdb-reader.ts)            written; a Redis makes a listpack of a small one
 *   type 16 listpack     one string: a listpack of field, value, field …                                                             (rdb.c)
 */
import { bytesOf, ByteWriter, crc32 } from "@headrace/bytes";
import { beginImage, HASH_KIND, LISTPACK_FIELDS_MAX, MemberTable, writeFieldRecord } from "@headrace/engine";
import type { FieldValue, HashView } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { Listpack } from "./listpack.ts";
import type { RdbReader } from "./rdb-reader.ts";
import { writeRdbLength, writeRdbString } from "./rdb-string.ts";

export const HashType = { hash: 4, listpack: 16 } as const;

/** Writes the image. Throws BadDumpError. */
export function readRdbHash(type: number, reader: RdbReader, image: ByteWriter): void {
  const fields = new MemberTable(0, null);
  const body = new ByteWriter(256);
  const add = (field: FieldValue, value: FieldValue): void => {
    if (!fields.add(field.bytes, field.start, field.end)) throw new BadDumpError("a field is there twice");
    writeFieldRecord(body, field, value);
  };
  let isTable = false;
  if (type === HashType.hash) {
    const stated = reader.length();
    isTable = stated > LISTPACK_FIELDS_MAX;
    // Each field takes bytes, so a count that is too large ends where they do.
    for (let i = 0; i < stated; i++) add(reader.string(), reader.string());
  } else {
    const listpack = new Listpack(reader.string());
    while (!listpack.isAtEnd) {
      const field = next(listpack);
      if (listpack.isAtEnd) throw new BadDumpError("a field without a value");
      add(field, next(listpack));
    }
  }
  if (fields.count === 0) throw new BadDumpError("an empty hash");
  if (!reader.isAtEnd) throw new BadDumpError("more than a hash");
  beginImage(image, HASH_KIND);
  // No chance is to be had here: who sends a dump chooses where its fields lie.
  image.u32(crc32(body.view()));
  image.u8(isTable ? 1 : 0);
  image.all(body.view());
}

function next(listpack: Listpack): FieldValue {
  listpack.next();
  if (listpack.isString) return { bytes: listpack.bytes, start: listpack.stringStart, end: listpack.stringEnd };
  const bytes = bytesOf(listpack.integer.toString());
  return { bytes, start: 0, end: bytes.length };
}

/** Type and object. */
export function writeRdbHash(writer: ByteWriter, hash: HashView): void {
  writer.u8(HashType.hash);
  writeRdbLength(writer, hash.size);
  hash.forEach((bytes, fieldStart, fieldEnd, valueStart, valueEnd) => {
    writeRdbString(writer, bytes, fieldStart, fieldEnd);
    writeRdbString(writer, bytes, valueStart, valueEnd);
  });
}
