/**
 * `headrace backup DIR`: a copy of a running cluster. Shard after shard is read from its leader, each from one frozen view that holds everything that was
 * acknowledged before it was asked for; the manifest comes last. What gets lost on the way is asked for again; a shard whose leader goes is begun anew at
 * the next one; a backup that was not finished is begun anew when the command is given again. Exit codes: 0 done, 1 not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { byteSize } from "@headrace/cli";
import { clusterStateToJson, MetaAsk, type ClusterState, type ShardRecord } from "@headrace/meta";
import { decodeSnapshotFrame, type SnapshotFrame } from "@headrace/node";
import { beginBackup, finishBackup, ShardFileWriter } from "./backup-directory.ts";
import { BackupError, type ManifestShard } from "./backup-manifest.ts";
import { ClusterAsker, noAnswer } from "./cluster-asker.ts";
import { Progress } from "./progress.ts";
import { HEADRACE_VERSION } from "./version.ts";

/** A checkpoint has to be written first. */
const OPEN_TIMEOUT_MS = 30_000;
/** At the slowest rate a chunk takes its time. */
const ROWS_TIMEOUT_MS = 60_000;
const RETRY_MS = 500;
/** Rounds over the replicas of a shard: a leader may be being elected. */
const OPEN_ROUNDS = 60;
const ROWS_ATTEMPTS = 5;
const SHARD_ATTEMPTS = 5;

export interface BackupOptions {
  readonly seeds: string;
  readonly json?: boolean;
}

/** A view at the leader of a shard. */
interface OpenedShard {
  readonly address: string;
  readonly backupId: number;
  readonly slots: ManifestShard["slots"];
  readonly index: number;
  readonly term: number;
  readonly logTimeMs: number;
}

/** The leader has let the view go, or has changed: the shard is begun anew. */
class ShardLost extends Error {}

