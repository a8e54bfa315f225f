/**
 * The deterministic state of one shard behind `ShardStateApi`: keyspace, origins, log time and the open batch, put together. Equal effects
 * make equal states; nothing here knows Raft, disks or clients.
 */
import { assert, latin1 } from "@headrace/bytes";
import { type Capture, DamagedRowError, type Effects, type RowRange } from "./api.ts";
import type { BlockName, ColdReads } from "./cold-api.ts";
import type { ShardHeader, ShardRollbackApi } from "./api.ts";
import type { GroupView, ShardStateApi, StateMemory, StateRow, StreamView } from "./api.ts";
import { BatchEffects } from "./batch-effects.ts";
import type { BlockList } from "./block-list.ts";
import { type Fragment, readFragment } from "./cold-block.ts";
import { EffectApplier } from "./effect-applier.ts";
import type { DelayQueue } from "./delay-queue.ts";
import type { KeyEvents } from "./key-events.ts";
import { KeyspaceState } from "./keyspace-state.ts";
import type { KeyWatches } from "./key-watches.ts";
import { LiveKeyspace } from "./live-keyspace.ts";
import type { IdleConsumers } from "./idle-consumers.ts";
import type { Outbox } from "./outbox.ts";
import type { RetentionQueue } from "./retention-queue.ts";
import { secondsOf } from "./log-seconds.ts";
import { Origins } from "./origins.ts";
import { SESSION_RECORD_BYTES } from "./resident-bytes.ts";
import { hashState } from "./state-hash.ts";
import { restoreCaptured, StateCapture, takeCapture } from "./state-capture.ts";
import { dataSlot, RowKind, rowName, subkeyOf } from "./state-rows.ts";
import { StateRollback } from "./state-rollback.ts";
import type { StreamKey } from "./stream-key.ts";

export class ShardState implements ShardStateApi {
  readonly keyspace: KeyspaceState;
  readonly live: LiveKeyspace;
  readonly origins: Origins;
  #index: number;
  #logTimeMs: number;
  readonly #applier: EffectApplier;
  readonly #batch: BatchEffects;
  #isOpen: boolean;

