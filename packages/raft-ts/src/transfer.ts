/**
 * Handing leadership over (dissertation §3.10): refuse proposals, bring the target up to date, tell it to campaign at once. Given up after
 * an election timeout (leader.ts), so that a dead target cannot block the group.
 */
import { message, MessageType } from "./message.ts";
import type { Raft } from "./raft.ts";
import { maybeSendAppend } from "./replication.ts";

export function startTransfer(raft: Raft, target: number): void {
  const progress = raft.tracker.get(target);
  if (progress === undefined || progress.isLearner) return;
  if (raft.transferee !== 0) {
    if (raft.transferee === target) return;
    abortTransfer(raft);
  }
  if (target === raft.id) return;
  raft.electionElapsed = 0;
  raft.transferee = target;
  if (progress.match === raft.log.lastIndex) sendTimeoutNow(raft, target);
  else maybeSendAppend(raft, progress, true);
}

export function abortTransfer(raft: Raft): void {
  raft.transferee = 0;
}

export function sendTimeoutNow(raft: Raft, target: number): void {
  raft.send(message(MessageType.TimeoutNow, target, raft.id));
}
