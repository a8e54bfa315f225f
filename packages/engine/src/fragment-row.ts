/**
 * The row of a fragment: entries of a block, as it stands in memory. Most of a capture are such rows, so each is written straight into memory of its own:
 * one copy of the entries' bytes, none of the columns by cell.
 */
import { allocate, copyBytes } from "@headrace/bytes";
import type { StateRow } from "./api.ts";
import { type Block, MARK_OPENS } from "./block.ts";
import { OPENS_NODE } from "./effect-format.ts";
import { ROW_VERSION, rowChecksum } from "./state-rows.ts";

/** Version and count. */
const HEAD_BYTES = 5;
const ID_BYTES = 16;
const CRC_BYTES = 4;

/** Of the block's entries from `from` on, all of which are in memory; at least one. */
export function fragmentRow(slot: number, subkey: Uint8Array, block: Block, from: number): StateRow {
  const { bytes, byteLength, count, ids, ends, marks } = block;
  const entries = count - from;
  const start = block.startOf(from);
  const lengths = HEAD_BYTES + entries * ID_BYTES;
  const content = lengths + entries * 4;
  const end = content + byteLength - start;
  const value = allocate(end + CRC_BYTES);
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
  copyBytes(value, content, bytes, start, byteLength);
  view.setUint32(end, rowChecksum(slot, subkey, value.subarray(0, end)), true);
  return { slot, subkey, value };
}
