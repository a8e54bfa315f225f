/**
 * A simulated cluster that somebody types into: clients send bytes and get the bytes of whole replies, simulated time runs only while it is waited for,
 * and the wall clock of every process is the caller's. For judges that compare replies; what happens inside is the simulator's business.
 */
import { copyOf } from "@headrace/bytes";
import type { ShardReplica } from "@headrace/node";
import type { ByteConnection } from "@headrace/ports";
import { ReplyReader } from "@headrace/resp";
import { EventLoop, Life } from "../src/event-loop.ts";
import { SeededRandom } from "../src/seeded-random.ts";
import { SimByteNetwork } from "../src/sim-network.ts";
import { defaultClusterOptions, SimulatedCluster } from "../src/simulated-cluster.ts";
import type { ClusterOptions, Machine } from "../src/simulated-cluster.ts";

/** Simulated time within which everything must be answered, whatever the faults. */
const PATIENCE_MS = 20_000;

/** A replica that leads and serves. */
export interface LedShard {
  readonly machine: Machine;
  readonly shard: ShardReplica;
}

export class JudgedClient {
  /** Replies that nobody has taken yet, each in a buffer of its own. */
  readonly replies: Uint8Array[] = [];
  isClosed: boolean = false;
  readonly #connection: ByteConnection;
  readonly #reader: ReplyReader = new ReplyReader();

  constructor(connection: ByteConnection) {
    this.#connection = connection;
    connection.listen({
      onData: (chunk) => {
        this.#reader.feed(chunk);
        while (this.#reader.next()) {
          this.replies.push(copyOf(this.#reader.bytes, this.#reader.start, this.#reader.end));
        }
      },
      onDrain: () => undefined,
      onClose: () => {
        this.isClosed = true;
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.#connection.write(bytes);
  }

  close(): void {
    this.#connection.destroy();
  }
}

export class JudgedCluster {
  readonly loop: EventLoop = new EventLoop();
  readonly cluster: SimulatedCluster;
  readonly random: SeededRandom;
  readonly #network: SimByteNetwork;

  /** Runs until everything is served. */
  constructor(seed: number, wallMs: () => number, options: Partial<ClusterOptions> = {}) {
    this.random = new SeededRandom(seed);
    this.cluster = new SimulatedCluster(
      this.loop,
      this.random.fork(),
      { ...defaultClusterOptions, ...options, wallMs },
      () => undefined,
    );
    this.#network = new SimByteNetwork(this.cluster.network, new Life("clients"));
    this.runUntil(() => this.isServing, "the cluster serves");
  }

  /** Every shard has a leader that every gateway reaches. */
  get isServing(): boolean {
    for (const { gateway } of this.cluster.gateways()) if (!gateway.isReady) return false;
    return this.leaders().length === new Set([...this.cluster.replicas()].map(({ shard }) => shard.groupId)).size;
  }

  leaders(): readonly LedShard[] {
    return [...this.cluster.replicas()].filter(({ shard }) => shard.isReady);
  }

  /** Reads that wait at the leaders. */
  get blockedCalls(): number {
    return this.leaders().reduce((sum, { shard }) => sum + shard.status().blockedCalls, 0);
  }

  connect(gateway: number): JudgedClient {
    const addresses = this.cluster.gatewayAddresses;
    return new JudgedClient(this.#network.connect(addresses[gateway % addresses.length]!));
  }

  /** Lets time go by. False when `done` was not met in `ms`. */
  runFor(ms: number, done: () => boolean = () => false): boolean {
    const until = this.loop.nowMs + ms;
    while (!done()) {
      if (this.loop.step(until)) continue;
      this.loop.nowMs = until;
      return done();
    }
    return true;
  }

  runUntil(done: () => boolean, what: string): void {
    if (!this.runFor(PATIENCE_MS, done)) throw new Error(`not within ${PATIENCE_MS} simulated ms: ${what}`);
  }

  /** Sends one request and answers its reply. */
  ask(client: JudgedClient, bytes: Uint8Array): Uint8Array {
    client.send(bytes);
    this.runUntil(() => client.replies.length > 0, "an answer");
    return client.replies.shift()!;
  }
}
