/**
 * What a replica's state would be if all of it were loaded from its store and brought forward through its log: the simple way, beside which a
 * rollback that reads only a part is held.
 */
import { assert, compareBytes } from "@headrace/bytes";
import type { ShardStateApi } from "@headrace/engine";
import type { KvRow, KvStore } from "@headrace/ports";
import { EntryType } from "@headrace/raft-ts";
import type { ShardReplica } from "../src/shard.ts";
import { defaultShardLimits } from "../src/shard-limits.ts";
import { loadState, readCheckpointRow } from "../src/state-loading.ts";

/** Hash of the state at `shard`'s state index, from the rows of its store and the entries of its log. */
export function hashOfFullReload(shard: ShardReplica, rows: readonly KvRow[]): string {
  const store = readingNow(rows);
  let state: ShardStateApi | null = null;
  readCheckpointRow(store, shard.groupId, (row) => {
    assert(row.ok && row.value !== null, "there is a checkpoint");
    loadState(store, row.value, defaultShardLimits, (loaded) => {
      assert(loaded.ok, "the checkpoint can be loaded");
      state = loaded.value;
    });
  });
  const loaded = state as ShardStateApi | null;
  assert(loaded !== null, "answers come at once");
  const { index } = shard.stateHash();
  shard.log.visit((at, _term, data, type) => {
    if (at !== loaded.index + 1 || at > index) return;
    loaded.apply(type === EntryType.Normal ? data : new Uint8Array(0), at);
  });
  assert(loaded.index === index, "the log reaches from the checkpoint to the state");
  return loaded.stateHash();
}

/** A store that answers at once, as no real one may. */
function readingNow(rows: readonly KvRow[]): KvStore {
  const never = (): never => {
    throw new Error("only reads");
  };
  return {
    get: (key, _snapshot, done) => {
      const found = rows.find((row) => compareBytes(row.key, key) === 0);
      done({ ok: true, value: found === undefined ? null : found.value });
    },
    getNow: (key) => ({ ok: true, value: rows.find((row) => compareBytes(row.key, key) === 0)?.value ?? null }),
    scan: (from, to, _limitRows, _limitBytes, _snapshot, done) => {
      const found = rows.filter((row) => compareBytes(row.key, from) >= 0 && compareBytes(row.key, to) < 0);
      done({ ok: true, value: found });
    },
    keys: never,
    write: never,
    giveBack: () => undefined,
    snapshot: never,
    release: never,
    close: never,
  };
}
