/** What the benchmarks of memory have in common: a state that is filled batch by batch, what the process holds, and what a redis-server takes for the same. */
import { createConnection } from "node:net";
import type { Effects, ShardState } from "@headrace/engine";
import { redisUsedBytes } from "../system/used-memory.ts";

export const PER_BATCH = 1000;

/** Heap and buffers, after a collection; needs `--expose-gc`. */
export function usedBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Items 0 … count − 1, PER_BATCH of them in a batch: `change` is given the first of each. */
export function inBatches(state: ShardState, count: number, change: (effects: Effects, from: number) => void): void {
  for (let from = 0; from < count; from += PER_BATCH) {
    change(state.openBatch(state.index + 1, 1_800_000_000_000 + from), from);
    state.sealBatch();
    state.committedTo(state.index);
  }
}

export function nanosecondsEach(count: number, run: () => void): string {
  const startedMs = performance.now();
  run();
  return `${(((performance.now() - startedMs) * 1e6) / count).toFixed(0)} ns`;
}

type Ask = (words: readonly string[]) => Promise<string>;

/** What `work` comes to on the redis-server at this port. */
async function withRedis(port: number, work: (ask: Ask) => Promise<number>): Promise<number> {
  const socket = createConnection(port, "127.0.0.1");
  try {
    return await work(
      (words) =>
        new Promise((resolve) => {
          socket.once("data", (chunk) => resolve(chunk.toString("latin1")));
          socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
        }),
    );
  } finally {
    socket.destroy();
  }
}

/** Bytes an item, as MEMORY USAGE counts them over all; `command` adds items, of some words each, to a key that is removed before and after. */
export function redisBytesEach(
  port: number,
  command: string,
  count: number,
  item: (i: number) => string | readonly string[],
): Promise<number> {
  const key = "bench:memory";
  return withRedis(port, async (ask) => {
    await ask(["DEL", key]);
    for (let from = 0; from < count; from += PER_BATCH) {
      await ask([command, key, ...Array.from({ length: PER_BATCH }, (_, i) => item(from + i)).flat()]);
    }
    const usage = await ask(["MEMORY", "USAGE", key, "SAMPLES", "0"]);
    await ask(["DEL", key]);
    return Number(usage.slice(1)) / count;
  });
}

/** Bytes by which the process grows, as `used_memory` counts them, for each of `count` keys that these requests make; it is emptied before and after. */
export function redisBytesEachKey(
  port: number,
  count: number,
  request: (i: number) => readonly string[],
): Promise<number> {
  return withRedis(port, async (ask) => {
    await ask(["FLUSHALL"]);
    const before = await redisUsedBytes(port);
    for (let i = 0; i < count; i++) await ask(request(i));
    const bytes = (await redisUsedBytes(port)) - before;
    await ask(["FLUSHALL"]);
    return bytes / count;
  });
}
