/**
 * One replica of one shard: a Raft group with its state. This file only orders the calls of a turn; each verb lives in a neighbour.
 *
 *   drive:  step messages → carry storage work (followers apply here) → judge leadership → execute → propose → carry storage work
 *           → release replies by cursors → waits → checkpoint → tell the node
 *
 * The cursors (raft reference §2.2): L last log index · X state index · W written · F durable here · C committed · P checkpoint. Follower: X ≤ C.
 * Serving leader: X = L. Memory is always the fold of this log up to X (I0).
 */
import { assert } from "@headrace/bytes";
import { UnknownEffectError, type ShardStateApi } from "@headrace/engine";
import { RefuseReason, type OfferAnswer } from "@headrace/link";
import type { Done } from "@headrace/ports";
import { EntryType, RaftNode, Role } from "@headrace/raft-ts";
import type { Entry, Message, Proposed, RaftNodeApi, RaftStatus } from "@headrace/raft-ts";
import { AppendIntake } from "./append-intake.ts";
import { BlockedReads } from "./blocked-reads.ts";
import { Checkpointer } from "./checkpoint.ts";
import type { CheckpointRow } from "./checkpoint-row.ts";
import { CheckpointRounds } from "./checkpoint-rounds.ts";
import { ColdBlocks } from "./cold-blocks.ts";
import { Executor } from "./executor.ts";
import { HandOvers } from "./hand-over.ts";
import { HeldReplies } from "./held-replies.ts";
import type { ElectionView } from "./raft-groups.ts";
import { LeaderNews } from "./leader-news.ts";
import { MemoryUse } from "./memory-use.ts";
import { RaftLog } from "./raft-log.ts";
import { RaftStorage } from "./raft-storage.ts";
import { ReplicaWaits } from "./replica-waits.ts";
import { ShardSnapshots } from "./shard-snapshots.ts";
import type { SnapshotEnds } from "./snapshot-ends.ts";
import type { SnapshotContent } from "./snapshot-source.ts";
import { RequestQueue } from "./request-queue.ts";
import { Rollback } from "./rollback.ts";
import { CancelHow } from "./shard-api.ts";
import type { Lane, RequestBatch, ShardConfig, ShardHost, ShardOpening, ShardStatus, ShardWorld } from "./shard-api.ts";
import type { SlotRange, WaitQuery } from "./shard-api.ts";
import { loadShard, type LoadedShard } from "./shard-opening.ts";
import { raftConfig } from "./shard-raft-config.ts";
import { shardStatus } from "./shard-status.ts";
import { UncommittedEntries } from "./uncommitted-entries.ts";

const NO_DATA: Uint8Array = new Uint8Array(0);

export class ShardReplica {
  readonly groupId: number;
  readonly replicaId: number;
  readonly #config: ShardConfig;
  readonly #world: ShardWorld;
  readonly #host: ShardHost;
  readonly #slots: readonly SlotRange[];
  readonly #raftLog: RaftLog;
  readonly #raft: RaftNodeApi;
  readonly #storage: RaftStorage;
  readonly #queue: RequestQueue;
  readonly #held: HeldReplies;
  readonly #blocked: BlockedReads;
  readonly #waits: ReplicaWaits;
  readonly #uncommitted: UncommittedEntries;
  readonly #executor: Executor;
  readonly #checkpointer: Checkpointer;
  readonly #rollback: Rollback;
  readonly #intake: AppendIntake;
  readonly #snapshots: ShardSnapshots;
  readonly #rounds: CheckpointRounds;
  readonly #cold: ColdBlocks;
  readonly #memory: MemoryUse;
  #state: ShardStateApi;
  /** Entries up to here were handed over as committed. */
  #applied: number;
  #received: Message[] = [];
  /** Term of the leadership that queue, held replies and blocked calls belong to; 0 = not leading (I12). */
  #leadTerm: number = 0;
  readonly #handOvers: HandOvers;
  #stopping: boolean = false;
  #failed: string | null = null;
  /** Index of the last change of members proposed here: it counts for this replica once its own disk has it. */
  #memberChangeIndex: number = 0;
  readonly #leaderNews: LeaderNews;

