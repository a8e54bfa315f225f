/**
 * `headrace restore DIR`: makes the data directory of a cluster out of a backup. The nodes are founded from it as with `up --restore`, and ended when all
 * of them hold everything and serve; then `headrace up --data …` starts the cluster. Exit codes: 0 done, 1 not; then the same command goes on.
 */
import { resolve } from "node:path";
import { byteSize } from "@headrace/cli";
import { BackupError } from "./backup-manifest.ts";
import { readManifest } from "./backup-directory.ts";
import { originOf, StartError } from "./data-directory.ts";
import { Progress } from "./progress.ts";
import type { Settings } from "./settings.ts";
import { holdsCluster, runUp, type NodeLayout } from "./up.ts";

const LOOK_MS = 500;

interface Restoring {
  readonly shardsDone: number;
  readonly shards: number;
  readonly bytes: number;
}

export async function runRestore(directory: string, given: Settings, asJson: boolean): Promise<number> {
  // The children have directories of their own.
  const restored = resolve(directory);
  const settings: Settings = { ...given, restore: restored };
  const progress = new Progress(asJson);
  const watch = new RestoreWatch(progress);
  try {
    const data = resolve(settings["data"] as string);
    if (originOf(data)?.isRestored === true) throw new StartError(holdsCluster(data));
    const code = await runUp(settings, {
      onStarting: (layouts) => watch.start(layouts),
      onComplete: async (layouts) => {
        watch.stop();
        progress.close();
        const { id, clusterId, shards } = readManifest(restored);
        const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
        const done = { backup: id, of: clusterId, data, nodes: layouts.length, shards: shards.length, bytes };
        const text = `backup ${id} of cluster ${clusterId} (${shards.length} shards, ${byteSize(bytes)}) is restored on ${layouts.length} nodes; start them with headrace up --data ${data}`;
        process.stdout.write(asJson ? `${JSON.stringify({ ok: true, ...done })}\n` : `${text}\n`);
      },
    });
    if (code !== 0 && asJson) process.stdout.write(`${JSON.stringify({ ok: false })}\n`);
    return code;
  } catch (error) {
    if (!(error instanceof StartError || error instanceof BackupError) || !asJson) throw error;
    process.stdout.write(`${JSON.stringify({ ok: false, error: error.message })}\n`);
    return 1;
  } finally {
    watch.stop();
    progress.close();
  }
}

/** Asks the nodes how far they are. */
class RestoreWatch {
  readonly #progress: Progress;
  #timer: NodeJS.Timeout | null = null;
  #known: Map<number, Restoring> = new Map();

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  start(layouts: readonly NodeLayout[]): void {
    this.#timer = setInterval(() => {
      for (const layout of layouts) void this.#look(layout);
    }, LOOK_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #look({ id, httpPort }: NodeLayout): Promise<void> {
    let status: { readonly restoring?: Restoring };
    try {
      const response = await fetch(`http://127.0.0.1:${httpPort}/status`, { signal: AbortSignal.timeout(LOOK_MS) });
      status = (await response.json()) as typeof status;
    } catch {
      // It has not started yet, or is just ending: the next look will tell.
      return;
    }
    if (status.restoring !== undefined) this.#known.set(id, status.restoring);
    if (this.#timer === null || this.#known.size === 0) return;
    const sum = (of: (each: Restoring) => number): number =>
      [...this.#known.values()].reduce((total, each) => total + of(each), 0);
    const [done, total, bytes] = [
      sum((each) => each.shardsDone),
      sum((each) => each.shards),
      sum((each) => each.bytes),
    ];
    this.#progress.show({ verb: "restore", unit: "replicas", done, total, bytes });
  }
}
