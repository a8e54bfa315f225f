/**
 * Keys at rest, small streams and other small values: nothing is dirty, everything is in the store and no entry is in memory. Each stands as one short record (packed-record.ts) in a few
 * large arrays, found by name. About 150 bytes for a plain stream of one block; as objects it takes two thousand.
 *
 * PACKED AND UNPACKED ARE THE SAME STATE. Packing and unpacking are no effects: no row, hash, reply or order tells which of the two a key is, and
 * replicas differ in it. So whoever asks for a key by name, or by its age, gets it unpacked (keyspace-state.ts); who only walks over keys gets the name.
 * A rollback never meets a packed key that it would have to change: one that was written since the checkpoint is not packed.
 *
 * Records are known by number. A number is good until the record is removed.
 */
import { assert, ByteWriter, slotOfKey } from "@headrace/bytes";
import type { DirtyMeter } from "./dirty-meter.ts";
import { buildKey, type KeyParts } from "./key-parts.ts";
import type { AnyKey } from "./stored-key.ts";
import type { KeyType } from "./value-api.ts";
import { NameIndex } from "./name-index.ts";
import {
  PackedRecords,
  type ReadRecord,
  readRecord,
  recordBears,
  recordName,
  recordRows,
  recordType,
} from "./packed-record.ts";
import { RecordSlabs } from "./record-slabs.ts";

export class PackedStreams {
  readonly #slabs: RecordSlabs;
  readonly #index: NameIndex;
  readonly #records: PackedRecords;
  readonly #scratch: ByteWriter;

  constructor() {
    const slabs = new RecordSlabs();
    this.#slabs = slabs;
    this.#index = new NameIndex((record, name) => recordBears(slabs.bytesOf(record), slabs.placeOf(record), name));
    this.#records = new PackedRecords();
    this.#scratch = new ByteWriter();
  }

  get size(): number {
    return this.#slabs.size;
  }

  /** Allocated for all of them. */
  get byteLength(): number {
    return this.#slabs.byteLength + this.#index.byteLength;
  }

  get hasRoom(): boolean {
    return this.#slabs.hasRoom;
  }

  clear(): void {
    this.#slabs.clear();
    this.#index.clear();
  }

  /** A record of a packable key; the caller lets go of the key. `usedAtSeconds`: 0 when nobody has used it here. */
  add(key: AnyKey, usedAtSeconds: number): number {
    const { bytes, length } = this.#records.encode(key, usedAtSeconds);
    const record = this.#slabs.add(bytes, length);
    this.#index.add(key.key, record);
    return record;
  }

  /** −1: there is none of that name. */
  find(name: string): number {
    return this.#index.find(name);
  }

  nameOf(record: number): string {
    return recordName(this.#slabs.bytesOf(record), this.#slabs.placeOf(record));
  }

  typeOf(record: number): KeyType {
    return recordType(this.#slabs.bytesOf(record), this.#slabs.placeOf(record));
  }

  /** How many rows the store has of it, but for its entries. */
  rowsOf(record: number): number {
    return recordRows(this.#slabs.bytesOf(record), this.#slabs.placeOf(record));
  }

  /** What its rows say; they stay true when the record is gone. */
  partsOf(record: number): KeyParts {
    return this.#read(record, new ByteWriter()).parts;
  }

  /** The key as objects. Whether it is the one, or a copy for who only looks, is the caller's business. */
  keyOf(record: number, meter: DirtyMeter): AnyKey {
    this.#scratch.clear();
    const { parts, usedAtSeconds, known } = this.#read(record, this.#scratch);
    const key = buildKey(parts, meter);
    key.usedAtSeconds = usedAtSeconds;
    if (known !== null) key.stream!.entries.readKnown(known);
    return key;
  }

  #read(record: number, scratch: ByteWriter): ReadRecord {
    const slot = slotOfKey(this.nameOf(record));
    return readRecord(this.#slabs.bytesOf(record), this.#slabs.placeOf(record), slot, scratch);
  }

  remove(record: number): void {
    this.#index.remove(this.nameOf(record));
    this.#slabs.remove(record);
  }

  verify(): void {
    let count = 0;
    this.#slabs.visit((record) => {
      assert(this.#index.find(this.nameOf(record)) === record, "a packed key is not found by its name");
      count++;
    });
    assert(count === this.size && count === this.#index.size, "packed keys miscounted");
  }
}
