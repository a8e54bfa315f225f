/**
 * All keys of a shard: by name, by (slot, place) for SCAN, and those that expire by their time. Remembers the last writer of every key (of
 * deleted ones until their deletion is committed), which watched keys were touched, and which keys a capture has to write. It shows what is
 * stored: that an expired key is no longer there is `LiveKeyspace`'s.
 *
 * A key is here as objects, or packed (packed-streams.ts) until somebody asks for it by its name, its age or its place.
 */
import { assert, slotOfKey } from "@headrace/bytes";
import { DamagedRowError, type KeyView, type StateRow, type StoredKeyspace } from "./api.ts";
import { BLOCK_LINE_BYTES, BLOCK_SHELL_BYTES } from "./block-list.ts";
import { DelayQueue } from "./delay-queue.ts";
import { DeadlineHeap } from "./deadline-heap.ts";
import { DirtyMeter } from "./dirty-meter.ts";
import type { KeyParts } from "./key-parts.ts";
import { KeyWatches } from "./key-watches.ts";
import { ExpiryHeap, NEVER } from "./expiry-heap.ts";
import type { Group } from "./group.ts";
import { IdleConsumers } from "./idle-consumers.ts";
import { Outbox } from "./outbox.ts";
import { RetentionQueue } from "./retention-queue.ts";
import { packedKeyView } from "./packed-key.ts";
import { isPackable } from "./packed-record.ts";
import { PackedStreams } from "./packed-streams.ts";
import { PackingClock } from "./packing-clock.ts";
import { KEY_AGE_MAX } from "./scan.ts";
import { fixedBytesOf, KEY_BYTES } from "./resident-bytes.ts";
import { type PlacedKey, SlotTable } from "./slot-table.ts";
import { removeKeyRows } from "./key-rows.ts";
import type { AnyKey } from "./stored-key.ts";
import { StreamKey } from "./stream-key.ts";
import { Stream } from "./stream.ts";
import { ValueKey } from "./value-key.ts";
import type { Value } from "./value.ts";

const HEADER_ROW_BYTES = 160;

