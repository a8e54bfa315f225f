/**
 * A segment's whole life, created and written front to back, past the page cache and through it. One durable write after another to a
 * preallocated segment: through the thread pool, and on the calling thread. And what the whole log makes of it. Run: node bench/micro/wal-write.ts [directory]. The directory should be on the disk that counts.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { type SharedLogApi, SharedLog } from "@headrace/log";
import type { Done, Logger, Result, SegmentDisk } from "@headrace/ports";
import { openSegmentDisk } from "@headrace/wal";

const SEGMENT_BYTES = 64 * 1024 * 1024;

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

function asked<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((result: Result<T>) => (result.ok ? resolve(result.value) : reject(new Error(result.message))));
  });
}

function percentile(sorted: Float64Array, share: number): string {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(3);
}

async function rawWrites(disk: SegmentDisk, sequence: number, bytes: number, count: number): Promise<string> {
  const chunks = [new Uint8Array(40), new Uint8Array(bytes - 40).fill(7)];
  const timesMs = new Float64Array(count);
  const cpu = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const startedMs = performance.now();
    await asked<void>((done) => disk.write(sequence, (i * bytes) % (SEGMENT_BYTES - bytes), chunks, true, done));
    timesMs[i] = performance.now() - startedMs;
  }
  const used = process.cpuUsage(cpu);
  timesMs.sort();
  const cpuUs = ((used.user + used.system) / count).toFixed(0);
  return `p50 ${percentile(timesMs, 0.5)} ms  p99 ${percentile(timesMs, 0.99)} ms  CPU ${cpuUs} µs a write`;
}

/** What creating segments and filling them with appends costs this process, kernel included. */
async function segmentLives(directory: string, direct: boolean, appendBytes: number): Promise<string> {
  const disk = await asked<SegmentDisk>((done) => openSegmentDisk(directory, { direct }, done));
  const chunks = [new Uint8Array(appendBytes).fill(7)];
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const segments = 3;
  for (let sequence = 1; sequence <= segments; sequence++) {
    await asked<void>((done) => disk.create(sequence, SEGMENT_BYTES, done));
    for (let at = 0; at + appendBytes <= SEGMENT_BYTES; at += appendBytes) {
      await asked<void>((done) => disk.write(sequence, at, chunks, true, done));
    }
  }
  const used = process.cpuUsage(cpu);
  const mib = (segments * SEGMENT_BYTES) / 1024 / 1024;
  const wallMs = performance.now() - startedMs;
  for (let sequence = 1; sequence <= segments; sequence++) await asked<void>((done) => disk.remove(sequence, done));
  await asked<void>((done) => disk.close(done));
  const perMib = (value: number): string => (value / mib).toFixed(2);
  return `user ${perMib(used.user / 1000)}  system ${perMib(used.system / 1000)}  wall ${perMib(wallMs)} ms a MiB`;
}

/** Appends of one group in a row, each as soon as the one before is durable (`inFlight` of them at once). */
function appends(log: SharedLogApi, first: number, count: number, bytes: number, inFlight: number): Promise<number> {
  const data = new Uint8Array(bytes).fill(1);
  const startedMs = performance.now();
  return new Promise((resolve) => {
    let next = first;
    let durable = 0;
    const append = (): void => {
      const index = next++;
      log.append({
        groupId: 1,
        hardState: null,
        entries: [{ index, term: 1, type: 0, data }],
        mustSync: true,
        onWritten: null,
        onDurable: () => {
          durable++;
          if (index % 1000 === 0) log.compact(1, index, 1);
          if (durable === count) resolve(performance.now() - startedMs);
          else if (next < first + count) append();
        },
      });
    };
    for (let i = 0; i < inFlight; i++) append();
  });
}

async function wholeLog(directory: string): Promise<void> {
  const disk = await asked<SegmentDisk>((done) => openSegmentDisk(directory, {}, done));
  const config = { segmentBytes: SEGMENT_BYTES, maxWriteBytes: 1024 * 1024, sealAfterMs: 10, fsync: "always" } as const;
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  const scheduler = {
    soon: (task: () => void) => void setImmediate(task),
    after: (ms: number, task: () => void) => {
      const timer = setTimeout(task, ms);
      return { cancel: () => clearTimeout(timer) };
    },
  };
  const log = new SharedLog(config, disk, clock, scheduler, silent);
  log.onPoisoned = (message) => {
    throw new Error(message);
  };
  await asked((done) => log.recover(done));
  let first = 1;
  for (const [bytes, count, inFlight] of [
    [300, 5000, 1],
    [300, 100_000, 1000],
    [30_000, 3000, 1],
    [30_000, 10_000, 16],
  ] as const) {
    const { writes } = log.stats;
    const ms = await appends(log, first, count, bytes, inFlight);
    first += count;
    const perSecond = Math.round((count / ms) * 1000);
    const megabytes = ((count * bytes) / ms / 1000).toFixed(0);
    const written = log.stats.writes - writes;
    console.log(
      `log    ${bytes} B × ${inFlight} in flight: ${perSecond} appends/s, ${megabytes} MB/s, ${written} writes`,
    );
  }
  await asked<void>((done) => log.close(done));
}

const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "headrace-wal-write-"));
try {
  for (let run = 1; run <= 5; run++) {
    for (const direct of [true, false]) {
      const name = direct ? "past the page cache   " : "through the page cache";
      console.log(`${name} 140000 B: ${await segmentLives(join(directory, "lives"), direct, 140_000)}`);
    }
  }
  for (const [name, blockingWriteBytesMax] of [
    ["pool    ", 0],
    ["blocking", 1024 * 1024],
    ["pool    ", 0],
    ["blocking", 1024 * 1024],
  ] as const) {
    const disk = await asked<SegmentDisk>((done) =>
      openSegmentDisk(join(directory, "raw"), { blockingWriteBytesMax }, done),
    );
    await asked<void>((done) => disk.create(1, SEGMENT_BYTES, done));
    for (const bytes of [512, 4096, 32_768, 262_144]) {
      console.log(`${name} ${bytes} B: ${await rawWrites(disk, 1, bytes, bytes > 100_000 ? 500 : 2000)}`);
    }
    await asked<void>((done) => disk.remove(1, done));
    await asked<void>((done) => disk.close(done));
  }
  await wholeLog(join(directory, "log"));
} finally {
  await rm(directory, { recursive: true });
}
