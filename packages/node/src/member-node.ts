/**
 * A node as a member of a cluster: its groups under one turn loop, the state of the cluster as it knows it, and what follows from a change
 * of either: whom to stay connected with, what to tell watchers and links, where leadership should be.
 *
 * Must not know: founding, how connections are accepted.
 */
import { clusterStateFromJson, clusterStateToJson, META_GROUP_ID } from "@headrace/meta";
import type { ClusterState, MetaCommand } from "@headrace/meta";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import { PeerChannel } from "@headrace/ports";
import type { NodeWorld, PeerLoss, Timer } from "@headrace/ports";
import type { Message } from "@headrace/raft-ts";
import { BackupService } from "./backup-service.ts";
import type { DamageReports } from "./damage.ts";
import type { ChannelRegistry } from "./channel-registry.ts";
import { ChangeDriver, type ChangeableGroup } from "./change-driver.ts";
import { depart } from "./departure.ts";
import { unknownLevel } from "./feature-level.ts";
import { followSettings, unknownSettings } from "./followed-settings.ts";
import type { LaneFront } from "./lane-front.ts";
import { LeaderBalance } from "./leader-balance.ts";
import type { StoredPosition } from "./log-meeting.ts";
import { HEAP_SLACK, MemoryBudget } from "./memory-budget.ts";
import type { MetaGroup, MetaGroupHost } from "./meta-group.ts";
import { storeMetaPosition, votersOnly, type MetaPosition } from "./meta-position.ts";
import type { NodeConfig } from "./node-config.ts";
import type { MessageRefusals } from "./message-refusals.ts";
import { misplacedGroups } from "./misplaced-groups.ts";
import { openEmptyShard, openGroups, openMeta, type OpenedGroups, type OpenGroupOptions } from "./open-groups.ts";
import { OUTBOX_FRAME } from "./outbox-codec.ts";
import { NodeOutboxPost } from "./outbox-post.ts";
import { PeerNotes } from "./peer-notes.ts";
import { PlacementDriver } from "./placement-driver.ts";
import { RaftGroups, type GroupLeader } from "./raft-groups.ts";
import { ReplicaReplacement } from "./replica-replacement.ts";
import { ReplicaKeeper, type ReplicaKeeperHost } from "./replica-keeper.ts";
import { storeReplicas, type OwnReplica } from "./replica-record.ts";
import type { ShardHost, ShardSettings } from "./shard-api.ts";
import { ShardReplica } from "./shard.ts";
import { Scrubber } from "./scrubber.ts";
import { SnapshotTraffic } from "./snapshot-traffic.ts";
import { SpaceWatch } from "./space-watch.ts";
import { SweepPace } from "./sweep-pace.ts";
import { TurnTimes } from "./turn-times.ts";
import { unreadyReasons } from "./unready-reasons.ts";

const BALANCE_CHECK_MS = 1000;

export interface MemberNodeOptions {
  readonly nodeId: number;
  readonly config: NodeConfig;
  readonly world: NodeWorld;
  readonly log: SharedLogApi;
  readonly front: LaneFront;
  readonly damage: DamageReports;
  readonly cluster: MemberCluster;
  readonly refusals: MessageRefusals;
}

/** How the rest of the cluster is asked. */
export interface MemberCluster {
  /** Brings the command to the metadata group's leader; `done` when applied, refused or given up. */
  propose(command: MetaCommand, done: (error: string | null) => void): void;
  /** The node can't go on. */
  onBroken(message: string): void;
}

/** What the disk says at the start. */
export interface MemberStart {
  readonly meta: MetaPosition;
  readonly recovered: ReadonlyMap<number, RecoveredGroup>;
  /** Null: not recorded yet. */
  readonly own: readonly OwnReplica[] | null;
  /** One of those who founded the cluster. */
  readonly isFounder: boolean;
  /** The first state of the groups is still to be written. */
  readonly founding: boolean;
  /** Where the log of a group begins that was restored from a backup. */
  readonly beginnings: ReadonlyMap<number, StoredPosition>;
}