const NONE_TOUCHED: ReadonlyMap<string, boolean> = new Map();

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
  readonly expiries: ExpiryHeap<AnyKey>;
  readonly meter: DirtyMeter;
  readonly watches: KeyWatches;
  readonly retention: RetentionQueue;
  readonly idleConsumers: IdleConsumers;
  readonly outbox: Outbox;
  readonly delays: DelayQueue;
  readonly packed: PackedStreams;
  /** How often one was asked for, since this state was made. A statistic, no part of the state. */
  unpackings: number;
  /** Log time of the checkpoint that was loaded: so long at least nobody has used a key. */
  loadedAtSeconds: number;
  dirtyKeys: AnyKey[];
  /** Removals of rows that the next capture has to carry. */
  deadRows: StateRow[];
  deletedKeyCount: number;
  /** All rows before the last capture are dead. */
  cleared: boolean;
  /** Those that are not packed. */
  readonly #keys: Map<string, AnyKey>;
  readonly #slots: SlotTable;
  readonly #clock: PackingClock;
  readonly #byName: (name: string) => AnyKey;
  /** Deleted keys → index of the deletion, ascending, until committed. */
  readonly #deletions: Map<string, number>;
  #flushIndex: number;
  readonly #watched: Map<string, number>;
  /** Touched ones of them, in order; true: blocked readers are to be served. */
  #touched: Map<string, boolean>;
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
    this.idleConsumers = new IdleConsumers();
    this.outbox = new Outbox(this.meter);
    this.delays = new DelayQueue(this.meter);
    this.packed = new PackedStreams();
    this.unpackings = 0;
    this.loadedAtSeconds = 0;
    this.dirtyKeys = [];
    this.deadRows = [];
    this.deletedKeyCount = 0;
    this.cleared = false;
    this.#keys = new Map();
    this.#slots = new SlotTable();
    this.#clock = new PackingClock();
    this.#byName = (name) => this.existing(name);
    this.#deletions = new Map();
    this.#flushIndex = 0;
    this.#watched = new Map();
    this.#touched = new Map();
    this.#iidDeadlines = new DeadlineHeap();
    this.#anyAcks = false;
  }

  /** False: no stream has a level of its own, and none needs to be looked at. */
  get anyAcks(): boolean {
    return this.#anyAcks;
  }

  get size(): number {
    return this.#keys.size + this.packed.size;
  }

  get expiringCount(): number {
    return this.expiries.size;
  }

  nextToExpire(): AnyKey | null {
    const { first } = this.expiries;
    return first === null ? null : first.key;
  }

  find(key: string): AnyKey | null {
    return this.#keys.get(key) ?? this.#unpackNamed(key);
  }

  existing(key: string): AnyKey {
    const found = this.find(key);
    assert(found !== null, "no such key");
    return found;
  }

  /** A key that holds nothing else. */
  findStream(key: string): StreamKey | null {
    const found = this.find(key);
    if (found === null || found.stream !== null) return found;
    assert(false, "the key holds no stream");
  }

  existingStream(key: string): StreamKey {
    const found = this.findStream(key);
    assert(found !== null, "no such key");
    return found;
  }

  /** It is one of the keys: neither gone nor packed. */
  holds(key: AnyKey): boolean {
    return this.#keys.get(key.key) === key;
  }

  #has(name: string): boolean {
    return this.#keys.has(name) || this.packed.find(name) >= 0;
  }

  lastWriterIndex(key: string): number {
    const found = this.find(key);
    if (found !== null) return found.lastWriterIndex;
    return Math.max(this.#deletions.get(key) ?? 0, this.#flushIndex);
  }

  /** For who needs a number that nothing in the shard has had. */
  takeAge(): number {
    assert(this.nextAge <= KEY_AGE_MAX, "key ages used up");
    return this.nextAge++;
  }

  /** The key with its stream, made when it is free. */
  create(key: string): StreamKey {
    const created = new StreamKey(key, slotOfKey(key), this.takeAge(), new Stream(this.meter));
    this.adopt(created);
    return created;
  }

  /** The key with this value, made when it is free. */
  createValue(key: string, value: Value): ValueKey {
    assert(this.nextAge <= KEY_AGE_MAX, "key ages used up");
    const created = new ValueKey(key, slotOfKey(key), this.nextAge++, value);
    this.adopt(created);
    return created;
  }

  /** An effect has changed the value of the key, which took so much memory before. */
  changed(key: ValueKey, residentBytesBefore: number): void {
    this.meter.fixedBytes += key.value.residentBytes - residentBytesBefore;
    this.touch(key);
  }

  /** Takes in a key, a new one or one that was loaded. */
  adopt(created: AnyKey): void {
    assert(!this.#has(created.key), "key exists");
    this.#keys.set(created.key, created);
    this.#slots.insert(created);
    this.#deletions.delete(created.key);
    created.usedAtSeconds = this.nowSeconds;
    this.#clock.add(created);
    this.noticeSettings(created);
    this.count(created);
  }

  /** What the key takes in memory counts from now on. */
  count(key: AnyKey): void {
    this.meter.fixedBytes += fixedBytesOf(key);
    if (key.stream === null) return;
    this.meter.delayedEntries += key.stream.delayed === null ? 0 : key.stream.delayed.count;
    key.stream.entries.blocks.accountAll();
  }

  /** And no longer: it goes, or it changes otherwise than by effects. */
  uncount(key: AnyKey): void {
    this.meter.fixedBytes -= fixedBytesOf(key);
    if (key.stream === null) return;
    this.meter.delayedEntries -= key.stream.delayed === null ? 0 : key.stream.delayed.count;
    key.stream.entries.blocks.releaseAll();
  }

  /** A key has come with a stream that was filled elsewhere: loaded, restored, copied, renamed. */
  noticeSettings(key: AnyKey): void {
    if (key.stream === null) return;
    const { idempotence, ack } = key.stream;
    if (ack !== null) this.#anyAcks = true;
    key.iidsDueMs = Number.POSITIVE_INFINITY;
    if (idempotence !== null) this.scheduleIdempotence(key);
    if (key.stream.blockCount > 1) this.retention.touched(key);
    this.idleConsumers.notice(key);
    this.delays.notice(key);
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
      if (idempotence === null || !this.holds(key)) continue;
      if (idempotence.purge(logTimeMs)) this.markDirty(key);
      this.scheduleIdempotence(key);
    }
  }

  /** When the key goes; NEVER: it stays. */
  setExpiry(key: AnyKey, atMs: number): void {
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

  /** Null when there is none, or no longer. */
  findByPlace(slot: number, place: number): AnyKey | null {
    const placed = this.#slots.findByPlace(slot, place);
    return placed === null ? null : this.#unpacked(placed);
  }

  /** Null when there is none, or no longer. */
  findByAge(slot: number, age: number): AnyKey | null {
    // What stands in the place of that number may be a key that moved there.
    const found = this.findByPlace(slot, age);
    return found !== null && found.age === age ? found : this.#slots.findMoved(age);
  }

  /** The slot's keys with afterPlace < place < toPlace, each as it is here; `visit` answers false to stop. */
  visitBetween(slot: number, afterPlace: number, toPlace: number, visit: (placed: PlacedKey) => boolean): void {
    this.#slots.visitBetween(slot, afterPlace, toPlace, visit);
  }

  // ── packing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What could become free if all keys were packed that may be, about. */
  get packableBytes(): number {
    return (this.#keys.size - this.expiries.size) * KEY_BYTES;
  }

  /** Packs keys that nobody has used for a while, until `bytes` are free or there is none: of those the store holds, by captures up to `durableIndex`. */
  pack(bytes: number, durableIndex: number): number {
    return this.#clock.run(bytes, (key) => this.#packIfIdle(key, durableIndex));
  }

  /** Answers how many bytes became free. */
  #packIfIdle(key: AnyKey, durableIndex: number): number {
    if (key.dirty || !key.persisted || key.capturedIndex > durableIndex || !isPackable(key)) return 0;
    const tail = key.stream === null ? null : key.stream.entries.tail;
    if (tail !== null && (tail.dirty || tail.capturedIndex > durableIndex)) return 0;
    if (!this.packed.hasRoom) return 0;
    let freed = fixedBytesOf(key);
    if (tail !== null && tail.heldBytes > 0) freed += key.stream!.entries.evict(tail);
    this.uncount(key);
    this.#forgetStream(key);
    this.#clock.remove(key);
    this.#keys.delete(key.key);
    this.#slots.replace(key, this.packed.add(key, key.usedAtSeconds));
    return freed;
  }

  /** A key that was just built of rows of the store. False: it is not of those that are packed. Throws DamagedRowError. */
  adoptPacked(key: AnyKey): boolean {
    if (!isPackable(key) || !this.packed.hasRoom) return false;
    if (this.#has(key.key)) throw new DamagedRowError("two keys have one name");
    if (key.stream !== null && key.stream.ack !== null) this.#anyAcks = true;
    this.#slots.insertPacked(key, this.packed.add(key, 0));
    return true;
  }

  /** What the rows said of a key that `adoptPacked` has taken, as if it had not; null: it has not. */
  takeBackPacked(slot: number, age: number): KeyParts | null {
    const record = this.#slots.findByPlace(slot, age);
    if (typeof record !== "number") return null;
    const parts = this.packed.partsOf(record);
    this.packed.remove(record);
    this.#slots.remove({ slot, age, place: age });
    return parts;
  }

  #unpackNamed(name: string): AnyKey | null {
    if (this.packed.size === 0) return null;
    const record = this.packed.find(name);
    return record < 0 ? null : this.#unpack(record);
  }

  #unpacked(placed: PlacedKey): AnyKey {
    return typeof placed === "number" ? this.#unpack(placed) : placed;
  }

  #unpack(record: number): AnyKey {
    const key = this.#copyOf(record);
    this.packed.remove(record);
    this.unpackings++;
    this.#keys.set(key.key, key);
    this.#slots.replace(key, key);
    this.#clock.add(key);
    this.count(key);
    return key;
  }

  #copyOf(record: number): AnyKey {
    const key = this.packed.keyOf(record, this.meter);
    key.usedAtSeconds = Math.max(key.usedAtSeconds, this.loadedAtSeconds);
    return key;
  }

  /** Rollback: as if the key had never been made. Its parts are still there, for one that `restore` brings back under another name. */
  drop(dropped: AnyKey): void {
    this.uncount(dropped);
    this.#keys.delete(dropped.key);
    this.#slots.remove(dropped);
    this.#clock.remove(dropped);
    this.setExpiry(dropped, NEVER);
    this.#forgetStream(dropped);
  }

  /** Rollback: a key that was deleted or renamed is back, at its old place. */
  restore(key: AnyKey): void {
    assert(!this.#has(key.key), "key exists");
    this.#keys.set(key.key, key);
    this.#slots.insert(key);
    this.#clock.add(key);
    this.noticeSettings(key);
    this.count(key);
  }

  /** Rollback: nothing is dirty, and nothing written or deleted waits to be committed. */
  forgetWrites(nextAge: number): void {
    this.nextAge = nextAge;
    this.#slots.forgetHolesFrom(nextAge);
    this.#deletions.clear();
    this.#flushIndex = 0;
    this.#touched.clear();
    this.markClean();
  }

  /** Who looks at streams by itself has nothing to look at here any more. */
  #forgetStream(key: AnyKey): void {
    if (key.stream === null) return;
    this.retention.forget(key);
    this.idleConsumers.forget(key);
    this.delays.forget(key);
  }

  remove(removed: AnyKey): void {
    this.touch(removed);
    // Calls that read for groups of a stream hear that it is gone; who waits for elements of a value waits on.
    if (removed.stream !== null) this.signalReady(removed);
    this.uncount(removed);
    this.#leaveName(removed);
    this.#slots.remove(removed);
    this.#clock.remove(removed);
    this.setExpiry(removed, NEVER);
    this.#forgetStream(removed);
    removeKeyRows(this.deadRows, removed);
    this.deletedKeyCount++;
  }

  /** Nobody bears the key's name any more; who finds that out waits for it. */
  #leaveName({ key }: AnyKey): void {
    this.#keys.delete(key);
    this.#deletions.delete(key);
    this.#deletions.set(key, this.writerIndex);
  }

  /** The key gets another name of its slot, and the last place; who had that name is removed. Its rows stay as they are but for the header. */
  rename(renamed: AnyKey, name: string): void {
    assert(slotOfKey(name) === renamed.slot, "a key is renamed within its slot");
    const replaced = this.find(name);
    if (replaced !== null) this.remove(replaced);
    this.touchReady(renamed);
    this.#leaveName(renamed);
    this.#slots.remove(renamed);
    this.meter.fixedBytes += name.length - renamed.key.length;
    renamed.key = name;
    renamed.place = this.takeAge();
    this.#keys.set(name, renamed);
    this.#slots.insert(renamed);
    this.#deletions.delete(name);
    this.touchReady(renamed);
  }

  flush(): void {
    for (const key of this.#watched.keys()) if (this.#has(key)) this.#touched.set(key, true);
    for (const key of this.watches.keys()) if (this.#has(key)) this.watches.touch(key);
    this.#keys.clear();
    this.packed.clear();
    this.#slots.clear();
    this.#clock.clear();
    this.expiries.clear();
    this.retention.clear();
    this.idleConsumers.clear();
    this.outbox.clear();
    this.delays.clear();
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
    this.meter.delayedEntries = 0;
    this.meter.pool.clear();
  }

  /** Every effect on a key passes here. */
  touch(key: AnyKey): void {
    if (this.watches.size !== 0) this.watches.touch(key.key);
    this.touchUnseen(key);
  }

  /** An effect that Redis calls no change of the key: on its groups, or on its last id alone. WATCH does not see it. */
  touchUnseen(key: AnyKey): void {
    key.lastWriterIndex = this.writerIndex;
    key.usedAtSeconds = this.nowSeconds;
    if (!key.dirty) this.markDirty(key);
    if (key.stream !== null) {
      const { retention } = key;
      if (retention === null ? key.stream.blockCount > 1 : !retention.isQueued) this.retention.touched(key);
    }
    if (this.#watched.size !== 0 && this.#watched.has(key.key) && !this.#touched.has(key.key))
      this.#touched.set(key.key, false);
  }

  /** Entries came, or the key or a group of it is there no more: what its blocked readers wait for. Redis' signalKeyAsReady. */
  signalReady(key: AnyKey): void {
    if (this.#watched.size === 0 || !this.#watched.has(key.key) || this.#touched.get(key.key) === true) return;
    this.#touched.delete(key.key);
    this.#touched.set(key.key, true);
  }

  touchReady(key: AnyKey): void {
    this.touch(key);
    this.signalReady(key);
  }

  markDirty(key: AnyKey): void {
    if (key.dirty) return;
    key.dirty = true;
    this.dirtyKeys.push(key);
    this.meter.bytes += HEADER_ROW_BYTES + key.key.length;
    if (key.value !== null) this.meter.bytes += key.value.headBytes;
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

  takeTouched(): ReadonlyMap<string, boolean> {
    const touched = this.#touched;
    if (touched.size === 0) return NONE_TOUCHED;
    this.#touched = new Map();
    return touched;
  }

  // ── walks ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #viewOf(placed: PlacedKey): KeyView {
    if (typeof placed !== "number") return placed;
    return packedKeyView(this.packed.typeOf(placed), this.packed.nameOf(placed), this.#byName);
  }

  /** See Keyspace.scan. */
  scan(cursor: bigint, count: number, visit: (key: KeyView) => void): bigint {
    return this.#slots.scan(cursor, count, (placed) => visit(this.#viewOf(placed)));
  }

  /** The name of key number `ordinal` in SCAN's order, which must be there. */
  nameAt(ordinal: number): string {
    const placed = this.#slots.at(ordinal);
    assert(placed !== null, "no key of this number");
    return typeof placed === "number" ? this.packed.nameOf(placed) : placed.key;
  }

  /** In SCAN's order. What is packed stays so if `visit` asks for no more than the name. */
  forEachKey(visit: (key: KeyView) => void): void {
    this.#slots.forEach((placed) => visit(this.#viewOf(placed)));
  }

  /** See ShardStateApi.scanGroups. */
  scanGroups(cursor: bigint, count: number, visit: (key: string, stream: Stream, group: Group) => void): bigint {
    return this.#slots.scan(cursor, count, (placed) => {
      // Of a key that has one row there is no group.
      if (typeof placed === "number" && this.packed.rowsOf(placed) < 2) return;
      const { key, stream } = typeof placed === "number" ? this.#copyOf(placed) : placed;
      if (stream !== null && stream.groupCount > 0) for (const group of stream.groups()) visit(key, stream, group);
    });
  }

  /** In SCAN's order, all of them; for who only looks: packed ones are copies. */
  forEachWhole(visit: (key: AnyKey) => void): void {
    this.#slots.forEach((placed) => visit(typeof placed === "number" ? this.#copyOf(placed) : placed));
  }

  verify(): void {
    let count = 0;
    let expiring = 0;
    this.packed.verify();
    const streams = [...this.#keys.values()].filter((key): key is StreamKey => key.stream !== null);
    this.retention.verify(streams);
    this.idleConsumers.verify(streams);
    this.outbox.verify();
    this.delays.verify(streams);
    this.#clock.verify(this.#keys.values());
    let fixedBytes = 0;
    let blockBytes = 0;
    this.#slots.forEach((placed) => {
      const key = typeof placed === "number" ? this.#copyOf(placed) : placed;
      count++;
      assert(key.slot === slotOfKey(key.key), "key in the wrong slot");
      assert(key.age < this.nextAge && key.place < this.nextAge, "age or place from the future");
      assert(this.#slots.findByPlace(key.slot, key.place) === placed, "a key is not in its place");
      (key.stream ?? key.value).verify();
      key.stream?.delayed?.verify(this.nextAge);
      if (typeof placed === "number") {
        assert(isPackable(key) && !this.#keys.has(key.key), "a key is packed that may not be");
        assert(this.packed.find(key.key) === placed, "a packed key stands in another's place");
        return;
      }
      assert(this.holds(key), "slot table and key table differ");
      assert(this.findByAge(key.slot, key.age) === key, "key is not found by its age");
      if (key.expiry !== null) expiring++;
      fixedBytes += fixedBytesOf(key);
      if (key.stream === null) return;
      const { slots } = key.stream.entries.blocks;
      fixedBytes += slots.length * BLOCK_LINE_BYTES;
      for (const block of slots) {
        if (block === null) continue;
        const { bytes, ids, ends, marks } = block;
        if (bytes.length === 0) fixedBytes += marks.length + BLOCK_SHELL_BYTES;
        else blockBytes += bytes.length + ids.byteLength + ends.byteLength + marks.length;
      }
    });
    this.expiries.verify(({ key }) => assert(this.holds(key), "a key that is gone expires"));
    assert(fixedBytes === this.meter.fixedBytes, "memory that stays is miscounted");
    assert(blockBytes === this.meter.pool.blockBytes, "memory of blocks is miscounted");
    assert(expiring === this.expiries.size, "expiring keys miscounted");
    assert(count === this.size, "a key is in no slot");
    for (const key of this.dirtyKeys) assert(key.dirty, "clean key on the dirty list");
  }
}
