/**
 * Retention (XCFGSET RETENTION-…, CONFIG SET stream-retention-…): the leader trims what is outside of a stream's bounds, a bounded number of blocks in a
 * turn, as logged trims like those of XTRIM. Which streams to look at, and what they lose, the engine knows (engine/retention-queue.ts); with nothing
 * to look at a turn pays two comparisons, however many streams there are.
 */
import type { Request } from "@headrace/resp";
import { LeaderTask, type LeaderTaskOptions } from "./leader-task.ts";
import type { ShardSettings } from "./shard-api.ts";

/** In one turn: a look at a stream, or a block that goes, is one. */
const WORK_PER_TURN = 512;
/** Where unacknowledged entries stay, each group is asked. */
const GROUP_WORK = 1 / 16;

export interface RetentionTrimsOptions extends LeaderTaskOptions {
  readonly settings: Pick<ShardSettings, "retention">;
}

export class RetentionTrims extends LeaderTask<RetentionTrimsOptions> {
  /** Entries that were trimmed, since the start. */
  trimmed: number = 0;

  /** The term is over. */
  rest(): void {
    this.state.retention.rest();
    this.stop();
  }

  override run(request: Request): boolean {
    const { retention } = this.state;
    retention.lead(this.options.settings.retention);
    if (retention.isIdle(Number.NEGATIVE_INFINITY) && retention.firstDueMs === Number.POSITIVE_INFINITY) return false;
    const nowMs = this.nowMs();
    let work = WORK_PER_TURN;
    let isTrimmed = false;
    while (work > 0) {
      const look = retention.look(nowMs, Math.ceil(work));
      if (look === null) break;
      work -= 1 + look.blocks + look.key.stream.groupCount * GROUP_WORK;
      if (look.blocks === 0) continue;
      this.effects(request).trim(look.key.key, look.cut);
      this.trimmed += look.cut.count;
      isTrimmed = true;
      this.batch.sealIfFull();
    }
    if (isTrimmed) this.serveBlocked();
    if (!retention.isIdle(nowMs)) return true;
    this.wakeAt(retention.firstDueMs, nowMs);
    return false;
  }
}
