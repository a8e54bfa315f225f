/**
 * What the engine's state takes in memory, per item: small streams, as objects and packed, entries, pending entries, consumers; and how long a load of it
 * takes.
 * Run: `node --expose-gc bench/micro/engine-memory.ts`; with `pending` only pending entries. Numbers of the last look: bench/results/engine-memory.txt.
 */
import { asciiBytes } from "@headrace/bytes";
import { type Effects, MIN_ID, ShardLoader, ShardState, slotOfRow, type StateRow, StreamId } from "@headrace/engine";
import { usedBytes } from "./state-memory.ts";

const BOUNDS = { maxEntries: 100, maxBytes: 4096 };
const PER_BATCH = 1000;

function fieldsOf(valueBytes: number): Uint8Array {
  return asciiBytes(`$1\r\nf\r\n$${valueBytes}\r\n${"x".repeat(valueBytes)}\r\n`);
}

function inBatches(state: ShardState, count: number, change: (effects: Effects, i: number) => void): void {
  for (let i = 0; i < count;) {
    const effects = state.openBatch(state.index + 1, 1_800_000_000_000 + i);
    for (const end = Math.min(count, i + PER_BATCH); i < end; i++) change(effects, i);
    state.sealBatch();
    state.committedTo(state.index);
  }
}

/** `items` are made on top of what `prepare` made. */
function measure(
  name: string,
  items: number,
  make: (state: ShardState) => void,
  prepare: (state: ShardState) => void = () => undefined,
): void {
  if (process.argv[2] !== undefined && !name.includes(process.argv[2])) return;
  const state = new ShardState();
  prepare(state);
  state.capture();
  const before = usedBytes();
  make(state);
  // What waits for a checkpoint is not what a state takes.
  state.capture();
  const perItem = (usedBytes() - before) / items;
  console.log(`${name}: ${perItem.toFixed(0)} bytes each`);
}

function append(effects: Effects, key: string, i: number, fields: Uint8Array): void {
  effects.append(key, StreamId.of(1_800_000_000_000 + i, 0), 2, fields, 0, fields.length, BOUNDS);
}

const small = fieldsOf(16);
const large = fieldsOf(256);
const name = (i: number): string => `device:${i}:events`;

measure("100 000 streams, one entry of 16 B", 100_000, (state) =>
  inBatches(state, 100_000, (effects, i) => append(effects, name(i), i, small)),
);
measure("100 000 streams, ten entries of 16 B", 100_000, (state) =>
  inBatches(state, 1_000_000, (effects, i) => append(effects, name(i % 100_000), i, small)),
);
measure("100 000 empty streams with a group and a consumer", 100_000, (state) =>
  inBatches(state, 100_000, (effects, i) => {
    effects.createStream(name(i));
    effects.createGroup(name(i), "group", MIN_ID, 0);
    effects.createConsumer(name(i), "group", "worker", 5);
  }),
);
measure("1 000 000 entries of 16 B in one stream", 1_000_000, (state) =>
  inBatches(state, 1_000_000, (effects, i) => append(effects, "s", i, small)),
);
measure("1 000 000 entries of 256 B in one stream", 1_000_000, (state) =>
  inBatches(state, 1_000_000, (effects, i) => append(effects, "s", i, large)),
);
measure(
  "1 000 000 pending entries of one group",
  1_000_000,
  (state) =>
    inBatches(state, 10_000, (effects, i) => {
      const upTo = StreamId.of(1_800_000_000_000 + i * 100 + 99, 0);
      effects.deliver("s", "g", `c${i % 10}`, upTo, (i + 1) * 100, 5, false);
    }),
  (state) => {
    inBatches(state, 1_000_000, (effects, i) => append(effects, "s", i, small));
    inBatches(state, 1, (effects) => {
      effects.createGroup("s", "g", MIN_ID, 0);
      for (let c = 0; c < 10; c++) effects.createConsumer("s", "g", `c${c}`, 5);
    });
  },
);

if (process.argv[2] !== undefined) process.exit(0);

