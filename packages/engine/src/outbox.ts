/**
 * What this shard has to hand on exactly once (outbox-item.ts), and what it has taken from others: dead letters, and entries that go back. State, as
 * keys are: changed by effects alone, in rows, headers, hashes and rollbacks.
 *
 *   sender     an item has a number. It leaves when the shard that owns its target's slot has it, committed
 *   receiver   keeps for each (slot of the target, slot of the sender) the highest number that it has taken, outside of all streams; so what comes again is
 *              known again, although the stream may have been trimmed or deleted meanwhile
 *
 * Numbers are those of one counter of the shard, never below log time: one is not used again after a restore of an older backup or FLUSHALL, which would make
 * it look taken. Who hands a slot to another shard hands the counter along, and both sides of a split keep it.
 *
 * Items of one pair of slots go in the order of their numbers, or the highest number would say nothing of those below; so the first of them that is not
 * taken holds up the others of its pair.
 */
import { assert, type ByteReader, type ByteWriter, slotOfKey } from "@headrace/bytes";
import { type StateRow, DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { OutboxKind, readOutboxItem, type OutboxItem } from "./outbox-item.ts";
import { OUTBOX_AGE, ROW_VERSION, RowKind, sealRow, subkeyOf } from "./state-rows.ts";

/** Of an item in memory, beside its bytes. */
const ITEM_BYTES = 400;
const TAKEN_BYTES = 48;
/** Numbers a millisecond: 2^53 of them last until the year 2248. */
const NUMBERS_PER_MS = 1024;
const ROW_BYTES = 32;

/** The slot that items of a pair are for, and the one that they are from. */
export interface SlotPair {
  readonly targetSlot: number;
  readonly slot: number;
}

export interface TakenNumber extends SlotPair {
  readonly number: number;
}

/** What of an outbox stands in the shard's header. */
export interface OutboxMarks {
  readonly lastNumber: number;
  readonly itemCount: number;
  readonly taken: readonly TakenNumber[];
}

/** Items of one pair, in the order in which they go. */
export interface OutboxQueue extends SlotPair {
  readonly size: number;
  readonly first: StoredItem;
  [Symbol.iterator](): Iterator<StoredItem>;
}

export interface StoredItem extends OutboxItem {
  /** Log index of the entry that put it here; 0: it is in a checkpoint. Who sends it waits for that commit. */
  readonly index: number;
}

/** What handlers and the leader's turn may look at. */
export interface OutboxView {
  readonly size: number;
  readonly byteLength: number;
  /** Dead letters of the group that wait here. */
  waitingOf(key: string, group: string): number;
  queues(): Iterable<OutboxQueue>;
  /** The item with that number was taken. */
  isTaken(pair: SlotPair, number: number): boolean;
}

class Held implements StoredItem {
  readonly number: number;
  readonly slot: number;
  readonly kind: OutboxItem["kind"];
  readonly key: string;
  readonly group: string;
  readonly target: string;
  readonly id: OutboxItem["id"];
  readonly upTo: OutboxItem["upTo"];
  readonly count: number;
  readonly elements: number;
  readonly fields: Uint8Array;
  readonly bytes: Uint8Array;
  readonly index: number;
  readonly targetSlot: number;
  dirty: boolean;
  persisted: boolean;

  constructor(item: OutboxItem, index: number) {
    this.number = item.number;
    this.slot = item.slot;
    this.kind = item.kind;
    this.key = item.key;
    this.group = item.group;
    this.target = item.target;
    this.id = item.id;
    this.upTo = item.upTo;
    this.count = item.count;
    this.elements = item.elements;
    this.fields = item.fields;
    this.bytes = item.bytes;
    this.index = index;
    this.targetSlot = slotOfKey(item.target);
    this.dirty = false;
    this.persisted = index === 0;
  }
}

class Queue implements OutboxQueue {
  readonly targetSlot: number;
  readonly slot: number;
  /** Ascending by number: numbers only grow, and rollbacks make all queues anew. */
  readonly items: Set<Held>;

  constructor(targetSlot: number, slot: number) {
    this.targetSlot = targetSlot;
    this.slot = slot;
    this.items = new Set();
  }

  get size(): number {
    return this.items.size;
  }

  get first(): Held {
    const { value } = this.items.values().next();
    assert(value !== undefined, "an empty queue is none");
    return value;
  }

  [Symbol.iterator](): Iterator<Held> {
    return this.items.values();
  }
}

/** What a capture covered. */
export type CapturedItem = Held;

export class Outbox implements OutboxView {
  lastNumber: number;
  /** Since the last capture. */
  changes: number;
  #byteLength: number;
  readonly #meter: DirtyMeter;
  readonly #items: Map<number, Held>;
  readonly #queues: Map<number, Queue>;
  readonly #taken: Map<number, number>;
  /** By key and group: letters. Derived. */
  readonly #waiting: Map<string, number>;
  #dirtyItems: Held[];

  constructor(meter: DirtyMeter) {
    this.lastNumber = 0;
    this.changes = 0;
    this.#byteLength = 0;
    this.#meter = meter;
    this.#items = new Map();
    this.#queues = new Map();
    this.#taken = new Map();
    this.#waiting = new Map();
    this.#dirtyItems = [];
  }

  get size(): number {
    return this.#items.size;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** What can't leave memory. */
  get residentBytes(): number {
    return this.#byteLength + this.#taken.size * TAKEN_BYTES;
  }

  waitingOf(key: string, group: string): number {
    return this.#waiting.get(`${key.length}:${key}${group}`) ?? 0;
  }

  queues(): Iterable<OutboxQueue> {
    return this.#queues.values();
  }

  isTaken(pair: SlotPair, number: number): boolean {
    return (this.#taken.get(pairOf(pair)) ?? 0) >= number;
  }

  /** For the next item. */
  nextNumber(logTimeMs: number): number {
    const number = Math.max(this.lastNumber + 1, logTimeMs * NUMBERS_PER_MS);
    assert(Number.isSafeInteger(number), "numbers of the outbox used up");
    return number;
  }

  // ── by effects ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  put(item: OutboxItem, index: number): void {
    assert(item.number > this.lastNumber, "numbers of the outbox grow");
    this.lastNumber = item.number;
    const held = new Held(item, index);
    this.#hold(held);
    this.#markDirty(held);
    this.changes++;
  }

  /** The item is where it was to go. Rows that have to go are added to `deadRows`. */
  settle(number: number, deadRows: StateRow[]): void {
    const held = this.#items.get(number);
    assert(held !== undefined, "an item is settled that is not there");
    if (held.persisted) deadRows.push({ slot: held.slot, subkey: subkeyOfItem(number), value: null });
    this.#release(held);
    this.changes++;
  }

  /** Everything up to this number is taken. */
  take({ targetSlot, slot, number }: TakenNumber): void {
    const pair = pairOf({ targetSlot, slot });
    assert((this.#taken.get(pair) ?? 0) < number, "an item is taken twice");
    this.#taken.set(pair, number);
    this.changes++;
  }

  /** FLUSHALL: what waits goes with all other data. What was counted stays, or numbers would be used again. */
  clear(): void {
    this.#items.clear();
    this.#queues.clear();
    this.#waiting.clear();
    this.#dirtyItems = [];
    this.#byteLength = 0;
  }

  // ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  capture(rows: StateRow[], writer: ByteWriter): readonly CapturedItem[] {
    this.changes = 0;
    if (this.#dirtyItems.length === 0) return [];
    const captured = this.#dirtyItems.filter((held) => this.#items.get(held.number) === held);
    this.#dirtyItems = [];
    for (const held of captured) {
      writer.u8(ROW_VERSION);
      writer.all(held.bytes);
      rows.push(sealRow(held.slot, subkeyOfItem(held.number), writer));
      held.dirty = false;
      held.persisted = true;
    }
    return captured;
  }

  restoreCaptured(captured: readonly CapturedItem[]): void {
    this.changes++;
    for (const held of captured) if (this.#items.get(held.number) === held) this.#markDirty(held);
  }

  get marks(): OutboxMarks {
    const taken: TakenNumber[] = [];
    for (const [pair, number] of this.#taken) taken.push({ ...slotsOf(pair), number });
    taken.sort((a, b) => a.targetSlot - b.targetSlot || a.slot - b.slot);
    return { lastNumber: this.lastNumber, itemCount: this.#items.size, taken };
  }

  /** A row's item, in any order: `finish` puts it into its queue. Throws DamagedRowError. */
  load(slot: number, high: number, low: number, reader: ByteReader): void {
    const item = readOutboxItem(reader);
    if (reader.remaining !== 0) throw new DamagedRowError("an item of the outbox is followed by something");
    if (item.slot !== slot || item.number !== high * 0x1_0000_0000 + low)
      throw new DamagedRowError("an item of the outbox in another one's row");
    if (this.#items.has(item.number)) throw new DamagedRowError("an item of the outbox comes twice");
    this.#items.set(item.number, new Held(item, 0));
  }

  /** Rollback: items of these slots are to be read again. */
  drop(slots: ReadonlySet<number>): void {
    for (const held of this.#items.values()) if (slots.has(held.slot)) this.#items.delete(held.number);
  }

  /** All rows were loaded. Throws DamagedRowError. */
  finish({ lastNumber, itemCount, taken }: OutboxMarks): void {
    if (this.#items.size !== itemCount) throw new DamagedRowError("items of the outbox are missing or left over");
    const all = [...this.#items.values()].sort((a, b) => a.number - b.number);
    this.clear();
    this.changes = 0;
    this.lastNumber = lastNumber;
    for (const held of all) {
      if (held.number > lastNumber) throw new DamagedRowError("an item of the outbox from the future");
      this.#hold(held);
    }
    this.#taken.clear();
    for (const each of taken) this.#taken.set(pairOf(each), each.number);
  }

  verify(): void {
    let bytes = 0;
    for (const queue of this.#queues.values()) {
      assert(queue.size > 0, "an empty queue of the outbox");
      let before = 0;
      for (const held of queue.items) {
        assert(held.number > before && held.number <= this.lastNumber, "items of the outbox out of order");
        assert(this.#items.get(held.number) === held, "an item of the outbox is in no table");
        before = held.number;
        bytes += ITEM_BYTES + held.bytes.length;
      }
    }
    assert(bytes === this.#byteLength, "bytes of the outbox miscounted");
  }

  /** By number. */
  items(): IterableIterator<OutboxItem> {
    return this.#items.values();
  }

  #hold(held: Held): void {
    this.#items.set(held.number, held);
    this.#byteLength += ITEM_BYTES + held.bytes.length;
    this.#count(held, 1);
    const pair = pairOf(held);
    let queue = this.#queues.get(pair);
    if (queue === undefined) {
      queue = new Queue(held.targetSlot, held.slot);
      this.#queues.set(pair, queue);
    }
    queue.items.add(held);
  }

  #release(held: Held): void {
    this.#items.delete(held.number);
    this.#byteLength -= ITEM_BYTES + held.bytes.length;
    this.#count(held, -1);
    const pair = pairOf(held);
    const queue = this.#queues.get(pair)!;
    queue.items.delete(held);
    if (queue.size === 0) this.#queues.delete(pair);
  }

  #count({ kind, key, group }: Held, more: number): void {
    if (kind !== OutboxKind.letter) return;
    const name = `${key.length}:${key}${group}`;
    const count = (this.#waiting.get(name) ?? 0) + more;
    if (count === 0) this.#waiting.delete(name);
    else this.#waiting.set(name, count);
  }

  #markDirty(held: Held): void {
    if (held.dirty) return;
    held.dirty = true;
    this.#dirtyItems.push(held);
    this.#meter.bytes += held.bytes.length + ROW_BYTES;
  }
}

function pairOf({ targetSlot, slot }: SlotPair): number {
  return targetSlot * 0x1_0000 + slot;
}

function slotsOf(pair: number): SlotPair {
  return { targetSlot: Math.floor(pair / 0x1_0000), slot: pair % 0x1_0000 };
}

function subkeyOfItem(number: number): Uint8Array {
  return subkeyOf(OUTBOX_AGE, RowKind.outbox, Math.floor(number / 0x1_0000_0000), number % 0x1_0000_0000);
}
