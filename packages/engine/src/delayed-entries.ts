/**
 * What of a stream is delayed (XADD DELAY, AT): entries without an id, by when they are due, then by arrival. They are state and stay in memory, since
 * `apply` builds the entry of them when it is released. Each has a row of its own, so that a capture writes what has come and removes what has gone.
 */
import { assert } from "@headrace/bytes";
import type { AppendTrim, DelayedEntryView, DelayedView } from "./delays-api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { DueOrder } from "./due-order.ts";

/** A row beside its fields. */
const ROW_BYTES = 64;
/** An entry with its place in order and table beside its fields, in memory; about. */
const ENTRY_BYTES = 280;

export class DelayedEntry implements DelayedEntryView {
  /** One of the shard's ages: it names the entry's row, and nothing has had it before or will have it again. */
  readonly number: number;
  readonly dueMs: number;
  readonly trim: AppendTrim | null;
  readonly elementCount: number;
  readonly fields: Uint8Array;
  dirty: boolean;
  persisted: boolean;

  constructor(number: number, dueMs: number, trim: AppendTrim | null, elementCount: number, fields: Uint8Array) {
    this.number = number;
    this.dueMs = dueMs;
    this.trim = trim;
    this.elementCount = elementCount;
    this.fields = fields;
    this.dirty = false;
    this.persisted = false;
  }
}

export class DelayedEntries implements DelayedView {
  /** Of all fields. */
  byteLength: number;
  /** For capture: those whose rows are missing, and numbers whose rows have to go. */
  dirtyEntries: DelayedEntry[];
  droppedNumbers: number[];
  readonly #byNumber: Map<number, DelayedEntry>;
  readonly #order: DueOrder<DelayedEntry>;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    this.byteLength = 0;
    this.dirtyEntries = [];
    this.droppedNumbers = [];
    this.#byNumber = new Map();
    this.#order = new DueOrder();
    this.#meter = meter;
  }

  get count(): number {
    return this.#byNumber.size;
  }

  get first(): DelayedEntry | null {
    return this.#order.first;
  }

  get firstDueMs(): number {
    const { first } = this.#order;
    return first === null ? Number.POSITIVE_INFINITY : first.dueMs;
  }

  /** See resident-bytes.ts. */
  get residentBytes(): number {
    return this.count * ENTRY_BYTES + this.byteLength;
  }

  find(number: number): DelayedEntry | null {
    return this.#byNumber.get(number) ?? null;
  }

  visit(visit: (entry: DelayedEntry) => boolean): void {
    this.#order.visit(visit);
  }

  add(entry: DelayedEntry): void {
    assert(this.adopt(entry), "a delayed entry has a number of its own");
    this.#meter.fixedBytes += ENTRY_BYTES + entry.fields.length;
    this.#meter.delayedEntries++;
    this.markDirty(entry);
  }

  /** It is there no more: released or cancelled. */
  take(number: number): DelayedEntry {
    const entry = this.#byNumber.get(number);
    assert(entry !== undefined, "no such delayed entry");
    this.drop(entry);
    this.#meter.fixedBytes -= ENTRY_BYTES + entry.fields.length;
    this.#meter.delayedEntries--;
    if (entry.persisted) this.droppedNumbers.push(number);
    return entry;
  }

  markDirty(entry: DelayedEntry): void {
    if (entry.dirty) return;
    entry.dirty = true;
    this.dirtyEntries.push(entry);
    this.#meter.bytes += ROW_BYTES + entry.fields.length;
  }

  /** Takes in an entry, a new one or one that was loaded. False: its number is taken. */
  adopt(entry: DelayedEntry): boolean {
    if (this.#byNumber.has(entry.number)) return false;
    this.#byNumber.set(entry.number, entry);
    this.#order.add(entry);
    this.byteLength += entry.fields.length;
    return true;
  }

  /** Rollback: as if it had never come. */
  drop(entry: DelayedEntry): void {
    this.#byNumber.delete(entry.number);
    this.#order.remove(entry);
    this.byteLength -= entry.fields.length;
  }

  /** It is one of the stream's. */
  has(entry: DelayedEntry): boolean {
    return this.#byNumber.get(entry.number) === entry;
  }

  verify(nextAge: number): void {
    let byteLength = 0;
    this.#order.verify(this.count);
    this.#order.visit((entry) => {
      assert(this.has(entry), "order and table of delayed entries differ");
      assert(entry.number < nextAge, "a delayed entry's number is from the future");
      byteLength += entry.fields.length;
      return true;
    });
    assert(byteLength === this.byteLength, "bytes of delayed entries miscounted");
    for (const entry of this.dirtyEntries) assert(entry.dirty, "clean delayed entry on the dirty list");
  }
}
