/**
 * This node's replica of the metadata group: a Raft group whose state machine is the cluster state. Commands are few and small, so it does
 * the simple thing: commands are applied once committed, and after each apply the whole state is stored as the record "metadata".
 *
 *   {"formatVersion":1,"index":9,"term":2,"members":{…},"state":{…},"crc32":"…"}
 *
 * Commands can be repeated without harm, so a proposer whose leader is lost asks again.
 *
 * Must not know: founding, links, what the shards do with the state.
 */
import {
  clusterStateFromJson,
  clusterStateToJson,
  decodeMetaCommand,
  encodeMetaCommand,
  META_GROUP_ID,
  MetaFormatError,
  UnknownMetaCommandError,
} from "@headrace/meta";
import type { ClusterState, MetaCommand, MetaOutcome } from "@headrace/meta";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import type { Done, Logger, Random, RecordStore, Scheduler } from "@headrace/ports";
import { EntryType, RaftNode, Role } from "@headrace/raft-ts";
import type { ConfState, Entry, Message, RaftNodeApi } from "@headrace/raft-ts";
import { assert } from "@headrace/bytes";
import { RaftLog } from "./raft-log.ts";
import type { CheckpointPosition } from "./raft-log.ts";
import { RaftStorage } from "./raft-storage.ts";
import type { RaftStorageOwner } from "./raft-storage.ts";
import { decodeRecord, encodeRecord } from "./record-json.ts";
import type { Loaded } from "./identity.ts";

export const METADATA_RECORD = "metadata";

const KIB = 1024;
const MIB = 1024 * 1024;
/** Log kept for members that were away: there are no snapshots of the metadata group yet. */
const RETAINED_LOG_BYTES = 4 * MIB;
const PROPOSAL_TIMEOUT_MS = 5000;
/** After the disk had no space for the record. */
const SPACE_RETRY_MS = 1000;

export interface MetaPosition {
  readonly position: CheckpointPosition;
  readonly state: ClusterState;
}

export interface MetaGroupOpening {
  readonly replicaId: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly start: MetaPosition;
  readonly recovered: RecoveredGroup | null;
  readonly world: {
    readonly scheduler: Scheduler;
    readonly random: Random;
    readonly recordStore: RecordStore;
    readonly log: SharedLogApi;
    readonly logger: Logger;
  };
  readonly host: MetaGroupHost;
}

export interface MetaGroupHost {
  sendRaft(message: Message, groupId: number): void;
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
  readonly #state: ClusterState;
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
      cacheBytes: RETAINED_LOG_BYTES,
      fetchBytes: MIB,
      onFetched: () => this.wake(),
      onFailed: (message: string) => this.fail(message),
    };
    this.#raftLog = new RaftLog(logConfig, world.log, opening.recovered, start.position);
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
        randomBelow: (n) => world.random.below(n),
      },
      this.#raftLog,
    );
    this.#storage = new RaftStorage(META_GROUP_ID, this.#raft, this.#raftLog, world.log, this);
  }

  get state(): ClusterState {
    return this.#state;
  }

  get isHealthy(): boolean {
    return this.#failed === null;
  }

  get isLeaderOverdue(): boolean {
    return this.#failed === null && this.#raft.isLeaderOverdue;
  }

  get isLeader(): boolean {
    return this.#failed === null && this.#raft.role === Role.leader;
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

  handOver(toReplicaId: number): void {
    if (!this.isLeader) return;
    this.#raft.transferLeadership(toReplicaId);
    this.wake();
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
    const received = this.#received;
    this.#received = [];
    for (const message of received) this.#raft.step(message);
    this.#storage.pump();
    this.#noticeLeader();
  }

  fail(message: string): void {
    if (this.#failed !== null) return;
    this.#failed = message;
    this.#storage.stop();
    const proposals = this.#proposals;
    this.#proposals = [];
    for (const proposal of proposals) proposal.done({ kind: "uncertain" });
    this.#host.onReplicaFailed(META_GROUP_ID, message, false);
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

  logReplaced(): void {
    // Nothing is applied before it is committed: there is nothing to take back.
  }

  mustSync(): boolean {
    return true;
  }

  send(message: Message): void {
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
    if (this.#storing || this.#storedIndex === this.#appliedIndex || this.#failed !== null) return;
    this.#storing = true;
    const index = this.#appliedIndex;
    const position = { index, term: this.#appliedTerm, confState: this.#members };
    this.#world.recordStore.write(METADATA_RECORD, encodeMetaPosition({ position, state: this.#state }), (result) => {
      if (!result.ok && result.reason === "space" && this.#failed === null) {
        // The old record is whole, and the log has what it lacks: the group goes on, its log is cut later.
        this.#world.logger.error("metadata_no_space", { message: result.message });
        this.#world.scheduler.after(SPACE_RETRY_MS, () => {
          this.#storing = false;
          this.#store();
        });
        return;
      }
      this.#storing = false;
      if (!result.ok) return this.fail(`record ${METADATA_RECORD} can't be written: ${result.message}`);
      this.#storedIndex = index;
      if (this.#failed !== null) return;
      this.#raftLog.compact(Math.min(index, this.#raftLog.indexWithTail(RETAINED_LOG_BYTES)));
      this.#store();
    });
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

export function encodeMetaPosition(meta: MetaPosition): Uint8Array {
  return encodeRecord({
    index: meta.position.index,
    term: meta.position.term,
    members: meta.position.confState,
    state: clusterStateToJson(meta.state),
  });
}

/** What the record "metadata" holds, null when there is none. Nodes that are no members store what they have heard as index 0. */
export function loadMetaPosition(records: RecordStore, done: (loaded: Loaded<MetaPosition | null>) => void): void {
  const fail = (reason: "io" | "damaged" | "newer", message: string): void =>
    done({ ok: false, failure: { reason, message: `record ${METADATA_RECORD} ${message}` } });
  records.read(METADATA_RECORD, (result) => {
    if (!result.ok) return fail("io", `can't be read: ${result.message}`);
    if (result.value === null) return done({ ok: true, value: null });
    const decoded = decodeRecord(result.value);
    if (decoded.kind === "newer") return fail("newer", `has format ${decoded.formatVersion}, of a newer headrace`);
    if (decoded.kind === "damaged") return fail("damaged", decoded.message);
    const { index, term, members, state } = decoded.fields;
    if (typeof index !== "number" || typeof term !== "number") return fail("damaged", "has no position");
    try {
      const parsed = clusterStateFromJson(state);
      const confState = confStateOf(members);
      done({ ok: true, value: { position: { index, term, confState }, state: parsed } });
    } catch (error) {
      if (!(error instanceof MetaFormatError)) throw error;
      fail("damaged", error.message);
    }
  });
}

/** Stores the state for the next start; for founding and for nodes that only watch. */
export function storeMetaPosition(records: RecordStore, meta: MetaPosition, done: Done<void>): void {
  records.write(METADATA_RECORD, encodeMetaPosition(meta), done);
}

export function votersOnly(replicaIds: readonly number[]): ConfState {
  return { voters: replicaIds, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

function confStateOf(value: unknown): ConfState {
  const fields = value as Partial<Record<keyof ConfState, unknown>> | null;
  const list = (name: "voters" | "votersOutgoing" | "learners" | "learnersNext"): number[] => {
    const ids = fields?.[name];
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === "number"))
      throw new MetaFormatError(`${name} is no list`);
    return ids;
  };
  return {
    voters: list("voters"),
    votersOutgoing: list("votersOutgoing"),
    learners: list("learners"),
    learnersNext: list("learnersNext"),
    autoLeave: fields?.autoLeave === true,
  };
}
