/**
 * Founding from a backup: what is checked before anything is decided, and how a founder puts the shards that it holds into its store.
 *
 *   check     everything is read once and compared with what was written; each shard's first chunk must be of this program's form
 *   put       for each shard placed here: its rows, chunk after chunk, synced; then its checkpoint row, marked as put, at the backup's own index and
 *             term. Every founder does the same with the same bytes, so Raft begins with equal states, as if each had installed one snapshot
 *
 * A crash in between is gone on from: a shard whose checkpoint row is there is whole, of another the same rows are put again. Nothing is served before
 * all shards of the node are there (the identity's `opened`). Must not know: where the backup lies, who decides on founding.
 */
import { compareBytes, copyOf, TruncatedError } from "@headrace/bytes";
import { DamagedRowError, rowIsIntact, slotOfRow, UnknownRowError } from "@headrace/engine";
import type { ClusterState } from "@headrace/meta";
import type {
  BackupContent,
  BackupReader,
  BackupShard,
  Done,
  KvStore,
  Logger,
  Result,
  Scheduler,
} from "@headrace/ports";
import {
  checkpointKey,
  decodeCheckpointRow,
  encodeCheckpointRow,
  GENERATION_BYTES,
  generationKey,
  generationOf,
  STATE_KEY_PREFIX_BYTES,
} from "./checkpoint-row.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import type { StoredPosition } from "./log-meeting.ts";
import { votersOnly } from "./meta-position.ts";
import { PeerCodecError } from "./peer-codec.ts";
import { decodeSnapshotFrame, NO_BYTES, SnapshotFrameKind } from "./snapshot-codec.ts";
import type { SnapshotFrame } from "./snapshot-codec.ts";
import { readCheckpointRow } from "./state-loading.ts";

/** A full disk delays it, and nothing else. */
const SPACE_RETRY_MS = 1000;
const SLOT_BYTES = STATE_KEY_PREFIX_BYTES - GENERATION_BYTES;
/** Of the one generation that is made. */
const FIRST_SEQUENCE = 1;

/** Reads all of it. A failure's message says what the operator has to know. */
export function checkBackup(reader: BackupReader, knownLevel: number, done: Done<BackupContent>): void {
  reader.verify((verified) => {
    if (!verified.ok) return done(verified);
    const content = verified.value;
    if (content.featureLevel > knownLevel) {
      const message = `the backup is of feature level ${content.featureLevel}, this program knows ${knownLevel}: it is too old`;
      return done({ ok: false, reason: "unsupported", message });
    }
    const next = (number: number): void => {
      const shard = content.shards[number];
      if (shard === undefined) return done({ ok: true, value: content });
      readChunk(reader, shard, 0, (chunk) => {
        const head = chunk.ok ? headOf(chunk.value, shard) : chunk;
        if (head.ok) next(number + 1);
        else done({ ...head, message: `the backup's shard ${shard.shardId}: ${head.message}` });
      });
    };
    next(0);
  });
}

/** Where the log of each restored group begins. */
export function positionsOf(content: BackupContent): ReadonlyMap<number, StoredPosition> {
  return new Map(content.shards.map(({ shardId, index, term }) => [shardId, { index, term }]));
}

export interface RestorationOptions {
  readonly reader: BackupReader;
  readonly content: BackupContent;
  readonly state: ClusterState;
  readonly nodeId: number;
  readonly kvStore: KvStore;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
}

export class Restoration {
  readonly #options: RestorationOptions;
  readonly #shards: readonly BackupShard[];
  #shardsDone: number;
  #bytes: number;
  #stopped: boolean;

  constructor(options: RestorationOptions) {
    const placed = new Set(options.state.groupsOn(options.nodeId).map((group) => group.groupId));
    this.#options = options;
    this.#shards = options.content.shards.filter(({ shardId }) => placed.has(shardId));
    this.#shardsDone = 0;
    this.#bytes = 0;
    this.#stopped = false;
  }

  /** For people. */
  get progress(): { readonly shardsDone: number; readonly shards: number; readonly bytes: number } {
    return { shardsDone: this.#shardsDone, shards: this.#shards.length, bytes: this.#bytes };
  }

  /** Once. After a failure nothing of it may be served. */
  run(done: Done<void>): void {
    this.#next(done);
  }

  stop(): void {
    this.#stopped = true;
  }

  #next(done: Done<void>): void {
    const shard = this.#shards[this.#shardsDone];
    if (shard === undefined) return done({ ok: true, value: undefined });
    const finished = (result: Result<void>): void => {
      if (this.#stopped) return;
      if (!result.ok) return done({ ...result, message: `shard ${shard.shardId}: ${result.message}` });
      this.#options.logger.info("shard_restored", { group: shard.shardId, index: shard.index, term: shard.term });
      this.#shardsDone++;
      this.#next(done);
    };
    readCheckpointRow(this.#options.kvStore, shard.shardId, (row) => {
      if (!row.ok) finished(row);
      else if (row.value !== null) finished({ ok: true, value: undefined });
      else this.#put(shard, 0, { head: null, last: NO_BYTES }, finished);
    });
  }

