/**
 * A node as a member of a cluster: its groups under one turn loop, the state of the cluster as it knows it, and what follows from a change
 * of either: whom to stay connected with, what to tell watchers and links, where leadership should be.
 *
 * Must not know: founding, how connections are accepted.
 */
import { clusterStateToJson, META_GROUP_ID } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import { PeerChannel } from "@headrace/ports";
import type { NodeWorld, PeerLoss, Timer } from "@headrace/ports";
import type { Message } from "@headrace/raft-ts";
import type { DamageReports } from "./damage.ts";
import type { LaneFront } from "./lane-front.ts";
import { LeaderBalance } from "./leader-balance.ts";
import type { LedGroup } from "./leader-balance.ts";
import type { MetaGroup, MetaGroupHost } from "./meta-group.ts";
import { storeMetaPosition, votersOnly } from "./meta-position.ts";
import type { MetaPosition } from "./meta-position.ts";
import type { NodeConfig } from "./node-config.ts";
import { openGroups } from "./open-groups.ts";
import type { OpenedGroups } from "./open-groups.ts";
import { PeerNotes } from "./peer-notes.ts";
import { RaftGroups } from "./raft-groups.ts";
import type { GroupLeader } from "./raft-groups.ts";
import type { ShardHost, ShardSettings } from "./shard-api.ts";
import { SnapshotTraffic } from "./snapshot-traffic.ts";
import type { ShardReplica } from "./shard.ts";
import { SpaceWatch } from "./space-watch.ts";

const BALANCE_CHECK_MS = 1000;
const HAND_OVER_CHECK_MS = 5;

export interface MemberNodeOptions {
  readonly nodeId: number;
  readonly config: NodeConfig;
  readonly world: NodeWorld;
  readonly log: SharedLogApi;
  readonly front: LaneFront;
  readonly damage: DamageReports;
}