  /** An empty state at index 0. */
  constructor() {
    this.keyspace = new KeyspaceState();
    this.origins = new Origins();
    this.#index = 0;
    this.#logTimeMs = 0;
    this.#applier = new EffectApplier(this.keyspace, this.origins);
    this.#batch = new BatchEffects(this.keyspace, this.#applier);
    this.live = new LiveKeyspace(this.keyspace, this.#batch);
    this.#isOpen = false;
  }

  /** An empty state at `index`; the loader fills it through keyspace and origins. */
  static startingAt(index: number, logTimeMs: number = 0): ShardState {
    const state = new ShardState();
    state.#index = index;
    state.#logTimeMs = logTimeMs;
    state.keyspace.nowSeconds = secondsOf(logTimeMs);
    return state;
  }

  get index(): number {
    return this.#index;
  }

  get logTimeMs(): number {
    return this.#logTimeMs;
  }

  apply(data: Uint8Array, index: number): void {
    assert(!this.#isOpen, "apply with a batch open");
    assert(index === this.#index + 1, "log entry out of order");
    if (data.length > 0) {
      this.#applier.applyBatch(data, index);
      assert(this.#applier.logTimeMs >= this.#logTimeMs, "log time never goes back (I4)");
      this.#logTimeMs = this.#applier.logTimeMs;
    }
    this.#index = index;
  }

  openBatch(index: number, wallMs: number): Effects {
    assert(!this.#isOpen, "batch open");
    assert(index === this.#index + 1, "log entry out of order");
    const logTimeMs = Math.max(this.#logTimeMs, wallMs);
    this.#isOpen = true;
    this.#applier.beginEntry(index, logTimeMs);
    this.#batch.open(index, logTimeMs);
    return this.#batch;
  }

  get keyEvents(): KeyEvents | null {
    return this.#batch.events;
  }

  set keyEvents(events: KeyEvents | null) {
    this.#batch.events = events;
  }

  setOrigin(session: Uint8Array | null, sequence: number): void {
    this.#batch.setOrigin(session, sequence);
  }

  sealBatch(): Uint8Array | null {
    assert(this.#isOpen, "no batch open");
    this.#isOpen = false;
    const payload = this.#batch.seal();
    if (payload === null) return null;
    this.#index = this.#batch.index;
    this.#logTimeMs = this.#batch.logTimeMs;
    return payload;
  }

  lastSequence(session: Uint8Array): number {
    return this.origins.lastSequence(latin1(session, 0, session.length));
  }

  committedTo(index: number): void {
    this.keyspace.committedTo(index);
  }

  watchKey(key: string): void {
    this.keyspace.watch(key);
  }

  unwatchKey(key: string): void {
    this.keyspace.unwatch(key);
  }

  takeTouchedKeys(): ReadonlyMap<string, boolean> {
    return this.keyspace.takeTouched();
  }

  get watches(): KeyWatches {
    return this.keyspace.watches;
  }

  get idleConsumers(): IdleConsumers {
    return this.keyspace.idleConsumers;
  }

  get delays(): DelayQueue {
    return this.keyspace.delays;
  }

  scanGroups(
    cursor: bigint,
    count: number,
    visit: (key: string, stream: StreamView, group: GroupView) => void,
  ): bigint {
    return this.keyspace.scanGroups(cursor, count, visit);
  }

  get outbox(): Outbox {
    return this.keyspace.outbox;
  }

  get retention(): RetentionQueue {
    return this.keyspace.retention;
  }

  get dirtyBytes(): number {
    return this.keyspace.meter.bytes;
  }

  get dirtyKeys(): number {
    const { dirtyKeys, deletedKeyCount, cleared, outbox } = this.keyspace;
    return dirtyKeys.length + deletedKeyCount + (cleared ? 1 : 0) + (outbox.changes > 0 ? 1 : 0);
  }

  capture(): Capture {
    assert(!this.#isOpen, "capture with a batch open");
    return takeCapture(this);
  }

  restoreDirty(capture: Capture): void {
    assert(capture instanceof StateCapture, "not a capture of ours");
    restoreCaptured(this.keyspace, capture);
  }

  beginRollback(captures: readonly Capture[], header: ShardHeader, index: number): ShardRollbackApi | null {
    assert(!this.#isOpen, "rollback with a batch open");
    assert(index <= this.#index, "a rollback goes back");
    return StateRollback.begin(this, captures, header, index);
  }

  /** The rollback's last word: all parts are those of `index` again. */
  moveBackTo(index: number, logTimeMs: number): void {
    this.#index = index;
    this.#logTimeMs = logTimeMs;
  }

  get coldReads(): ColdReads | null {
    return this.keyspace.meter.pool.coldReads;
  }

  set coldReads(coldReads: ColdReads | null) {
    this.keyspace.meter.pool.coldReads = coldReads;
  }

  get memory(): StateMemory {
    const { meter, packed, packableBytes, unpackings, outbox } = this.keyspace;
    return {
      blockBytes: meter.pool.blockBytes,
      fixedBytes:
        meter.fixedBytes + packed.byteLength + outbox.residentBytes + this.origins.size * SESSION_RECORD_BYTES,
      packableBytes,
      packedStreams: packed.size,
      unpackings,
    };
  }

  evict(bytes: number, durableIndex: number): number {
    assert(!this.#isOpen, "blocks leave memory between batches");
    const { meter, packableBytes } = this.keyspace;
    const { pool } = meter;
    const allBytes = packableBytes + pool.blockBytes;
    if (allBytes === 0) return 0;
    // Streams and blocks give by what they take: neither was unused longer for being what it is.
    const packed = this.keyspace.pack(bytes < allBytes ? (bytes * packableBytes) / allBytes : bytes, durableIndex);
    return packed + pool.evict(bytes - packed, durableIndex);
  }

  pack(bytes: number, durableIndex: number): number {
    assert(!this.#isOpen, "streams are packed between batches");
    return this.keyspace.pack(bytes, durableIndex);
  }

  rowsOfBlock({ slot, age, number }: BlockName): RowRange | null {
    if (this.#coldPlace({ slot, age, number }) === null) return null;
    const from = subkeyOf(age, RowKind.fragment, number, 0);
    const to = subkeyOf(age, RowKind.fragment, number + 1, 0);
    return { fromSlot: dataSlot(slot), from, toSlot: dataSlot(slot), to };
  }

  takeBlock(block: BlockName, rows: readonly StateRow[]): boolean {
    const place = this.#coldPlace(block);
    if (place === null) return false;
    const { key, blocks, at } = place;
    const found = new Map<number, Fragment>();
    for (const { slot, subkey, value } of rows) {
      const { age, kind, first, second } = rowName(subkey);
      const isOfBlock = age === block.age && kind === RowKind.fragment && first === block.number;
      if (isOfBlock && value !== null) found.set(second, readFragment(slot, subkey, value));
    }
    blocks.fill(at, (first) => {
      const fragment = found.get(first);
      if (fragment === undefined) throw new DamagedRowError("entries of a block are missing");
      return fragment;
    });
    if (blocks.isScattered(at)) {
      const block = blocks.slots[at]!;
      block.rewrite = true;
      key.stream.entries.markBlockDirty(block);
      this.keyspace.markDirty(key);
    }
    return true;
  }

  /** Null: there is no such block, or it is in memory. */
  #coldPlace({
    slot,
    age,
    number,
  }: BlockName): { readonly key: StreamKey; readonly blocks: BlockList; readonly at: number } | null {
    const key = this.keyspace.findByAge(slot, age);
    if (key === null || key.stream === null) return null;
    const { blocks } = key.stream.entries;
    const at = blocks.indexOf(number);
    return at < 0 || blocks.isWhole(at) ? null : { key, blocks, at };
  }

  stateHash(): string {
    return hashState(this);
  }

  verify(): void {
    this.keyspace.verify();
  }
}
