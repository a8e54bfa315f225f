/**
 * Keys whose time is over and that nobody asks for: the leader removes them, a bounded number in a turn, and wakes for the next one. Time is log time;
 * a command that meets such a key first has it removed itself (engine/live-keyspace.ts), so being late here shows nowhere but in memory.
 */
import type { ShardStateApi } from "@headrace/engine";
import type { Scheduler, Timer } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import type { OpenBatch } from "./open-batch.ts";

/** In one turn; a key of many blocks counts as several. */
const WORK_PER_TURN = 256;
const BLOCK_WORK = 1 / 64;
/** A clock that may not be stamped yet is asked again this often. */
const WAKE_MIN_MS = 10;
const WAKE_MAX_MS = 60_000;

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
  #state: ShardStateApi;
  #timer: Timer | null;
  /** The time that the timer waits for. */
  #timerAtMs: number;

  constructor(options: DueKeysOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.#options = options;
    this.#batch = batch;
    this.#calls = calls;
    this.#state = state;
    this.#timer = null;
    this.#timerAtMs = 0;
  }

  replaceState(state: ShardStateApi): void {
    this.#state = state;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** The leader's turn. Answers whether more is due than one turn takes. */
  run(request: Request): boolean {
    const { keyspace } = this.#state;
    let next = keyspace.nextToExpire();
    if (next === null) return false;
    const nowMs = Math.max(this.#state.logTimeMs, this.#options.stampMs());
    if (next.expiresAtMs >= nowMs) {
      this.#wakeAt(next.expiresAtMs, nowMs);
      return false;
    }
    const { effects } = this.#batch.open(request);
    this.#state.setOrigin(null, 0);
    let work = 0;
    while (next !== null && next.expiresAtMs < effects.logTimeMs) {
      if (work >= WORK_PER_TURN) return true;
      work += 1 + next.stream.blockCount * BLOCK_WORK;
      effects.expireKey(next.key);
      next = keyspace.nextToExpire();
    }
    if (next !== null) this.#wakeAt(next.expiresAtMs, nowMs);
    if (this.#options.blocked.count > 0) this.#calls.serveTouched();
    return false;
  }

  #wakeAt(atMs: number, nowMs: number): void {
    if (this.#timer !== null && this.#timerAtMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const delayMs = Math.min(Math.max(atMs + 1 - nowMs, WAKE_MIN_MS), WAKE_MAX_MS);
    this.#timer = this.#options.scheduler.after(delayMs, () => {
      this.#timer = null;
      this.#options.wake();
    });
  }
}
