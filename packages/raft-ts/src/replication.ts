/**
 * Sending the log to followers: one append or snapshot at a time, within what Progress allows. Entries leave from the unstable log too, before
 * the leader's own disk has them: its disk and the network work side by side.
 */
import { heartbeat } from "./heartbeat.ts";
import { message, MessageType, noEntries } from "./message.ts";
import type { Progress } from "./progress.ts";
import { ProgressState } from "./progress.ts";
import { bytesOf, COMPACTED, UNAVAILABLE } from "./raft-log.ts";
import type { Raft } from "./raft.ts";

export function broadcastAppend(raft: Raft): void {
  const all = raft.tracker.all;
  for (let i = 0; i < all.length; i++) {
    const progress = all[i]!;
    if (progress.id !== raft.id) maybeSendAppend(raft, progress, true);
  }
}

/** Tells what is committed, to who cannot just as well hear of it with what comes next. */
export function announceCommit(raft: Raft): void {
  const all = raft.tracker.all;
  for (let i = 0; i < all.length; i++) {
    const progress = all[i]!;
    if (progress.id !== raft.id) maybeSendAppend(raft, progress, !mayHearLater(raft, progress));
  }
}

/** `commitRidesAlong` (config.ts) holds for this follower now. A full window needs the answer to an empty append. */
export function mayHearLater(raft: Raft, progress: Progress): boolean {
  if (!raft.config.commitRidesAlong || raft.pendingConfIndex > raft.log.applied) return false;
  return progress.state === ProgressState.replicate && !progress.inflights.isFull();
}

/** Sends an append, or the snapshot that has to come first. False when nothing left. */
export function maybeSendAppend(raft: Raft, progress: Progress, sendIfEmpty: boolean): boolean {
  if (progress.isPaused()) return false;
  const log = raft.log;
  const previous = progress.next - 1;
  const previousTerm = log.term(previous);
  if (previousTerm === COMPACTED) return maybeSendSnapshot(raft, progress);
  if (previousTerm === UNAVAILABLE) return false;
  // With a full window only an empty append goes out: if everything in flight was lost, its answer is what frees the window.
  let entries = noEntries;
  if (progress.state !== ProgressState.replicate || !progress.inflights.isFull()) {
    const found = log.entriesFrom(progress.next, raft.config.maxBytesPerMessage);
    if (found === "compacted") return maybeSendSnapshot(raft, progress);
    // Only on disk: the owner fetches them; the next answer, proposal or heartbeat of this follower asks again.
    if (found === "unavailable") return false;
    entries = found;
  }
  if (entries.length === 0 && !sendIfEmpty) return false;
  const m = message(MessageType.App, progress.id, raft.id);
  m.index = previous;
  m.logTerm = previousTerm;
  m.entries = entries;
  m.commit = log.commit;
  raft.send(m);
  progress.sentEntries(entries.length, bytesOf(entries));
  progress.sentCommit = log.commit;
  return true;
}

function maybeSendSnapshot(raft: Raft, progress: Progress): boolean {
  // Pointless to somebody who does not answer.
  if (!progress.recentActive) return false;
  const snapshot = raft.log.snapshot();
  if (snapshot === "unavailable") return false;
  // A newer one will come.
  if (!raft.canInstall(snapshot, progress.id)) return false;
  progress.becomeSnapshot(snapshot.meta.index);
  const m = message(MessageType.Snap, progress.id, raft.id);
  m.snapshot = snapshot;
  raft.send(m);
  return true;
}

export function broadcastHeartbeat(raft: Raft): void {
  for (const progress of raft.tracker.all) {
    if (progress.id !== raft.id) raft.send(heartbeat(progress, raft.tracker, raft.id, raft.log.commit));
  }
}
