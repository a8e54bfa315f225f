/**
 * What a log's turnover costs everybody else's writes: one segment made and the oldest removed each second, as the disk does it (files of removed segments
 * are used again) and by hand (deleted and made anew), while a thread writes a page with O_DSYNC every millisecond and takes the time. Run:
 * node bench/micro/segment-turnover.ts [directory] [seconds of a round]. The directory should be on the disk that counts.
 */
import { closeSync, constants, fsyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { Done, Result, SegmentDisk } from "@headrace/ports";
import { openSegmentDisk } from "@headrace/wal";

const SEGMENT_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;
const ROUNDS = 5;
const SLOW_MS = 30;

type Turnover = (sequence: number) => Promise<void>;

function asked<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((result: Result<T>) => (result.ok ? resolve(result.value) : reject(new Error(result.message))));
  });
}

function filled(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT);
  const zeros = Buffer.alloc(PIECE_BYTES);
  for (let at = 0; at < SEGMENT_BYTES; at += PIECE_BYTES) writeSync(fd, zeros, 0, PIECE_BYTES, at);
  fsyncSync(fd);
  closeSync(fd);
}

/** Milliseconds that each write took, one due every millisecond until it is told to stop. */
async function watched(directory: string, body: () => Promise<void>): Promise<Float64Array> {
  const path = join(directory, "watch");
  filled(path);
  const worker = new Worker(new URL(import.meta.url), { workerData: path });
  await new Promise((ready) => worker.once("message", ready));
  await body();
  const took = new Promise<Float64Array>((answered) => worker.once("message", answered));
  worker.postMessage("stop");
  const sorted = (await took).toSorted();
  await worker.terminate();
  return sorted;
}

async function watch(path: string): Promise<void> {
  const fd = openSync(path, constants.O_WRONLY | (constants.O_DSYNC ?? 0));
  const page = Buffer.alloc(PAGE_BYTES, 7);
  const tookMs: number[] = [];
  let isOver = false;
  parentPort!.once("message", () => (isOver = true));
  parentPort!.postMessage("ready");
  for (let at = 0; !isOver; at = (at + PAGE_BYTES) % SEGMENT_BYTES) {
    const fromMs = performance.now();
    writeSync(fd, page, 0, PAGE_BYTES, at);
    tookMs.push(performance.now() - fromMs);
    await pause(1);
  }
  closeSync(fd);
  parentPort!.postMessage(Float64Array.from(tookMs));
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "headrace-turnover-"));
  const seconds = Number(process.argv[3] ?? 20);
  const disk = await asked<SegmentDisk>((done) => openSegmentDisk(join(directory, "log"), {}, done));
  await asked<void>((done) => disk.create(1, SEGMENT_BYTES, done));
  const byHand = (sequence: number): string => join(directory, `by-hand-${sequence}`);
  filled(byHand(1));
  const kinds: Readonly<Record<string, Turnover>> = {
    "used again": async (sequence) => {
      await asked<void>((done) => disk.create(sequence, SEGMENT_BYTES, done));
      await asked<void>((done) => disk.remove(sequence - 1, done));
    },
    "deleted and made anew": async (sequence) => {
      filled(byHand(sequence));
      await unlink(byHand(sequence - 1));
    },
    neither: async () => {},
  };
  const last: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [kind, turnover] of Object.entries(kinds)) {
      const tookMs = await watched(directory, async () => {
        for (let i = 0; i < seconds; i++) {
          last[kind] = (last[kind] ?? 1) + 1;
          await turnover(last[kind]);
          await pause(1000);
        }
      });
      const slow = tookMs.filter((ms) => ms > SLOW_MS);
      const at = (share: number): string => tookMs[Math.floor((tookMs.length - 1) * share)]!.toFixed(2);
      console.log(
        `${kind.padEnd(22)} ${seconds} segments: ${tookMs.length} writes beside them, p50 ${at(0.5)} p99 ${at(0.99)} p99.9 ${at(0.999)} ms; ` +
          `${slow.length} took more than ${SLOW_MS} ms, ${slow.reduce((sum, ms) => sum + ms, 0).toFixed(0)} ms in all`,
      );
    }
  }
  await asked<void>((done) => disk.close(done));
  await rm(directory, { recursive: true });
}

if (isMainThread) await main();
else await watch(workerData as string);
