/** What is true of an EntryLog between two changes: order, counts, what of a block may be missing. */
import { assert } from "@headrace/bytes";
import { type Block, MARK_OPENS } from "./block.ts";
import type { EntryLog } from "./entry-log.ts";
import type { StreamId } from "./stream-id.ts";

/** Asserts that what is counted is what is there, and that everything is in order. Walks all that is in memory. Tests, sim. */
export function verifyEntryLog({ blocks, length, byteLength }: EntryLog): void {
  let live = 0;
  let bytes = 0;
  let cold = 0;
  let previous: StreamId | null = null;
  for (let at = 0; at < blocks.length; at++) {
    if (!blocks.isWhole(at)) cold++;
    live += blocks.liveAt(at);
    bytes += blocks.entryBytesAt(at);
    assert(previous === null || previous.compare(blocks.firstIdAt(at)) < 0, "blocks out of order");
    assert(at === 0 || blocks.numberAt(at - 1) < blocks.numberAt(at), "block numbers out of order");
    previous = blocks.lastIdAt(at);
    const block = blocks.slots[at]!;
    if (block !== null) verifyBlock(block);
  }
  assert(blocks.length === 0 || blocks.tail !== null, "the tail is a line");
  assert(bytes === byteLength, "bytes of the blocks miscounted");
  assert(live === length, "length is not the number of live entries");
  assert(cold === blocks.coldCount, "blocks that are not in memory miscounted");
}

function verifyBlock(block: Block): void {
  assert(block.count > 0, "empty block kept");
  assert(block.count <= block.marks.length, "columns shorter than the block");
  assert(
    block.hollow === block.count || block.ends[block.count - 1] === block.byteLength,
    "last offset is not the block's length",
  );
  let dead = 0;
  let opens = 0;
  let previous: StreamId | null = null;
  for (let entry = 0; entry < block.count; entry++) {
    if (!block.isLive(entry)) dead++;
    if ((block.marks[entry]! & MARK_OPENS) !== 0) opens++;
    if (entry < block.hollow) continue;
    const id = block.idAt(entry);
    assert(previous === null || previous.compare(id) < 0, "ids out of order");
    previous = id;
    assert(block.bytes[block.startOf(entry)] === 42, "entry does not begin with an array");
  }
  assert(dead === block.deadCount, "tombstones miscounted");
  assert(block.hollow > 0 || opens === block.opensCount, "node boundaries miscounted");
  assert(block.hollow > 0 || block.opensFirst === ((block.marks[0]! & MARK_OPENS) !== 0), "first boundary unknown");
  assert(dead < block.count, "dead block kept");
  assert(block.isLive(block.firstLive), "first live entry is dead");
  assert(block.liveBetween(0, block.firstLive) === 0, "live entry before the first live one");
  assert(!block.dropped, "dropped block kept");
}
