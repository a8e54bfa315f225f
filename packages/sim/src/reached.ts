/**
 * What a big run must have reached: a simulator that never came to a state has proven nothing about it. One row for each state, kind of reply and fault;
 * with a feature comes its row. Names are those that the run counts.
 */
import { faultTable } from "./fault-table.ts";
import type { SimulationResult } from "./simulation.ts";

/** How many runs make a run big: below it rare states may be missing. */
export const BIG_RUNS = 300;

const states: readonly string[] = [
  "leader elected again",
  "a deposed leader that does not know it",
  "dirty follower",
  "leader holds replies of uncommitted state",
  "log rollback_started",
  "log rollback_finished",
  "opened at a checkpoint",
  "log snapshot_sent",
  "log snapshot_installed",
  "log snapshot_resumed",
  "log snapshot_dropped",
  "snapshot frame altered",
  "log snapshot_chunk_damaged",
  "members step add learner N",
  "members step promote N, demote N",
  "members step leave the joint configuration",
  "members step remove N",
  "log replica_opened",
  "log replica_removed",
  "torn tail",
  "leadership handed over",
  "hand-over given up",
  "node killed",
  "power cut",
  "node stopped in good order",
  "gateway restarted",
  "frame lost",
  "frame doubled",
  "frame cut",
  "crash before write",
  "crash after write",
  "crash before store-write",
  "crash after store-write",
  "EIO at write",
  "EIO at store-write",
  "EIO at record",
  "EIO at read",
  "ENOSPC at create",
  "ENOSPC at store-write",
  "ENOSPC at record",
  "log disk_space_low",
  "log disk_space_back",
  "bit of the log flipped",
  "bit of the store flipped",
  "damage noticed",
  "log scrub_round_finished",
  "damage found by scrubbing",
  "node gave up its disk",
  "early ack lost",
  "read before the writer knew",
  "WAIT vouched for early acks",
  "messages that had to arrive",
  "events of keys heard",
  "counted",
  "drawn from a set",
  "moved to another set",
  "looked at a set",
  "looked at a hash",
  "fields of a hash seen",
  "counted in a field of a hash",
  "taken from a list",
  "taken from a list by a call that may wait",
  "moved from list to list",
  "looked at a list",
  "taken from a sorted set",
  "taken from a sorted set by a call that may wait",
  "counted in a sorted set",
  "a board cut back to its best",
  "looked at a sorted set",
  "answers of lists and sorted sets that a model knew",
  "perhaps counted",
  "looked at what grows in transactions",
  "compared by WATCH and set",
  "compared by WATCH and not set",
  "message sent again and answered with its entry",
  "entry delivered again by its group",
  "delayed entry appeared",
  "delayed entry cancelled",
  "consumers that went because they were idle",
  "entry that became a dead letter",
  "items taken from another shard's outbox",
  "items that left an outbox",
  "a group seen at its limit of lag",
  "writes were held",
  "entries trimmed by retention",
  "retention kept what is not acknowledged",
  "a command waited for cold blocks",
  "a cold block was read at once",
  "bytes gave way to the memory budget",
  "bytes evicted by a fault",
  "a packed stream was asked for",
  "log memory_full",
  "log memory_has_room",
];

const replies: readonly string[] = [
  "XADD answered",
  "XADD nil",
  "XADD no reply",
  "XADD -ERR",
  "XADD -UNCERTAIN",
  "XADD -CLUSTERDOWN",
  "XADD -MISCONF",
  "XADD -OOM",
  "XADD -BACKPRESSURE",
  "XRANGE answered",
  "XRANGE -CLUSTERDOWN",
  "XREVRANGE answered",
  "XLEN answered",
  "XREAD answered",
  "XREAD nil",
  "XREADGROUP answered",
  "XREADGROUP nil",
  "XREADGROUP -UNCERTAIN",
  "XREAD of several streams answered",
  "XREAD of several streams nil",
  "XREADGROUP of several streams answered",
  "XREADGROUP of several streams nil",
  "XREADGROUP of several streams -UNCERTAIN",
  "XACK answered",
  "XACK -UNCERTAIN",
  "XCLAIM answered",
  "XAUTOCLAIM answered",
  "XNACK answered",
  "XACKDEL answered",
  "XDELEX answered",
  "XPENDING answered",
  "XDELAYED answered",
  "XDELAYED -UNCERTAIN",
  "XDEL answered",
  "XTRIM answered",
  "DEL answered",
  "UNLINK answered",
  "EXISTS answered",
  "WAIT answered",
  "WAIT -UNCERTAIN",
  "WAITAOF answered",
  "WAITAOF -UNCERTAIN",
  "BLPOP answered",
  "BLPOP nil",
  "BLPOP -UNCERTAIN",
  "BLMPOP answered",
  "BLMPOP nil",
  "BLMOVE answered",
  "BLMOVE nil",
  "BRPOP answered",
  "BRPOPLPUSH answered",
  "LMPOP answered",
  "LPOP nil",
  "LREM answered",
  "BZPOPMIN answered",
  "BZPOPMIN nil",
  "BZPOPMAX answered",
  "BZMPOP answered",
  "BZMPOP nil",
  "BZMPOP -UNCERTAIN",
  "ZMPOP answered",
  "ZRANGESTORE answered",
  "ECHO answered",
  "MULTI answered",
  "WATCH answered",
  "UNWATCH answered",
  "EXEC answered",
  "EXEC nil",
  "EXEC -UNCERTAIN",
  "EXEC -CLUSTERDOWN",
];

export const mustBeReached: readonly string[] = [
  ...states,
  ...replies,
  ...faultTable.map(({ kind }) => `fault ${kind}`),
];

/** Sums of what runs counted. */
export class Reached {
  readonly times: Map<string, number> = new Map();
  runs = 0;
  steps = 0;
  simulatedMs = 0;
  statesCompared = 0;
  entriesCompared = 0;

  add(result: SimulationResult): void {
    this.runs++;
    this.steps += result.steps;
    this.simulatedMs += result.simulatedMs;
    this.statesCompared += result.statesCompared;
    this.entriesCompared += result.entriesCompared;
    for (const [name, times] of [...result.counts, ...result.replies])
      this.times.set(name, (this.times.get(name) ?? 0) + times);
  }

  missing(): readonly string[] {
    return mustBeReached.filter((name) => (this.times.get(name) ?? 0) === 0);
  }

  /** All counts by name, those that must not be zero first. */
  rows(): readonly (readonly [name: string, times: number])[] {
    const others = [...this.times.keys()].filter((name) => !mustBeReached.includes(name)).toSorted();
    return [...mustBeReached, ...others].map((name) => [name, this.times.get(name) ?? 0]);
  }
}
