/** The fields of a large hash with their values, in leaves by the hash of the field (leaf-table.ts). */
import { FieldLeaf } from "./field-leaf.ts";
import { findField, readFieldAt, recordEnd } from "./field-record.ts";
import { type LeafBody, LeafTable } from "./leaf-table.ts";
import type { Mixer } from "./mixer.ts";

/** A record begins at bytes[at]. */
export type RecordVisitor = (bytes: Uint8Array, at: number) => void;

export class FieldTable extends LeafTable<FieldLeaf> {
  protected newLeaf(): FieldLeaf {
    return new FieldLeaf();
  }

  /** The bytes that hold the field's record, which has been read then (field-record.ts); null: it is not there. */
  bytesWith(source: Uint8Array, start: number, end: number): Uint8Array | null {
    const leaf = this.leaves[this.leafOf(this.hashOf(source, start, end))]!;
    return leaf.find(source, start, end) < 0 ? null : leaf.bytes;
  }

  /** source[start, end) is a record of the field source[keyStart, keyEnd), instead of the one that the field has, if it has one. */
  put(source: Uint8Array, start: number, end: number, keyStart: number, keyEnd: number): void {
    const number = this.leafOf(this.hashOf(source, keyStart, keyEnd));
    const leaf = this.leaves[number]!;
    const { residentBytes, used } = leaf;
    const at = leaf.find(source, keyStart, keyEnd);
    if (at < 0) leaf.append(source, start, end);
    else leaf.replaceAt(at, source, start, end);
    this.changed(number, at < 0 ? 1 : 0, residentBytes, used);
  }

  /** False: it was not there. */
  remove(source: Uint8Array, start: number, end: number): boolean {
    const number = this.leafOf(this.hashOf(source, start, end));
    const leaf = this.leaves[number]!;
    const at = leaf.find(source, start, end);
    if (at < 0) return false;
    const { residentBytes, used } = leaf;
    leaf.removeAt(at);
    this.changed(number, -1, residentBytes, used);
    return true;
  }

  /** The `index`-th of all records, in no order that means anything. */
  at(index: number, visit: RecordVisitor): void {
    this.recordAt(index, visit);
  }

  /** As `scanRecords`. */
  scan(cursor: number, count: number, visit: RecordVisitor): number {
    return this.scanRecords(cursor, count, visit);
  }

  /** All records, as stretches of bytes. */
  forEachStretch(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    for (const { bytes, used } of this.leaves) visit(bytes, 0, used);
  }

  /** Leaves out of rows. Throws DamagedRowError. */
  takeLeaves(bodies: readonly LeafBody[]): void {
    this.takeBodies(bodies);
  }

  hash(mixer: Mixer): void {
    mixer.word(this.seed);
    this.hashLeaves(mixer);
  }

  protected verifyRecord(leaf: FieldLeaf, at: number): void {
    if (findField(leaf.bytes, leaf.used, leaf.bytes, leaf.keyStart(at), leaf.keyEnd(at)) !== at)
      throw new Error("a field lies there twice");
  }
}

/** Records of bytes[start, end), one after the other. `visit` may read others meanwhile. */
export function forEachRecord(bytes: Uint8Array, start: number, end: number, visit: RecordVisitor): void {
  for (let at = start; at < end;) {
    readFieldAt(bytes, at);
    const behind = recordEnd;
    visit(bytes, at);
    at = behind;
  }
}
