/**
 * The replica: its term, vote and role, what every message's term does to them, and elections. What a role does with a message is in
 * follower.ts, candidate.ts and leader.ts; those are functions over this object, because all roles share its fields.
 *
 *                 election timeout          majority of pre-votes          majority of votes
 *   follower ─────────────────────► preCandidate ───────────────► candidate ───────────────► leader
 *      ▲  └──── TimeoutNow, or no pre-vote ────────────────────────────▲                        │
 *      └── higher term · a leader in this term · lost vote · no quorum in contact · removed ────┘
 *
 * Two outboxes: `outbox` may leave at once, `afterAppend` only when everything before it is durable. Votes asked for, votes given and
 * appends acknowledged are of the second kind. Source: etcd raft.go.
 */
import { stepCandidate } from "./candidate.ts";
import type { RaftConfig } from "./config.ts";
import { stepFollower } from "./follower.ts";
import { assert } from "./invariants.ts";
import { appendOwn, onCommitMoved, proposeLeavingJoint, stepLeader, tickLeader } from "./leader.ts";
import type { LogReader } from "./log-reader.ts";
import { changeMembership, membershipOf } from "./membership.ts";
import type { Membership } from "./membership.ts";
import { EntryType, message, MessageType } from "./message.ts";
import type { ConfState, Message, Snapshot } from "./message.ts";
import type { Progress } from "./progress.ts";
import { ProgressTracker } from "./progress-tracker.ts";
import { RaftLog } from "./raft-log.ts";
import { Role } from "./raft-node.api.ts";
import { ReadIndex } from "./read-index.ts";
import { broadcastAppend, maybeSendAppend } from "./replication.ts";
import { abortTransfer } from "./transfer.ts";
import type { ConfChange } from "./conf-change-codec.ts";

export type CampaignKind = "preElection" | "election" | "transfer";

const noData = new Uint8Array(0);
/** How much of the log one look for unapplied configuration changes reads at a time. */
const SCAN_BYTES = 1 << 20;

export class Raft {
  readonly id: number;
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly tracker: ProgressTracker;
  readonly reads: ReadIndex = new ReadIndex();

  term: number;
  vote: number;
  role: Role = Role.follower;
  leader = 0;
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTicks = 0;
  /** Follower only: what its leader said last (raft-node.api.ts). */
  heldByAll = 0;

  /** Leader only: whom leadership is being handed to. */
  transferee = 0;
  /** Leader only: no configuration change is proposed before this index is applied. */
  pendingConfIndex = 0;
  /** Leader only: bytes of own-term entries not yet applied. */
  uncommittedBytes = 0;
  /** Leader only: index of the no-op that began its term. */
  termStartIndex = 0;

  outbox: Message[] = [];
  afterAppend: Message[] = [];

  constructor(config: RaftConfig, reader: LogReader) {
    checkConfig(config);
    this.id = config.id;
    this.config = config;
    this.log = new RaftLog(reader, config.maxBytesPerApply);
    this.tracker = new ProgressTracker(config.maxInflightMessages, config.maxInflightBytes);
    const { hardState, confState } = reader.initialState();
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.log.resume(hardState.commit, config.applied);
    this.tracker.adopt(membershipOf(confState), this.log.lastIndex);
    this.becomeFollower(this.term, 0);
  }

  get isLearner(): boolean {
    return this.tracker.get(this.id)?.isLearner === true;
  }

  /** Whether this replica may lead at all: a voter, with its state machine not being replaced. */
  get isPromotable(): boolean {
    const self = this.tracker.get(this.id);
    return self !== undefined && !self.isLearner && !this.log.hasSnapshotUnderWay();
  }

  /** Queues a message in the right outbox; fills in the term of those that have none yet. */
  send(m: Message): void {
    const kind: number = m.type;
    switch (kind) {
      case MessageType.Vote:
        // etcd lets this one go at once. But the log that it boasts of, and the term, may then not survive a crash, and a late vote for the
        // lost log would elect the shorter one. One sync before an election is cheap.
        assert(m.term > 0, "vote without a term");
        this.afterAppend.push(m);
        return;
      case MessageType.VoteResp:
      case MessageType.PreVoteResp:
        assert(m.term > 0, "vote without a term");
        this.afterAppend.push(m);
        return;
      case MessageType.AppResp:
        m.term = this.term;
        this.afterAppend.push(m);
        return;
      case MessageType.PreVote:
        assert(m.term > 0, "vote without a term");
        break;
      default:
        m.term = this.term;
    }
    assert(m.to !== this.id, "message to itself past the disk");
    this.outbox.push(m);
  }

