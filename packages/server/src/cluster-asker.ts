/** Asks the nodes of a cluster for the command line: whichever of the seeds answers, then any node that it names. */
import { clusterStateFromJson, type ClusterState } from "@headrace/meta";
import type { MetaClient, MetaResponse, Result } from "@headrace/ports";
import { createMetaClient } from "@headrace/transport";
import { createLogger } from "./logger.ts";

const ASK_TIMEOUT_MS = 2000;

export function noAnswer(seeds: string): string {
  return `no node answers at ${seeds}; name one with --seeds host:grpc-port`;
}

export class ClusterAsker {
  readonly #client: MetaClient;
  #addresses: readonly string[];

  constructor(seeds: string) {
    this.#client = createMetaClient({
      secret: process.env["HEADRACE_CLUSTER_SECRET"] ?? null,
      logger: createLogger("error", { role: "cli" }),
    });
    this.#addresses = seeds.split(",").map((address) => address.trim());
  }

  ask(
    address: string,
    kind: string,
    body: Record<string, unknown>,
    timeoutMs: number = ASK_TIMEOUT_MS,
  ): Promise<Result<MetaResponse>> {
    return new Promise((done) => this.#client.ask(address, { kind, body }, timeoutMs, done));
  }

  /** The newest state among those that answer; null: nobody does. */
  async state(): Promise<ClusterState | null> {
    const answers = await Promise.all(this.#addresses.map((address) => this.ask(address, "state", {})));
    let newest: ClusterState | null = null;
    for (const answer of answers) {
      if (!answer.ok || !answer.value.ok) continue;
      const state = clusterStateFromJson(answer.value.body["state"]);
      if (newest === null || state.version > newest.version) newest = state;
    }
    // From now on any node will do: the seed may be the one that leaves.
    if (newest !== null) {
      this.#addresses = [...new Set([...this.#addresses, ...newest.nodes.map((node) => node.peerAddress)])];
    }
    return newest;
  }

  /** Has any node bring the request to whoever can answer it; null: nobody could be asked. */
  async request(kind: string, body: Record<string, unknown>, timeoutMs: number): Promise<MetaResponse | null> {
    let refused: MetaResponse | null = null;
    for (const address of this.#addresses) {
      const answer = await this.ask(address, kind, body, timeoutMs);
      if (!answer.ok) continue;
      if (answer.value.ok || answer.value.body["retry"] !== true) return answer.value;
      refused = answer.value;
    }
    return refused;
  }

  close(): void {
    this.#client.close();
  }
}
