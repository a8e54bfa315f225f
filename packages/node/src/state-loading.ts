/**
 * A shard's state from the ordered store, as its checkpoint row describes it: at opening, and again where a rollback (rollback.ts) cannot do with
 * less. Reads in bounded steps; answers in a later event.
 */
import { ShardLoader, ShardState } from "@headrace/engine";
import type { ShardLoaderApi, ShardStateApi } from "@headrace/engine";
import type { Done, KvStore } from "@headrace/ports";
import { checkpointKey, decodeCheckpointRow, slotKey } from "./checkpoint-row.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import type { ShardLimits } from "./shard-api.ts";
import { guarded, isFailure, readRanges } from "./state-ranges.ts";

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
