/**
 * Reads all that this node's replicas have in the store, little by little, so that damage is found while other replicas can still make up for it: nobody
 * may ask for a row for years.
 *
 *   round (not more often than once a day) ─► one shard after the other ─► steps (scrub-step.ts), each paid for before the next
 *
 * It gives way: no step begins while commands wait for the disk, or the shard's state is being loaded anew. A shard of which something is damaged is left
 * alone until the next round; what becomes of its replica is the host's decision.
 */
import type { Clock, KvStore, Logger, Scheduler, Timer } from "@headrace/ports";
import type { CheckpointRow } from "./checkpoint-row.ts";
import { SCRUB_START, type ScrubOutcome, type ScrubPlace, ScrubStep } from "./scrub-step.ts";

/** Of the time between rounds: so long after the start the first one begins. */
const FIRST_ROUND_SHARE = 1 / 100;
/** Whoever waits for the disk now has it for so long at least. */
const GIVE_WAY_MS = 100;

export interface ScrubbedShard {
  /** What the store holds of it now; null: it is being loaded anew, and wants the disk for that. */
  readonly stored: CheckpointRow | null;
}

export interface ScrubberHost {
  /** Those that take part. */
  shardIds(): readonly number[];
  /** Null: it takes part no more. */
  shard(groupId: number): ScrubbedShard | null;
  /** Others wait for the disk. */
  isBusy(): boolean;
  onDamaged(groupId: number, message: string): void;
}

export interface ScrubberWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly kvStore: KvStore;
  readonly logger: Logger;
}

export interface ScrubberConfig {
  /** 0: never. */
  readonly scrubBytesPerSecond: number;
  /** A step ends when it has read so much. */
  readonly scrubStepBytes: number;
  /** From the beginning of a round to the beginning of the next one, at least. */
  readonly scrubEveryMs: number;
}

export class Scrubber {
  readonly #world: ScrubberWorld;
  readonly #config: ScrubberConfig;
  readonly #host: ScrubberHost;
  /** Since the start. */
  readonly #counts = { rows: 0, bytes: 0, rounds: 0, damaged: 0, unread: 0 };
  #roundBeganMs = 0;
  /** What is left of the round, the one that is being read first. */
  #groupIds: number[] = [];
  #place: ScrubPlace = SCRUB_START;
  #step: ScrubStep | null = null;
  #timer: Timer | null = null;

  constructor(world: ScrubberWorld, config: ScrubberConfig, host: ScrubberHost) {
    this.#world = world;
    this.#config = config;
    this.#host = host;
  }

  start(): void {
    const { scrubBytesPerSecond, scrubEveryMs } = this.#config;
    if (scrubBytesPerSecond > 0) this.#after(scrubEveryMs * FIRST_ROUND_SHARE, () => this.#beginRound());
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#step?.stop();
  }

  status(): Readonly<Record<string, number>> {
    return { ...this.#counts };
  }

  #after(delayMs: number, task: () => void): void {
    this.#timer = this.#world.scheduler.after(delayMs, task);
  }

  #beginRound(): void {
    this.#roundBeganMs = this.#world.clock.monotonicMs();
    this.#groupIds = [...this.#host.shardIds()];
    this.#place = SCRUB_START;
    this.#next();
  }

  #endRound(): void {
    this.#counts.rounds++;
    this.#world.logger.info("scrub_round_finished", this.#counts);
    const tookMs = this.#world.clock.monotonicMs() - this.#roundBeganMs;
    this.#after(Math.max(GIVE_WAY_MS, this.#config.scrubEveryMs - tookMs), () => this.#beginRound());
  }

  #next(): void {
    const [groupId] = this.#groupIds;
    if (groupId === undefined) return this.#endRound();
    const shard = this.#host.shard(groupId);
    if (shard === null) {
      this.#leaveShard();
      return this.#after(0, () => this.#next());
    }
    const row = this.#host.isBusy() ? null : shard.stored;
    if (row === null) return this.#after(GIVE_WAY_MS, () => this.#next());
    const source = { kvStore: this.#world.kvStore, groupId, row, stepBytes: this.#config.scrubStepBytes };
    this.#step = new ScrubStep(source, this.#place, (outcome) => this.#ended(groupId, outcome));
  }

  #ended(groupId: number, { next, failure, rows, bytes }: ScrubOutcome): void {
    this.#step = null;
    this.#counts.rows += rows;
    this.#counts.bytes += bytes;
    if (next === null) this.#leaveShard();
    else this.#place = next;
    // Before anybody is told: whoever hears of it may stop this.
    this.#after((bytes * 1000) / this.#config.scrubBytesPerSecond, () => this.#next());
    if (failure === null) return;
    if (failure.reason === "corrupt") {
      this.#counts.damaged++;
      this.#host.onDamaged(groupId, `found by scrubbing: ${failure.message}`);
    } else {
      this.#counts.unread++;
      this.#world.logger.warn("scrub_cannot_read", { group: groupId, message: failure.message });
    }
  }

  #leaveShard(): void {
    this.#groupIds.shift();
    this.#place = SCRUB_START;
  }
}
