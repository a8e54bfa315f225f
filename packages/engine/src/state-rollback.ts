/**
 * Takes a state back to a checkpoint: what was written since is dropped and read again from the store's rows, everything else stays as it is.
 *
 *   checkpoint P ──captures that were never written──► ──dirty set──► state
 *
 * The rows of those captures, and of one more of the dirty set, bring the store from P to the state. So the parts that they name are all in
 * which the two differ, and the marks of what the store has (fragments, persisted) are right in all other parts. Not possible when everything
 * was touched (FLUSHALL), or before the first checkpoint.
 */
import { DamagedRowError, type Capture, type RowRange, type ShardHeader, type ShardRollbackApi } from "./api.ts";
import { checked } from "./checked.ts";
import { rebuildDelayed } from "./delayed-rows.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { Group } from "./group.ts";
import {
  buildBlocks,
  buildGroup,
  buildKey,
  type GroupParts,
  KeyParts,
  placeOf,
  restoreHeaderSettings,
  restoreSettings,
} from "./key-parts.ts";
import { assert } from "@headrace/bytes";
import type { AnyKey } from "./stored-key.ts";
import type { StreamKey } from "./stream-key.ts";
import { rangesOf, withOutboxOf } from "./rollback-ranges.ts";
import { readShardHeader, type ShardHeaderFields } from "./shard-header.ts";
import type { ShardState } from "./shard-state.ts";
import { OUTBOX_AGE, rowBody, rowName } from "./state-rows.ts";
import { MIN_ID } from "./stream-id.ts";
import { touchedBy, touchedOutboxSlots, type TouchedGroup, type TouchedKey } from "./touched-parts.ts";

export class StateRollback implements ShardRollbackApi {
  readonly ranges: readonly RowRange[];
  readonly index: number;
  readonly #state: ShardState;
  readonly #header: ShardHeaderFields;
  readonly #touched: ReadonlyMap<number, TouchedKey>;
  readonly #outboxSlots: ReadonlySet<number>;
  /** By age: what the store has of touched keys. */
  readonly #found: Map<number, KeyParts>;

