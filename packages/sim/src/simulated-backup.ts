/**
 * A backup of a simulated cluster: taken as `headrace backup` takes one, question by question over a network that loses them and from leaders that go, and
 * read by the founders of another one. It belongs to no run: what was taken in one can be restored in many.
 */
import { clusterStateToJson, MetaAsk, type ClusterState } from "@headrace/meta";
import { decodeSnapshotFrame, type SnapshotFrame } from "@headrace/node";
import type { BackupContent, BackupReader, BackupShard, MetaResponse } from "@headrace/ports";
import type { EventLoop, Life } from "./event-loop.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** How often a shard is begun anew, and one question is asked, before the command gives up. */
const SHARD_ATTEMPTS = 40;
const ROWS_ATTEMPTS = 5;

/** Null: there was no answer. Time goes by meanwhile. */
export type Asker = (address: string, kind: string, body: Record<string, unknown>) => MetaResponse | null;

export class SimulatedBackup {
  readonly content: BackupContent;
  readonly #chunks: ReadonlyMap<number, readonly Uint8Array[]>;

  constructor(content: BackupContent, chunks: ReadonlyMap<number, readonly Uint8Array[]>) {
    this.content = content;
    this.#chunks = chunks;
  }

  /** Throws when a shard cannot be read in the time of a command's patience. */
  static take(state: ClusterState, ask: Asker): SimulatedBackup {
    const shards: BackupShard[] = [];
    const chunks = new Map<number, readonly Uint8Array[]>();
    for (const { id, slotRanges } of state.shards) {
      const { index, term, frames } = shardOf(state, id, ask);
      chunks.set(id, frames);
      shards.push({ shardId: id, slots: slotRanges, index, term, chunks: frames.length });
    }
    const { clusterId, featureLevel, replicaTarget: replicas } = state;
    const settings = clusterStateToJson(state)["settings"] as Record<string, string>;
    return new SimulatedBackup({ id: `of-${clusterId}`, clusterId, featureLevel, replicas, settings, shards }, chunks);
  }

  /** Whole, and as slow as a file. */
  readerOf(loop: EventLoop, life: Life, random: SeededRandom): BackupReader {
    const later = (label: string, run: () => void): void => {
      loop.after(0.1 + random.below(10) / 10, "disk", life, label, run);
    };
    return {
      verify: (done) => later("backup-verify", () => done({ ok: true, value: this.content })),
      chunk: (shardId, number, done) => {
        const value = this.#chunks.get(shardId)![number]!.slice();
        later("backup-chunk", () => done({ ok: true, value }));
      },
    };
  }
}

interface TakenShard {
  readonly index: number;
  readonly term: number;
  readonly frames: readonly Uint8Array[];
}

function shardOf(state: ClusterState, shardId: number, ask: Asker): TakenShard {
  const addresses = state.shard(shardId)!.replicas.map(({ nodeId }) => state.node(nodeId)!.peerAddress);
  for (let attempt = 0; attempt < SHARD_ATTEMPTS; attempt++) {
    for (const address of addresses) {
      const opened = ask(address, MetaAsk.backupOpen, { shardId });
      if (opened === null || !opened.ok) continue;
      const { index, term, backupId } = opened.body as { index: number; term: number; backupId: number };
      const frames = framesOf(shardId, backupId, (after) => rowsBehind(address, backupId, after, ask));
      if (frames === null) continue;
      ask(address, MetaAsk.backupClose, { backupId });
      return { index, term, frames };
    }
  }
  throw new Error(`shard ${shardId} cannot be backed up`);
}

/** Null: the view is gone. */
function framesOf(
  shardId: number,
  backupId: number,
  behind: (after: string) => Uint8Array | null,
): readonly Uint8Array[] | null {
  const frames: Uint8Array[] = [];
  let after = "";
  for (;;) {
    const bytes = behind(after);
    const frame: SnapshotFrame | null = bytes === null ? null : decodeSnapshotFrame(bytes);
    if (bytes === null || frame === null) return null;
    if (frame.groupId !== shardId) throw new Error(`view ${backupId} of shard ${shardId} gives shard ${frame.groupId}`);
    frames.push(bytes);
    if (frame.isLast) return frames;
    const last = frame.rows.at(-1);
    if (last !== undefined) after = Array.from(last.key, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

function rowsBehind(address: string, backupId: number, after: string, ask: Asker): Uint8Array | null {
  for (let attempt = 0; attempt < ROWS_ATTEMPTS; attempt++) {
    const answer = ask(address, MetaAsk.backupRows, { backupId, after });
    if (answer !== null) return answer.payload ?? null;
  }
  return null;
}