export async function runBackup(directory: string, options: BackupOptions): Promise<number> {
  const asker = new ClusterAsker(options.seeds);
  const progress = new Progress(options.json === true);
  try {
    const state = await asker.state();
    if (state === null) throw new BackupError(noAnswer(options.seeds));
    beginBackup(directory);
    const backup = await new Backup(asker, state, directory, progress).take();
    progress.close();
    const { shards } = state;
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify({ ok: true, directory, shards: shards.length, ...backup })}\n`);
    } else {
      const size = `${shards.length} shards, ${backup.rows} rows, ${byteSize(backup.bytes)}`;
      process.stdout.write(`backup of cluster ${state.clusterId} in ${directory}: ${size}, id ${backup.id}\n`);
    }
    return 0;
  } catch (error) {
    progress.close();
    if (!(error instanceof BackupError)) throw error;
    if (options.json === true) process.stdout.write(`${JSON.stringify({ ok: false, error: error.message })}\n`);
    else process.stderr.write(`headrace: ${error.message}\n`);
    return 1;
  } finally {
    asker.close();
  }
}

class Backup {
  readonly #asker: ClusterAsker;
  readonly #directory: string;
  readonly #progress: Progress;
  #state: ClusterState;
  #bytes: number = 0;
  #shardsDone: number = 0;

  constructor(asker: ClusterAsker, state: ClusterState, directory: string, progress: Progress) {
    this.#asker = asker;
    this.#state = state;
    this.#directory = directory;
    this.#progress = progress;
  }

  async take(): Promise<{ readonly id: string; readonly bytes: number; readonly rows: number }> {
    const startedAt = new Date().toISOString();
    const shards: ManifestShard[] = [];
    for (const shard of this.#state.shards) {
      shards.push(await this.#shard(shard));
      this.#shardsDone++;
    }
    // As it is at the end: what was set meanwhile counts.
    this.#state = (await this.#asker.state()) ?? this.#state;
    const { clusterId, featureLevel, replicaTarget } = this.#state;
    const settings = clusterStateToJson(this.#state)["settings"] as Record<string, string>;
    const { id } = finishBackup(this.#directory, {
      headrace: HEADRACE_VERSION,
      clusterId,
      featureLevel,
      replicas: replicaTarget,
      startedAt,
      finishedAt: new Date().toISOString(),
      settings,
      shards,
    });
    const sum = (of: (shard: ManifestShard) => number): number => shards.reduce((total, shard) => total + of(shard), 0);
    return { id, bytes: sum((shard) => shard.bytes), rows: sum((shard) => shard.rows) };
  }

  async #shard(shard: ShardRecord): Promise<ManifestShard> {
    let reason = "";
    for (let attempt = 0; attempt < SHARD_ATTEMPTS; attempt++) {
      const before = this.#bytes;
      try {
        return await this.#shardOnce(shard);
      } catch (error) {
        if (!(error instanceof ShardLost)) throw error;
        reason = error.message;
        this.#bytes = before;
        this.#progress.say(`shard ${shard.id} is begun anew: ${reason}`);
      }
    }
    throw new BackupError(`shard ${shard.id} cannot be read: ${reason}`);
  }

  async #shardOnce(shard: ShardRecord): Promise<ManifestShard> {
    const opened = await this.#open(shard.id);
    if (JSON.stringify(opened.slots.toSorted((a, b) => a.from - b.from)) !== JSON.stringify(shard.slotRanges)) {
      throw new BackupError(
        `shard ${shard.id} has other slots than the cluster's metadata says: take the backup again`,
      );
    }
    const file = await ShardFileWriter.create(this.#directory, shard.id);
    let rows = 0;
    try {
      let after = "";
      for (let isLast = false; !isLast;) {
        const { bytes, frame } = await this.#rows(shard.id, opened, after);
        await file.append(bytes);
        rows += frame.rows.length;
        this.#bytes += bytes.length;
        isLast = frame.isLast;
        const last = frame.rows.at(-1);
        if (last !== undefined) after = Buffer.from(last.key).toString("hex");
        this.#show();
      }
    } catch (error) {
      await file.abandon();
      throw error;
    }
    void this.#asker.ask(opened.address, MetaAsk.backupClose, { backupId: opened.backupId });
    const { index, term, logTimeMs } = opened;
    return { shardId: shard.id, slots: shard.slotRanges, index, term, logTimeMs, rows, ...(await file.finish()) };
  }

  async #open(shardId: number): Promise<OpenedShard> {
    let reason = "";
    let hint = 0;
    for (let round = 0; round < OPEN_ROUNDS; round++) {
      if (round > 0) {
        await sleep(RETRY_MS);
        this.#state = (await this.#asker.state()) ?? this.#state;
      }
      const { replicas, preferredReplicaId } = this.#state.shard(shardId)!;
      const nodeIds = replicas
        .toSorted((a, b) => Number(b.replicaId === preferredReplicaId) - Number(a.replicaId === preferredReplicaId))
        .map((replica) => replica.nodeId);
      for (const nodeId of new Set([hint, ...nodeIds])) {
        const node = this.#state.node(nodeId);
        if (node === null) continue;
        const answer = await this.#asker.ask(node.peerAddress, MetaAsk.backupOpen, { shardId }, OPEN_TIMEOUT_MS);
        if (answer.ok && answer.value.ok) {
          return { address: node.peerAddress, ...(answer.value.body as unknown as Omit<OpenedShard, "address">) };
        }
        if (!answer.ok) {
          reason = answer.message;
          continue;
        }
        hint = Number(answer.value.body["leaderNodeId"] ?? 0);
        reason = String(answer.value.body["error"]);
      }
    }
    throw new BackupError(`shard ${shardId} has no leader that can be read: ${reason}`);
  }

  async #rows(
    shardId: number,
    opened: OpenedShard,
    after: string,
  ): Promise<{ readonly bytes: Uint8Array; readonly frame: SnapshotFrame }> {
    let reason = "";
    for (let attempt = 0; attempt < ROWS_ATTEMPTS; attempt++) {
      if (attempt > 0) await sleep(RETRY_MS);
      const body = { backupId: opened.backupId, after };
      const answer = await this.#asker.ask(opened.address, MetaAsk.backupRows, body, ROWS_TIMEOUT_MS);
      if (!answer.ok) {
        reason = answer.message;
        continue;
      }
      const { payload } = answer.value;
      if (payload === undefined) throw new ShardLost(String(answer.value.body["error"]));
      const frame = decodeSnapshotFrame(payload);
      if (frame !== null && frame.groupId === shardId) return { bytes: payload, frame };
      reason = "a chunk was damaged on its way";
    }
    throw new ShardLost(reason);
  }

  #show(): void {
    const total = this.#state.shards.length;
    this.#progress.show({ verb: "backup", unit: "shards", done: this.#shardsDone, total, bytes: this.#bytes });
  }
}
