/**
 * What a leader does: append its own entries, move the commit index by counting acknowledgements, keep followers supplied, prove that it
 * still leads, and step down when it has lost touch with a quorum.
 */
import { decodeConfChange } from "./conf-change-codec.ts";
import { assert } from "./invariants.ts";
import { changeMembership, isJoint } from "./membership.ts";
import { EntryType, message, MessageType } from "./message.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import { ProgressState } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { Role } from "./raft-node.api.ts";
import type { DropReason, Proposed } from "./raft-node.api.ts";
import { announceCommit, broadcastAppend, broadcastHeartbeat, mayHearLater, maybeSendAppend } from "./replication.ts";
import { abortTransfer, sendTimeoutNow, startTransfer } from "./transfer.ts";

const noData = new Uint8Array(0);

export function tickLeader(raft: Raft): void {
  raft.heartbeatElapsed++;
  raft.electionElapsed++;
  if (raft.electionElapsed >= raft.config.electionTicks) {
    raft.electionElapsed = 0;
    if (raft.config.checkQuorum) checkQuorum(raft);
    if (raft.role !== Role.leader) return;
    // The target did not take over in time: lead on.
    abortTransfer(raft);
  }
  if (raft.heartbeatElapsed >= raft.config.heartbeatTicks) {
    raft.heartbeatElapsed = 0;
    broadcastHeartbeat(raft);
  }
}

function checkQuorum(raft: Raft): void {
  if (!raft.tracker.isQuorumActive()) {
    raft.becomeFollower(raft.term, 0);
    return;
  }
  for (const progress of raft.tracker.all) {
    if (progress.id !== raft.id) progress.recentActive = false;
  }
}

/** Why a proposal of that many bytes would be refused now. */
export function proposalObstacle(raft: Raft, bytes: number): DropReason | null {
  if (raft.role !== Role.leader) return "notLeader";
  if (raft.tracker.get(raft.id) === undefined) return "removed";
  if (raft.transferee !== 0) return "transferring";
  // The first one is always let in, so that an entry larger than the limit is possible; empty ones cost nothing.
  const isOverLimit =
    raft.uncommittedBytes > 0 && bytes > 0 && raft.uncommittedBytes + bytes > raft.config.maxUncommittedBytes;
  return isOverLimit ? "uncommittedLimit" : null;
}

export function propose(raft: Raft, type: EntryType, data: Uint8Array): Proposed {
  const reason = proposalObstacle(raft, data.length);
  if (reason !== null) return { ok: false, reason };
  const index = appendOwn(raft, type, data);
  broadcastAppend(raft);
  return { ok: true, term: raft.term, index };
}

/** Why a proposed change would have no effect now, or null. */
export function confChangeObstacle(raft: Raft, data: Uint8Array, isV2: boolean): string | null {
  if (raft.pendingConfIndex > raft.log.applied) return "possible unapplied conf change";
  const change = decodeConfChange(data, isV2);
  // A joint phase that changes nothing would be entered for nothing.
  if (change.changes.length === 0 && !isJoint(raft.tracker.membership)) {
    return "not in joint state; refusing empty conf change";
  }
  const changed = changeMembership(raft.tracker.membership, change);
  return "error" in changed ? changed.error : null;
}

/** A change that must not be made now is replaced by an empty entry, as in etcd: the proposer sees that nothing changed when it applies. */
export function proposeConfChange(raft: Raft, data: Uint8Array, isV2: boolean): Proposed {
  const reason = proposalObstacle(raft, data.length);
  if (reason !== null) return { ok: false, reason };
  if (confChangeObstacle(raft, data, isV2) !== null) return propose(raft, EntryType.Normal, noData);
  raft.pendingConfIndex = raft.log.lastIndex + 1;
  return propose(raft, isV2 ? EntryType.ConfChangeV2 : EntryType.ConfChange, data);
}

/** The joint configuration that is now in force is to be left by itself. Refused during a transfer; then the next leader does it. */
export function proposeLeavingJoint(raft: Raft): void {
  proposeConfChange(raft, noData, true);
}

