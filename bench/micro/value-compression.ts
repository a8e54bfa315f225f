/**
 * What compressing values that stay gives and costs: blocks of 32 KiB of entries, with random values of 256 bytes and with JSON-like ones, and blocks of
 * 4 KiB of the latter. The share that is left, and a MiB's CPU: all of the process, and of that the main thread's, which everything else needs.
 * Writing in the thread pool (as the store does) and on the spot; reading both ways too. Medians of the runs.
 * Run: node bench/micro/value-compression.ts [runs]. See bench/results/value-compression.txt.
 */
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";

const MIB = 1024 * 1024;
const MIB_PER_RUN = 8;
const runs = Number(process.argv[2] ?? 5);
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

function jsonLike(i: number): Buffer {
  const event = ["click", "view", "purchase"][i % 3];
  const session = ((i * 2654435761) >>> 0).toString(16);
  const at = 1_700_000_000_000 + i * 37;
  const price = ((i * 13) % 9973) / 100;
  return Buffer.from(JSON.stringify({ user: `u${(i * 7919) % 10_000}`, event, at, price, session, tags: ["a", "b"] }));
}

/** Entries as they are stored: the bytes that a reader will get. */
function block(bytes: number, first: number, valueOf: (i: number) => Buffer): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  for (let i = first; length < bytes; i++) {
    const value = valueOf(i);
    const head = `*2\r\n$15\r\n${1_700_000_000_000 + i}-0\r\n*2\r\n$5\r\nvalue\r\n$${value.length}\r\n`;
    parts.push(Buffer.from(head), value, Buffer.from("\r\n"));
    length += head.length + value.length + 2;
  }
  return Buffer.concat(parts);
}

interface Load {
  readonly name: string;
  readonly bytes: number;
  readonly valueOf: (i: number) => Buffer;
}

const loads: readonly Load[] = [
  { name: "random, 32 KiB", bytes: 32 * 1024, valueOf: () => randomBytes(256) },
  { name: "JSON,   32 KiB", bytes: 32 * 1024, valueOf: jsonLike },
  { name: "JSON,    4 KiB", bytes: 4 * 1024, valueOf: jsonLike },
];

function optionsFor(bytes: number): object {
  const params = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
  return { chunkSize: bytes + 1024, pledgedSrcSize: bytes, params };
}

function readOptionsFor(bytes: number): object {
  return { chunkSize: bytes + 1024, maxOutputLength: bytes };
}

type Body = (i: number) => unknown;

/** CPU in ms a MiB: of the process, and of this thread. */
async function measured(values: readonly Buffer[], body: Body): Promise<readonly [number, number]> {
  const all = process.cpuUsage();
  const own = process.threadCpuUsage();
  for (let i = 0; i < values.length; i++) await body(i);
  const allUsed = process.cpuUsage(all);
  const ownUsed = process.threadCpuUsage(own);
  const mib = values.reduce((sum, value) => sum + value.length, 0) / MIB;
  return [(allUsed.user + allUsed.system) / 1000 / mib, (ownUsed.user + ownUsed.system) / 1000 / mib];
}

function median(numbers: readonly number[]): string {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!.toFixed(2);
}

for (const { name, bytes, valueOf } of loads) {
  const count = Math.ceil((MIB_PER_RUN * MIB) / bytes);
  const values = Array.from({ length: count }, (_, i) => block(bytes, i * 1000, valueOf));
  const frames = values.map((value) => zstdCompressSync(value, optionsFor(value.length)));
  const left =
    frames.reduce((sum, frame) => sum + frame.length, 0) / values.reduce((sum, { length }) => sum + length, 0);
  console.log(`${name}  left ${left.toFixed(3)}`);
  const bodies: readonly (readonly [string, Body])[] = [
    ["compress in the pool", (i) => compress(values[i]!, optionsFor(values[i]!.length))],
    ["compress on the spot", (i) => zstdCompressSync(values[i]!, optionsFor(values[i]!.length))],
    ["read in the pool    ", (i) => decompress(frames[i]!, readOptionsFor(values[i]!.length))],
    ["read on the spot    ", (i) => zstdDecompressSync(frames[i]!, readOptionsFor(values[i]!.length))],
  ];
  const samples = bodies.map((): (readonly [number, number])[] => []);
  // The first round only warms up.
  for (let round = 0; round <= runs; round++) {
    for (const [which, [, body]] of bodies.entries()) {
      const sample = await measured(values, body);
      if (round > 0) samples[which]!.push(sample);
    }
  }
  for (const [which, [what]] of bodies.entries()) {
    const of = samples[which]!;
    const all = median(of.map(([cpu]) => cpu));
    console.log(`${name}  ${what}  CPU ${all} ms/MiB, main thread ${median(of.map(([, own]) => own))}`);
  }
}
