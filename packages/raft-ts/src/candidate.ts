/** What a candidate or pre-candidate does with messages of its own term: count votes, or give way to a leader. */
import { handleAppend, handleHeartbeat, handleSnapshot } from "./follower.ts";
import { MessageType } from "./message.ts";
import type { Message } from "./message.ts";
import { VoteResult } from "./quorum.ts";
import type { Raft } from "./raft.ts";
import { Role } from "./raft-node.api.ts";
import { broadcastAppend } from "./replication.ts";

export function stepCandidate(raft: Raft, m: Message): void {
  const kind: number = m.type;
  switch (kind) {
    case MessageType.App:
      raft.becomeFollower(m.term, m.from);
      handleAppend(raft, m);
      return;
    case MessageType.Heartbeat:
      raft.becomeFollower(m.term, m.from);
      handleHeartbeat(raft, m);
      return;
    case MessageType.Snap:
      raft.becomeFollower(m.term, m.from);
      handleSnapshot(raft, m);
      return;
    case MessageType.PreVoteResp:
      if (raft.role === Role.preCandidate) countVote(raft, m);
      return;
    case MessageType.VoteResp:
      if (raft.role === Role.candidate) countVote(raft, m);
      return;
    default:
  }
}

function countVote(raft: Raft, m: Message): void {
  raft.tracker.recordVote(m.from, !m.reject);
  const result = raft.tracker.voteResult();
  if (result === VoteResult.won) {
    if (raft.role === Role.preCandidate) {
      raft.campaign("election");
    } else {
      raft.becomeLeader();
      broadcastAppend(raft);
    }
  } else if (result === VoteResult.lost) {
    raft.becomeFollower(raft.term, 0);
  }
}
