/**
 * What a small string takes, key and all, beside what a redis-server takes for the same: a million of them, in use and at rest (packed, as when nobody has
 * named them for a while).
 * Run: `node --expose-gc bench/micro/string-memory.ts [port of a redis-server, which is emptied]`. Numbers of the last look: bench/results/string-memory.txt.
 */
import { bytesOf } from "@headrace/bytes";
import { NEVER, ShardState } from "@headrace/engine";
import { inBatches, nanosecondsEach, PER_BATCH, redisBytesEachKey, usedBytes } from "./state-memory.ts";

const STRINGS = 1_000_000;
const KINDS: readonly (readonly [name: string, value: (i: number) => string])[] = [
  ["counters of 7 digits", (i) => String(1_000_000 + i)],
  ["texts of 16 bytes", (i) => `value ${String(i).padStart(10, "0")}`],
  ["texts of 40 bytes", (i) => `value ${String(i).padStart(34, "0")}`],
];

/** 12 bytes. */
function keyOf(i: number): string {
  return `user:${String(i).padStart(7, "0")}`;
}

const port = Number(process.argv[2] ?? 0);
for (const [name, value] of KINDS) {
  const state = new ShardState();
  const before = usedBytes();
  const set = nanosecondsEach(STRINGS, () =>
    inBatches(state, STRINGS, (effects, from) => {
      for (let i = from; i < from + PER_BATCH; i++) {
        const bytes = bytesOf(value(i));
        effects.values.strings.set(keyOf(i), bytes, 0, bytes.length, NEVER, false);
      }
    }),
  );
  state.capture();
  const inUse = (usedBytes() - before) / STRINGS;
  state.evict(Number.POSITIVE_INFINITY, state.index);
  const atRest = (usedBytes() - before) / STRINGS;
  const theirs = port === 0 ? NaN : await redisBytesEachKey(port, STRINGS, (i) => ["SET", keyOf(i), value(i)]);
  const redis = port === 0 ? "" : `, Redis ${theirs.toFixed(1)}`;
  console.log(
    `${name} under keys of 12: in use ${inUse.toFixed(1)} bytes each, at rest ${atRest.toFixed(1)}${redis}; SET ${set}`,
  );
}
