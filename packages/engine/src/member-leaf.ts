/**
 * One leaf of a table of members: their records, one behind the other, in the order in which they came.
 *
 *   record   u8 tag (the upper byte of the member's hash) · varint length · bytes
 *
 * In a row of the store it is just these bytes.
 */
import { copyBytes } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";

/** Up to this V8 keeps the bytes on its own heap, without an object beside them. */
const HEAP_BYTES_MAX = 64;
/** The leaf, the array that holds it, and the buffer's objects. */
const LEAF_OVERHEAD_BYTES = 240;
const NO_BYTES = new Uint8Array(0);

/** Of the record that `read` has looked at: its member is bytes[recordStart, recordEnd). */
export let recordStart = 0;
export let recordEnd = 0;

export function readRecordAt(bytes: Uint8Array, at: number): void {
  let byte = bytes[at + 1]!;
  let length = byte & 0x7f;
  recordStart = at + 2;
  for (let scale = 128; byte >= 0x80; scale *= 128) {
    byte = bytes[recordStart++]!;
    length += (byte & 0x7f) * scale;
  }
  recordEnd = recordStart + length;
}

export function recordBytes(length: number): number {
  let bytes = 2 + length;
  for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

export class MemberLeaf {
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

  /** Where the record of source[start, end) begins, −1: there is none. */
  find(tag: number, source: Uint8Array, start: number, end: number): number {
    const { bytes, used } = this;
    const length = end - start;
    for (let at = 0; at < used;) {
      let from = at + 2;
      let size = bytes[at + 1]!;
      if (size >= 0x80) {
        readRecordAt(bytes, at);
        from = recordStart;
        size = recordEnd - from;
      }
      if (size === length && bytes[at] === tag && isSame(bytes, from, source, start, end)) return at;
      at = from + size;
    }
    return -1;
  }

  append(tag: number, source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const used = this.used + recordBytes(length);
    if (used > this.bytes.length) this.#resize(used + (used >>> 3));
    const { bytes } = this;
    let at = this.used;
    bytes[at++] = tag;
    let rest = length;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
    bytes[at++] = rest;
    copyBytes(bytes, at, source, start, end);
    this.used = used;
    this.count++;
  }

  /** The record that begins there; those behind it move up. */
  removeAt(at: number): void {
    readRecordAt(this.bytes, at);
    this.bytes.copyWithin(at, recordEnd, this.used);
    this.used -= recordEnd - at;
    this.count--;
    if (this.used * 2 < this.bytes.length) this.#resize(this.used);
  }

  #resize(capacity: number): void {
    const rounded = Math.ceil(capacity / 8) * 8;
    if (rounded === this.bytes.length) return;
    const bytes = rounded <= HEAP_BYTES_MAX ? new Uint8Array(rounded) : new Uint8Array(new ArrayBuffer(rounded));
    copyBytes(bytes, 0, this.bytes, 0, this.used);
    this.bytes = bytes;
  }

  /** Takes the bytes of a row. Throws DamagedRowError when they are no records. */
  static read(source: Uint8Array, start: number, end: number): MemberLeaf {
    const leaf = new MemberLeaf();
    leaf.used = end - start;
    leaf.bytes = new Uint8Array(leaf.used);
    copyBytes(leaf.bytes, 0, source, start, end);
    for (let at = 0; at < leaf.used; at = recordEnd) {
      if (at + 2 > leaf.used) throw new DamagedRowError("a member is cut off");
      readRecordAt(leaf.bytes, at);
      if (!(recordEnd <= leaf.used)) throw new DamagedRowError("a member is cut off");
      leaf.count++;
    }
    return leaf;
  }
}

function isSame(bytes: Uint8Array, at: number, source: Uint8Array, start: number, end: number): boolean {
  // From behind: what members of a set have in common mostly stands in front.
  for (let i = end - 1, k = at + end - start - 1; i >= start; i--, k--) if (bytes[k] !== source[i]) return false;
  return true;
}
