/**
 * A node whose log is damaged: every replica that lives in it has to be replaced under a new id (I19, I23). It asks the metadata group to treat what it holds
 * as lost. That group takes one replica after the other out, each only where the remaining voters are a healthy majority; where they are not, this node
 * waits for an operator. When nothing is placed on it any more, nothing that its log promised counts any more: the log is thrown away, and the node
 * comes back empty.
 *
 * Must not know: what is damaged, how the log is thrown away, how members change.
 */
import type { ClusterState, MetaCommand } from "@headrace/meta";
import type { Logger, Scheduler, Timer } from "@headrace/ports";

const ROUND_MS = 1000;

export interface QuarantineHost {
  nodeId(): number;
  /** As it was heard last; null: not known yet. */
  state(): ClusterState | null;
  /** `done` gets null when applied, else why not. */
  propose(command: MetaCommand, done: (error: string | null) => void): void;
  /** Nothing is placed here any more. Called once. */
  onReleased(): void;
}

export class Quarantine {
  readonly #world: { readonly scheduler: Scheduler; readonly logger: Logger };
  readonly #host: QuarantineHost;
  #waitsFor: string;
  #isAsking: boolean;
  #isOver: boolean;
  #timer: Timer | null;

  constructor(world: { readonly scheduler: Scheduler; readonly logger: Logger }, host: QuarantineHost) {
    this.#world = world;
    this.#host = host;
    this.#waitsFor = "its replicas are to be replaced";
    this.#isAsking = false;
    this.#isOver = false;
    this.#timer = null;
  }

  /** For people: what has to happen before the node is of use again. */
  get waitsFor(): string {
    return this.#waitsFor;
  }

  start(): void {
    this.#timer = this.#world.scheduler.after(ROUND_MS, () => {
      this.start();
      this.#round();
    });
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #round(): void {
    const state = this.#host.state();
    if (this.#isOver || this.#isAsking || state === null) return;
    const nodeId = this.#host.nodeId();
    const own = state.node(nodeId);
    if (own === null)
      return this.#wait("an operator: the node was removed from the cluster, its data directory is to be deleted");
    if (own.duty !== "quarantined" && own.duty !== "expelled") return this.#ask();
    const held = state.groupsOn(nodeId).map(({ groupId }) => (groupId === 0 ? "metadata" : String(groupId)));
    if (held.length > 0) {
      return this.#wait(
        `the other voters of groups ${held.join(", ")} to replace its replicas; where they are no healthy majority an operator has to help`,
      );
    }
    if (own.duty === "expelled") return this.#wait("an operator: the node is being removed");
    this.stop();
    this.#host.onReleased();
  }

  #ask(): void {
    this.#isAsking = true;
    const command = { kind: "setDuty", nodeId: this.#host.nodeId(), duty: "quarantined" } as const;
    this.#host.propose(command, (error) => {
      this.#isAsking = false;
      if (!this.#isOver && error !== null)
        this.#wait(`an operator: the metadata group can't be asked to replace its replicas: ${error}`);
    });
  }

  #wait(waitsFor: string): void {
    if (waitsFor === this.#waitsFor) return;
    this.#waitsFor = waitsFor;
    this.#world.logger.warn("quarantine_waits", { waiting_for: waitsFor });
  }
}
