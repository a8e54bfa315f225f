/**
 * Delayed entries whose time has come (XADD DELAY, AT): the leader lets them appear, a bounded number in a turn, by when they were due, and wakes for the
 * next one. Time is log time, so that no entry appears before its time whoever leads, and a new leader goes on where the old one was. What was accepted
 * appears also where new writes are refused for want of memory or disk: it is in both already.
 */
import { releaseFirst } from "@headrace/commands";
import type { Request } from "@headrace/resp";
import { LeaderTask, type LeaderTaskOptions } from "./leader-task.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { ShardSettings } from "./shard-api.ts";

/** In one turn: an entry that appears is one, more if it is large; one that its trim removes is a part of one. */
const WORK_PER_TURN = 512;
const BYTE_WORK = 1 / 2048;
const TRIM_WORK = 1 / 16;
/** A stream that has no further id is looked at again after so long. */
const EXHAUSTED_MS = 60_000;

export interface DelayedReleasesOptions extends LeaderTaskOptions {
  readonly settings: Pick<ShardSettings, "nodeBounds">;
}

export class DelayedReleases extends LeaderTask<DelayedReleasesOptions> {
  /** Entries that have appeared, since the start. */
  released: number = 0;

  override run(request: Request): boolean {
    const { delays } = this.state;
    if (delays.firstDueMs === Number.POSITIVE_INFINITY) return false;
    const nowMs = this.nowMs();
    const releasedBefore = this.released;
    let work = WORK_PER_TURN;
    while (work > 0 && delays.firstDueMs <= nowMs) {
      // Its log time may be behind `nowMs` if it was opened before.
      const { effects, keyspace } = this.batch.open(request);
      if (delays.firstDueMs > effects.logTimeMs) break;
      work -= this.#release(effects, keyspace);
      this.batch.sealIfFull();
    }
    if (this.released > releasedBefore) this.serveBlocked();
    const { firstDueMs } = delays;
    if (firstDueMs <= nowMs) return true;
    this.wakeAt(firstDueMs - 1, nowMs);
    return false;
  }

  /** Answers how much work it was. */
  #release(effects: OpenBatch["context"]["effects"], keyspace: OpenBatch["context"]["keyspace"]): number {
    const { delays } = this.state;
    const found = delays.first;
    // A key whose time is over is gone with all that it has.
    if (keyspace.peek(found.key) === null) return 1;
    const bytes = found.stream.delayed!.first!.fields.length;
    this.state.setOrigin(null, 0);
    const moved = releaseFirst(found, effects, this.options.settings.nodeBounds, this.batch.roomBytes);
    if (moved === 0) {
      delays.postpone(found, effects.logTimeMs + EXHAUSTED_MS);
      return 1;
    }
    this.released++;
    return 1 + bytes * BYTE_WORK + (moved - 1) * TRIM_WORK;
  }
}
