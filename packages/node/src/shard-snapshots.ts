/**
 * A shard's snapshots: what one is made of, where one that arrives is kept, and how it takes the place of the state.
 *
 *   sent      a frozen view of the store: the checkpoint row as head, then the rows of its slot → generation table, generations left out. The row is
 *             read from the view itself, so both are of one moment; what the store holds is committed (I11).
 *   received  rows go into a generation of their own; the old state serves on beside it
 *   installed one synced batch: the checkpoint row names the new generation (marked as put). Then the log begins behind it. A crash in between is
 *             put right at opening (shard-opening.ts). Then memory is loaded from the store, as at a restart
 *
 * Must not know: what chunks look like on the wire, Raft's progress.
 */
import { assert, copyOf } from "@headrace/bytes";
import { DamagedRowError, rowIsIntact, slotOfRow } from "@headrace/engine";
import type { ShardStateApi } from "@headrace/engine";
import type { Done, KvSnapshot } from "@headrace/ports";
import type { RaftNodeApi, Snapshot, SnapshotMeta } from "@headrace/raft-ts";
import type { Checkpointer } from "./checkpoint.ts";
import {
  checkpointKey,
  decodeCheckpointRow,
  encodeCheckpointRow,
  GENERATION_BYTES,
  generationKey,
  rowRegions,
  slotKey,
  STATE_KEY_PREFIX_BYTES,
} from "./checkpoint-row.ts";
import type { CheckpointRow, GenerationRange } from "./checkpoint-row.ts";
import { canGoOnWithout } from "./hand-over.ts";
import type { SnapshotHold } from "./log-retention.ts";
import type { RaftLog } from "./raft-log.ts";
import type { ShardConfig, ShardHost, ShardWorld } from "./shard-api.ts";
import { NO_BYTES } from "./snapshot-codec.ts";
import type { SnapshotRow } from "./snapshot-codec.ts";
import { SnapshotEnds } from "./snapshot-ends.ts";
import type { SnapshotPlace } from "./snapshot-sink.ts";
import type { SnapshotContent } from "./snapshot-source.ts";
import { loadState } from "./state-loading.ts";
import { keyBehind } from "./state-ranges.ts";

const SPACE_RETRY_MS = 1000;
const SLOT_BYTES = STATE_KEY_PREFIX_BYTES - GENERATION_BYTES;

export interface ShardSnapshotsOptions {
  readonly config: ShardConfig;
  readonly world: ShardWorld;
  readonly host: ShardHost;
  readonly raft: RaftNodeApi;
  readonly raftLog: RaftLog;
  readonly checkpointer: Checkpointer;
  /** A rollback is running: nothing else may replace the state. */
  readonly isRollingBack: () => boolean;
  /** The next checkpoint must not wait for its time. */
  readonly forceCheckpoint: () => void;
  /** The store holds the snapshot's state. */
  readonly switched: (row: CheckpointRow) => void;
  readonly loaded: (state: ShardStateApi) => void;
  readonly onFailed: (message: string, damaged?: boolean) => void;
}

interface Installation {
  readonly snapshot: Snapshot;
  readonly done: () => void;
  isUnderWay: boolean;
}

export class ShardSnapshots implements SnapshotPlace, SnapshotHold {
  readonly #options: ShardSnapshotsOptions;
  readonly #ends: SnapshotEnds;
  /** Open views of the store. */
  readonly #views: Set<KvSnapshot>;
  /** Where rows that arrive are written; 0: nowhere. */
  #generation: number;
  #head: CheckpointRow | null;
  #installation: Installation | null;
  #isLoading: boolean;
  #stopped: boolean;

