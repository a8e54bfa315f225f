/**
 * Sets in Redis' RDB format, both ways.
 *
 *   type 2  set          length · members as strings (rdb-reader.ts)
 *   type 11 intset       one string: u32 bytes of an integer (2, 4, 8) · u32 count · integers, ascending, little-endian
 *   type 20 listpack     one string: a listpack of members; Redis ≥ 7.2, only read                                                            (rdb.c)
 */
import { bytesOf, ByteWriter, crc32, latin1 } from "@headrace/bytes";
import { beginImage, MemberTable, SET_KIND } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import { BadDumpError } from "./bad-dump.ts";
import { Listpack } from "./listpack.ts";
import { writeRdbLength, writeRdbString } from "./rdb-string.ts";
import type { ByteSpan, RdbReader } from "./rdb-reader.ts";

export const SetType = { set: 2, intset: 11, listpack: 20 } as const;

const INTSET_MEMBERS_MAX = 512;
const INTSET_HEAD_BYTES = 8;

/** Writes the image. Throws BadDumpError. */
export function readRdbSet(type: number, reader: RdbReader, image: ByteWriter): void {
  const members = new MemberTable(0, null);
  const body = new ByteWriter(256);
  const add = (bytes: Uint8Array, start: number, end: number): void => {
    if (!members.add(bytes, start, end)) throw new BadDumpError("a member is there twice");
    body.varint(end - start);
    body.raw(bytes, start, end);
  };
  let stated = 0;
  if (type === SetType.set) {
    stated = reader.length();
    for (let i = 0; i < stated; i++) {
      const { bytes, start, end } = reader.string();
      add(bytes, start, end);
    }
  } else if (type === SetType.intset) {
    readIntset(reader.string(), add);
  } else {
    readListpack(new Listpack(reader.string()), add);
  }
  if (members.count === 0) throw new BadDumpError("an empty set");
  if (!reader.isAtEnd) throw new BadDumpError("more than a set");
  beginImage(image, SET_KIND);
  // No chance is to be had here: who sends a dump chooses where its members lie.
  image.u32(crc32(body.view()));
  image.u8(stated > INTSET_MEMBERS_MAX ? 0 : 1);
  image.all(body.view());
}

type Add = (bytes: Uint8Array, start: number, end: number) => void;

function readIntset({ bytes, start, end }: ByteSpan, add: Add): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  if (view.byteLength < INTSET_HEAD_BYTES) throw new BadDumpError("intset: too short");
  const width = view.getUint32(0, true);
  const count = view.getUint32(4, true);
  if (width !== 2 && width !== 4 && width !== 8) throw new BadDumpError("intset: of another width");
  if (view.byteLength !== INTSET_HEAD_BYTES + count * width) throw new BadDumpError("intset: wrong size");
  let before: bigint | null = null;
  for (let i = 0; i < count; i++) {
    const value = integerAt(view, INTSET_HEAD_BYTES + i * width, width);
    if (before !== null && value <= before) throw new BadDumpError("intset: out of order");
    before = value;
    const text = bytesOf(value.toString());
    add(text, 0, text.length);
  }
}

function integerAt(view: DataView, at: number, width: 2 | 4 | 8): bigint {
  if (width === 8) return view.getBigInt64(at, true);
  return BigInt(width === 2 ? view.getInt16(at, true) : view.getInt32(at, true));
}

function readListpack(list: Listpack, add: Add): void {
  while (!list.isAtEnd) {
    list.next();
    if (list.isString) {
      add(list.bytes, list.stringStart, list.stringEnd);
    } else {
      const text = bytesOf(list.integer.toString());
      add(text, 0, text.length);
    }
  }
}

/** Type and object. */
export function writeRdbSet(writer: ByteWriter, set: SetView): void {
  if (set.isIntset) return writeIntset(writer, set);
  writer.u8(SetType.set);
  writeRdbLength(writer, set.size);
  set.forEach((bytes, start, end) => writeRdbString(writer, bytes, start, end));
}

function writeIntset(writer: ByteWriter, set: SetView): void {
  const values: bigint[] = [];
  set.forEach((bytes, start, end) => values.push(BigInt(latin1(bytes, start, end))));
  const width = widthOf(values[0]!, values.at(-1)!);
  const blob = new DataView(new ArrayBuffer(INTSET_HEAD_BYTES + values.length * width));
  blob.setUint32(0, width, true);
  blob.setUint32(4, values.length, true);
  for (const [i, value] of values.entries()) {
    const at = INTSET_HEAD_BYTES + i * width;
    if (width === 8) blob.setBigInt64(at, value, true);
    else if (width === 4) blob.setInt32(at, Number(value), true);
    else blob.setInt16(at, Number(value), true);
  }
  writer.u8(SetType.intset);
  writeRdbString(writer, new Uint8Array(blob.buffer), 0, blob.byteLength);
}

/** Of the smallest and the largest. A Redis whose widest member has gone keeps the wider form. */
function widthOf(first: bigint, last: bigint): 2 | 4 | 8 {
  for (const width of [2, 4] as const) {
    if (BigInt.asIntN(width * 8, first) === first && BigInt.asIntN(width * 8, last) === last) return width;
  }
  return 8;
}
