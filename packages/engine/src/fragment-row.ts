/**
 * The row of a fragment: entries of a block, as it stands in memory. Most of a capture are such rows, so the entries' bytes are not copied but lent by the
 * block, and the ids are copied as a column. Short ones are one piece: three would take more memory than they save.
 */
import { allocateShared, copyBytes, crc32, crc32Join, crc32Shift, CRC_JOIN_BYTES_MIN } from "@headrace/bytes";
import type { StateRow } from "./api.ts";
import { type Block, MARK_OPENS } from "./block.ts";
import { OPENS_NODE } from "./effect-format.ts";
import { ROW_CRC_BYTES, ROW_VERSION, rowChecksum } from "./state-rows.ts";

/** Version and count. */
const HEAD_BYTES = 5;
const ID_BYTES = 16;

const NOTHING = new Uint8Array(0);

/** Of the block's entries from `from` on, all of which are in memory; at least one. */
export function fragmentRow(slot: number, subkey: Uint8Array, block: Block, from: number): StateRow {
  const { bytes, byteLength, count, ids, ends, marks } = block;
  const entries = count - from;
  const start = block.startOf(from);
  const lengths = HEAD_BYTES + entries * ID_BYTES;
  const content = lengths + entries * 4;
  const contentBytes = byteLength - start;
  const isLent = contentBytes >= CRC_JOIN_BYTES_MIN;
  const end = isLent ? content : content + contentBytes;
  const value = allocateShared(end + ROW_CRC_BYTES);
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  value[0] = ROW_VERSION;
  view.setUint32(1, entries, true);
  // Little-endian in memory too, as every machine we run on.
  const idBytes = new Uint8Array(ids.buffer, ids.byteOffset + from * ID_BYTES, entries * ID_BYTES);
  copyBytes(value, HEAD_BYTES, idBytes, 0, idBytes.length);
  let before = start;
  for (let entry = from, at = lengths; entry < count; entry++, at += 4) {
    const behind = ends[entry]!;
    view.setUint32(at, (behind - before) | ((marks[entry]! & MARK_OPENS) === 0 ? 0 : OPENS_NODE), true);
    before = behind;
  }
  if (!isLent) {
    copyBytes(value, content, bytes, start, byteLength);
    view.setUint32(end, rowChecksum(slot, subkey, value.subarray(0, end)), true);
    return { slot, subkey, value };
  }
  // The block's line has the checksum of the same bytes: they are gone over once for it, the row's own and the store's.
  const head = value.subarray(0, content);
  const tail = value.subarray(content);
  const name = rowChecksum(slot, subkey, NOTHING);
  const rowCrc = crc32Join(crc32(head, name), block.crcBehind(start), contentBytes);
  view.setUint32(content, rowCrc, true);
  const covered = (rowCrc ^ crc32Shift(name, content + contentBytes)) >>> 0;
  return { slot, subkey, value: head, rest: [block.lend(start), tail], crc: crc32(tail, covered) };
}
