/**
 * Handing leadership over without losing an executed write (I18): nothing new is executed, then everything executed is committed, answered and in
 * the target's log, and only then the target is told to campaign. Given up after a bounded time; then this replica goes on.
 */
import type { ProgressView, RaftNodeApi } from "@headrace/raft-ts";
import { Role } from "@headrace/raft-ts";

/** At most one of a replica at a time. */
export class HandOvers {
  readonly #raft: RaftNodeApi;
  #current: HandOver | null;

  constructor(raft: RaftNodeApi) {
    this.#raft = raft;
    this.#current = null;
  }

  get isRunning(): boolean {
    return this.#current !== null;
  }

  /** To the replica, null: to the one in contact that is furthest. False: it is not begun, and `done` not called. */
  begin(toReplica: number | null, deadlineMs: number, done: (moved: boolean) => void): boolean {
    const target = toReplica ?? bestSuccessor(this.#raft.status().progress, this.#raft.id);
    if (target === 0 || target === this.#raft.id || this.#current !== null) return false;
    this.#current = new HandOver(this.#raft, target, deadlineMs, done);
    return true;
  }

  /** Once a turn. True: one is over. */
  proceed(nowMs: number, heldReplies: number): boolean {
    if (this.#current === null || !this.#current.proceed(nowMs, heldReplies)) return false;
    this.#current = null;
    return true;
  }

  /** The replica stops or fails. */
  abandon(): void {
    this.#current?.abandon();
    this.#current = null;
  }
}

class HandOver {
  readonly target: number;
  readonly #raft: RaftNodeApi;
  readonly #deadlineMs: number;
  readonly #done: (moved: boolean) => void;
  #asked: boolean;

  /** `deadlineMs` by the monotonic clock. */
  constructor(raft: RaftNodeApi, target: number, deadlineMs: number, done: (moved: boolean) => void) {
    this.target = target;
    this.#raft = raft;
    this.#deadlineMs = deadlineMs;
    this.#done = done;
    this.#asked = false;
  }

  /** Once a turn. True: it is over, one way or the other, and was answered. */
  proceed(nowMs: number, heldReplies: number): boolean {
    const raft = this.#raft;
    if (raft.role !== Role.leader) return this.#finish(true);
    if (nowMs >= this.#deadlineMs) return this.#finish(false);
    if (this.#asked) return raft.transferee === 0 ? this.#finish(false) : false;
    if (heldReplies > 0 || raft.commit < raft.lastIndex || this.#targetMatch() < raft.lastIndex) return false;
    raft.transferLeadership(this.target);
    this.#asked = true;
    return false;
  }

  abandon(): void {
    this.#finish(false);
  }

  #targetMatch(): number {
    let found = 0;
    this.#raft.visitProgress((replica, match) => {
      if (replica === this.target) found = match;
    });
    return found;
  }

  #finish(moved: boolean): true {
    this.#done(moved);
    return true;
  }
}

/** The voter in contact that is furthest, 0 if there is none. */
function bestSuccessor(progress: readonly ProgressView[], self: number): number {
  let best = 0;
  let bestMatch = -1;
  for (const view of progress) {
    if (view.id === self || view.isLearner || !view.recentActive || view.match <= bestMatch) continue;
    best = view.id;
    bestMatch = view.match;
  }
  return best;
}

/** On a leader: whether its group would go on without this replica, with nothing lost: the other voters in contact are a majority, and one has all that is committed. */
export function canGoOnWithout({ id, commit, confState, progress }: ReturnType<RaftNodeApi["status"]>): boolean {
  const inContact = progress.filter((view) => view.id !== id && view.recentActive);
  const isMajority = (voters: readonly number[]): boolean =>
    voters.length === 0 || inContact.filter((view) => voters.includes(view.id)).length * 2 > voters.length;
  const hasAll = inContact.some((view) => confState.voters.includes(view.id) && view.match >= commit);
  return hasAll && isMajority(confState.voters) && isMajority(confState.votersOutgoing);
}
