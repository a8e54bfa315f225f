/**
 * A set: its members in leaves by their hash (member-table.ts). One leaf of up to 64 KiB is all head; else every leaf is a part.
 *
 *   head   u32 seed · u8 1: an intset · u32 leaves · the leaf, if it is the only one and that small
 *   part   number n: records of leaf n (member-leaf.ts)
 *   image  u32 seed · u8 1: an intset as long as its members allow it · {varint length · bytes}… to the end
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { MemberLeaf } from "./member-leaf.ts";
import { type LeafListener, MemberTable, type MemberVisitor } from "./member-table.ts";
import type { Mixer } from "./mixer.ts";
import type { SetView } from "./set-api.ts";
import { ValueParts } from "./value-parts.ts";
import { Value, type ValueKindRecord } from "./value.ts";

/** In rows and images, for ever. */
export const SET_KIND = 4;
const HEAD_LEAF_BYTES_MAX = 64 * 1024;
const HEAD_BYTES = 9;
/** This object and its fields. */
const SET_OVERHEAD_BYTES = 120;

export class SetValue extends Value implements SetView, LeafListener {
  #table: MemberTable;
  #parts: ValueParts | null;
  readonly #meter: DirtyMeter;

  constructor(seed: number, meter: DirtyMeter) {
    super();
    this.#table = new MemberTable(seed, this);
    this.#parts = null;
    this.#meter = meter;
  }

  get kind(): number {
    return SET_KIND;
  }

  get type(): "set" {
    return "set";
  }

  get encoding(): string {
    return this.#table.isIntset ? "intset" : "hashtable";
  }

  get isIntset(): boolean {
    return this.#table.isIntset;
  }

  set isIntset(isIntset: boolean) {
    this.#table.isIntset = isIntset;
  }

  get size(): number {
    return this.#table.count;
  }

  get memberBytes(): number {
    return this.#table.recordBytes;
  }

  get residentBytes(): number {
    return SET_OVERHEAD_BYTES + this.#table.residentBytes;
  }

  has(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#table.has(bytes, start, end);
  }

  some(visit: MemberVisitor): boolean {
    return this.#table.some(visit);
  }

  forEach(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.#table.forEach(visit);
  }

  at(index: number, visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.#table.at(index, visit);
  }

  scan(cursor: number, count: number, visit: (bytes: Uint8Array, start: number, end: number) => void): number {
    return this.#table.scan(cursor, count, visit);
  }

  /** What is there already stays. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.#table.add(bytes, start, end);
  }

  remove(bytes: Uint8Array, start: number, end: number): void {
    this.#table.remove(bytes, start, end);
  }

  /** Begins anew, without members. */
  clear(): void {
    const leaves = this.#table.leafCount;
    const wasSmall = this.#isSmall;
    this.#table = new MemberTable(this.#table.seed, this);
    if (!wasSmall || this.#parts !== null) for (let number = 0; number < leaves; number++) this.#mark(number);
  }

  /** Its leaf is in the head. */
  get #isSmall(): boolean {
    return this.#table.leafCount === 1 && this.#table.leafBytes(0) <= HEAD_LEAF_BYTES_MAX;
  }

  leafChanged(number: number): void {
    if (this.#parts !== null || !this.#isSmall) this.#mark(number);
  }

  #mark(number: number): void {
    this.#parts ??= new ValueParts(this.#meter);
    this.#parts.mark(number, number < this.#table.leafCount ? this.#table.leafBytes(number) : 0);
  }

  get parts(): ValueParts | null {
    return this.#parts;
  }

  get headBytes(): number {
    return HEAD_BYTES + (this.#isSmall ? this.#table.leafBytes(0) : 0);
  }

  writeHead(writer: ByteWriter): void {
    const table = this.#table;
    writer.u32(table.seed);
    writer.u8(table.isIntset ? 1 : 0);
    writer.u32(table.leafCount);
    if (this.#isSmall) writer.raw(table.leaf(0).bytes, 0, table.leaf(0).used);
  }

  writePart(number: number, writer: ByteWriter): boolean {
    const table = this.#table;
    if (this.#isSmall || number >= table.leafCount) return false;
    const { bytes, used } = table.leaf(number);
    writer.raw(bytes, 0, used);
    return true;
  }

  get imageBytesMax(): number {
    // A record has a tag more than a member of an image.
    return HEAD_BYTES + this.#table.recordBytes;
  }

  writeImage(writer: ByteWriter): void {
    writer.u32(this.#table.seed);
    writer.u8(this.#table.isIntset ? 1 : 0);
    this.#table.forEach((bytes, start, end) => {
      writer.varint(end - start);
      writer.raw(bytes, start, end);
    });
  }

  hash(mixer: Mixer): void {
    this.#table.hash(mixer);
  }

  verify(): void {
    this.#table.verify();
    if (this.#table.count === 0) throw new Error("an empty set");
    if (!this.#isSmall && this.#parts === null) throw new Error("a large set without parts");
  }

  static read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): SetValue {
    const value = new SetValue(head.u32(), meter);
    const isIntset = head.u8() === 1;
    const leafCount = head.u32();
    const leaves: MemberLeaf[] = [];
    if (parts.size === 0) {
      if (leafCount !== 1) throw new DamagedRowError("parts of a set are missing");
      const { remaining } = head;
      const at = head.skip(remaining);
      leaves.push(MemberLeaf.read(head.bytes, at, at + remaining));
    } else {
      if (parts.size !== leafCount) throw new DamagedRowError("parts of a set are missing or left over");
      const stored = new ValueParts(meter);
      for (let number = 0; number < leafCount; number++) {
        const reader = parts.get(number);
        if (reader === undefined) throw new DamagedRowError("a part of a set is missing");
        const { remaining } = reader;
        const at = reader.skip(remaining);
        leaves.push(MemberLeaf.read(reader.bytes, at, at + remaining));
        stored.stored.add(number);
      }
      value.#parts = stored;
    }
    value.#table.takeLeaves(leaves, isIntset);
    if (value.size === 0 || (parts.size === 0) !== value.#isSmall) throw new DamagedRowError("a set of another size");
    return value;
  }

  static readImage(reader: ByteReader, meter: DirtyMeter): SetValue {
    const value = new SetValue(reader.u32(), meter);
    if (reader.u8() !== 1) value.isIntset = false;
    value.addAll(reader);
    return value;
  }

  /** {varint length · bytes}… to the end. */
  addAll(reader: ByteReader): void {
    while (reader.remaining > 0) {
      const length = reader.varint();
      const at = reader.skip(length);
      this.#table.add(reader.bytes, at, at + length);
    }
  }
}

export const setKind: ValueKindRecord = {
  kind: SET_KIND,
  type: "set",
  read: (head, parts, meter) => SetValue.read(head, parts, meter),
  readImage: (reader, meter) => SetValue.readImage(reader, meter),
};
