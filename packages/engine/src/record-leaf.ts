/**
 * One leaf of a table: records, each with a key, one behind the other in the order in which they came. What a record looks like is for the kinds of leaves to
 * say. In a row of the store a leaf is just these bytes.
 */
import { copyBytes } from "@headrace/bytes";

/** Up to this V8 keeps the bytes on its own heap, without an object beside them. */
const HEAP_BYTES_MAX = 64;
/** The leaf, the array that holds it, and the buffer's objects. */
const LEAF_OVERHEAD_BYTES = 240;
const NO_BYTES = new Uint8Array(0);

export abstract class RecordLeaf {
  bytes: Uint8Array;
  used: number;
  count: number;

  constructor() {
    this.bytes = NO_BYTES;
    this.used = 0;
    this.count = 0;
  }

  get residentBytes(): number {
    return LEAF_OVERHEAD_BYTES + this.bytes.length;
  }

  /** Of the record that begins at `at`: where its key begins. */
  abstract keyStart(at: number): number;
  abstract keyEnd(at: number): number;
  /** Where the record ends. */
  abstract behind(at: number): number;
  /** Counts the records. Throws DamagedRowError when the bytes are none. */
  protected abstract countRecords(): number;

  /** source[start, end) is one record. */
  append(source: Uint8Array, start: number, end: number): void {
    const at = this.makeRoom(end - start);
    copyBytes(this.bytes, at, source, start, end);
  }

  /** Answers where a new record of so many bytes begins, which the caller writes. */
  protected makeRoom(recordBytes: number): number {
    const at = this.used;
    const used = at + recordBytes;
    if (used > this.bytes.length) this.#resize(used + (used >>> 3));
    this.used = used;
    this.count++;
    return at;
  }

  /** The record that begins at `at` becomes source[start, end); those behind it move. */
  replaceAt(at: number, source: Uint8Array, start: number, end: number): void {
    const behind = this.behind(at);
    const growth = end - start - (behind - at);
    const used = this.used + growth;
    if (used > this.bytes.length) this.#resize(used + (used >>> 3));
    if (growth !== 0) this.bytes.copyWithin(behind + growth, behind, this.used);
    copyBytes(this.bytes, at, source, start, end);
    this.used = used;
    this.#shrink();
  }

  /** The record that begins there; those behind it move up. */
  removeAt(at: number): void {
    const behind = this.behind(at);
    this.bytes.copyWithin(at, behind, this.used);
    this.used -= behind - at;
    this.count--;
    this.#shrink();
  }

  #shrink(): void {
    if (this.used * 2 < this.bytes.length) this.#resize(this.used);
  }

  #resize(capacity: number): void {
    const rounded = Math.ceil(capacity / 8) * 8;
    if (rounded === this.bytes.length) return;
    const bytes = rounded <= HEAP_BYTES_MAX ? new Uint8Array(rounded) : new Uint8Array(new ArrayBuffer(rounded));
    copyBytes(bytes, 0, this.bytes, 0, this.used);
    this.bytes = bytes;
  }

  /** A leaf that is empty takes the bytes of a row. Throws DamagedRowError when they are no records. */
  take(source: Uint8Array, start: number, end: number): void {
    this.used = end - start;
    this.bytes = new Uint8Array(this.used);
    copyBytes(this.bytes, 0, source, start, end);
    this.count = this.countRecords();
  }
}

/** Whether bytes from `at` on are source[start, end). */
export function isSameKey(bytes: Uint8Array, at: number, source: Uint8Array, start: number, end: number): boolean {
  // From behind: what keys have in common mostly stands in front.
  for (let i = end - 1, k = at + end - start - 1; i >= start; i--, k--) if (bytes[k] !== source[i]) return false;
  return true;
}
