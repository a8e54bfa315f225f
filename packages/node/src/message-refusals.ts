/**
 * Messages between nodes that were not taken in, by reason: counted for the metric, and the first ones of a kind named in the log. The sender is
 * not told: Raft repeats what matters, and who is not who it claims to be gets no answer.
 */
import type { Logger } from "@headrace/ports";
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
export type RefusalReason = (typeof refusalReasons)[number];

/** Named in the log at the first time, then at every doubling. */
function isNamed(count: number): boolean {
  return (count & (count - 1)) === 0;
}

export class MessageRefusals {
  readonly #logger: Logger;
  readonly #counts: Map<RefusalReason, number>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#counts = new Map();
  }

  /** Since the start; only what has happened. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  count(reason: RefusalReason): number {
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

  #add(reason: RefusalReason): number {
    const count = this.count(reason) + 1;
    this.#counts.set(reason, count);
    return count;
  }
}
