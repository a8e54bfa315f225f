/**
 * Which link leads to the leader of a shard. Leaders are hints: nodes tell what they believe, with terms, and the higher term wins; a refusal
 * corrects. Lanes that find no leader wait here and are woken in the order in which they came.
 */
import { RefuseReason } from "@headrace/link";
import type { Refuse } from "@headrace/link";
import { Placement } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import type { Clock, Scheduler } from "@headrace/ports";
import type { NodeLink } from "./node-link.ts";
import type { ShardLane } from "./shard-lane.ts";

const RETRY_MS = 20;

/** What is believed about one shard. */
export interface ShardRoute {
  readonly shardId: number;
  /** 0: unknown. */
  leaderNodeId: number;
  term: number;
  /** Not tried again before: the leader refused for a reason that passes. */
  notBeforeMs: number;
  overloaded: boolean;
  readonly waiting: Set<ShardLane>;
}

export class Router {
  state: ClusterState | null = null;
  placement: Placement | null = null;
  readonly links: Map<number, NodeLink> = new Map();
  readonly #routes: Map<number, ShardRoute> = new Map();
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock;
    this.#scheduler = scheduler;
  }

  /** Takes a newer state. Shards that are new start with their preferred replica's node as the guess. */
  setState(state: ClusterState): void {
    this.state = state;
    this.placement = new Placement(state);
    for (const shard of state.shards) {
      const route = this.route(shard.id);
      if (route.term > 0 || route.leaderNodeId !== 0) continue;
      const preferred = shard.replicas.find((replica) => replica.replicaId === shard.preferredReplicaId);
      route.leaderNodeId = preferred?.nodeId ?? 0;
    }
  }

  route(shardId: number): ShardRoute {
    let route = this.#routes.get(shardId);
    if (route === undefined) {
      route = { shardId, leaderNodeId: 0, term: 0, notBeforeMs: 0, overloaded: false, waiting: new Set() };
      this.#routes.set(shardId, route);
    }
    return route;
  }

  /** Ids of all shards, ascending. */
  shardIds(): number[] {
    const ids = this.state === null ? [] : this.state.shards.map((shard) => shard.id);
    return ids.sort((a, b) => a - b);
  }

  /** The link to the shard's leader, or null when there is none to send to now. */
  linkFor(shardId: number): NodeLink | null {
    const route = this.route(shardId);
    if (route.leaderNodeId === 0) return null;
    if (route.notBeforeMs > 0 && this.#clock.monotonicMs() < route.notBeforeMs) return null;
    const link = this.links.get(route.leaderNodeId);
    return link !== undefined && link.isReady ? link : null;
  }

  /** The node stopped answering and the shard has another leader by now: what was sent there will not be answered in time. */
  isSuperseded(shardId: number, link: NodeLink, nowMs: number, suspectMs: number): boolean {
    const { leaderNodeId } = this.route(shardId);
    if (leaderNodeId === 0 || leaderNodeId === link.nodeId) return false;
    return link.silentForMs(nowMs) >= suspectMs && this.links.get(leaderNodeId)?.isReady === true;
  }

  isOverloaded(shardId: number): boolean {
    return this.route(shardId).overloaded;
  }

  wait(lane: ShardLane): void {
    this.route(lane.shardId).waiting.add(lane);
  }

  forget(lane: ShardLane): void {
    this.route(lane.shardId).waiting.delete(lane);
    for (const link of this.links.values()) link.forget(lane);
  }

  onLeader(shardId: number, nodeId: number, term: number, fromNodeId: number): void {
    const route = this.route(shardId);
    if (nodeId === 0) {
      // Only the node we took for the leader can say that it is not. Its term is not taken over: a candidate's term may never become durable, and after
      // a power cut the shard may go on in a lower one; a term with a leader is on a majority's disks (simulator, seed 1936451937).
      if (route.leaderNodeId === fromNodeId && term >= route.term) route.leaderNodeId = 0;
      return;
    }
    if (term < route.term) return;
    const changed = nodeId !== route.leaderNodeId || term !== route.term;
    route.term = term;
    route.leaderNodeId = nodeId;
    if (changed) {
      route.notBeforeMs = 0;
      route.overloaded = false;
      this.links.get(nodeId)?.hurry();
    }
    this.#wake(route);
  }

  onRefused(shardId: number, refuse: Refuse, fromNodeId: number): void {
    const route = this.route(shardId);
    switch (refuse.reason) {
      case RefuseReason.staleEpoch:
        return;
      case RefuseReason.notLeader:
      case RefuseReason.notOwner:
        if (refuse.leaderNodeId !== 0 && refuse.leaderNodeId !== fromNodeId) {
          this.onLeader(shardId, refuse.leaderNodeId, refuse.term, fromNodeId);
        } else if (refuse.term >= route.term && route.leaderNodeId === fromNodeId && route.term > 0) {
          route.leaderNodeId = 0;
        }
        break;
      case RefuseReason.overloaded:
        route.overloaded = true;
        break;
      case RefuseReason.notReady:
      case RefuseReason.stopping:
        break;
    }
    // A node that refuses although it is still our best guess is asked again, but not at once.
    if (route.leaderNodeId === fromNodeId || route.leaderNodeId === 0) this.#retryLater(route);
  }

  onLinkUp(nodeId: number): void {
    for (const route of this.#routes.values()) if (route.leaderNodeId === nodeId) this.#wake(route);
  }

  #retryLater(route: ShardRoute): void {
    route.notBeforeMs = this.#clock.monotonicMs() + RETRY_MS;
    this.#scheduler.after(RETRY_MS, () => {
      if (this.#clock.monotonicMs() < route.notBeforeMs) return;
      route.notBeforeMs = 0;
      route.overloaded = false;
      this.#wake(route);
    });
  }

  #wake(route: ShardRoute): void {
    if (route.waiting.size === 0) return;
    const waiting = [...route.waiting];
    route.waiting.clear();
    for (const lane of waiting) lane.trySend();
  }
}
