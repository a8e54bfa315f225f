/**
 * Entries of a stream by where they stand, for effects that remove them: a replica finds them without looking at ids or bytes, which may not be
 * in its memory.
 *
 *   varint blocks × { varint number − the one before · varint runs × { varint entries passed over · varint entries − 1 } }
 */
import { assert, type ByteReader, type ByteWriter } from "@headrace/bytes";

/** Of one entry at most: a block of its own. */
export const ENTRY_PLACE_BYTES_MAX = 12;
const BLOCK_BYTES_MAX = 8;
const RUN_BYTES_MAX = 4;

interface BlockRuns {
  readonly number: number;
  /** First and behind the last, again and again. */
  readonly ends: number[];
}

export class EntryRuns {
  count: number;
  /** What `write` takes at most. */
  bytesMax: number;
  readonly #blocks: BlockRuns[];

  constructor() {
    this.count = 0;
    this.bytesMax = BLOCK_BYTES_MAX;
    this.#blocks = [];
  }

  /** In the order of the stream. */
  add(blockNumber: number, entry: number): void {
    this.count++;
    const last = this.#blocks[this.#blocks.length - 1];
    if (last === undefined || last.number !== blockNumber) {
      assert(last === undefined || last.number < blockNumber, "entries out of order");
      this.bytesMax += BLOCK_BYTES_MAX + RUN_BYTES_MAX;
      this.#blocks.push({ number: blockNumber, ends: [entry, entry + 1] });
      return;
    }
    const { ends } = last;
    const end = ends[ends.length - 1]!;
    assert(entry >= end, "entries out of order");
    if (entry === end) {
      ends[ends.length - 1] = entry + 1;
    } else {
      this.bytesMax += RUN_BYTES_MAX;
      ends.push(entry, entry + 1);
    }
  }

  write(writer: ByteWriter): void {
    writer.varint(this.#blocks.length);
    let before = 0;
    for (const { number, ends } of this.#blocks) {
      writer.varint(number - before);
      before = number;
      writer.varint(ends.length / 2);
      let at = 0;
      for (let run = 0; run < ends.length; run += 2) {
        writer.varint(ends[run]! - at);
        writer.varint(ends[run + 1]! - ends[run]! - 1);
        at = ends[run + 1]!;
      }
    }
  }
}

/** Runs of one block follow each other; `leave` comes behind the last one of each block. */
export function visitEntryRuns(
  reader: ByteReader,
  visit: (blockNumber: number, from: number, to: number) => void,
  leave: (blockNumber: number) => void,
): void {
  let number = 0;
  for (let blocks = reader.varint(); blocks > 0; blocks--) {
    number += reader.varint();
    let at = 0;
    for (let runs = reader.varint(); runs > 0; runs--) {
      const from = at + reader.varint();
      at = from + reader.varint() + 1;
      visit(number, from, at);
    }
    leave(number);
  }
}
