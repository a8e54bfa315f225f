/**
 * The public object: what the owner of a replica calls, over `Raft`. It keeps strangers out (messages for other replicas, local messages from
 * the network, answers of replicas that are not members) and gathers what has to leave. Source: etcd rawnode.go.
 */
import { decodeConfChange } from "./conf-change-codec.ts";
import type { RaftConfig } from "./config.ts";
import { assert } from "./invariants.ts";
import {
  confChangeObstacle,
  proposalObstacle,
  propose,
  proposeConfChange,
  reportSnapshot,
  reportUnreachable,
} from "./leader.ts";
import type { LogReader } from "./log-reader.ts";
import { EntryType, LocalAppendThread, LocalApplyThread, MessageType } from "./message.ts";
import type { ConfState, HardState, Message } from "./message.ts";
import { ProgressState } from "./progress.ts";
import type { Progress } from "./progress.ts";
import { Raft } from "./raft.ts";
import { Role } from "./raft-node.api.ts";
import type { DropReason, ProgressView, Proposed, RaftNodeApi, RaftStatus } from "./raft-node.api.ts";
import { StorageMessages } from "./storage-messages.ts";
import { startTransfer } from "./transfer.ts";

const stateNames = ["probe", "replicate", "snapshot"] as const;

export class RaftNode implements RaftNodeApi {
  readonly id: number;
  readonly #raft: Raft;
  readonly #storage: StorageMessages;

  constructor(config: RaftConfig, log: LogReader) {
    this.id = config.id;
    this.#raft = new Raft(config, log);
    this.#storage = new StorageMessages(this.#raft);
  }

  get role(): Role {
    return this.#raft.role;
  }

  get term(): number {
    return this.#raft.term;
  }

  get leader(): number {
    return this.#raft.leader;
  }

  get commit(): number {
    return this.#raft.log.commit;
  }

  get lastIndex(): number {
    return this.#raft.log.lastIndex;
  }

  /** False for anyone but a leader. */
  get hasCommittedInTerm(): boolean {
    const raft = this.#raft;
    return raft.role === Role.leader && raft.log.commit >= raft.termStartIndex;
  }

  get confirmedRead(): number {
    return this.#raft.reads.confirmed;
  }

  get transferee(): number {
    return this.#raft.transferee;
  }

  get heldByAll(): number {
    const raft = this.#raft;
    return raft.role === Role.leader ? raft.tracker.lowestMatch() : raft.heldByAll;
  }

  get isLeaderOverdue(): boolean {
    const raft = this.#raft;
    return raft.role === Role.follower && raft.leader !== 0 && raft.electionElapsed >= raft.config.electionTicks;
  }

  tick(): void {
    this.#raft.tick();
  }

  campaign(): void {
    this.#raft.hup(this.#raft.config.preVote ? "preElection" : "election");
  }

  step(message: Message): void {
    if (this.#isAcceptable(message)) this.#raft.step(message);
  }

  canPropose(bytes: number): DropReason | null {
    return proposalObstacle(this.#raft, bytes);
  }

  propose(data: Uint8Array): Proposed {
    return propose(this.#raft, EntryType.Normal, data);
  }

  /** As in etcd, a change that cannot be made now becomes an empty entry. `confChangeObstacle` tells beforehand. */
  proposeConfChange(data: Uint8Array, isV2: boolean): Proposed {
    return proposeConfChange(this.#raft, data, isV2);
  }

  /** Why the change, proposed now, would become an empty entry; null when it would be made. */
  confChangeObstacle(data: Uint8Array, isV2: boolean): string | null {
    return confChangeObstacle(this.#raft, data, isV2);
  }

  requestRead(): number {
    assert(this.hasCommittedInTerm, "a read needs a leader that has committed in its term");
    return this.#raft.reads.ask(this.#raft.tracker, this.id);
  }

  transferLeadership(toReplica: number): void {
    if (this.#raft.role === Role.leader) startTransfer(this.#raft, toReplica);
  }

  forgetLeader(): void {
    if (this.#raft.role === Role.follower) this.#raft.leader = 0;
  }

  reportUnreachable(replica: number): void {
    reportUnreachable(this.#raft, replica);
  }

  reportSnapshot(replica: number, succeeded: boolean): void {
    reportSnapshot(this.#raft, replica, succeeded);
  }

  applyConfChange(data: Uint8Array, isV2: boolean): ConfState {
    return this.#raft.applyConfChange(decodeConfChange(data, isV2));
  }

  takeMessages(): Message[] {
    const raft = this.#raft;
    if (raft.role === Role.leader) raft.stampReads();
    const messages = raft.outbox;
    raft.outbox = [];
    const append = this.#storage.takeAppend(raft);
    if (append !== null) messages.push(append);
    const apply = this.#storage.takeApply(raft);
    if (apply !== null) messages.push(apply);
    return messages;
  }

  hasMessages(): boolean {
    const raft = this.#raft;
    return (
      raft.outbox.length > 0 || raft.reads.needsRound || this.#storage.hasAppend(raft) || raft.log.hasNextCommitted()
    );
  }

  visitProgress(visit: (replica: number, match: number, isLearner: boolean) => void): void {
    for (const progress of this.#raft.tracker.all) {
      if (progress.id !== this.id) visit(progress.id, progress.match, progress.isLearner);
    }
  }

  hardState(): HardState {
    const raft = this.#raft;
    return { term: raft.term, vote: raft.vote, commit: raft.log.commit };
  }

  status(): RaftStatus {
    const raft = this.#raft;
    return {
      id: this.id,
      role: raft.role,
      term: raft.term,
      vote: raft.vote,
      leader: raft.leader,
      commit: raft.log.commit,
      applied: raft.log.applied,
      lastIndex: raft.log.lastIndex,
      transferee: raft.transferee,
      confState: raft.tracker.confState(),
      progress: raft.role === Role.leader ? raft.tracker.all.map(viewOf) : [],
    };
  }

  /** False also where the log is compacted: then nobody can tell any more. */
  hasEntry(term: number, index: number): boolean {
    return index > 0 && this.#raft.log.hasTermAt(index, term);
  }

  #isAcceptable(m: Message): boolean {
    if (m.to !== this.id) return false;
    const kind: number = m.type;
    switch (kind) {
      case MessageType.StorageAppendResp:
        return m.from === LocalAppendThread;
      case MessageType.StorageApplyResp:
        return m.from === LocalApplyThread;
      case MessageType.AppResp:
      case MessageType.HeartbeatResp:
      case MessageType.VoteResp:
      case MessageType.PreVoteResp:
        return m.term > 0 && this.#raft.tracker.get(m.from) !== undefined;
      case MessageType.App:
      case MessageType.Vote:
      case MessageType.PreVote:
      case MessageType.Snap:
      case MessageType.Heartbeat:
      case MessageType.TimeoutNow:
        return m.term > 0 && m.from !== this.id;
      case MessageType.TransferLeader:
        return true;
      default:
        // Local kinds have methods of their own; proposals and reads are not forwarded.
        return false;
    }
  }
}

function viewOf(progress: Progress): ProgressView {
  return {
    id: progress.id,
    match: progress.match,
    next: progress.next,
    state: stateNames[progress.state] ?? stateNames[ProgressState.probe],
    isLearner: progress.isLearner,
    recentActive: progress.recentActive,
  };
}