  tick(): void {
    this.log.poke();
    if (this.role === Role.leader) {
      tickLeader(this);
      return;
    }
    this.electionElapsed++;
    if (this.isPromotable && this.electionElapsed >= this.randomizedElectionTicks) {
      this.electionElapsed = 0;
      this.hup(this.config.preVote ? "preElection" : "election");
    }
  }

  step(m: Message): void {
    this.log.poke();
    if (m.term > this.term) {
      if (!this.#meetHigherTerm(m)) return;
    } else if (m.term !== 0 && m.term < this.term) {
      this.#answerLowerTerm(m);
      return;
    }
    const kind: number = m.type;
    switch (kind) {
      case MessageType.StorageAppendResp:
        if (m.index !== 0) this.log.unstable.stableTo(m.logTerm, m.index);
        if (m.snapshot !== null) this.#snapshotApplied(m.snapshot);
        return;
      case MessageType.StorageApplyResp:
        this.#entriesApplied(m);
        return;
      case MessageType.Vote:
      case MessageType.PreVote:
        this.#answerVote(m);
        return;
      default:
        if (this.role === Role.leader) stepLeader(this, m);
        else if (this.role === Role.follower) stepFollower(this, m);
        else stepCandidate(this, m);
    }
  }

  /** False when the message is to be ignored. */
  #meetHigherTerm(m: Message): boolean {
    if (m.type === MessageType.Vote || m.type === MessageType.PreVote) {
      // Whoever heard of a live leader lately neither votes nor lets its term be pushed (dissertation §4.2.3).
      const hasFreshLeader =
        this.config.checkQuorum && this.leader !== 0 && this.electionElapsed < this.config.electionTicks;
      if (hasFreshLeader && !m.force) return false;
    }
    // A pre-vote, and a granted one, speak of a term that nobody has entered yet.
    if (m.type === MessageType.PreVote) return true;
    if (m.type === MessageType.PreVoteResp && !m.reject) return true;
    const isFromLeader = m.type === MessageType.App || m.type === MessageType.Heartbeat || m.type === MessageType.Snap;
    this.becomeFollower(m.term, isFromLeader ? m.from : 0);
    return true;
  }

