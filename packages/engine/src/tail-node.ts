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
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import type { NodeBounds } from "./api.ts";
import { MARK_OPENS, type Block } from "./block.ts";
import type { BlockList } from "./block-list.ts";
import { fieldNames, FieldMeasure, fieldsOffset } from "./entry-form.ts";
import { integerListpackBytes } from "./listpack-size.ts";
import { StreamId } from "./stream-id.ts";

/** Head, end, count, deleted and the closing 0 of the names. */
const NODE_FRAME_BYTES = 6 + 1 + 2 + 2 + 2;
const FLAGS_BYTES = 2;
/** Redis' STREAM_LISTPACK_MAX_SIZE: the bound when there is none. */
const NODE_BYTES_MAX = 1 << 30;
const TWO_32 = 0x1_0000_0000;

/** Names of a node's first entry that are kept when its stream is packed. */
const PACKED_NAMES_BYTES_MAX = 64;

const measure = new FieldMeasure();

export class TailNode {
  known: boolean;
  entries: number;
  listpackBytes: number;
  // The node's first entry. Its block is null until the entry has been stored; then its fields stand at #masterFields there, or, when the block has left
  // memory, in #masterCopy with empty values: only its names count.
  #masterId: StreamId | null;
  #masterElements: number;
  #masterBlock: Block | null;
  #masterFields: number;
  #masterCopy: Uint8Array | null;

  constructor() {
    this.known = false;
    this.entries = 0;
    this.listpackBytes = 0;
    this.#masterId = null;
    this.#masterElements = 0;
    this.#masterBlock = null;
    this.#masterFields = 0;
    this.#masterCopy = null;
  }

  forget(): void {
    this.known = false;
    this.#masterBlock = null;
    this.#masterCopy = null;
  }

  /** The fill stays known when the block goes, unless the node's first entry is large. */
  leavesMemory(block: Block, blocks: BlockList): void {
    if (!this.known) return;
    if (block === blocks.tail && this.#isMasterUnknown) this.#findMaster(block);
    if (block !== this.#masterBlock) return;
    this.#masterCopy = fieldNames(block.bytes, this.#masterFields, this.#masterElements);
    if (this.#masterCopy === null) return this.forget();
    this.#masterFields = 0;
    this.#masterBlock = null;
  }

  /** It is known, and short; nothing of the stream is in memory. */
  get isWritten(): boolean {
    const copy = this.#masterCopy;
    return this.known && this.entries > 0 && copy !== null && copy.length <= PACKED_NAMES_BYTES_MAX;
  }

  /** The fill, of a stream of which nothing is in memory; nothing unless `isWritten`. */
  write(writer: ByteWriter): void {
    if (!this.isWritten) return;
    writer.varint(this.entries);
    writer.varint(this.listpackBytes);
    writer.varint(this.#masterElements);
    this.#masterId!.write(writer);
    writer.all(this.#masterCopy!);
  }

  /** What `write` has written, up to the reader's end. */
  read(reader: ByteReader): void {
    this.known = true;
    this.entries = reader.varint();
    this.listpackBytes = reader.varint();
    this.#masterElements = reader.varint();
    this.#masterId = StreamId.read(reader);
    this.#masterBlock = null;
    this.#masterFields = 0;
    this.#masterCopy = new Uint8Array(reader.raw(reader.remaining));
  }

  get #isMasterUnknown(): boolean {
    return this.entries === 1 && this.#masterBlock === null && this.#masterCopy === null;
  }

  #findMaster(tail: Block): void {
    this.#masterStandsAt(tail, tail.startOf(tail.count - 1));
  }

  /** Knows the fill from now on. May throw ColdMiss. */
  learn(blocks: BlockList): void {
    if (!this.known) this.#rebuild(blocks);
  }

  /** Whether the entry joins the tail node; counts it in, there or as the first of a new node. */
  admit(
    blocks: BlockList,
    id: StreamId,
    source: Uint8Array,
    start: number,
    elementCount: number,
    bounds: NodeBounds,
  ): boolean {
    this.learn(blocks);
    if (this.#isMasterUnknown) this.#findMaster(blocks.tail!);
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
    const master = hasMaster ? (this.#masterBlock?.bytes ?? this.#masterCopy) : null;
    measure.measure(source, start, elementCount, master, this.#masterFields);
  }

  /** Adds what `measure` holds. */
  #count(id: StreamId, elementCount: number): void {
    const fieldCount = elementCount / 2;
    let sameNames = measure.sameNames;
    if (this.entries === 0) {
      this.#masterId = id;
      this.#masterElements = elementCount;
      this.#masterBlock = null;
      this.#masterCopy = null;
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

  #rebuild(blocks: BlockList): void {
    let blockAt = blocks.length - 1;
    let entryAt = 0;
    let isAlive = false;
    if (blockAt >= 0) {
      entryAt = blocks.whole(blockAt).count - 1;
      for (;;) {
        const block = blocks.whole(blockAt);
        if (block.isLive(entryAt)) isAlive = true;
        if ((block.marks[entryAt]! & MARK_OPENS) !== 0) break;
        if (entryAt > 0) {
          entryAt--;
        } else {
          if (blockAt === 0) break;
          blockAt--;
          entryAt = blocks.whole(blockAt).count - 1;
        }
      }
    }
    this.known = true;
    this.entries = 0;
    this.#masterBlock = null;
    this.#masterCopy = null;
    // A node whose entries are all deleted is gone: the next entry opens one.
    if (!isAlive) return;
    for (; blockAt < blocks.length; blockAt++, entryAt = 0) {
      const block = blocks.slots[blockAt]!;
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