export class MemberNode implements ShardHost, MetaGroupHost {
  readonly nodeId: number;
  readonly #config: NodeConfig;
  readonly #world: NodeWorld;
  readonly #log: SharedLogApi;
  readonly #front: LaneFront;
  readonly #groups: RaftGroups;
  readonly #snapshots: SnapshotTraffic;
  readonly #settings: ShardSettings;
  readonly #balance: LeaderBalance;
  readonly #notes: PeerNotes;
  readonly #space: SpaceWatch;
  readonly #peersUpSinceMs: Map<number, number>;
  /** Groups that should be here and can't serve, with the reason. */
  readonly #failures: Map<number, string>;
  readonly #damage: DamageReports;
  #shards: ReadonlyMap<number, ShardReplica>;
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
    this.#damage = options.damage;
    this.#settings = { ack: 2, nodeBounds: { maxEntries: 0, maxBytes: 0 }, refuseGrowth: false };
    this.#notes = new PeerNotes(this.nodeId, world.clock);
    this.#space = new SpaceWatch(world, config.diskReserveBytes, (isLow) => (this.#settings.refuseGrowth = isLow));
    this.#snapshots = new SnapshotTraffic(world.clock, config.snapshotBytesPerSecond);
    const { scheduler, random, peerNetwork, logger } = world;
    const groupsWorld = { scheduler, random, peerNetwork, logger, snapshots: this.#snapshots };
    this.#groups = new RaftGroups(this.nodeId, config.heartbeatMs, groupsWorld, {
      onLeader: (groupId, leader) => this.#onLeader(groupId, leader),
      onTurnEnd: () => this.#front.flush(),
      ownNote: () => ({ wallMs: world.clock.wallMs(), isLowOnSpace: this.#space.isLow }),
      onNote: (nodeId, note) => this.#notes.heard(nodeId, note),
    });
    this.#balance = new LeaderBalance(world.clock, config.balanceAfterMs, {
      misplaced: () => this.#misplaced(),
      upSinceMs: (nodeId) => this.#peersUpSinceMs.get(nodeId) ?? null,
      handOver: (groupId, replicaId, done) => this.#shards.get(groupId)!.handOver(replicaId, done),
    });
    this.#peersUpSinceMs = new Map();
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

  get metaGroup(): MetaGroup | null {
    return this.#meta;
  }

  get groups(): RaftGroups {
    return this.#groups;
  }

  /** null: no healthy replica of the shard here. */
  shard(shardId: number): ShardReplica | null {
    const shard = this.#shards.get(shardId);
    return shard !== undefined && shard.isHealthy && this.#running ? shard : null;
  }

  shards(): Iterable<ShardReplica> {
    return this.#shards.values();
  }

  /** Opens every group placed here. Nothing moves before `run`. */
  open(meta: MetaPosition, recovered: ReadonlyMap<number, RecoveredGroup>, founding: boolean, done: () => void): void {
    const options = {
      nodeId: this.nodeId,
      config: this.#config,
      world: this.#world,
      log: this.#log,
      snapshots: this.#snapshots,
      recovered,
      settings: this.#settings,
      meta,
      founding,
      host: this,
    };
    openGroups(options, (opened) => {
      this.#take(opened);
      done();
    });
  }

  /** Takes part from here on. */
  run(): void {
    this.#running = true;
    this.#space.start();
    this.#groups.start();
    this.#announce(this.#state);
    this.#groups.campaignWhereLeaderless();
    this.#scheduleBalance();
  }

  /** A newer state, heard from a member of the metadata group: only for nodes without a replica of it that runs. */
  adopt(state: ClusterState): void {
    this.#state = state;
    this.onClusterState(state);
    // A replica that stays out because its log lacks entries must find the same at the next start: the record has its position.
    if (this.#failures.has(META_GROUP_ID)) return;
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

  /** Moves leadership of everything led here to others; answers when they lead, or the time is over. */
  handOverAll(done: () => void): void {
    this.#stopping = true;
    this.#balanceTimer?.cancel();
    const { clock, scheduler } = this.#world;
    const deadlineMs = clock.monotonicMs() + this.#config.handOverMs;
    const led = [...this.#groups.all()].filter((group) => {
      return group.isHealthy && this.#groups.leaderOf(group.groupId).replicaId === group.replicaId;
    });
    this.#handOverMeta();
    for (const { groupId } of led) {
      // Nobody knows the successor yet; this node is not asked any more.
      this.#front.setLeader(groupId, 0, this.#groups.leaderOf(groupId).term);
      this.#handOver(groupId);
    }
    const look = (): void => {
      const isMoved = led.every((group) => {
        const { replicaId } = this.#groups.leaderOf(group.groupId);
        return replicaId !== 0 && replicaId !== group.replicaId;
      });
      // Alone nobody can take over, and waiting for it would only cost time.
      const isAlone = this.#peersUpSinceMs.size === 0;
      if (isMoved || isAlone || clock.monotonicMs() >= deadlineMs) done();
      else scheduler.after(HAND_OVER_CHECK_MS, look);
    };
    scheduler.soon(look);
  }

  /** To the replica that is furthest of those in contact; to another one if it does not take over. */
  #handOver(groupId: number): void {
    const shard = this.#shards.get(groupId);
    if (shard === undefined || !this.#running || !shard.isHealthy || !shard.isLeader) return;
    let target = 0;
    let targetMatch = -1;
    for (const { replica, match, isLearner } of shard.status().matches) {
      const isUp = this.#peersUpSinceMs.has(this.#groups.nodeOfReplica(groupId, replica));
      if (!isUp || isLearner || match <= targetMatch) continue;
      target = replica;
      targetMatch = match;
    }
    if (target === 0) return;
    shard.handOver(target, (moved) => {
      if (!moved) this.#world.scheduler.after(HAND_OVER_CHECK_MS, () => this.#handOver(groupId));
    });
  }

  /** Gives every held reply its fate; then nothing moves any more. */
  stop(): void {
    for (const shard of this.#shards.values()) {
      if (!shard.isHealthy) continue;
      shard.stopServing();
      shard.drive();
    }
    this.#front.flush();
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
    if (damaged) this.#damage.report("state", `group ${groupId}: ${message}`);
    this.#failures.set(groupId, message);
    this.#front.setLeader(groupId, 0, this.#groups.leaderOf(groupId).term);
    this.#world.logger.error("replica_failed", { group: groupId, message });
  }

  onClusterState(state: ClusterState): void {
    const unknown = unknownLevel(state, this.#config.featureLevel);
    if (unknown !== null) return this.#stopAll(unknown);
    this.#state = state;
    this.#follow(state);
    if (this.#running) this.#announce(state);
  }

  // ── what the peers do ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  onPeerUp(nodeId: number): void {
    this.#peersUpSinceMs.set(nodeId, this.#world.clock.monotonicMs());
    // One that is about to go does not strive for leadership.
    if (this.#running && !this.#stopping) this.#groups.onPeerUp();
  }

  onPeerDown(nodeId: number, loss: PeerLoss): void {
    this.#peersUpSinceMs.delete(nodeId);
    this.#notes.forget(nodeId);
    if (this.#running && !this.#stopping) this.#groups.onPeerDown(nodeId, loss);
  }

  onFrame(fromNodeId: number, channel: PeerChannel, frame: Uint8Array): void {
    if (!this.#running) return;
    if (channel === PeerChannel.snapshot) this.#groups.onSnapshotFrame(fromNodeId, frame);
    else this.#groups.onFrame(fromNodeId, frame);
  }

  // ── how it is doing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Why this node is not ready; empty when it is. */
  unreadyReasons(): string[] {
    if (!this.#running) return ["opening its groups"];
    const reasons: string[] = [];
    for (const [groupId, message] of this.#failures) reasons.push(`group ${groupId} failed: ${message}`);
    // A node whose disk was replaced comes back empty under a new id. Were it ready, a rolling restart would go on to the next node and take a second copy
    // of its former shards away.
    if (this.#shards.size === 0 && reasons.length === 0) reasons.push("no replica is placed on this node");
    for (const group of this.#groups.all()) {
      if (!group.isHealthy) continue;
      const leader = this.#groups.leaderOf(group.groupId);
      if (leader.replicaId === 0) reasons.push(`group ${group.groupId} has no leader`);
      else if (leader.replicaId === group.replicaId && !leader.ready) {
        reasons.push(`group ${group.groupId} is taking over leadership`);
      }
    }
    for (const shard of this.#shards.values()) {
      if (!shard.isHealthy) continue;
      const { reloading, dirty } = shard.status();
      if (reloading || dirty) reasons.push(`group ${shard.groupId} is catching up`);
    }
    return reasons;
  }

  status(): Record<string, unknown> {
    const shards = [...this.#shards.values()].map((shard) => ({
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
      refused: this.#groups.refusals.counts,
      space: {
        freeBytes: this.#space.freeBytes,
        reserveBytes: this.#space.reserveBytes,
        isLow: this.#space.isLow,
      },
      clockAheadMs: this.#notes.aheadMs(this.#state.nodes.map((node) => node.id)),
      turns: this.#groups.turns,
      snapshots: this.#snapshots.status(),
    };
  }

  // ── consequences ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(opened: OpenedGroups): void {
    this.#shards = opened.shards;
    this.#meta = opened.meta;
    if (opened.meta !== null) {
      this.#groups.add(opened.meta);
      this.#state = opened.meta.state;
    }
    for (const shard of opened.shards.values()) this.#groups.add(shard);
    for (const [groupId, { message, damaged }] of opened.failures) this.onReplicaFailed(groupId, message, damaged);
  }

  #follow(state: ClusterState): void {
    const { settings } = state;
    this.#settings.ack = settings.ack;
    this.#settings.nodeBounds = { maxEntries: settings.streamNodeMaxEntries, maxBytes: settings.streamNodeMaxBytes };
    this.#groups.place(state);
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

  /** What this node leads and another one should: where the plan says so, or because this node's disk or clock is not fit for it. */
  #misplaced(): LedGroup[] {
    const found: LedGroup[] = [];
    for (const placed of this.#state.shards) {
      const shard = this.shard(placed.id);
      if (shard === null || !shard.isReady) continue;
      const nodes = this.#groups.nodesOf(placed.id);
      const { lastIndex, matches } = shard.status();
      const isUnfit = this.#space.isLow || this.#notes.isClockOff(nodes);
      const others = placed.replicas.filter((replica) => {
        const isWanted = isUnfit || replica.replicaId === placed.preferredReplicaId;
        return isWanted && replica.nodeId !== this.nodeId && this.#notes.isFit(replica.nodeId, nodes);
      });
      const led = others.flatMap(({ replicaId, nodeId }): LedGroup[] => {
        const view = matches.find((each) => each.replica === replicaId);
        if (view === undefined || view.isLearner) return [];
        return [{ groupId: placed.id, toReplicaId: replicaId, toNodeId: nodeId, behind: lastIndex - view.match }];
      });
      const isPreferred = placed.replicas.some(
        ({ replicaId, nodeId }) => replicaId === placed.preferredReplicaId && nodeId === this.nodeId,
      );
      if (isPreferred && !isUnfit) continue;
      found.push(...led);
    }
    return found;
  }

  #scheduleBalance(): void {
    this.#balanceTimer = this.#world.scheduler.after(BALANCE_CHECK_MS, () => {
      if (this.#stopping) return;
      this.#balance.check();
      this.#scheduleBalance();
    });
  }

  #handOverMeta(): void {
    const meta = this.#meta;
    if (meta === null || !meta.isLeader) return;
    const successor = this.#state.metaReplicas.find((replica) => this.#peersUpSinceMs.has(replica.nodeId));
    if (successor !== undefined) meta.handOver(successor.replicaId);
  }
}

/** Why this program must not run in a cluster with this state (a feature level is raised when every node knows it); null when it may. */
export function unknownLevel(state: ClusterState, knownLevel: number): string | null {
  if (state.featureLevel <= knownLevel) return null;
  return `the cluster runs at feature level ${state.featureLevel}, this program knows ${knownLevel}: it is too old`;
}
