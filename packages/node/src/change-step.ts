/**
 * The next step of a change of a group's members, as the group's leader sees it: a pure function of what the metadata says (which may be old) and
 * of the configuration and progress in its own log (which are not). Every step may be lost, repeated, or taken by another leader.
 *
 *   adding      add the newcomers as learners, one by one, or the mark ─► all caught up: ask the metadata to advance
 *   swapping    one entry: newcomers become voters, those that leave become learners (joint when that is more than one change)
 *               ─► leave the joint configuration ─► remove the learners that leave ─► finish
 *   cancelling  take the newcomers, or the mark, out again ─► finish, as undone; or as done if they vote already
 *
 * Those that leave are removed in an entry of its own: when it is committed, a majority of the voters that stay has it durably in writing that the
 * joint phase is over, and nobody needs the votes of the old ones any more. Only then may they be deleted.
 *
 * The new voters must be able to decide before they are made voters: a majority of them in contact and without much to catch up.
 */
import { ConfChangeTransition, ConfChangeType, encodeConfChangeV2 } from "@headrace/raft-ts";
import type { ConfChangeSingle, ConfState, ProgressView, RaftStatus } from "@headrace/raft-ts";
import type { GroupChange } from "@headrace/meta";

export interface PlacedGroup {
  readonly change: GroupChange | null;
  /** A replica that the metadata has seen and does not name any more. */
  hasEnded(replicaId: number): boolean;
}

export type ChangeStep =
  | { readonly kind: "none" }
  /** A configuration change (v2) to propose. */
  | { readonly kind: "propose"; readonly data: Uint8Array; readonly what: string }
  | { readonly kind: "handOver"; readonly to: number }
  | { readonly kind: "advance"; readonly changeId: number }
  | { readonly kind: "finish"; readonly changeId: number; readonly isDone: boolean };

/** A running write load keeps everybody a few entries behind. */
const BEHIND_MAX = 256;
const NONE: ChangeStep = { kind: "none" };
const LEAVE_JOINT = new Uint8Array(0);

/** `raft`: of a leader that has committed in its term. */
export function nextChangeStep(placed: PlacedGroup, raft: RaftStatus): ChangeStep {
  const { confState } = raft;
  if (confState.votersOutgoing.length > 0) {
    return { kind: "propose", data: LEAVE_JOINT, what: "leave the joint configuration" };
  }
  const { change } = placed;
  const mentioned = change === null ? [] : [...newcomers(change), ...change.removes];
  // Left by a leader that acted on a cancelled change, or the mark of one that is over.
  const stranger = confState.learners.find((id) => !mentioned.includes(id) && placed.hasEnded(id));
  if (stranger !== undefined) return removal(stranger);
  if (change === null) return NONE;
  const isAnyIn = change.adds.some((id) => confState.voters.includes(id));
  const isAnyOut = change.removes.some((id) => !confState.voters.includes(id));
  switch (change.stage) {
    case "adding":
      return adding(change, raft);
    case "swapping":
      return swapping(change, raft);
    case "cancelling":
      return isAnyIn || isAnyOut ? swapping(change, raft) : cancelling(change, confState);
  }
}

/** Who is in the log for this change alone. The mark is nobody: it never catches up and never votes. */
function newcomers({ adds, mark }: GroupChange): readonly number[] {
  return mark === 0 ? adds : [...adds, mark];
}

function adding(change: GroupChange, raft: RaftStatus): ChangeStep {
  const { voters, learners } = raft.confState;
  const missing = newcomers(change).find((id) => !voters.includes(id) && !learners.includes(id));
  if (missing !== undefined) {
    return proposal([{ type: ConfChangeType.addLearnerNode, replica: missing }], `add learner ${missing}`);
  }
  return change.adds.every((id) => isCaughtUp(raft, id)) ? { kind: "advance", changeId: change.id } : NONE;
}

function swapping(change: GroupChange, raft: RaftStatus): ChangeStep {
  const { voters, learners } = raft.confState;
  // The metadata that we know is older than the log: that change is long over.
  if (newcomers(change).some((id) => !voters.includes(id) && !learners.includes(id))) return NONE;
  const promoted = change.adds.filter((id) => learners.includes(id));
  const demoted = change.removes.filter((id) => voters.includes(id));
  if (demoted.includes(raft.id)) {
    const to = successor(raft, change.removes);
    if (to !== 0) return { kind: "handOver", to };
    // Nobody else votes yet: first the newcomers, then leadership to one of them.
    return promoted.length > 0 ? swap(raft, promoted, []) : NONE;
  }
  if (promoted.length > 0 || demoted.length > 0) return swap(raft, promoted, demoted);
  const leaving = learners.find((id) => change.removes.includes(id));
  if (leaving !== undefined) return removal(leaving);
  return { kind: "finish", changeId: change.id, isDone: true };
}

function cancelling(change: GroupChange, confState: ConfState): ChangeStep {
  const added = confState.learners.find((id) => newcomers(change).includes(id));
  return added === undefined ? { kind: "finish", changeId: change.id, isDone: false } : removal(added);
}

function swap(raft: RaftStatus, promoted: readonly number[], demoted: readonly number[]): ChangeStep {
  const voters = [...raft.confState.voters.filter((id) => !demoted.includes(id)), ...promoted];
  const fit = voters.filter((id) => id === raft.id || isCaughtUp(raft, id));
  if (fit.length * 2 <= voters.length) return NONE;
  const changes = [
    ...promoted.map((replica) => ({ type: ConfChangeType.addNode, replica })),
    ...demoted.map((replica) => ({ type: ConfChangeType.addLearnerNode, replica })),
  ];
  return proposal(changes, `promote ${promoted.join(" ") || "nobody"}, demote ${demoted.join(" ") || "nobody"}`);
}

function removal(replica: number): ChangeStep {
  return proposal([{ type: ConfChangeType.removeNode, replica }], `remove ${replica}`);
}

/** Joint, and left by a proposal of ours: an entry that Raft appended by itself would not be known to who executes first. */
function proposal(changes: readonly ConfChangeSingle[], what: string): ChangeStep {
  const transition = changes.length > 1 ? ConfChangeTransition.jointExplicit : ConfChangeTransition.auto;
  return { kind: "propose", data: encodeConfChangeV2({ transition, changes }), what };
}

/** The voter that stays, is in contact and furthest; 0 if there is none. */
function successor(raft: RaftStatus, leaving: readonly number[]): number {
  let best: ProgressView | null = null;
  for (const view of raft.progress) {
    if (view.id === raft.id || leaving.includes(view.id) || !raft.confState.voters.includes(view.id)) continue;
    if (isCaughtUp(raft, view.id) && (best === null || view.match > best.match)) best = view;
  }
  return best?.id ?? 0;
}

function isCaughtUp(raft: RaftStatus, replicaId: number): boolean {
  const view = raft.progress.find((each) => each.id === replicaId);
  if (view === undefined || !view.recentActive || view.state !== "replicate") return false;
  return view.match > 0 && raft.lastIndex - view.match <= BEHIND_MAX;
}
