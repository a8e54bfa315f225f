/**
 * Frames between nodes over gRPC. Each node dials every peer on three connections (control, append, snapshot) and receives that peer's
 * frames there; it sends on the streams that peers have dialled. Bulk therefore flows from server to client, the direction in which grpc-js
 * lets the receive window be raised (grpc-options.ts has the figures).
 *
 *   this node ── dials Append ──► peer        frames: peer → this node
 *   this node ◄── dials Append ── peer        frames: this node → peer      `send` writes here
 *
 * Knows nothing of what frames mean.
 */
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { assert } from "@headrace/bytes";
import {
  PeerChannel,
  type Done,
  type Logger,
  type MetaRequest,
  type MetaResponse,
  type PeerNetwork,
  type PeerNetworkEvents,
} from "@headrace/ports";
import { AcceptedStream, type AcceptedCall, type AcceptedStreamOwner } from "./accepted-stream.ts";
import { DialledChannel, type DialledChannelOwner, type DialLoss } from "./dialled-channel.ts";
import { serverOptions } from "./grpc-options.ts";
import { isLoopbackHost, parseHostPort } from "./host-port.ts";
import { LogLimiter } from "./log-limiter.ts";
import { askMetaService, objectionToAddress } from "./meta-ask.ts";
import { MetaService } from "./meta-service.ts";
import { decodeFrame, encodeFrame } from "./peer-frame.ts";
import { PeerLinks } from "./peer-links.ts";
import type { Identity, Objection } from "./proof-of-identity.ts";
import { methodOf, raftService } from "./proto-contract.ts";

export interface GrpcPeerNetworkOptions {
  /** `host:port` to listen on; port 0 takes a free one. */
  readonly bindAddress: string;
  /** HEADRACE_CLUSTER_SECRET, or null: loopback only. */
  readonly secret: string | null;
  readonly logger: Logger;
  /** Bytes queued for a peer on each channel before `send` refuses. */
  readonly budgetBytes?: { readonly control: number; readonly append: number; readonly snapshot: number };
}

export interface GrpcPeerNetwork extends PeerNetwork {
  /** The port that is listened on, known once `start` is done. */
  boundPort(): number;
}

const MIB = 1024 * 1024;
const DEFAULT_BUDGET_BYTES = { control: 4 * MIB, append: 8 * MIB, snapshot: 4 * MIB };
const CLOSE_WITHIN_MS = 200;
const METHOD_NAMES = ["Control", "Append", "Snapshot"] as const;

export function createGrpcPeerNetwork(options: GrpcPeerNetworkOptions): GrpcPeerNetwork {
  return new GrpcNetwork(options);
}

interface Peer {
  readonly nodeId: number;
  readonly address: string;
  readonly channels: readonly DialledChannel[];
}

class GrpcNetwork implements GrpcPeerNetwork, AcceptedStreamOwner, DialledChannelOwner {
  readonly secret: Uint8Array | null;
  readonly #options: GrpcPeerNetworkOptions;
  readonly #logger: Logger;
  readonly #limiter: LogLimiter;
  readonly #server: Server;
  readonly #meta: MetaService;
  readonly #links: PeerLinks;
  readonly #accepted: Set<AcceptedStream>;
  readonly #peers: Map<number, Peer>;
  readonly #asking: Set<() => void>;
  #events: PeerNetworkEvents | null;
  #identity: Identity | null;
  #boundPort: number;
  #isClosed: boolean;

