/**
 * How much log is kept behind a checkpoint. A replica that lags further than the log can only be helped by a snapshot, so entries are kept for it up
 * to a limit: the leader knows how far the others are and says so in its heartbeats, since a follower may lead next. Behind a snapshot that is
 * being sent more is kept, or its receiver would need the next one as soon as it has this one.
 */
import type { Logger } from "@headrace/ports";
import { Role } from "@headrace/raft-ts";
import type { RaftNodeApi } from "@headrace/raft-ts";
import type { RaftLog } from "./raft-log.ts";

export interface Retention {
  readonly groupId: number;
  readonly retainBytes: number;
  readonly logger: Logger;
  readonly snapshots: SnapshotHold;
}

type Log = Pick<RaftLog, "evict" | "firstIndex" | "indexWithTail" | "compact">;

export interface SnapshotHold {
  /** Infinity: nobody needs more than the others. */
  holdIndex(): number;
  readonly holdBytes: number;
  giveUp(reason: string): void;
}

/** Cuts the log behind the synced checkpoint at `checkpointIndex`. */
export function compactLog(
  raftLog: Log,
  raft: Pick<RaftNodeApi, "role" | "heldByAll">,
  checkpointIndex: number,
  retention: Retention,
): void {
  raftLog.evict(checkpointIndex);
  const limited = Math.min(checkpointIndex, raftLog.indexWithTail(retention.retainBytes));
  const slowest = Math.min(checkpointIndex, raft.heldByAll);
  const cut = Math.max(limited, slowest);
  if (raft.role !== Role.leader) return raftLog.compact(cut);
  // A leader that has just begun knows nothing of the others: what was cut before is no news.
  if (slowest < limited && limited >= raftLog.firstIndex())
    retention.logger.warn("log_cut_before_slow_replica", { group: retention.groupId, slowest, cut });
  raftLog.compact(Math.min(cut, heldBy(raftLog, retention.snapshots)));
}

function heldBy(raftLog: Log, snapshots: SnapshotHold): number {
  const held = snapshots.holdIndex();
  if (held === Infinity || held >= raftLog.indexWithTail(snapshots.holdBytes)) return held;
  snapshots.giveUp(`more than ${snapshots.holdBytes} bytes of log stand behind it`);
  return Infinity;
}
