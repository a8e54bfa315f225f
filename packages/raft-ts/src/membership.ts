/**
 * Who belongs to the group, and how that may change: one voter at a time, or through a joint configuration in which both the old and the
 * new majority have to agree (dissertation §4.3). Pure functions from one configuration to the next; progress is not their business.
 *
 * Invariants of every configuration: voters, learners and outgoing voters overlap only as follows: a replica may be in incoming and outgoing;
 * learnersNext are outgoing voters that turn learner when the joint phase ends; learnersNext and autoLeave are used in a joint phase only.
 * Source: etcd confchange/confchange.go.
 */
import { ConfChangeTransition, ConfChangeType } from "./conf-change-codec.ts";
import type { ConfChange, ConfChangeSingle } from "./conf-change-codec.ts";
import type { ConfState } from "./message.ts";

export interface Membership {
  /** Incoming voters: the majority that stays. */
  readonly voters: ReadonlySet<number>;
  /** Empty unless joint. */
  readonly votersOutgoing: ReadonlySet<number>;
  readonly learners: ReadonlySet<number>;
  readonly learnersNext: ReadonlySet<number>;
  readonly autoLeave: boolean;
}

interface Draft {
  readonly voters: Set<number>;
  readonly votersOutgoing: Set<number>;
  readonly learners: Set<number>;
  readonly learnersNext: Set<number>;
  autoLeave: boolean;
}

/** The next configuration, or why there is none. */
export type Changed = { readonly membership: Membership } | { readonly error: string };

export function isJoint(membership: Membership): boolean {
  return membership.votersOutgoing.size > 0;
}

export function membershipOf(state: ConfState): Membership {
  return {
    voters: new Set(state.voters),
    votersOutgoing: new Set(state.votersOutgoing),
    learners: new Set(state.learners),
    learnersNext: new Set(state.learnersNext),
    autoLeave: state.autoLeave,
  };
}

/** Lists are ascending, so that equal configurations look equal. */
export function confStateOf(membership: Membership): ConfState {
  return {
    voters: ascending(membership.voters),
    votersOutgoing: ascending(membership.votersOutgoing),
    learners: ascending(membership.learners),
    learnersNext: ascending(membership.learnersNext),
    autoLeave: membership.autoLeave,
  };
}

/** Everyone who takes part in any way, ascending. */
export function replicasOf(membership: Membership): number[] {
  return ascending(new Set([...membership.voters, ...membership.votersOutgoing, ...membership.learners]));
}

export function leavesJoint(change: ConfChange): boolean {
  return change.changes.length === 0 && change.transition === ConfChangeTransition.auto;
}

/** Applies any change to `current`, which stays as it is. */
export function changeMembership(current: Membership, change: ConfChange): Changed {
  if (leavesJoint(change)) return leaveJoint(current);
  if (change.transition !== ConfChangeTransition.auto || change.changes.length > 1) {
    return enterJoint(current, change.transition !== ConfChangeTransition.jointExplicit, change.changes);
  }
  return changeSimply(current, change.changes);
}

function enterJoint(current: Membership, autoLeave: boolean, changes: readonly ConfChangeSingle[]): Changed {
  if (isJoint(current)) return { error: "config is already joint" };
  if (current.voters.size === 0) return { error: "can't make a zero-voter config joint" };
  const draft = draftOf(current);
  for (const id of current.voters) draft.votersOutgoing.add(id);
  for (const change of changes) applySingle(draft, change);
  if (draft.voters.size === 0) return { error: "removed all voters" };
  draft.autoLeave = autoLeave;
  return { membership: draft };
}

function leaveJoint(current: Membership): Changed {
  if (!isJoint(current)) return { error: "can't leave a non-joint config" };
  const draft = draftOf(current);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.votersOutgoing.clear();
  draft.autoLeave = false;
  return { membership: draft };
}

/** Without a joint phase: any number of learners, one voter at most. */
export function changeSimply(current: Membership, changes: readonly ConfChangeSingle[]): Changed {
  if (isJoint(current)) return { error: "can't apply simple config change in joint config" };
  const draft = draftOf(current);
  for (const change of changes) applySingle(draft, change);
  if (draft.voters.size === 0) return { error: "removed all voters" };
  if (symmetricDifference(current.voters, draft.voters) > 1) {
    return { error: "more than one voter changed without entering joint config" };
  }
  return { membership: draft };
}

function applySingle(draft: Draft, change: ConfChangeSingle): void {
  // A change of replica 0 is one that somebody withdrew.
  if (change.replica === 0) return;
  switch (change.type) {
    case ConfChangeType.addNode:
      makeVoter(draft, change.replica);
      return;
    case ConfChangeType.addLearnerNode:
      makeLearner(draft, change.replica);
      return;
    case ConfChangeType.removeNode:
      remove(draft, change.replica);
      return;
    case ConfChangeType.updateNode:
      return;
  }
}

function makeVoter(draft: Draft, id: number): void {
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  draft.voters.add(id);
}

function makeLearner(draft: Draft, id: number): void {
  if (draft.learners.has(id)) return;
  remove(draft, id);
  // An outgoing voter still votes until the joint phase ends: it cannot be a learner at the same time.
  if (draft.votersOutgoing.has(id)) draft.learnersNext.add(id);
  else draft.learners.add(id);
}

function remove(draft: Draft, id: number): void {
  draft.voters.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
}

function draftOf(current: Membership): Draft {
  return {
    voters: new Set(current.voters),
    votersOutgoing: new Set(current.votersOutgoing),
    learners: new Set(current.learners),
    learnersNext: new Set(current.learnersNext),
    autoLeave: current.autoLeave,
  };
}

function symmetricDifference(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}

function ascending(ids: ReadonlySet<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}
