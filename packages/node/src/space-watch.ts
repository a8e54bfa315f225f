/**
 * Whether the node's disk is below its free-space reserve (design §6): then writes that grow data are refused before they execute, and leadership
 * may move. Looks at the file system now and then; a write that met a full disk (a quota does not show before) counts for a while, too.
 * A gap lies between refusing and accepting again, so that the two do not alternate.
 *
 * Must not know: who refuses what.
 */
import type { Clock, Logger, Scheduler, SpaceProbe, Timer } from "@headrace/ports";

const LOOK_EVERY_MS = 500;
/** After a write that found no space. Whoever was refused tries again within this time and says so again. */
const FULL_HOLD_MS = 3000;
/** Accepting again needs this share of the reserve on top. */
const GAP_SHARE = 8;

export interface SpaceWatchWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly spaceProbe: SpaceProbe;
  readonly logger: Logger;
}

export class SpaceWatch {
  readonly #world: SpaceWatchWorld;
  readonly #reserveBytes: number;
  readonly #onChange: (isLow: boolean) => void;
  #isLow: boolean;
  #freeBytes: number;
  #fullUntilMs: number;
  #timer: Timer | null;
  #stopped: boolean;

  constructor(world: SpaceWatchWorld, reserveBytes: number, onChange: (isLow: boolean) => void) {
    this.#world = world;
    this.#reserveBytes = reserveBytes;
    this.#onChange = onChange;
    this.#isLow = false;
    this.#freeBytes = -1;
    this.#fullUntilMs = Number.NEGATIVE_INFINITY;
    this.#timer = null;
    this.#stopped = false;
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  /** −1: not known. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  get reserveBytes(): number {
    return this.#reserveBytes;
  }

  start(): void {
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** A write of this node was refused for lack of space. */
  noteFull(): void {
    this.#fullUntilMs = this.#world.clock.monotonicMs() + FULL_HOLD_MS;
    this.#judge();
  }

  #look(): void {
    this.#world.spaceProbe.freeBytes((found) => {
      if (this.#stopped) return;
      if (found.ok) this.#freeBytes = found.value;
      else this.#world.logger.warn("free_space_unknown", { message: found.message });
      this.#judge();
      this.#timer = this.#world.scheduler.after(LOOK_EVERY_MS, () => this.#look());
    });
  }

  #judge(): void {
    const wanted = this.#reserveBytes + (this.#isLow ? Math.floor(this.#reserveBytes / GAP_SHARE) : 0);
    const isBelow = this.#freeBytes >= 0 && this.#freeBytes < wanted;
    const isLow = isBelow || this.#world.clock.monotonicMs() < this.#fullUntilMs;
    if (isLow === this.#isLow || this.#stopped) return;
    this.#isLow = isLow;
    const fields = { freeBytes: this.#freeBytes, reserveBytes: this.#reserveBytes };
    if (isLow) this.#world.logger.error("disk_space_low", fields);
    else this.#world.logger.info("disk_space_back", fields);
    this.#onChange(isLow);
  }
}
