/**
 * When the state goes to the store and the log behind it is cut, as a turn comes by: a capture if one is due, the oldest capture's batch if its entry is
 * committed, a sync of the log if that is what it, or the commit index, waits for, and compaction when a batch has returned.
 */
import { assert } from "@headrace/bytes";
import type { ShardStateApi } from "@headrace/engine";
import type { SharedLogApi } from "@headrace/log";
import type { Clock, Logger } from "@headrace/ports";
import type { RaftNodeApi } from "@headrace/raft-ts";
import type { Checkpointer } from "./checkpoint.ts";
import { compactLog } from "./log-retention.ts";
import type { SnapshotHold } from "./log-retention.ts";
import type { RaftLog } from "./raft-log.ts";
import type { ShardConfig } from "./shard-api.ts";
import type { TurnTimes } from "./turn-times.ts";

/** So long at most the last entries stand unsynced, and so uncommitted, with fsync everysec and no. */
const STALLED_MS = 1000;

export interface CheckpointRoundsOptions {
  readonly config: ShardConfig;
  readonly clock: Clock;
  readonly times: TurnTimes;
  readonly logger: Logger;
  readonly log: SharedLogApi;
  readonly raft: RaftNodeApi;
  readonly raftLog: RaftLog;
  readonly checkpointer: Checkpointer;
  readonly snapshots: SnapshotHold;
}

export class CheckpointRounds {
  readonly #options: CheckpointRoundsOptions;
  #isForced: boolean;
  /** The checkpoint that the log was cut for. */
  #compactedFor: number;
  /** Commit as it was seen last, and since when it has stood there. */
  #commit: number;
  #commitSinceMs: number;

  constructor(options: CheckpointRoundsOptions) {
    this.#options = options;
    this.#isForced = false;
    this.#compactedFor = options.checkpointer.index;
    this.#commit = 0;
    this.#commitSinceMs = 0;
  }

  /** The next capture is due, whatever has changed. */
  force(): void {
    this.#isForced = true;
  }

  /** The log begins behind `index` by other means. */
  startsAt(index: number): void {
    this.#compactedFor = index;
  }

  /**
   * One turn. `state`: null while it is being replaced. `applied`: entries up to here were handed over as committed. `wanted`: others want the log durable
   * up to here.
   */
  proceed(state: ShardStateApi | null, applied: number, durable: number, wanted: number): void {
    const { config, clock, times, log, raft, raftLog, checkpointer } = this.#options;
    const startedMs = clock.monotonicMs();
    let wantedIndex = this.#isStalled(startedMs) ? raftLog.lastIndex() : wanted;
    if (state !== null) {
      const term = raftLog.term(state.index);
      assert(typeof term === "number", "the state index is in the log");
      const { captures } = checkpointer;
      if (checkpointer.captureIfDue(state, term, startedMs, this.#isForced)) this.#isForced = false;
      if (checkpointer.captures > captures) times.captures.observe(clock.monotonicMs() - startedMs);
      const cursors = { committed: raft.commit, applied, durable, termAt: (index: number) => raftLog.term(index) };
      wantedIndex = Math.max(wantedIndex, checkpointer.writeIfCommitted(cursors));
    }
    if (wantedIndex > durable && config.fsync !== "always") log.requestSync();
    if (checkpointer.index !== this.#compactedFor) this.#compact();
  }

  /**
   * Commit has stood behind the log's end for as long as a checkpoint waits, or a second. Perhaps a majority lacks only what this log has not synced: of the last entry nobody
   * may want to know, no checkpoint either if it left no changed key, and followers would never apply it.
   */
  #isStalled(nowMs: number): boolean {
    const { config, raft, raftLog } = this.#options;
    if (raft.commit !== this.#commit || raft.commit >= raftLog.lastIndex()) {
      this.#commit = raft.commit;
      this.#commitSinceMs = nowMs;
      return false;
    }
    return nowMs - this.#commitSinceMs >= Math.min(config.limits.checkpointIntervalMs, STALLED_MS);
  }

  #compact(): void {
    const { config, raft, raftLog, checkpointer, logger, snapshots } = this.#options;
    this.#compactedFor = checkpointer.index;
    const { groupId, limits } = config;
    compactLog(raftLog, raft, checkpointer.index, { groupId, retainBytes: limits.logRetainBytes, logger, snapshots });
  }
}
