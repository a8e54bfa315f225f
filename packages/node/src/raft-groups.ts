/**
 * The Raft groups of this node under one clock and one turn: ticks, frames from peers, the turn loop, who leads what, and the quick reaction
 * to a leader's death.
 *
 * A TURN drives every group that has asked for it, then sends one frame per peer and channel, then one write per link. Everything that
 * arrives in the meantime shares the next turn.
 *
 * A peer whose process is gone shows as a refused or reset connection at once. Its groups then forget their leader (so that they vote
 * again) and campaign, one replica after another. A death without such a sign is found by the election timeout of one group, and then by all
 * (leader-losses.ts).
 *
 * Must not know: what the groups' logs hold, lanes, founding.
 */
import { TruncatedError } from "@headrace/bytes";
import { META_GROUP_ID } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import type { Clock, Logger, PeerLoss, PeerNetwork, Random, Scheduler, Timer } from "@headrace/ports";
import { Role } from "@headrace/raft-ts";
import type { Message, RaftNodeApi } from "@headrace/raft-ts";
import { CAMPAIGN_ATTEMPTS, LeaderLosses, PATIENT_ATTEMPTS } from "./leader-losses.ts";
import type { MessageRefusals } from "./message-refusals.ts";
import type { RefusalReason } from "./message-refusals.ts";
import { decodeFrame, PeerCodecError, PeerVersionError } from "./peer-codec.ts";
import type { NodeNote } from "./peer-notes.ts";
import { PeerOutbox } from "./peer-outbox.ts";
import { SnapshotRoutes } from "./snapshot-routes.ts";
import type { RoutedEnds } from "./snapshot-routes.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";
import type { TurnTimes } from "./turn-times.ts";

/** How far the group is with finding a leader. */
export type ElectionView = Pick<RaftNodeApi, "role" | "term" | "isLeaderOverdue">;

/** What a group has to be able to do; shards and the metadata group do. */
export interface RaftGroup {
  readonly groupId: number;
  readonly replicaId: number;
  readonly isHealthy: boolean;
  readonly election: ElectionView;
  readonly snapshots: RoutedEnds;
  tick(): void;
  receive(message: Message): void;
  reportUnreachable(replicaId: number): void;
  drive(): void;
  campaign(): void;
  /** The leader's process is gone: votes are no longer refused for its sake. */
  forgetLeader(): void;
  fail(message: string): void;
}

export interface GroupLeader {
  /** 0: none known. */
  readonly replicaId: number;
  readonly nodeId: number;
  readonly term: number;
  /** This node leads and serves. */
  readonly ready: boolean;
  /** How many leaders were heard of up to this one. */
  readonly changes: number;
}

export interface RaftGroupsWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly peerNetwork: Pick<PeerNetwork, "send">;
  readonly logger: Logger;
  /** Counts what is not taken in. */
  readonly refusals: MessageRefusals;
  readonly snapshots: SnapshotTraffic;
  readonly clock: Clock;
  readonly times: TurnTimes;
}

export interface RaftGroupsHost {
  onLeader(groupId: number, leader: GroupLeader): void;
  /** At the end of every turn, when the groups have been driven. */
  onTurnEnd(): void;
  /** What this node says of itself to the others. */
  ownNote(): NodeNote;
  onNote(fromNodeId: number, note: NodeNote): void;
}

const NO_LEADER: GroupLeader = { replicaId: 0, nodeId: 0, term: 0, ready: false, changes: 0 };

