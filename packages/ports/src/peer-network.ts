import type { Done } from "./result.ts";

/**
 * Classes of traffic between two nodes, on connections of their own so that a snapshot never delays an append and an append never
 * delays a vote. What shards hand to each other (outboxes) goes beside snapshots.
 */
export const PeerChannel = { control: 0, append: 1, snapshot: 2 } as const;
export type PeerChannel = (typeof PeerChannel)[keyof typeof PeerChannel];

/** Why frames to a peer are not getting through. `refused` and `reset` are signs of a dead process; `silent` is only a guess. */
export type PeerLoss = "refused" | "reset" | "silent" | "local";

/**
 * What this node objects to in another one: protocol versions that have none in common, another cluster, a node id that is not the expected one or its own,
 * an incarnation that is over, no proof of the secret, bytes that are not of the protocol.
 */
export type PeerObjection = "version" | "clusterId" | "nodeId" | "incarnation" | "secret" | "protocol";

export interface PeerNetworkEvents {
  /** A frame from an authenticated peer. The memory belongs to the receiver; parts kept for long should be copied. */
  onFrame(fromNodeId: number, channel: PeerChannel, frame: Uint8Array): void;
  /** All channels to the peer are up, identities proven. `incarnation` differs after each restart of the peer. */
  onPeerUp(nodeId: number, incarnation: number): void;
  /** A channel to the peer was lost: everything in flight may be lost. */
  onPeerDown(nodeId: number, loss: PeerLoss): void;
  /** This node has refused a stream of another one, and told it why. */
  onPeerRefused(objection: PeerObjection): void;
  /** The peer's send budget on the channel is free again after `send` had returned false. */
  onWritable(nodeId: number, channel: PeerChannel): void;
  /** A request of the `meta` service (see proto/meta.proto); the answer may come later. */
  onMetaRequest(request: MetaRequest, answer: (response: MetaResponse) => void): void;
}

/** What a joining node, a gateway or an operator asks of any node. JSON-shaped on purpose: cold path. */
export interface MetaRequest {
  readonly kind: string;
  readonly body: Record<string, unknown>;
}
export interface MetaResponse {
  readonly ok: boolean;
  readonly body: Record<string, unknown>;
  /** Bulk that goes beside the body, never empty; whoever answers does not change it afterwards. */
  readonly payload?: Uint8Array;
}

/** Frames between the nodes of one cluster: unordered across channels, ordered within one, at most once, may be lost. */
export interface PeerNetwork {
  start(events: PeerNetworkEvents, done: Done<void>): void;
  /** Tells the network who it is once it is known; peers of other clusters are refused. */
  identify(identity: { clusterId: string; nodeId: number; incarnation: number }): void;
  /** Peers to stay connected with; replaces the former list. */
  setPeers(peers: readonly { readonly nodeId: number; readonly address: string }[]): void;
  /**
   * Sends one frame (≤ 1 MiB unless it holds a single larger log entry). False: over the byte budget of the peer or not connected, the
   * frame was dropped, Raft will repeat it. The chunks must not change afterwards.
   */
  send(toNodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]): boolean;
  /** Asks a node by address, before and after founding; bounded by `timeoutMs`. */
  askMeta(address: string, request: MetaRequest, timeoutMs: number, done: Done<MetaResponse>): void;
  /**
   * Pushes the cluster's state to everyone who watches this node; a new watcher gets the last one published at once. A `version` not above
   * the last one is ignored. Nothing published (an unfounded node): watchers wait.
   */
  publishState(version: number, state: Record<string, unknown>): void;
  close(done: Done<void>): void;
}

/** A client of the metadata service without being a node: gateways and the command line. */
export interface MetaClient {
  ask(address: string, request: MetaRequest, timeoutMs: number, done: Done<MetaResponse>): void;
  /** Follows the placement from one of the addresses, reconnecting by itself; `onState` gets each newer state. */
  watch(addresses: () => readonly string[], onState: (state: Record<string, unknown>) => void): { close(): void };
  close(): void;
}
