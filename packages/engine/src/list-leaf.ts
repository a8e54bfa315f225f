/**
 * Some consecutive elements of a list as one stretch of bytes, with room on either side: a list is a row of these (list-value.ts). An element is its bytes
 * between their length and their length again, so that one can walk either way. The same bytes stand in rows, images and effects.
 *
 *   element  length · the bytes · the length backwards
 *   length   u8, if it is less than 254; else u8 254 · u32 (backwards: u32 · u8 254)
 */
import { allocate, copyBytes, type ByteReader, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";

/** A leaf takes no more, unless it is one element. */
export const LEAF_BYTES = 8 * 1024;
/** The object, and a buffer outside of V8's heap. */
const LEAF_OVERHEAD_BYTES = 280;
const LONG = 254;
const LONG_LENGTH_BYTES = 5;
const SPARE_BYTES_MIN = 32;
const NO_BYTES = new Uint8Array(0);

/** Elements somewhere, by their number: those of a request. */
export interface ElementSource {
  readonly bytes: Uint8Array;
  start(i: number): number;
  end(i: number): number;
}

/** What an element of so many bytes takes. */
export function elementBytes(length: number): number {
  return length + 2 * lengthBytes(length);
}

function lengthBytes(length: number): number {
  return length < LONG ? 1 : LONG_LENGTH_BYTES;
}

export function writeListElement(writer: ByteWriter, source: Uint8Array, start: number, end: number): void {
  const length = end - start;
  const isLong = length >= LONG;
  if (isLong) {
    writer.u8(LONG);
    writer.u32(length);
  } else {
    writer.u8(length);
  }
  writer.raw(source, start, end);
  if (isLong) writer.u32(length);
  writer.u8(isLong ? LONG : length);
}

function u32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Bytes of the element at `at`. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  return first === LONG ? u32At(bytes, at + 1) : first;
}

function lengthBefore(bytes: Uint8Array, end: number): number {
  const last = bytes[end - 1]!;
  return last === LONG ? u32At(bytes, end - LONG_LENGTH_BYTES) : last;
}

/** Where the next element begins. */
export function behindElement(bytes: Uint8Array, at: number): number {
  return at + elementBytes(lengthAt(bytes, at));
}

/** Where the element begins that ends here. */
export function elementBefore(bytes: Uint8Array, end: number): number {
  return end - elementBytes(lengthBefore(bytes, end));
}

/** Visits the bytes of an element that stands at `at`. */
export function visitElement<T>(
  bytes: Uint8Array,
  at: number,
  visit: (bytes: Uint8Array, start: number, end: number) => T,
): T {
  const length = lengthAt(bytes, at);
  const start = at + lengthBytes(length);
  return visit(bytes, start, start + length);
}

/** Elements say their own length, so equal bytes are equal elements. */
function isSame(a: Uint8Array, at: number, b: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++, at++) if (a[at] !== b[i]) return false;
  return true;
}

/** How many elements there are in the rest of the reader, which is moved behind them. Throws DamagedRowError. */
export function countElements(reader: ByteReader): number {
  const { bytes, end } = reader;
  let count = 0;
  let at = reader.offset;
  while (at < end) {
    if (bytes[at]! > LONG || (bytes[at] === LONG && at + LONG_LENGTH_BYTES > end))
      throw new DamagedRowError("no element");
    const length = lengthAt(bytes, at);
    const next = at + elementBytes(length);
    const isWhole = next <= end && lengthBytes(length) === (bytes[at] === LONG ? LONG_LENGTH_BYTES : 1);
    if (!isWhole || bytes[next - 1] !== bytes[at] || lengthBefore(bytes, next) !== length)
      throw new DamagedRowError("an element of a list is cut off, or not what it says");
    at = next;
    count++;
  }
  reader.skip(reader.remaining);
  return count;
}

export class ListLeaf {
  /** Of its row; those behind it in the list have higher ones. */
  number: number;
  count: number;
  bytes: Uint8Array;
  start: number;
  end: number;

  constructor(number: number) {
    this.number = number;
    this.count = 0;
    this.bytes = NO_BYTES;
    this.start = 0;
    this.end = 0;
  }

  get byteLength(): number {
    return this.end - this.start;
  }

  get residentBytes(): number {
    return LEAF_OVERHEAD_BYTES + this.bytes.length;
  }