  #answerLowerTerm(m: Message): void {
    const kind: number = m.type;
    switch (kind) {
      case MessageType.App:
      case MessageType.Heartbeat:
        // A deposed leader that nobody tells would go on for ever, since with pre-vote and check-quorum a higher term does not spread by
        // campaigns. Any answer of the new term makes it step down.
        if (this.config.checkQuorum || this.config.preVote) this.send(message(MessageType.AppResp, m.from, this.id));
        return;
      case MessageType.PreVote: {
        // A candidate of an older term with pre-vote off could otherwise wait for ever.
        const refusal = message(MessageType.PreVoteResp, m.from, this.id);
        refusal.term = this.term;
        refusal.reject = true;
        this.send(refusal);
        return;
      }
      case MessageType.StorageAppendResp:
        // Entries may have been replaced since (the ABA race): this does not make them durable. A snapshot is committed in any term.
        if (m.snapshot !== null) this.#snapshotApplied(m.snapshot);
        return;
      default:
    }
  }

  #answerVote(m: Message): void {
    const canVote =
      this.vote === m.from ||
      (this.vote === 0 && this.leader === 0) ||
      (m.type === MessageType.PreVote && m.term > this.term);
    const isGranted = canVote && this.log.isUpToDate(m.logTerm, m.index);
    // A learner votes too when asked: the candidate may know of a configuration that makes it a voter.
    const type = m.type === MessageType.Vote ? MessageType.VoteResp : MessageType.PreVoteResp;
    const answer = message(type, m.from, this.id);
    answer.term = isGranted ? m.term : this.term;
    answer.reject = !isGranted;
    if (!isGranted) {
      answer.commit = this.log.commit;
      answer.logTerm = Math.max(0, this.log.term(answer.commit));
    }
    this.send(answer);
    if (isGranted && m.type === MessageType.Vote) {
      this.electionElapsed = 0;
      this.vote = m.from;
    }
  }

  /** Starts an election unless it must not. */
  hup(kind: CampaignKind): void {
    if (this.role === Role.leader || !this.isPromotable) return;
    // Leading under a configuration that is about to be replaced could elect two leaders.
    if (this.hasUnappliedConfChange()) return;
    this.campaign(kind);
  }

  campaign(kind: CampaignKind): void {
    if (!this.isPromotable) return;
    if (kind === "preElection") this.becomePreCandidate();
    else this.becomeCandidate();
    const isPre = kind === "preElection";
    const term = isPre ? this.term + 1 : this.term;
    const lastIndex = this.log.lastIndex;
    const lastTerm = this.log.lastTerm;
    for (const id of this.tracker.voterIds()) {
      if (id === this.id) {
        // Its own vote counts like any other: once it is durable.
        const own = message(isPre ? MessageType.PreVoteResp : MessageType.VoteResp, id, id);
        own.term = term;
        this.send(own);
        continue;
      }
      const m = message(isPre ? MessageType.PreVote : MessageType.Vote, id, this.id);
      m.term = term;
      m.index = lastIndex;
      m.logTerm = lastTerm;
      m.force = kind === "transfer";
      this.send(m);
    }
  }

  becomeFollower(term: number, leader: number): void {
    this.#reset(term);
    this.leader = leader;
    this.role = Role.follower;
  }

  becomePreCandidate(): void {
    assert(this.role !== Role.leader, "a leader cannot campaign");
    // Neither term nor vote change: a pre-vote must leave no trace.
    this.tracker.resetVotes();
    this.leader = 0;
    this.role = Role.preCandidate;
  }

  becomeCandidate(): void {
    assert(this.role !== Role.leader, "a leader cannot campaign");
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = Role.candidate;
  }

  becomeLeader(): void {
    assert(this.role === Role.candidate, "only a candidate can win");
    this.#reset(this.term);
    this.leader = this.id;
    this.role = Role.leader;
    const self = this.tracker.get(this.id);
    if (self !== undefined) {
      self.becomeReplicate();
      self.recentActive = true;
    }
    // There may be a configuration change among the entries taken over: conservatively wait for all of them.
    this.pendingConfIndex = this.log.lastIndex;
    this.termStartIndex = this.log.lastIndex + 1;
    appendOwn(this, EntryType.Normal, noData);
  }

  #reset(term: number): void {
    assert(term >= this.term, "term went back");
    if (this.term !== term) {
      this.term = term;
      this.vote = 0;
    }
    this.leader = 0;
    this.heldByAll = 0;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.randomizedElectionTicks = this.config.electionTicks + this.config.randomBelow(this.config.electionTicks);
    abortTransfer(this);
    this.tracker.resetVotes();
    const lastIndex = this.log.lastIndex;
    for (const progress of this.tracker.all) {
      progress.reset(progress.id === this.id ? lastIndex : 0, lastIndex + 1);
    }
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.termStartIndex = 0;
    this.reads.reset();
  }

  /**
   * Whether an acknowledgement that tells nothing new shows that the probe which is out has found its place. The answer to a message of an older
   * term carries index 0 and may arrive here after a re-election: taken for a probe's it would set `next` back to 1, behind a compacted log.
   */
  answersProbe(progress: Progress, index: number): boolean {
    return progress.match === index && index + 1 >= progress.next;
  }

  /** Whether `replica` can use the snapshot: in an older one than the change that added it, it would not find itself, and refuse. */
  canInstall(snapshot: Snapshot, replica: number): boolean {
    return isNamedIn(snapshot.meta.confState, replica);
  }

  /** Messages are about to leave: the highest read number goes with them. */
  stampReads(): void {
    this.reads.stamp(this.outbox, this.tracker, this.id, this.term, this.log.commit);
  }

  /** Installs a snapshot from the leader. False when there was nothing to install. */
  restore(snapshot: Snapshot): boolean {
    const { index, term, confState } = snapshot.meta;
    if (index <= this.log.commit) return false;
    assert(this.role === Role.follower, "only a follower restores a snapshot");
    // Sent before it was removed: it would not know itself afterwards.
    if (!isNamedIn(confState, this.id)) return false;
    if (this.log.hasTermAt(index, term)) {
      this.log.commitTo(index);
      return false;
    }
    this.log.restore(snapshot);
    this.#switchTo(membershipOf(confState));
    const self = this.tracker.get(this.id);
    if (self !== undefined) self.match = Math.max(self.match, index);
    return true;
  }

  /** A committed change takes effect now. */
  applyConfChange(change: ConfChange): ConfState {
    // Handed over before a snapshot arrived, which has brought a configuration that contains it: applying it again would be wrong.
    if (this.log.hasSnapshotUnderWay()) return this.tracker.confState();
    const changed = changeMembership(this.tracker.membership, change);
    assert("membership" in changed, "error" in changed ? changed.error : "");
    this.#switchTo(changed.membership);
    return this.tracker.confState();
  }

  #switchTo(membership: Membership): void {
    this.tracker.adopt(membership, this.log.lastIndex);
    if (this.role !== Role.leader) return;
    const self = this.tracker.get(this.id);
    if (self === undefined || self.isLearner) {
      if (this.config.stepDownOnRemoval) this.becomeFollower(this.term, 0);
      return;
    }
    this.reads.update(this.tracker, this.id);
    this.reads.hasUnsent = true;
    if (onCommitMoved(this)) {
      broadcastAppend(this);
    } else {
      // No reason to let newcomers wait for the next heartbeat.
      for (const progress of this.tracker.all) {
        if (progress.id !== this.id) maybeSendAppend(this, progress, false);
      }
    }
    if (this.transferee !== 0 && !this.tracker.isVoter(this.transferee)) abortTransfer(this);
  }

  #entriesApplied(m: Message): void {
    const entries = m.entries;
    if (entries.length === 0) return;
    let bytes = 0;
    let ownBytes = 0;
    for (const entry of entries) {
      bytes += entry.data.length;
      if (entry.term === this.term) ownBytes += entry.data.length;
    }
    const last = entries[entries.length - 1]!.index;
    this.uncommittedBytes = Math.max(0, this.uncommittedBytes - ownBytes);
    this.#appliedTo(Math.max(last, this.log.applied), bytes);
  }

  #snapshotApplied(snapshot: Snapshot): void {
    const index = snapshot.meta.index;
    this.log.unstable.stableSnapshotTo(index);
    this.#appliedTo(Math.max(index, this.log.applied), 0);
  }

  #appliedTo(index: number, bytes: number): void {
    this.log.appliedTo(index, bytes);
    if (this.role === Role.leader && this.tracker.membership.autoLeave && index >= this.pendingConfIndex) {
      proposeLeavingJoint(this);
    }
  }

  hasUnappliedConfChange(): boolean {
    const log = this.log;
    let next = log.applied + 1;
    while (next <= log.commit) {
      const entries = log.slice(next, log.commit + 1, SCAN_BYTES);
      // Not in memory, or in a snapshot under way: nobody knows, so not now; it is tried again after the next timeout.
      if (entries === "compacted" || entries === "unavailable") return true;
      for (const entry of entries) if (entry.type !== EntryType.Normal) return true;
      next += entries.length;
    }
    return false;
  }
}

function isNamedIn({ voters, votersOutgoing, learners }: ConfState, replica: number): boolean {
  return voters.includes(replica) || votersOutgoing.includes(replica) || learners.includes(replica);
}

function checkConfig(config: RaftConfig): void {
  assert(Number.isSafeInteger(config.id) && config.id > 0, "replica id must be a positive integer");
  assert(config.heartbeatTicks > 0, "heartbeatTicks must be positive");
  assert(config.electionTicks > config.heartbeatTicks, "electionTicks must be greater than heartbeatTicks");
  assert(config.maxBytesPerMessage > 0 && config.maxBytesPerApply > 0, "message and apply limits must be positive");
  assert(config.maxInflightMessages > 0 && config.maxInflightBytes > 0, "inflight limits must be positive");
  assert(config.maxUncommittedBytes > 0, "maxUncommittedBytes must be positive");
}