export class MemberNode implements ShardHost, MetaGroupHost, ReplicaKeeperHost {
  readonly nodeId: number;
  readonly #config: NodeConfig;
  readonly #world: NodeWorld;
  readonly #log: SharedLogApi;
  readonly #front: LaneFront;
  readonly #groups: RaftGroups;
  readonly #snapshots: SnapshotTraffic;
  readonly backups: BackupService;
  readonly post: NodeOutboxPost;
  readonly #settings: ShardSettings;
  readonly memory: MemoryBudget;
  readonly #times: TurnTimes = new TurnTimes();
  readonly #sweeps: SweepPace;
  readonly #balance: LeaderBalance;
  readonly #notes: PeerNotes;
  readonly #space: SpaceWatch;
  readonly #cluster: MemberCluster;
  readonly #changes: ChangeDriver;
  readonly #placement: PlacementDriver;
  readonly #replacement: ReplicaReplacement;
  readonly #scrubber: Scrubber;
  readonly #peersUpSinceMs: Map<number, number>;
  readonly #peersDownSinceMs: Map<number, number>;
  /** Opened empty, not taking part yet. */
  readonly #prepared: Map<number, ShardReplica | MetaGroup>;
  #keeper: ReplicaKeeper | null;
  /** Groups that should be here and can't serve, with the reason. */
  readonly #failures: Map<number, string>;
  readonly #damage: DamageReports;
  readonly #shards: Map<number, ShardReplica>;
  #meta: MetaGroup | null;
  #state: ClusterState;
  #running: boolean;
  #stopping: boolean;
  #balanceTimer: Timer | null;

