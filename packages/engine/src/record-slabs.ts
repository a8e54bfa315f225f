/**
 * Short records of bytes in a few large arrays, each under a number that it keeps while it lives: nothing of a record is an object. Removed ones leave
 * gaps; a slab of which less than half is left is copied forward, so at most about half of what is allocated is waste, and a removal costs no more than
 * about as many bytes as were removed before it. Knows nothing of what a record says.
 *
 *   record   u16 bytes of all of it · u32 its number (NO_RECORD: removed) · content
 *   address  slab · 2^16 + place in the slab
 */
import { allocate, assert, copyBytes } from "@headrace/bytes";

export const NO_RECORD = 0xffff_ffff;
export const RECORD_HEAD_BYTES = 6;

const SLAB_BITS = 16;
const SLAB_BYTES_MAX = 1 << SLAB_BITS;
const SLAB_BYTES_MIN = 1024;
const SLABS_MAX = 1 << (32 - SLAB_BITS);
const NUMBERS_MIN = 16;

class Slab {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  end: number;
  liveBytes: number;

  constructor(capacityBytes: number) {
    this.bytes = allocate(capacityBytes);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, capacityBytes);
    this.end = 0;
    this.liveBytes = 0;
  }
}

export class RecordSlabs {
  size: number;
  #slabs: (Slab | null)[];
  #freeSlabs: number[];
  /** Where records are added. */
  #open: number;
  #slabBytes: number;
  /** By number: the address, or of one that is free the next free one. */
  #addresses: Uint32Array;
  #numbers: number;
  #firstFree: number;

  constructor() {
    this.size = 0;
    this.#slabs = [];
    this.#freeSlabs = [];
    this.#open = -1;
    this.#slabBytes = 0;
    this.#addresses = new Uint32Array(0);
    this.#numbers = 0;
    this.#firstFree = NO_RECORD;
  }

  /** Allocated. */
  get byteLength(): number {
    return this.#slabBytes + this.#addresses.byteLength;
  }

  /** False: there may be no room for one more record of any size. */
  get hasRoom(): boolean {
    return this.#slabs.length - this.#freeSlabs.length < SLABS_MAX - 1;
  }

  clear(): void {
    this.size = 0;
    this.#slabs = [];
    this.#freeSlabs = [];
    this.#open = -1;
    this.#slabBytes = 0;
    this.#addresses = new Uint32Array(0);
    this.#numbers = 0;
    this.#firstFree = NO_RECORD;
  }

  /** A copy of content[0, length); answers its number. */
  add(content: Uint8Array, length: number): number {
    const byteLength = RECORD_HEAD_BYTES + length;
    assert(byteLength * 2 <= SLAB_BYTES_MAX, "a record that is too large for a slab");
    const number = this.#takeNumber();
    this.#reserve(byteLength, number);
    copyBytes(this.bytesOf(number), this.placeOf(number), content, 0, length);
    this.size++;
    return number;
  }

  /** Where the content of the record begins in `bytesOf`; both count until the next change. */
  placeOf(number: number): number {
    return (this.#addresses[number]! & (SLAB_BYTES_MAX - 1)) + RECORD_HEAD_BYTES;
  }

  bytesOf(number: number): Uint8Array {
    return this.#slabs[this.#addresses[number]! >>> SLAB_BITS]!.bytes;
  }

  remove(number: number): void {
    const address = this.#addresses[number]!;
    const slabAt = address >>> SLAB_BITS;
    const at = address & (SLAB_BYTES_MAX - 1);
    const slab = this.#slabs[slabAt]!;
    assert(slab.view.getUint32(at + 2, true) === number, "a record that is not there");
    slab.view.setUint32(at + 2, NO_RECORD, true);
    slab.liveBytes -= slab.view.getUint16(at, true);
    this.#addresses[number] = this.#firstFree;
    this.#firstFree = number;
    this.size--;
    if (this.size === 0) this.clear();
    else if (slabAt !== this.#open) this.#compactIfSparse(slabAt);
  }

  /** `visit` is given the number of every record. */
  visit(visit: (number: number) => void): void {
    for (const slab of this.#slabs) {
      for (let at = 0; slab !== null && at < slab.end; at += slab.view.getUint16(at, true)) {
        const number = slab.view.getUint32(at + 2, true);
        if (number !== NO_RECORD) visit(number);
      }
    }
  }

  /** The record gets its place in the open slab; its content is still to be written, at `placeOf`. */
  #reserve(byteLength: number, number: number): void {
    const before = this.#open;
    const slab = before < 0 ? null : this.#slabs[before]!;
    if (slab !== null && slab.end + byteLength <= slab.bytes.length) return this.#take(byteLength, number);
    this.#openSlab(byteLength);
    this.#take(byteLength, number);
    // What is copied comes behind it; should that fill yet another slab, the record may have moved with it.
    if (before >= 0) this.#compactIfSparse(before);
  }

  #take(byteLength: number, number: number): void {
    const slab = this.#slabs[this.#open]!;
    const at = slab.end;
    slab.end += byteLength;
    slab.liveBytes += byteLength;
    slab.view.setUint16(at, byteLength, true);
    slab.view.setUint32(at + 2, number, true);
    this.#addresses[number] = ((this.#open << SLAB_BITS) | at) >>> 0;
  }

  /** As large as half of all others together, within bounds: so that little is allocated for few records. */
  #openSlab(byteLength: number): void {
    let capacity = SLAB_BYTES_MIN;
    while (capacity < SLAB_BYTES_MAX && (capacity * 2 < this.#slabBytes || capacity < byteLength * 2)) capacity *= 2;
    this.#open = this.#freeSlabs.pop() ?? this.#slabs.length;
    assert(this.#open < SLABS_MAX, "no room for more records");
    this.#slabs[this.#open] = new Slab(capacity);
    this.#slabBytes += capacity;
  }

  #compactIfSparse(slabAt: number): void {
    const slab = this.#slabs[slabAt]!;
    if (slab.liveBytes * 2 >= slab.bytes.length) return;
    for (let at = 0; at < slab.end;) {
      const byteLength = slab.view.getUint16(at, true);
      const number = slab.view.getUint32(at + 2, true);
      if (number !== NO_RECORD) {
        this.#reserve(byteLength, number);
        copyBytes(this.bytesOf(number), this.placeOf(number), slab.bytes, at + RECORD_HEAD_BYTES, at + byteLength);
      }
      at += byteLength;
    }
    this.#slabs[slabAt] = null;
    this.#freeSlabs.push(slabAt);
    this.#slabBytes -= slab.bytes.length;
  }

  #takeNumber(): number {
    if (this.#firstFree !== NO_RECORD) {
      const number = this.#firstFree;
      this.#firstFree = this.#addresses[number]!;
      return number;
    }
    if (this.#numbers === this.#addresses.length) {
      const grown = new Uint32Array(Math.max(NUMBERS_MIN, this.#numbers + (this.#numbers >>> 1)));
      grown.set(this.#addresses);
      this.#addresses = grown;
    }
    return this.#numbers++;
  }
}
