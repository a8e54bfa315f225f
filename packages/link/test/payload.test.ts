/** Payloads come back as they were written, and no bytes at all make a decoder throw. */
import { ByteWriter, bytesOf, latin1 } from "@headrace/bytes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as link from "@headrace/link";
import type { Frame } from "@headrace/link";

const limits = { maxMessageBytes: 1 << 20, maxPartialBytes: 1 << 20 };

function frameOf(write: (out: ByteWriter) => void): link.FrameReader {
  const out = new ByteWriter();
  write(out);
  const reader = new link.FrameReader(limits, false);
  reader.feed(out.take());
  expect(reader.next()).toBe(link.FrameResult.frame);
  return reader;
}

const count = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

describe("payloads", () => {
  test("of requests and replies keep their numbers and bytes", () => {
    fc.assert(
      fc.property(count, count, count, number, number, fc.uint8Array(), (a, b, c, d, e, resp) => {
        const flags = a % 2;
        const executedUpTo = flags === link.REQUEST_RESEND ? (b % 1000) + 0.5 : -1;
        const header = {
          laneEpoch: a,
          placementEpoch: b,
          count: c,
          flags,
          mode: link.RequestMode.whole,
          used: c === 1 ? { entries: b, bytes: d } : link.NOTHING_USED,
          firstNumber: d,
          lowestUnanswered: e,
          executedUpTo,
        };
        const request = new link.RequestPayload();
        let frame = frameOf((out) => {
          const at = link.beginRequest(out, 7, 8, header);
          out.all(resp);
          link.endFrame(out, at);
        });
        expect(request.decode(frame)).toBe(true);
        expect(request).toMatchObject({ ...header, flags: expect.anything() });
        expect([...frame.bytes.subarray(request.start, request.end)]).toEqual([...resp]);

        const replyHeader = { laneEpoch: a, count: c, firstNumber: d, writeTerm: e, writeIndex: d };
        const reply = new link.ReplyPayload();
        frame = frameOf((out) => {
          const at = link.beginReply(out, 7, 8, replyHeader);
          out.all(resp);
          link.endFrame(out, at);
        });
        expect(reply.decode(frame)).toBe(true);
        expect(reply).toMatchObject(replyHeader);
        expect([...frame.bytes.subarray(reply.start, reply.end)]).toEqual([...resp]);
      }),
    );
  });

  test("of everything else come back equal", () => {
    const open: link.LaneOpen = {
      respVersion: 3,
      ack: 255,
      clientId: 4_000_000_000,
      openedAtMs: 1.7e12,
      session: Uint8Array.from({ length: 16 }, (_, i) => i * 15),
    };
    const opened = link.decodeLaneOpen(frameOf((out) => link.writeLaneOpen(out, 5, open)))!;
    expect({ ...opened, session: [...opened.session] }).toEqual({ ...open, session: [...open.session] });
    const set: link.LaneSet = { respVersion: 2, ack: 1 };
    expect(link.decodeLaneSet(frameOf((out) => link.writeLaneSet(out, 5, set)))).toEqual(set);
    const refuse: link.Refuse = { laneEpoch: 2, reason: 4, firstNumber: 2 ** 40, leaderNodeId: 3, term: 9 };
    expect(link.decodeRefuse(frameOf((out) => link.writeRefuse(out, 1, 5, refuse)))).toEqual(refuse);
    const lost: link.Lost = { laneEpoch: 1, count: 3, firstNumber: 4 };
    expect(link.decodeLost(frameOf((out) => link.writeLost(out, 1, 5, lost)))).toEqual(lost);
    for (const ids of [[], ["5-0"], ["18446744073709551615-18446744073709551615", "0-0"]]) {
      const parked: link.Parked = { laneEpoch: 7, number: 2 ** 40, ids };
      expect(link.decodeParked(frameOf((out) => link.writeParked(out, 1, 5, parked)))).toEqual(parked);
    }
    const cancel: link.Cancel = { number: 12, how: 2 };
    expect(link.decodeCancel(frameOf((out) => link.writeCancel(out, 1, 5, cancel)))).toEqual(cancel);
    const leader: link.Leader = { nodeId: 3, term: 77 };
    expect(link.decodeLeader(frameOf((out) => link.writeLeader(out, 1, leader)))).toEqual(leader);
    expect(link.decodeCredit(frameOf((out) => link.writeCredit(out, 5, 1000)))).toBe(1000);
    expect(link.decodePing(frameOf((out) => link.writePing(out, 1.5)))).toBe(1.5);
    expect(link.decodePing(frameOf((out) => link.writePong(out, 2.5)))).toBe(2.5);
    const query: link.WaitQueryPayload = { query: 1, replicasWanted: 2, kind: 1, term: 3, index: 4, timeoutMs: 5 };
    expect(link.decodeWaitQuery(frameOf((out) => link.writeWaitQuery(out, 1, 5, query)))).toEqual(query);
    const answer: link.WaitAnswerPayload = { query: 1, outcome: 1, localFsynced: true, replicas: 2 };
    expect(link.decodeWaitAnswer(frameOf((out) => link.writeWaitAnswer(out, 1, 5, answer)))).toEqual(answer);
    expect(link.decodeWaitCancel(frameOf((out) => link.writeWaitCancel(out, 1, 5, 6)))).toBe(6);
    expect(frameOf((out) => link.writeLaneClose(out, 5)).lane).toBe(5);
  });

  test("about channels keep names and messages of any bytes", () => {
    const name = fc.uint8Array({ maxLength: 40 }).map((bytes) => latin1(bytes, 0, bytes.length));
    fc.assert(
      fc.property(name, fc.uint8Array({ maxLength: 70_000 }), fc.constantFrom(0, 2), (channel, message, kind) => {
        const frame = frameOf((out) => link.writeMessage(out, 7, 3, kind, channel, message));
        const decoded = link.decodeMessage(frame)!;
        expect(decoded).toMatchObject({ term: 3, kind, channel });
        expect(frame.shard).toBe(7);
        expect([...frame.bytes.subarray(decoded.start, decoded.end)]).toEqual([...message]);
      }),
      { numRuns: 50 },
    );
    const changes = Array.from({ length: 5000 }, (_, i) => ({ kind: i % 3, name: `channel ${i}`, subscribers: i }));
    const out = new ByteWriter(1024);
    link.writeSubscriptions(out, 9, changes);
    const reader = new link.FrameReader(limits, false);
    reader.feed(out.take());
    const taken: link.SubscriptionChange[] = [];
    const numbers: number[] = [];
    while (reader.next() === link.FrameResult.frame) {
      const decoded = link.decodeSubscriptions(reader)!;
      taken.push(...decoded.changes);
      numbers.push(decoded.number);
    }
    expect(taken).toEqual(changes);
    // Only behind the last change there is something to answer.
    expect(numbers.filter((number) => number > 0)).toEqual([9]);
    expect(numbers.at(-1)).toBe(9);
    expect(link.decodeSubscriptionsTaken(frameOf((answer) => link.writeSubscriptionsTaken(answer, 9)))).toBe(9);
  });

  test("that are random bytes are decoded or refused, never thrown", () => {
    const decoders: ((frame: Frame) => unknown)[] = [
      link.decodeLaneOpen,
      link.decodeLaneSet,
      link.decodeRefuse,
      link.decodeLost,
      link.decodeParked,
      link.decodeCancel,
      link.decodeLeader,
      link.decodeCredit,
      link.decodePing,
      link.decodeWaitQuery,
      link.decodeWaitAnswer,
      link.decodeWaitCancel,
      link.decodeSubscriptions,
      link.decodeSubscriptionsTaken,
      link.decodeMessage,
      (frame) => new link.RequestPayload().decode(frame),
      (frame) => new link.ReplyPayload().decode(frame),
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 48 }), (payload) => {
        const frame = frameOf((out) => link.writeFrame(out, link.FrameType.Ping, 1, 1, payload));
        for (const decode of decoders) decode(frame);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the handshake", () => {
  // Not a real HMAC: the state machines only need a function of key and data.
  const hmacSha256 = (key: Uint8Array, data: Uint8Array) => {
    const digest = new Uint8Array(32);
    [...key, 0, ...data].forEach((byte, i) => (digest[i % 32] = (digest[i % 32]! * 33 + byte + i) & 255));
    return digest;
  };
  const security = (secret: string | null, nonce: string) => ({
    secret: secret === null ? null : bytesOf(secret),
    hmacSha256,
    nonce,
  });
  const gatewayIdentity = { clusterId: "c1", gatewayId: "g", incarnation: 1, featureLevel: 1 };
  const nodeIdentity = { clusterId: "c1", nodeId: 3, incarnation: 5, featureLevel: 1 };
  const credits = { laneCreditBytes: 100, linkCreditBytes: 1000 };

  function shake(gatewaySecret: string | null, nodeSecret: string | null, clusterId = "c1", expected = 3) {
    const gateway = new link.GatewayHandshake(
      { ...gatewayIdentity, clusterId },
      expected,
      security(gatewaySecret, "g".repeat(32)),
    );
    const node = new link.NodeHandshake(nodeIdentity, credits, security(nodeSecret, "n".repeat(32)));
    const toNode = new ByteWriter();
    const toGateway = new ByteWriter();
    const nodeReader = new link.FrameReader(limits, true);
    const gatewayReader = new link.FrameReader(limits, false);
    gateway.begin(toNode);
    while (toNode.length > 0 || toGateway.length > 0) {
      nodeReader.feed(toNode.take());
      while (nodeReader.next() === link.FrameResult.frame) node.onFrame(nodeReader, toGateway);
      gatewayReader.feed(toGateway.take());
      while (gatewayReader.next() === link.FrameResult.frame) gateway.onFrame(gatewayReader, toNode);
    }
    return { gateway, node };
  }

  test("makes both sides ready with the same secret, or with none", () => {
    for (const secret of ["s3cret", null]) {
      const { gateway, node } = shake(secret, secret);
      expect([gateway.state, node.state]).toEqual(["ready", "ready"]);
      expect(gateway.node).toEqual(nodeIdentity);
      expect(gateway.credits).toEqual(credits);
      expect(node.gateway).toEqual(gatewayIdentity);
    }
  });

  test("fails when the secrets differ, whichever side has the wrong one", () => {
    for (const [a, b] of [
      ["x", "y"],
      [null, "y"],
      ["x", null],
    ] as const) {
      const { gateway, node } = shake(a, b);
      expect(gateway.state).toBe("failed");
      expect(node.state).not.toBe("ready");
    }
  });

  test("fails between clusters and when another node answers", () => {
    expect(shake(null, null, "other").gateway.failure).toContain("this node belongs to cluster c1");
    expect(shake(null, null, "c1", 4).gateway.state).toBe("failed");
    expect(shake(null, null, "").gateway.state).toBe("ready");
  });

  test("answers random frames with Reject, never by throwing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 21 }), fc.oneof(fc.json(), fc.string()), (type, text) => {
        const out = new ByteWriter();
        const node = new link.NodeHandshake(nodeIdentity, credits, security("s", "n".repeat(32)));
        const frame = frameOf((o) => link.writeFrame(o, type as link.FrameType, 0, 0, Buffer.from(text)));
        expect(node.onFrame(frame, out)).toBe("failed");
        expect(out.bytes[4]).toBe(link.FrameType.Reject);
        const gateway = new link.GatewayHandshake(gatewayIdentity, 3, security("s", "g".repeat(32)));
        expect(gateway.onFrame(frame, out)).toBe("failed");
      }),
    );
  });
});
