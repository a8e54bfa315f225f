/**
 * Keys whose time is over and that nobody asks for: the leader removes them, a bounded number in a turn, and wakes for the next one. Time is log time;
 * a command that meets such a key first has it removed itself (engine/live-keyspace.ts), so being late here shows nowhere but in memory.
 */
import type { Request } from "@headrace/resp";
import { LeaderTask } from "./leader-task.ts";

/** In one turn; a key of many blocks counts as several. */
const WORK_PER_TURN = 256;
const BLOCK_WORK = 1 / 64;

export class DueKeys extends LeaderTask {
  override run(request: Request): boolean {
    const { keyspace } = this.state;
    let next = keyspace.nextToExpire();
    if (next === null) return false;
    const nowMs = this.nowMs();
    if (next.expiresAtMs >= nowMs) {
      this.wakeAt(next.expiresAtMs, nowMs);
      return false;
    }
    const effects = this.effects(request);
    let work = 0;
    while (next !== null && next.expiresAtMs < effects.logTimeMs) {
      if (work >= WORK_PER_TURN) return true;
      const blocks = next.stream === null ? next.value.storedParts : next.stream.blockCount;
      work += 1 + blocks * BLOCK_WORK;
      effects.expireKey(next.key);
      next = keyspace.nextToExpire();
    }
    if (next !== null) this.wakeAt(next.expiresAtMs, nowMs);
    this.serveBlocked();
    return false;
  }
}