  constructor(options: MemberNodeOptions, state: ClusterState) {
    const { world, config } = options;
    this.nodeId = options.nodeId;
    this.#config = config;
    this.#world = world;
    this.#log = options.log;
    this.#front = options.front;
    this.#cluster = options.cluster;
    this.#damage = options.damage;
    this.#settings = unknownSettings();
    this.memory = new MemoryBudget(config.shardLimits, {
      otherBytes: (heldBytes) => {
        // A budget that was made small while running does not make the store's buffers smaller.
        const storeBytes = Math.min(config.storeMemoryBytes, this.memory.budgetBytes / 4);
        return this.#front.bufferedBytes + storeBytes + heldBytes * HEAP_SLACK;
      },
      onFull: (isFull) => this.#memoryIsFull(isFull),
    });
    this.#notes = new PeerNotes(this.nodeId, world.clock);
    this.#space = new SpaceWatch(world, config.diskReserveBytes, (isLow) => (this.#settings.refuseGrowth = isLow));
    this.#snapshots = new SnapshotTraffic(world.clock, config.snapshotBytesPerSecond);
    this.#sweeps = new SweepPace(world.clock, world.scheduler);
    this.backups = new BackupService(world, this.#snapshots, {
      shard: (shardId) => this.shard(shardId),
      leaderNodeOf: (shardId) => this.#groups.leaderOf(shardId).nodeId,
    });
    this.post = new NodeOutboxPost(world, {
      nodeId: this.nodeId,
      state: () => this.#state,
      leaderNodeOf: (shardId) => this.#groups.leaderOf(shardId).nodeId,
      deskOf: (shardId) => this.shard(shardId)?.outbox ?? null,
    });
    const { refusals } = options;
    const groupsWorld = { ...world, refusals, snapshots: this.#snapshots, times: this.#times };
    this.#groups = new RaftGroups(this.nodeId, config.heartbeatMs, groupsWorld, {
      onLeader: (groupId, leader) => this.#onLeader(groupId, leader),
      onTurnEnd: () => {
        this.#front.flush();
        this.memory.endTurn();
      },
      ownNote: () => ({ wallMs: world.clock.wallMs(), isLowOnSpace: this.#space.isLow }),
      onNote: (nodeId, note) => this.#notes.heard(nodeId, note),
    });
    this.#balance = new LeaderBalance(world.clock, config.balanceAfterMs, {
      misplaced: () =>
        misplacedGroups(this.#state.shards, {
          nodeId: this.nodeId,
          notes: this.#notes,
          isLowOnSpace: this.#space.isLow,
          shard: (shardId) => this.shard(shardId),
          nodesOf: (groupId) => this.#groups.nodesOf(groupId),
        }),
      upSinceMs: (nodeId) => this.#peersUpSinceMs.get(nodeId) ?? null,
      handOver: (groupId, replicaId, done) => this.#shards.get(groupId)!.handOver(replicaId, done),
    });
    this.#changes = new ChangeDriver(world, {
      state: () => this.#state,
      groups: () => this.#changeable(),
      propose: (command, done) => this.#cluster.propose(command, () => done()),
    });
    this.#replacement = new ReplicaReplacement(world, {
      nodeId: this.nodeId,
      state: () => this.#state,
      propose: (command, done) => this.#cluster.propose(command, done),
    });
    this.#scrubber = new Scrubber(world, config, {
      shardIds: () => [...this.#shards.keys()],
      shard: (shardId) => this.shard(shardId),
      isBusy: () => this.memory.traffic.count > 0,
      onDamaged: (groupId, message) => this.#reportDamaged(groupId, message),
    });
    this.#placement = new PlacementDriver(config.nodeDownAfterMs, world, {
      nodeId: this.nodeId,
      metaGroup: () => this.#meta,
      isUp: (nodeId) => this.#peersUpSinceMs.has(nodeId),
      downSinceMs: (nodeId) => this.#peersDownSinceMs.get(nodeId) ?? 0,
    });
    this.#peersUpSinceMs = new Map();
    this.#peersDownSinceMs = new Map();
    this.#prepared = new Map();
    this.#keeper = null;
    this.#failures = new Map();
    this.#shards = new Map();
    this.#meta = null;
    this.#state = state;
    this.#running = false;
    this.#stopping = false;
    this.#balanceTimer = null;
    this.#follow(state);
  }

  get state(): ClusterState {
    return this.#state;
  }

  get channels(): ChannelRegistry {
    return this.#front.channels;
  }

  get metaGroup(): MetaGroup | null {
    return this.#meta;
  }

  get groups(): RaftGroups {
    return this.#groups;
  }

  /** What the leader of the metadata group would say to it, besides the state itself; null: nothing. */
  objection(command: MetaCommand): string | null {
    return this.#meta?.isReady === true ? this.#placement.objection(this.#meta.state, command) : null;
  }

  /** null: no healthy replica of the shard here. */
  shard(shardId: number): ShardReplica | null {
    const shard = this.#shards.get(shardId);
    return shard !== undefined && shard.isHealthy && this.#running ? shard : null;
  }

  shards(): Iterable<ShardReplica> {
    return this.#shards.values();
  }

  /** Opens every replica that is here. Nothing moves before `run`. */
  open(start: MemberStart, done: () => void): void {
    // Before the first record was written only founders had replicas: those that the first state gave them.
    const placed = start.isFounder ? start.meta.state.groupsOn(this.nodeId) : [];
    const own = start.own ?? placed.map((group): OwnReplica => ({ ...group, stage: "open" }));
    const options = {
      ...this.#opening(start.meta),
      nodeId: this.nodeId,
      recovered: start.recovered,
      placed: own.filter((replica) => replica.stage === "open"),
      founding: start.founding,
      beginnings: start.beginnings,
    };
    const world = { ...this.#world, log: this.#log, sweeps: this.#sweeps };
    this.#keeper = new ReplicaKeeper(this.nodeId, world, this, own);
    openGroups(options, (opened) => {
      this.#take(opened);
      if (start.own !== null) return done();
      storeReplicas(this.#world.recordStore, own, (stored) => {
        if (stored.ok) done();
        else this.onFailed(`record replicas can't be written: ${stored.message}`);
      });
    });
  }

  /** Takes part from here on. */
  run(): void {
    this.#running = true;
    this.#space.start();
    this.#scrubber.start();
    this.#groups.start();
    this.#announce(this.#state);
    this.#groups.campaignWhereLeaderless();
    this.#scheduleBalance();
    this.#changes.start();
    this.#placement.start();
    this.#keeper!.follow(this.#state);
  }

  /** A newer state than is known here, heard from another node. */
  adopt(state: ClusterState): void {
    if (state.version <= this.#state.version) return;
    this.#state = state;
    this.#follow(state);
    if (!this.#running) return;
    this.#announce(state);
    this.#keeper!.follow(state);
    // Where there is a replica of the metadata group, the record is about its own position. One that stays out because its log lacks entries must find
    // the same at the next start.
    if (this.#meta !== null || this.#prepared.has(META_GROUP_ID) || this.#failures.has(META_GROUP_ID)) return;
    const position = { index: 0, term: 0, confState: votersOnly([]) };
    storeMetaPosition(this.#world.recordStore, { position, state, isPut: true }, (result) => {
      // It only shortens the next start: the state is asked for again anyway.
      if (!result.ok) this.#world.logger.warn("metadata_not_stored", { message: result.message });
    });
  }

  /** No replica serves, votes or writes any more: the log can't be believed (I22). */
  failAll(message: string): void {
    for (const group of this.#groups.all()) group.fail(message);
  }

  #stopAll(message: string): void {
    for (const group of this.#groups.all()) this.onReplicaFailed(group.groupId, message, false);
    this.failAll(message);
  }

  // ── stopping ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Moves leadership of everything led here to others, then keeps what is here; answers when that is done, or the time is over. */
  handOverAll(done: () => void): void {
    this.#leave();
    this.#handOverMeta();
    const departing = {
      groups: this.#groups,
      shards: () => [...this.#shards.values()].filter((shard) => shard.isHealthy),
      shard: (shardId: number) => this.shard(shardId),
      isUp: (nodeId: number) => this.#peersUpSinceMs.has(nodeId),
      isAlone: () => this.#peersUpSinceMs.size === 0,
      onLetGo: (groupId: number, term: number) => this.#front.setLeader(groupId, 0, term),
    };
    depart(this.#world, this.#config, departing, done);
  }

  /** Nothing is decided or begun any more. */
  #leave(): void {
    this.#stopping = true;
    this.#balanceTimer?.cancel();
    this.#changes.stop();
    this.#placement.stop();
    this.#replacement.stop();
    this.#scrubber.stop();
    this.#keeper?.stop();
  }

  /** Gives every held reply its fate; then nothing moves any more. */
  stop(): void {
    this.#leave();
    for (const shard of this.#shards.values()) {
      if (!shard.isHealthy) continue;
      shard.stopServing();
      shard.drive();
    }
    this.#front.flush();
    this.backups.stop();
    this.#groups.stop();
    this.#space.stop();
    this.#running = false;
    for (const group of this.#groups.all()) group.fail("the node is stopping");
  }

  // ── what the groups call ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  sendRaft(message: Message, groupId: number): void {
    this.#groups.sendRaft(message, groupId);
  }

  sendSnapshot(frame: Uint8Array, toReplicaId: number, groupId: number): boolean {
    return this.#groups.sendSnapshot(frame, toReplicaId, groupId);
  }

  requestTurn(groupId: number): void {
    this.#groups.requestTurn(groupId);
  }

  nodeOfReplica(groupId: number, replicaId: number): number {
    return this.#groups.nodeOfReplica(groupId, replicaId);
  }

  stampLimitMs(groupId: number): number {
    return this.#notes.stampLimitMs(this.#groups.nodesOf(groupId));
  }

  onNoSpace(): void {
    this.#space.noteFull();
  }

  onLeaderChange(groupId: number, leaderReplicaId: number, term: number, ready: boolean): void {
    this.#groups.onLeaderChange(groupId, leaderReplicaId, term, ready);
  }

  onReplicaFailed(groupId: number, message: string, damaged: boolean): void {
    if (this.#stopping) return;
    if (damaged) this.#reportDamaged(groupId, message);
    this.#failures.set(groupId, message);
    this.#front.setLeader(groupId, 0, this.#groups.leaderOf(groupId).term);
    this.#world.logger.error("replica_failed", { group: groupId, message });
  }

  /** One that still takes part goes on until it is replaced: whoever asks for the damaged row itself makes it fail. */
  #reportDamaged(groupId: number, message: string): void {
    this.#damage.report("state", `group ${groupId}: ${message}`);
    this.#replacement.ask(groupId);
  }

  /** From the replica of the metadata group, which may still be behind what was heard elsewhere. */
  onClusterState(state: ClusterState): void {
    const unknown = unknownLevel(state, this.#config.featureLevel);
    if (unknown !== null) return this.#stopAll(unknown);
    if (state.version < this.#state.version) return;
    this.#state = state;
    this.#follow(state);
    if (!this.#running) return;
    this.#announce(state);
    this.#keeper!.follow(state);
  }

  // ── what the keeper of the replicas calls ─────────────────────────────────────────────────────────────────────────────────────────

  prepare(groupId: number, replicaId: number, done: (failure: string | null) => void): void {
    const position = { index: 0, term: 0, confState: votersOnly([]) };
    const options = this.#opening({ position, state: copyOf(this.#state), isPut: true });
    if (groupId === META_GROUP_ID) {
      this.#prepared.set(groupId, openMeta(options, replicaId, null));
      return done(null);
    }
    openEmptyShard(options, { groupId, replicaId }, (shard, failure) => {
      if (shard !== null) this.#prepared.set(groupId, shard);
      done(shard === null ? failure!.message : null);
    });
  }

  admit(groupId: number): void {
    const group = this.#prepared.get(groupId)!;
    this.#prepared.delete(groupId);
    this.#failures.delete(groupId);
    if (group instanceof ShardReplica) this.#shards.set(groupId, group);
    else this.#meta = group;
    this.#groups.add(group);
    this.#groups.requestTurn(groupId);
  }

  retire(groupId: number, done: () => void): void {
    const shard = this.#shards.get(groupId);
    this.#front.setLeader(groupId, 0, this.#groups.leaderOf(groupId).term);
    this.#groups.remove(groupId);
    this.#shards.delete(groupId);
    this.#replacement.settled(groupId);
    if (shard === undefined) {
      if (groupId === META_GROUP_ID) this.#dropMeta();
      this.#failures.delete(groupId);
      this.#world.scheduler.soon(done);
      return;
    }
    shard.retire(() => {
      this.#failures.delete(groupId);
      done();
    });
  }

  onFailed(message: string): void {
    this.#cluster.onBroken(message);
  }

  /** The state goes on to be known, but not by changes of its own. */
  #dropMeta(): void {
    if (this.#meta === null) return;
    this.#meta.retire("the replica was removed");
    this.#meta = null;
    this.#state = copyOf(this.#state);
  }

  // ── what the peers do ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  onPeerUp(nodeId: number): void {
    this.#peersUpSinceMs.set(nodeId, this.#world.clock.monotonicMs());
    this.#peersDownSinceMs.delete(nodeId);
    // One that is about to go does not strive for leadership.
    if (this.#running && !this.#stopping) this.#groups.onPeerUp();
  }

  onPeerDown(nodeId: number, loss: PeerLoss): void {
    if (this.#peersUpSinceMs.delete(nodeId)) this.#peersDownSinceMs.set(nodeId, this.#world.clock.monotonicMs());
    if (this.#running && !this.#stopping) this.#groups.onPeerDown(nodeId, loss);
  }

  onFrame(fromNodeId: number, channel: PeerChannel, frame: Uint8Array): void {
    if (!this.#running) return;
    if (channel === PeerChannel.snapshot && frame[0] === OUTBOX_FRAME) this.post.receive(fromNodeId, frame);
    else if (channel === PeerChannel.snapshot) this.#groups.onSnapshotFrame(fromNodeId, frame);
    else this.#groups.onFrame(fromNodeId, frame);
  }

  // ── how it is doing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Why this node is not ready; empty when it is. */
  unreadyReasons(): string[] {
    if (!this.#running) return ["opening its groups"];
    return unreadyReasons({
      nodeId: this.nodeId,
      state: this.#state,
      failures: this.#failures,
      waitsFor: (groupId) => this.#replacement.waitsFor(groupId),
      groups: this.#groups,
      shards: this.#shards,
    });
  }

  /** Shards whose leaders are here, for who looks at their groups. */
  leading(): readonly ShardReplica[] {
    return [...this.#shards.values()].filter((shard) => shard.isReady);
  }

  status(): Record<string, unknown> {
    const inOrder = [...this.#shards.values()].sort((a, b) => a.groupId - b.groupId);
    const shards = inOrder.map((shard) => ({
      ...shard.status(),
      leaderNodeId: this.#groups.leaderOf(shard.groupId).nodeId,
      leaderChanges: this.#groups.leaderOf(shard.groupId).changes,
    }));
    const peers = this.#state.nodes
      .filter((node) => node.id !== this.nodeId)
      .map((node) => ({
        nodeId: node.id,
        address: node.peerAddress,
        up: this.#peersUpSinceMs.has(node.id),
      }));
    return {
      epoch: this.#state.epoch,
      stateVersion: this.#state.version,
      metadata:
        this.#meta === null
          ? null
          : {
              ...this.#meta.status(),
              leaderNodeId: this.#groups.leaderOf(META_GROUP_ID).nodeId,
              leaderChanges: this.#groups.leaderOf(META_GROUP_ID).changes,
            },
      shards,
      failures: Object.fromEntries(this.#failures),
      peers,
      frames: {
        sent: this.#groups.framesSent,
        lost: this.#groups.framesLost,
      },
      space: {
        freeBytes: this.#space.freeBytes,
        reserveBytes: this.#space.reserveBytes,
        isLow: this.#space.isLow,
      },
      clockAheadMs: this.#notes.aheadMs(this.#state.nodes.map((node) => node.id)),
      turns: this.#groups.turns,
      snapshots: this.#snapshots.status(),
      scrubbing: this.#scrubber.status(),
      memory: this.memory.status(),
      times: this.#times,
    };
  }

  // ── consequences ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(opened: OpenedGroups): void {
    this.#meta = opened.meta;
    if (opened.meta !== null) {
      this.#groups.add(opened.meta);
      this.#state = opened.meta.state;
    }
    for (const [groupId, shard] of opened.shards) this.#shards.set(groupId, shard);
    for (const shard of opened.shards.values()) this.#groups.add(shard);
    for (const [groupId, { message, damaged }] of opened.failures) this.onReplicaFailed(groupId, message, damaged);
  }

  #opening(meta: MetaPosition): OpenGroupOptions {
    return {
      config: this.#config,
      world: this.#world,
      log: this.#log,
      snapshots: this.#snapshots,
      memory: this.memory,
      times: this.#times,
      sweeps: this.#sweeps,
      settings: this.#settings,
      meta,
      host: this,
    };
  }

  *#changeable(): Iterable<ChangeableGroup> {
    if (!this.#running || this.#stopping) return;
    if (this.#meta !== null) yield this.#meta;
    for (const shard of this.#shards.values()) if (shard.isHealthy) yield shard;
  }

  #follow(state: ClusterState): void {
    followSettings(this.#settings, state.settings);
    this.memory.budgetBytes = state.settings.maxMemoryBytes ?? this.#config.memoryBytes;
    this.#groups.place(state);
  }

  #memoryIsFull(isFull: boolean): void {
    this.#settings.refuseFixedMemory = isFull;
    const { budgetBytes, usedBytes, fixedBytes } = this.memory;
    const fields = { budgetBytes, usedBytes, fixedBytes };
    if (isFull) this.#world.logger.warn("memory_full", fields);
    else this.#world.logger.info("memory_has_room", fields);
  }

  #announce(state: ClusterState): void {
    const { peerNetwork } = this.#world;
    const others = state.nodes.filter((node) => node.id !== this.nodeId);
    peerNetwork.setPeers(others.map((node) => ({ nodeId: node.id, address: node.peerAddress })));
    peerNetwork.publishState(state.version, clusterStateToJson(state));
  }

  #onLeader(groupId: number, leader: GroupLeader): void {
    const { nodeId, replicaId, term, ready } = leader;
    const fields = { group: groupId, node: nodeId, replica: replicaId, term, ready };
    if (nodeId === 0) this.#world.logger.debug("leader_unknown", fields);
    else this.#world.logger.info("leader", fields);
    if (groupId === META_GROUP_ID) return;
    // Of itself a node says so only when it serves: until then requests would come back.
    const known = leader.nodeId !== this.nodeId || leader.ready ? leader.nodeId : 0;
    this.#front.setLeader(groupId, known, leader.term);
  }

  #scheduleBalance(): void {
    this.#balanceTimer = this.#world.scheduler.after(BALANCE_CHECK_MS, () => {
      if (this.#stopping) return;
      this.#balance.check();
      this.#returnFromQuarantine();
      this.#scheduleBalance();
    });
  }

  /** Whatever it held was given up, and it is empty: it may be given its share again. */
  #returnFromQuarantine(): void {
    if (this.#state.node(this.nodeId)?.duty !== "quarantined" || this.#state.groupsOn(this.nodeId).length > 0) return;
    if (this.#shards.size > 0 || this.#meta !== null || this.#failures.size > 0) return;
    this.#cluster.propose({ kind: "setDuty", nodeId: this.nodeId, duty: "active" }, () => undefined);
  }

  #handOverMeta(): void {
    const meta = this.#meta;
    if (meta === null || !meta.isLeader) return;
    const successor = this.#state.metaReplicas.find((replica) => {
      return !replica.isJoining && this.#peersUpSinceMs.has(replica.nodeId);
    });
    if (successor !== undefined) meta.handOver(successor.replicaId, () => undefined);
  }
}

function copyOf(state: ClusterState): ClusterState {
  return clusterStateFromJson(clusterStateToJson(state));
}
