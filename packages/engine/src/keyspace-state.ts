/**
 * All keys of a shard: by name, and by (slot, age) for SCAN. Remembers the last writer of every key (of deleted ones until their deletion is
 * committed), which watched keys were touched, and which keys a capture has to write.
 */
import { assert, SLOT_COUNT, slotOfKey } from "@headrace/bytes";
import type { Keyspace, KeyView, StateRow } from "./api.ts";
import { DeadlineHeap } from "./deadline-heap.ts";
import { DirtyMeter } from "./dirty-meter.ts";
import { KeyWatches } from "./key-watches.ts";
import { KEY_AGE_MAX, scanCursor, scanCursorAge, scanCursorSlot } from "./scan.ts";
import { SlotKeys } from "./slot-keys.ts";
import { removeKeyRows } from "./state-rows.ts";
import { Stream } from "./stream.ts";

const HEADER_ROW_BYTES = 160;

export class StreamKey implements KeyView {
  readonly key: string;
  readonly slot: number;
  readonly type = "stream" as const;
  /** Unique in the shard for ever: SCAN's order, and the name of the key's rows. */
  readonly age: number;
  lastWriterIndex: number;
  readonly stream: Stream;
  dirty: boolean;
  persisted: boolean;
  /** When its iids have to be looked at, as its valid place among the deadlines says; Infinity: it has none. */
  iidsDueMs: number;

  constructor(key: string, slot: number, age: number, stream: Stream) {
    this.key = key;
    this.slot = slot;
    this.age = age;
    this.lastWriterIndex = 0;
    this.stream = stream;
    this.dirty = false;
    this.persisted = false;
    this.iidsDueMs = Number.POSITIVE_INFINITY;
  }
}

export class KeyspaceState implements Keyspace {
  /** Log index of the entry being executed or applied. */
  writerIndex: number;
  nextAge: number;
  readonly meter: DirtyMeter;
  readonly watches: KeyWatches;
  dirtyKeys: StreamKey[];
  /** Removals of rows that the next capture has to carry. */
  deadRows: StateRow[];
  deletedKeyCount: number;
  /** All rows before the last capture are dead. */
  cleared: boolean;
  readonly #keys: Map<string, StreamKey>;
  readonly #slots: (SlotKeys | undefined)[];
  /** Deleted keys → index of the deletion, ascending, until committed. */
  readonly #deletions: Map<string, number>;
  #flushIndex: number;
  readonly #watched: Map<string, number>;
  #touched: string[];
  readonly #touchedSet: Set<string>;
  /** Keys whose oldest iid may be too old then, or that are gone by then. */
  readonly #iidDeadlines: DeadlineHeap<StreamKey>;
  #anyAcks: boolean;

  constructor() {
    this.writerIndex = 0;
    this.nextAge = 0;
    this.meter = new DirtyMeter();
    this.watches = new KeyWatches();
    this.dirtyKeys = [];
    this.deadRows = [];
    this.deletedKeyCount = 0;
    this.cleared = false;
    this.#keys = new Map();
    this.#slots = Array.from({ length: SLOT_COUNT }, () => undefined);
    this.#deletions = new Map();
    this.#flushIndex = 0;
    this.#watched = new Map();
    this.#touched = [];
    this.#touchedSet = new Set();
    this.#iidDeadlines = new DeadlineHeap();
    this.#anyAcks = false;
  }

  /** False: no stream has a level of its own, and none needs to be looked at. */
  get anyAcks(): boolean {
    return this.#anyAcks;
  }

  get size(): number {
    return this.#keys.size;
  }

  find(key: string): StreamKey | null {
    return this.#keys.get(key) ?? null;
  }

  existing(key: string): StreamKey {
    const found = this.#keys.get(key);
    assert(found !== undefined, "no such key");
    return found;
  }

