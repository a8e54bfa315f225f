/**
 * Writes the committed state to the ordered store, behind the log. A capture is taken at the end of a turn when enough has changed, tagged with
 * the (term, index) that it is of, and written only when that very entry is committed, applied and durable here (I10); so a crash never finds
 * uncommitted state on disk. Rows and checkpoint row go in one synced batch. Only then the log is cut.
 *
 *   state ──capture──► queue (bounded) ──committed?──► one batch in flight ──synced──► P, log compaction
 *                        ▲ given to a rollback when the log replaces entries
 *
 * It asks nobody for time or commits: the drive loop tells it.
 */
import { assert } from "@headrace/bytes";
import { slotOfRow } from "@headrace/engine";
import type { Capture, ShardStateApi } from "@headrace/engine";
import type { Done, KvChange, KvStore, Logger, Result, Scheduler, Timer } from "@headrace/ports";
import type { ConfState } from "@headrace/raft-ts";
import { checkpointKey, encodeCheckpointRow, generationOf, stateKey } from "./checkpoint-row.ts";
import type { CheckpointRow, GenerationRange } from "./checkpoint-row.ts";
import { GenerationSweeper } from "./generation-sweeper.ts";
import type { ShardLimits } from "./shard-api.ts";
import type { SweepPace } from "./sweep-pace.ts";

/** After the store said that it has no space. */
const SPACE_RETRY_MS = 1000;
/** A shard to which nothing has happened for so long is captured before its interval is over: nothing would be written once instead of often. */
const REST_MS = 1000;

class QueuedCapture {
  readonly term: number;
  readonly capture: Capture;
  readonly logTimeMs: number;

  constructor(term: number, capture: Capture, logTimeMs: number) {
    this.term = term;
    this.capture = capture;
    this.logTimeMs = logTimeMs;
  }
}

export interface CheckpointerOptions {
  readonly groupId: number;
  readonly limits: ShardLimits;
  readonly kvStore: KvStore;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  /** Shared by all groups of the node. */
  readonly sweeps: SweepPace;
  /** The row that the store holds. */
  readonly row: CheckpointRow;
  /** Monotonic time: the first interval counts from here. */
  readonly nowMs: number;
  /** A batch has returned synced: look again in the next turn. */
  readonly wake: () => void;
  /** The store had no space; it is tried again. */
  readonly onNoSpace: () => void;
  readonly onFailed: (message: string) => void;
}

/** How far things are, as the drive loop knows it. */
export interface CheckpointCursors {
  readonly committed: number;
  readonly applied: number;
  readonly durable: number;
  termAt(index: number): number | "compacted" | "unavailable";
}

