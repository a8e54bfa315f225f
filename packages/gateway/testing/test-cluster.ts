/** A gateway in front of fake nodes, and clients that type. */
import { bytesOf, latin1, slotOfKey } from "@headrace/bytes";
import { Placement, clusterStateToJson, defaultSettings, foundingPlan } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import { Gateway } from "../src/gateway.ts";
import { defaultLimits, noProcessNumbers } from "../src/config.ts";
import type { GatewayConfig, GatewayLimits } from "../src/config.ts";
import type { OutputLimits } from "../src/output-limits.ts";
import { FakeNode } from "./fake-node.ts";
import { MemoryWorld } from "./memory-world.ts";
import type { MemoryConnection } from "./memory-world.ts";

const GATEWAY_ADDRESS = "127.0.0.1:6379";

export class TestClient {
  readonly connection: MemoryConnection;
  /** Everything received, as latin1. */
  received: string = "";
  isClosed: boolean = false;

  constructor(connection: MemoryConnection) {
    this.connection = connection;
    connection.listen({
      onData: (chunk) => {
        this.received += latin1(chunk, 0, chunk.length);
      },
      onDrain: () => {},
      onClose: () => {
        this.isClosed = true;
      },
    });
  }

  sendRaw(text: string): void {
    this.connection.write(bytesOf(text));
  }

  send(...words: string[]): void {
    this.sendRaw(respOf(words));
  }

  /** What came since the last call, CR LF shown as `|`. */
  take(): string {
    const text = this.received.replaceAll("\r\n", "|");
    this.received = "";
    return text;
  }
}

export function respOf(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Bounds on what any client may leave unread. */
export function outputOf(hardBytes: number): OutputLimits {
  const limit = { hardBytes, softBytes: 0, softSeconds: 0 };
  return { normal: limit, slave: limit, pubsub: limit };
}

export interface TestClusterOptions {
  readonly nodes?: number;
  readonly shards?: number;
  readonly limits?: Partial<GatewayLimits>;
  readonly config?: Partial<GatewayConfig>;
  /** Nodes tell that they lead the shards whose preferred leader they are. Default true. */
  readonly leaders?: boolean;
  /** Whether the gateway learns the placement at once. Default true. */
  readonly publish?: boolean;
  readonly prepare?: (nodes: readonly FakeNode[]) => void;
}

export class TestCluster {
  readonly world: MemoryWorld = new MemoryWorld();
  readonly state: ClusterState;
  readonly nodes: FakeNode[] = [];
  readonly gateway: Gateway;

  constructor(options: TestClusterOptions = {}) {
    const nodeCount = options.nodes ?? 2;
    const founders = Array.from({ length: nodeCount }, (_, i) => ({
      joinToken: `t${i}`,
      peerAddress: `10.0.0.${i + 1}:7000`,
      dataAddress: `10.0.0.${i + 1}:7100`,
      httpAddress: `10.0.0.${i + 1}:7200`,
      announceHost: `10.0.0.${i + 1}`,
      announcePort: 7100,
    }));
    this.state = foundingPlan({
      clusterId: "test-cluster",
      founders,
      shardCount: options.shards ?? 2,
      replicaCount: nodeCount,
      settings: defaultSettings,
    });
    for (const node of this.state.nodes)
      this.nodes.push(new FakeNode(this.world, node.id, node.dataAddress, "test-cluster"));
    if (options.leaders !== false) {
      for (const shard of this.state.shards) this.nodes[this.leaderOf(shard.id) - 1]!.leads.set(shard.id, 1);
    }
    options.prepare?.(this.nodes);
    this.gateway = new Gateway(
      {
        policy: "proxy",
        listenAddress: GATEWAY_ADDRESS,
        announceHost: "127.0.0.1",
        announcePort: 6379,
        localNodeId: 0,
        gatewayId: "g1",
        incarnation: 1,
        seedAddresses: [],
        secret: null,
        processId: 1,
        runId: "0".repeat(40),
        headraceVersion: "0.1.0",
        processNumbers: () => noProcessNumbers,
        extraSettings: [],
        limits: { ...defaultLimits, ...options.limits },
        ...options.config,
      },
      this.world,
    );
    this.gateway.start(() => {});
    if (options.publish !== false) this.publish();
    this.world.run(10);
  }

  publish(): void {
    this.world.publish(clusterStateToJson(this.state));
  }

  /** Node of the preferred leader. */
  leaderOf(shardId: number): number {
    const shard = this.state.shard(shardId)!;
    return shard.replicas.find((replica) => replica.replicaId === shard.preferredReplicaId)!.nodeId;
  }

  /** The node that leads the key's shard at the start. */
  nodeOf(key: string): FakeNode {
    return this.nodes[this.leaderOf(this.shardOf(key)) - 1]!;
  }

  shardOf(key: string): number {
    return new Placement(this.state).shardOf(slotOfKey(key));
  }

  /** The first key `k0`, `k1` … of the shard. */
  keyOf(shardId: number): string {
    for (let i = 0; ; i++) if (this.shardOf(`k${i}`) === shardId) return `k${i}`;
  }

  client(): TestClient {
    const client = new TestClient(this.world.connect(GATEWAY_ADDRESS));
    this.world.run();
    return client;
  }
}
