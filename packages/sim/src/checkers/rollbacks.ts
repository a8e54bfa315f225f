/**
 * Every rollback gives what a full reload would: at the moment at which a replica says that it has gone back, its whole state is loaded once more
 * from its machine's store and brought forward through its log, the simple way, and the two must be equal (I9).
 */
import { latin1 } from "@headrace/bytes";
import type { ShardStateApi } from "@headrace/engine";
import { defaultShardLimits, loadState, readCheckpointRow, type ShardReplica } from "@headrace/node";
import type { KvStore } from "@headrace/ports";
import { EntryType } from "@headrace/raft-ts";
import type { SimMachineDisk } from "../sim-disk.ts";

const NO_DATA: Uint8Array = new Uint8Array(0);

/** Throws when they differ. Nothing can be said of a replica that has stopped, and of a store with a damaged row, which the rollback did not need. */
export function checkRollback(name: string, disk: SimMachineDisk, shard: ShardReplica): void {
  if (!shard.isHealthy) return;
  shard.verify();
  const { index, hash } = shard.stateHash();
  const loaded = fullReload(disk, shard, index);
  if (loaded !== null && loaded !== hash) {
    throw new Error(
      `a rollback of shard ${shard.groupId} on ${name} ended with ${hash} at index ${index}, a full reload with ${loaded}`,
    );
  }
}

function fullReload(disk: SimMachineDisk, shard: ShardReplica, index: number): string | null {
  const store = readingNow(disk);
  let state: ShardStateApi | null = null;
  readCheckpointRow(store, shard.groupId, (row) => {
    if (!row.ok || row.value === null) return;
    loadState(store, row.value, defaultShardLimits, (loaded) => {
      if (loaded.ok) state = loaded.value;
    });
  });
  const loaded = state as ShardStateApi | null;
  if (loaded === null) return null;
  shard.log.visit((at, _term, data, type) => {
    if (at === loaded.index + 1 && at <= index) loaded.apply(type === EntryType.Normal ? data : NO_DATA, at);
  });
  return loaded.index === index ? loaded.stateHash() : `a log that ends at ${loaded.index}`;
}

/** A store that answers at once, as no real one may. */
function readingNow(disk: SimMachineDisk): KvStore {
  const never = (): never => {
    throw new Error("only reads");
  };
  return {
    get: (key, _snapshot, done) => {
      done({ ok: true, value: disk.rows.get(latin1(key, 0, key.length)) ?? null });
    },
    getNow: (key) => ({ ok: true, value: disk.rows.get(latin1(key, 0, key.length)) ?? null }),
    scan: (from, to, _limitRows, _limitBytes, _snapshot, done) => {
      const low = latin1(from, 0, from.length);
      const high = latin1(to, 0, to.length);
      const names = [...disk.rows.keys()].filter((name) => name >= low && name < high).sort();
      const rows = names.map((name) => ({
        key: Uint8Array.from(name, (character) => character.charCodeAt(0)),
        value: disk.rows.get(name)!,
      }));
      done({ ok: true, value: rows });
    },
    keys: never,
    write: never,
    giveBack: never,
    snapshot: never,
    release: never,
    close: never,
  };
}
