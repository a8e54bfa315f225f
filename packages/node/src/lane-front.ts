/**
 * The data port: accepts connections, tells links from RESP clients, keeps all links, and tells them who leads which shard. Everything a
 * turn has answered leaves in one write per link.
 *
 * Must not know: Raft, founding, what a request says.
 */
import type { ChannelKind } from "@headrace/commands";
import type { HandshakeSecurity, NodeIdentity } from "@headrace/link";
import { NodeHandshake } from "@headrace/link";
import type { ByteConnection, ByteListener, ByteNetwork, Logger, Scheduler, Timer } from "@headrace/ports";
import { ChannelRegistry } from "./channel-registry.ts";
import { LaneLink } from "./lane-link.ts";
import type { LaneLinkHost, LaneLinkLimits, LaneShard } from "./lane-link.ts";
import { SniffedConnection } from "./sniffed-connection.ts";

/** A link that has not proven who it is by then is closed. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const GIVE_BACK_MS = 1000;

export interface LaneFrontHost {
  shard(shardId: number): LaneShard | null;
  /** null: not a member of a cluster yet, links are turned away. */
  identity(): NodeIdentity | null;
  /** New for every connection. */
  security(): HandshakeSecurity;
  /** A gateway was turned away by the handshake; it was told why. */
  onLinkRefused(): void;
  /** `flush` has work: call it at the end of the turn, and make one if there is none. */
  requestTurn(): void;
}

export interface LaneFrontWorld {
  readonly network: ByteNetwork;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  /** A client that speaks RESP to this node itself; `connection` delivers from its first byte on. */
  readonly onRespConnection: (connection: ByteConnection) => void;
}

interface LeaderHint {
  readonly nodeId: number;
  readonly term: number;
}

export class LaneFront implements LaneLinkHost {
  stopping: boolean;
  readonly channels: ChannelRegistry;
  /** Messages that links had no room for. */
  droppedMessages: number;
  readonly #limits: LaneLinkLimits;
  readonly #world: LaneFrontWorld;
  readonly #host: LaneFrontHost;
  readonly #links: Map<LaneLink, Timer>;
  readonly #leaders: Map<number, LeaderHint>;
  #dirty: LaneLink[];
  #listener: ByteListener | null;
  #lastLaneId: number;
  /** Runs while there are links. */
  #giveBackTimer: Timer | null;

  constructor(limits: LaneLinkLimits, world: LaneFrontWorld, host: LaneFrontHost) {
    this.stopping = false;
    this.channels = new ChannelRegistry();
    this.droppedMessages = 0;
    this.#limits = limits;
    this.#world = world;
    this.#host = host;
    this.#links = new Map();
    this.#leaders = new Map();
    this.#dirty = [];
    this.#listener = null;
    this.#lastLaneId = 0;
    this.#giveBackTimer = null;
  }

  /** `onListening` gets null, or why the address can't be bound. */
  accept(address: string, onListening: (failure: string | null) => void): void {
    this.#listener = this.#world.network.accept(address, (connection) => this.#sniff(connection), onListening);
  }

  #sniff(connection: ByteConnection): void {
    const sniffed = new SniffedConnection(connection, this.#world.scheduler);
    sniffed.decide((protocol) => {
      if (protocol === "link") this.acceptLink(sniffed);
      else this.#world.onRespConnection(sniffed);
    });
  }

  #scheduleGiveBack(): Timer {
    return this.#world.scheduler.after(GIVE_BACK_MS, () => {
      for (const link of this.#links.keys()) link.giveBackOld();
      this.#giveBackTimer = this.#scheduleGiveBack();
    });
  }

  /** A link that did not come through the port: a gateway in the same process. Its first bytes are the magic, as ever. */
  acceptLink(connection: ByteConnection): void {
    const limits = this.#limits;
    const identity = this.#host.identity();
    if (identity === null) return connection.destroy();
    const handshake = new NodeHandshake(
      identity,
      { laneCreditBytes: limits.laneCreditBytes, linkCreditBytes: limits.linkCreditBytes },
      this.#host.security(),
    );
    const link = new LaneLink(connection, this, handshake, limits);
    const timer = this.#world.scheduler.after(HANDSHAKE_TIMEOUT_MS, () => {
      if (!link.ready) connection.destroy();
    });
    this.#links.set(link, timer);
    this.#giveBackTimer ??= this.#scheduleGiveBack();
  }

  /** Remembers the leader and tells every link. `nodeId` 0: none known. */
  setLeader(shardId: number, nodeId: number, term: number): void {
    const known = this.#leaders.get(shardId);
    if (known !== undefined && known.nodeId === nodeId && known.term === term) return;
    this.#leaders.set(shardId, { nodeId, term });
    for (const link of this.#links.keys()) link.sendLeader(shardId, nodeId, term);
  }

  /** Writes what the turn has answered. */
  flush(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    for (const link of dirty) link.flush();
  }

  /** No new connections; the links stay until `close`. */
  stopAccepting(done: () => void): void {
    const listener = this.#listener;
    this.#listener = null;
    if (listener === null) this.#world.scheduler.soon(done);
    else listener.close(done);
  }

  /** Every request that was taken has its fate. */
  close(): void {
    for (const link of this.#links.keys()) link.leave();
  }

  /** Of all links: frames that came in part, and what their gateways have not taken yet. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const link of this.#links.keys()) bytes += link.bufferedBytes;
    return bytes;
  }

  status(): Record<string, unknown> {
    let lanes = 0;
    let unansweredBytes = 0;
    for (const link of this.#links.keys()) {
      lanes += link.laneCount;
      unansweredBytes += link.unansweredBytes;
    }
    const subscriptions = [0, 1, 2].map((kind) => this.channels.count(kind as ChannelKind));
    const { droppedMessages } = this;
    return { links: this.#links.size, lanes, unansweredBytes, subscriptions, droppedMessages };
  }

  // ── what the links ask ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  shard(shardId: number): LaneShard | null {
    return this.#host.shard(shardId);
  }

  leaderNodeOf(shardId: number): number {
    return this.#leaders.get(shardId)?.nodeId ?? 0;
  }

  nextLaneId(): number {
    return ++this.#lastLaneId;
  }

  requestFlush(link: LaneLink): void {
    this.#dirty.push(link);
    this.#host.requestTurn();
  }

  onReady(link: LaneLink): void {
    this.#links.get(link)?.cancel();
    this.#world.logger.info("link_open", { gateway: link.gatewayId });
    for (const [shardId, hint] of this.#leaders) link.sendLeader(shardId, hint.nodeId, hint.term);
  }

  onClosed(link: LaneLink, reason: string): void {
    this.#links.get(link)?.cancel();
    this.#links.delete(link);
    if (this.#links.size === 0) {
      this.#giveBackTimer?.cancel();
      this.#giveBackTimer = null;
    }
    if (link.wasRefused) this.#host.onLinkRefused();
    this.#world.logger.info("link_closed", { gateway: link.gatewayId, reason });
  }
}
