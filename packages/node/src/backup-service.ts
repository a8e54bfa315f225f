/**
 * What a node gives to whoever takes a backup of the cluster: one shard's rows after another, each shard from one frozen view of its leader's store.
 *
 *   backupOpen {shardId}              an entry is put behind everything that was acknowledged so far; when the store's checkpoint has passed it, a view
 *                                     is taken. So the view holds every write that was answered before the question, and only committed state
 *   backupRows {backupId, after}      the rows behind that one, as a chunk of a snapshot, no sooner than `--snapshot-rate` allows
 *   backupClose {backupId}            or nobody asks any more: the view is let go
 *
 * The asker asks for what it lacks, so that a lost answer is asked for again. Must not know: files, where the rows go, what is in them.
 */
import { MetaAsk } from "@headrace/meta";
import type { Clock, Logger, MetaResponse, Random, Scheduler, Timer } from "@headrace/ports";
import { decodeCheckpointRow } from "./checkpoint-row.ts";
import { chunkFrame, NO_BYTES } from "./snapshot-codec.ts";
import type { SnapshotContent } from "./snapshot-source.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

/** Views that are open at once: what each makes the store keep grows. */
const OPEN_MAX = 2;
/** A checkpoint has to be written for it first. */
const OPEN_MS = 20_000;
/** A view that nobody asks about is let go. */
const IDLE_MS = 30_000;
/** Longest key of a row, by far. */
const AFTER_BYTES_MAX = 0x1_0000;

export interface BackupWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly logger: Logger;
}

/** A replica as far as a backup touches it. */
export interface BackedUpShard {
  readonly groupId: number;
  readonly replicaId: number;
  openBackup(done: (content: SnapshotContent | null) => void): void;
}

export interface BackupHost {
  /** A replica that may lead; null: none here. */
  shard(shardId: number): BackedUpShard | null;
  /** 0: nobody known. */
  leaderNodeOf(shardId: number): number;
}

interface OpenBackup {
  readonly id: number;
  readonly shard: BackedUpShard;
  readonly content: SnapshotContent;
  readonly openedMs: number;
  /** Chunks that are being read. */
  busy: number;
  timer: Timer | null;
}

type Answer = (response: MetaResponse) => void;

export class BackupService {
  readonly #world: BackupWorld;
  readonly #traffic: SnapshotTraffic;
  readonly #host: BackupHost;
  readonly #open: Map<number, OpenBackup>;
  /** Views that are about to be taken. */
  #opening: number;
  #stopped: boolean;

  constructor(world: BackupWorld, traffic: SnapshotTraffic, host: BackupHost) {
    this.#world = world;
    this.#traffic = traffic;
    this.#host = host;
    this.#open = new Map();
    this.#opening = 0;
    this.#stopped = false;
  }

  /** Answers a request; false: not one of ours. */
  answer(kind: string, body: Readonly<Record<string, unknown>>, answer: Answer): boolean {
    switch (kind) {
      case MetaAsk.backupOpen:
        this.#onOpen(Number(body["shardId"]), answer);
        return true;
      case MetaAsk.backupRows:
        this.#onRows(Number(body["backupId"]), body["after"], answer);
        return true;
      case MetaAsk.backupClose:
        this.#close(Number(body["backupId"]));
        answer({ ok: true, body: {} });
        return true;
      default:
        return false;
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const id of this.#open.keys()) this.#close(id);
  }

  #onOpen(shardId: number, answer: Answer): void {
    const shard = this.#host.shard(shardId);
    const leaderNodeId = this.#host.leaderNodeOf(shardId);
    const notHere = (): void => answer(refusal(`shard ${shardId} is led elsewhere`, true, { leaderNodeId }));
    if (this.#stopped || shard === null) return notHere();
    if (this.#open.size + this.#opening >= OPEN_MAX) {
      return answer(refusal(`${OPEN_MAX} backups are being taken from this node already`, true, {}));
    }
    this.#opening++;
    // A leader that has lost its majority without knowing it waits for a commit that may never come.
    let isAwaited = true;
    const settle = (): void => {
      isAwaited = false;
      this.#opening--;
      patience.cancel();
    };
    const patience = this.#world.scheduler.after(OPEN_MS, () => {
      settle();
      answer(refusal(`shard ${shardId} commits nothing`, true, {}));
    });
    shard.openBackup((content) => {
      if (!isAwaited) return content?.close();
      settle();
      if (content === null) return notHere();
      if (this.#stopped) return content.close();
      // Never 0, and not to be met again after a restart.
      const id = this.#world.random.u32() * 0x10_0000 + this.#world.random.below(0x10_0000) + 1;
      const open = { id, shard, content, openedMs: this.#world.clock.monotonicMs(), busy: 0, timer: null };
      this.#open.set(id, open);
      this.#watch(open);
      const { index, term, logTimeMs, ranges } = decodeCheckpointRow(content.head);
      const slots = ranges.map(({ from, to }) => ({ from, to }));
      this.#world.logger.info("backup_opened", { group: shardId, index, term });
      answer({ ok: true, body: { backupId: id, index, term, logTimeMs, slots } });
    });
  }

  #onRows(id: number, asked: unknown, answer: Answer): void {
    const open = this.#open.get(id);
    const after = typeof asked === "string" ? bytesOfHex(asked) : null;
    if (open === undefined) return answer(refusal("this backup is not kept here any more", false, { gone: true }));
    if (after === null) return answer(refusal("not a row to go on behind", false, {}));
    open.busy++;
    this.#watch(open);
    const { content, shard } = open;
    content.chunk(after, (result) => {
      if (this.#open.get(id) !== open) return answer(refusal("this backup was closed", false, { gone: true }));
      if (!result.ok) {
        this.#close(id);
        return answer(refusal(`it cannot be read: ${result.message}`, false, { gone: true }));
      }
      const address = { groupId: shard.groupId, to: 0, from: shard.replicaId, snapshotId: id, number: 0 };
      const head = after.length === 0 ? content.head : NO_BYTES;
      const frame = chunkFrame(address, { after, head, ...result.value });
      const leave = (): void => {
        this.#traffic.spend(frame.length);
        open.busy--;
        if (this.#open.get(id) === open) this.#watch(open);
        answer({ ok: true, body: {}, payload: frame });
      };
      const waitMs = this.#traffic.waitMs();
      if (waitMs <= 0) leave();
      else this.#world.scheduler.after(waitMs, leave);
    });
  }

  /** Its patience begins anew. */
  #watch(open: OpenBackup): void {
    open.timer?.cancel();
    open.timer = null;
    if (open.busy > 0) return;
    open.timer = this.#world.scheduler.after(IDLE_MS, () => this.#close(open.id));
  }

  #close(id: number): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    open.timer?.cancel();
    open.content.close();
    const tookMs = Math.round(this.#world.clock.monotonicMs() - open.openedMs);
    this.#world.logger.info("backup_closed", { group: open.shard.groupId, index: open.content.meta.index, tookMs });
  }
}

function refusal(error: string, retry: boolean, more: Record<string, unknown>): MetaResponse {
  return { ok: false, body: { error, retry, ...more } };
}

function bytesOfHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || text.length > 2 * AFTER_BYTES_MAX || !/^[0-9a-f]*$/.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
