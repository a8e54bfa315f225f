/**
 * Ids and lengths of a run of appended entries, beside the region that holds their bytes. The leader fills it entry by entry, a follower
 * with two copies out of the effect; both then hand it to the same `EntryLog.appendRun`.
 */
import { copyBytes, type ByteWriter } from "@headrace/bytes";
import type { StreamId } from "./stream-id.ts";

/** What a capture writes for an entry beside its bytes. */
export const ENTRY_COLUMN_BYTES = 21;

export class RunColumns {
  /** Four per entry: ms high, ms low, seq high, seq low. */
  ids: Uint32Array;
  /** OPENS_NODE | OPENS_BLOCK | bytes of the entry. */
  lengths: Uint32Array;
  count: number;
  #idBytes: Uint8Array;
  #lengthBytes: Uint8Array;

  constructor() {
    this.ids = new Uint32Array(4 * 64);
    this.lengths = new Uint32Array(64);
    this.count = 0;
    this.#idBytes = new Uint8Array(this.ids.buffer);
    this.#lengthBytes = new Uint8Array(this.lengths.buffer);
  }

  push(id: StreamId, lengthAndFlags: number): void {
    const at = this.count;
    if (at === this.lengths.length) this.#grow(at + 1);
    const ids = this.ids;
    const cell = at * 4;
    ids[cell] = id.msHi;
    ids[cell + 1] = id.msLo;
    ids[cell + 2] = id.seqHi;
    ids[cell + 3] = id.seqLo;
    this.lengths[at] = lengthAndFlags;
    this.count = at + 1;
  }

  clear(): void {
    this.count = 0;
  }

  /** Replaces the content by columns that stand in `bytes` (unaligned, little-endian as every machine we run on). */
  load(bytes: Uint8Array, idsOffset: number, lengthsOffset: number, count: number): void {
    if (count > this.lengths.length) this.#grow(count);
    copyBytes(this.#idBytes, 0, bytes, idsOffset, idsOffset + count * 16);
    copyBytes(this.#lengthBytes, 0, bytes, lengthsOffset, lengthsOffset + count * 4);
    this.count = count;
  }

  /** Writes both columns, as the effect has them. */
  write(writer: ByteWriter): void {
    writer.raw(this.#idBytes, 0, this.count * 16);
    writer.raw(this.#lengthBytes, 0, this.count * 4);
  }

  #grow(needed: number): void {
    let capacity = this.lengths.length * 2;
    while (capacity < needed) capacity *= 2;
    const ids = new Uint32Array(capacity * 4);
    ids.set(this.ids);
    const lengths = new Uint32Array(capacity);
    lengths.set(this.lengths);
    this.ids = ids;
    this.lengths = lengths;
    this.#idBytes = new Uint8Array(ids.buffer);
    this.#lengthBytes = new Uint8Array(lengths.buffer);
  }
}
