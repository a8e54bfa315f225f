/**
 * All keys of a shard: by name, by (slot, place) for SCAN, and those that expire by their time. Remembers the last writer of every key (of
 * deleted ones until their deletion is committed), which watched keys were touched, and which keys a capture has to write. It shows what is
 * stored: that an expired key is no longer there is `LiveKeyspace`'s.
 */
import { assert, SLOT_COUNT, slotOfKey } from "@headrace/bytes";
import type { KeyView, StateRow, StoredKeyspace } from "./api.ts";
import { BLOCK_LINE_BYTES, BLOCK_SHELL_BYTES } from "./block-list.ts";
import { DeadlineHeap } from "./deadline-heap.ts";
import { DirtyMeter } from "./dirty-meter.ts";
import { KeyWatches } from "./key-watches.ts";
import { ExpiryHeap, NEVER, type Expiry } from "./expiry-heap.ts";
import { RetentionQueue, type RetentionPlace } from "./retention-queue.ts";
import { KEY_AGE_MAX, scanCursor, scanCursorPlace, scanCursorSlot } from "./scan.ts";
import { fixedBytesOf } from "./resident-bytes.ts";
import { SlotKeys } from "./slot-keys.ts";
import { removeKeyRows } from "./state-rows.ts";
import { Stream } from "./stream.ts";

const HEADER_ROW_BYTES = 160;

export class StreamKey implements KeyView {
  /** Changes when the key is renamed. */
  key: string;
  readonly slot: number;
  readonly type = "stream" as const;
  /** Unique in the shard for ever: the name of the key's rows. */
  readonly age: number;
  /** Unique too: SCAN's order. The age until the key is renamed. */
  place: number;
  /** Null: does not expire. */
  expiry: Expiry<StreamKey> | null;
  lastWriterIndex: number;
  /** Log time of the last use that this replica knows of, in seconds: OBJECT IDLETIME. No part of the replicated state. */
  usedAtSeconds: number;
  readonly stream: Stream;
  dirty: boolean;
  persisted: boolean;
  /** When its iids have to be looked at, as its valid place among the deadlines says; Infinity: it has none. */
  iidsDueMs: number;
  /** Null: its stream has only had one block. No part of the replicated state. */
  retention: RetentionPlace | null;

  constructor(key: string, slot: number, age: number, stream: Stream) {
    this.key = key;
    this.slot = slot;
    this.age = age;
    this.place = age;
    this.expiry = null;
    this.lastWriterIndex = 0;
    this.usedAtSeconds = 0;
    this.stream = stream;
    this.dirty = false;
    this.persisted = false;
    this.iidsDueMs = Number.POSITIVE_INFINITY;
    this.retention = null;
    stream.entries.blocks.slot = slot;
    stream.entries.blocks.age = age;
  }

  get expiresAtMs(): number {
    return this.expiry === null ? NEVER : this.expiry.atMs;
  }
}

export class KeyspaceState implements StoredKeyspace {
  /** Log index of the entry being executed or applied. */
  writerIndex: number;
  /** Log time of that entry in seconds. */
  nowSeconds: number;
  /** For new keys' ages, and places of renamed ones. */
  nextAge: number;
  /** Keys whose time was over, since this state was made. A statistic, no part of the state. */
  expiredKeys: number;
  /** Keys that expire, the next one first. */
  readonly expiries: ExpiryHeap<StreamKey>;
  readonly meter: DirtyMeter;
  readonly watches: KeyWatches;
  readonly retention: RetentionQueue;
  dirtyKeys: StreamKey[];
  /** Removals of rows that the next capture has to carry. */
  deadRows: StateRow[];
  deletedKeyCount: number;
  /** All rows before the last capture are dead. */
  cleared: boolean;
  readonly #keys: Map<string, StreamKey>;
  readonly #slots: (SlotKeys | undefined)[];
  /** Keys whose place is not their age, by age. */
  readonly #moved: Map<number, StreamKey>;
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
    this.nowSeconds = 0;
    this.nextAge = 0;
    this.expiredKeys = 0;
    this.expiries = new ExpiryHeap();
    this.meter = new DirtyMeter();
    this.watches = new KeyWatches();
    this.retention = new RetentionQueue();
    this.dirtyKeys = [];
    this.deadRows = [];
    this.deletedKeyCount = 0;
    this.cleared = false;
    this.#keys = new Map();
    this.#slots = Array.from({ length: SLOT_COUNT }, () => undefined);
    this.#moved = new Map();
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

  get expiringCount(): number {
    return this.expiries.size;
  }

