/**
 * WAIT and WAITAOF on one shard (I15). Counts come from this term's leader alone: another replica counts when its match index, which is what it
 * has durable, has reached the write; so WAIT, which asks for less, never says too much. A write that the log does not know, or no longer, is
 * answered "uncertain", never by a count; one behind a checkpoint is still known.
 */
import type { Scheduler, Timer } from "@headrace/ports";
import type { RaftNodeApi } from "@headrace/raft-ts";
import { Role } from "@headrace/raft-ts";
import type { RaftLog } from "./raft-log.ts";
import type { WaitQuery } from "./shard-api.ts";

class Waiter {
  readonly query: WaitQuery;
  timer: Timer | null;
  isOver: boolean;

  constructor(query: WaitQuery) {
    this.query = query;
    this.timer = null;
    this.isOver = false;
  }
}

export class ReplicaWaits {
  readonly #scheduler: Scheduler;
  readonly #raft: RaftNodeApi;
  readonly #raftLog: Pick<RaftLog, "hasOrHad">;
  readonly #wake: () => void;
  readonly #waiters: Map<WaitQuery, Waiter>;

  constructor(scheduler: Scheduler, raft: RaftNodeApi, raftLog: Pick<RaftLog, "hasOrHad">, wake: () => void) {
    this.#scheduler = scheduler;
    this.#raft = raft;
    this.#raftLog = raftLog;
    this.#wake = wake;
    this.#waiters = new Map();
  }

  get count(): number {
    return this.#waiters.size;
  }

  /** Judged at the end of the next turn. */
  add(query: WaitQuery): void {
    const waiter = new Waiter(query);
    this.#waiters.set(query, waiter);
    if (query.timeoutMs > 0) {
      waiter.timer = this.#scheduler.after(query.timeoutMs, () => {
        waiter.isOver = true;
        this.#wake();
      });
    }
    this.#wake();
  }

  cancel(query: WaitQuery): void {
    this.#waiters.get(query)?.timer?.cancel();
    this.#waiters.delete(query);
  }

  /** The highest index whose local durability somebody waits for; 0 = none. */
  localIndexWanted(): number {
    let wanted = 0;
    for (const query of this.#waiters.keys()) {
      if (query.kind === "waitaof" && query.index > wanted) wanted = query.index;
    }
    return wanted;
  }

  /** Answers what can be answered: reached, out of time, or not to be answered by this replica. */
  judge(durableIndex: number): void {
    for (const waiter of this.#waiters.values()) this.#judgeOne(waiter, durableIndex);
  }

  /** The replica has failed: it can tell nothing any more. */
  abandon(): void {
    for (const waiter of this.#waiters.values()) this.#answer(waiter, "notLeader", 0, false);
  }

  #judgeOne(waiter: Waiter, durableIndex: number): void {
    const query = waiter.query;
    const raft = this.#raft;
    if (raft.role !== Role.leader) {
      this.#answer(waiter, "notLeader", 0, false);
      return;
    }
    if (query.term > 0 && !this.#raftLog.hasOrHad(query.term, query.index)) {
      this.#answer(waiter, "uncertain", 0, false);
      return;
    }
    const replicas = this.#count(query);
    const localFsynced = durableIndex >= query.index;
    const reached = replicas >= query.replicasWanted && (query.kind === "wait" || localFsynced);
    if (reached || waiter.isOver) this.#answer(waiter, "counted", replicas, localFsynced);
  }

  #count(query: WaitQuery): number {
    let replicas = 0;
    if (query.term === 0) {
      for (const progress of this.#raft.status().progress) {
        if (progress.id !== this.#raft.id && progress.recentActive) replicas++;
      }
      return replicas;
    }
    this.#raft.visitProgress((_replica, match) => {
      if (match >= query.index) replicas++;
    });
    return replicas;
  }

  #answer(waiter: Waiter, outcome: "counted" | "uncertain" | "notLeader", replicas: number, local: boolean): void {
    waiter.timer?.cancel();
    this.#waiters.delete(waiter.query);
    waiter.query.answer(outcome, replicas, local);
  }
}
