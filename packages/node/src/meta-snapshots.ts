/**
 * Snapshots of the metadata group. Its state is one small record, so a snapshot is one chunk with that record and no rows. Installing it means to
 * replace the record (marked as put), then the log begins behind it.
 */
import type { Done, RecordStore } from "@headrace/ports";
import type { RaftNodeApi, Snapshot, SnapshotMeta } from "@headrace/raft-ts";
import { assert } from "@headrace/bytes";
import { decodeMetaPosition, encodeMetaPosition, METADATA_RECORD } from "./meta-position.ts";
import type { MetaPosition } from "./meta-position.ts";
import type { RaftLog } from "./raft-log.ts";
import type { SnapshotRow } from "./snapshot-codec.ts";
import { SnapshotEnds } from "./snapshot-ends.ts";
import type { SnapshotEndsHost, SnapshotEndsOptions } from "./snapshot-ends.ts";
import type { SnapshotPlace } from "./snapshot-sink.ts";
import type { SnapshotContent } from "./snapshot-source.ts";

export interface MetaSnapshotsOptions {
  readonly groupId: number;
  readonly raft: RaftNodeApi;
  readonly raftLog: RaftLog;
  readonly retainBytes: number;
  readonly world: Pick<SnapshotEndsOptions, "clock" | "scheduler" | "random" | "logger"> & {
    readonly snapshots: SnapshotEndsOptions["traffic"];
    readonly recordStore: RecordStore;
  };
  readonly host: SnapshotEndsHost;
  /** What is applied: all of it is committed. */
  readonly current: () => MetaPosition;
  /** The record is being written. */
  readonly isStoring: () => boolean;
  /** The record holds this now. */
  readonly installed: (meta: MetaPosition) => void;
  readonly onFailed: (message: string) => void;
}

export class MetaSnapshots implements SnapshotPlace {
  readonly ends: SnapshotEnds;
  readonly #options: MetaSnapshotsOptions;
  #received: MetaPosition | null;
  #onInstalled: (() => void) | null;
  #stopped: boolean;

  constructor(options: MetaSnapshotsOptions) {
    const { groupId, raft, raftLog, retainBytes, world, host, onFailed } = options;
    const { clock, scheduler, random, logger, snapshots } = world;
    this.#options = options;
    this.#received = null;
    this.#onInstalled = null;
    this.#stopped = false;
    this.ends = new SnapshotEnds({
      groupId,
      raft,
      raftLog,
      retainBytes,
      clock,
      scheduler,
      random,
      logger,
      traffic: snapshots,
      host,
      place: this,
      open: (done) => scheduler.soon(() => done(this.#content())),
      // What is applied names everyone; the next one will.
      onUnnamed: () => {},
      onFailed,
    });
  }

  get isInstalling(): boolean {
    return this.#onInstalled !== null;
  }

  install(snapshot: Snapshot, done: () => void): void {
    assert(this.#received?.position.index === snapshot.meta.index, "a snapshot is installed that is here");
    this.#onInstalled = done;
    this.ends.onInstalling();
    this.proceed();
  }

  /** The record is not being written any more, or a turn goes by. */
  proceed(): void {
    const { world, isStoring, onFailed, groupId } = this.#options;
    const meta = this.#received;
    if (this.#onInstalled === null || meta === null || isStoring()) return;
    this.#received = null;
    world.recordStore.write(METADATA_RECORD, encodeMetaPosition({ ...meta, isPut: true }), (result) => {
      if (this.#stopped) return;
      if (!result.ok) return onFailed(`record ${METADATA_RECORD} can't be written: ${result.message}`);
      const done = this.#onInstalled!;
      this.#onInstalled = null;
      this.#options.installed(meta);
      this.ends.onInstalled();
      done();
      world.snapshots.installed++;
      const { index, term } = meta.position;
      world.logger.info("snapshot_installed", { group: groupId, index, term });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.ends.stop();
  }

  // ── the place of one that arrives ─────────────────────────────────────────────────────────────────────────────────────────────────

  prepare(done: Done<void>): void {
    this.#received = null;
    this.#options.world.scheduler.soon(() => done({ ok: true, value: undefined }));
  }

  takeHead(head: Uint8Array, meta: SnapshotMeta): string | null {
    const decoded = decodeMetaPosition(head);
    if (!decoded.ok) return decoded.failure.message;
    const { position } = decoded.value;
    if (position.index !== meta.index || position.term !== meta.term) return "it is not the one that was announced";
    this.#received = decoded.value;
    return null;
  }

  objectionTo(rows: readonly SnapshotRow[]): string | null {
    return rows.length === 0 ? null : "the metadata has no rows";
  }

  store(_rows: readonly SnapshotRow[], done: Done<void>): void {
    this.#options.world.scheduler.soon(() => done({ ok: true, value: undefined }));
  }

  abandon(): void {
    this.#received = null;
  }

  #content(): SnapshotContent {
    const { world, current } = this.#options;
    const meta = current();
    return {
      meta: meta.position,
      head: encodeMetaPosition(meta),
      chunk: (_after, done) => world.scheduler.soon(() => done({ ok: true, value: { rows: [], isLast: true } })),
      close: () => {},
    };
  }
}