  nextToExpire(): StreamKey | null {
    const { first } = this.expiries;
    return first === null ? null : first.key;
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

  /** Takes in a key, a new one or one that was loaded; places of a slot come in ascending order. */
  adopt(created: StreamKey): void {
    assert(!this.#keys.has(created.key), "key exists");
    this.#keys.set(created.key, created);
    this.#slotKeys(created.slot).add(created);
    if (created.place !== created.age) this.#moved.set(created.age, created);
    this.#deletions.delete(created.key);
    created.usedAtSeconds = this.nowSeconds;
    this.noticeSettings(created);
    this.count(created);
  }

  /** What the key takes in memory counts from now on. */
  count(key: StreamKey): void {
    this.meter.fixedBytes += fixedBytesOf(key);
    key.stream.entries.blocks.accountAll();
  }

  /** And no longer: it goes, or it changes otherwise than by effects. */
  uncount(key: StreamKey): void {
    this.meter.fixedBytes -= fixedBytesOf(key);
    key.stream.entries.blocks.releaseAll();
  }

  /** A key has come with a stream that was filled elsewhere: loaded, restored, copied, renamed. */
  noticeSettings(key: StreamKey): void {
    const { idempotence, ack } = key.stream;
    if (ack !== null) this.#anyAcks = true;
    key.iidsDueMs = Number.POSITIVE_INFINITY;
    if (idempotence !== null) this.scheduleIdempotence(key);
    if (key.stream.blockCount > 1) this.retention.touched(key);
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

  /** When the key goes; NEVER: it stays. */
  setExpiry(key: StreamKey, atMs: number): void {
    const { expiry } = key;
    if (expiry === null) {
      if (atMs !== NEVER) key.expiry = this.expiries.add(key, atMs);
      return;
    }
    if (atMs !== NEVER) {
      this.expiries.move(expiry, atMs);
      return;
    }
    this.expiries.remove(expiry);
    key.expiry = null;
  }

  #slotKeys(slot: number): SlotKeys {
    let keys = this.#slots[slot];
    if (keys === undefined) {
      keys = new SlotKeys();
      this.#slots[slot] = keys;
    }
    return keys;
  }

  #takeFromSlot({ slot, place, age }: StreamKey): void {
    const keys = this.#slots[slot]!;
    keys.remove(place);
    if (keys.size === 0) this.#slots[slot] = undefined;
    if (place !== age) this.#moved.delete(age);
  }

  /** Null when there is none, or no longer. */
  findByPlace(slot: number, place: number): StreamKey | null {
    return this.#slots[slot]?.find(place) ?? null;
  }

  /** Null when there is none, or no longer. */
  findByAge(slot: number, age: number): StreamKey | null {
    // What stands in the place of that number may be a key that moved there.
    const found = this.findByPlace(slot, age);
    return found !== null && found.age === age ? found : (this.#moved.get(age) ?? null);
  }

  /** The slot's keys with afterPlace < place < toPlace; `visit` answers false to stop. */
  visitBetween(slot: number, afterPlace: number, toPlace: number, visit: (key: StreamKey) => boolean): void {
    const keys = this.#slots[slot];
    if (keys === undefined) return;
    for (let at = keys.lowerBound(afterPlace + 1); at < keys.places.length && keys.places[at]! < toPlace; at++) {
      const key = keys.keys[at]!;
      if (key !== null && !visit(key)) return;
    }
  }

  /** Rollback: as if the key had never been made. Its parts are still there, for one that `restore` brings back under another name. */
  drop(dropped: StreamKey): void {
    this.uncount(dropped);
    this.#keys.delete(dropped.key);
    this.#takeFromSlot(dropped);
    this.setExpiry(dropped, NEVER);
    this.retention.forget(dropped);
  }

  /** Rollback: a key that was deleted or renamed is back, at its old place. */
  restore(key: StreamKey): void {
    assert(!this.#keys.has(key.key), "key exists");
    this.#keys.set(key.key, key);
    this.#slotKeys(key.slot).insert(key);
    this.noticeSettings(key);
    if (key.place !== key.age) this.#moved.set(key.age, key);
    this.count(key);
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

  remove(removed: StreamKey): void {
    this.touch(removed);
    this.uncount(removed);
    this.#leaveName(removed);
    this.#takeFromSlot(removed);
    this.setExpiry(removed, NEVER);
    this.retention.forget(removed);
    removeKeyRows(this.deadRows, removed);
    this.deletedKeyCount++;
  }

  /** Nobody bears the key's name any more; who finds that out waits for it. */
  #leaveName({ key }: StreamKey): void {
    this.#keys.delete(key);
    this.#deletions.delete(key);
    this.#deletions.set(key, this.writerIndex);
  }

  /** The key gets another name of its slot, and the last place; who had that name is removed. Its rows stay as they are but for the header. */
  rename(renamed: StreamKey, name: string): void {
    assert(slotOfKey(name) === renamed.slot, "a key is renamed within its slot");
    assert(this.nextAge <= KEY_AGE_MAX, "key ages used up");
    const replaced = this.find(name);
    if (replaced !== null) this.remove(replaced);
    this.touch(renamed);
    this.#leaveName(renamed);
    this.#takeFromSlot(renamed);
    this.meter.fixedBytes += name.length - renamed.key.length;
    renamed.key = name;
    renamed.place = this.nextAge++;
    this.#keys.set(name, renamed);
    this.#slotKeys(renamed.slot).add(renamed);
    this.#moved.set(renamed.age, renamed);
    this.#deletions.delete(name);
    this.touch(renamed);
  }

  flush(): void {
    for (const key of this.#watched.keys()) if (this.#keys.has(key)) this.#noteTouched(key);
    for (const key of this.watches.keys()) if (this.#keys.has(key)) this.watches.touch(key);
    this.#keys.clear();
    this.#slots.fill(undefined);
    this.#moved.clear();
    this.expiries.clear();
    this.retention.clear();
    this.#deletions.clear();
    this.#flushIndex = this.writerIndex;
    this.#iidDeadlines.clear();
    this.#anyAcks = false;
    this.dirtyKeys = [];
    this.deadRows = [];
    this.deletedKeyCount = 0;
    this.cleared = true;
    this.meter.bytes = 0;
    this.meter.fixedBytes = 0;
    this.meter.pool.clear();
  }

  /** Every effect on a key passes here. */
  touch(key: StreamKey): void {
    if (this.watches.size !== 0) this.watches.touch(key.key);
    this.touchUnseen(key);
  }

  /** An effect that Redis calls no change of the key: on its groups, or on its last id alone. WATCH does not see it. */
  touchUnseen(key: StreamKey): void {
    key.lastWriterIndex = this.writerIndex;
    key.usedAtSeconds = this.nowSeconds;
    if (!key.dirty) this.markDirty(key);
    const { retention } = key;
    if (retention === null ? key.stream.blockCount > 1 : !retention.isQueued) this.retention.touched(key);
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

  /** See Keyspace.scan. */
  scan(cursor: bigint, count: number, visit: (key: KeyView) => void): bigint {
    let slot = scanCursorSlot(cursor);
    let place = scanCursorPlace(cursor);
    let rest = Math.max(1, count);
    for (; slot < SLOT_COUNT; slot++, place = 0) {
      const keys = this.#slots[slot];
      if (keys === undefined) continue;
      for (let at = keys.lowerBound(place); at < keys.places.length; at++) {
        const key = keys.keys[at]!;
        if (key === null) continue;
        if (rest === 0) return scanCursor(slot, key.place);
        rest--;
        visit(key);
      }
    }
    return 0n;
  }

  /** The key number `ordinal` in SCAN's order, which must be there. */
  keyAt(ordinal: number): StreamKey {
    let rest = ordinal;
    for (const slot of this.#slots) {
      if (slot === undefined) continue;
      if (rest >= slot.size) {
        rest -= slot.size;
        continue;
      }
      for (const key of slot.keys) if (key !== null && rest-- === 0) return key;
    }
    assert(false, "no key of this number");
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
    let expiring = 0;
    this.retention.verify(this.#keys.values());
    let fixedBytes = 0;
    let blockBytes = 0;
    this.forEachKey((key) => {
      assert(this.#keys.get(key.key) === key, "slot table and key table differ");
      assert(key.slot === slotOfKey(key.key), "key in the wrong slot");
      assert(key.age < this.nextAge && key.place < this.nextAge, "age or place from the future");
      assert(this.findByAge(key.slot, key.age) === key, "key is not found by its age");
      if (key.expiry !== null) expiring++;
      key.stream.verify();
      fixedBytes += fixedBytesOf(key);
      const { slots } = key.stream.entries.blocks;
      fixedBytes += slots.length * BLOCK_LINE_BYTES;
      for (const block of slots) {
        if (block === null) continue;
        const { bytes, ids, ends, marks } = block;
        if (bytes.length === 0) fixedBytes += marks.length + BLOCK_SHELL_BYTES;
        else blockBytes += bytes.length + ids.byteLength + ends.byteLength + marks.length;
      }
      count++;
    });
    this.expiries.verify(({ key }) => assert(this.#keys.get(key.key) === key, "a key that is gone expires"));
    assert(fixedBytes === this.meter.fixedBytes, "memory that stays is miscounted");
    assert(blockBytes === this.meter.pool.blockBytes, "memory of blocks is miscounted");
    assert(expiring === this.expiries.size, "expiring keys miscounted");
    assert(count === this.#keys.size, "a key is in no slot");
    for (const key of this.dirtyKeys) assert(key.dirty, "clean key on the dirty list");
  }
}
