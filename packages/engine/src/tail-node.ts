/**
 * How full the stream's last node is, in Redis' terms: entries (deleted ones included) and the bytes that its listpack would take. Only the
 * leader asks, and only to decide whether the next entry opens a node; the decision travels in the effect. The fill is therefore a cache: it
 * is built from the stored entries when it is not known (new leader, loaded state, tail deleted).
 *
 * Listpack bytes are an estimate within a few per cent: head 16, per entry 9 for flags, id differences and count, plus the strings with
 * their own heads; field names are free when they look like the node's first entry's (same count, same total length).
 */
import type { NodeBounds } from "./api.ts";
import { MARK_OPENS, type Block } from "./block.ts";
import { FieldMeasure, fieldsOffset } from "./entry-form.ts";

const NODE_HEAD_BYTES = 16;
const ENTRY_HEAD_BYTES = 9;
/** Redis' STREAM_LISTPACK_MAX_SIZE: the bound when there is none. */
const NODE_BYTES_MAX = 1 << 30;

const measure = new FieldMeasure();

export class TailNode {
  known: boolean;
  entries: number;
  listpackBytes: number;
  #masterElements: number;
  #masterNameBytes: number;

  constructor() {
    this.known = false;
    this.entries = 0;
    this.listpackBytes = 0;
    this.#masterElements = 0;
    this.#masterNameBytes = 0;
  }

  forget(): void {
    this.known = false;
  }

  /** Whether the entry joins the tail node; counts it in, there or as the first of a new node. */
  admit(
    blocks: readonly Block[],
    source: Uint8Array,
    start: number,
    elementCount: number,
    bounds: NodeBounds,
  ): boolean {
    if (!this.known) this.#rebuild(blocks);
    measure.measure(source, start, elementCount);
    const maxBytes = bounds.maxBytes === 0 || bounds.maxBytes > NODE_BYTES_MAX ? NODE_BYTES_MAX : bounds.maxBytes;
    const joins =
      this.entries > 0 &&
      this.listpackBytes + measure.rawBytes < maxBytes &&
      (bounds.maxEntries === 0 || this.entries < bounds.maxEntries);
    if (!joins) this.entries = 0;
    this.#count(elementCount);
    return joins;
  }

  /** Adds what `measure` holds. */
  #count(elementCount: number): void {
    if (this.entries === 0) {
      this.#masterElements = elementCount;
      this.#masterNameBytes = measure.nameListpackBytes;
      this.listpackBytes = NODE_HEAD_BYTES + measure.nameListpackBytes;
    }
    const sameNames = elementCount === this.#masterElements && measure.nameListpackBytes === this.#masterNameBytes;
    this.listpackBytes +=
      ENTRY_HEAD_BYTES + measure.valueListpackBytes + (sameNames ? 0 : 2 + measure.nameListpackBytes);
    this.entries++;
  }

  #rebuild(blocks: readonly Block[]): void {
    this.known = true;
    this.entries = 0;
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
        const fields = fieldsOffset(block.bytes, block.startOf(entryAt));
        measure.measure(block.bytes, fields.offset, fields.elementCount);
        this.#count(fields.elementCount);
      }
    }
  }
}