  lastWriterIndex(key: string): number {
    const found = this.#keys.get(key);
    if (found !== undefined) return found.lastWriterIndex;
    return Math.max(this.#deletions.get(key) ?? 0, this.#flushIndex);
  }

  /** The key with its stream, made when it is free. */
  create(key: string): StreamKey {
    assert(this.nextAge <= KEY_AGE_MAX, "key ages used up");
    const created = new StreamKey(key, slotOfKey(key), this.nextAge++, new Stream(this.meter));
    this.adopt(created);
    return created;
  }

  /** Takes in a key, a new one or one that was loaded; ages of a slot come in ascending order. */
  adopt(created: StreamKey): void {
    assert(!this.#keys.has(created.key), "key exists");
    this.#keys.set(created.key, created);
    this.#slotKeys(created.slot).add(created);
    this.#deletions.delete(created.key);
    this.noticeSettings(created);
  }

  /** A key has come with a stream that was filled elsewhere: loaded, restored, copied, renamed. */
  noticeSettings(key: StreamKey): void {
    const { idempotence, ack } = key.stream;
    if (ack !== null) this.#anyAcks = true;
    key.iidsDueMs = Number.POSITIVE_INFINITY;
    if (idempotence !== null) this.scheduleIdempotence(key);
  }

  setAck(key: StreamKey, level: number): void {
    key.stream.ackLevel = level;
    if (key.stream.ack !== null) this.#anyAcks = true;
    this.touch(key);
  }

  scheduleIdempotence(key: StreamKey): void {
    const { deadlineMs } = key.stream.idempotence!;
    if (key.iidsDueMs <= deadlineMs) return;
    key.iidsDueMs = deadlineMs;
    this.#iidDeadlines.add(deadlineMs, key);
  }

  /**
   * What the time of a log entry alone changes, before its first effect: iids that are too old are forgotten. Nobody can see it happen, since
   * readers judge them by their own time.
   */
  passTime(logTimeMs: number): void {
    const deadlines = this.#iidDeadlines;
    while (deadlines.firstMs < logTimeMs) {
      const dueMs = deadlines.firstMs;
      const key = deadlines.take();
      if (key.iidsDueMs !== dueMs) continue;
      key.iidsDueMs = Number.POSITIVE_INFINITY;
      const { idempotence } = key.stream;
      if (idempotence === null || this.#keys.get(key.key) !== key) continue;
      if (idempotence.purge(logTimeMs)) this.markDirty(key);
      this.scheduleIdempotence(key);
    }
  }

  #slotKeys(slot: number): SlotKeys {
    let keys = this.#slots[slot];
    if (keys === undefined) {
      keys = new SlotKeys();
      this.#slots[slot] = keys;
    }
    return keys;
  }

  #takeFromSlot({ slot, age }: StreamKey): void {
    const keys = this.#slots[slot]!;
    keys.remove(age);
    if (keys.size === 0) this.#slots[slot] = undefined;
  }

  /** Null when there is none, or no longer. */
  findByAge(slot: number, age: number): StreamKey | null {
    return this.#slots[slot]?.find(age) ?? null;
  }

  /** The slot's keys with afterAge < age < toAge; `visit` answers false to stop. */
  visitBetween(slot: number, afterAge: number, toAge: number, visit: (key: StreamKey) => boolean): void {
    const keys = this.#slots[slot];
    if (keys === undefined) return;
    for (let at = keys.lowerBound(afterAge + 1); at < keys.ages.length && keys.ages[at]! < toAge; at++) {
      const key = keys.keys[at]!;
      if (key !== null && !visit(key)) return;
    }
  }

  /** Rollback: as if the key had never been made. */
  drop(dropped: StreamKey): void {
    this.#keys.delete(dropped.key);
    this.#takeFromSlot(dropped);
  }

  /** Rollback: a key that was deleted is back, at its old place. */
  restore(key: StreamKey): void {
    assert(!this.#keys.has(key.key), "key exists");
    this.#keys.set(key.key, key);
    this.#slotKeys(key.slot).insert(key);
    this.noticeSettings(key);
  }

  /** Rollback: nothing is dirty, and nothing written or deleted waits to be committed. */
  forgetWrites(nextAge: number): void {
    this.nextAge = nextAge;
    for (const slot of this.#slots) slot?.forgetHolesFrom(nextAge);
    this.#deletions.clear();
    this.#flushIndex = 0;
    this.#touched = [];
    this.#touchedSet.clear();
    this.markClean();
  }

  remove(key: string): void {
    const removed = this.existing(key);
    this.touch(removed);
    this.#keys.delete(key);
    this.#takeFromSlot(removed);
    this.#deletions.delete(key);
    this.#deletions.set(key, this.writerIndex);
    removeKeyRows(this.deadRows, removed);
    this.deletedKeyCount++;
  }

  flush(): void {
    for (const key of this.#watched.keys()) if (this.#keys.has(key)) this.#noteTouched(key);
    for (const key of this.watches.keys()) if (this.#keys.has(key)) this.watches.touch(key);
    this.#keys.clear();
    this.#slots.fill(undefined);
    this.#deletions.clear();
    this.#flushIndex = this.writerIndex;
    this.#iidDeadlines.clear();
    this.#anyAcks = false;
    this.dirtyKeys = [];
    this.deadRows = [];
    this.deletedKeyCount = 0;
    this.cleared = true;
    this.meter.bytes = 0;
  }

  /** Every effect on a key passes here. */
  touch(key: StreamKey): void {
    if (this.watches.size !== 0) this.watches.touch(key.key);
    this.touchUnseen(key);
  }

  /** An effect that Redis calls no change of the key: on its groups, or on its last id alone. WATCH does not see it. */
  touchUnseen(key: StreamKey): void {
    key.lastWriterIndex = this.writerIndex;
    if (!key.dirty) this.markDirty(key);
    if (this.#watched.size !== 0 && this.#watched.has(key.key)) this.#noteTouched(key.key);
  }

  markDirty(key: StreamKey): void {
    if (key.dirty) return;
    key.dirty = true;
    this.dirtyKeys.push(key);
    this.meter.bytes += HEADER_ROW_BYTES + key.key.length;
  }

  /** All that was dirty is in a capture now. */
  markClean(): void {
    this.dirtyKeys = [];
    this.deadRows = [];
    this.deletedKeyCount = 0;
    this.cleared = false;
    this.meter.bytes = 0;
  }

  committedTo(index: number): void {
    for (const [key, deletedAt] of this.#deletions) {
      if (deletedAt > index) break;
      this.#deletions.delete(key);
    }
    if (this.#flushIndex <= index) this.#flushIndex = 0;
  }

  watch(key: string): void {
    this.#watched.set(key, (this.#watched.get(key) ?? 0) + 1);
  }

  unwatch(key: string): void {
    const count = this.#watched.get(key);
    assert(count !== undefined, "unwatch without a watch");
    if (count > 1) this.#watched.set(key, count - 1);
    else this.#watched.delete(key);
  }

  takeTouched(): readonly string[] {
    const touched = this.#touched;
    if (touched.length === 0) return touched;
    this.#touched = [];
    this.#touchedSet.clear();
    return touched;
  }

  #noteTouched(key: string): void {
    if (this.#touchedSet.has(key)) return;
    this.#touchedSet.add(key);
    this.#touched.push(key);
  }

  scan(cursor: bigint, count: number, visit: (key: KeyView) => void): bigint {
    let slot = scanCursorSlot(cursor);
    let age = scanCursorAge(cursor);
    let rest = Math.max(1, count);
    for (; slot < SLOT_COUNT; slot++, age = 0) {
      const keys = this.#slots[slot];
      if (keys === undefined) continue;
      for (let at = keys.lowerBound(age); at < keys.ages.length; at++) {
        const key = keys.keys[at]!;
        if (key === null) continue;
        if (rest === 0) return scanCursor(slot, key.age);
        rest--;
        visit(key);
      }
    }
    return 0n;
  }

  /** In SCAN's order. */
  forEachKey(visit: (key: StreamKey) => void): void {
    for (const slot of this.#slots) {
      if (slot === undefined) continue;
      for (const key of slot.keys) if (key !== null) visit(key);
    }
  }

  verify(): void {
    let count = 0;
    this.forEachKey((key) => {
      assert(this.#keys.get(key.key) === key, "slot table and key table differ");
      assert(key.slot === slotOfKey(key.key), "key in the wrong slot");
      assert(key.age < this.nextAge, "age from the future");
      key.stream.verify();
      count++;
    });
    assert(count === this.#keys.size, "a key is in no slot");
    for (const key of this.dirtyKeys) assert(key.dirty, "clean key on the dirty list");
  }
}
