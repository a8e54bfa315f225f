/** The link's codec: what one side writes the other reads, whatever the chunks; and nonsense is refused by name, never by an exception. */
import { ByteWriter } from "@headrace/bytes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FRAME_HEADER_BYTES,
  FrameReader,
  FrameResult,
  FrameType,
  LINK_MAGIC,
  MAX_FRAME_PAYLOAD_BYTES,
  beginFrame,
  endFrame,
  endFrameBy,
  writeFrame,
} from "@headrace/link";

const limits = { maxMessageBytes: 4 * 1024 * 1024, maxPartialBytes: 8 * 1024 * 1024 };

interface Seen {
  type: number;
  shard: number;
  lane: number;
  payload: string;
}

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): Seen[] {
  const seen: { frame: Omit<Seen, "payload">; bytes: Uint8Array }[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    while (reader.next() === FrameResult.frame) {
      const { type, shard, lane } = reader;
      seen.push({ frame: { type, shard, lane }, bytes: reader.bytes.subarray(reader.start, reader.end) });
    }
  }
  // Read only now: what was handed out must still be whole after all later chunks.
  return seen.map(({ frame, bytes }) => ({ ...frame, payload: Buffer.from(bytes).toString("hex") }));
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    chunks.push(Uint8Array.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return chunks;
}

function errorOf(bytes: Uint8Array, expectMagic: boolean = false): string | null {
  const reader = new FrameReader(limits, expectMagic);
  reader.feed(bytes);
  while (reader.next() === FrameResult.frame);
  return reader.error;
}

describe("frames", () => {
  test("have the header that the protocol draws", () => {
    const out = new ByteWriter();
    writeFrame(out, FrameType.Push, 0x0102, 0x03040506, Uint8Array.of(7, 8));
    expect([...out.view()]).toEqual([2, 0, 0, 0, FrameType.Push, 0, 2, 1, 6, 5, 4, 3, 7, 8]);
  });

  test("survive any cutting of the byte stream, fragments included", () => {
    const frame = fc.record({
      type: fc.integer({ min: 1, max: FrameType.Bye }),
      shard: fc.integer({ min: 0, max: 65535 }),
      lane: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      size: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 65_000, max: 200_000 })),
      fill: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
        (frames, sizes) => {
          const out = new ByteWriter();
          const expected: Seen[] = [];
          for (const { type, shard, lane, size, fill } of frames) {
            const payload = new Uint8Array(size).map((_, i) => (i * 31 + fill) & 255);
            writeFrame(out, type as FrameType, shard, lane, payload);
            expected.push({ type, shard, lane, payload: Buffer.from(payload).toString("hex") });
          }
          const small = sizes.map((size) => (out.length > 20_000 ? size + 1000 : (size % 50) + 1));
          expect(readAll(new FrameReader(limits, false), cut(out.view(), small))).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("of other lanes come through between the fragments of a large message", () => {
    const large = new ByteWriter();
    writeFrame(large, FrameType.Reply, 1, 9, new Uint8Array(MAX_FRAME_PAYLOAD_BYTES + 5).fill(1));
    const first = large.view().slice(0, FRAME_HEADER_BYTES + MAX_FRAME_PAYLOAD_BYTES);
    const last = large.view().slice(first.length);
    const between = new ByteWriter();
    writeFrame(between, FrameType.Reply, 1, 8, Uint8Array.of(2));
    const seen = readAll(new FrameReader(limits, false), [first, between.view(), last]);
    expect(seen.map((one) => [one.lane, one.payload.length / 2])).toEqual([
      [8, 1],
      [9, MAX_FRAME_PAYLOAD_BYTES + 5],
    ]);
  });

  test("never exceed 64 KiB of payload on the wire", () => {
    const out = new ByteWriter();
    const at = beginFrame(out, FrameType.Request, 3, 4);
    out.all(new Uint8Array(3 * MAX_FRAME_PAYLOAD_BYTES));
    endFrame(out, at);
    const sizes: number[] = [];
    const view = Buffer.from(out.view());
    for (let i = 0; i < view.length; i += FRAME_HEADER_BYTES + sizes.at(-1)!) sizes.push(view.readUInt32LE(i));
    expect(sizes).toEqual([MAX_FRAME_PAYLOAD_BYTES, MAX_FRAME_PAYLOAD_BYTES, MAX_FRAME_PAYLOAD_BYTES]);
  });
});

describe("a payload that is not copied", () => {
  test("is on the wire what a copied one is, whatever its length, behind what was written before it", () => {
    for (const length of [0, 1, 1000, 65_524, 65_525, 65_536, 131_060, 131_061, 200_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
      const [copied, byReference] = [new ByteWriter(), new ByteWriter()];
      for (const out of [copied, byReference]) writeFrame(out, FrameType.Ping, 0, 0, Uint8Array.of(1, 2, 3));
      const prefix = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11, 12);
      const at = beginFrame(copied, FrameType.Reply, 513, 70_000);
      copied.all(prefix);
      copied.all(bytes);
      endFrame(copied, at);
      const chunks: Uint8Array[] = [];
      const begun = beginFrame(byReference, FrameType.Reply, 513, 70_000);
      byReference.all(prefix);
      endFrameBy(byReference, begun, bytes, (chunk) => chunks.push(chunk), 64);
      expect(byReference.length).toBe(0);
      expect(Buffer.concat(chunks).equals(Buffer.from(copied.view())), `${length} bytes`).toBe(true);
      expect(
        chunks.filter((chunk) => chunk.buffer === bytes.buffer).every((chunk) => chunk.length > 0 || length === 0),
      ).toBe(true);
    }
  });
});

describe("a link that is none", () => {
  test("is refused by its first bytes", () => {
    expect(errorOf(Buffer.from("HRLX"), true)).toBe("badMagic");
    expect(errorOf(Buffer.from(LINK_MAGIC), true)).toBeNull();
  });

  test("is refused for a frame over 64 KiB and for an unknown type", () => {
    expect(errorOf(Uint8Array.of(1, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0))).toBe("frameTooLarge");
    expect(errorOf(Uint8Array.of(1, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0))).toBe("unknownType");
    expect(errorOf(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))).toBe("unknownType");
  });

  test("is refused for fragments that are empty, change their shard or never end", () => {
    const more = (shard: number, size: number, lane: number = 1) => {
      const out = new ByteWriter();
      writeFrame(out, FrameType.Request, shard, lane, new Uint8Array(size));
      out.bytes[5] = 1;
      return Buffer.from(out.view());
    };
    expect(errorOf(more(1, 0))).toBe("badFragment");
    expect(errorOf(Buffer.concat([more(1, 5), more(2, 5)]))).toBe("badFragment");
    expect(errorOf(Buffer.concat(Array.from({ length: 65 }, () => more(1, 65536))))).toBe("messageTooLarge");
    expect(errorOf(Buffer.concat(Array.from({ length: 129 }, (_, i) => more(1, 65536, i))))).toBe("tooManyFragments");
  });

  test("never makes the reader throw or give more bytes than arrived", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
        const reader = new FrameReader(limits, false);
        let arrived = 0;
        for (const chunk of chunks) {
          if (reader.error !== null) return;
          arrived += chunk.length;
          reader.feed(chunk);
          let result;
          while ((result = reader.next()) === FrameResult.frame) {
            expect(reader.end - reader.start).toBeLessThanOrEqual(arrived);
          }
          expect(result === FrameResult.error).toBe(reader.error !== null);
        }
      }),
      { numRuns: 500 },
    );
  });
});
