/** What a node has to be told. The launcher fills it from defaults, file, environment and flags; nothing else reads those. */
import type { ClusterSettings, NodeAddresses } from "@headrace/meta";
import { defaultSettings } from "@headrace/meta";
import type { ShardLimits } from "./shard-api.ts";
import { defaultShardLimits } from "./shard-limits.ts";
import type { LaneLinkLimits } from "./lane-link.ts";

export interface NodeConfig {
  /** Where other nodes, gateways and clients find this node. The ports to bind are the wiring's business. */
  readonly addresses: NodeAddresses;
  /** `host:port` that the data port is bound to. */
  readonly dataBindAddress: string;
  /**
   * Peer addresses of nodes to ask for a cluster. The first `bootstrapExpect` of them are the founders; the list has to be the same at all
   * of them. Empty: this node founds alone.
   */
  readonly seeds: readonly string[];
  /** How many founders; 0: never found, only join. */
  readonly bootstrapExpect: number;
  /** Used when founding; checked against the data afterwards. null: not asked for (then `defaultShards`, `defaultReplicas`). */
  readonly shards: number | null;
  readonly replicas: number | null;
  /** Settings that a new cluster starts with. */
  readonly settings: ClusterSettings;
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly fsync: "always" | "everysec" | "no";
  readonly walSegmentBytes: number;
  /** With less than this free on the data directory's file system what may grow the data is refused. */
  readonly diskReserveBytes: number;
  /** Budget of what the node holds in memory, where the cluster's settings say nothing; 0: none. */
  readonly memoryBytes: number;
  /** What the store keeps in memory for itself, about: it counts against the budget. */
  readonly storeMemoryBytes: number;
  /** HEADRACE_CLUSTER_SECRET; null: none, then only loopback is bound (the launcher sees to it). */
  readonly secret: Uint8Array | null;
  readonly featureLevel: number;
  readonly shardLimits: ShardLimits;
  readonly laneLimits: LaneLinkLimits;
  /** Snapshots to other nodes go no faster, all together. */
  readonly snapshotBytesPerSecond: number;
  /** All that is in the store is read no faster, to see whether it is as it was written; 0: not at all. */
  readonly scrubBytesPerSecond: number;
  /** In steps of so many bytes, about. */
  readonly scrubStepBytes: number;
  /** And not more often. */
  readonly scrubEveryMs: number;
  /** How long `stop` waits for leadership to move. */
  readonly handOverMs: number;
  /** And then for the store to have all that its replicas have. */
  readonly lastCheckpointMs: number;
  /** A healthy preferred replica must have been in contact this long before leadership goes back to it. */
  readonly balanceAfterMs: number;
  /** A node out of contact for this long has its replicas rebuilt elsewhere. */
  readonly nodeDownAfterMs: number;
}

export const defaultShards = 8;
export const defaultReplicas = 3;

const MIB = 1024 * 1024;

/** Everything but where it is and whom it asks. */
export const defaultNodeConfig: Omit<NodeConfig, "addresses" | "dataBindAddress" | "seeds" | "bootstrapExpect"> = {
  shards: null,
  replicas: null,
  settings: defaultSettings,
  electionTimeoutMs: 500,
  heartbeatMs: 50,
  fsync: "always",
  walSegmentBytes: 64 * MIB,
  diskReserveBytes: 512 * MIB,
  memoryBytes: 0,
  storeMemoryBytes: 0,
  secret: null,
  featureLevel: 1,
  shardLimits: defaultShardLimits,
  laneLimits: {
    laneCreditBytes: MIB,
    linkCreditBytes: 16 * MIB,
    maxRequestBytes: 64 * MIB,
    maxBufferedBytes: 16 * MIB,
    maxMessageBytes: 64 * MIB,
    maxSubscriptionBytes: 512 * MIB,
    maxLanes: 1_048_576,
  },
  snapshotBytesPerSecond: 64 * MIB,
  scrubBytesPerSecond: 4 * MIB,
  scrubStepBytes: MIB / 4,
  scrubEveryMs: 24 * 3600 * 1000,
  handOverMs: 2000,
  lastCheckpointMs: 1000,
  balanceAfterMs: 5000,
  nodeDownAfterMs: 300_000,
};
