import { PeerChannel } from "@headrace/ports";
import { EntryType, message, MessageType } from "@headrace/raft-ts";
import type { Message } from "@headrace/raft-ts";
import { concatBytes } from "@headrace/bytes";
import { expect, test } from "vitest";
import { decodeFrame } from "../src/peer-codec.ts";
import { PeerOutbox } from "../src/peer-outbox.ts";

interface Sent {
  readonly nodeId: number;
  readonly channel: PeerChannel;
  readonly messages: [groupId: number, type: number][];
  readonly bytes: number;
}

const note = { wallMs: 0, isLowOnSpace: false };

function outbox(takes: (nodeId: number) => boolean = () => true): {
  box: PeerOutbox;
  sent: Sent[];
  lost: [number, number][];
} {
  const sent: Sent[] = [];
  const lost: [number, number][] = [];
  const network = {
    send: (nodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]): boolean => {
      const messages: [number, number][] = [];
      const frame = concatBytes(chunks);
      decodeFrame(frame, (groupId, each) => messages.push([groupId, each.type]));
      if (takes(nodeId)) sent.push({ nodeId, channel, messages, bytes: frame.length });
      return takes(nodeId);
    },
  };
  return {
    box: new PeerOutbox(
      network,
      () => note,
      (groupId, replicaId) => lost.push([groupId, replicaId]),
    ),
    sent,
    lost,
  };
}

function append(to: number, dataBytes: number): Message {
  const app = message(MessageType.App, to, 1);
  app.entries = [{ term: 1, index: 1, type: EntryType.Normal, data: new Uint8Array(dataBytes) }];
  return app;
}

test("a turn's messages of all groups for a peer leave as one frame per channel", () => {
  const { box, sent } = outbox();
  for (const groupId of [1, 2, 3]) {
    for (const nodeId of [2, 3]) {
      box.add(nodeId, groupId, append(10 + nodeId, 100));
      box.add(nodeId, groupId, message(MessageType.Heartbeat, 10 + nodeId, 1));
    }
  }
  expect(sent).toHaveLength(0);
  box.flush();
  const seen = sent.map(({ nodeId, channel, messages }) => [nodeId, channel, messages.map(([groupId]) => groupId)]);
  expect(seen).toEqual([
    [2, PeerChannel.append, [1, 2, 3]],
    [2, PeerChannel.control, [1, 2, 3]],
    [3, PeerChannel.append, [1, 2, 3]],
    [3, PeerChannel.control, [1, 2, 3]],
  ]);
  box.flush();
  expect(sent).toHaveLength(4);
});

test("frames are cut at 1 MiB, except for a single larger log entry, and keep the order of messages", () => {
  const { box, sent } = outbox();
  const sizes = [400_000, 400_000, 400_000, 3_000_000, 10];
  sizes.forEach((size, i) => box.add(2, i + 1, append(12, size)));
  box.flush();
  expect(sent.map(({ messages }) => messages.map(([groupId]) => groupId))).toEqual([[1, 2], [3], [4], [5]]);
  for (const { bytes, messages } of sent) if (messages[0]![0] !== 4) expect(bytes).toBeLessThanOrEqual(1024 * 1024);
});

test("a frame that is not taken is reported once for each group and replica in it", () => {
  const { box, lost } = outbox((nodeId) => nodeId !== 2);
  box.add(2, 1, append(12, 10));
  box.add(2, 1, append(12, 10));
  box.add(2, 5, append(52, 10));
  box.add(3, 1, append(13, 10));
  box.flush();
  expect(lost).toEqual([
    [1, 12],
    [5, 52],
  ]);
  expect([box.framesSent, box.framesLost]).toEqual([1, 1]);
});
