/** A leaf of fields with their values (field-record.ts): of a table, or all fields of a small hash in the order in which they came. */
import { countFieldRecords, fieldEnd, fieldStart, findField, readFieldAt, recordEnd } from "./field-record.ts";
import { RecordLeaf } from "./record-leaf.ts";

export class FieldLeaf extends RecordLeaf {
  keyStart(at: number): number {
    readFieldAt(this.bytes, at);
    return fieldStart;
  }

  keyEnd(at: number): number {
    readFieldAt(this.bytes, at);
    return fieldEnd;
  }

  behind(at: number): number {
    readFieldAt(this.bytes, at);
    return recordEnd;
  }

  /** As `findField`. */
  find(source: Uint8Array, start: number, end: number): number {
    return findField(this.bytes, this.used, source, start, end);
  }

  protected countRecords(): number {
    return countFieldRecords(this.bytes, 0, this.used);
  }
}
