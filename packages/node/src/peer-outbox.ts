/**
 * What leaves for the other nodes in a turn: the messages of all groups for one peer and class of traffic share one frame (cut at 1 MiB).
 * Appends, their answers and snapshots' announcements go by the append channel, votes and heartbeats by the control channel, so that bulk
 * never delays an election. A frame that the network does not take is lost, and Raft is told.
 *
 * Must not know: what the messages mean.
 */
import type { PeerNetwork } from "@headrace/ports";
import { PeerChannel } from "@headrace/ports";
import { MessageType } from "@headrace/raft-ts";
import type { Message } from "@headrace/raft-ts";
import { FrameBuilder } from "./peer-codec.ts";
import type { NodeNote } from "./peer-notes.ts";

/** What one frame may hold; a single larger log entry makes a larger one. */
const MAX_FRAME_BYTES = 1024 * 1024;

class PeerBox {
  readonly nodeId: number;
  readonly channel: PeerChannel;
  readonly builder: FrameBuilder;
  /** Whom the messages of the open frame are for: group and replica, in pairs. */
  readonly addressees: number[];
  queued: boolean;

  constructor(nodeId: number, channel: PeerChannel, note: () => NodeNote) {
    this.nodeId = nodeId;
    this.channel = channel;
    this.builder = new FrameBuilder(note);
    this.addressees = [];
    this.queued = false;
  }
}

export class PeerOutbox {
  readonly #network: Pick<PeerNetwork, "send">;
  readonly #onLost: (groupId: number, replicaId: number) => void;
  readonly #note: () => NodeNote;
  readonly #boxes: Map<number, PeerBox>;
  #queued: PeerBox[];
  framesSent: number;
  framesLost: number;

  /**
   * `note`: what this node says of itself in each frame. `onLost`: a message to that replica was dropped; called once per group and replica of the
   * frame, inside `add` or `flush`.
   */
  constructor(
    network: Pick<PeerNetwork, "send">,
    note: () => NodeNote,
    onLost: (groupId: number, replicaId: number) => void,
  ) {
    this.#network = network;
    this.#note = note;
    this.#onLost = onLost;
    this.#boxes = new Map();
    this.#queued = [];
    this.framesSent = 0;
    this.framesLost = 0;
  }

  add(nodeId: number, groupId: number, message: Message): void {
    const box = this.#box(nodeId, channelOf(message.type));
    if (!box.queued) {
      box.queued = true;
      this.#queued.push(box);
    }
    if (box.builder.messageCount > 0 && box.builder.byteLength + bytesOf(message) > MAX_FRAME_BYTES) this.#send(box);
    box.builder.add(groupId, message);
    box.addressees.push(groupId, message.to);
  }

  /** At the end of a turn. */
  flush(): void {
    const queued = this.#queued;
    if (queued.length === 0) return;
    this.#queued = [];
    for (const box of queued) {
      box.queued = false;
      this.#send(box);
    }
  }

  #send(box: PeerBox): void {
    const sent = this.#network.send(box.nodeId, box.channel, box.builder.take());
    if (sent) {
      this.framesSent++;
    } else {
      this.framesLost++;
      this.#reportLost(box.addressees);
    }
    box.addressees.length = 0;
  }

  #reportLost(addressees: readonly number[]): void {
    const told = new Set<string>();
    for (let i = 0; i < addressees.length; i += 2) {
      const groupId = addressees[i]!;
      const replicaId = addressees[i + 1]!;
      const name = `${groupId}/${replicaId}`;
      if (told.has(name)) continue;
      told.add(name);
      this.#onLost(groupId, replicaId);
    }
  }

  #box(nodeId: number, channel: PeerChannel): PeerBox {
    const key = nodeId * 4 + channel;
    let box = this.#boxes.get(key);
    if (box === undefined) {
      box = new PeerBox(nodeId, channel, this.#note);
      this.#boxes.set(key, box);
    }
    return box;
  }
}

function channelOf(type: MessageType): PeerChannel {
  const isBulk = type === MessageType.App || type === MessageType.AppResp || type === MessageType.Snap;
  return isBulk ? PeerChannel.append : PeerChannel.control;
}

/** Near enough for cutting: the codec's headers and the entries' data. */
function bytesOf(message: Message): number {
  let bytes = 128;
  for (const entry of message.entries) bytes += 32 + entry.data.length;
  return bytes;
}
