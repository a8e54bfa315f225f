/** Reads ranges of a shard's rows from the ordered store, several at a time, each in bounded steps. Answers in a later event. */
import { assert, compareBytes } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError, type RowRange } from "@headrace/engine";
import type { Done, Failure, KvRow, KvStore } from "@headrace/ports";
import { rowRegions, slotKey, slotOfStateKey, STATE_KEY_PREFIX_BYTES, stateKey } from "./checkpoint-row.ts";
import type { GenerationRange } from "./checkpoint-row.ts";
import type { ShardLimits } from "./shard-api.ts";

/** As many reads are under way at once: the store has four threads. */
const READS_AT_ONCE = 8;

/** Half open. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Where the rows stand in the store: in each generation that has a part of the range. */
export function keyRangesOf(generations: readonly GenerationRange[], ranges: readonly RowRange[]): KeyRange[] {
  const found: KeyRange[] = [];
  const regions = rowRegions(generations);
  for (const range of ranges) {
    for (const { generation, from, to } of regions) {
      if (range.toSlot < from || range.fromSlot > to) continue;
      const first =
        range.fromSlot < from ? slotKey(generation, from) : stateKey(generation, range.fromSlot, range.from);
      const end = range.toSlot > to ? slotKey(generation, to + 1) : stateKey(generation, range.toSlot, range.to);
      if (compareBytes(first, end) < 0) found.push({ from: first, to: end });
    }
  }
  return found;
}

/** Every row goes to `take`, which may throw DamagedRowError, UnknownRowError: that becomes the answer. At least one range. */
export function readRanges(
  kvStore: KvStore,
  ranges: readonly KeyRange[],
  limits: ShardLimits,
  take: (slot: number, subkey: Uint8Array, value: Uint8Array) => void,
  done: Done<void>,
): void {
  assert(ranges.length > 0, "nothing to read");
  let next = 0;
  let underWay = 0;
  let failure: Failure | null = null;
  const takeAll = (rows: readonly KvRow[]): null => {
    for (const { key, value } of rows) {
      const slot = slotOfStateKey(key);
      try {
        take(slot, key.subarray(STATE_KEY_PREFIX_BYTES), value);
      } catch (error) {
        // Whoever looks into it has to find it.
        if (error instanceof DamagedRowError) error.message += ` (slot ${slot}, key ${hex(key)})`;
        throw error;
      }
    }
    return null;
  };
  const ended = (failed: Failure | null): void => {
    underWay--;
    failure ??= failed;
    begin();
    if (underWay === 0) done(failure ?? { ok: true, value: undefined });
  };
  const read = (from: Uint8Array, to: Uint8Array): void => {
    kvStore.scan(from, to, limits.loadRows, limits.loadBytes, null, (result) => {
      const taken = result.ok ? guarded(() => takeAll(result.value)) : result;
      if (isFailure(taken)) {
        ended(taken);
        return;
      }
      const rows = result.ok ? result.value : [];
      if (failure !== null || isEnd(rows, limits)) ended(null);
      else read(keyBehind(rows[rows.length - 1]!.key), to);
    });
  };
  const begin = (): void => {
    while (failure === null && underWay < READS_AT_ONCE && next < ranges.length) {
      const range = ranges[next++]!;
      underWay++;
      read(range.from, range.to);
    }
  };
  begin();
}

/** See the port: whether there are no more rows. */
function isEnd(rows: readonly KvRow[], { loadRows, loadBytes }: ShardLimits): boolean {
  if (rows.length === 0) return true;
  if (rows.length >= loadRows) return false;
  let bytes = 0;
  for (const { key, value } of rows) bytes += key.length + value.length;
  return bytes < loadBytes / 2;
}

/** The smallest key behind this one. */
export function keyBehind(key: Uint8Array): Uint8Array {
  const behind = new Uint8Array(key.length + 1);
  behind.set(key);
  return behind;
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Damage is the world's failure: it becomes a typed result. Everything else that is thrown is our own mistake and goes on. */
export function guarded<T>(read: () => T): T | Failure {
  try {
    return read();
  } catch (error) {
    if (error instanceof DamagedRowError) return { ok: false, reason: "corrupt", message: error.message };
    if (error instanceof UnknownRowError) return { ok: false, reason: "unsupported", message: error.message };
    throw error;
  }
}

export function isFailure(value: unknown): value is Failure {
  return typeof value === "object" && value !== null && "ok" in value && value.ok === false;
}