  /** Where element `index` begins; `count`: where the last one ends. */
  offsetOf(index: number): number {
    const { bytes } = this;
    let at: number;
    if (index <= this.count >>> 1) {
      at = this.start;
      for (let i = 0; i < index; i++) at = behindElement(bytes, at);
    } else {
      at = this.end;
      for (let i = this.count; i > index; i--) at = elementBefore(bytes, at);
    }
    return at;
  }

  /** source[from, to): `count` elements. */
  addLast(source: Uint8Array, from: number, to: number, count: number): void {
    const length = to - from;
    if (this.end + length > this.bytes.length) this.#move(length, false);
    this.end = copyBytes(this.bytes, this.end, source, from, to);
    this.count += count;
  }

  addFirst(source: Uint8Array, from: number, to: number, count: number): void {
    const length = to - from;
    if (this.start < length) this.#move(length, true);
    this.start -= length;
    copyBytes(this.bytes, this.start, source, from, to);
    this.count += count;
  }

  dropFirst(count: number): void {
    this.start = this.offsetOf(count);
    this.count -= count;
    this.#shrink();
  }

  dropLast(count: number): void {
    this.end = this.offsetOf(this.count - count);
    this.count -= count;
    this.#shrink();
  }

  /** What stands in [at, behind) becomes source[from, to); `countChange`: how many elements more that are. The source is not this leaf. */
  replace(at: number, behind: number, source: Uint8Array, from: number, to: number, countChange: number): void {
    const growth = to - from - (behind - at);
    if (growth > 0 && this.end + growth > this.bytes.length) {
      const moved = this.start;
      this.#move(growth, false);
      at += this.start - moved;
      behind += this.start - moved;
    }
    if (growth !== 0) copyBytes(this.bytes, behind + growth, this.bytes, behind, this.end);
    copyBytes(this.bytes, at, source, from, to);
    this.end += growth;
    this.count += countChange;
    if (growth < 0) this.#shrink();
  }

  /**
   * Takes out elements equal to element[from, to), at most `countMax`, the first ones or the last ones; answers how many. It may be empty then.
   */
  removeAll(element: Uint8Array, from: number, to: number, countMax: number, fromLast: boolean): number {
    const { bytes } = this;
    const found: number[] = [];
    let at = fromLast ? this.end : this.start;
    while (found.length < countMax && (fromLast ? at > this.start : at < this.end)) {
      if (fromLast) at = elementBefore(bytes, at);
      if (isSame(bytes, at, element, from, to)) found.push(at);
      if (!fromLast) at = behindElement(bytes, at);
    }
    if (found.length === 0) return 0;
    if (fromLast) found.reverse();
    const removedBytes = to - from;
    let target = found[0]!;
    for (const [i, each] of found.entries()) {
      const next = i + 1 < found.length ? found[i + 1]! : this.end;
      target = copyBytes(bytes, target, bytes, each + removedBytes, next);
    }
    this.end = target;
    this.count -= found.length;
    this.#shrink();
    return found.length;
  }

  /** Takes out what stands behind the element that begins at `at`, itself included, for another leaf. */
  splitAt(at: number, index: number, number: number): ListLeaf {
    const other = new ListLeaf(number);
    other.addLast(this.bytes, at, this.end, this.count - index);
    this.end = at;
    this.count = index;
    this.#shrink();
    return other;
  }

  /** Room for `more` bytes at one side. */
  #move(more: number, atStart: boolean): void {
    const used = this.byteLength;
    const needed = used + more;
    let { bytes } = this;
    if (bytes.length < needed || (needed > LEAF_BYTES / 2 && bytes.length < LEAF_BYTES)) {
      const roomy = used === 0 ? needed : Math.min(Math.max(needed, LEAF_BYTES), needed * 2 + SPARE_BYTES_MIN);
      bytes = allocate(roomy);
    }
    const start = atStart ? bytes.length - used : 0;
    copyBytes(bytes, start, this.bytes, this.start, this.end);
    this.bytes = bytes;
    this.start = start;
    this.end = start + used;
  }

  /** A leaf that lost most of its bytes gives their memory back. */
  #shrink(): void {
    const used = this.byteLength;
    if (this.bytes.length < 4 * SPARE_BYTES_MIN || used * 4 > this.bytes.length) return;
    const bytes = allocate(used * 2);
    this.end = copyBytes(bytes, 0, this.bytes, this.start, this.end);
    this.start = 0;
    this.bytes = bytes;
  }
}
