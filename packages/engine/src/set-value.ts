/**
 * A set: its members in leaves by their hash (member-table.ts).
 *
 *   head   u32 seed · u8 1: an intset · the table (table-rows.ts)
 *   part   number n: records of leaf n (member-leaf.ts)
 *   image  u32 seed · u8 1: an intset as long as its members allow it · {varint length · bytes}… to the end
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { MemberTable, type MemberVisitor } from "./member-table.ts";
import { readMembers } from "./member-list.ts";
import type { Mixer } from "./mixer.ts";
import type { SetView } from "./set-api.ts";
import { TableRows } from "./table-rows.ts";
import type { ValueParts } from "./value-parts.ts";
import { Value, type ValueKindRecord } from "./value.ts";

/** In rows and images, for ever. */
export const SET_KIND = 4;
const HEAD_BYTES = 5;
/** This object and its fields. */
const SET_OVERHEAD_BYTES = 160;

export class SetValue extends Value implements SetView {
  #table: MemberTable;
  readonly #rows: TableRows;

  constructor(seed: number, meter: DirtyMeter) {
    super();
    this.#rows = new TableRows(meter);
    this.#table = new MemberTable(seed, this.#rows);
    this.#rows.follow(this.#table);
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
    this.#table = new MemberTable(this.#table.seed, this.#rows);
    this.#rows.follow(this.#table);
  }

  get parts(): ValueParts | null {
    return this.#rows.parts;
  }

  get headBytes(): number {
    return HEAD_BYTES + this.#rows.headBytes;
  }

  writeHead(writer: ByteWriter): void {
    writer.u32(this.#table.seed);
    writer.u8(this.#table.isIntset ? 1 : 0);
    this.#rows.writeHead(writer);
  }

  writePart(number: number, writer: ByteWriter): boolean {
    return this.#rows.writePart(number, writer);
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
    this.#rows.verify();
    if (this.#table.count === 0) throw new Error("an empty set");
  }

  static read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): SetValue {
    const value = new SetValue(head.u32(), meter);
    const isIntset = head.u8() === 1;
    value.#rows.read(head, parts, (bodies) => value.#table.takeLeaves(bodies, isIntset));
    if (value.size === 0) throw new DamagedRowError("an empty set");
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
    readMembers(reader, (bytes, start, end) => this.#table.add(bytes, start, end));
  }
}

export const setKind: ValueKindRecord = {
  kind: SET_KIND,
  type: "set",
  read: (head, parts, meter) => SetValue.read(head, parts, meter),
  readImage: (reader, meter) => SetValue.readImage(reader, meter),
};
