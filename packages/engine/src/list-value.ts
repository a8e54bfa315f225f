/**
 * A list: leaves of packed elements in order, as Redis' quicklist. Pushing and popping at either end touches one leaf; an index is found leaf by leaf from the
 * nearer end. A list of one leaf is one row; of a longer one each leaf is a part, so that a capture of a long queue writes its ends.
 *
 *   head   u32 elements · u32 leaves (0: the elements themselves follow, as in list-leaf.ts)
 *   part   number of a leaf: its elements
 *   image  the elements
 *
 * Leaves are in the order of their numbers. There is room between two of them for more; where there is none left, some neighbours are numbered anew.
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { assert } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { behindElement, countElements, elementBefore, LEAF_BYTES, ListLeaf, visitElement } from "./list-leaf.ts";
import type { Mixer } from "./mixer.ts";
import type { ElementVisit, ListView } from "./value-api.ts";
import { ValueParts } from "./value-parts.ts";
import { Value, type ValueKindRecord } from "./value.ts";

/** In rows and images, for ever. */
export const LIST_KIND = 3;
const LIST_OVERHEAD_BYTES = 260;
const FIRST_NUMBER = 0x8000_0000;
/** Numbers of leaves are above 0 and below this. */
const NUMBER_END = 0x1_0000_0000;
/** From one leaf to the next one at an end of the list. */
const NUMBER_STEP = 1024;
/** Leaves that are numbered anew get so much room between them, if all of them together can. */
const NUMBER_ROOM = 64;
/** Leaves that lost elements are put together if they take no more. */
const MERGED_BYTES = LEAF_BYTES / 2;

