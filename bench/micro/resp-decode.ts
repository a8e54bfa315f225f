/**
 * How long the decoder takes for one pipelined XADD of 300 bytes: whole in a chunk of 64 KiB, and with requests across chunk ends.
 * Budget: 0.3 µs. Run: node bench/micro/resp-decode.ts
 */
import { DecodeResult, RequestDecoder } from "../../packages/resp/src/index.ts";

const LIMITS = { maxBulkBytes: 16 << 20, maxArguments: 1 << 20, maxInlineBytes: 64 << 10, maxRequestBytes: 1 << 30 };
const value = "v".repeat(249);
const parts = ["XADD", "stream", "*", "f", value];
const one = Buffer.from(`*5\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join("")}`);
const perChunk = Math.floor(65_536 / one.length);
const whole = Buffer.concat(Array.from({ length: perChunk }, () => one));
const stream = Buffer.concat(Array.from({ length: perChunk * 4 }, () => one));

function run(chunks: readonly Uint8Array[], rounds: number): number {
  const decoder = new RequestDecoder(LIMITS);
  let requests = 0;
  const startedAt = performance.now();
  for (let round = 0; round < rounds; round++) {
    for (const chunk of chunks) {
      decoder.feed(chunk);
      while (decoder.next() === DecodeResult.request) requests += decoder.request.count === 5 ? 1 : 0;
    }
  }
  return ((performance.now() - startedAt) * 1e6) / requests;
}

const split: Uint8Array[] = [];
for (let at = 0; at < stream.length; at += 16_384) split.push(stream.subarray(at, at + 16_384));
console.log(`request ${one.length} bytes, node ${process.version}`);
for (let i = 0; i < 5; i++) {
  const inChunk = run([whole], 5000).toFixed(0);
  const across = run(split, 1250).toFixed(0);
  console.log(`whole in chunk ${inChunk} ns    across 16 KiB chunks ${across} ns`);
}
