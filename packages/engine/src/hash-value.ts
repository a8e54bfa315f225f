/**
 * A hash: fields with values, as the bytes that HGETALL answers (field-record.ts). What Redis keeps in a listpack is one stretch of records in the order in which
 * the fields were made: few bytes are a latin1 string of V8, which takes no buffer beside it, more a leaf with room to grow. A larger hash is a table of leaves
 * (field-table.ts), and stays one.
 *
 *   head   u32 seed · u8 flags (1: a table) · of a table its rows (table-rows.ts), else the records
 *   part   number n: records of leaf n
 *   image  u32 seed · u8 flags · records
 */
import { copyBytes, latin1, writeLatin1, type ByteReader, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { FieldLeaf } from "./field-leaf.ts";
import {
  countFieldRecords,
  fieldEnd,
  fieldStart,
  findField,
  readFieldAt,
  recordEnd,
  valueEnd,
  valueStart,
} from "./field-record.ts";
import { FieldTable, forEachRecord } from "./field-table.ts";
import type { FieldValue, FieldVisit, HashView } from "./hash-api.ts";
import type { Mixer } from "./mixer.ts";
import { TableRows } from "./table-rows.ts";
import type { ValueParts } from "./value-parts.ts";
import { Value, type ValueKindRecord } from "./value.ts";

/** In rows and images, for ever. */
export const HASH_KIND = 2;
/** Redis' hash-max-listpack-entries and -value: beyond, or once it was beyond, it is a hash table. For ever: `apply` decides by them. */
export const LISTPACK_FIELDS_MAX = 512;
const LISTPACK_BYTES_MAX = 64;
const Flag = { table: 1 } as const;
const HEAD_BYTES = 5;
/** Records that are kept as a string. */
const TEXT_BYTES_MAX = 512;
/** A leaf becomes a string again when no more is left. */
const TEXT_BYTES_AGAIN = TEXT_BYTES_MAX / 2;
/** This object; a string's head. */
const HASH_OVERHEAD_BYTES = 80;
const TEXT_OVERHEAD_BYTES = 24;
/** The rows of a table. */
const TABLE_OVERHEAD_BYTES = 80;

/** Where the bytes of a string are looked at: those of one hash at a time. */
const textBytes = new Uint8Array(TEXT_BYTES_MAX);

function textAsBytes(text: string): Uint8Array {
  writeLatin1(textBytes, 0, text);
  return textBytes;
}

/** For a visitor of records. */
function visiting(visit: FieldVisit): (bytes: Uint8Array, at: number) => void {
  return (bytes, at) => {
    readFieldAt(bytes, at);
    visit(bytes, fieldStart, fieldEnd, valueStart, valueEnd);
  };
}

export class HashValue extends Value implements HashView {
  readonly #seed: number;
  /** Of the string or leaf. */
  #count: number;
  #text: string;
  #leaf: FieldLeaf | null;
  #table: FieldTable | null;
  /** Of the table. */
  #rows: TableRows | null;

  constructor(seed: number) {
    super();
    // A small integer, for V8, whatever its bits.
    this.#seed = seed | 0;
    this.#count = 0;
    this.#text = "";
    this.#leaf = null;
    this.#table = null;
    this.#rows = null;
  }

  get kind(): number {
    return HASH_KIND;
  }

  get type(): "hash" {
    return "hash";
  }

  get encoding(): string {
    return this.#table === null ? "listpack" : "hashtable";
  }

  get isListpack(): boolean {
    return this.#table === null;
  }

  get size(): number {
    return this.#table === null ? this.#count : this.#table.count;
  }

  get recordBytes(): number {
    return this.#table === null ? this.#used : this.#table.recordBytes;
  }

  get residentBytes(): number {
    if (this.#table !== null) return HASH_OVERHEAD_BYTES + TABLE_OVERHEAD_BYTES + this.#table.residentBytes;
    const small = this.#leaf === null ? TEXT_OVERHEAD_BYTES + this.#text.length : this.#leaf.residentBytes;
    return HASH_OVERHEAD_BYTES + small;
  }

  /** Bytes of the string's or leaf's records. */
  get #used(): number {
    return this.#leaf === null ? this.#text.length : this.#leaf.used;
  }

  /** Their bytes from 0 on, until the next look at another hash. */
  #small(): Uint8Array {
    return this.#leaf === null ? textAsBytes(this.#text) : this.#leaf.bytes;
  }

  find(bytes: Uint8Array, start: number, end: number): FieldValue | null {
    let found: Uint8Array | null;
    if (this.#table === null) {
      found = this.#small();
      if (findField(found, this.#used, bytes, start, end) < 0) return null;
    } else {
      found = this.#table.bytesWith(bytes, start, end);
      if (found === null) return null;
    }
    return { bytes: found, start: valueStart, end: valueEnd };
  }

  forEach(visit: FieldVisit): void {
    const each = visiting(visit);
    this.forEachStretch((bytes, start, end) => forEachRecord(bytes, start, end, each));
  }

  forEachStretch(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    if (this.#table === null) visit(this.#small(), 0, this.#used);
    else this.#table.forEachStretch(visit);
  }

  at(index: number, visit: FieldVisit): void {
    const found = visiting(visit);
    if (this.#table !== null) return this.#table.at(index, found);
    const bytes = this.#small();
    let at = 0;
    for (let left = index; left > 0; left--, at = recordEnd) readFieldAt(bytes, at);
    found(bytes, at);
  }

  scan(cursor: number, count: number, visit: FieldVisit): number {
    return this.#table!.scan(cursor, count, visiting(visit));
  }

  // ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The record that begins at source[start] becomes that of its field; answers where it ends. */
  put(source: Uint8Array, start: number, meter: DirtyMeter): number {
    readFieldAt(source, start);
    const [from, to, end] = [fieldStart, fieldEnd, recordEnd];
    const isLong = to - from > LISTPACK_BYTES_MAX || valueEnd - valueStart > LISTPACK_BYTES_MAX;
    if (this.#table === null && isLong) this.becomeTable(meter);
    if (this.#table !== null) {
      this.#table.put(source, start, end, from, to);
      return end;
    }
    if (this.#leaf === null) this.#putIntoText(source, start, end, from, to);
    else this.#putIntoLeaf(this.#leaf, source, start, end, from, to);
    if (this.#count > LISTPACK_FIELDS_MAX) this.becomeTable(meter);
    return end;
  }

  #putIntoText(source: Uint8Array, start: number, end: number, from: number, to: number): void {
    const used = this.#text.length;
    const bytes = textAsBytes(this.#text);
    const found = findField(bytes, used, source, from, to);
    const at = found < 0 ? used : found;
    const behind = found < 0 ? used : recordEnd;
    const after = used + end - start - (behind - at);
    if (after > TEXT_BYTES_MAX) {
      const leaf = this.#leafOf(bytes, used);
      return this.#putIntoLeaf(leaf, source, start, end, from, to);
    }
    bytes.copyWithin(at + end - start, behind, used);
    copyBytes(bytes, at, source, start, end);
    this.#text = latin1(bytes, 0, after);
    if (found < 0) this.#count++;
  }

  /** A leaf instead of the string. */
  #leafOf(bytes: Uint8Array, used: number): FieldLeaf {
    const leaf = new FieldLeaf();
    leaf.take(bytes, 0, used);
    this.#leaf = leaf;
    this.#text = "";
    return leaf;
  }

  #putIntoLeaf(leaf: FieldLeaf, source: Uint8Array, start: number, end: number, from: number, to: number): void {
    const at = leaf.find(source, from, to);
    if (at < 0) leaf.append(source, start, end);
    else leaf.replaceAt(at, source, start, end);
    this.#leafChanged(leaf);
  }

  #leafChanged(leaf: FieldLeaf): void {
    this.#count = leaf.count;
    if (leaf.used > TEXT_BYTES_AGAIN) return;
    this.#text = latin1(leaf.bytes, 0, leaf.used);
    this.#leaf = null;
  }

  /** The field source[start, end) is there no more, whether it was or not. */
  remove(source: Uint8Array, start: number, end: number): void {
    if (this.#table !== null) {
      this.#table.remove(source, start, end);
      return;
    }
    const bytes = this.#small();
    const used = this.#used;
    const at = findField(bytes, used, source, start, end);
    if (at < 0) return;
    if (this.#leaf !== null) {
      this.#leaf.removeAt(at);
      return this.#leafChanged(this.#leaf);
    }
    const behind = recordEnd;
    bytes.copyWithin(at, behind, used);
    this.#text = latin1(bytes, 0, used - (behind - at));
    this.#count--;
  }

  /** For ever, whatever becomes of its fields. */
  becomeTable(meter: DirtyMeter): void {
    const rows = new TableRows(meter);
    const table = new FieldTable(this.#seed, rows);
    rows.follow(table);
    forEachRecord(this.#small(), 0, this.#used, (bytes, at) => {
      readFieldAt(bytes, at);
      table.put(bytes, at, recordEnd, fieldStart, fieldEnd);
    });
    this.#table = table;
    this.#rows = rows;
    this.#text = "";
    this.#leaf = null;
    this.#count = 0;
  }

  // ── rows and images ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  get parts(): ValueParts | null {
    return this.#rows === null ? null : this.#rows.parts;
  }

  get headBytes(): number {
    return HEAD_BYTES + (this.#rows === null ? this.#used : this.#rows.headBytes);
  }

  #writeBeginning(writer: ByteWriter): void {
    writer.u32(this.#seed >>> 0);
    writer.u8(this.#table === null ? 0 : Flag.table);
  }

  #writeSmall(writer: ByteWriter): void {
    if (this.#leaf === null) writer.latin1(this.#text);
    else writer.raw(this.#leaf.bytes, 0, this.#leaf.used);
  }

  writeHead(writer: ByteWriter): void {
    this.#writeBeginning(writer);
    if (this.#rows === null) this.#writeSmall(writer);
    else this.#rows.writeHead(writer);
  }

  writePart(number: number, writer: ByteWriter): boolean {
    return this.#rows !== null && this.#rows.writePart(number, writer);
  }

  get imageBytesMax(): number {
    return HEAD_BYTES + this.recordBytes;
  }

  writeImage(writer: ByteWriter): void {
    this.#writeBeginning(writer);
    if (this.#table === null) this.#writeSmall(writer);
    else this.#table.forEachStretch((bytes, start, end) => writer.raw(bytes, start, end));
  }

  hash(mixer: Mixer): void {
    mixer.word(this.#table === null ? 0 : Flag.table);
    if (this.#table !== null) return this.#table.hash(mixer);
    mixer.word(this.#seed);
    mixer.bytes(this.#small().subarray(0, this.#used));
  }

  verify(): void {
    if (this.size === 0) throw new Error("an empty hash");
    if (this.#table !== null) {
      this.#table.verify();
      this.#rows!.verify();
      return;
    }
    const [bytes, used] = [this.#small(), this.#used];
    if (countFieldRecords(bytes, 0, used) !== this.#count) throw new Error("a hash is miscounted");
    if (this.#count > LISTPACK_FIELDS_MAX) throw new Error("a hash that should be a table");
    forEachRecord(bytes, 0, used, (_, at) => {
      readFieldAt(bytes, at);
      if (findField(bytes, used, bytes, fieldStart, fieldEnd) !== at) throw new Error("a field is there twice");
    });
  }

  static read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): HashValue {
    const value = new HashValue(head.u32());
    if ((head.u8() & Flag.table) !== 0) {
      value.becomeTable(meter);
      value.#rows!.read(head, parts, (bodies) => value.#table!.takeLeaves(bodies));
    } else {
      if (parts.size > 0) throw new DamagedRowError("parts of a hash that has none");
      const { remaining } = head;
      const at = head.skip(remaining);
      const leaf = new FieldLeaf();
      leaf.take(head.bytes, at, at + remaining);
      value.#count = leaf.count;
      if (leaf.used <= TEXT_BYTES_MAX) value.#text = latin1(leaf.bytes, 0, leaf.used);
      else value.#leaf = leaf;
    }
    if (value.size === 0) throw new DamagedRowError("an empty hash");
    return value;
  }

  static readImage(reader: ByteReader, meter: DirtyMeter): HashValue {
    const value = new HashValue(reader.u32());
    if ((reader.u8() & Flag.table) !== 0) value.becomeTable(meter);
    value.putAll(reader, meter);
    return value;
  }

  /** Records to the end. */
  putAll(reader: ByteReader, meter: DirtyMeter): void {
    const end = reader.offset + reader.remaining;
    for (let at = reader.skip(reader.remaining); at < end;) at = this.put(reader.bytes, at, meter);
  }
}

export const hashKind: ValueKindRecord = {
  kind: HASH_KIND,
  type: "hash",
  read: (head, parts, meter) => HashValue.read(head, parts, meter),
  readImage: (reader, meter) => HashValue.readImage(reader, meter),
};
