/**
 * Retention (XCFGSET RETENTION-…, CONFIG SET stream-retention-…): the leader trims what is outside of a stream's bounds, a bounded number of blocks in a
 * turn, as logged trims like those of XTRIM. Which streams to look at, and what they lose, the engine knows (engine/retention-queue.ts); with nothing
 * to look at a turn pays two comparisons, however many streams there are.
 */
import type { ShardStateApi } from "@headrace/engine";
import type { Scheduler } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import { DueTimer } from "./due-timer.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { ShardSettings } from "./shard-api.ts";

/** In one turn: a look at a stream, or a block that goes, is one. */
const WORK_PER_TURN = 512;
/** Where unacknowledged entries stay, each group is asked. */
const GROUP_WORK = 1 / 16;

export interface RetentionTrimsOptions {
  readonly scheduler: Scheduler;
  /** Asks for a turn. */
  readonly wake: () => void;
  readonly stampMs: () => number;
  readonly settings: Pick<ShardSettings, "retention">;
  readonly blocked: BlockedReads;
}

export class RetentionTrims {
  /** Entries that were trimmed, since the start. */
  trimmed: number;
  readonly #options: RetentionTrimsOptions;
  readonly #batch: OpenBatch;
  readonly #calls: BlockedCalls;
  readonly #timer: DueTimer;
  #state: ShardStateApi;

  constructor(options: RetentionTrimsOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.trimmed = 0;
    this.#options = options;
    this.#batch = batch;
    this.#calls = calls;
    this.#timer = new DueTimer(options.scheduler, options.wake);
    this.#state = state;
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  /** The term is over. */
  rest(): void {
    this.#state.retention.rest();
    this.#timer.stop();
  }

  stop(): void {
    this.#timer.stop();
  }

  /** The leader's turn. Answers whether there is more to do than one turn takes. */
  run(request: Request): boolean {
    const { retention } = this.#state;
    retention.lead(this.#options.settings.retention);
    if (retention.isIdle(Number.NEGATIVE_INFINITY) && retention.firstDueMs === Number.POSITIVE_INFINITY) return false;
    const nowMs = Math.max(this.#state.logTimeMs, this.#options.stampMs());
    let work = WORK_PER_TURN;
    let isTrimmed = false;
    while (work > 0) {
      const look = retention.look(nowMs, Math.ceil(work));
      if (look === null) break;
      work -= 1 + look.blocks + look.key.stream.groupCount * GROUP_WORK;
      if (look.blocks === 0) continue;
      const { effects } = this.#batch.open(request);
      this.#state.setOrigin(null, 0);
      effects.trim(look.key.key, look.cut);
      this.trimmed += look.cut.count;
      isTrimmed = true;
      this.#batch.sealIfFull();
    }
    if (isTrimmed && this.#options.blocked.count > 0) this.#calls.serveTouched();
    if (!retention.isIdle(nowMs)) return true;
    if (retention.firstDueMs !== Number.POSITIVE_INFINITY) this.#timer.wakeAt(retention.firstDueMs, nowMs);
    return false;
  }
}