/** Puts an entry of this term at the end; returns its index. Its own acknowledgement comes back from the disk like a follower's. */
export function appendOwn(raft: Raft, type: EntryType, data: Uint8Array): number {
  const index = raft.log.lastIndex + 1;
  assert(Number.isSafeInteger(index), "log index out of range");
  raft.uncommittedBytes += data.length;
  raft.log.append({ term: raft.term, index, type, data });
  const waiting = raft.afterAppend;
  const last = waiting.length > 0 ? waiting[waiting.length - 1]! : null;
  if (last !== null && last.type === MessageType.AppResp && last.to === raft.id && last.term === raft.term) {
    // Several entries in one turn: one acknowledgement covers them.
    last.index = index;
    return index;
  }
  const own = message(MessageType.AppResp, raft.id, raft.id);
  own.index = index;
  raft.send(own);
  return index;
}

export function stepLeader(raft: Raft, m: Message): void {
  const progress = raft.tracker.get(m.from);
  if (progress === undefined) return;
  const kind: number = m.type;
  switch (kind) {
    case MessageType.AppResp:
      progress.recentActive = true;
      if (m.readNumber !== 0) raft.reads.echo(progress, m.readNumber, raft.tracker, raft.id);
      if (m.reject) handleRefusal(raft, progress, m);
      else handleAcknowledgement(raft, progress, m.index);
      return;
    case MessageType.HeartbeatResp:
      progress.recentActive = true;
      progress.isFlowPaused = false;
      if (m.readNumber !== 0) raft.reads.echo(progress, m.readNumber, raft.tracker, raft.id);
      // Repeats what was lost, and lets a follower that is being probed with nothing left to send return to replicate.
      if (progress.match < raft.log.lastIndex || progress.state === ProgressState.probe) {
        maybeSendAppend(raft, progress, true);
      }
      return;
    case MessageType.TransferLeader:
      startTransfer(raft, m.from);
      return;
    default:
  }
}

function handleRefusal(raft: Raft, progress: Progress, m: Message): void {
  // The follower has `logTerm` at the hint, and no lower term above it: where our term is higher there it cannot match either.
  const hint = m.logTerm > 0 ? raft.log.conflictByTerm(m.rejectHint, m.logTerm) : m.rejectHint;
  if (!progress.refuse(m.index, hint)) return;
  if (progress.state === ProgressState.replicate) progress.becomeProbe();
  maybeSendAppend(raft, progress, true);
}

function handleAcknowledgement(raft: Raft, progress: Progress, index: number): void {
  assert(index <= raft.log.lastIndex, "an entry was acknowledged that was never sent");
  const isNews = progress.acknowledge(index);
  const isProbeAnswer = progress.state === ProgressState.probe && raft.answersProbe(progress, index);
  if (!isNews && !isProbeAnswer) return;
  if (progress.state === ProgressState.probe) {
    progress.becomeReplicate();
  } else if (progress.state === ProgressState.replicate) {
    progress.inflights.freeUpTo(index);
  } else if (progress.match + 1 >= raft.log.firstIndex) {
    // However it got there, the log can take it from here: the snapshot is settled.
    progress.becomeProbe();
    progress.becomeReplicate();
  }
  const isSelf = progress.id === raft.id;
  if (onCommitMoved(raft)) announceCommit(raft);
  else if (!isSelf && progress.canBumpCommit(raft.log.commit))
    maybeSendAppend(raft, progress, !mayHearLater(raft, progress));
  if (isSelf) return;
  // The window may have room for several messages now.
  while (maybeSendAppend(raft, progress, false));
  if (progress.id === raft.transferee && progress.match === raft.log.lastIndex) sendTimeoutNow(raft, progress.id);
}

/**
 * Commits what a quorum has, if it reaches into this term: entries of older terms are committed only by one of the own term behind them
 * (dissertation §3.6.2). True when the commit index moved.
 */
export function onCommitMoved(raft: Raft): boolean {
  const index = raft.tracker.committedIndex();
  if (index <= raft.log.commit || index < raft.termStartIndex) return false;
  raft.log.commitTo(index);
  return true;
}

export function reportUnreachable(raft: Raft, replica: number): void {
  const progress = raft.tracker.get(replica);
  if (raft.role !== Role.leader || progress === undefined) return;
  // What was sent optimistically is probably lost.
  if (progress.state === ProgressState.replicate) progress.becomeProbe();
}

export function reportSnapshot(raft: Raft, replica: number, hasSucceeded: boolean): void {
  const progress = raft.tracker.get(replica);
  if (raft.role !== Role.leader || progress === undefined || progress.state !== ProgressState.snapshot) return;
  // Failed: probe from what is known, not from a snapshot that is not there.
  if (!hasSucceeded) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // Succeeded: wait for its acknowledgement. Failed: wait for a heartbeat before the next try.
  progress.isFlowPaused = true;
}
