/** A running simulated cluster and who lets its time go by: for runs that play something through, with clients of their own making. */
import type { MetaResponse } from "@headrace/ports";
import { ReplicaChecker } from "./checkers/replicas.ts";
import { EventLoop, Life } from "./event-loop.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimClient, type Operation } from "./sim-client.ts";
import { SimByteNetwork } from "./sim-network.ts";
import type { Asker } from "./simulated-backup.ts";
import { SimulatedCluster, type ClusterOptions } from "./simulated-cluster.ts";

const ASK_TIMEOUT_MS = 3000;
/** Whatever happens, everything must be served within so long. */
const PATIENCE_MS = 60_000;
const CHECK_STATES_EVERY_STEPS = 400;

export interface SceneOptions {
  /** Looks at whole states and logs are dear where those are large. */
  readonly checkStatesEverySteps?: number;
  readonly onLog?: (line: string) => void;
  /** Looks after every step. */
  readonly onStep?: () => void;
}

export class Scene {
  readonly loop: EventLoop;
  readonly cluster: SimulatedCluster;
  readonly replicas: ReplicaChecker;
  readonly #life: Life = new Life("clients");
  readonly #checkStatesEverySteps: number;
  readonly #onStep: () => void;

  constructor(
    random: SeededRandom,
    options: ClusterOptions,
    more: SceneOptions = {},
    loop: EventLoop = new EventLoop(),
  ) {
    this.loop = loop;
    this.cluster = new SimulatedCluster(loop, random, options, more.onLog ?? ((): void => undefined));
    this.replicas = new ReplicaChecker(this.cluster);
    this.#checkStatesEverySteps = more.checkStatesEverySteps ?? CHECK_STATES_EVERY_STEPS;
    this.#onStep = more.onStep ?? ((): void => undefined);
  }

  client(name: string, firstGateway: number, onReply: (operation: Operation) => void): SimClient {
    const options = {
      name,
      loop: this.loop,
      life: this.#life,
      network: new SimByteNetwork(this.cluster.network, this.#life),
      gateways: this.cluster.gatewayAddresses,
      firstGateway,
      ack: "ALL" as const,
    };
    return new SimClient(options, onReply);
  }

  after(delayMs: number, run: () => void): void {
    this.loop.after(delayMs, "client", this.#life, "writer", run);
  }

  step(untilMs: number): boolean {
    const more = this.loop.step(untilMs);
    this.replicas.checkLeaders();
    this.#onStep();
    if (this.loop.steps % this.#checkStatesEverySteps === 0) this.replicas.checkStates();
    return more;
  }

  /** Or until then. */
  runFor(ms: number, done: () => boolean = () => false): void {
    const endMs = this.loop.nowMs + ms;
    while (!done()) {
      if (this.step(endMs)) continue;
      this.loop.nowMs = endMs;
      return;
    }
  }

  runUntil(done: () => boolean, what: () => string, patienceMs: number = PATIENCE_MS): void {
    const endMs = this.loop.nowMs + patienceMs;
    while (!done()) {
      if (!this.step(endMs)) throw new Error(`not within ${patienceMs} simulated ms: ${what()}`);
    }
  }

  asker(): Asker {
    const metaClient = this.cluster.metaClient(this.#life);
    return (address, kind, body) => {
      const answers: (MetaResponse | null)[] = [];
      metaClient.ask(address, { kind, body }, ASK_TIMEOUT_MS, (result) =>
        answers.push(result.ok ? result.value : null),
      );
      while (answers.length === 0) this.step(Number.POSITIVE_INFINITY);
      const [answer] = answers as [MetaResponse | null];
      // As a command does before it asks again.
      if (answer === null || !answer.ok) this.runFor(100);
      return answer;
    };
  }
}
