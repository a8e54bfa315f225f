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

/**
 * A refusal tells how far its sender has committed. Without this a group could be stuck for ever after a joint phase: the last leader, removed,
 * is gone; those who know that the phase is over have no vote any more, but the longer logs; those who should lead still need their votes.
 * If (term, index) stands in the own log too, everything up to it is committed. Not in etcd; source: raft-rs, maybe_commit_by_vote.
 */
function learnCommit(raft: Raft, m: Message): void {
  if (m.commit <= raft.log.commit || !raft.log.hasTermAt(m.commit, m.logTerm)) return;
  raft.log.commitTo(m.commit);
  // Never win under a configuration that has turned out to be over.
  if (raft.hasUnappliedConfChange()) raft.becomeFollower(raft.term, 0);
}

function countVote(raft: Raft, m: Message): void {
  if (m.reject && m.commit !== 0) {
    learnCommit(raft, m);
    if (raft.role === Role.follower) return;
  }
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
