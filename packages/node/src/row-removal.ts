/**
 * Deletes everything that the store holds of a group whose replica is gone: the checkpoint row first, so that what is left can't be taken for a
 * replica, then the rows of all generations in small steps, slowly (sweep-pace.ts). Repeatable: a crash in between leaves something to delete, nothing
 * that is wrong.
 */
import type { Done, KvStore } from "@headrace/ports";
import { checkpointKey, generationOf, slotKey } from "./checkpoint-row.ts";
import type { SweepPace } from "./sweep-pace.ts";

const ROWS_PER_STEP = 256;

/** Writes of the group that are still under way are over before the first row goes: the store writes in order. */
export function removeGroupRows(kvStore: KvStore, groupId: number, pace: SweepPace, done: Done<void>): void {
  const from = slotKey(generationOf(groupId, 0), 0);
  const end = slotKey(generationOf(groupId + 1, 0), 0);
  const step = (over: () => void): void => {
    // Not the values: perhaps it is because one of them is damaged that the replica goes.
    kvStore.keys(from, end, ROWS_PER_STEP, (result) => {
      if (!result.ok || result.value.length === 0) {
        over();
        return done(result.ok ? { ok: true, value: undefined } : result);
      }
      const changes = result.value.map((key) => ({ key, value: null }));
      kvStore.write(changes, (written) => {
        over();
        if (written.ok) pace.next(step);
        else done(written);
      });
    });
  };
  kvStore.write([{ key: checkpointKey(groupId), value: null }], (written) => {
    if (written.ok) pace.next(step);
    else done(written);
  });
}
