/**
 * What the leader does by itself, beside what clients ask: a bounded part of it in each turn, as logged effects, and a timer for what is due later. Time is
 * log time, so that a new leader goes on where the old one was. Each task decides what is due and what it costs.
 */
import type { ShardStateApi } from "@headrace/engine";
import type { Scheduler } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import { DueTimer } from "./due-timer.ts";
import type { OpenBatch } from "./open-batch.ts";

export interface LeaderTaskOptions {
  readonly scheduler: Scheduler;
  /** Asks for a turn. */
  readonly wake: () => void;
  readonly stampMs: () => number;
  readonly blocked: BlockedReads;
}

export abstract class LeaderTask<Options extends LeaderTaskOptions = LeaderTaskOptions> {
  protected readonly options: Options;
  protected readonly batch: OpenBatch;
  protected state: ShardStateApi;
  readonly #calls: BlockedCalls;
  readonly #timer: DueTimer;

  constructor(options: Options, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.options = options;
    this.batch = batch;
    this.state = state;
    this.#calls = calls;
    this.#timer = new DueTimer(options.scheduler, options.wake);
  }

  /** The leader's turn. Answers whether there is more to do than one turn takes. */
  abstract run(request: Request): boolean;

  replaceState(state: ShardStateApi): void {
    this.state = state;
  }

  stop(): void {
    this.#timer.stop();
  }

  /** What a batch that is opened now would be stamped with, at least. */
  protected nowMs(): number {
    return Math.max(this.state.logTimeMs, this.options.stampMs());
  }

  /** An effect of nobody's request comes next. */
  protected effects(request: Request): OpenBatch["context"]["effects"] {
    const { effects } = this.batch.open(request);
    this.state.setOrigin(null, 0);
    return effects;
  }

  /** Something was done that blocked calls may wait for. */
  protected serveBlocked(): void {
    if (this.options.blocked.count > 0) this.#calls.serveTouched();
  }

  /** Wakes when log time is above `dueMs`; Infinity: for nothing. */
  protected wakeAt(dueMs: number, nowMs: number): void {
    if (dueMs !== Number.POSITIVE_INFINITY) this.#timer.wakeAt(dueMs, nowMs);
  }
}
