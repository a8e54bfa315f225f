/**
 * What a member of a large sorted set takes in memory, and how long it takes to make a million of them, to look one up, and to write what a change of one
 * score makes dirty. Run: `node --expose-gc bench/micro/sorted-set-memory.ts`. Numbers of the last look: bench/results/sorted-set-memory.txt.
 */
import { ShardState, type SortedSetView } from "@headrace/engine";
import { inBatches, PER_BATCH, usedBytes } from "./state-memory.ts";

const COUNT = 1_000_000;

/** Spread over all scores, every score once. */
function scoreOf(i: number): number {
  return (i * 7_919) % COUNT;
}

const state = new ShardState();
const memberOf = (i: number): string => Buffer.from(`member:${i}`).toString("latin1");
const before = usedBytes();
const startedMs = performance.now();
inBatches(state, COUNT, (effects, from) => {
  const members = Array.from({ length: PER_BATCH }, (_, i) => memberOf(from + i));
  const scores = members.map((_, i) => scoreOf(from + i));
  effects.values.sortedSets.put("k", members, scores, "zadd");
});
const madeMs = performance.now() - startedMs;
state.capture();
const bytes = usedBytes() - before;
const view = state.keyspace.existing("k").value as unknown as SortedSetView;
const looksFromMs = performance.now();
let ranks = 0;
for (let i = 0; i < 100_000; i++) ranks += view.rankOf(`member:${(i * 31) % COUNT}`);
const rankMs = performance.now() - looksFromMs;
const effects = state.openBatch(state.index + 1, 1_900_000_000_000);
effects.values.sortedSets.put("k", ["member:5"], [0.5], "zadd");
state.sealBatch();
const changed = state.capture();
console.log(`${COUNT} members of about 13 bytes: ${(bytes / COUNT).toFixed(1)} bytes each by the heap`);
console.log(`  counted: ${(view.memoryBytes / COUNT).toFixed(1)} bytes each`);
console.log(`  made in ${madeMs.toFixed(0)} ms, ${((madeMs * 1e6) / COUNT).toFixed(0)} ns each`);
console.log(`  a rank: ${((rankMs * 1e6) / 100_000).toFixed(0)} ns (${ranks > 0 ? "found" : "none"})`);
console.log(`  one score that changes: a capture of ${changed.rows.length} rows, ${changed.byteLength} bytes`);
