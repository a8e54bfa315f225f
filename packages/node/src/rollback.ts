/**
 * What memory holds of entries that the log no longer has must go before anything else is done with it (I9): the state is loaded again at the
 * checkpoint and brought forward through the log by the caller. Waits for the checkpoint batch in flight; captures of the given-up state are
 * dropped. While it runs the replica serves, captures and applies nothing.
 */
import { assert } from "@headrace/bytes";
import type { ShardStateApi } from "@headrace/engine";
import type { Done, KvStore, Logger } from "@headrace/ports";
import type { Checkpointer } from "./checkpoint.ts";
import type { ShardLimits } from "./shard-api.ts";
import { loadState } from "./state-loading.ts";

export interface RollbackOptions {
  readonly groupId: number;
  readonly limits: ShardLimits;
  readonly kvStore: KvStore;
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

  /** `done` gets the state at the checkpoint; only then, when it returns, the rollback is over. */
  start(stateIndex: number, done: Done<ShardStateApi>): void {
    assert(!this.#isRunning, "a rollback is running");
    this.#isRunning = true;
    this.#count++;
    const { groupId, limits, kvStore, logger, checkpointer } = this.#options;
    logger.info("rollback_started", { group: groupId, state: stateIndex, checkpoint: checkpointer.index });
    checkpointer.whenIdle(() => {
      checkpointer.dropQueued();
      loadState(kvStore, checkpointer.row, limits, (result) => {
        done(result);
        this.#isRunning = false;
        logger.info("rollback_finished", { group: groupId });
      });
    });
  }
}
