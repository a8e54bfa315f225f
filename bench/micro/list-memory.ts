/**
 * What a list takes for each element, beside what a redis-server takes for the same, and what RPUSH, LINDEX in the middle and LPOP of one element cost the
 * engine. Run: `node --expose-gc bench/micro/list-memory.ts [port of a redis-server]`. Numbers of the last look: bench/results/list-memory.txt.
 */
import { bytesOf } from "@headrace/bytes";
import { type Effects, type ListView, ShardState } from "@headrace/engine";
import { inBatches, nanosecondsEach, PER_BATCH, redisBytesEach, usedBytes } from "./state-memory.ts";

const ELEMENTS = 1_000_000;
const INDEXED = 2000;
const KINDS: readonly (readonly [name: string, element: (i: number) => string])[] = [
  ["integers of 7 digits", (i) => String(1_000_000 + i)],
  ["words of 14 bytes", (i) => `element:${String(i).padStart(6, "0")}`],
  ["ids of 36 bytes", (i) => `${String(i).padStart(8, "0")}-aaaa-bbbb-cccc-ddddeeeeffff`],
];

function oneByOne(state: ShardState, change: (effects: Effects, i: number) => void): void {
  inBatches(state, ELEMENTS, (effects, from) => {
    for (let i = from; i < from + PER_BATCH; i++) change(effects, i);
  });
}

const port = Number(process.argv[2] ?? 0);
for (const [name, element] of KINDS) {
  const state = new ShardState();
  const before = usedBytes();
  const pushed = nanosecondsEach(ELEMENTS, () =>
    oneByOne(state, (effects, i) => {
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
    oneByOne(state, (effects) => effects.values.lists.cut("k", 1, 0, "lpop")),
  );
  const redis = port === 0 ? "" : `, Redis ${(await redisBytesEach(port, "RPUSH", ELEMENTS, element)).toFixed(1)}`;
  process.stdout.write(
    `${name}: ${taken.toFixed(1)} bytes an element (counted ${counted.toFixed(1)}${redis}); RPUSH ${pushed}, LINDEX in the middle ${indexed}, LPOP ${popped}\n`,
  );
}
