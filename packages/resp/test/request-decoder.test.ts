/** The decoder against a naive reading of the protocol, and against the error texts of Redis 7 (networking.c). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeResult, RequestDecoder } from "../src/index.ts";

const LIMITS = { maxBulkBytes: 1000, maxArguments: 100, maxInlineBytes: 200, maxRequestBytes: 5000 };

interface Outcome {
  readonly requests: string[][];
  readonly raw: string[];
  readonly error: string;
}

function decode(chunks: readonly Uint8Array[], limits: typeof LIMITS = LIMITS): Outcome {
  const decoder = new RequestDecoder(limits);
  const requests: string[][] = [];
  const raw: string[] = [];
  for (const chunk of chunks) {
    decoder.feed(chunk);
    let result = decoder.next();
    for (; result === DecodeResult.request; result = decoder.next()) {
      const { request } = decoder;
      requests.push(Array.from({ length: request.count }, (_, i) => request.latin1(i)));
      raw.push(Buffer.from(request.bytes.subarray(request.rawStart, request.rawEnd)).toString("latin1"));
      expect(request.headerStart(request.count)).toBe(request.rawEnd);
    }
    if (result === DecodeResult.error) break;
  }
  return { requests, raw, error: decoder.errorText };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** One chunk for every byte. */
const bytewise = (text: string): Uint8Array[] => Array.from(bytes(text), (byte) => Uint8Array.of(byte));

function encode(parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`;
}

test("requests give the same whatever byte the stream is split at", () => {
  const stream =
    encode(["XADD", "s", "*", "f", "v\r\n$5"]) +
    "*0\r\n*-1\r\n\r\n" +
    "set \"a\\x41\\n\" 'it\\'s' b\r\nPING\n" +
    encode(["ECHO", "", "x".repeat(300)]);
  const whole = decode([bytes(stream)]);
  expect(whole.requests).toEqual([
    ["XADD", "s", "*", "f", "v\r\n$5"],
    ["set", "aA\n", "it's", "b"],
    ["PING"],
    ["ECHO", "", "x".repeat(300)],
  ]);
  expect(whole.raw).toEqual(whole.requests.map(encode));
  for (let at = 1; at < stream.length; at++) {
    expect(decode([bytes(stream.slice(0, at)), bytes(stream.slice(at))])).toEqual(whole);
  }
  expect(decode(bytewise(stream))).toEqual(whole);
});

test("any requests in any pieces come out as they went in", () => {
  const word = fc.string({ unit: "binary-ascii", maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(fc.array(word, { minLength: 1, maxLength: 20 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
      (requests, sizes) => {
        const stream = requests.map(encode).join("");
        const chunks: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length]!;
          chunks.push(bytes(stream.slice(at, at + size)));
          at += size;
        }
        const outcome = decode(chunks);
        expect(outcome.requests).toEqual(requests);
        expect(outcome.raw).toEqual(requests.map(encode));
        expect(outcome.error).toBe("");
      },
    ),
  );
});

test("10,000 random byte strings end in requests, in waiting or in a protocol error, never in an exception", () => {
  const alphabet = fc.constantFrom(..."*$-0123456789\r\n\"'\\ ax\u0000\u00ff+PING".split(""));
  fc.assert(
    fc.property(fc.array(fc.oneof(alphabet, fc.constant("\r\n")), { maxLength: 60 }), (parts) => {
      const stream = parts.join("");
      const whole = decode([bytes(stream)]);
      expect(whole.error).toMatch(/^$|^ERR Protocol error: /);
      expect(decode(bytewise(stream))).toEqual(whole);
    }),
    { numRuns: 10_000 },
  );
});

describe("protocol errors", () => {
  const long = "x".repeat(201);
  test.each([
    ["*x\r\n", "invalid multibulk length"],
    ["*\r\n", "invalid multibulk length"],
    ["*01\r\n", "invalid multibulk length"],
    ["*+1\r\n", "invalid multibulk length"],
    ["*101\r\n", "invalid multibulk length"],
    ["*99999999999999999999\r\n", "invalid multibulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$x\r\n", "invalid bulk length"],
    ["*1\r\n$\r\n", "invalid bulk length"],
    ["*1\r\n$01\r\na\r\n", "invalid bulk length"],
    ["*1\r\n$1001\r\n", "invalid bulk length"],
    ["*1\r\n$1\r\naXX", "invalid bulk length"],
    ["*1\r\nPING\r\n", "expected '$', got 'P'"],
    ["*2\r\n$1\r\na\r\n:1\r\n", "expected '$', got ':'"],
    [`*${long}`, "too big mbulk count string"],
    [`*1\r\n$${long}`, "too big bulk count string"],
    [long, "too big inline request"],
    ['echo "a\r\n', "unbalanced quotes in request"],
    ["echo 'a'b\r\n", "unbalanced quotes in request"],
    [
      encode(["a".repeat(999), ...Array.from({ length: 5 }, () => "b".repeat(999))]),
      "request is larger than client-query-buffer-limit",
    ],
  ])("%j is refused", (stream, text) => {
    const error = `ERR Protocol error: ${text}`;
    expect(decode([bytes(stream)]).error).toBe(error);
    expect(decode(bytewise(stream)).error).toBe(error);
  });

  test("requests before the error are answered, nothing after it", () => {
    const outcome = decode([bytes("PING\r\n*x\r\nPING\r\n")]);
    expect(outcome.requests).toEqual([["PING"]]);
    expect(outcome.error).toBe("ERR Protocol error: invalid multibulk length");
  });
});

test("a large argument in small pieces is gathered, and what follows it is read", () => {
  const limits = { ...LIMITS, maxBulkBytes: 4_000_000, maxRequestBytes: 8_000_000 };
  const stream = Buffer.from(encode(["SET", "k", "y".repeat(3_000_000)]) + encode(["PING"]), "latin1");
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += 1000) chunks.push(stream.subarray(at, at + 1000));
  const outcome = decode(chunks, limits);
  expect(outcome.requests.map((request) => request[0])).toEqual(["SET", "PING"]);
  expect(outcome.requests[0]?.[2]?.length).toBe(3_000_000);
});

test("integers follow Redis' rules and words any case", () => {
  const decoder = new RequestDecoder(LIMITS);
  decoder.feed(bytes(encode(["Maxlen", "12", "-3", "012", "+1", "", "9223372036854775807", "9223372036854775808"])));
  expect(decoder.next()).toBe(DecodeResult.request);
  const { request } = decoder;
  expect(request.is(0, "MAXLEN")).toBe(true);
  expect(request.is(0, "MAXLE")).toBe(false);
  expect([1, 2, 3, 4, 5].map((i) => request.integer(i))).toEqual([12, -3, NaN, NaN, NaN]);
  expect(request.int64(6)).toBe(2n ** 63n - 1n);
  expect(request.int64(7)).toBeNull();
  expect(decoder.pendingBytes).toBe(0);
});
