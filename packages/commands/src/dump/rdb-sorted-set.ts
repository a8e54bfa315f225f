/**
 * Sorted sets in Redis' RDB format, both ways. Elements may come in any order (Redis writes the highest first).
 *
 *   type 5  sorted set     length · {string member · f64 score} each                                       written; a Redis makes a listpack of a small one
 *   type 17 its listpack   string that holds one: member, score, member …                                                              (rdb.c, listpack.c)
 */
import { bytesOf, latin1, type ByteWriter } from "@headrace/bytes";
import { beginImage, SORTED_SET_KIND, writeSortedSetImage } from "@headrace/engine";
import type { SortedSetView, ValueView } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { Listpack } from "./listpack.ts";
import type { RdbReader } from "./rdb-reader.ts";
import { writeRdbLength, writeRdbString } from "./rdb-string.ts";

export const SORTED_SET_TYPE = 5;
export const SORTED_SET_LISTPACK_TYPE = 17;

/** Writes the image. Throws BadDumpError. */
export function readRdbSortedSet(type: number, reader: RdbReader, image: ByteWriter): void {
  const scores = new Map<string, number>();
  const add = (member: string, score: number): void => {
    if (Number.isNaN(score)) throw new BadDumpError("a score that is no number");
    if (scores.has(member)) throw new BadDumpError("a member twice");
    scores.set(member, score === 0 ? 0 : score);
  };
  if (type === SORTED_SET_TYPE) readElements(reader, add);
  else readListpack(reader, add);
  if (scores.size === 0) throw new BadDumpError("no members");
  if (!reader.isAtEnd) throw new BadDumpError("more than a sorted set");
  beginImage(image, SORTED_SET_KIND);
  writeSortedSetImage(image, scores);
}

function readElements(reader: RdbReader, add: (member: string, score: number) => void): void {
  // Each element takes bytes, so a count that is too large ends where they do.
  for (let left = reader.length(); left > 0; left--) add(reader.text(), reader.double());
}

function readListpack(reader: RdbReader, add: (member: string, score: number) => void): void {
  const listpack = new Listpack(reader.string());
  while (!listpack.isAtEnd) {
    const member = textOf(listpack);
    if (listpack.isAtEnd) throw new BadDumpError("a member without a score");
    add(member, scoreOf(textOf(listpack)));
  }
}

function textOf(listpack: Listpack): string {
  listpack.next();
  return listpack.isString
    ? latin1(listpack.bytes, listpack.stringStart, listpack.stringEnd)
    : listpack.integer.toString();
}

function scoreOf(text: string): number {
  if (text === "inf") return Number.POSITIVE_INFINITY;
  if (text === "-inf") return Number.NEGATIVE_INFINITY;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

/** Type and object. */
export function writeRdbSortedSet(writer: ByteWriter, value: ValueView): void {
  const set = value as SortedSetView;
  writer.u8(SORTED_SET_TYPE);
  writeRdbLength(writer, set.count);
  set.visit(0, set.count, true, (member, score) => {
    writeRdbString(writer, bytesOf(member), 0, member.length);
    writer.f64(score);
  });
}
