/**
 * Deletes the rows of generations that a group no longer uses, in the background and in small batches: the store has no range delete. Runs at
 * opening (a crash may have left some) and after each change of generation; slowly (sweep-pace.ts), unless somebody waits for its end.
 */
import type { Done, Failure, KvStore, Logger } from "@headrace/ports";
import { generationOf, slotKey } from "./checkpoint-row.ts";
import type { GenerationRange } from "./checkpoint-row.ts";
import { keyBehind } from "./state-ranges.ts";
import type { SweepPace } from "./sweep-pace.ts";

const ROWS_PER_STEP = 256;

export class GenerationSweeper {
  readonly #groupId: number;
  readonly #kvStore: KvStore;
  readonly #logger: Logger;
  readonly #pace: SweepPace;
  #kept: ReadonlySet<number>;
  #isRunning: boolean;
  #again: boolean;
  #stopped: boolean;
  /** One sweep has gone through: nothing is left of what a former process did not finish. */
  #isSwept: boolean;
  #waiters: Done<void>[];

  constructor(groupId: number, kvStore: KvStore, logger: Logger, pace: SweepPace) {
    this.#groupId = groupId;
    this.#kvStore = kvStore;
    this.#logger = logger;
    this.#pace = pace;
    this.#kept = new Set();
    this.#isRunning = false;
    this.#again = false;
    this.#stopped = false;
    this.#isSwept = false;
    this.#waiters = [];
  }

  get isSwept(): boolean {
    return this.#isSwept;
  }

  /**
   * Answers when nothing is left of what a former process did not finish: then new generations are empty. Not always in a later event. When the sweep
   * has failed: the next question starts it again.
   */
  whenSwept(done: Done<void>): void {
    if (this.#isSwept) {
      done({ ok: true, value: undefined });
      return;
    }
    this.#waiters.push(done);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#sweepFrom(slotKey(generationOf(this.#groupId, 0), 0));
  }

  /**
   * Keeps the generations of the table, which is synced, and the one that a snapshot is being written to (0: none), and deletes all others of this
   * group.
   */
  start(ranges: readonly GenerationRange[], incoming: number): void {
    this.#kept = new Set([incoming, ...ranges.map((range) => range.generation)]);
    if (this.#isRunning) {
      this.#again = true;
      return;
    }
    this.#isRunning = true;
    this.#sweepFrom(slotKey(generationOf(this.#groupId, 0), 0));
  }

  /** From now on this generation is written, by a snapshot or by a checkpoint that begins anew; until the next `start`. */
  keep(generation: number): void {
    this.#kept = new Set([...this.#kept, generation]);
  }

  stop(): void {
    this.#stopped = true;
  }

  #sweepFrom(from: Uint8Array): void {
    if (this.#waiters.length > 0) this.#step(from, () => {});
    else this.#pace.next((over) => this.#step(from, over));
  }

  #step(from: Uint8Array, over: () => void): void {
    if (this.#stopped) return over();
    const end = slotKey(generationOf(this.#groupId + 1, 0), 0);
    // Not the values: a damaged one that nobody needs is no reason to stop.
    this.#kvStore.keys(from, end, ROWS_PER_STEP, (result) => {
      if (this.#stopped) return over();
      if (!result.ok) {
        over();
        return this.#failed(result);
      }
      const last = result.value[result.value.length - 1];
      if (last === undefined) {
        over();
        return this.#finished();
      }
      const dead = result.value.filter((key) => !this.#kept.has(generationOfKey(key)));
      const generation = generationOfKey(last);
      // A generation in use is not read to its end, only stepped over.
      const next = this.#kept.has(generation) ? slotKey(generation, 0xffff) : keyBehind(last);
      if (dead.length === 0) return this.#step(next, over);
      const changes = dead.map((key) => ({ key, value: null }));
      this.#kvStore.write(changes, (written) => {
        over();
        if (this.#stopped) return;
        if (written.ok) this.#sweepFrom(next);
        else this.#failed(written);
      });
    });
  }

  #failed(failure: Failure): void {
    this.#logger.warn("generation_sweep_failed", { group: this.#groupId, message: failure.message });
    this.#isRunning = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const done of waiters) done(failure);
  }

  #finished(): void {
    this.#isRunning = false;
    this.#isSwept = true;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const done of waiters) done({ ok: true, value: undefined });
    if (!this.#again) return;
    this.#again = false;
    this.#isRunning = true;
    this.#sweepFrom(slotKey(generationOf(this.#groupId, 0), 0));
  }
}

function generationOfKey(key: Uint8Array): number {
  return ((key[0]! << 24) | (key[1]! << 16) | (key[2]! << 8) | key[3]!) >>> 0;
}
