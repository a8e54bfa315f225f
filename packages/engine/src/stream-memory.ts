/** What a stream takes in memory, about: MEMORY USAGE. Buffers are counted exactly, objects as V8 lays them out, roughly. */
import { BLOCK_LINE_BYTES } from "./block-list.ts";
import type { Stream } from "./stream.ts";

const STREAM_BYTES = 600;
const BLOCK_BYTES = 360;
const GROUP_BYTES = 900;
const CONSUMER_BYTES = 240;
const LEAF_BYTES = 260;

export function memoryOf(stream: Stream): number {
  let bytes = STREAM_BYTES;
  for (const block of stream.entries.blocks.slots) {
    if (block === null) {
      bytes += BLOCK_LINE_BYTES;
      continue;
    }
    bytes += BLOCK_BYTES + block.bytes.length + block.ids.byteLength + block.ends.byteLength + block.marks.length;
  }
  if (stream.delayed !== null) bytes += stream.delayed.residentBytes;
  for (const group of stream.groups()) {
    bytes += GROUP_BYTES + group.name.length;
    for (const consumer of group.consumers()) bytes += CONSUMER_BYTES + consumer.name.length;
    for (const leaf of group.pending.leaves) bytes += LEAF_BYTES + leaf.recordBytes;
  }
  return bytes;
}