  #put(shard: BackupShard, number: number, soFar: PutSoFar, done: Done<void>): void {
    if (this.#stopped) return;
    readChunk(this.#options.reader, shard, number, (read) => {
      if (!read.ok) return done(read);
      const frame = read.value;
      const objection = objectionTo(frame, shard, number, soFar.last);
      if (objection !== null) return done({ ok: false, reason: "corrupt", message: objection });
      const head = number === 0 ? headOf(frame, shard) : { ok: true as const, value: soFar.head! };
      if (!head.ok) return done(head);
      const generation = generationOf(shard.shardId, FIRST_SEQUENCE);
      const changes = frame.rows.map(({ key, value }) => ({ key: generationKey(generation, key), value }));
      this.#write(changes, (written) => {
        if (!written.ok) return done(written);
        for (const { key, value } of frame.rows) this.#bytes += key.length + value.length;
        const last = frame.rows.at(-1)?.key ?? soFar.last;
        if (frame.isLast) this.#putHead(shard, head.value, done);
        else this.#put(shard, number + 1, { head: head.value, last: copyOf(last, 0, last.length) }, done);
      });
    });
  }

  /** All rows are there. */
  #putHead(shard: BackupShard, head: CheckpointRow, done: Done<void>): void {
    const generation = generationOf(shard.shardId, FIRST_SEQUENCE);
    const row: CheckpointRow = {
      ...head,
      confState: votersOnly(this.#options.state.replicasOf(shard.shardId).map((replica) => replica.replicaId)),
      ranges: shard.slots.map(({ from, to }) => ({ from, to, generation })),
      sequence: FIRST_SEQUENCE,
      isPut: true,
    };
    this.#write([{ key: checkpointKey(shard.shardId), value: encodeCheckpointRow(row) }], done);
  }

  #write(changes: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[], done: Done<void>): void {
    const { kvStore, scheduler, logger } = this.#options;
    kvStore.write(changes, (result) => {
      if (this.#stopped) return;
      if (result.ok || result.reason !== "space") return done(result);
      logger.error("restoration_no_space", { message: result.message });
      scheduler.after(SPACE_RETRY_MS, () => {
        if (!this.#stopped) this.#write(changes, done);
      });
    });
  }
}

interface PutSoFar {
  readonly head: CheckpointRow | null;
  /** Key of the last row. */
  readonly last: Uint8Array;
}

function readChunk(reader: BackupReader, shard: BackupShard, number: number, done: Done<SnapshotFrame>): void {
  if (number >= shard.chunks) return done(corrupt("it ends before its last row"));
  reader.chunk(shard.shardId, number, (read) => {
    if (!read.ok) return done(read);
    const frame = understood(() => decodeSnapshotFrame(read.value));
    if (!frame.ok) done(frame);
    else if (frame.value === null) done(corrupt(`chunk ${number} does not match its checksum`));
    else if (frame.value.kind !== SnapshotFrameKind.chunk) done(corrupt(`chunk ${number} is none`));
    else done({ ok: true, value: frame.value });
  });
}

/** A shard's checkpoint row, which its first chunk begins with. */
function headOf(frame: SnapshotFrame, shard: BackupShard): Result<CheckpointRow> {
  const head = understood(() => decodeCheckpointRow(copyOf(frame.head, 0, frame.head.length)));
  if (!head.ok) return head;
  const { index, term } = head.value;
  if (index === shard.index && term === shard.term) return head;
  return corrupt(`it begins at index ${index}, term ${term}; its manifest says ${shard.index} and ${shard.term}`);
}

function objectionTo(frame: SnapshotFrame, shard: BackupShard, number: number, last: Uint8Array): string | null {
  if (frame.groupId !== shard.shardId) return `chunk ${number} is of shard ${frame.groupId}`;
  if (compareBytes(frame.after, last) !== 0) return `chunk ${number} does not follow on the one before`;
  if (frame.isLast !== (number === shard.chunks - 1)) return `chunk ${number} is not the last one`;
  for (const { key, value } of frame.rows) {
    if (key.length <= SLOT_BYTES) return `chunk ${number} has a row without a key`;
    const slot = key[0]! * 256 + key[1]!;
    const keySlot = slotOfRow(slot);
    if (!shard.slots.some(({ from, to }) => keySlot >= from && keySlot <= to)) return `slot ${slot} is not the shard's`;
    if (!rowIsIntact(slot, key.subarray(SLOT_BYTES), value)) return `a row of slot ${slot} is damaged`;
  }
  return null;
}

function corrupt(message: string): { readonly ok: false; readonly reason: "corrupt"; readonly message: string } {
  return { ok: false, reason: "corrupt", message };
}

function understood<T>(read: () => T): Result<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof DamagedRowError) return corrupt(error.message);
    const isUnknown =
      error instanceof UnknownRowError || error instanceof PeerCodecError || error instanceof TruncatedError;
    if (!isUnknown) throw error;
    return { ok: false, reason: "unsupported", message: `it is of another version: ${error.message}` };
  }
}