  constructor(options: GrpcPeerNetworkOptions) {
    assert(options.secret !== "", "an empty cluster secret is no secret: pass null");
    this.secret = options.secret === null ? null : Buffer.from(options.secret, "utf8");
    this.#options = options;
    this.#logger = options.logger;
    this.#limiter = new LogLimiter();
    this.#server = new Server(serverOptions);
    this.#meta = new MetaService({
      secret: this.secret,
      logger: options.logger,
      limiter: this.#limiter,
      onMetaRequest: (request, answer) => this.#events!.onMetaRequest(request, answer),
    });
    this.#links = new PeerLinks({
      onPeerUp: (nodeId, incarnation) => this.#later(() => this.#events!.onPeerUp(nodeId, incarnation)),
      onPeerDown: (nodeId, loss) => this.#later(() => this.#events!.onPeerDown(nodeId, loss)),
    });
    this.#accepted = new Set();
    this.#peers = new Map();
    this.#asking = new Set();
    this.#events = null;
    this.#identity = null;
    this.#boundPort = 0;
    this.#isClosed = false;
  }

  start(events: PeerNetworkEvents, done: Done<void>): void {
    assert(this.#events === null, "peer network: started twice");
    this.#events = events;
    const failed = (message: string): void => void setImmediate(() => done({ ok: false, reason: "io", message }));
    const bind = parseHostPort(this.#options.bindAddress);
    if (bind === null) return failed(`${this.#options.bindAddress} is not host:port`);
    if (this.secret === null && !isLoopbackHost(bind.host)) {
      return failed(
        `refusing to listen on ${this.#options.bindAddress}: without HEADRACE_CLUSTER_SECRET only loopback addresses are bound`,
      );
    }
    this.#addRaftService();
    this.#meta.addTo(this.#server);
    this.#server.bindAsync(this.#options.bindAddress, ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) return failed(`cannot listen on ${this.#options.bindAddress}: ${error.message}`);
      this.#boundPort = port;
      setImmediate(() => done({ ok: true, value: undefined }));
    });
  }

  boundPort(): number {
    return this.#boundPort;
  }

  identify(identity: { clusterId: string; nodeId: number; incarnation: number }): void {
    assert(Number.isSafeInteger(identity.incarnation), "incarnation is no safe integer");
    this.#identity = { clusterId: identity.clusterId, nodeId: identity.nodeId, incarnation: identity.incarnation };
    // Streams under a former identity say what is no longer true.
    this.#links.dropAll("local");
    for (const stream of this.#accepted) stream.drop("the node has a new identity");
    this.#accepted.clear();
    const peers = [...this.#peers.values()];
    this.#closePeers();
    this.setPeers(peers);
  }

  setPeers(peers: readonly { readonly nodeId: number; readonly address: string }[]): void {
    const former = new Map(this.#peers);
    this.#peers.clear();
    for (const { nodeId, address } of peers) {
      if (nodeId === this.#identity?.nodeId) continue;
      const known = former.get(nodeId);
      if (known !== undefined && known.address === address) {
        former.delete(nodeId);
        this.#peers.set(nodeId, known);
        continue;
      }
      const objection = objectionToAddress(address, this.secret);
      if (objection !== null) {
        this.#logger.error("peer_not_dialled", { peer: nodeId, address, reason: objection });
        continue;
      }
      const channels = METHOD_NAMES.map(
        (name, channel) =>
          new DialledChannel(this, {
            nodeId,
            address,
            channel: channel as PeerChannel,
            path: methodOf(raftService, name).path,
          }),
      );
      this.#peers.set(nodeId, { nodeId, address, channels });
      channels[PeerChannel.control]!.dialSoon(0);
    }
    for (const [nodeId, gone] of former) {
      for (const channel of gone.channels) channel.close();
      if (!this.#peers.has(nodeId)) this.#links.dropPeer(nodeId, "local");
    }
  }

  send(toNodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]): boolean {
    return this.#links.send(toNodeId, channel, chunks);
  }

  askMeta(address: string, request: MetaRequest, timeoutMs: number, done: Done<MetaResponse>): void {
    const cancel = askMetaService({ address, secret: this.secret, request, timeoutMs }, (result) => {
      this.#asking.delete(cancel);
      done(result);
    });
    this.#asking.add(cancel);
  }

  publishState(version: number, state: Record<string, unknown>): void {
    this.#meta.publish(version, state);
  }

  close(done: Done<void>): void {
    this.#isClosed = true;
    this.#closePeers();
    this.#links.dropAll("local");
    for (const stream of this.#accepted) stream.drop("the node is stopping");
    this.#accepted.clear();
    this.#meta.close();
    for (const cancel of this.#asking) cancel();
    // Gently first, so that what is queued and the reasons get out; peers that do not read do not hold it up.
    const force = setTimeout(() => this.#server.forceShutdown(), CLOSE_WITHIN_MS);
    this.#server.tryShutdown(() => {
      clearTimeout(force);
      setImmediate(() => done({ ok: true, value: undefined }));
    });
  }

  // What streams tell (AcceptedStreamOwner, DialledChannelOwner).

  identity(): Identity | null {
    return this.#identity;
  }

  mayDial(channel: DialledChannel): boolean {
    // The other two follow the control channel: a dead peer costs one attempt at a time, not three.
    if (channel.target.channel === PeerChannel.control) return true;
    return this.#peers.get(channel.target.nodeId)?.channels[PeerChannel.control]!.isProven ?? false;
  }

  onProven(stream: AcceptedStream): string | null;
  onProven(channel: DialledChannel): null;
  onProven(from: AcceptedStream | DialledChannel): string | null {
    if (from instanceof AcceptedStream) {
      const unwanted = this.#links.add(from);
      // It lives: no need to wait out a back-off before dialling it.
      if (unwanted === null) this.#dial(from.peerNodeId, from.peerIncarnation);
      return unwanted;
    }
    this.#logger.debug("peer_dialled", { peer: from.target.nodeId, method: from.target.path });
    if (from.target.channel === PeerChannel.control) this.#dial(from.target.nodeId, 0);
    return null;
  }

  onFrame(channel: DialledChannel, payload: Uint8Array): void {
    this.#events!.onFrame(channel.target.nodeId, channel.target.channel, payload);
  }

  onLost(stream: AcceptedStream): void;
  onLost(channel: DialledChannel, loss: DialLoss): void;
  onLost(from: AcceptedStream | DialledChannel, loss?: DialLoss): void {
    if (from instanceof AcceptedStream) {
      this.#accepted.delete(from);
      this.#links.remove(from, "reset");
      return;
    }
    const { nodeId, address, channel } = from.target;
    if (this.#limiter.allows(`dial ${nodeId} ${channel} ${loss}`)) {
      this.#logger.info("peer_channel_lost", { peer: nodeId, address, channel: METHOD_NAMES[channel], loss });
    }
    // Nobody answers where the peer listens, yet its own streams to here look alive: a machine that went without a word.
    if (channel === PeerChannel.control && (loss === "refused" || loss === "silent")) {
      this.#links.dropPeer(nodeId, loss);
    }
  }

  onWritable(stream: AcceptedStream): void {
    this.#events!.onWritable(stream.peerNodeId, stream.channel);
  }

  onRefusal(from: AcceptedStream | DialledChannel, by: "here" | "there", { to, reason }: Objection): void {
    if (by === "here") this.#later(() => this.#events!.onPeerRefused(to));
    const fields =
      from instanceof AcceptedStream
        ? { peer: from.peerNodeId, address: from.remoteAddress, dialled: "there" }
        : { peer: from.target.nodeId, address: from.target.address, dialled: "here" };
    // Not the port of an accepted stream: each attempt has another.
    const place = fields.dialled === "here" ? fields.address : fields.address.replace(/:\d+$/, "");
    if (!this.#limiter.allows(`refused ${place} ${by} ${reason}`)) return;
    this.#logger.warn("peer_refused", { ...fields, refusedBy: by, reason });
  }

  #dial(nodeId: number, incarnation: number): void {
    const peer = this.#peers.get(nodeId);
    if (peer === undefined) return;
    for (const channel of peer.channels) channel.dialSoon(incarnation);
  }

  #closePeers(): void {
    for (const peer of this.#peers.values()) for (const channel of peer.channels) channel.close();
    this.#peers.clear();
  }

  #addRaftService(): void {
    const framed: Record<string, ServiceDefinition[string]> = {};
    const handlers: Record<string, (call: AcceptedCall) => void> = {};
    const budget = this.#options.budgetBytes ?? DEFAULT_BUDGET_BYTES;
    const budgets = [budget.control, budget.append, budget.snapshot];
    METHOD_NAMES.forEach((name, channel) => {
      framed[name] = {
        ...methodOf(raftService, name),
        requestSerialize: encodeFrame,
        requestDeserialize: decodeFrame,
        responseSerialize: encodeFrame,
        responseDeserialize: decodeFrame,
      };
      handlers[name] = (call) => {
        this.#accepted.add(new AcceptedStream(this, call, channel as PeerChannel, budgets[channel]!));
      };
    });
    this.#server.addService(framed, handlers);
  }

  // Links change inside calls of the node, too; what it hears of that is an event of its own.
  #later(event: () => void): void {
    setImmediate(() => {
      if (!this.#isClosed) event();
    });
  }
}
