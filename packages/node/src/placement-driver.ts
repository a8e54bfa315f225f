/**
 * What the leader of the metadata group does about the placement: every half second it looks who is there, asks the plan (meta/placement-plan.ts)
 * what to begin, and proposes it. Decisions are facts only once they are committed; a leader that is replaced leaves nothing behind but those.
 *
 * Must not know: how a change is carried out.
 */
import { groupsInNeedOf, isHealthyWithout, planChanges } from "@headrace/meta";
import type { ClusterState, MetaCommand, NodeFacts } from "@headrace/meta";
import type { Clock, Logger, Scheduler, Timer } from "@headrace/ports";
import type { MetaGroup } from "./meta-group.ts";

const ROUND_MS = 500;

export interface PlacementDriverHost {
  readonly nodeId: number;
  metaGroup(): MetaGroup | null;
  isUp(nodeId: number): boolean;
  /** Monotonic time at which contact was lost, 0 if there was none yet. */
  downSinceMs(nodeId: number): number;
}

export class PlacementDriver implements NodeFacts {
  readonly #nodeDownAfterMs: number;
  readonly #world: { readonly clock: Clock; readonly scheduler: Scheduler; readonly logger: Logger };
  readonly #host: PlacementDriverHost;
  #leadsSinceMs: number;
  #isProposing: boolean;
  #timer: Timer | null;

  constructor(
    nodeDownAfterMs: number,
    world: { readonly clock: Clock; readonly scheduler: Scheduler; readonly logger: Logger },
    host: PlacementDriverHost,
  ) {
    this.#nodeDownAfterMs = nodeDownAfterMs;
    this.#world = world;
    this.#host = host;
    this.#leadsSinceMs = -1;
    this.#isProposing = false;
    this.#timer = null;
  }

  start(): void {
    this.#timer = this.#world.scheduler.after(ROUND_MS, () => {
      this.start();
      this.#round();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  isUp(nodeId: number): boolean {
    return nodeId === this.#host.nodeId || this.#host.isUp(nodeId);
  }

  /** Counted from when this leader began to look: what its predecessor saw died with it. */
  isLost(nodeId: number): boolean {
    if (this.isUp(nodeId) || this.#leadsSinceMs < 0) return false;
    const sinceMs = Math.max(this.#host.downSinceMs(nodeId), this.#leadsSinceMs);
    return this.#world.clock.monotonicMs() - sinceMs >= this.#nodeDownAfterMs;
  }

  /** Why the leader will not even propose the command now; null: it will. For people. */
  objection(state: ClusterState, command: MetaCommand): string | null {
    if (command.kind === "registerNode") {
      const { peerAddress } = command.addresses;
      const there = state.nodes.find(
        (node) => node.peerAddress === peerAddress && node.joinToken !== command.joinToken,
      );
      if (there === undefined || !this.isUp(there.id)) return null;
      return `node ${there.id} is alive at ${peerAddress}: two nodes can't have one address`;
    }
    if (command.kind === "beginChange" || command.kind === "beginRemoval") {
      const group = state.membersOf(command.groupId);
      if (group === null || isHealthyWithout(state, this, group, command.removeReplicaIds)) return null;
      return "the other voters are no healthy majority";
    }
    if (command.kind !== "setDuty" || command.duty !== "expelled") return null;
    const groups = groupsInNeedOf(state, this, command.nodeId);
    if (groups.length === 0) return null;
    const names = groups.map((groupId) => (groupId === 0 ? "metadata" : String(groupId))).join(", ");
    return `without node ${command.nodeId} no majority of replicas is up in groups ${names}: bring the other nodes up first`;
  }

  #round(): void {
    const group = this.#host.metaGroup();
    if (group === null || !group.isReady) {
      this.#leadsSinceMs = -1;
      return;
    }
    if (this.#leadsSinceMs < 0) this.#leadsSinceMs = this.#world.clock.monotonicMs();
    if (this.#isProposing) return;
    const commands = planChanges(group.state, this);
    let open = commands.length;
    this.#isProposing = open > 0;
    for (const command of commands) {
      this.#world.logger.info("placement_change", { ...command });
      group.propose(command, () => {
        if (--open === 0) this.#isProposing = false;
      });
    }
  }
}
