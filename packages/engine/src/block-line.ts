/** A block's line as rows have it; its form is drawn in state-rows.ts. */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { BLOCK_ENTRIES_MAX, type BlockLine } from "./block.ts";
import { StreamId } from "./stream-id.ts";

/** How long the line of a block is whose entries stand in one row: fifteen numbers, 1 for that row and 0 for its first entry. */
export const ONE_ROW_LINE_BYTES = 68;
const FRAGMENTS_AT = 60;

/** Whether such a line stands before the reader. */
export function isOneRow({ bytes, offset, remaining }: ByteReader): boolean {
  if (remaining < ONE_ROW_LINE_BYTES) return false;
  let others = 0;
  for (let at = offset + FRAGMENTS_AT + 1; at < offset + ONE_ROW_LINE_BYTES; at++) others |= bytes[at]!;
  return bytes[offset + FRAGMENTS_AT] === 1 && others === 0;
}

export function writeLine(writer: ByteWriter, line: BlockLine): void {
  writer.u32(line.number);
  line.firstId.write(writer);
  line.lastId.write(writer);
  writer.u32(line.count);
  writer.u32(line.byteLength);
  writer.u32(line.opensCount);
  writer.u32(line.opensFirst ? 1 : 0);
  writer.u32(line.opensDigest);
  writer.u32(line.crc);
  writer.u32(line.fragments.length);
  for (const first of line.fragments) writer.u32(first);
}

export function readLine(reader: ByteReader): BlockLine {
  const line = {
    number: reader.u32(),
    firstId: StreamId.read(reader),
    lastId: StreamId.read(reader),
    count: reader.u32(),
    byteLength: reader.u32(),
    opensCount: reader.u32(),
    opensFirst: reader.u32() === 1,
    opensDigest: reader.u32(),
    crc: reader.u32(),
  };
  const fragments: number[] = [];
  for (let left = reader.u32(); left > 0; left--) fragments.push(reader.u32());
  const isPossible =
    line.count > 0 && line.count <= BLOCK_ENTRIES_MAX && fragments[0] === 0 && isAscending(fragments, line.count);
  if (!isPossible) throw new DamagedRowError("a block's line says what cannot be");
  return { ...line, fragments };
}

function isAscending(fragments: readonly number[], count: number): boolean {
  return fragments.every((first, i) => first < count && (i === 0 || first > fragments[i - 1]!));
}
