/**
 * Where frames of outboxes go (outbox-codec.ts): from a shard of this node to the leader of another shard, which is here or on another node, and what comes to
 * the shard that it is for. Whom the placement names need not lead any more, or may not have heard of it: then the answer says who does, if that is known there,
 * and else the shard's replicas are asked in turn.
 */
import type { ClusterState } from "@headrace/meta";
import { PeerChannel } from "@headrace/ports";
import type { PeerNetwork, Scheduler } from "@headrace/ports";
import { addressBack, decodeOutboxFrame, notHereFrame, type OutboxFrame } from "./outbox-codec.ts";
import type { OutboxPost } from "./shard-api.ts";

export interface OutboxPostHost {
  readonly nodeId: number;
  state(): ClusterState;
  /** As far as a replica here knows; 0: not at all. */
  leaderNodeOf(shardId: number): number;
  /** Null: no healthy replica of it is here. */
  deskOf(shardId: number): { receive(frame: OutboxFrame, fromNodeId: number): void } | null;
}

export class NodeOutboxPost implements OutboxPost {
  /** Frames that were altered on their way, or of another version. */
  refused: number;
  readonly #network: Pick<PeerNetwork, "send">;
  readonly #scheduler: Scheduler;
  readonly #host: OutboxPostHost;

  constructor(
    world: { readonly peerNetwork: Pick<PeerNetwork, "send">; readonly scheduler: Scheduler },
    host: OutboxPostHost,
  ) {
    this.refused = 0;
    this.#network = world.peerNetwork;
    this.#scheduler = world.scheduler;
    this.#host = host;
  }

  shardOfSlot(slot: number): number {
    for (const { id, slotRanges } of this.#host.state().shards)
      for (const { from, to } of slotRanges) if (slot >= from && slot <= to) return id;
    return 0;
  }

  sendToLeader(
    shardId: number,
    frame: Uint8Array,
    { leaderNodeId, attempt }: { readonly leaderNodeId: number; readonly attempt: number },
  ): void {
    const known = leaderNodeId === 0 ? this.#host.leaderNodeOf(shardId) : leaderNodeId;
    if (known !== 0) return this.send(known, frame);
    const shard = this.#host.state().shards.find(({ id }) => id === shardId);
    const replicas = shard?.replicas ?? [];
    if (replicas.length > 0) this.send(replicas[attempt % replicas.length]!.nodeId, frame);
  }

  send(nodeId: number, frame: Uint8Array): void {
    if (nodeId === this.#host.nodeId) this.#scheduler.soon(() => this.receive(nodeId, frame));
    // Not taken is lost: who waits for an answer sends again.
    else this.#network.send(nodeId, PeerChannel.snapshot, [frame]);
  }

  receive(fromNodeId: number, bytes: Uint8Array): void {
    const frame = decodeOutboxFrame(bytes);
    if (frame === null) {
      this.refused++;
      return;
    }
    const desk = this.#host.deskOf(frame.toShardId);
    if (desk !== null) return desk.receive(frame, fromNodeId);
    // Answers are not answered.
    if (frame.kind !== "items") return;
    this.send(fromNodeId, notHereFrame(addressBack(frame), this.#host.leaderNodeOf(frame.toShardId)));
  }
}
