/**
 * This node's way to each peer: the streams that the peer has dialled, one per channel. A peer is up while its control and append streams
 * of one incarnation are here; the snapshot stream may come and go.
 */
import type { PeerChannel, PeerLoss } from "@headrace/ports";
import type { AcceptedStream } from "./accepted-stream.ts";

const CONTROL = 0;
const APPEND = 1;

class PeerLink {
  readonly streams: (AcceptedStream | null)[];
  incarnation: number;
  isUp: boolean;

  constructor() {
    this.streams = [null, null, null];
    this.incarnation = 0;
    this.isUp = false;
  }
}

export interface PeerLinksOwner {
  onPeerUp(nodeId: number, incarnation: number): void;
  onPeerDown(nodeId: number, loss: PeerLoss): void;
}

export class PeerLinks {
  readonly #owner: PeerLinksOwner;
  readonly #links: Map<number, PeerLink>;

  constructor(owner: PeerLinksOwner) {
    this.#owner = owner;
    this.#links = new Map();
  }

  /** Takes a proven stream in; null, or why it is refused. The newest stream of a channel replaces the former one. */
  add(stream: AcceptedStream): string | null {
    let link = this.#links.get(stream.peerNodeId);
    if (link === undefined) {
      link = new PeerLink();
      this.#links.set(stream.peerNodeId, link);
    }
    if (stream.peerIncarnation < link.incarnation) {
      // A process that was thought dead, or a copy of its data directory.
      return `node ${stream.peerNodeId} is known here with incarnation ${link.incarnation}, not ${stream.peerIncarnation}`;
    }
    if (stream.peerIncarnation > link.incarnation) {
      this.#empty(stream.peerNodeId, link, "reset");
      link.incarnation = stream.peerIncarnation;
    }
    const former = link.streams[stream.channel]!;
    link.streams[stream.channel] = stream;
    if (former !== null) {
      // Frames in flight on the former one are lost: that must be heard.
      if (link.isUp && stream.channel <= APPEND) this.#down(stream.peerNodeId, link, "reset");
      former.drop("replaced by a newer stream");
    }
    if (!link.isUp && link.streams[CONTROL] !== null && link.streams[APPEND] !== null) {
      link.isUp = true;
      this.#owner.onPeerUp(stream.peerNodeId, link.incarnation);
    }
    return null;
  }

  remove(stream: AcceptedStream, loss: PeerLoss): void {
    const link = this.#links.get(stream.peerNodeId);
    if (link === undefined || link.streams[stream.channel] !== stream) return;
    link.streams[stream.channel] = null;
    if (stream.channel <= APPEND) this.#down(stream.peerNodeId, link, loss);
  }

  /** Drops what is left of a peer. */
  dropPeer(nodeId: number, loss: PeerLoss): void {
    const link = this.#links.get(nodeId);
    if (link !== undefined) this.#empty(nodeId, link, loss);
  }

  /** Drops all and forgets incarnations: this node is someone else now, or nobody. */
  dropAll(loss: PeerLoss): void {
    for (const [nodeId, link] of this.#links) this.#empty(nodeId, link, loss);
    this.#links.clear();
  }

  send(nodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]): boolean {
    const stream = this.#links.get(nodeId)?.streams[channel] ?? null;
    return stream !== null && stream.send(chunks);
  }

  isUp(nodeId: number): boolean {
    return this.#links.get(nodeId)?.isUp ?? false;
  }

  #empty(nodeId: number, link: PeerLink, loss: PeerLoss): void {
    const streams = link.streams.splice(0, 3, null, null, null);
    for (const stream of streams) stream?.drop("dropped by the other side");
    this.#down(nodeId, link, loss);
  }

  #down(nodeId: number, link: PeerLink, loss: PeerLoss): void {
    if (!link.isUp) return;
    link.isUp = false;
    this.#owner.onPeerDown(nodeId, loss);
  }
}
