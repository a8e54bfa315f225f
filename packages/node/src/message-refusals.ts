/**
 * What came from other nodes and was not taken in, by reason: counted for the metric, and the first ones of a kind named in the log. The sender of a
 * message is not told: Raft repeats what matters. A node whose whole stream is refused is told why by the transport.
 */
import type { Logger, PeerObjection } from "@headrace/ports";
import type { Message } from "@headrace/raft-ts";

export const refusalReasons = [
  /** No replica of that group is here. */
  "unknownGroup",
  /** The replica here has another id: the message is for one that was here before, or will be. */
  "unknownReplica",
  /** The sending replica does not live on the node that the message came from. */
  "unknownSender",
  /** A message of this node for a replica that lives nowhere. */
  "unknownAddressee",
  /** The replica here has stopped. */
  "replicaFailed",
  /** A frame of another version. */
  "unknownVersion",
  /** A frame that is none. */
  "malformed",
] as const;

/** Whole streams of another node that were refused: PeerObjection of the ports. */
const peerReasons = {
  version: "peerVersion",
  clusterId: "peerClusterId",
  nodeId: "peerNodeId",
  incarnation: "peerIncarnation",
  secret: "peerSecret",
  protocol: "peerProtocol",
} as const;
type PeerReason = (typeof peerReasons)[PeerObjection];

/** A gateway's link that the handshake has refused. */
const LINK_REASON = "gatewayLink";

type Reason = RefusalReason | PeerReason | typeof LINK_REASON;

export type RefusalReason = (typeof refusalReasons)[number];

/** Named in the log at the first time, then at every doubling. */
function isNamed(count: number): boolean {
  return (count & (count - 1)) === 0;
}

export class MessageRefusals {
  readonly #logger: Logger;
  readonly #counts: Map<Reason, number>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#counts = new Map();
  }

  /** Since the start; only what has happened. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  count(reason: Reason): number {
    return this.#counts.get(reason) ?? 0;
  }

  refuse(reason: RefusalReason, fromNodeId: number, groupId: number, message: Message): void {
    const count = this.#add(reason);
    if (!isNamed(count)) return;
    const { type, from, to, term } = message;
    this.#logger.warn("message_refused", { reason, count, node: fromNodeId, group: groupId, type, from, to, term });
  }

  refuseFrame(reason: "unknownVersion" | "malformed", fromNodeId: number, message: string): void {
    const count = this.#add(reason);
    if (isNamed(count)) this.#logger.warn("frame_refused", { reason, count, node: fromNodeId, message });
  }

  /** Named in the log where it happened. */
  refusePeer(objection: PeerObjection): void {
    this.#add(peerReasons[objection]);
  }

  /** Named in the log where it happened. */
  refuseLink(): void {
    this.#add(LINK_REASON);
  }

  #add(reason: Reason): number {
    const count = this.count(reason) + 1;
    this.#counts.set(reason, count);
    return count;
  }
}