  private constructor(opening: ShardOpening, loaded: LoadedShard) {
    const { config, world, host } = opening;
    const { groupId, limits } = config;
    const { row, recovered } = loaded;
    const wake = (): void => host.requestTurn(groupId);
    const onFailed = (message: string, damaged?: boolean): void => this.#failHere(message, damaged);
    const raftLog = new RaftLog(
      { groupId, limits, onFetched: wake, onFailed, snapshot: () => this.#snapshots.ends.offer() },
      world.log,
      recovered,
      row,
    );
    const raft = new RaftNode(raftConfig(config, world.random, row.index), raftLog);
    const hint = { leaderNodeId: () => this.#leaderNodeId(), term: () => raft.term };
    this.groupId = groupId;
    this.replicaId = config.replicaId;
    this.#config = config;
    this.#world = world;
    this.#host = host;
    this.#slots = row.ranges.map((range) => ({ from: range.from, to: range.to }));
    this.#raftLog = raftLog;
    this.#raft = raft;
    this.#handOvers = new HandOvers(raft);
    this.#storage = new RaftStorage(groupId, raft, raftLog, world.log, {
      applyCommitted: (entries) => this.#applyCommitted(entries),
      logReplaced: (index) => this.#logReplaced(index),
      installSnapshot: (snapshot, done) => this.#snapshots.install(snapshot, done),
      mustSync: () => this.#mustSync(),
      send: (message) => this.#send(message),
      wake,
    });
    this.#queue = new RequestQueue(groupId, config.limits.queueBytes, hint);
    this.#held = new HeldReplies(groupId);
    this.#blocked = new BlockedReads(world.scheduler, wake);
    this.#waits = new ReplicaWaits(world.scheduler, raft, raftLog, wake);
    this.#uncommitted = new UncommittedEntries();
    this.#state = loaded.state;
    const { kvStore, scheduler, logger, clock, log } = world;
    this.#checkpointer = new Checkpointer({
      ...world,
      groupId,
      limits,
      row,
      nowMs: clock.monotonicMs(),
      wake,
      onNoSpace: () => host.onNoSpace(),
      onFailed,
    });
    const checkpointer = this.#checkpointer;
    this.#cold = new ColdBlocks(
      { limits, kvStore, memory: world.memory, stored: () => checkpointer.row, wake, onFailed },
      loaded.state,
    );
    const rooms = { raftLog, held: this.#held, queue: this.#queue, cold: this.#cold };
    this.#executor = new Executor(
      {
        ...world,
        ...rooms,
        shardId: groupId,
        limits: config.limits,
        maxEntryBytes: world.log.maxEntryBytes,
        settings: opening.settings,
        slots: this.#slots,
        raft,
        stampMs: () => Math.min(world.clock.wallMs(), host.stampLimitMs(groupId)),
        randomBelow: (n) => world.random.below(n),
        wake,
        blocked: this.#blocked,
        uncommitted: this.#uncommitted,
        channels: host.channels,
        post: host.post,
        leaderNodeId: hint.leaderNodeId,
      },
      loaded.state,
    );
    this.#rollback = new Rollback({ groupId, limits, kvStore, scheduler, logger, checkpointer });
    this.#intake = new AppendIntake(groupId, () => limits.logCacheBytes + limits.logAheadBytes, logger);
    const kept = { config, raft, raftLog, checkpointer };
    this.#snapshots = new ShardSnapshots({
      ...kept,
      world,
      host,
      isRollingBack: () => this.#rollback.isRunning,
      forceCheckpoint: () => this.checkpoint(() => {}),
      switched: (at) => {
        this.#applied = at.index;
        this.#rounds.startsAt(at.index);
      },
      loaded: (state) => this.#takeLoaded(state),
      onFailed,
    });
    this.#leaderNews = new LeaderNews((leader, term, ready) => host.onLeaderChange(groupId, leader, term, ready));
    this.#memory = new MemoryUse({
      state: () => this.#state,
      isReplacing: () => this.#isReplacing,
      ...rooms,
      checkpointer,
      executor: this.#executor,
    });
    this.#applied = row.index;
    this.#rounds = new CheckpointRounds({
      ...kept,
      clock,
      times: world.times,
      logger,
      log,
      snapshots: this.#snapshots,
    });
    raftLog.evict(row.index);
    wake();
  }

  /**
   * Loads the checkpoint and answers. What the log holds behind it is applied by the first turns, as far as it is known to be committed. Failures:
   * `missing` (no such group and nothing to found), `corrupt` (damage, or log and checkpoint do not meet: I23), `io`.
   */
  static open(opening: ShardOpening, done: Done<ShardReplica>): void {
    loadShard(opening, (result) => {
      done(result.ok ? { ok: true, value: new ShardReplica(opening, result.value) } : result);
    });
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

  /** Leader, an entry of its own term committed, X = L, nothing to roll back: may execute and read (I1). */
  get isReady(): boolean {
    return (
      this.#leadTerm !== 0 &&
      this.#leadTerm === this.#raft.term &&
      this.#raft.hasCommittedInTerm &&
      !this.#isReplacing &&
      !this.#stopping &&
      this.#state.index === this.#raft.lastIndex
    );
  }

  get snapshots(): SnapshotEnds {
    return this.#snapshots.ends;
  }

  /** What the store holds of it, for who reads that beside it; null: not now. */
  get stored(): CheckpointRow | null {
    return this.#failed !== null || this.#isReplacing ? null : this.#checkpointer.row;
  }

  get outbox(): Executor["outbox"] {
    return this.#executor.outbox;
  }

  /** Memory is being loaded anew: after a rollback, or from a snapshot. */
  get #isReplacing(): boolean {
    return this.#rollback.isRunning || this.#snapshots.isInstalling;
  }

  tick(): void {
    if (this.#failed !== null) return;
    this.#raft.tick();
    this.#host.requestTurn(this.groupId);
  }

  /** A Raft message from a peer; stepped in the next turn. */
  receive(message: Message): void {
    if (this.#failed !== null || message.to !== this.replicaId) return;
    this.#received.push(message);
    this.#host.requestTurn(this.groupId);
  }

  /** Frames to the peer were lost. */
  reportUnreachable(replicaId: number): void {
    if (this.#failed === null) this.#raft.reportUnreachable(replicaId);
  }

  /** Campaigns now: founding need not wait for a timeout. */
  campaign(): void {
    if (this.#failed !== null) return;
    this.#raft.campaign();
    this.#host.requestTurn(this.groupId);
  }

  /** The leader's process is gone: votes are no longer refused for its sake. */
  forgetLeader(): void {
    if (this.#failed !== null) return;
    this.#raft.forgetLeader();
    this.#host.requestTurn(this.groupId);
  }

  /** Requests of a lane, in the order in which they arrived. May refuse at once. */
  enqueue(batch: RequestBatch): void {
    assert(batch.count > 0, "a frame holds requests");
    this.#queue.accept(batch, this.#refusal());
    const progress = this.#queue.find(batch.lane);
    const blocked = progress === null ? null : progress.blocked;
    if (blocked !== null && blocked.laneEpoch !== progress!.epoch) {
      this.#blocked.cancel(progress!, blocked.number, CancelHow.drop);
    }
    this.#host.requestTurn(this.groupId);
  }

  /** Ends a blocked call, or one that would block when its turn comes; it may have been served meanwhile. */
  cancel(lane: Lane, number: number, how: CancelHow): void {
    const progress = this.#queue.find(lane);
    if (progress !== null) this.#blocked.cancel(progress, number, how);
  }

  /** What becomes of an offer; dealt with in the next turn. */
  answerOffer(lane: Lane, answer: OfferAnswer): void {
    const progress = this.#queue.find(lane);
    if (progress !== null) this.#blocked.offers.answered(progress, answer);
  }

  /** The client or the link is gone (`lane.closed` is set): its blocked call is dropped, what has arrived goes on, replies go nowhere. */
  laneClosed(lane: Lane): void {
    assert(lane.closed, "a lane that is gone says so");
    const progress = this.#queue.find(lane);
    if (progress === null) return;
    if (progress.blocked !== null) this.#blocked.cancel(progress, progress.blocked.number, CancelHow.drop);
    this.#executor.laneClosed(progress);
    this.#queue.laneClosed(lane);
    this.#host.requestTurn(this.groupId);
  }

  /** A sink that was full has room again. */
  sinkDrained(): void {
    this.#queue.unstall();
    this.#host.requestTurn(this.groupId);
  }

  /** WAIT, WAITAOF on this shard. Answered in a turn, exactly once, unless cancelled. */
  wait(query: WaitQuery): void {
    this.#waits.add(query);
  }

  cancelWait(query: WaitQuery): void {
    this.#waits.cancel(query);
  }

  /**
   * Hands leadership to the replica (null: the one in contact that is furthest). `done(false)`: not leader, nobody to hand to, or nobody took over in
   * time; then this replica goes on serving.
   */
  handOver(toReplica: number | null, done: (moved: boolean) => void): void {
    const deadlineMs = this.#world.clock.monotonicMs() + 2 * this.#config.electionTicks * this.#config.tickMs;
    if (this.isLeader && this.#handOvers.begin(toReplica, deadlineMs, done)) this.#host.requestTurn(this.groupId);
    else done(false);
  }

  /** A change of members, made when its entry is applied. Refused unless this replica is ready: the state has to stand at the log's end. */
  proposeMembers(data: Uint8Array, isV2: boolean): Proposed {
    if (!this.isReady || this.#handOvers.isRunning) return { ok: false, reason: "notLeader" };
    const proposed = this.#raft.proposeConfChange(data, isV2);
    if (proposed.ok) {
      this.#state.apply(NO_DATA, proposed.index);
      this.#memberChangeIndex = proposed.index;
    }
    this.#host.requestTurn(this.groupId);
    return proposed;
  }

  /** Refuses everything from now on with `stopping`; what was executed is still answered, and Raft goes on. */
  stopServing(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#handBackBlocked(RefuseReason.stopping);
    this.#queue.refuseAll(RefuseReason.stopping);
    this.#host.requestTurn(this.groupId);
  }

  /** Makes the store hold everything that this replica has executed or applied so far, once it is committed; then a restart replays little. */
  checkpoint(done: Done<void>): void {
    this.#checkpointer.waitFor(this.#state.index, done);
    this.#rounds.force();
    this.#host.requestTurn(this.groupId);
  }

  /** For a backup: a view of the store with all that was answered before. In a later event; null: not (any more) the leader, or not to be read. */
  openBackup(done: (content: SnapshotContent | null) => void): void {
    const { term } = this.#raft;
    const mark = this.#mayExecute() ? this.#raft.propose(NO_DATA) : null;
    if (mark === null || !mark.ok) return done(null);
    this.#state.apply(NO_DATA, mark.index);
    // In the store it is committed, and only who leads still can have committed it.
    this.checkpoint((result) => (result.ok && this.#leadTerm === term ? this.#snapshots.openView(done) : done(null)));
  }

  /** The log is poisoned or the node stops: nothing is served, stepped, sent or written any more (I22). */
  fail(message: string): void {
    if (this.#failed !== null) return;
    this.#failed = message;
    this.#storage.stop();
    if (this.#leadTerm !== 0) this.#lostLeadership(RefuseReason.notReady);
    this.#queue.refuseAll(RefuseReason.notReady);
    this.#waits.abandon();
    this.#executor.stop();
    this.#cold.drop();
    this.#world.memory.forget(this.#memory);
    this.#handOvers.abandon();
    this.#snapshots.stop();
    this.#checkpointer.stop();
    this.#tell();
  }

  drive(): void {
    if (this.#failed !== null) return;
    this.#stepReceived();
    this.#storage.pump();
    this.#snapshots.ends.letGoIfUnused();
    this.#judgeLeadership();
    const isMore = this.#mayExecute() && this.#execute();
    if (this.#isFailed()) return;
    this.#storage.pump();
    this.#judgeLeadership();
    if (this.#isFailed()) return;
    this.#moveCursors();
    this.#waits.judge(this.#storage.durableIndex);
    if (this.#handOvers.proceed(this.#world.clock.monotonicMs(), this.#held.count))
      this.#host.requestTurn(this.groupId);
    this.#snapshots.proceed();
    const state = this.#isReplacing ? null : this.#state;
    this.#rounds.proceed(state, this.#applied, this.#storage.durableIndex, this.#durabilityWanted());
    this.#tell();
    this.#queue.sweep();
    if (!this.#isFailed()) this.#world.memory.note(this.#memory);
    // What waits for room, in (C, X] or for changed keys, runs in the next turn.
    const hasRoom = !this.#queue.isEmpty && this.#mayExecute() && !this.#executor.isOverBounds();
    if (isMore || hasRoom) this.#host.requestTurn(this.groupId);
  }

  status(): ShardStatus {
    return shardStatus({
      groupId: this.groupId,
      replicaId: this.replicaId,
      isReady: this.isReady,
      isReplacing: this.#isReplacing,
      failed: this.#failed,
      slots: this.#slots,
      state: this.#state,
      raft: this.#raft,
      raftLog: this.#raftLog,
      storage: this.#storage,
      checkpointer: this.#checkpointer,
      uncommitted: this.#uncommitted,
      queue: this.#queue,
      held: this.#held,
      blocked: this.#blocked,
      waits: this.#waits,
      executor: this.#executor,
      rollback: this.#rollback,
      intake: this.#intake,
      cold: this.#cold,
      memory: this.#memory,
    });
  }

  /** What there is to be seen of its groups between two turns; null: it does not lead. */
  get groups(): Pick<ShardStateApi, "scanGroups" | "logTimeMs"> | null {
    return this.isReady ? this.#state : null;
  }

  /** For who changes the members. */
  raftStatus(): RaftStatus {
    return this.#raft.status();
  }

  /** The replica was removed: it stops, and `done` is called when no batch of it is on the way to the store any more. */
  retire(done: () => void): void {
    this.fail("the replica was removed");
    this.#checkpointer.whenIdle(done);
  }

  /** Hex digest of the state, and the index that it is of: equal on all replicas at equal indexes. Walks everything. */
  stateHash(): { readonly index: number; readonly hash: string } {
    return { index: this.#state.index, hash: this.#state.stateHash() };
  }

  /** The log entries that are in memory. For who checks or dumps them. */
  get log(): Pick<RaftLog, "visit" | "term"> {
    return this.#raftLog;
  }

  /** Walks the state and asserts its invariants. Tests, sim. */
  verify(): void {
    this.#state.verify();
  }

  #execute(): boolean {
    const isMore = this.#executor.run();
    const { failure } = this.#executor;
    if (failure?.passes === true) {
      // What was done since the last entry is in no log (I5): nothing is executed before the state is whole again.
      this.#lostLeadership(RefuseReason.notReady);
      this.#reload(failure.message);
    } else if (failure !== null) {
      this.#failHere(failure.message, failure.damaged);
    }
    return isMore;
  }

  /** Nothing that is executed can be refused by Raft afterwards (I2). A transfer that was given up may still be on Raft's mind. */
  #mayExecute(): boolean {
    return this.isReady && !this.#handOvers.isRunning && this.#raft.canPropose(0) === null;
  }

  #stepReceived(): void {
    this.#storage.stepArrived();
    const { ends } = this.#snapshots;
    const complete = ends.takeComplete();
    if (complete !== null) this.#raft.step(complete);
    if (this.#received.length === 0) return;
    const received = this.#received;
    this.#received = [];
    for (const message of received) {
      if (!ends.isForRaftNow(message)) continue;
      if (this.#intake.takes(message, this.#raftLog.memoryBytes, this.#checkpointer.index)) this.#raft.step(message);
    }
  }

  #send(message: Message): void {
    this.#snapshots.ends.onSend(message);
    this.#host.sendRaft(message, this.groupId);
  }

  /** Committed entries. On the leader, and where the entries are still its own, they are in memory already: only the cursor moves. */
  #applyCommitted(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (this.#failed !== null) return;
      assert(entry.index === this.#applied + 1, "committed entries come in order");
      this.#applied = entry.index;
      if (entry.type !== EntryType.Normal) {
        const members = this.#raft.applyConfChange(entry.data, entry.type === EntryType.ConfChangeV2);
        this.#checkpointer.configurationApplied(entry.index, members);
      }
      if (!this.#isReplacing && entry.index > this.#state.index) this.#applyTo(this.#state, entry);
    }
  }

  #applyTo(state: ShardStateApi, entry: Entry): void {
    try {
      state.apply(entry.type === EntryType.Normal ? entry.data : NO_DATA, entry.index);
    } catch (error) {
      if (!(error instanceof UnknownEffectError)) throw error;
      this.#failHere(`log entry ${entry.index} holds what this program does not know: ${error.message}`);
    }
  }

  /** Entries from `index` on were replaced: what memory holds of them must go before anything else is done with it (I9). */
  #logReplaced(index: number): void {
    assert(this.#raft.role !== Role.leader, "a leader never replaces its own entries");
    assert(index > this.#applied, "a committed entry was replaced (I24)");
    if (index <= this.#state.index && !this.#isReplacing) this.#reload();
  }

  /** Back to the checkpoint, then forward through the log as far as it was handed over as committed. */
  #reload(torn: string | null = null): void {
    this.#cold.drop();
    this.#rollback.start(this.#state, torn, (result) => {
      if (this.#failed !== null) return;
      if (!result.ok) {
        this.#failHere(`the state cannot be loaded again: ${result.message}`, result.reason === "corrupt");
        return;
      }
      this.#takeLoaded(result.value);
    });
  }

  /** A state at the checkpoint becomes the one that counts, forward through the log as far as it was handed over as committed. */
  #takeLoaded(state: ShardStateApi): void {
    for (let index = state.index + 1; index <= this.#applied; index++) {
      this.#applyTo(state, this.#raftLog.entry(index));
      if (this.#isFailed()) return;
    }
    this.#state = state;
    this.#executor.replaceState(state);
    this.#host.requestTurn(this.groupId);
  }

  #judgeLeadership(): void {
    const raft = this.#raft;
    const isLeader = raft.role === Role.leader;
    if (this.#leadTerm !== 0 && (!isLeader || raft.term !== this.#leadTerm))
      this.#lostLeadership(RefuseReason.notLeader);
    if (!isLeader || this.#leadTerm !== 0 || this.#failed !== null) return;
    this.#leadTerm = raft.term;
    this.#held.begin(raft.term);
    this.#uncommitted.clear();
    this.#executor.beginTerm(raft.term);
  }

  /** I5, I12, I13: nothing of the old term outlives it. */
  #lostLeadership(reason: RefuseReason): void {
    const raft = this.#raft;
    const term = this.#leadTerm;
    this.#leadTerm = 0;
    const isCommitted = (index: number): boolean => index <= raft.commit && this.#raftLog.hasOrHad(term, index);
    this.#held.resolve(this.#queue.lanes(), isCommitted);
    this.#executor.endTerm(isCommitted);
    this.#handBackBlocked(reason);
    this.#queue.refuseAll(reason);
    this.#uncommitted.clear();
  }

  /** Nothing has happened for blocked calls: the gateway registers them with the next leader. */
  #handBackBlocked(reason: RefuseReason): void {
    for (const { progress, laneEpoch, number } of this.#blocked.takeAll(this.#state)) {
      if (laneEpoch === progress.epoch) this.#queue.refuse(progress, number, reason);
    }
  }

  #moveCursors(): void {
    const { commit } = this.#raft;
    if (!this.#isReplacing) this.#state.committedTo(Math.min(commit, this.#state.index));
    if (this.#leadTerm === 0) return;
    this.#uncommitted.committed(commit);
    const persisted = this.#config.fsync === "always" ? this.#storage.durableIndex : this.#storage.writtenIndex;
    this.#held.advance(persisted, commit, this.#raft.confirmedRead);
    this.#executor.committed(commit);
  }

  /** Under everysec and no: whether the append that is about to be queued must be durable at once. */
  #mustSync(): boolean {
    return !this.isReady || this.#durabilityWanted() > this.#storage.durableIndex;
  }

  #durabilityWanted(): number {
    const wanted = this.#executor.durabilityWanted;
    // Without anybody waiting, entries that nobody syncs would fill the bound of X − C.
    const crowded = this.#uncommitted.isAbove(this.#config.limits, 0.5) ? this.#raft.lastIndex : 0;
    const gated = Math.max(wanted > this.#raft.commit ? wanted : 0, this.#memberChangeIndex);
    return Math.max(gated, crowded, this.#waits.localIndexWanted());
  }

  #refusal(): RefuseReason | 0 {
    if (!this.isHealthy) return RefuseReason.notReady;
    if (this.#stopping) return RefuseReason.stopping;
    return this.#raft.role === Role.leader ? 0 : RefuseReason.notLeader;
  }

  #leaderNodeId(): number {
    const { leader } = this.#raft;
    return leader === 0 || this.#failed !== null ? 0 : this.#host.nodeOfReplica(this.groupId, leader);
  }

  #tell(): void {
    this.#leaderNews.now(this.isHealthy ? this.#raft.leader : 0, this.#raft.term, this.isHealthy && this.isReady);
  }

  /** For the compiler, which believes that what was true before a call still is. */
  #isFailed(): boolean {
    return this.#failed !== null;
  }

  #failHere(message: string, damaged: boolean = false): void {
    if (this.#failed !== null) return;
    this.fail(message);
    this.#host.onReplicaFailed(this.groupId, message, damaged);
  }
}