export class Checkpointer {
  /** Taken since this replica was opened. */
  captures: number = 0;
  readonly #options: CheckpointerOptions;
  readonly #sweeper: GenerationSweeper;
  #row: CheckpointRow;
  #queue: QueuedCapture[];
  #inFlight: boolean;
  /** The batch in flight waits for space. */
  #retry: Timer | null;
  #stopped: boolean;
  #lastCaptureMs: number;
  /** The state's index as it was seen last, and since when it has stood there. */
  #restIndex: number;
  #restSinceMs: number;
  /** Configurations with the index that they are valid from, ascending; the first is at or below P. */
  #configurations: { readonly index: number; readonly confState: ConfState }[];
  #waiters: { readonly index: number; readonly done: Done<void> }[];
  #idleWaiters: (() => void)[];
  /** Of the generation that was numbered last, used or not: a number comes again after all others. */
  #lastSequence: number;
  /** The generation that a snapshot is being written to; 0: none. */
  #incoming: number;
  #isWaitingForSweep: boolean;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#row = options.row;
    this.#queue = [];
    this.#inFlight = false;
    this.#retry = null;
    this.#stopped = false;
    this.#lastCaptureMs = options.nowMs;
    this.#restIndex = 0;
    this.#restSinceMs = options.nowMs;
    this.#configurations = [{ index: options.row.index, confState: options.row.confState }];
    this.#waiters = [];
    this.#idleWaiters = [];
    this.#lastSequence = options.row.sequence;
    this.#incoming = 0;
    this.#isWaitingForSweep = false;
    this.#sweeper = new GenerationSweeper(options.groupId, options.kvStore, options.logger, options.sweeps);
    this.#sweeper.start(options.row.ranges, 0);
  }

  /** What the store holds, synced. */
  get row(): CheckpointRow {
    return this.#row;
  }

  /** P. */
  get index(): number {
    return this.#row.index;
  }

  /** Of captures that are not in the store yet. */
  get capturedBytes(): number {
    let bytes = 0;
    for (const { capture } of this.#queue) bytes += capture.byteLength;
    return bytes;
  }

  /** A configuration was applied at this index. */
  configurationApplied(index: number, confState: ConfState): void {
    this.#configurations.push({ index, confState });
  }

  /**
   * At the end of a turn with no batch open. `force`: whatever has changed. `term` is the term of entry `state.index`. Answers whether nothing is left
   * to capture.
   */
  captureIfDue(state: ShardStateApi, term: number, nowMs: number, force: boolean): boolean {
    const { limits } = this.#options;
    if (state.index <= this.#newestIndex()) return true;
    if (this.#queue.length >= limits.checkpointQueue) return false;
    const isLarge = state.dirtyBytes >= limits.checkpointBytes || state.dirtyKeys >= limits.checkpointKeys;
    if (state.index !== this.#restIndex) {
      this.#restIndex = state.index;
      this.#restSinceMs = nowMs;
    }
    const isAtRest = nowMs - this.#restSinceMs >= REST_MS && nowMs - this.#lastCaptureMs >= REST_MS;
    const isOld = nowMs - this.#lastCaptureMs >= limits.checkpointIntervalMs;
    const isDue = state.dirtyKeys > 0 && (isOld || isAtRest);
    if (!isLarge && !isDue && !force) return false;
    this.#lastCaptureMs = nowMs;
    this.captures++;
    const capture = state.capture();
    assert(capture.index === state.index, "a capture is of the state index");
    this.#queue.push(new QueuedCapture(term, capture, state.logTimeMs));
    return true;
  }

  /** Writes the oldest capture if it may be written. Answers the index whose durability it waits for, 0 if for none. */
  writeIfCommitted(cursors: CheckpointCursors): number {
    const first = this.#queue[0];
    if (first === undefined || this.#inFlight || this.#stopped) return 0;
    const index = first.capture.index;
    if (index > cursors.committed) return 0;
    assert(cursors.termAt(index) === first.term, "a capture of an entry that was replaced");
    if (index > cursors.durable) return index;
    // Configurations are known as far as entries were handed over.
    if (index > cursors.applied) return 0;
    if (first.capture.cleared && !this.#sweeper.isSwept) this.#waitForSweep();
    else this.#write(first);
    return 0;
  }

  /** For a rollback, with no batch in flight: the captures behind the checkpoint, in order; none of them will be written. */
  takeQueued(): readonly Capture[] {
    assert(!this.#inFlight, "a batch is in flight");
    const captures = this.#queue.map((queued) => queued.capture);
    this.#queue = [];
    return captures;
  }

  /** A new, empty generation for a snapshot that arrives. One at a time; what was written to the former one is swept. */
  reserveGeneration(done: Done<number>): void {
    this.#sweeper.whenSwept((result) => {
      if (!result.ok) return done(result);
      this.#incoming = this.#newGeneration();
      done({ ok: true, value: this.#incoming });
    });
  }

  /** The snapshot will not be installed. */
  dropGeneration(): void {
    this.#incoming = 0;
    if (!this.#stopped) this.#sweeper.start(this.#row.ranges, 0);
  }

  /**
   * From now on the store's row is that of an installed snapshot, all of it in the reserved generation; in one synced batch. No batch may be in flight,
   * and nothing may be captured before the state has been loaded from it.
   */
  install(head: CheckpointRow, done: Done<CheckpointRow>): void {
    assert(!this.#inFlight && this.#queue.length === 0, "a snapshot is installed when nothing else is written");
    assert(head.index > this.#row.index && this.#incoming !== 0, "an installed snapshot is newer than the checkpoint");
    const generation = this.#incoming;
    const ranges = head.ranges.map((range) => ({ from: range.from, to: range.to, generation }));
    const row = { ...head, ranges, sequence: this.#lastSequence, isPut: true };
    const { groupId, kvStore } = this.#options;
    this.#inFlight = true;
    kvStore.write([{ key: checkpointKey(groupId), value: encodeCheckpointRow(row) }], (result) => {
      this.#inFlight = false;
      if (!result.ok) {
        done(result);
        return this.#becameIdle();
      }
      this.#row = row;
      this.#incoming = 0;
      this.#configurations = [{ index: row.index, confState: row.confState }];
      if (!this.#stopped) this.#sweeper.start(row.ranges, 0);
      done({ ok: true, value: row });
      this.#becameIdle();
      this.#answerWaiters();
    });
  }

  /** Calls back when no batch is in flight, at once if so. */
  whenIdle(task: () => void): void {
    if (!this.#inFlight) task();
    else this.#idleWaiters.push(task);
  }

  /** Answers when P has reached `index`. */
  waitFor(index: number, done: Done<void>): void {
    this.#waiters.push({ index, done });
    if (index <= this.#row.index) this.#options.scheduler.soon(() => this.#answerWaiters());
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#stopped = true;
    this.#sweeper.stop();
    if (this.#retry !== null) {
      this.#retry.cancel();
      this.#retry = null;
      this.#inFlight = false;
    }
    // They would go on with the state. Who comes now only waits for the end.
    this.#idleWaiters = [];
    // What is in flight may be an installed snapshot's row, and nothing queued.
    this.#queue = this.#inFlight ? this.#queue.slice(0, 1) : [];
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.done({ ok: false, reason: "closed", message: "the replica has stopped" });
  }

  #newestIndex(): number {
    const last = this.#queue[this.#queue.length - 1];
    return last === undefined ? this.#row.index : last.capture.index;
  }

  #write(queued: QueuedCapture): void {
    const { groupId, kvStore } = this.#options;
    const row = this.#rowOf(queued);
    const changes: KvChange[] = [];
    for (const { slot, subkey, value, rest, crc } of queued.capture.rows) {
      changes.push({ key: stateKey(generationAt(row.ranges, slot), slot, subkey), value, rest, crc });
    }
    changes.push({ key: checkpointKey(groupId), value: encodeCheckpointRow(row) });
    this.#inFlight = true;
    kvStore.write(changes, (result) => this.#written(queued, row, result));
  }

  /** Nothing is in it, and it is not swept. Numbers come round: that of the generation that counts is passed over. */
  #newGeneration(): number {
    let generation: number;
    do {
      this.#lastSequence++;
      generation = generationOf(this.#options.groupId, this.#lastSequence);
    } while (this.#row.ranges.some((range) => range.generation === generation));
    this.#sweeper.keep(generation);
    return generation;
  }

  #rowOf(queued: QueuedCapture): CheckpointRow {
    const { capture } = queued;
    let { ranges } = this.#row;
    if (capture.cleared) {
      // A sweep that is under way may meet its rows before the store has answered; and of a batch that failed nobody knows whether it counts.
      const generation = this.#newGeneration();
      ranges = ranges.map((range) => ({ from: range.from, to: range.to, generation }));
    }
    let confState = this.#row.confState;
    for (const configuration of this.#configurations) {
      if (configuration.index <= capture.index) confState = configuration.confState;
    }
    const { term, logTimeMs } = queued;
    const sequence = this.#lastSequence;
    return {
      index: capture.index,
      term,
      logTimeMs,
      confState,
      ranges,
      sequence,
      header: capture.header.bytes,
      isPut: false,
    };
  }

  #written(queued: QueuedCapture, row: CheckpointRow, result: Result<void>): void {
    this.#inFlight = false;
    if (!result.ok && result.reason === "space" && !this.#stopped) {
      this.#options.logger.error("checkpoint_no_space", { group: this.#options.groupId, message: result.message });
      this.#options.onNoSpace();
      // Nobody knows whether a batch that failed is in the store. Until the very same one has succeeded nothing may be loaded, and no other may follow.
      this.#inFlight = true;
      this.#retry = this.#options.scheduler.after(SPACE_RETRY_MS, () => {
        this.#retry = null;
        this.#write(queued);
      });
      return;
    }
    if (!result.ok) {
      if (!this.#stopped) this.#options.onFailed(`a checkpoint cannot be written: ${result.message}`);
      // Whoever waits to delete what there is of a replica that has stopped.
      else this.#becameIdle();
      return;
    }
    assert(this.#queue[0] === queued, "captures are written in order");
    this.#queue.shift();
    const moved = row.ranges !== this.#row.ranges;
    this.#row = row;
    if (moved) this.#sweeper.start(row.ranges, this.#incoming);
    while (this.#configurations.length > 1 && this.#configurations[1]!.index <= row.index) this.#configurations.shift();
    this.#becameIdle();
    this.#answerWaiters();
    this.#options.wake();
  }

  #waitForSweep(): void {
    if (this.#isWaitingForSweep) return;
    this.#isWaitingForSweep = true;
    this.#sweeper.whenSwept(() => {
      this.#isWaitingForSweep = false;
      this.#options.wake();
    });
  }

  #becameIdle(): void {
    const waiting = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const task of waiting) task();
  }

  #answerWaiters(): void {
    const reached = this.#waiters.filter((waiter) => waiter.index <= this.#row.index);
    if (reached.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.#row.index);
    for (const waiter of reached) waiter.done({ ok: true, value: undefined });
  }
}

function generationAt(ranges: readonly GenerationRange[], slot: number): number {
  for (const range of ranges) {
    if (slotOfRow(slot) >= range.from && slotOfRow(slot) <= range.to) return range.generation;
  }
  assert(false, `slot ${slot} is not in the shard's table`);
}