  private constructor(state: ShardState, index: number, header: ShardHeaderFields, captures: readonly Capture[]) {
    this.#state = state;
    this.index = index;
    this.#header = header;
    const all = [...captures, state.capture()];
    this.#touched = touchedBy(all);
    this.#outboxSlots = touchedOutboxSlots(all);
    this.#found = new Map();
    this.ranges = withOutboxOf(this.#outboxSlots, rangesOf(this.#touched, state.keyspace, header.nextAge));
    state.keyspace.outbox.drop(this.#outboxSlots);
  }

  /** Null: only a load of everything helps. Throws DamagedRowError. */
  static begin(
    state: ShardState,
    captures: readonly Capture[],
    header: ShardHeader,
    index: number,
  ): StateRollback | null {
    if (header.bytes.length === 0) return null;
    if (state.keyspace.cleared || captures.some((capture) => capture.cleared)) return null;
    return new StateRollback(
      state,
      index,
      checked(() => readShardHeader(header, index)),
      captures,
    );
  }

  get keyCount(): number {
    return this.#touched.size;
  }

  row(slot: number, subkey: Uint8Array, value: Uint8Array): void {
    const name = rowName(subkey);
    if (name.age === OUTBOX_AGE) {
      if (!this.#outboxSlots.has(slot)) return;
      checked(() => this.#state.keyspace.outbox.load(slot, name.first, name.second, rowBody(slot, subkey, value)));
      return;
    }
    const touched = this.#touched.get(name.age);
    if (touched === undefined || !touched.has(name)) return;
    let parts = this.#found.get(name.age);
    if (parts === undefined) {
      parts = new KeyParts(touched.slot, name.age);
      this.#found.set(name.age, parts);
    }
    parts.takeRow(slot, name, rowBody(slot, subkey, value));
  }

  finish(): void {
    const state = this.#state;
    const { keyspace, origins } = state;
    const { meter } = keyspace;
    // First what goes, then what comes back: a name may have changed hands.
    const renamed = new Map<number, StreamKey>();
    for (const { slot, age } of this.#touched.values()) {
      const living = keyspace.findByAge(slot, age);
      const parts = this.#found.get(age);
      // A value that is no stream is built anew.
      if (living !== null && living.stream === null) keyspace.drop(living);
      if (living === null || living.stream === null || (parts !== undefined && bearsItsName(living, parts))) continue;
      keyspace.drop(living);
      if (parts !== undefined) renamed.set(age, living);
    }
    for (const [age, parts] of this.#found) {
      const touched = this.#touched.get(age)!;
      const living = renamed.get(age) ?? streamOf(keyspace.findByAge(touched.slot, age));
      const key = living ?? buildKey(parts, meter);
      const isInPlace = living !== null && !renamed.has(age);
      if (isInPlace) keyspace.uncount(living);
      if (living !== null) restoreKey(living, touched, parts, meter);
      if (isInPlace) keyspace.count(living);
      if (living === null || renamed.has(age)) keyspace.restore(key);
      else keyspace.noticeSettings(key);
      keyspace.setExpiry(key, parts.keyHeader!.expiresAtMs);
    }
    const { nextAge, keyCount, sessions, logTimeMs } = this.#header;
    keyspace.forgetWrites(nextAge);
    keyspace.outbox.finish(this.#header.outbox);
    if (keyspace.size !== keyCount) throw new DamagedRowError("keys are missing or left over");
    origins.clear();
    for (const { session, sequence, lastWriteMs } of sessions) origins.record(session, sequence, lastWriteMs);
    state.moveBackTo(this.index, logTimeMs);
  }
}

/** A touched key that is still there; of values that are no streams none is. */
function streamOf(key: AnyKey | null): StreamKey | null {
  if (key === null || key.stream !== null) return key;
  assert(false, "a touched value was dropped");
}

/** Under the name and in the place that the store knows. A key without a header row bears none. */
function bearsItsName(key: StreamKey, parts: KeyParts): boolean {
  const { header } = parts;
  return header !== null && header.key === key.key && placeOf(parts, header) === key.place;
}

/** Parts of the key as they were; the caller puts it where it belongs. */
function restoreKey(key: StreamKey, touched: TouchedKey, parts: KeyParts, meter: DirtyMeter): void {
  const { header } = parts;
  if (header === null) throw new DamagedRowError("key without its header row");
  key.key = header.key;
  key.place = placeOf(parts, header);
  const { stream } = key;
  const { entries } = stream;
  stream.noteReferencedUpTo(MIN_ID);
  key.lastWriterIndex = header.lastWriterIndex;
  stream.lastId = header.lastId;
  stream.maxDeletedId = header.maxDeletedId;
  stream.entriesAdded = header.entriesAdded;
  stream.nextGroupNumber = header.nextGroupNumber;
  if (touched.blocks.size > 0) {
    entries.blocks.replace(touched.blocks, buildBlocks(parts, header, touched.blocks));
    entries.recount();
    entries.tailNode.forget();
    entries.dirtyBlocks = [];
  }
  entries.goBackTo(header.nextBlockNumber);
  if (entries.blocks.length !== header.blockCount) throw new DamagedRowError("blocks are missing or left over");
  if (entries.length !== header.length) throw new DamagedRowError("entries are missing or left over");
  restoreGroups(key, touched, parts, meter);
  if (touched.idempotence) restoreSettings(stream, parts, header, meter);
  else restoreHeaderSettings(stream, header);
  const { delayedCount } = header;
  stream.delayed = rebuildDelayed(stream.delayed, touched.delayed, parts.delayed, delayedCount, meter);
  if (stream.groupCount !== header.groupCount) throw new DamagedRowError("groups are missing or left over");
}

function restoreGroups(key: StreamKey, touched: TouchedKey, parts: KeyParts, meter: DirtyMeter): void {
  if (touched.groups.size === 0) return;
  const { stream } = key;
  const living = new Map(stream.groups().map((group) => [group.number, group]));
  for (const number of touched.groups.keys()) {
    const group = living.get(number);
    if (group !== undefined && !parts.groups.has(number)) stream.dropGroup(group);
  }
  for (const [number, found] of parts.groups) {
    const group = living.get(number);
    if (group === undefined) stream.adoptGroup(buildGroup(number, found, meter));
    else restoreGroup(group, touched.groups.get(number)!, found);
  }
}

function restoreGroup(group: Group, touched: TouchedGroup, parts: GroupParts): void {
  const { header } = parts;
  if (header === null || header.name !== group.name) throw new DamagedRowError("group without its header row");
  const { pending } = group;
  group.lastDeliveredId = header.lastDeliveredId;
  group.entriesRead = header.entriesRead;
  group.nextConsumerNumber = header.nextConsumerNumber;
  group.givenBack = header.givenBack;
  group.settings = header.settings;
  for (const number of touched.consumers) {
    const consumer = group.consumerByNumber(number);
    if (consumer !== null) group.dropConsumer(consumer);
  }
  for (const consumer of parts.consumers) group.adopt(consumer);
  if (group.consumerCount !== header.consumerCount) throw new DamagedRowError("consumers are missing or left over");
  if (touched.leaves.size > 0) {
    const untouched = pending.leaves.filter((leaf) => !touched.leaves.has(leaf.number));
    pending.adoptLeaves([...untouched, ...parts.leaves]);
  }
  pending.nextLeafNumber = header.nextLeafNumber;
  if (pending.leaves.length !== header.leafCount) throw new DamagedRowError("pending leaves are missing or left over");
  if (!group.recount()) throw new DamagedRowError("pending entry of an unknown consumer");
  if (pending.count !== header.pendingCount) throw new DamagedRowError("pending entries are missing or left over");
}