const loaded = new ShardState();
inBatches(loaded, 300_000, (effects, i) => append(effects, name(i % 1000), i, large));
const capture = loaded.capture();
const startedAt = process.hrtime.bigint();
const loader = new ShardLoader();
// Rows of entries are not read to open a state.
for (const { slot, subkey, value } of capture.rows) {
  if (value !== null && slotOfRow(slot) === slot) loader.row(slot, subkey, value);
}
loader.finish(capture.header, capture.index);
const elapsedMs = Number(process.hrtime.bigint() - startedAt) / 1e6;
console.log(
  `load of 300 000 entries of 256 B in 1000 streams: ${((elapsedMs * 1e6) / 300_000).toFixed(0)} ns an entry`,
);

// Blocks that are not in memory: what is there of a long stream when all its entries have left, by block. Buffers are freed a little after the collection.
async function settledBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise((done) => setTimeout(done, 50));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function fillAndEvict(state: ShardState, entries: number): void {
  const from = state.index;
  inBatches(state, entries, (effects, i) => append(effects, "s", from * 1_000_000 + i, large));
  state.capture();
  state.evict(Number.POSITIVE_INFINITY, state.index);
}

const evicted = new ShardState();
fillAndEvict(evicted, 1_000_000);
const fewBytes = await settledBytes();
const fewBlocks = evicted.keyspace.existingStream("s").stream.blockCount;
for (let i = 0; i < 5; i++) fillAndEvict(evicted, 1_000_000);
const coldBlocks = evicted.keyspace.existingStream("s").stream.blockCount - fewBlocks;
console.log(`${coldBlocks} cold blocks: ${(((await settledBytes()) - fewBytes) / coldBlocks).toFixed(0)} B each`);

// Small streams that nobody uses: made in rounds, each captured and then packed, as on a node with a full budget.
const IDLE_STREAMS = 1_000_000;
const PER_ROUND = 5000;
const LOADED_STREAMS = 200_000;

function micros(from: number, streams: number): string {
  return `${(((performance.now() - from) * 1000) / streams).toFixed(1)} µs`;
}

function makeIdle(state: ShardState, streams: number, take: (rows: readonly StateRow[]) => void): void {
  for (let from = 0; from < streams; from += PER_ROUND) {
    inBatches(state, PER_ROUND * 10, (effects, i) =>
      append(effects, name(from + Math.floor(i / 10)), from * 10 + i, small),
    );
    take(state.capture().rows);
    state.evict(Number.POSITIVE_INFINITY, state.index);
  }
}

const beforeIdle = await settledBytes();
const idle = new ShardState();
const madeAt = performance.now();
makeIdle(idle, IDLE_STREAMS, () => undefined);
const made = micros(madeAt, IDLE_STREAMS);
const idleBytes = (await settledBytes()) - beforeIdle;
const { packedStreams, fixedBytes } = idle.memory;
console.log(
  `${packedStreams} idle streams of ten entries, packed: ${(idleBytes / IDLE_STREAMS).toFixed(0)} bytes each (counted: ${(fixedBytes / IDLE_STREAMS).toFixed(0)}), made, captured and packed in ${made}`,
);
const unpackedAt = performance.now();
for (let i = 0; i < LOADED_STREAMS; i++) idle.keyspace.find(name(i));
const unpacked = micros(unpackedAt, LOADED_STREAMS);
const packedAt = performance.now();
idle.evict(Number.POSITIVE_INFINITY, idle.index);
console.log(`unpacked in ${unpacked}, packed again in ${micros(packedAt, LOADED_STREAMS)}`);

const source = new ShardState();
const idleRows: StateRow[] = [];
makeIdle(source, LOADED_STREAMS, (rows) => {
  for (const row of rows) if (slotOfRow(row.slot) === row.slot) idleRows.push(row);
});
const idleHeader = source.capture().header;
const idleLoader = new ShardLoader();
const loadedAt = performance.now();
for (const { slot, subkey, value } of idleRows) idleLoader.row(slot, subkey, value!);
const reloaded = idleLoader.finish(idleHeader, source.index);
console.log(`${reloaded.memory.packedStreams} idle streams loaded, packed: ${micros(loadedAt, LOADED_STREAMS)} each`);
