/** Reply: a turn's replies wait for the commit, leave in frames, and are put into the order of each client (steps 20 to 25, without the sockets). */
import { asciiBytes, ByteWriter } from "@headrace/bytes";
import * as link from "@headrace/link";
import { ReplyWriter } from "@headrace/resp";
import { ReplyQueue, ReplySlot } from "../../packages/gateway/src/reply-queue.ts";
import { HeldReplies, HeldSegment } from "../../packages/node/src/held-replies.ts";
import { LaneProgress } from "../../packages/node/src/lane-progress.ts";
import type { Lane, LaneSink } from "../../packages/node/src/shard-api.ts";
import { PER_TURN, type Step } from "./step.ts";

const LANES = 8;
const PER_LANE = PER_TURN / LANES;
const TURNS = 100;
const SHARD = 1;
const ID: Uint8Array = asciiBytes("1700000000000-0");

class Output {
  readonly writer: ByteWriter = new ByteWriter(64 * 1024);

  append(bytes: Uint8Array, start: number, end: number): void {
    this.writer.raw(bytes, start, end);
  }

  held(): void {}
}

export function replyStep(): Step {
  const frames = new ByteWriter(64 * 1024);
  const header = { laneEpoch: 0, count: 0, firstNumber: 0, writeTerm: 0, writeIndex: 0 };
  const unused = (): never => {
    throw new Error("only replies leave here");
  };
  const sink: LaneSink = {
    reply: (lane, shardId, laneEpoch, firstNumber, count, writeTerm, writeIndex, bytes) => {
      header.laneEpoch = laneEpoch;
      header.count = count;
      header.firstNumber = firstNumber;
      header.writeTerm = writeTerm;
      header.writeIndex = writeIndex;
      const at = link.beginReply(frames, shardId, lane.id, header);
      frames.raw(bytes, 0, bytes.length);
      link.endFrame(frames, at);
    },
    refuse: unused,
    lost: unused,
    parked: unused,
    offer: unused,
    offerVoid: unused,
    isFull: () => false,
  };
  const lanes = Array.from({ length: LANES }, (_, id) => {
    const session = new Uint8Array(16);
    const lane: Lane = { id, respVersion: 2, ack: null, clientId: id, session, openedAtMs: 0, closed: false, sink };
    return new LaneProgress(lane);
  });
  const outputs = lanes.map(() => new Output());
  const queues = outputs.map((output) => new ReplyQueue(output));
  const held = new HeldReplies(SHARD);
  held.begin(1);
  const replies = new ReplyWriter(new ByteWriter(64 * 1024));
  const reader = new link.FrameReader({ maxMessageBytes: 1 << 26, maxPartialBytes: 1 << 26 }, false);
  const payload = new link.ReplyPayload();
  let index = 0;
  const turn = (): void => {
    index++;
    for (const progress of lanes) {
      const segment = new HeldSegment(progress, 1, index, replies.writer.length);
      for (let i = 0; i < PER_LANE; i++) replies.bulk(ID, 0, ID.length);
      segment.count = PER_LANE;
      segment.end = replies.writer.length;
      segment.commitIndex = index;
      segment.writeIndex = index;
      held.hold(segment);
    }
    held.endTurn(replies.writer);
    held.advance(index, index, 0);
  };
  const deliver = (): void => {
    const slots = queues.map((queue) => {
      const slot = new ReplySlot(PER_LANE);
      queue.push(slot);
      return slot;
    });
    reader.feed(frames.take(64 * 1024));
    while (reader.next() === link.FrameResult.frame) {
      if (!payload.decode(reader)) throw new Error("not a reply");
      queues[reader.lane]!.deliver(slots[reader.lane]!, payload.count, reader.bytes, payload.start, payload.end);
    }
  };
  return {
    run: () => {
      for (let i = 0; i < TURNS; i++) {
        turn();
        deliver();
      }
      return TURNS * PER_TURN;
    },
    tidy: () => {
      for (const { writer } of outputs) {
        if (writer.length === 0) throw new Error("no reply came through");
        writer.clear();
      }
    },
  };
}