export class ListValue extends Value implements ListView {
  length: number;
  residentBytes: number;
  /** Of all elements, as they are packed. */
  #byteLength: number;
  readonly #leaves: ListLeaf[];
  /** Its leaves are parts. */
  #isLarge: boolean;
  #parts: ValueParts | null;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    super();
    this.length = 0;
    this.residentBytes = LIST_OVERHEAD_BYTES;
    this.#byteLength = 0;
    this.#leaves = [];
    this.#isLarge = false;
    this.#parts = null;
    this.#meter = meter;
  }

  get kind(): number {
    return LIST_KIND;
  }

  get type(): "list" {
    return "list";
  }

  get encoding(): string {
    return "quicklist";
  }

  get parts(): ValueParts | null {
    return this.#parts;
  }

  get headBytes(): number {
    return 8 + (this.#isLarge ? 0 : this.#byteLength);
  }

  // ── changes; source[from, to) is one packed element (list-leaf.ts) ───────────────────────────────────────────────────────────────

  push(isLeft: boolean, source: Uint8Array, from: number, to: number): void {
    const leaves = this.#leaves;
    const at = isLeft ? 0 : leaves.length - 1;
    let leaf = leaves[at];
    if (leaf === undefined || leaf.byteLength + to - from > LEAF_BYTES) {
      leaf = this.#openLeaf(leaf === undefined || isLeft ? 0 : at + 1);
    }
    const before = leaf.residentBytes;
    if (isLeft) leaf.addFirst(source, from, to, 1);
    else leaf.addLast(source, from, to, 1);
    this.length++;
    this.#byteLength += to - from;
    this.#changed(leaf, before);
    this.#settle();
  }

  /** Takes elements away at both ends; at least one is left, or none. */
  cut(left: number, right: number): void {
    const leaves = this.#leaves;
    let gone = 0;
    while (gone < leaves.length && leaves[gone]!.count <= left) left -= leaves[gone++]!.count;
    for (let i = 0; i < gone; i++) this.#forget(leaves[i]!);
    leaves.splice(0, gone);
    const first = leaves[0];
    if (left > 0 && first !== undefined) this.#drop(first, left, true);
    for (let last = leaves.at(-1); last !== undefined && last.count <= right; last = leaves.at(-1)) {
      right -= last.count;
      this.#forget(last);
      leaves.pop();
    }
    const last = leaves.at(-1);
    if (right > 0 && last !== undefined) this.#drop(last, right, false);
    this.#settle();
  }

  #drop(leaf: ListLeaf, count: number, isLeft: boolean): void {
    const before = leaf.residentBytes;
    const bytesBefore = leaf.byteLength;
    if (isLeft) leaf.dropFirst(count);
    else leaf.dropLast(count);
    this.length -= count;
    this.#byteLength += leaf.byteLength - bytesBefore;
    this.#changed(leaf, before);
  }

  set(index: number, source: Uint8Array, from: number, to: number): void {
    const [at, within] = this.#place(index);
    const leaf = this.#leaves[at]!;
    const offset = leaf.offsetOf(within);
    this.#replace(at, offset, behindElement(leaf.bytes, offset), source, from, to, 0);
  }

  /** In front of the element that has this index. */
  insert(index: number, source: Uint8Array, from: number, to: number): void {
    if (index === this.length) return this.push(false, source, from, to);
    const [at, within] = this.#place(index);
    const offset = this.#leaves[at]!.offsetOf(within);
    this.#replace(at, offset, offset, source, from, to, 1);
  }

  #replace(
    at: number,
    offset: number,
    behind: number,
    source: Uint8Array,
    from: number,
    to: number,
    countChange: number,
  ): void {
    const leaf = this.#leaves[at]!;
    const before = leaf.residentBytes;
    leaf.replace(offset, behind, source, from, to, countChange);
    this.length += countChange;
    this.#byteLength += to - from - (behind - offset);
    this.#changed(leaf, before);
    this.#split(at);
    this.#settle();
  }

  /** The leaf, and what comes of it, takes no more than a leaf may. */
  #split(at: number): void {
    const leaf = this.#leaves[at]!;
    if (leaf.byteLength <= LEAF_BYTES || leaf.count === 1) return;
    const half = leaf.start + leaf.byteLength / 2;
    let offset = behindElement(leaf.bytes, leaf.start);
    let index = 1;
    for (; offset < half && index < leaf.count - 1; index++) offset = behindElement(leaf.bytes, offset);
    const number = this.#numberBefore(at + 1);
    const before = leaf.residentBytes;
    const other = leaf.splitAt(offset, index, number);
    this.#leaves.splice(at + 1, 0, other);
    this.#changed(leaf, before);
    this.#changed(other, 0);
    this.#split(at + 1);
    this.#split(at);
  }

  /** Takes out the first `count` elements that are this one, or the last. */
  remove(element: Uint8Array, from: number, to: number, count: number, fromRight: boolean): void {
    const leaves = this.#leaves;
    let left = count;
    for (let i = 0; i < leaves.length && left > 0; i++) {
      const leaf = leaves[fromRight ? leaves.length - 1 - i : i]!;
      const before = leaf.residentBytes;
      const removed = leaf.removeAll(element, from, to, left, fromRight);
      if (removed === 0) continue;
      left -= removed;
      this.length -= removed;
      this.#byteLength -= removed * (to - from);
      this.#changed(leaf, before);
    }
    this.#merge();
    this.#settle();
  }

  /** What `remove` has left: leaves without elements go, and small neighbours become one. */
  #merge(): void {
    const leaves = this.#leaves;
    let kept = 0;
    for (let i = 0; i < leaves.length; i++) {
      const leaf = leaves[i]!;
      const previous = kept > 0 ? leaves[kept - 1]! : null;
      if (leaf.count === 0) {
        this.#forget(leaf);
      } else if (previous !== null && previous.byteLength + leaf.byteLength <= MERGED_BYTES) {
        const before = previous.residentBytes;
        previous.addLast(leaf.bytes, leaf.start, leaf.end, leaf.count);
        this.#changed(previous, before);
        this.length += leaf.count;
        this.#byteLength += leaf.byteLength;
        this.#forget(leaf);
      } else {
        leaves[kept++] = leaf;
      }
    }
    leaves.length = kept;
  }

  // ── leaves and their numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A new leaf, at this place. */
  #openLeaf(at: number): ListLeaf {
    const leaf = new ListLeaf(this.#leaves.length === 0 ? FIRST_NUMBER : this.#numberBefore(at));
    if (at === this.#leaves.length) this.#leaves.push(leaf);
    else if (at === 0) this.#leaves.unshift(leaf);
    else this.#leaves.splice(at, 0, leaf);
    this.residentBytes += leaf.residentBytes;
    return leaf;
  }

  /** Its elements are gone, or elsewhere. */
  #forget(leaf: ListLeaf): void {
    this.length -= leaf.count;
    this.#byteLength -= leaf.byteLength;
    this.residentBytes -= leaf.residentBytes;
    if (this.#isLarge) this.#parts!.mark(leaf.number, 0);
  }

  #changed(leaf: ListLeaf, residentBefore: number): void {
    this.residentBytes += leaf.residentBytes - residentBefore;
    if (this.#isLarge) this.#parts!.mark(leaf.number, leaf.byteLength);
  }

  /** Whether leaves are parts may be different from now on: then all of them are to be written, or are no rows any more. */
  #settle(): void {
    const isLarge = this.#leaves.length > 1 || this.#byteLength > LEAF_BYTES;
    if (isLarge === this.#isLarge) return;
    this.#isLarge = isLarge;
    this.#parts ??= new ValueParts(this.#meter);
    for (const leaf of this.#leaves) this.#parts.mark(leaf.number, leaf.byteLength);
  }

  /** A free number for a leaf that will stand at place `at`. */
  #numberBefore(at: number): number {
    const leaves = this.#leaves;
    for (;;) {
      const low = at === 0 ? 0 : leaves[at - 1]!.number;
      const high = at === leaves.length ? NUMBER_END : leaves[at]!.number;
      if (high - low > 2 * NUMBER_STEP) {
        if (at === leaves.length) return low + NUMBER_STEP;
        if (at === 0) return high - NUMBER_STEP;
      }
      if (high - low >= 2) return Math.floor((low + high) / 2);
      this.#numberAnew(at);
    }
  }

  /** Spreads the numbers of as many leaves around the place as it takes to have room between them. */
  #numberAnew(at: number): void {
    const leaves = this.#leaves;
    for (let reach = 2; ; reach *= 2) {
      const from = Math.max(0, at - reach);
      const to = Math.min(leaves.length, at + reach);
      const low = from === 0 ? 0 : leaves[from - 1]!.number;
      const high = to === leaves.length ? NUMBER_END : leaves[to]!.number;
      const step = Math.floor((high - low) / (to - from + 1));
      if (step < NUMBER_ROOM && to - from < leaves.length) continue;
      assert(step >= 2, "a list has too many leaves");
      for (let i = from; i < to; i++) this.#number(leaves[i]!, low + step * (i - from + 1));
      return;
    }
  }

  #number(leaf: ListLeaf, number: number): void {
    if (this.#isLarge) {
      this.#parts!.mark(leaf.number, 0);
      this.#parts!.mark(number, leaf.byteLength);
    }
    leaf.number = number;
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Which leaf has the element, and which one of the leaf's it is. */
  #place(index: number): readonly [leaf: number, within: number] {
    assert(index >= 0 && index < this.length, "an element that the list has");
    const leaves = this.#leaves;
    if (index < this.length / 2) {
      let at = 0;
      for (; index >= leaves[at]!.count; at++) index -= leaves[at]!.count;
      return [at, index];
    }
    let behind = this.length - index;
    let at = leaves.length - 1;
    for (; behind > leaves[at]!.count; at--) behind -= leaves[at]!.count;
    return [at, leaves[at]!.count - behind];
  }

  visit(from: number, count: number, isBackwards: boolean, visit: ElementVisit): void {
    if (count < 1 || this.length === 0) return;
    let [at, within] = this.#place(from);
    for (let left = count; left > 0;) {
      const leaf = this.#leaves[at]!;
      const { bytes } = leaf;
      let offset = leaf.offsetOf(isBackwards ? within + 1 : within);
      let inLeaf = Math.min(left, isBackwards ? within + 1 : leaf.count - within);
      left -= inLeaf;
      for (; inLeaf > 0; inLeaf--) {
        if (isBackwards) offset = elementBefore(bytes, offset);
        if (!visitElement(bytes, offset, visit)) return;
        if (!isBackwards) offset = behindElement(bytes, offset);
      }
      at += isBackwards ? -1 : 1;
      if (left > 0) within = isBackwards ? this.#leaves[at]!.count - 1 : 0;
    }
  }

  // ── rows and images ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  writeHead(writer: ByteWriter): void {
    writer.u32(this.length);
    writer.u32(this.#isLarge ? this.#leaves.length : 0);
    if (!this.#isLarge) this.writeImage(writer);
  }

  writePart(number: number, writer: ByteWriter): boolean {
    if (!this.#isLarge) return false;
    const leaves = this.#leaves;
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (leaves[middle]!.number < number) low = middle + 1;
      else high = middle;
    }
    const leaf = leaves[low];
    if (leaf === undefined || leaf.number !== number) return false;
    writer.raw(leaf.bytes, leaf.start, leaf.end);
    return true;
  }

  get imageBytesMax(): number {
    return this.#byteLength;
  }

  writeImage(writer: ByteWriter): void {
    for (const leaf of this.#leaves) writer.raw(leaf.bytes, leaf.start, leaf.end);
  }

  hash(mixer: Mixer): void {
    mixer.number(this.length);
    this.visit(0, this.length, false, (bytes, start, end) => {
      mixer.bytes(bytes.subarray(start, end));
      return true;
    });
  }

  verify(): void {
    let length = 0;
    let byteLength = 0;
    let residentBytes = LIST_OVERHEAD_BYTES;
    let number = 0;
    for (const leaf of this.#leaves) {
      let count = 0;
      let at = leaf.start;
      for (; at < leaf.end; at = behindElement(leaf.bytes, at)) count++;
      if (at !== leaf.end || count !== leaf.count || count === 0) throw new Error("a leaf of a list is miscounted");
      if (leaf.byteLength > LEAF_BYTES && count > 1) throw new Error("a leaf of a list is too long");
      if (leaf.number <= number || leaf.number >= NUMBER_END) throw new Error("leaves of a list are out of order");
      ({ number } = leaf);
      length += count;
      byteLength += leaf.byteLength;
      residentBytes += leaf.residentBytes;
    }
    const isRight = length === this.length && byteLength === this.#byteLength && residentBytes === this.residentBytes;
    if (!isRight || length === 0) throw new Error("a list is miscounted");
  }

  static read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): ListValue {
    const length = head.u32();
    const leafCount = head.u32();
    if (leafCount !== parts.size) throw new DamagedRowError("parts of a list are missing or left over");
    const value = leafCount === 0 ? ListValue.readImage(head, meter) : ListValue.#ofParts(parts, meter);
    if (value.length !== length || value.#isLarge !== leafCount > 0) throw new DamagedRowError("a list is miscounted");
    return value;
  }

  static #ofParts(parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): ListValue {
    const value = new ListValue(meter);
    const stored = new ValueParts(meter);
    for (const number of [...parts.keys()].sort((a, b) => a - b)) {
      value.#takeLeaf(parts.get(number)!, number);
      stored.stored.add(number);
    }
    value.#isLarge = value.#leaves.length > 1 || value.#byteLength > LEAF_BYTES;
    value.#parts = stored;
    return value;
  }

  #takeLeaf(reader: ByteReader, number: number): void {
    const { bytes, offset, remaining } = reader;
    const count = countElements(reader);
    if (count === 0 || number === 0) throw new DamagedRowError("a leaf of a list without elements");
    const leaf = new ListLeaf(number);
    leaf.addLast(bytes, offset, offset + remaining, count);
    this.#leaves.push(leaf);
    this.length += count;
    this.#byteLength += remaining;
    this.residentBytes += leaf.residentBytes;
  }

  static readImage(reader: ByteReader, meter: DirtyMeter): ListValue {
    const value = new ListValue(meter);
    const { bytes, offset, end } = reader;
    if (countElements(reader) === 0) throw new DamagedRowError("a list without elements");
    for (let at = offset; at < end;) {
      const next = behindElement(bytes, at);
      value.push(false, bytes, at, next);
      at = next;
    }
    return value;
  }
}

export const listKind: ValueKindRecord = {
  kind: LIST_KIND,
  type: "list",
  read: (head, parts, meter) => ListValue.read(head, parts, meter),
  readImage: (reader, meter) => ListValue.readImage(reader, meter),
};
