/** What a gateway is told from outside. Times in milliseconds, sizes in bytes; nothing here is read from the environment. */
import type { DecoderLimits } from "@headrace/resp";
import { defaultOutputLimits } from "./output-limits.ts";
import type { OutputLimits } from "./output-limits.ts";

/** proxy: one endpoint for every shard. moved: a node's own port, which redirects to other nodes as Redis Cluster does. */
export type RoutingPolicy = "proxy" | "moved";

export interface ProcessNumbers {
  readonly operatingSystem: string;
  readonly executable: string;
  readonly usedMemoryBytes: number;
  readonly usedMemoryRssBytes: number;
  readonly systemMemoryBytes: number;
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
}

/** Where there is no process of its own to tell of. */
export const noProcessNumbers: ProcessNumbers = Object.freeze({
  operatingSystem: "",
  executable: "",
  usedMemoryBytes: 0,
  usedMemoryRssBytes: 0,
  systemMemoryBytes: 0,
  cpuUserSeconds: 0,
  cpuSystemSeconds: 0,
});

export interface GatewayConfig {
  readonly policy: RoutingPolicy;
  /** Where clients are accepted; null: only through `attach`. */
  readonly listenAddress: string | null;
  /** What CLUSTER answers and redirects name. */
  readonly announceHost: string;
  readonly announcePort: number;
  /** policy moved: the node whose port this is; else 0. */
  readonly localNodeId: number;
  readonly gatewayId: string;
  readonly incarnation: number;
  /** Metadata services to ask first; the placement's own nodes are added when known. */
  readonly seedAddresses: readonly string[];
  readonly secret: Uint8Array | null;
  readonly processId: number;
  /** 40 hex characters. */
  readonly runId: string;
  readonly headraceVersion: string;
  readonly processNumbers: () => ProcessNumbers;
  /** Further names and values for CONFIG GET that only the launcher knows. */
  readonly extraSettings: readonly (readonly [name: string, value: string])[];
  readonly limits: GatewayLimits;
}

export interface GatewayLimits {
  readonly maxClients: number;
  /** How long a request waits for a shard without a leader; then -CLUSTERDOWN. */
  readonly holdMs: number;
  /** How long a sent request may stay unanswered; then -UNCERTAIN. */
  readonly replyTimeoutMs: number;
  /** Unsent output beyond which a client is closed. */
  readonly output: OutputLimits;
  /** Memory that names of channels and patterns may take at each node. */
  readonly subscriptionBytes: number;
  /** What INFO says of a gateway, for clients that look there before they ask CLUSTER. */
  readonly clusterEnabled: boolean;
  /** A client that has sent nothing for so long is closed; 0: never. */
  readonly idleTimeoutSeconds: number;
  /** Unanswered request bytes of one client before its input is left unparsed. */
  readonly pendingBytes: number;
  /** What a client may queue behind MULTI, and watch. */
  readonly transactionBytes: number;
  /** Received but unparsed bytes of one client before its socket is no longer read. */
  readonly backlogBytes: number;
  readonly pingIntervalMs: number;
  /** A link that was silent for this long is given up. */
  readonly pingTimeoutMs: number;
  /** A link that was silent for this long no longer holds up requests of a shard that has a newer leader elsewhere. */
  readonly suspectMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  readonly decoder: DecoderLimits;
}

export const defaultLimits: GatewayLimits = Object.freeze({
  maxClients: 10_000,
  holdMs: 5_000,
  replyTimeoutMs: 10_000,
  output: defaultOutputLimits,
  subscriptionBytes: 256 * 1024 * 1024,
  clusterEnabled: false,
  idleTimeoutSeconds: 0,
  pendingBytes: 1024 * 1024,
  transactionBytes: 32 * 1024 * 1024,
  backlogBytes: 64 * 1024,
  pingIntervalMs: 100,
  pingTimeoutMs: 2_000,
  suspectMs: 300,
  reconnectMinMs: 20,
  reconnectMaxMs: 1_000,
  decoder: Object.freeze({
    maxBulkBytes: 16 * 1024 * 1024,
    maxArguments: 1024 * 1024,
    maxInlineBytes: 64 * 1024,
    maxRequestBytes: 64 * 1024 * 1024,
  }),
});
