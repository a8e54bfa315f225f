/**
 * A damaged replica asks to be replaced: the metadata group takes it out of its group, and what is then missing is made up under a new id (I19), here or
 * elsewhere, with the data of the others. The leader of the metadata group grants that only where the other voters are a healthy majority; else it waits
 * for an operator, and is asked again.
 *
 * Must not know: what is damaged, how members change.
 */
import type { ClusterState, MetaCommand } from "@headrace/meta";
import type { Logger, Scheduler, Timer } from "@headrace/ports";

const ASK_EVERY_MS = 1000;

export interface ReplicaReplacementHost {
  readonly nodeId: number;
  state(): ClusterState;
  /** `done` gets null when applied, else why not. */
  propose(command: MetaCommand, done: (error: string | null) => void): void;
}

export class ReplicaReplacement {
  readonly #world: { readonly scheduler: Scheduler; readonly logger: Logger };
  readonly #host: ReplicaReplacementHost;
  /** Group → why its replica still waits. */
  readonly #waiting: Map<number, string>;
  #timer: Timer | null;
  #isStopped: boolean;

  constructor(world: { readonly scheduler: Scheduler; readonly logger: Logger }, host: ReplicaReplacementHost) {
    this.#world = world;
    this.#host = host;
    this.#waiting = new Map();
    this.#timer = null;
    this.#isStopped = false;
  }

  /** The group's replica here is damaged. */
  ask(groupId: number): void {
    this.#waiting.set(groupId, "asks to be replaced");
    this.#timer ??= this.#world.scheduler.after(ASK_EVERY_MS, () => this.#round());
  }

  /** It is gone. */
  settled(groupId: number): void {
    this.#waiting.delete(groupId);
  }

  /** For people; empty when nothing of the kind is known. */
  waitsFor(groupId: number): string {
    return this.#waiting.get(groupId) ?? "";
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #round(): void {
    this.#timer = null;
    for (const groupId of this.#waiting.keys()) this.#askFor(groupId);
    if (this.#waiting.size > 0) this.#timer = this.#world.scheduler.after(ASK_EVERY_MS, () => this.#round());
  }

  #askFor(groupId: number): void {
    const members = this.#host.state().membersOf(groupId);
    const own = members?.replicas.find((replica) => replica.nodeId === this.#host.nodeId);
    if (members === null || own === undefined || members.change !== null) return;
    const command = { kind: "beginRemoval", groupId, removeReplicaIds: [own.replicaId] } as const;
    this.#host.propose(command, (error) => {
      if (this.#isStopped || !this.#waiting.has(groupId)) return;
      const waitsFor = error === null ? "is being replaced" : `waits for an operator: ${error}`;
      if (waitsFor === this.#waiting.get(groupId)) return;
      this.#waiting.set(groupId, waitsFor);
      this.#world.logger.info("damaged_replica", { group: groupId, replica: own.replicaId, replacement: waitsFor });
    });
  }
}