  constructor(options: ShardSnapshotsOptions) {
    const { config, world, host, raft } = options;
    this.#options = options;
    this.#views = new Set();
    this.#generation = 0;
    this.#head = null;
    this.#installation = null;
    this.#isLoading = false;
    this.#stopped = false;
    this.#ends = new SnapshotEnds({
      groupId: config.groupId,
      raft,
      raftLog: options.raftLog,
      retainBytes: config.limits.logRetainBytes,
      clock: world.clock,
      scheduler: world.scheduler,
      random: world.random,
      logger: world.logger,
      traffic: world.snapshots,
      host,
      place: this,
      open: (done) => this.openView(done),
      onUnnamed: options.forceCheckpoint,
      onFailed: options.onFailed,
    });
  }

  /** For sending, receiving and routing. */
  get ends(): SnapshotEnds {
    return this.#ends;
  }

  holdIndex(): number {
    return this.#ends.holdIndex();
  }

  giveUp(reason: string): void {
    this.#ends.giveUp(reason);
  }

  get holdBytes(): number {
    return this.#options.config.limits.snapshotLogBytes;
  }

  /** The state is being replaced: nothing may be served, captured or applied. */
  get isInstalling(): boolean {
    return this.#installation !== null || this.#isLoading;
  }

  /** From Raft's storage: the snapshot whose announcement Raft was given a moment ago. */
  install(snapshot: Snapshot, done: () => void): void {
    assert(this.#installation === null && this.#head !== null, "a snapshot is installed that is here, one at a time");
    assert(
      this.#head.index === snapshot.meta.index && this.#head.term === snapshot.meta.term,
      "it is the one that is here",
    );
    this.#installation = { snapshot, done, isUnderWay: false };
    this.#ends.onInstalling();
    this.proceed();
  }

  /** In every turn: the installation waits for what is replacing or writing the state. */
  proceed(): void {
    const installation = this.#installation;
    if (installation === null || installation.isUnderWay || this.#stopped || this.#options.isRollingBack()) return;
    installation.isUnderWay = true;
    const { checkpointer } = this.#options;
    checkpointer.whenIdle(() => {
      if (this.#stopped) return;
      checkpointer.takeQueued();
      this.#switch(installation);
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#ends.stop();
    for (const view of this.#views) this.#options.world.kvStore.release(view);
    this.#views.clear();
  }

  // ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the store holds now, until it is closed. In a later event, null: it can't be read. */
  openView(done: (content: SnapshotContent | null) => void): void {
    const { config, world, raft } = this.#options;
    const view = world.kvStore.snapshot();
    this.#views.add(view);
    world.kvStore.get(checkpointKey(config.groupId), view, (result) => {
      if (this.#stopped) return done(null);
      const row = result.ok && result.value !== null ? decoded(result.value) : null;
      if (row !== null && typeof row !== "string") {
        assert(row.index <= raft.commit, "the store holds committed state only (I11)");
        const hold = { view, isOpen: () => this.#views.has(view), close: () => this.#release(view) };
        done(new StoreView(this.#options, row, hold));
        return;
      }
      this.#release(view);
      const message = typeof row === "string" ? row : result.ok ? "no checkpoint row" : result.message;
      world.logger.error("snapshot_cannot_be_cut", { group: config.groupId, message });
      done(null);
    });
  }

  #release(view: KvSnapshot): void {
    if (this.#views.delete(view)) this.#options.world.kvStore.release(view);
  }

  // ── receiving ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  prepare(done: Done<void>): void {
    this.#head = null;
    this.#options.checkpointer.reserveGeneration((result) => {
      if (this.#stopped) return;
      if (result.ok) this.#generation = result.value;
      done(result.ok ? { ok: true, value: undefined } : result);
    });
  }

  takeHead(head: Uint8Array, meta: SnapshotMeta): string | null {
    const row = decoded(copyOf(head, 0, head.length));
    if (typeof row === "string") return row;
    if (row.index !== meta.index || row.term !== meta.term) {
      return `it is of index ${row.index}, term ${row.term}; announced were ${meta.index} and ${meta.term}`;
    }
    this.#head = row;
    return null;
  }

  objectionTo(rows: readonly SnapshotRow[]): string | null {
    const { ranges } = this.#head!;
    for (const row of rows) {
      if (row.key.length <= SLOT_BYTES) return "a row without a key";
      const slot = slotOfRow(slotOf(row.key));
      if (!ranges.some((range) => slot >= range.from && slot <= range.to)) return `slot ${slot} is not the shard's`;
      if (!isIntact(row)) return `a row of slot ${slot} is damaged at its source`;
    }
    return null;
  }

  store(rows: readonly SnapshotRow[], done: Done<void>): void {
    const generation = this.#generation;
    const changes = rows.map(({ key, value }) => ({ key: generationKey(generation, key), value }));
    this.#options.world.kvStore.write(changes, (result) => {
      if (this.#stopped) return;
      // Given up while it was being written: the sweep may have come too early for these rows.
      if (this.#generation === generation) done(result);
      else if (this.#generation === 0) this.#options.checkpointer.dropGeneration();
    });
  }

  abandon(): void {
    this.#generation = 0;
    this.#head = null;
    this.#options.checkpointer.dropGeneration();
  }

  // ── installing ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #switch(installation: Installation): void {
    const { checkpointer, world, config, switched, onFailed } = this.#options;
    checkpointer.install(this.#head!, (result) => {
      if (this.#stopped) return;
      if (!result.ok && result.reason === "space") {
        world.logger.error("snapshot_no_space", { group: config.groupId, message: result.message });
        world.scheduler.after(SPACE_RETRY_MS, () => {
          if (!this.#stopped) this.#switch(installation);
        });
        return;
      }
      if (!result.ok) return onFailed(`a snapshot cannot be installed: ${result.message}`);
      this.#installation = null;
      this.#isLoading = true;
      this.#generation = 0;
      this.#head = null;
      switched(result.value);
      this.#ends.onInstalled();
      installation.done();
      world.snapshots.installed++;
      const { index, term } = result.value;
      world.logger.info("snapshot_installed", { group: config.groupId, index, term });
      this.#load(result.value);
    });
  }

  #load(row: CheckpointRow): void {
    const { world, config, loaded, onFailed } = this.#options;
    loadState(world.kvStore, row, config.limits, (result) => {
      if (this.#stopped) return;
      if (!result.ok) {
        return onFailed(`the state of a snapshot cannot be loaded: ${result.message}`, result.reason === "corrupt");
      }
      this.#isLoading = false;
      loaded(result.value);
    });
  }
}

interface ViewHold {
  readonly view: KvSnapshot;
  /** False: the replica has stopped, and its views with it. */
  readonly isOpen: () => boolean;
  readonly close: () => void;
}

/** A shard's rows as they were when the view was taken. */
class StoreView implements SnapshotContent {
  readonly meta: SnapshotMeta;
  readonly head: Uint8Array;
  readonly close: () => void;
  readonly #options: ShardSnapshotsOptions;
  readonly #hold: ViewHold;
  /** By slot, rows of entries last. */
  readonly #ranges: readonly GenerationRange[];

  constructor(options: ShardSnapshotsOptions, row: CheckpointRow, hold: ViewHold) {
    this.meta = { index: row.index, term: row.term, confState: row.confState };
    this.head = encodeCheckpointRow(row);
    this.close = hold.close;
    this.#options = options;
    this.#hold = hold;
    this.#ranges = rowRegions(row.ranges);
  }

  chunk(after: Uint8Array, done: Done<{ readonly rows: readonly SnapshotRow[]; readonly isLast: boolean }>): void {
    if (!this.#hold.isOpen()) return done({ ok: false, reason: "closed", message: "the replica has stopped" });
    const slot = after.length < SLOT_BYTES ? 0 : slotOf(after);
    const found = this.#ranges.findIndex((range) => range.to >= slot);
    this.#read(Math.max(found, 0), after, done);
  }

  #read(
    rangeNumber: number,
    after: Uint8Array,
    done: Done<{ readonly rows: readonly SnapshotRow[]; readonly isLast: boolean }>,
  ): void {
    const range = this.#ranges[rangeNumber]!;
    const first = slotKey(range.generation, range.from);
    const from = after.length === 0 ? first : keyBehind(generationKey(range.generation, after));
    const to = slotKey(range.generation, range.to + 1);
    const { world, config, raft, onFailed } = this.#options;
    const { snapshotChunkRows, snapshotChunkBytes } = config.limits;
    world.kvStore.scan(from, to, snapshotChunkRows, snapshotChunkBytes, this.#hold.view, (result) => {
      if (!result.ok) return done(result);
      if (result.value.length > 0) {
        const rows = result.value.map(({ key, value }) => ({ key: key.subarray(GENERATION_BYTES), value }));
        const damaged = rows.find((row) => !isIntact(row));
        if (damaged === undefined) return done({ ok: true, value: { rows, isLast: false } });
        world.snapshots.damagedRows++;
        const message = `a row of slot ${slotOf(damaged.key)} does not match its checksum`;
        world.logger.error("snapshot_row_damaged", { group: config.groupId, message });
        done({ ok: false, reason: "corrupt", message });
        // From here nobody ever gets a snapshot. Where the others can't go on without this replica, most of its state is still better than none of it.
        if (canGoOnWithout(raft.status())) onFailed(`a snapshot cannot be read: ${message}`, true);
        return;
      }
      if (rangeNumber + 1 < this.#ranges.length) this.#read(rangeNumber + 1, NO_BYTES, done);
      else done({ ok: true, value: { rows: [], isLast: true } });
    });
  }
}

function isIntact({ key, value }: SnapshotRow): boolean {
  return rowIsIntact(slotOf(key), key.subarray(SLOT_BYTES), value);
}

function slotOf(key: Uint8Array): number {
  return key[0]! * 256 + key[1]!;
}

function decoded(value: Uint8Array): CheckpointRow | string {
  try {
    return decodeCheckpointRow(value);
  } catch (error) {
    if (error instanceof DamagedRowError) return error.message;
    throw error;
  }
}