export class RaftGroups {
  readonly #nodeId: number;
  readonly #tickMs: number;
  readonly #world: RaftGroupsWorld;
  readonly #host: RaftGroupsHost;
  readonly #groups: Map<number, RaftGroup>;
  readonly #outbox: PeerOutbox;
  readonly #snapshotRoutes: SnapshotRoutes;
  /** Replica ids are unique in the whole cluster. */
  readonly #nodeByReplica: Map<number, number>;
  readonly #nodesByGroup: Map<number, readonly number[]>;
  /** Replicas from this id on are newer than what is known here of the placement. */
  #unknownFrom: number;
  /** Learners that are nobody (meta/group-change.ts). */
  readonly #marks: Set<number>;
  readonly #preferred: Map<number, number>;
  readonly #leaders: Map<number, GroupLeader>;
  readonly #losses: LeaderLosses;
  readonly #queued: Set<number>;
  #turnScheduled: boolean;
  #inTurn: boolean;
  #tickTimer: Timer | null;
  #stopped: boolean;
  turns: number;
  /** What was not taken in, by reason. */
  readonly refusals: MessageRefusals;

  constructor(nodeId: number, tickMs: number, world: RaftGroupsWorld, host: RaftGroupsHost) {
    this.#nodeId = nodeId;
    this.#tickMs = tickMs;
    this.#world = world;
    this.#host = host;
    this.#groups = new Map();
    const reportLost = (groupId: number, replicaId: number): void =>
      this.#groups.get(groupId)?.reportUnreachable(replicaId);
    this.#outbox = new PeerOutbox(world.peerNetwork, () => host.ownNote(), reportLost);
    this.#snapshotRoutes = new SnapshotRoutes(nodeId, world, {
      nodeOfReplica: (groupId, replicaId) => this.nodeOfReplica(groupId, replicaId),
      objectionTo: (fromNodeId, frame) => this.#objection(fromNodeId, this.#groups.get(frame.groupId), frame),
      endsOf: (groupId) => this.#groups.get(groupId)!.snapshots,
      allEnds: () => this.#allEnds(),
    });
    this.#nodeByReplica = new Map();
    this.#nodesByGroup = new Map();
    this.#unknownFrom = 0;
    this.#marks = new Set();
    this.#preferred = new Map();
    this.#leaders = new Map();
    this.#losses = new LeaderLosses(world.random);
    this.#queued = new Set();
    this.#turnScheduled = false;
    this.#inTurn = false;
    this.#tickTimer = null;
    this.#stopped = false;
    this.turns = 0;
    this.refusals = world.refusals;
  }

  get framesSent(): number {
    return this.#outbox.framesSent;
  }

  get framesLost(): number {
    return this.#outbox.framesLost;
  }

  add(group: RaftGroup): void {
    this.#groups.set(group.groupId, group);
  }

  remove(groupId: number): void {
    this.#groups.delete(groupId);
    this.#leaders.delete(groupId);
    this.#queued.delete(groupId);
  }

  group(groupId: number): RaftGroup | null {
    return this.#groups.get(groupId) ?? null;
  }

  all(): Iterable<RaftGroup> {
    return this.#groups.values();
  }

  leaderOf(groupId: number): GroupLeader {
    return this.#leaders.get(groupId) ?? NO_LEADER;
  }

  /** Where replicas live and who should lead. */
  place(state: ClusterState): void {
    this.#nodeByReplica.clear();
    this.#unknownFrom = state.nextReplicaId;
    this.#marks.clear();
    for (const groupId of state.groupIds()) this.#marks.add(state.membersOf(groupId)!.change?.mark ?? 0);
    const groups = [state.metaReplicas, ...state.shards.map((shard) => shard.replicas)];
    for (const replicas of groups) {
      for (const replica of replicas) this.#nodeByReplica.set(replica.replicaId, replica.nodeId);
    }
    for (const shard of state.shards) {
      this.#preferred.set(shard.id, shard.preferredReplicaId);
      const nodes = shard.replicas.map((replica) => replica.nodeId);
      this.#nodesByGroup.set(shard.id, nodes);
    }
    this.#losses.place(META_GROUP_ID, state);
  }

  /** Starts the clock. Until then groups may be added, but nothing moves. */
  start(): void {
    this.#tick();
  }

  /** No tick, no turn, no message any more. */
  stop(): void {
    this.#stopped = true;
    this.#tickTimer?.cancel();
  }

  /** The groups that this node should lead campaign at once, if nobody leads: at founding and after a restart of everything. */
  campaignWhereLeaderless(): void {
    for (const group of this.#groups.values()) {
      const preferred = this.#preferred.get(group.groupId) ?? 0;
      // The metadata group has no preferred leader: its first member goes ahead.
      if (preferred === 0 || preferred === group.replicaId) this.#campaignSoon(group, 0);
    }
  }

  // ── what the groups call ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  sendRaft(message: Message, groupId: number): void {
    const nodeId = this.#nodeByReplica.get(message.to) ?? 0;
    if (nodeId === 0 && this.#marks.has(message.to)) return;
    if (nodeId === 0 || nodeId === this.#nodeId) {
      this.refusals.refuse("unknownAddressee", this.#nodeId, groupId, message);
      return;
    }
    this.#outbox.add(nodeId, groupId, message);
    // A turn sends at its end what it has made.
    if (!this.#inTurn) this.#scheduleTurn();
  }

  sendSnapshot(frame: Uint8Array, toReplicaId: number, groupId: number): boolean {
    return !this.#stopped && this.#snapshotRoutes.send(frame, toReplicaId, groupId);
  }

  requestTurn(groupId: number): void {
    this.#queued.add(groupId);
    this.#scheduleTurn();
  }

  /** The nodes that the group's replicas live on. To be read, not kept. */
  nodesOf(groupId: number): readonly number[] {
    return this.#nodesByGroup.get(groupId) ?? [];
  }

  nodeOfReplica(_groupId: number, replicaId: number): number {
    return this.#nodeByReplica.get(replicaId) ?? 0;
  }

  onLeaderChange(groupId: number, replicaId: number, term: number, ready: boolean): void {
    const nodeId = this.#nodeByReplica.get(replicaId) ?? 0;
    const known = this.leaderOf(groupId);
    const isNew = replicaId !== 0 && (term !== known.term || replicaId !== known.replicaId);
    const leader = { replicaId, nodeId, term, ready, changes: known.changes + (isNew ? 1 : 0) };
    this.#leaders.set(groupId, leader);
    if (nodeId !== 0) this.#losses.onLeader(groupId, nodeId);
    this.#host.onLeader(groupId, leader);
  }

  /** `onTurnEnd` is wanted although no group has work. */
  requestTurnEnd(): void {
    if (!this.#inTurn) this.#scheduleTurn();
  }

  // ── what the peers do ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  onFrame(fromNodeId: number, frame: Uint8Array): void {
    if (this.#stopped) return;
    this.#losses.onHeard(fromNodeId);
    try {
      const note = decodeFrame(frame, (groupId, message) => this.#route(fromNodeId, groupId, message));
      this.#host.onNote(fromNodeId, note);
    } catch (error) {
      if (!(error instanceof PeerCodecError || error instanceof TruncatedError)) throw error;
      const reason = error instanceof PeerVersionError ? "unknownVersion" : "malformed";
      this.refusals.refuseFrame(reason, fromNodeId, error.message);
    }
  }

  onSnapshotFrame(fromNodeId: number, bytes: Uint8Array): void {
    if (!this.#stopped) this.#snapshotRoutes.receive(fromNodeId, bytes);
  }

  onPeerUp(): void {
    if (!this.#stopped) this.campaignWhereLeaderless();
  }

  onPeerDown(nodeId: number, loss: PeerLoss): void {
    if (this.#stopped || (loss !== "reset" && loss !== "refused")) return;
    for (const group of this.#groups.values()) {
      const leader = this.leaderOf(group.groupId);
      if (leader.replicaId === 0 || leader.nodeId !== nodeId || !group.isHealthy) continue;
      group.forgetLeader();
      this.#campaignSoon(group, nodeId);
    }
  }

  #route(fromNodeId: number, groupId: number, message: Message): void {
    const group = this.#groups.get(groupId);
    const reason = this.#objection(fromNodeId, group, message);
    if (reason !== null) return this.refusals.refuse(reason, fromNodeId, groupId, message);
    group!.receive(message);
  }

  #objection(
    fromNodeId: number,
    group: RaftGroup | undefined,
    message: { readonly from: number; readonly to: number },
  ): RefusalReason | null {
    if (group === undefined) return "unknownGroup";
    // Replica ids are never used again: another id is another incarnation of the replica, which may have voted otherwise.
    if (group.replicaId !== message.to) return "unknownReplica";
    if (!this.#livesThere(message.from, fromNodeId)) return "unknownSender";
    return group.isHealthy ? null : "replicaFailed";
  }

  *#allEnds(): Iterable<readonly [number, RoutedEnds]> {
    for (const group of this.#groups.values()) if (group.isHealthy) yield [group.groupId, group.snapshots];
  }

  #livesThere(replicaId: number, nodeId: number): boolean {
    const home = this.#nodeByReplica.get(replicaId) ?? 0;
    if (home !== 0 || replicaId < this.#unknownFrom) return home === nodeId;
    // Newer than the placement that is known here, which may have to be learned from this very replica. Its node is proven.
    this.#nodeByReplica.set(replicaId, nodeId);
    return true;
  }

  /** The groups of suspects that have waited long enough. Only once each: to the group its leader is unknown then. */
  #campaignWhereOverdue(): void {
    for (const group of this.#groups.values()) {
      const { nodeId } = this.leaderOf(group.groupId);
      if (!this.#losses.isSuspect(nodeId) || !group.isHealthy || !group.election.isLeaderOverdue) continue;
      group.forgetLeader();
      this.#campaignSoon(group, nodeId);
    }
  }

  /** Who hears of a leader meanwhile stays quiet. */
  #campaignSoon(group: RaftGroup, lostNodeId: number): void {
    const { groupId, replicaId, election } = group;
    const { scheduler } = this.#world;
    let { term } = election;
    let attempts = 0;
    const attempt = (): void => {
      if (this.#stopped || !group.isHealthy || this.leaderOf(groupId).replicaId !== 0) return;
      // An election is under way, of this replica or another one: begun again too early it would never end. But a split vote ends only so.
      const isUnderWay = election.role === Role.candidate || election.term !== term;
      term = election.term;
      if (!isUnderWay || attempts >= PATIENT_ATTEMPTS) group.campaign();
      if (++attempts < CAMPAIGN_ATTEMPTS) scheduler.after(this.#losses.againAfterMs(groupId), attempt);
    };
    // On a busy machine the timers of several fire together: what has arrived meanwhile is read first.
    scheduler.after(this.#losses.delayMs(groupId, replicaId, lostNodeId), () => scheduler.soon(attempt));
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #tick(): void {
    if (this.#stopped) return;
    this.#tickTimer = this.#world.scheduler.after(this.#tickMs, () => this.#tick());
    for (const group of this.#groups.values()) {
      if (group.isHealthy) group.tick();
    }
    if (this.#losses.hasSuspects) this.#campaignWhereOverdue();
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || this.#stopped) return;
    this.#turnScheduled = true;
    this.#world.scheduler.soon(() => this.#turn());
  }

  #turn(): void {
    this.#turnScheduled = false;
    if (this.#stopped) return;
    const { clock, times } = this.#world;
    const startedMs = clock.monotonicMs();
    this.turns++;
    this.#inTurn = true;
    if (this.#queued.size > 0) {
      const groupIds = [...this.#queued];
      this.#queued.clear();
      for (const groupId of groupIds) {
        const group = this.#groups.get(groupId);
        if (group !== undefined && group.isHealthy) group.drive();
      }
    }
    this.#outbox.flush();
    this.#host.onTurnEnd();
    this.#inTurn = false;
    times.turns.observe(clock.monotonicMs() - startedMs);
  }
}
