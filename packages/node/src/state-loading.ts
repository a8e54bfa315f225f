/**
 * A shard's state from the ordered store, as its checkpoint row describes it: at opening, and again where a rollback (rollback.ts) cannot do with
 * less. Reads in bounded steps; answers in a later event.
 */
import { ShardLoader, ShardState } from "@headrace/engine";
import type { ShardLoaderApi, ShardStateApi } from "@headrace/engine";
import type { Done, KvStore } from "@headrace/ports";
import { checkpointKey, checkpointKeys, decodeCheckpointRow, groupOfCheckpointKey, slotKey } from "./checkpoint-row.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import type { ShardLimits } from "./shard-api.ts";
import { guarded, isFailure, keyBehind, readRanges } from "./state-ranges.ts";

/** Checkpoint rows of a node are few and small. */
const ROWS_AT_ONCE = 256;
const BYTES_AT_ONCE = 4 * 1024 * 1024;

/** The group's checkpoint row; null when the store knows no such group. */
export function readCheckpointRow(kvStore: KvStore, groupId: number, done: Done<CheckpointRow | null>): void {
  kvStore.get(checkpointKey(groupId), null, (result) => {
    if (!result.ok) {
      done(result);
      return;
    }
    if (result.value === null) {
      done({ ok: true, value: null });
      return;
    }
    const row = guarded(() => decodeCheckpointRow(result.value!));
    done(isFailure(row) ? row : { ok: true, value: row });
  });
}

/**
 * Up to where the store's checkpoints cover the logs of their groups. What cannot be read covers nothing: whoever opens the group finds out why.
 * `done` gets no failure.
 */
export function readCoveredIndexes(kvStore: KvStore, done: (covered: ReadonlyMap<number, number>) => void): void {
  const covered = new Map<number, number>();
  const { from: first, to } = checkpointKeys();
  const readFrom = (from: Uint8Array): void => {
    kvStore.scan(from, to, ROWS_AT_ONCE, BYTES_AT_ONCE, null, (result) => {
      if (!result.ok || result.value.length === 0) return done(covered);
      for (const { key, value } of result.value) {
        const row = guarded(() => decodeCheckpointRow(value));
        if (!isFailure(row)) covered.set(groupOfCheckpointKey(key), row.index);
      }
      readFrom(keyBehind(result.value.at(-1)!.key));
    });
  };
  readFrom(first);
}

/** The state at the row's index; a group that was just founded has no rows and no header. */
export function loadState(kvStore: KvStore, row: CheckpointRow, limits: ShardLimits, done: Done<ShardStateApi>): void {
  if (row.header.length === 0) {
    kvStore.get(slotKey(row.ranges[0]!.generation, 0), null, (result) => {
      done(result.ok ? { ok: true, value: ShardState.startingAt(row.index) } : result);
    });
    return;
  }
  const loader: ShardLoaderApi = new ShardLoader();
  const ranges = row.ranges.map(({ generation, from, to }) => ({
    from: slotKey(generation, from),
    to: slotKey(generation, to + 1),
  }));
  const take = (slot: number, subkey: Uint8Array, value: Uint8Array): void => loader.row(slot, subkey, value);
  readRanges(kvStore, ranges, limits, take, (read) => {
    if (!read.ok) {
      done(read);
      return;
    }
    const state = guarded(() => loader.finish({ bytes: row.header }, row.index));
    done(isFailure(state) ? state : { ok: true, value: state });
  });
}
