/**
 * From what the disk holds to a replica's parts: checkpoint row, state at the checkpoint, log behind it, and the check that the two meet (I23).
 * A new group's first row is written here. Entries behind the checkpoint are applied by the first turns, as Raft finds them committed.
 */
import { assert } from "@headrace/bytes";
import type { ShardStateApi } from "@headrace/engine";
import type { RecoveredGroup } from "@headrace/log";
import type { Done } from "@headrace/ports";
import {
  checkpointKey,
  encodeCheckpointRow,
  FOUNDING_INDEX,
  FOUNDING_TERM,
  generationOf,
  GROUP_ID_MAX,
} from "./checkpoint-row.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import { meet } from "./log-meeting.ts";
import type { ShardOpening } from "./shard-api.ts";
import { loadState, readCheckpointRow } from "./state-loading.ts";

/** A full disk delays a new group, and nothing else. */
const SPACE_RETRY_MS = 1000;

export interface LoadedShard {
  readonly row: CheckpointRow;
  readonly state: ShardStateApi;
  /** The log that follows the row. */
  readonly recovered: RecoveredGroup | null;
}

export function loadShard(opening: ShardOpening, done: Done<LoadedShard>): void {
  const { config, world } = opening;
  assert(config.groupId > 0 && config.groupId <= GROUP_ID_MAX, "group ids have 16 bits");
  const withRow = (row: CheckpointRow): void => {
    const meeting = meet(config.groupId, row, opening.recovered, world.log);
    if (!meeting.ok) {
      done({ ok: false, reason: "corrupt", message: meeting.message });
      return;
    }
    const { recovered } = meeting;
    loadState(world.kvStore, row, config.limits, (result) => {
      done(result.ok ? { ok: true, value: { row, state: result.value, recovered } } : result);
    });
  };
  readCheckpointRow(world.kvStore, config.groupId, (result) => {
    if (!result.ok) done(result);
    else if (result.value !== null) withRow(result.value);
    else found(opening, withRow, done);
  });
}

/** Writes the first row. Nothing else of the group may be on the disk. */
function found(opening: ShardOpening, withRow: (row: CheckpointRow) => void, done: Done<LoadedShard>): void {
  const { founding, config, recovered, world } = opening;
  const message = `group ${config.groupId} has no checkpoint`;
  if (founding === null) {
    done({ ok: false, reason: "missing", message });
    return;
  }
  if (recovered !== null) {
    done({ ok: false, reason: "corrupt", message: `${message}, but a log` });
    return;
  }
  const generation = generationOf(config.groupId, 1);
  const isMember = founding.members.voters.length > 0;
  const row: CheckpointRow = {
    index: isMember ? FOUNDING_INDEX : 0,
    term: isMember ? FOUNDING_TERM : 0,
    logTimeMs: 0,
    confState: founding.members,
    ranges: founding.slots.map((range) => ({ from: range.from, to: range.to, generation })),
    sequence: 1,
    header: new Uint8Array(0),
    isPut: true,
  };
  const change = { key: checkpointKey(config.groupId), value: encodeCheckpointRow(row) };
  const write = (): void =>
    world.kvStore.write([change], (result) => {
      if (result.ok) withRow(row);
      else if (result.reason === "space") world.scheduler.after(SPACE_RETRY_MS, write);
      else done(result);
    });
  write();
}
