/**
 * What a checkpoint's batch costs the store: sixty values of 64 KiB and five small rows, 4 MiB a batch, with all values inside LevelDB (as it was)
 * and with large ones in value files, written through and past the page cache. Two loads: only new keys (files grow), and the same keys again and again (files die and are written over).
 * CPU is the process's own, pool threads and kernel included; a run counts until the store is closed. Variants alternate; medians of the runs.
 * Run: node bench/micro/store-write.ts [directory on the disk that counts] [runs] [batches]
 */
import { randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Done, KvChange, KvStore, Result } from "@headrace/ports";
import { type LevelStoreOptions, openLevelStore } from "@headrace/store";

const MIB = 1024 * 1024;
const LARGE_ROWS = 60;
const SMALL_ROWS = 5;
/** So many batches are live when keys come again. */
const LIVE_BATCHES = 16;
const runs = Number(process.argv[3] ?? 5);
const batches = Number(process.argv[4] ?? 64);

interface Variant {
  readonly name: string;
  readonly options: LevelStoreOptions;
  readonly repeats: boolean;
}

const kinds = [
  ["LevelDB                ", { valueFileBytesMin: Infinity }],
  ["files, page cache      ", { directWriteBytesMin: Infinity }],
  ["files, past page cache ", {}],
] as const;
const variants = [false, true].flatMap((repeats) =>
  kinds.map(([name, options]): Variant => ({ name: `${repeats ? "same" : "new "} keys, ${name}`, options, repeats })),
);

interface Sample {
  readonly userMs: number;
  readonly systemMs: number;
  readonly wallMs: number;
}

function asked<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((result: Result<T>) => (result.ok ? resolve(result.value) : reject(new Error(result.message))));
  });
}

function key(batch: number, row: number): Uint8Array {
  const bytes = Buffer.alloc(22);
  bytes.writeUInt32BE(batch, 10);
  bytes.writeUInt32BE(row, 18);
  return bytes;
}

/** Per MiB written. */
async function run(variant: Variant, values: readonly Uint8Array[]): Promise<Sample> {
  const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "headrace-store-write-"));
  try {
    const store = await asked<KvStore>((done) => openLevelStore(directory, variant.options, done));
    const small = new Uint8Array(200).fill(7);
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    let bytes = 0;
    for (let batch = 0; batch < batches; batch++) {
      const changes: KvChange[] = [];
      for (let row = 0; row < LARGE_ROWS + SMALL_ROWS; row++) {
        const value = row < LARGE_ROWS ? values[(batch + row) % values.length]! : small;
        changes.push({ key: key(variant.repeats ? batch % LIVE_BATCHES : batch, row), value });
        bytes += value.length;
      }
      await asked<void>((done) => store.write(changes, done));
    }
    await asked<void>((done) => store.close(done));
    const used = process.cpuUsage(cpu);
    const wallMs = performance.now() - startedMs;
    const mib = bytes / MIB;
    return { userMs: used.user / 1000 / mib, systemMs: used.system / 1000 / mib, wallMs: wallMs / mib };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function median(samples: readonly Sample[], of: (sample: Sample) => number): string {
  const sorted = samples.map(of).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!.toFixed(2);
}

function shown(samples: readonly Sample[]): string {
  const cpu = median(samples, (sample) => sample.userMs + sample.systemMs);
  const user = median(samples, (sample) => sample.userMs);
  const system = median(samples, (sample) => sample.systemMs);
  return `CPU ${cpu} ms/MiB (user ${user}, system ${system})  wall ${median(samples, (sample) => sample.wallMs)} ms/MiB`;
}

const values = Array.from({ length: 97 }, () => randomFillSync(new Uint8Array(64 * 1024 + 37)));
const all = variants.map((): Sample[] => []);
for (let i = 0; i < runs; i++) {
  for (const [which, variant] of variants.entries()) {
    const sample = await run(variant, values);
    all[which]!.push(sample);
    console.log(`run ${i + 1}  ${variant.name}  ${shown([sample])}`);
  }
}
for (const [which, variant] of variants.entries()) console.log(`median ${variant.name}  ${shown(all[which]!)}`);
