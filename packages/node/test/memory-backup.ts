/** A backup in memory: taken by the questions that the operator's command asks, read by nodes that found from it. */
import { latin1 } from "@headrace/bytes";
import { clusterStateToJson, MetaAsk } from "@headrace/meta";
import type { BackupContent, BackupReader, BackupShard, MetaResponse } from "@headrace/ports";
import { decodeSnapshotFrame } from "../src/snapshot-codec.ts";
import type { SnapshotFrame } from "../src/snapshot-codec.ts";
import type { Life, VirtualTime } from "./virtual-time.ts";
import type { Cluster } from "./node-bench.ts";

export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class MemoryBackup {
  readonly content: BackupContent;
  readonly chunks: ReadonlyMap<number, readonly Uint8Array[]>;
  /** What reading all of it finds. */
  objection: string | null = null;

  constructor(content: BackupContent, chunks: ReadonlyMap<number, readonly Uint8Array[]>) {
    this.content = content;
    this.chunks = chunks;
  }

  /** `between`: called before each question for rows. */
  static take(cluster: Cluster, between: () => void = () => undefined): MemoryBackup {
    const state = cluster.nodes.find((node) => node !== null)!.clusterState!;
    const shards: BackupShard[] = [];
    const chunks = new Map<number, readonly Uint8Array[]>();
    for (const { id, slotRanges } of state.shards) {
      const opened = openShard(cluster, id);
      const { index, term } = opened.body as { index: number; term: number };
      const taken = rowsOf(cluster, id, opened, between);
      chunks.set(id, taken);
      shards.push({ shardId: id, slots: slotRanges, index, term, chunks: taken.length });
    }
    const { clusterId, featureLevel, replicaTarget: replicas } = state;
    const settings = clusterStateToJson(state)["settings"] as Record<string, string>;
    return new MemoryBackup({ id: `of-${clusterId}`, clusterId, featureLevel, replicas, settings, shards }, chunks);
  }

  /** With one chunk replaced. */
  with(shardId: number, number: number, chunk: Uint8Array): MemoryBackup {
    const altered = this.chunks.get(shardId)!.map((each, i) => (i === number ? chunk : each));
    return new MemoryBackup(this.content, new Map([...this.chunks, [shardId, altered]]));
  }

  readerOf(time: VirtualTime, life: Life): BackupReader {
    const { objection, content } = this;
    return {
      verify: (done) =>
        void time.after(1, life, () =>
          done(
            objection === null ? { ok: true, value: content } : { ok: false, reason: "corrupt", message: objection },
          ),
        ),
      chunk: (shardId, number, done) => {
        const value = Uint8Array.from(this.chunks.get(shardId)![number]!);
        time.after(0.2, life, () => done({ ok: true, value }));
      },
    };
  }
}

export function openShard(cluster: Cluster, shardId: number): MetaResponse {
  return cluster.ask(cluster.leaderOf(shardId), MetaAsk.backupOpen, { shardId });
}

/** All chunks of an open backup, from the shard's leader. */
export function rowsOf(
  cluster: Cluster,
  shardId: number,
  opened: MetaResponse,
  between: () => void,
): readonly Uint8Array[] {
  const leader = cluster.leaderOf(shardId);
  const { backupId } = opened.body;
  const chunks: Uint8Array[] = [];
  let frame: SnapshotFrame | null = null;
  for (let after = ""; frame === null || !frame.isLast; after = hexOf(frame.rows.at(-1)?.key ?? new Uint8Array(0))) {
    between();
    const { payload } = cluster.ask(leader, MetaAsk.backupRows, { backupId, after });
    chunks.push(payload!);
    frame = decodeSnapshotFrame(payload!)!;
  }
  cluster.ask(leader, MetaAsk.backupClose, { backupId });
  return chunks;
}

/** Rows as texts, to be compared. */
export function rowTexts(chunks: readonly Uint8Array[]): readonly string[] {
  return chunks.flatMap((chunk) =>
    decodeSnapshotFrame(chunk)!.rows.map(({ key, value }) => `${hexOf(key)} ${latin1(value, 0, value.length)}`),
  );
}
