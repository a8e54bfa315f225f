/**
 * A shard's state from the ordered store, as its checkpoint row describes it: at opening, and again when a lost leadership left effects in memory
 * that the log no longer has (I9). Reads in bounded steps; answers in a later event.
 */
import { DamagedRowError, ShardLoader, ShardState, UnknownRowError } from "@headrace/engine";
import type { ShardLoaderApi, ShardStateApi } from "@headrace/engine";
import type { Done, Failure, KvRow, KvStore } from "@headrace/ports";
import {
  checkpointKey,
  decodeCheckpointRow,
  slotKey,
  slotOfStateKey,
  STATE_KEY_PREFIX_BYTES,
} from "./checkpoint-row.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import type { ShardLimits } from "./shard-api.ts";

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
  const loadRange = (rangeNumber: number, from: Uint8Array): void => {
    const range = row.ranges[rangeNumber]!;
    const to = slotKey(range.generation, range.to + 1);
    kvStore.scan(from, to, limits.loadRows, limits.loadBytes, null, (result) => {
      if (!result.ok) {
        done(result);
        return;
      }
      const failure = guarded(() => takeRows(loader, result.value));
      if (isFailure(failure)) {
        done(failure);
        return;
      }
      const last = result.value[result.value.length - 1];
      if (last !== undefined) loadRange(rangeNumber, keyBehind(last.key));
      else next(rangeNumber + 1);
    });
  };
  const next = (rangeNumber: number): void => {
    const range = row.ranges[rangeNumber];
    if (range !== undefined) {
      loadRange(rangeNumber, slotKey(range.generation, range.from));
      return;
    }
    const state = guarded(() => loader.finish({ bytes: row.header }, row.index));
    done(isFailure(state) ? state : { ok: true, value: state });
  };
  next(0);
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

function takeRows(loader: ShardLoaderApi, rows: readonly KvRow[]): null {
  for (const row of rows) {
    const slot = slotOfStateKey(row.key);
    try {
      loader.row(slot, row.key.subarray(STATE_KEY_PREFIX_BYTES), row.value);
    } catch (error) {
      // Whoever looks into it has to find it.
      if (error instanceof DamagedRowError) error.message += ` (slot ${slot}, key ${hex(row.key)})`;
      throw error;
    }
  }
  return null;
}

/** Damage is the world's failure: it becomes a typed result. Everything else that is thrown is our own mistake and goes on. */
function guarded<T>(read: () => T): T | Failure {
  try {
    return read();
  } catch (error) {
    if (error instanceof DamagedRowError) return { ok: false, reason: "corrupt", message: error.message };
    if (error instanceof UnknownRowError) return { ok: false, reason: "unsupported", message: error.message };
    throw error;
  }
}

function isFailure(value: unknown): value is Failure {
  return typeof value === "object" && value !== null && "ok" in value && value.ok === false;
}
