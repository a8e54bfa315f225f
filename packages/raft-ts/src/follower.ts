/** What a follower does with messages of its own term: it believes the leader, and answers when things are durable. */
import { message, MessageType } from "./message.ts";
import type { Message } from "./message.ts";
import type { Raft } from "./raft.ts";

export function stepFollower(raft: Raft, m: Message): void {
  // As a number here and in the other roles: kinds that are not named are ignored on purpose.
  const kind: number = m.type;
  switch (kind) {
    case MessageType.App:
      followLeader(raft, m.from);
      handleAppend(raft, m);
      return;
    case MessageType.Heartbeat:
      followLeader(raft, m.from);
      handleHeartbeat(raft, m);
      return;
    case MessageType.Snap:
      followLeader(raft, m.from);
      handleSnapshot(raft, m);
      return;
    case MessageType.TimeoutNow:
      // No pre-vote: the leader itself asked for this.
      raft.hup("transfer");
      return;
    default:
  }
}

function followLeader(raft: Raft, leader: number): void {
  raft.electionElapsed = 0;
  raft.leader = leader;
}

export function handleAppend(raft: Raft, m: Message): void {
  const log = raft.log;
  const answer = message(MessageType.AppResp, m.from, raft.id);
  answer.readNumber = m.readNumber;
  if (m.index < log.commit) {
    // Late or repeated: what is committed matches every leader.
    answer.index = log.commit;
    raft.send(answer);
    return;
  }
  const matched = log.maybeAppend(m.logTerm, m.index, m.entries, m.commit);
  if (matched >= 0) {
    answer.index = matched;
  } else {
    // Name the last place that can possibly match, so that the leader skips whole terms instead of single entries.
    const hint = log.conflictByTerm(Math.min(m.index, log.lastIndex), m.logTerm);
    const hintTerm = log.term(hint);
    answer.index = m.index;
    answer.reject = true;
    answer.rejectHint = hint;
    answer.logTerm = hintTerm >= 0 ? hintTerm : 0;
  }
  raft.send(answer);
}

export function handleHeartbeat(raft: Raft, m: Message): void {
  raft.log.commitTo(m.commit);
  raft.heldByAll = m.index;
  const answer = message(MessageType.HeartbeatResp, m.from, raft.id);
  answer.readNumber = m.readNumber;
  raft.send(answer);
}

export function handleSnapshot(raft: Raft, m: Message): void {
  if (m.snapshot === null) return;
  const answer = message(MessageType.AppResp, m.from, raft.id);
  answer.index = raft.restore(m.snapshot) ? raft.log.lastIndex : raft.log.commit;
  raft.send(answer);
}
