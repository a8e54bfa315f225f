/**
 * How full the stream's last node is, in Redis' terms: entries (deleted ones included) and the bytes that its listpack would take. Only the
 * leader asks, and only to decide whether the next entry opens a node; the decision travels in the effect. The fill is therefore a cache: it
 * is built from the stored entries when it is not known (new leader, loaded state, tail deleted).
 *
 *   listpack  6 bytes head · count · deleted · names n · names… · 0 · entries… · 1 byte end          (t_stream.c: streamAppendItem)
 *   entry     flags · ms and sequence, less those of the node's first entry · [n · names…] · values… · elements
 *
 * An entry's names are left out when they are the first entry's. Counted exactly, but for nodes above 127 entries with many deleted ones.
 */
import type { NodeBounds } from "./api.ts";
import { MARK_OPENS, type Block } from "./block.ts";
import { FieldMeasure, fieldsOffset } from "./entry-form.ts";
import { integerListpackBytes } from "./listpack-size.ts";
import type { StreamId } from "./stream-id.ts";

/** Head, end, count, deleted and the closing 0 of the names. */
const NODE_FRAME_BYTES = 6 + 1 + 2 + 2 + 2;
const FLAGS_BYTES = 2;
/** Redis' STREAM_LISTPACK_MAX_SIZE: the bound when there is none. */
const NODE_BYTES_MAX = 1 << 30;
const TWO_32 = 0x1_0000_0000;

const measure = new FieldMeasure();

export class TailNode {
  known: boolean;
  entries: number;
  listpackBytes: number;
  // The node's first entry. Its block is null until the entry has been stored; then its fields stand at #masterFields there.
  #masterId: StreamId | null;
  #masterElements: number;
  #masterBlock: Block | null;
  #masterFields: number;

  constructor() {
    this.known = false;
    this.entries = 0;
    this.listpackBytes = 0;
    this.#masterId = null;
    this.#masterElements = 0;
    this.#masterBlock = null;
    this.#masterFields = 0;
  }

  forget(): void {
    this.known = false;
    this.#masterBlock = null;
  }

  /** Whether the entry joins the tail node; counts it in, there or as the first of a new node. */
  admit(
    blocks: readonly Block[],
    id: StreamId,
    source: Uint8Array,
    start: number,
    elementCount: number,
    bounds: NodeBounds,
  ): boolean {
    if (!this.known) this.#rebuild(blocks);
    if (this.entries === 1 && this.#masterBlock === null) {
      const tail = blocks[blocks.length - 1]!;
      this.#masterStandsAt(tail, tail.startOf(tail.count - 1));
    }
    this.#measure(source, start, elementCount);
    const maxBytes = bounds.maxBytes === 0 || bounds.maxBytes > NODE_BYTES_MAX ? NODE_BYTES_MAX : bounds.maxBytes;
    const joins =
      this.entries > 0 &&
      this.listpackBytes + measure.rawBytes < maxBytes &&
      (bounds.maxEntries === 0 || this.entries < bounds.maxEntries);
    if (!joins) this.entries = 0;
    this.#count(id, elementCount);
    return joins;
  }

  #masterStandsAt(block: Block, entryStart: number): void {
    this.#masterBlock = block;
    this.#masterFields = fieldsOffset(block.bytes, entryStart).offset;
  }

  #measure(source: Uint8Array, start: number, elementCount: number): void {
    const hasMaster = this.entries > 0 && elementCount === this.#masterElements;
    measure.measure(source, start, elementCount, hasMaster ? this.#masterBlock!.bytes : null, this.#masterFields);
  }

  /** Adds what `measure` holds. */
  #count(id: StreamId, elementCount: number): void {
    const fieldCount = elementCount / 2;
    let sameNames = measure.sameNames;
    if (this.entries === 0) {
      this.#masterId = id;
      this.#masterElements = elementCount;
      this.#masterBlock = null;
      this.listpackBytes = NODE_FRAME_BYTES + integerListpackBytes(fieldCount) + measure.nameListpackBytes;
      sameNames = true;
    }
    const master = this.#masterId!;
    const ms = (id.msHi - master.msHi) * TWO_32 + (id.msLo - master.msLo);
    const seq = (id.seqHi - master.seqHi) * TWO_32 + (id.seqLo - master.seqLo);
    let bytes = FLAGS_BYTES + integerListpackBytes(ms) + integerListpackBytes(seq) + measure.valueListpackBytes;
    if (sameNames) bytes += integerListpackBytes(fieldCount + 3);
    else bytes += integerListpackBytes(fieldCount) + measure.nameListpackBytes + integerListpackBytes(elementCount + 4);
    this.entries++;
    // The count itself: one byte more from 128 on.
    this.listpackBytes += this.entries === 128 ? bytes + 1 : bytes;
  }

  #rebuild(blocks: readonly Block[]): void {
    this.known = true;
    this.entries = 0;
    this.#masterBlock = null;
    let blockAt = blocks.length - 1;
    if (blockAt < 0) return;
    let entryAt = blocks[blockAt]!.count - 1;
    let isAlive = false;
    for (;;) {
      const block = blocks[blockAt]!;
      if (block.isLive(entryAt)) isAlive = true;
      if ((block.marks[entryAt]! & MARK_OPENS) !== 0) break;
      if (entryAt > 0) {
        entryAt--;
      } else {
        if (blockAt === 0) break;
        blockAt--;
        entryAt = blocks[blockAt]!.count - 1;
      }
    }
    // A node whose entries are all deleted is gone: the next entry opens one.
    if (!isAlive) return;
    for (; blockAt < blocks.length; blockAt++, entryAt = 0) {
      const block = blocks[blockAt]!;
      for (; entryAt < block.count; entryAt++) {
        const start = block.startOf(entryAt);
        const fields = fieldsOffset(block.bytes, start);
        this.#measure(block.bytes, fields.offset, fields.elementCount);
        this.#count(block.idAt(entryAt), fields.elementCount);
        if (this.entries === 1) this.#masterStandsAt(block, start);
      }
    }
  }
}
