/**
 * What memory holds of entries that the log no longer has must go before anything else is done with it (I9): the state goes back to the
 * checkpoint and is brought forward through the log by the caller. Waits for the checkpoint batch in flight. Then only what was written since
 * is dropped and read again (engine/state-rollback.ts); all of it is loaded anew where that is no less, after FLUSHALL and before the first
 * checkpoint, and where nobody can say what was written. While it runs the replica serves, captures and applies nothing.
 */
import { assert } from "@headrace/bytes";
import type { Capture, ShardRollbackApi, ShardStateApi } from "@headrace/engine";
import type { Done, KvStore, Logger, Result, Scheduler } from "@headrace/ports";
import type { Checkpointer } from "./checkpoint.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import type { ShardLimits } from "./shard-api.ts";
import { loadState } from "./state-loading.ts";
import { guarded, isFailure, keyRangesOf, readRanges } from "./state-ranges.ts";

export interface RollbackOptions {
  readonly groupId: number;
  readonly limits: ShardLimits;
  readonly kvStore: KvStore;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  readonly checkpointer: Checkpointer;
}

export class Rollback {
  readonly #options: RollbackOptions;
  #isRunning: boolean;
  #count: number;

  constructor(options: RollbackOptions) {
    this.#options = options;
    this.#isRunning = false;
    this.#count = 0;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Rollbacks since the start. */
  get count(): number {
    return this.#count;
  }

  /**
   * `done` gets the state at the checkpoint, the given one or another; only then, when it returns, the rollback is over. `torn`: why a command stands half
   * done in it, so that it can't be used any more; else null.
   */
  start(state: ShardStateApi, torn: string | null, done: Done<ShardStateApi>): void {
    assert(!this.#isRunning, "a rollback is running");
    this.#isRunning = true;
    this.#count++;
    const { groupId, logger, checkpointer } = this.#options;
    logger.info("rollback_started", { group: groupId, state: state.index, checkpoint: checkpointer.index });
    if (torn !== null) logger.warn("state_torn", { group: groupId, reason: torn });
    checkpointer.whenIdle(() => {
      const captures = checkpointer.takeQueued();
      if (torn !== null) this.#loadAll(checkpointer.row, done);
      else this.#goBack(state, checkpointer.row, captures, done);
    });
  }

  #loadAll(row: CheckpointRow, done: Done<ShardStateApi>): void {
    loadState(this.#options.kvStore, row, this.#options.limits, (loaded) => this.#end(row, null, loaded, done));
  }

  #goBack(state: ShardStateApi, row: CheckpointRow, captures: readonly Capture[], done: Done<ShardStateApi>): void {
    const { limits, kvStore, scheduler } = this.#options;
    const rollback = guarded(() => state.beginRollback(captures, { bytes: row.header }, row.index));
    if (isFailure(rollback)) {
      scheduler.soon(() => this.#end(row, null, rollback, done));
      return;
    }
    if (rollback === null) {
      this.#loadAll(row, done);
      return;
    }
    const finish = (read: Result<void>): void => {
      const finished = read.ok ? guarded(() => rollback.finish()) : read;
      this.#end(row, rollback, isFailure(finished) ? finished : { ok: true, value: state }, done);
    };
    const ranges = keyRangesOf(row.ranges, rollback.ranges);
    const take = (slot: number, subkey: Uint8Array, value: Uint8Array): void => rollback.row(slot, subkey, value);
    if (ranges.length > 0) readRanges(kvStore, ranges, limits, take, finish);
    else scheduler.soon(() => finish({ ok: true, value: undefined }));
  }

  #end(
    row: CheckpointRow,
    rollback: ShardRollbackApi | null,
    result: Result<ShardStateApi>,
    done: Done<ShardStateApi>,
  ): void {
    const { groupId, logger } = this.#options;
    done(result);
    this.#isRunning = false;
    if (!result.ok) return;
    const fields = { group: groupId, checkpoint: row.index };
    if (rollback === null) logger.info("rollback_loaded_all", fields);
    else logger.info("rollback_finished", { ...fields, keys: rollback.keyCount, ranges: rollback.ranges.length });
  }
}
