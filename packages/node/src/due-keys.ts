/**
 * Keys whose time is over and that nobody asks for: the leader removes them, a bounded number in a turn, and wakes for the next one. Time is log time;
 * a command that meets such a key first has it removed itself (engine/live-keyspace.ts), so being late here shows nowhere but in memory.
 */
import type { ShardStateApi } from "@headrace/engine";
import type { Scheduler } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import { DueTimer } from "./due-timer.ts";
import type { OpenBatch } from "./open-batch.ts";

/** In one turn; a key of many blocks counts as several. */
const WORK_PER_TURN = 256;
const BLOCK_WORK = 1 / 64;

export interface DueKeysOptions {
  readonly scheduler: Scheduler;
  /** Asks for a turn. */
  readonly wake: () => void;
  readonly stampMs: () => number;
  readonly blocked: BlockedReads;
}

export class DueKeys {
  readonly #options: DueKeysOptions;
  readonly #batch: OpenBatch;
  readonly #calls: BlockedCalls;
  readonly #timer: DueTimer;
  #state: ShardStateApi;

  constructor(options: DueKeysOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.#options = options;
    this.#batch = batch;
    this.#calls = calls;
    this.#timer = new DueTimer(options.scheduler, options.wake);
    this.#state = state;
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  stop(): void {
    this.#timer.stop();
  }

  /** The leader's turn. Answers whether more is due than one turn takes. */
  run(request: Request): boolean {
    const { keyspace } = this.#state;
    let next = keyspace.nextToExpire();
    if (next === null) return false;
    const nowMs = Math.max(this.#state.logTimeMs, this.#options.stampMs());
    if (next.expiresAtMs >= nowMs) {
      this.#timer.wakeAt(next.expiresAtMs, nowMs);
      return false;
    }
    const { effects } = this.#batch.open(request);
    this.#state.setOrigin(null, 0);
    let work = 0;
    while (next !== null && next.expiresAtMs < effects.logTimeMs) {
      if (work >= WORK_PER_TURN) return true;
      const blocks = next.stream === null ? next.value.storedParts : next.stream.blockCount;
      work += 1 + blocks * BLOCK_WORK;
      effects.expireKey(next.key);
      next = keyspace.nextToExpire();
    }
    if (next !== null) this.#timer.wakeAt(next.expiresAtMs, nowMs);
    if (this.#options.blocked.count > 0) this.#calls.serveTouched();
    return false;
  }
}
