import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeFrame, encodeFrame, handshakeFrame, OutgoingFrame } from "../src/peer-frame.ts";
import { handshakeOf, objectionTo, refusal } from "../src/proof-of-identity.ts";
import { methodOf, raftService } from "../src/proto-contract.ts";

// The oracle: protobufjs with the .proto file, as any other program would use it.
const generic = methodOf(raftService, "Append");

test("payload frames are byte for byte what protobuf writes, whatever their length", () => {
  const lengths = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];
  for (const length of lengths) {
    const payload = Buffer.alloc(length, 0x5a);
    const middle = length >> 1;
    const ours = encodeFrame(new OutgoingFrame(null, [payload.subarray(0, middle), payload.subarray(middle)], length));
    expect(Buffer.compare(ours, generic.requestSerialize({ payload }))).toBe(0);
    expect(Buffer.compare(decodeFrame(ours).payload!, payload)).toBe(0);
  }
});

test("any bytes are decoded as the generic codec does, or refused as it does", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (random, hasTag) => {
      const bytes = Buffer.from(hasTag ? [0x12, ...random] : random);
      const oracle = attempt(() => generic.requestDeserialize(bytes) as { payload?: Uint8Array; handshake?: object });
      const ours = attempt(() => decodeFrame(bytes));
      expect(ours === null).toBe(oracle === null);
      if (ours === null || oracle === null || oracle.handshake) return;
      expect(Buffer.compare(ours.payload!, oracle.payload ?? Buffer.alloc(0))).toBe(0);
    }),
    { numRuns: 2_000, verbose: true },
  );
});

test("a handshake keeps its numbers and texts, and a refusal its reason", () => {
  const identity = { clusterId: "c-1", nodeId: 3, incarnation: Number.MAX_SAFE_INTEGER };
  const sent = handshakeOf(identity, Buffer.alloc(16, 9), Buffer.alloc(32, 8));
  const got = decodeFrame(encodeFrame(handshakeFrame(sent))).handshake!;
  expect(got).toMatchObject({ ...identity, versionMin: 1, versionMax: 1, refused: "" });
  expect(Buffer.compare(got.nonce, sent.nonce)).toBe(0);
  expect(Buffer.compare(got.proof, sent.proof)).toBe(0);
  expect(decodeFrame(encodeFrame(handshakeFrame(refusal("bécause")))).handshake!.refused).toBe("bécause");
});

test("sides whose protocol versions do not overlap object", () => {
  const identity = { clusterId: "c", nodeId: 1, incarnation: 1 };
  const theirs = handshakeOf({ clusterId: "c", nodeId: 2, incarnation: 1 }, Buffer.alloc(16), Buffer.alloc(0));
  expect(objectionTo(identity, theirs)).toBe(null);
  expect(objectionTo(identity, { ...theirs, versionMin: 2, versionMax: 3 })).toMatchObject({
    to: "version",
    reason: expect.stringContaining("none in common"),
  });
  expect(objectionTo(identity, { ...theirs, nodeId: 1 })).toMatchObject({
    to: "nodeId",
    reason: expect.stringContaining("node id 1"),
  });
});

function attempt<T>(action: () => T): T | null {
  try {
    return action();
  } catch {
    return null;
  }
}
