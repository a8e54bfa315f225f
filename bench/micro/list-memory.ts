/**
 * What a list takes for each element, beside what a redis-server takes for the same, and what RPUSH, LINDEX in the middle and LPOP of one element cost the
 * engine. Run: `node --expose-gc bench/micro/list-memory.ts [port of a redis-server]`. Numbers of the last look: bench/results/list-memory.txt.
 */
import { createConnection } from "node:net";
import { bytesOf } from "@headrace/bytes";
import { type ListView, ShardState } from "@headrace/engine";

const ELEMENTS = 1_000_000;
const PER_BATCH = 1000;
const INDEXED = 2000;
const KINDS: readonly (readonly [name: string, element: (i: number) => string])[] = [
  ["integers of 7 digits", (i) => String(1_000_000 + i)],
  ["words of 14 bytes", (i) => `element:${String(i).padStart(6, "0")}`],
  ["ids of 36 bytes", (i) => `${String(i).padStart(8, "0")}-aaaa-bbbb-cccc-ddddeeeeffff`],
];

function usedBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function inBatches(state: ShardState, change: (effects: ReturnType<ShardState["openBatch"]>, i: number) => void): void {
  for (let from = 0; from < ELEMENTS; from += PER_BATCH) {
    const effects = state.openBatch(state.index + 1, 1_800_000_000_000 + from);
    for (let i = from; i < from + PER_BATCH; i++) change(effects, i);
    state.sealBatch();
    state.committedTo(state.index);
  }
}

function nanosecondsEach(count: number, run: () => void): string {
  const start = performance.now();
  run();
  return `${(((performance.now() - start) * 1e6) / count).toFixed(0)} ns`;
}

async function redisBytes(port: number, element: (i: number) => string): Promise<number> {
  const socket = createConnection(port, "127.0.0.1");
  const ask = (words: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      socket.once("data", (chunk) => resolve(chunk.toString("latin1")));
      socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
    });
  await ask(["DEL", "bench:list-memory"]);
  for (let from = 0; from < ELEMENTS; from += PER_BATCH) {
    await ask(["RPUSH", "bench:list-memory", ...Array.from({ length: PER_BATCH }, (_, i) => element(from + i))]);
  }
  const usage = await ask(["MEMORY", "USAGE", "bench:list-memory", "SAMPLES", "0"]);
  await ask(["DEL", "bench:list-memory"]);
  socket.destroy();
  return Number(usage.slice(1)) / ELEMENTS;
}

const port = Number(process.argv[2] ?? 0);
for (const [name, element] of KINDS) {
  const state = new ShardState();
  const before = usedBytes();
  const pushed = nanosecondsEach(ELEMENTS, () =>
    inBatches(state, (effects, i) => {
      const bytes = bytesOf(element(i));
      effects.values.lists.push("k", false, { bytes, start: () => 0, end: () => bytes.length }, 0, 1);
    }),
  );
  state.capture();
  const taken = (usedBytes() - before) / ELEMENTS;
  const list = state.keyspace.existing("k").value as unknown as ListView;
  const counted = list.memoryBytes / ELEMENTS;
  const indexed = nanosecondsEach(INDEXED, () => {
    for (let i = 0; i < INDEXED; i++) list.visit(ELEMENTS / 2 + i, 1, false, () => true);
  });
  const popped = nanosecondsEach(ELEMENTS, () =>
    inBatches(state, (effects) => effects.values.lists.cut("k", 1, 0, "lpop")),
  );
  const redis = port === 0 ? "" : `, Redis ${(await redisBytes(port, element)).toFixed(1)}`;
  process.stdout.write(
    `${name}: ${taken.toFixed(1)} bytes an element (counted ${counted.toFixed(1)}${redis}); RPUSH ${pushed}, LINDEX in the middle ${indexed}, LPOP ${popped}\n`,
  );
}
