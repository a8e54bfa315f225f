/**
 * What retention costs a leader with very many streams: a turn in which nothing is due, one in which every stream was touched, the looks behind a new
 * bound of the cluster, and blocks that go. Run: `node bench/micro/retention.ts [STREAMS]`.
 * Numbers of the last look: bench/results/retention.txt.
 */
import { asciiBytes } from "@headrace/bytes";
import { NO_RETENTION, type Retention, ShardState, StreamId } from "@headrace/engine";

const BOUNDS = { maxEntries: 100, maxBytes: 4096 };
const START_MS = 1_800_000_000_000;
const STREAMS = Number(process.argv[2] ?? 100_000);
/** Of one byte: the entry behind them opens a second block. */
const ENTRIES_PER_BLOCK = 1024;
const IDLE_TURNS = 1_000_000;

function nanoseconds(startedAt: bigint): number {
  return Number(process.hrtime.bigint() - startedAt);
}

function line(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(66)} ${value.toFixed(value < 100 ? 1 : 0).padStart(9)} ${unit}`);
}

const source = asciiBytes("$1\r\nf\r\n$1\r\nv\r\n");
const state = new ShardState();
let index = 0;
let nowMs = START_MS;

function append(key: string, entries: number): void {
  const effects = state.openBatch(++index, nowMs);
  for (let i = 0; i < entries; i++) effects.append(key, StreamId.of(nowMs, i), 2, source, 0, source.length, BOUNDS);
  state.sealBatch();
  nowMs++;
}

/** What a turn asks when its requests are done. */
function turn(retention: Retention): boolean {
  const queue = state.retention;
  queue.lead(retention);
  return queue.isIdle(nowMs);
}

function lookAtAll(retention: Retention): { readonly looks: number; readonly blocks: number } {
  const queue = state.retention;
  queue.lead(retention);
  let looks = 0;
  let blocks = 0;
  while (!queue.isIdle(nowMs)) {
    const look = queue.look(nowMs, 512);
    if (look === null) continue;
    looks++;
    if (look.blocks === 0) continue;
    blocks += look.blocks;
    const effects = state.openBatch(++index, nowMs);
    effects.trim(look.key.key, look.cut);
    state.sealBatch();
  }
  return { looks, blocks };
}

// A long stream is one of two blocks; one in a hundred is, so that filling them does not take minutes and gigabytes.
const keys = Array.from({ length: STREAMS }, (_, i) => `stream:{${i}}`);
const longOnes = keys.filter((_, i) => i % 100 === 0);
for (const key of keys) append(key, 1);
for (const key of longOnes) append(key, ENTRIES_PER_BLOCK);

const bounded: Retention = { ...NO_RETENTION, ageMs: 86_400_000, entries: 1_000_000 };
console.log(`${STREAMS} streams, ${longOnes.length} of them of two blocks`);
let startedAt = process.hrtime.bigint();
const first = lookAtAll(bounded);
line(`the first look at all: ${first.looks} looks, per look`, nanoseconds(startedAt) / first.looks, "ns");

startedAt = process.hrtime.bigint();
let idle = 0;
for (let i = 0; i < IDLE_TURNS; i++) if (turn(bounded)) idle++;
line(
  `a turn when nothing is due (${idle === IDLE_TURNS ? "idle in each" : "NOT IDLE"})`,
  nanoseconds(startedAt) / IDLE_TURNS,
  "ns",
);

startedAt = process.hrtime.bigint();
for (const key of longOnes) append(key, 1);
const touching = nanoseconds(startedAt) / longOnes.length;
startedAt = process.hrtime.bigint();
const touched = lookAtAll(bounded);
line(
  `a look at a stream that was touched (its XADD alone: ${touching.toFixed(0)} ns)`,
  nanoseconds(startedAt) / touched.looks,
  "ns",
);

startedAt = process.hrtime.bigint();
const trimmed = lookAtAll({ ...bounded, entries: 1 });
line(`a block that goes, effect and all (${trimmed.blocks} blocks)`, nanoseconds(startedAt) / trimmed.blocks, "ns");
