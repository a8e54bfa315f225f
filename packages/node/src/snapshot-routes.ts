/**
 * Frames of the snapshot channel between this node's groups and the other nodes. What is not for here is refused with the reason; what does not
 * match its checksum is named, counted and asked for again.
 */
import { TruncatedError } from "@headrace/bytes";
import { PeerChannel } from "@headrace/ports";
import type { Logger, PeerNetwork } from "@headrace/ports";
import type { RefusalReason } from "./message-refusals.ts";
import { PeerCodecError } from "./peer-codec.ts";
import { decodeSnapshotFrame, goneFrame, settledFrame, SnapshotFrameKind } from "./snapshot-codec.ts";
import type { SnapshotFrame } from "./snapshot-codec.ts";
import type { SnapshotEnds } from "./snapshot-ends.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

/** As much of a group's ends as its frames need. */
export type RoutedEnds = Pick<SnapshotEnds, "awaitedFrom" | "onFrame" | "onDamaged">;

export interface SnapshotRoutesHost {
  nodeOfReplica(groupId: number, replicaId: number): number;
  objectionTo(fromNodeId: number, frame: SnapshotFrame): RefusalReason | null;
  /** Of a group that was not objected to. */
  endsOf(groupId: number): RoutedEnds;
  /** Of all groups that are healthy. */
  allEnds(): Iterable<readonly [groupId: number, ends: RoutedEnds]>;
}

export class SnapshotRoutes {
  readonly #nodeId: number;
  readonly #network: Pick<PeerNetwork, "send">;
  readonly #logger: Logger;
  readonly #traffic: SnapshotTraffic;
  readonly #host: SnapshotRoutesHost;

  constructor(
    nodeId: number,
    world: {
      readonly peerNetwork: Pick<PeerNetwork, "send">;
      readonly logger: Logger;
      readonly snapshots: SnapshotTraffic;
    },
    host: SnapshotRoutesHost,
  ) {
    this.#nodeId = nodeId;
    this.#network = world.peerNetwork;
    this.#logger = world.logger;
    this.#traffic = world.snapshots;
    this.#host = host;
  }

  /** False: the replica lives nowhere, or its node takes nothing now. */
  send(frame: Uint8Array, toReplicaId: number, groupId: number): boolean {
    const nodeId = this.#host.nodeOfReplica(groupId, toReplicaId);
    if (nodeId === 0 || nodeId === this.#nodeId) return false;
    return this.#network.send(nodeId, PeerChannel.snapshot, [frame]);
  }

  receive(fromNodeId: number, bytes: Uint8Array): void {
    let frame: SnapshotFrame | null;
    try {
      frame = decodeSnapshotFrame(bytes);
    } catch (error) {
      if (!(error instanceof PeerCodecError || error instanceof TruncatedError)) throw error;
      this.#traffic.refused++;
      this.#logger.warn("snapshot_refused", { from: fromNodeId, reason: error.message });
      return;
    }
    if (frame === null) return this.#damaged(fromNodeId, bytes.length);
    const reason = this.#host.objectionTo(fromNodeId, frame);
    if (reason === null) return this.#host.endsOf(frame.groupId).onFrame(frame);
    this.#refuse(fromNodeId, frame, reason);
  }

  #damaged(fromNodeId: number, bytes: number): void {
    this.#traffic.damagedChunks++;
    this.#logger.warn("snapshot_chunk_damaged", { from: fromNodeId, bytes });
    for (const [groupId, ends] of this.#host.allEnds()) {
      if (this.#host.nodeOfReplica(groupId, ends.awaitedFrom) === fromNodeId) ends.onDamaged();
    }
  }

  #refuse(fromNodeId: number, frame: SnapshotFrame, reason: RefusalReason): void {
    const { kind, groupId, from, to, snapshotId, number } = frame;
    this.#traffic.refused++;
    this.#logger.warn("snapshot_refused", { from: fromNodeId, group: groupId, replica: to, reason });
    const back = { groupId, to: from, from: to, snapshotId, number };
    // Answers are not answered: two nodes that know nothing of each other would never come to an end.
    const answer =
      kind === SnapshotFrameKind.ask
        ? goneFrame(back, reason)
        : kind === SnapshotFrameKind.chunk
          ? settledFrame(back, false, reason)
          : null;
    if (answer !== null) this.#network.send(fromNodeId, PeerChannel.snapshot, [answer]);
  }
}
