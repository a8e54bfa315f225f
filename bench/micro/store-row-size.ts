/**
 * From which length on a value is cheaper in a value file than inside LevelDB, and what rows in place cost beside it: batches of 4 MiB of new rows of
 * one length, each length once with everything in LevelDB and once with everything in files. And small rows: new ones, and the same again and again.
 * Run: node bench/micro/store-row-size.ts [directory on the disk that counts]. See bench/results/store-write.txt.
 */
import { randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Done, KvChange, KvStore, Result } from "@headrace/ports";
import { openLevelStore } from "@headrace/store";

const MIB = 1024 * 1024;
const KEY_BYTES = 22;

interface Load {
  readonly valueBytes: number;
  readonly rowsPerBatch: number;
  readonly batches: number;
  readonly repeats: boolean;
}

function asked<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((result: Result<T>) => (result.ok ? resolve(result.value) : reject(new Error(result.message))));
  });
}

async function run(load: Load, valueFileBytesMin: number): Promise<string> {
  const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "headrace-store-row-size-"));
  const store = await asked<KvStore>((done) => openLevelStore(directory, { valueFileBytesMin }, done));
  const values = Array.from({ length: 64 }, () => randomFillSync(new Uint8Array(load.valueBytes)));
  const cpu = process.cpuUsage();
  for (let batch = 0; batch < load.batches; batch++) {
    const changes: KvChange[] = [];
    for (let row = 0; row < load.rowsPerBatch; row++) {
      const key = Buffer.alloc(KEY_BYTES);
      key.writeUInt32BE(load.repeats ? row : batch * load.rowsPerBatch + row, 12);
      changes.push({ key, value: values[(batch + row) % values.length]! });
    }
    await asked<void>((done) => store.write(changes, done));
  }
  await asked<void>((done) => store.close(done));
  const { user, system } = process.cpuUsage(cpu);
  await rm(directory, { recursive: true });
  const rows = load.batches * load.rowsPerBatch;
  return `CPU ${((user + system) / rows).toFixed(2)} µs a row (user ${(user / rows).toFixed(2)}, system ${(system / rows).toFixed(2)})`;
}

for (let round = 1; round <= 3; round++) {
  for (const valueBytes of [1024, 2048, 4096, 8192, 16_384]) {
    const load = { valueBytes, rowsPerBatch: (4 * MIB) / valueBytes, batches: 28, repeats: false };
    console.log(`run ${round}  ${String(valueBytes).padStart(5)} B in LevelDB  ${await run(load, Infinity)}`);
    console.log(`run ${round}  ${String(valueBytes).padStart(5)} B in files    ${await run(load, 1)}`);
  }
  for (const repeats of [false, true]) {
    const load = { valueBytes: 150, rowsPerBatch: 4096, batches: 94, repeats };
    console.log(`run ${round}    150 B, ${repeats ? "same" : "new "} keys  ${await run(load, 2048)}`);
  }
}
