import type { ConfState, HardState, Message, SnapshotMeta } from "./message.ts";

export const Role = {
  follower: 0,
  preCandidate: 1,
  candidate: 2,
  leader: 3,
} as const;
export type Role = (typeof Role)[keyof typeof Role];

/** Why a proposal was refused. Nothing happened. */
export type DropReason = "notLeader" | "transferring" | "uncommittedLimit" | "removed";

export type Proposed =
  | { readonly ok: true; readonly term: number; readonly index: number }
  | { readonly ok: false; readonly reason: DropReason };

/** What the leader believes of one replica, for WAIT, status and metrics. */
export interface ProgressView {
  readonly id: number;
  /** Highest index known to be durable there. */
  readonly match: number;
  readonly next: number;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly isLearner: boolean;
  readonly recentActive: boolean;
}

export interface RaftStatus {
  readonly id: number;
  readonly role: Role;
  readonly term: number;
  readonly vote: number;
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly transferee: number;
  readonly confState: ConfState;
  readonly progress: readonly ProgressView[];
}

/**
 * The pure state machine: a message or a tick goes in, messages come out of `takeMessages`. No clock, promise, I/O or chance inside.
 *
 * The owner's duties, in this order: (1) call `takeMessages` after any input; (2) messages to other replicas may leave at once; (3) the
 * entries and hard state of a StorageAppend are made durable, then its `responses` are stepped (those to self) or sent (those to others);
 * StorageAppends are done in order; (4) the entries of a StorageApply are applied in order, then its responses stepped.
 */
export interface RaftNodeApi {
  /** Plain numbers for the hot path; all others through `status()`. */
  readonly id: number;
  readonly role: Role;
  readonly term: number;
  readonly leader: number;
  readonly commit: number;
  readonly lastIndex: number;
  /** True once an entry of the own term is committed: from then on it may execute and read (I1). */
  readonly hasCommittedInTerm: boolean;
  /** The highest read number that a quorum has confirmed in this term (I7); starts at 0 with each term of leadership. */
  readonly confirmedRead: number;
  /** Replica the leadership is being handed to, 0 if none. */
  readonly transferee: number;
  /**
   * Every replica of the group is known to hold the log up to here durably, learners too: nobody needs it sent any more. A leader knows, a follower
   * heard it from its leader; 0: not known in this term.
   */
  readonly heldByAll: number;
  /** Follows a leader of which nothing was heard for `electionTicks`: it would grant a vote by now. */
  readonly isLeaderOverdue: boolean;

  tick(): void;
  /** Campaigns now, as if the election timeout had passed (pre-vote included). */
  campaign(): void;
  /** Takes a message from a peer or a response from the local threads. Unknown senders and stale terms are handled as in etcd. */
  step(message: Message): void;
  /** No side effect. Whether `propose` of that many bytes would be accepted now. */
  canPropose(bytes: number): DropReason | null;
  /** Appends one entry to the leader's log. The index is lastIndex+1 as seen before the call. */
  propose(data: Uint8Array): Proposed;
  proposeConfChange(data: Uint8Array, isV2: boolean): Proposed;
  /** Numbers a read (leader with an entry committed in its term; asserted). Released when `confirmedRead` ≥ the answer. */
  requestRead(): number;
  transferLeadership(toReplica: number): void;
  forgetLeader(): void;
  reportUnreachable(replica: number): void;
  reportSnapshot(replica: number, succeeded: boolean): void;
  /**
   * Applies a configuration change at apply time; returns the new configuration. While a snapshot waits to be installed that is already the
   * snapshot's: take no checkpoint between a StorageAppend with a snapshot and the end of its installation, and apply nothing at or below
   * the snapshot's index afterwards.
   */
  applyConfChange(data: Uint8Array, isV2: boolean): ConfState;
  /** Messages since the last call, in order. Ownership passes to the caller. */
  takeMessages(): Message[];
  hasMessages(): boolean;
  /** Match indexes: what WAIT counts. Calls `visit` for every replica but this one. */
  visitProgress(visit: (replica: number, match: number, isLearner: boolean) => void): void;
  hardState(): HardState;
  status(): RaftStatus;
  /** True when term t at index i is still in this log: a former leader's write survived. */
  hasEntry(term: number, index: number): boolean;
}

export type { SnapshotMeta };
