/** Whole nodes in one thread, driven by hand: founding, killing, starting again, one command at a time. */
import { slotOfKey } from "@headrace/bytes";
import { FrameType } from "@headrace/link";
import { defaultSettings, Placement } from "@headrace/meta";
import type { MetaResponse } from "@headrace/ports";
import { expect } from "vitest";
import type { StartFailure } from "../src/identity.ts";
import { defaultNodeConfig } from "../src/node-config.ts";
import type { NodeConfig } from "../src/node-config.ts";
import { Node } from "../src/node.ts";
import { MemoryByteNetwork, MemoryDisks, MemoryNetwork, MemoryProcess } from "./memory-world.ts";
import { Life, VirtualTime } from "./virtual-time.ts";
import type { MemoryConnection } from "./memory-world.ts";
import type { MemoryBackup } from "./memory-backup.ts";
import { TestGateway } from "./test-gateway.ts";

export const SHARDS = 4;

export class Cluster {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: MemoryNetwork = new MemoryNetwork(this.time);
  readonly disks: MemoryDisks[] = [];
  readonly nodes: (Node | null)[] = [];
  readonly processes: MemoryProcess[] = [];
  readonly failures: (StartFailure | null | undefined)[] = [];
  readonly #gatewayLife: Life = new Life("gateway");
  readonly #gateways: (TestGateway | null)[] = [];
  readonly overrides: Partial<NodeConfig>;
  readonly seeds: readonly string[];
  /** What nodes that start are told to found from; some may be told otherwise. */
  backup: MemoryBackup | null = null;
  readonly backups: MemoryBackup[] = [];
  /** Clusters with different ones draw different ids. */
  seed = 0;
  #starts = 0;

  constructor(size: number, overrides: Partial<NodeConfig> = {}) {
    this.overrides = overrides;
    this.seeds = Array.from({ length: size }, (_, i) => `n${i + 1}:7400`);
    for (let i = 0; i < size; i++) this.disks.push(new MemoryDisks());
  }

  start(i: number): void {
    const name = `n${i + 1}`;
    this.disks[i] ??= new MemoryDisks();
    const process = new MemoryProcess(
      this.network,
      name,
      `${name}:7400`,
      this.disks[i],
      this.seed + ++this.#starts * 7919,
    );
    const config: NodeConfig = {
      ...defaultNodeConfig,
      addresses: {
        peerAddress: `${name}:7400`,
        dataAddress: `${name}:7500`,
        httpAddress: `${name}:7600`,
        announceHost: name,
        announcePort: 7500,
      },
      dataBindAddress: `${name}:7500`,
      seeds: this.seeds,
      bootstrapExpect: this.seeds.length,
      shards: SHARDS,
      settings: defaultSettings,
      walSegmentBytes: 256 * 1024,
      ...this.overrides,
    };
    const backup = this.backups[i] ?? this.backup;
    if (backup !== null) process.backup = backup.readerOf(this.time, process.life);
    const node = new Node(config, process);
    this.processes[i] = process;
    this.nodes[i] = node;
    this.failures[i] = undefined;
    this.#gateways[i] = null;
    node.start((failure) => {
      this.failures[i] = failure;
    });
  }

  startAll(): void {
    for (let i = 0; i < this.disks.length; i++) this.start(i);
  }

  kill(i: number): void {
    this.network.died(this.processes[i]!.life);
    this.nodes[i] = null;
    this.#gateways[i] = null;
  }

  /** Asks it to stop, and runs until it has; fails if that takes longer than a stop may. */
  stop(i: number): void {
    const node = this.nodes[i]!;
    let stopped = false;
    this.nodes[i] = null;
    node.stop(() => (stopped = true));
    if (!this.time.runUntil(() => stopped, 4000)) throw new Error(`node ${i} does not stop`);
  }

  ready(): boolean {
    return this.nodes.every((node) => node === null || node.readiness().ready);
  }

  /** Runs until every running node is ready; fails with their reasons. */
  untilReady(withinMs: number = 5000): void {
    if (this.time.runUntil(() => this.ready(), withinMs)) return;
    throw new Error(this.nodes.map((node) => node?.readiness().reasons.join("; ")).join(" | "));
  }

  /** Node index of the shard's serving leader, −1 if there is none. */
  leaderOf(shardId: number): number {
    return this.nodes.findIndex((node) => node?.member?.shard(shardId)?.isReady === true);
  }

  shardOf(key: string): number {
    const node = this.nodes.find((each) => each !== null && each.clusterState !== null)!;
    return new Placement(node!.clusterState!).shardOf(slotOfKey(key));
  }

  gateway(i: number): TestGateway {
    let gateway = this.#gateways[i] ?? null;
    if (gateway === null) {
      const network = new MemoryByteNetwork(this.network, this.#gatewayLife);
      gateway = new TestGateway(network.connect(`n${i + 1}:7500`) as MemoryConnection, "", "");
      this.#gateways[i] = gateway;
      this.time.run(5);
      expect(gateway.handshake.state).toBe("ready");
    }
    return gateway;
  }

  #lanes = 0;

  /** Sends one command to the leader of the key's shard, over a lane of its own, and waits for the reply. */
  command(key: string, args: readonly string[], withinMs: number = 3000): string {
    const shardId = this.shardOf(key);
    expect(
      this.time.runUntil(() => this.leaderOf(shardId) >= 0, withinMs),
      "a leader",
    ).toBe(true);
    const gateway = this.gateway(this.leaderOf(shardId));
    const lane = ++this.#lanes;
    gateway.open(lane);
    gateway.request(lane, 1, encode(args), 1, 1, shardId);
    gateway.send();
    const answer = (): Received | undefined =>
      gateway.received.find((frame) => frame.lane === lane && frame.type !== FrameType.Credit);
    this.time.runUntil(() => answer() !== undefined, withinMs);
    const frame = answer();
    if (frame === undefined) return "(no answer)";
    return frame.type === FrameType.Reply ? (frame.value as { text: string }).text : `(frame ${frame.type})`;
  }

  ask(i: number, kind: string, body: Record<string, unknown>): MetaResponse {
    let found: MetaResponse | null = null;
    this.nodes[i]!.onMetaRequest({ kind, body }, (response) => {
      found = response;
    });
    this.time.runUntil(() => found !== null, 10_000);
    return found!;
  }
}

type Received = TestGateway["received"][number];

export function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`;
}

export function founded(size: number = 3, overrides: Partial<NodeConfig> = {}): Cluster {
  const cluster = new Cluster(size, overrides);
  cluster.startAll();
  cluster.untilReady();
  return cluster;
}

export const keys: readonly string[] = ["a", "b", "c", "d", "e", "f", "g", "h"];

export function writeAll(cluster: Cluster, id: string): void {
  for (const key of keys) {
    expect(cluster.command(key, ["XADD", key, id, "f", `v${id}`])).toBe(`$${id.length}\r\n${id}\r\n`);
  }
}

export function lengths(cluster: Cluster): string[] {
  return keys.map((key) => cluster.command(key, ["XLEN", key]).trim());
}
