/**
 * Carries out the changes of members of the groups that this node leads: takes one step a group, waits for its outcome, looks again. What the step
 * is says change-step.ts; nothing is remembered here that would be missed after a crash.
 *
 * Must not know: why a change was decided, shards, the log.
 */
import type { ClusterState, MetaCommand } from "@headrace/meta";
import type { Logger, Scheduler, Timer } from "@headrace/ports";
import type { Proposed, RaftStatus } from "@headrace/raft-ts";
import { nextChangeStep } from "./change-step.ts";

/** A group as far as its members can be changed; shards and the metadata group can. */
export interface ChangeableGroup {
  readonly groupId: number;
  /** Leader, and may propose. */
  readonly isReady: boolean;
  raftStatus(): RaftStatus;
  proposeMembers(data: Uint8Array, isV2: boolean): Proposed;
  handOver(toReplicaId: number, done: (moved: boolean) => void): void;
}

export interface ChangeDriverHost {
  state(): ClusterState;
  groups(): Iterable<ChangeableGroup>;
  /** To the metadata group, wherever its leader is; `done` when applied, refused or given up. */
  propose(command: MetaCommand, done: () => void): void;
}

const ROUND_MS = 100;
/** Groups without a change are looked at now and then: a learner may have been left over. */
const REST_ROUNDS = 20;

interface Pending {
  readonly term: number;
  readonly index: number;
}

export class ChangeDriver {
  readonly #world: { readonly scheduler: Scheduler; readonly logger: Logger };
  readonly #host: ChangeDriverHost;
  /** Proposed to the group's own log. */
  readonly #pending: Map<number, Pending>;
  /** Waiting for the metadata group, or for a transfer. */
  readonly #waiting: Set<number>;
  #rounds: number;
  #timer: Timer | null;

  constructor(world: { readonly scheduler: Scheduler; readonly logger: Logger }, host: ChangeDriverHost) {
    this.#world = world;
    this.#host = host;
    this.#pending = new Map();
    this.#waiting = new Set();
    this.#rounds = 0;
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

  #round(): void {
    const isRestRound = this.#rounds++ % REST_ROUNDS === 0;
    const state = this.#host.state();
    for (const group of this.#host.groups()) {
      const change = state.membersOf(group.groupId)?.change ?? null;
      if (!group.isReady || this.#waiting.has(group.groupId)) continue;
      if (change === null && !isRestRound) continue;
      this.#drive(group, state);
    }
  }

  #drive(group: ChangeableGroup, state: ClusterState): void {
    const { groupId } = group;
    const raft = group.raftStatus();
    const pending = this.#pending.get(groupId);
    if (pending !== undefined && pending.term === raft.term && raft.applied < pending.index) return;
    this.#pending.delete(groupId);
    const change = state.membersOf(groupId)?.change ?? null;
    const hasEnded = (replicaId: number): boolean => state.hasEnded(groupId, replicaId);
    const step = nextChangeStep({ change, hasEnded }, raft);
    switch (step.kind) {
      case "none":
        return;
      case "propose": {
        const proposed = group.proposeMembers(step.data, true);
        const outcome = proposed.ok ? { index: proposed.index } : { refused: proposed.reason };
        this.#world.logger.info("members_step", { group: groupId, step: step.what, ...outcome });
        if (proposed.ok) this.#pending.set(groupId, proposed);
        return;
      }
      case "handOver":
        this.#world.logger.info("members_step", { group: groupId, step: `hand over to ${step.to}` });
        this.#waiting.add(groupId);
        group.handOver(step.to, () => this.#waiting.delete(groupId));
        return;
      case "advance":
        return this.#tell(groupId, { kind: "advanceChange", groupId, changeId: step.changeId });
      case "finish":
        return this.#tell(groupId, { kind: "finishChange", groupId, changeId: step.changeId, isDone: step.isDone });
    }
  }

  #tell(groupId: number, command: MetaCommand): void {
    this.#waiting.add(groupId);
    this.#host.propose(command, () => this.#waiting.delete(groupId));
  }
}
