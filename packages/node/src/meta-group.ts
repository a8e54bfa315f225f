/**
 * This node's replica of the metadata group: a Raft group whose state machine is the cluster state. Commands are few and small, so it does
 * the simple thing: commands are applied once committed, and after each apply the whole state is stored as the record "metadata".
 * (meta-position.ts). Members that were away for too long get it as a snapshot.
 *
 * Commands can be repeated without harm, so a proposer whose leader is lost asks again.
 *
 * Must not know: founding, links, what the shards do with the state.
 */
import {
  decodeMetaCommand,
  encodeMetaCommand,
  META_GROUP_ID,
  MetaFormatError,
  UnknownMetaCommandError,
} from "@headrace/meta";
import type { ClusterState, MetaCommand, MetaOutcome } from "@headrace/meta";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import type { Clock, Logger, Random, RecordStore, Scheduler } from "@headrace/ports";
import { EntryType, RaftNode, Role } from "@headrace/raft-ts";
import type { ConfState, Entry, Message, Proposed, RaftNodeApi, RaftStatus, Snapshot } from "@headrace/raft-ts";
import { assert } from "@headrace/bytes";
import { meet } from "./log-meeting.ts";
import { encodeMetaPosition, METADATA_RECORD } from "./meta-position.ts";
import type { MetaPosition } from "./meta-position.ts";
import { MetaSnapshots } from "./meta-snapshots.ts";
import type { ElectionView } from "./raft-groups.ts";
import { RaftLog } from "./raft-log.ts";
import { RaftStorage } from "./raft-storage.ts";
import type { RaftStorageOwner } from "./raft-storage.ts";
import type { SnapshotEnds } from "./snapshot-ends.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

const KIB = 1024;
const MIB = 1024 * 1024;
/** Log kept for members that were away. */
const RETAINED_LOG_BYTES = 4 * MIB;
const PROPOSAL_TIMEOUT_MS = 5000;

export interface MetaGroupOpening {
  readonly replicaId: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly start: MetaPosition;
  readonly recovered: RecoveredGroup | null;
  readonly world: {
    readonly clock: Clock;
    readonly scheduler: Scheduler;
    readonly random: Random;
    readonly recordStore: RecordStore;
    readonly log: SharedLogApi;
    readonly logger: Logger;
    readonly snapshots: SnapshotTraffic;
  };
  readonly host: MetaGroupHost;
}

export interface MetaGroupHost {
  sendRaft(message: Message, groupId: number): void;
  sendSnapshot(frame: Uint8Array, toReplicaId: number, groupId: number): boolean;
  requestTurn(groupId: number): void;
  onLeaderChange(groupId: number, leaderReplicaId: number, term: number, ready: boolean): void;
  onReplicaFailed(groupId: number, message: string, damaged: boolean): void;
  /** The state has changed; it must not be kept across turns, only read. */
  onClusterState(state: ClusterState): void;
}

/** `notLeader`: nothing happened. `uncertain`: may happen yet; repeating is harmless. */
export type ProposalOutcome =
  | { readonly kind: "applied"; readonly outcome: MetaOutcome }
  | { readonly kind: "notLeader" }
  | { readonly kind: "uncertain" };

interface Proposal {
  readonly term: number;
  readonly index: number;
  readonly done: (outcome: ProposalOutcome) => void;
}

export class MetaGroup implements RaftStorageOwner {
  readonly groupId: number;
  readonly replicaId: number;
  readonly #world: MetaGroupOpening["world"];
  readonly #host: MetaGroupHost;
  readonly #raftLog: RaftLog;
  readonly #raft: RaftNodeApi;
  readonly #storage: RaftStorage;
  readonly #snapshots: MetaSnapshots;
  #state: ClusterState;
  #appliedIndex: number;
  #appliedTerm: number;
  #members: ConfState;
  #storedIndex: number;
  #storing: boolean;
  #received: Message[];
  #proposals: Proposal[];
  #seenLeader: number;
  #seenTerm: number;
  #seenReady: boolean;
  #failed: string | null;

