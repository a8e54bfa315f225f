import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { concatBytes, copyOf } from "@headrace/bytes";
import { message, MessageType } from "@headrace/raft-ts";
import type { Message } from "@headrace/raft-ts";
import { decodeFrame, FrameBuilder } from "../src/peer-codec.ts";

const number = fc.nat(Number.MAX_SAFE_INTEGER);
const ids = fc.array(number, { maxLength: 4 });
const confState = fc.record({
  voters: ids,
  votersOutgoing: ids,
  learners: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
});
const entry = fc.record({
  term: number,
  index: number,
  type: fc.constantFrom(0 as const, 1 as const, 2 as const),
  data: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 1020, maxLength: 1030 })),
});
const peerMessage: fc.Arbitrary<Message> = fc
  .record({
    type: fc.constantFrom(
      MessageType.App,
      MessageType.AppResp,
      MessageType.Vote,
      MessageType.HeartbeatResp,
      MessageType.Snap,
    ),
    to: number,
    from: number,
    term: number,
    logTerm: number,
    index: number,
    entries: fc.array(entry, { maxLength: 5 }),
    commit: number,
    vote: number,
    snapshot: fc.option(fc.record({ meta: fc.record({ index: number, term: number, confState }), handle: number })),
    reject: fc.boolean(),
    rejectHint: number,
    force: fc.boolean(),
    readNumber: number,
  })
  .map((fields) => ({ ...message(fields.type, fields.to, fields.from), ...fields }));

function plain(value: Message): unknown {
  return { ...value, entries: value.entries.map((each) => ({ ...each, data: [...each.data] })) };
}

const note = { wallMs: 1_700_000_000_123.5, isLowOnSpace: true };

describe("frames between nodes", () => {
  test("messages of several groups come out as they went in", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(65_534), peerMessage), { minLength: 1, maxLength: 6 }), (messages) => {
        const builder = new FrameBuilder(() => note);
        for (const [group, each] of messages) builder.add(group, each);
        const expectedBytes = builder.byteLength;
        const frame = concatBytes(builder.take());
        expect(frame.length).toBe(expectedBytes);
        const decoded: unknown[] = [];
        expect(decodeFrame(frame, (group, each) => decoded.push([group, plain(each)]))).toEqual(note);
        expect(decoded).toEqual(messages.map(([group, each]) => [group, plain(each)]));
        expect(builder.take()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("large entry data is sent by reference", () => {
    const data = new Uint8Array(5000).fill(7);
    const append = message(MessageType.App, 2, 1);
    append.entries = [{ term: 1, index: 1, type: 0, data }];
    const builder = new FrameBuilder(() => note);
    builder.add(1, append);
    expect(builder.take().some((chunk) => chunk === data)).toBe(true);
  });

  test("another version, a cut frame and a forged local message are refused with an error of their own", () => {
    const builder = new FrameBuilder(() => note);
    builder.add(1, message(MessageType.Heartbeat, 2, 1));
    const frame = concatBytes(builder.take());
    const ignore = (): void => {};
    const otherVersion = copyOf(frame, 0, frame.length);
    otherVersion[0] = 9;
    expect(() => decodeFrame(otherVersion, ignore)).toThrow("version 9");
    expect(() => decodeFrame(frame.subarray(0, frame.length - 1), ignore)).toThrow("bytes wanted");
    const forged = copyOf(frame, 0, frame.length);
    forged[14] = MessageType.StorageAppendResp;
    expect(() => decodeFrame(forged, ignore)).toThrow("message type 20");
    const huge = copyOf(frame, 0, frame.length);
    huge.set([0xff, 0xff, 0xff, 0x0f], 16);
    expect(() => decodeFrame(huge, ignore)).toThrow("entry table longer than the frame");
  });
});
