/**
 * Lists in Redis' RDB format. Redis 7.0 writes type 18; we write type 1, which every Redis takes. Those of Redis before 7.0 (10, 14: ziplists) are refused.
 *
 *   type 1    length · that many strings
 *   type 18   length · that many {length 1 · string: one element} or {length 2 · string: a listpack of elements}                         (rdb.c)
 */
import { bytesOf, type ByteWriter } from "@headrace/bytes";
import { beginImage, LIST_KIND, writeListElement } from "@headrace/engine";
import type { ListView } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { Listpack } from "./listpack.ts";
import type { RdbReader } from "./rdb-reader.ts";
import { writeRdbLength, writeRdbString } from "./rdb-string.ts";

export const ListType = { list: 1, quicklist: 18 } as const;
const PLAIN = 1;
const PACKED = 2;

/** Writes the image. Throws BadDumpError. */
export function readRdbList(type: number, reader: RdbReader, image: ByteWriter): void {
  beginImage(image, LIST_KIND);
  const empty = image.length;
  for (let left = reader.length(); left > 0; left--) {
    const container = type === ListType.list ? PLAIN : reader.length();
    const span = reader.string();
    if (container === PLAIN) writeListElement(image, span.bytes, span.start, span.end);
    else if (container === PACKED) readListpack(new Listpack(span), image);
    else throw new BadDumpError("a list's node of an unknown kind");
  }
  if (image.length === empty) throw new BadDumpError("a list without elements");
  if (!reader.isAtEnd) throw new BadDumpError("more than a list");
}

function readListpack(pack: Listpack, image: ByteWriter): void {
  if (pack.isAtEnd) throw new BadDumpError("a list's node without elements");
  while (!pack.isAtEnd) {
    pack.next();
    if (pack.isString) {
      writeListElement(image, pack.bytes, pack.stringStart, pack.stringEnd);
    } else {
      const digits = bytesOf(pack.integer.toString());
      writeListElement(image, digits, 0, digits.length);
    }
  }
}

/** Type and object. */
export function writeRdbList(writer: ByteWriter, list: ListView): void {
  writer.u8(ListType.list);
  writeRdbLength(writer, list.length);
  list.visit(0, list.length, false, (bytes, start, end) => {
    writeRdbString(writer, bytes, start, end);
    return true;
  });
}
