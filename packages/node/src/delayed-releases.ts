/**
 * Delayed entries whose time has come (XADD DELAY, AT): the leader lets them appear, a bounded number in a turn, by when they were due, and wakes for the
 * next one. Time is log time, so that no entry appears before its time whoever leads, and a new leader goes on where the old one was. What was accepted
 * appears also where new writes are refused for want of memory or disk: it is in both already.
 */
import { releaseFirst } from "@headrace/commands";
import type { ShardStateApi } from "@headrace/engine";
import type { Scheduler } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { BlockedReads } from "./blocked-reads.ts";
import { DueTimer } from "./due-timer.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { ShardSettings } from "./shard-api.ts";

/** In one turn: an entry that appears is one, more if it is large; one that its trim removes is a part of one. */
const WORK_PER_TURN = 512;
const BYTE_WORK = 1 / 2048;
const TRIM_WORK = 1 / 16;
/** A stream that has no further id is looked at again after so long. */
const EXHAUSTED_MS = 60_000;

export interface DelayedReleasesOptions {
  readonly scheduler: Scheduler;
  /** Asks for a turn. */
  readonly wake: () => void;
  readonly stampMs: () => number;
  readonly settings: Pick<ShardSettings, "nodeBounds">;
  readonly blocked: BlockedReads;
}

export class DelayedReleases {
  /** Entries that have appeared, since the start. */
  released: number;
  readonly #options: DelayedReleasesOptions;
  readonly #batch: OpenBatch;
  readonly #calls: BlockedCalls;
  readonly #timer: DueTimer;
  #state: ShardStateApi;

  constructor(options: DelayedReleasesOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.released = 0;
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
    const { delays } = this.#state;
    if (delays.firstDueMs === Number.POSITIVE_INFINITY) return false;
    const nowMs = Math.max(this.#state.logTimeMs, this.#options.stampMs());
    const releasedBefore = this.released;
    let work = WORK_PER_TURN;
    while (work > 0 && delays.firstDueMs <= nowMs) {
      // Its log time may be behind `nowMs` if it was opened before.
      const { effects, keyspace } = this.#batch.open(request);
      if (delays.firstDueMs > effects.logTimeMs) break;
      work -= this.#release(effects, keyspace);
      this.#batch.sealIfFull();
    }
    if (this.released > releasedBefore && this.#options.blocked.count > 0) this.#calls.serveTouched();
    const { firstDueMs } = delays;
    if (firstDueMs <= nowMs) return true;
    if (firstDueMs !== Number.POSITIVE_INFINITY) this.#timer.wakeAt(firstDueMs - 1, nowMs);
    return false;
  }

  /** Answers how much work it was. */
  #release(effects: OpenBatch["context"]["effects"], keyspace: OpenBatch["context"]["keyspace"]): number {
    const { delays } = this.#state;
    const found = delays.first;
    // A key whose time is over is gone with all that it has.
    if (keyspace.peek(found.key) === null) return 1;
    const bytes = found.stream.delayed!.first!.fields.length;
    this.#state.setOrigin(null, 0);
    const moved = releaseFirst(found, effects, this.#options.settings.nodeBounds, this.#batch.roomBytes);
    if (moved === 0) {
      delays.postpone(found, effects.logTimeMs + EXHAUSTED_MS);
      return 1;
    }
    this.released++;
    return 1 + bytes * BYTE_WORK + (moved - 1) * TRIM_WORK;
  }
}