  constructor(opening: MetaGroupOpening) {
    const { world, start, replicaId } = opening;
    this.groupId = META_GROUP_ID;
    this.replicaId = replicaId;
    this.#world = world;
    this.#host = opening.host;
    this.#state = start.state;
    this.#appliedIndex = start.position.index;
    this.#appliedTerm = start.position.term;
    this.#members = start.position.confState;
    this.#storedIndex = start.position.index;
    this.#storing = false;
    this.#received = [];
    this.#proposals = [];
    this.#seenLeader = 0;
    this.#seenTerm = 0;
    this.#seenReady = false;
    this.#failed = null;
    const logConfig = {
      groupId: META_GROUP_ID,
      limits: { logCacheBytes: RETAINED_LOG_BYTES, logFetchBytes: MIB },
      onFetched: () => this.wake(),
      onFailed: (message: string) => this.fail(message),
      snapshot: () => this.#snapshots.ends.offer(),
    };
    const { index, term } = start.position;
    // A log that ends too early for a record that was not put has been found out before.
    const meeting = meet(META_GROUP_ID, { index, term, isPut: start.isPut }, opening.recovered, world.log);
    const recovered = meeting.ok ? meeting.recovered : opening.recovered;
    this.#raftLog = new RaftLog(logConfig, world.log, recovered, start.position);
    this.#raft = new RaftNode(
      {
        id: replicaId,
        electionTicks: opening.electionTicks,
        heartbeatTicks: opening.heartbeatTicks,
        applied: start.position.index,
        maxBytesPerMessage: 256 * KIB,
        maxBytesPerApply: MIB,
        maxInflightMessages: 64,
        maxInflightBytes: 4 * MIB,
        maxUncommittedBytes: MIB,
        preVote: true,
        checkQuorum: true,
        stepDownOnRemoval: true,
        // Placement is followed from every member: what changes there is told at once.
        commitRidesAlong: false,
        randomBelow: (n) => world.random.below(n),
      },
      this.#raftLog,
    );
    this.#storage = new RaftStorage(META_GROUP_ID, this.#raft, this.#raftLog, world.log, this);
    this.#snapshots = new MetaSnapshots({
      groupId: META_GROUP_ID,
      raft: this.#raft,
      raftLog: this.#raftLog,
      retainBytes: RETAINED_LOG_BYTES,
      world,
      host: opening.host,
      current: () => this.#position(),
      isStoring: () => this.#storing,
      installed: (meta) => this.#installed(meta),
      onFailed: (message) => this.fail(message),
    });
  }

  get state(): ClusterState {
    return this.#state;
  }

  get snapshots(): SnapshotEnds {
    return this.#snapshots.ends;
  }

  get isHealthy(): boolean {
    return this.#failed === null;
  }

  get election(): ElectionView {
    return this.#raft;
  }

  get isLeader(): boolean {
    return this.#failed === null && this.#raft.role === Role.leader;
  }

  /** Leads, and has committed in its term: its state is the newest there is. */
  get isReady(): boolean {
    return this.isLeader && this.#raft.hasCommittedInTerm;
  }

  get leaderReplicaId(): number {
    return this.#raft.leader;
  }

  tick(): void {
    if (this.#failed !== null) return;
    this.#raft.tick();
    this.wake();
  }

  receive(message: Message): void {
    assert(message.to === this.replicaId, "message for another replica");
    this.#received.push(message);
    this.wake();
  }

  reportUnreachable(replicaId: number): void {
    if (this.#failed === null) this.#raft.reportUnreachable(replicaId);
  }

  campaign(): void {
    if (this.#failed !== null) return;
    this.#raft.campaign();
    this.wake();
  }

  /** The leader's node is gone: stop refusing votes for its sake. */
  forgetLeader(): void {
    if (this.#failed !== null) return;
    this.#raft.forgetLeader();
    this.wake();
  }

  /** Nothing is executed ahead of commit here, so there is nothing to wait for. */
  handOver(toReplicaId: number, done: (moved: boolean) => void): void {
    if (this.isLeader) this.#raft.transferLeadership(toReplicaId);
    this.wake();
    this.#world.scheduler.soon(() => done(!this.isLeader));
  }

  /** A change of members, made when its entry is applied. */
  proposeMembers(data: Uint8Array, isV2: boolean): Proposed {
    if (!this.isReady) return { ok: false, reason: "notLeader" };
    const proposed = this.#raft.proposeConfChange(data, isV2);
    this.wake();
    return proposed;
  }

  raftStatus(): RaftStatus {
    return this.#raft.status();
  }

  /** Asks for a change of the state. `done` is called once, in a later event or turn. */
  propose(command: MetaCommand, done: (outcome: ProposalOutcome) => void): void {
    const proposed = this.#failed === null ? this.#raft.propose(encodeMetaCommand(command)) : null;
    if (proposed === null || !proposed.ok) {
      this.#world.scheduler.soon(() => done({ kind: "notLeader" }));
      return;
    }
    const proposal = { term: proposed.term, index: proposed.index, done };
    this.#proposals.push(proposal);
    this.#world.scheduler.after(PROPOSAL_TIMEOUT_MS, () => {
      const at = this.#proposals.indexOf(proposal);
      if (at < 0) return;
      this.#proposals.splice(at, 1);
      done({ kind: "uncertain" });
    });
    this.wake();
  }

  drive(): void {
    if (this.#failed !== null) return;
    this.#storage.stepArrived();
    const { ends } = this.#snapshots;
    const complete = ends.takeComplete();
    if (complete !== null) this.#raft.step(complete);
    const received = this.#received;
    this.#received = [];
    for (const message of received) if (ends.isForRaftNow(message)) this.#raft.step(message);
    this.#storage.pump();
    ends.letGoIfUnused();
    this.#noticeLeader();
  }

  fail(message: string): void {
    if (this.#failed !== null) return;
    this.retire(message);
    this.#host.onReplicaFailed(META_GROUP_ID, message, false);
  }

  /** Nothing is applied, sent or written any more, and nobody need be told. */
  retire(message: string): void {
    if (this.#failed !== null) return;
    this.#failed = message;
    this.#storage.stop();
    this.#snapshots.stop();
    const proposals = this.#proposals;
    this.#proposals = [];
    for (const proposal of proposals) proposal.done({ kind: "uncertain" });
  }

  status(): Record<string, unknown> {
    const raft = this.#raft.status();
    return {
      groupId: META_GROUP_ID,
      replicaId: this.replicaId,
      role: raft.role,
      term: raft.term,
      leader: raft.leader,
      ready: this.isLeader && this.#raft.hasCommittedInTerm,
      failed: this.#failed,
      lastIndex: raft.lastIndex,
      commitIndex: raft.commit,
      stateIndex: this.#appliedIndex,
      durableIndex: this.#storage.durableIndex,
      checkpointIndex: this.#storedIndex,
      members: this.#members,
      version: this.#state.version,
      epoch: this.#state.epoch,
    };
  }

  // ── what the storage calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

  applyCommitted(entries: readonly Entry[]): void {
    const before = this.#state.version;
    for (const entry of entries) {
      if (this.#failed !== null) return;
      assert(entry.index === this.#appliedIndex + 1, "metadata entries are applied in order");
      this.#applyEntry(entry);
    }
    if (this.#state.version !== before) {
      this.#state.verify();
      this.#host.onClusterState(this.#state);
    }
    this.#store();
  }

  installSnapshot(snapshot: Snapshot, done: () => void): void {
    this.#snapshots.install(snapshot, done);
  }

  logReplaced(): void {
    // Nothing is applied before it is committed: there is nothing to take back.
  }

  mustSync(): boolean {
    return true;
  }

  send(message: Message): void {
    this.#snapshots.ends.onSend(message);
    this.#host.sendRaft(message, META_GROUP_ID);
  }

  wake(): void {
    this.#host.requestTurn(META_GROUP_ID);
  }

  #applyEntry(entry: Entry): void {
    let outcome: MetaOutcome = { ok: true, nodeId: 0 };
    if (entry.type !== EntryType.Normal) {
      this.#members = this.#raft.applyConfChange(entry.data, entry.type === EntryType.ConfChangeV2);
    } else if (entry.data.length > 0) {
      try {
        outcome = this.#state.apply(decodeMetaCommand(entry.data));
      } catch (error) {
        if (!(error instanceof UnknownMetaCommandError || error instanceof MetaFormatError)) throw error;
        this.fail(`log entry ${entry.index} of the metadata group: ${error.message}`);
        return;
      }
    }
    this.#appliedIndex = entry.index;
    this.#appliedTerm = entry.term;
    while (this.#proposals.length > 0 && this.#proposals[0]!.index <= entry.index) {
      const proposal = this.#proposals.shift()!;
      const isOurs = proposal.index === entry.index && proposal.term === entry.term;
      proposal.done(isOurs ? { kind: "applied", outcome } : { kind: "notLeader" });
    }
  }

  /** One write at a time; what is applied meanwhile goes with the next. */
  #store(): void {
    const { isInstalling } = this.#snapshots;
    if (this.#storing || this.#storedIndex === this.#appliedIndex || this.#failed !== null || isInstalling) return;
    this.#storing = true;
    const index = this.#appliedIndex;
    this.#world.recordStore.write(METADATA_RECORD, encodeMetaPosition(this.#position()), (result) => {
      this.#storing = false;
      if (!result.ok) return this.fail(`record ${METADATA_RECORD} can't be written: ${result.message}`);
      this.#storedIndex = index;
      if (this.#failed !== null) return;
      const held = this.#snapshots.ends.holdIndex();
      this.#raftLog.compact(Math.min(index, held, this.#raftLog.indexWithTail(RETAINED_LOG_BYTES)));
      this.#snapshots.proceed();
      this.#store();
    });
  }

  #position(): MetaPosition {
    const position = { index: this.#appliedIndex, term: this.#appliedTerm, confState: this.#members };
    return { position, state: this.#state, isPut: false };
  }

  #installed(meta: MetaPosition): void {
    const { index, term, confState } = meta.position;
    this.#state = meta.state;
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#members = confState;
    this.#storedIndex = index;
    const settled = this.#proposals.filter((proposal) => proposal.index <= index);
    this.#proposals = this.#proposals.filter((proposal) => proposal.index > index);
    // Perhaps they are in it, perhaps not.
    for (const proposal of settled) proposal.done({ kind: "uncertain" });
    this.#host.onClusterState(this.#state);
  }

  #noticeLeader(): void {
    const { leader, term } = this.#raft;
    const ready = leader === this.replicaId && this.#raft.hasCommittedInTerm;
    if (leader === this.#seenLeader && term === this.#seenTerm && ready === this.#seenReady) return;
    this.#seenLeader = leader;
    this.#seenTerm = term;
    this.#seenReady = ready;
    this.#host.onLeaderChange(META_GROUP_ID, leader, term, ready);
  }
}
