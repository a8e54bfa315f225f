/**
 * Moves leadership back to where the plan wants it, so that the nodes share the work: a group that this node leads goes to its preferred
 * replica once that replica's node has been in contact for a while and the replica has everything. One transfer at a time, and never while
 * the preferred replica is behind: a transfer has to be too short to notice.
 *
 * Must not know: Raft's messages, how a transfer works.
 */
import type { Clock } from "@headrace/ports";

/** One group that this node leads, as the balancer sees it. */
export interface LedGroup {
  readonly groupId: number;
  readonly toReplicaId: number;
  /** The node of the replica that should lead it. */
  readonly toNodeId: number;
  /** Log entries that that replica does not have yet. */
  readonly behind: number;
}

export interface LeaderBalanceHost {
  /** Groups led by this node, ready, that another one should lead; a group may be named with several of those. */
  misplaced(): readonly LedGroup[];
  /** When contact with the node was made, null when there is none. */
  upSinceMs(nodeId: number): number | null;
  handOver(groupId: number, replicaId: number, done: (moved: boolean) => void): void;
}

/** A running write load keeps a follower a few entries behind: the transfer itself waits for those. */
const BEHIND_MAX = 64;
/** After a transfer that did not succeed the group is left alone for this long. */
const RETRY_AFTER_MS = 30_000;

export class LeaderBalance {
  readonly #clock: Clock;
  readonly #stableMs: number;
  readonly #host: LeaderBalanceHost;
  readonly #notBeforeMs: Map<number, number>;
  #moving: boolean;

  constructor(clock: Clock, stableMs: number, host: LeaderBalanceHost) {
    this.#clock = clock;
    this.#stableMs = stableMs;
    this.#host = host;
    this.#notBeforeMs = new Map();
    this.#moving = false;
  }

  /** To be called now and then; does at most one thing. */
  check(): void {
    if (this.#moving) return;
    const nowMs = this.#clock.monotonicMs();
    for (const group of this.#host.misplaced()) {
      const upSinceMs = this.#host.upSinceMs(group.toNodeId);
      if (upSinceMs === null || nowMs - upSinceMs < this.#stableMs || group.behind > BEHIND_MAX) continue;
      if (nowMs < (this.#notBeforeMs.get(group.groupId) ?? 0)) continue;
      this.#moving = true;
      this.#host.handOver(group.groupId, group.toReplicaId, (moved) => {
        this.#moving = false;
        if (!moved) this.#notBeforeMs.set(group.groupId, this.#clock.monotonicMs() + RETRY_AFTER_MS);
      });
      return;
    }
  }
}
