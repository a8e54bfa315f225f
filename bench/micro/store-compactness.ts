/**
 * Bytes on disk for each byte of payload, of the store alone, once it has come to rest: blocks of 32 KiB of entries in batches of a checkpoint's size,
 * with random values of 256 bytes and with JSON-like ones; payload is the values alone. Then all but a tenth is deleted, and then the rest. Compression and collection
 * run without rests here; a node gives them a fifth of the store's time when it is idle.
 * Run: node bench/micro/store-compactness.ts [MiB of payload] [directory]. See bench/results/store-compactness.txt.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Done, KvChange, KvStore, Result } from "@headrace/ports";
import { noStoreBytes, openLevelStore } from "@headrace/store";

const MIB = 1024 * 1024;
const payloadBytesWanted = Number(process.argv[2] ?? 512) * MIB;
const BLOCK_BYTES = 32 * 1024;
const BLOCKS_PER_BATCH = 128;
const DELETED_PER_BATCH = 1024;

function jsonLike(i: number): Buffer {
  const event = ["click", "view", "purchase"][i % 3];
  const at = 1_700_000_000_000 + i * 37;
  const price = ((i * 13) % 9973) / 100;
  const trace = randomBytes(8).toString("hex");
  const agent = "Mozilla/5.0 (X11; Linux x86_64)";
  return Buffer.from(
    JSON.stringify({ user: `u${(i * 7919) % 10_000}`, event, at, price, trace, agent, tags: ["a", "b"] }),
  );
}

function asked<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((result: Result<T>) => (result.ok ? resolve(result.value) : reject(new Error(result.message))));
  });
}

/** As the node's: generation, slot, and what the row is. */
function key(block: number): Uint8Array {
  const bytes = Buffer.alloc(22);
  bytes.writeUInt32BE(1, 0);
  bytes.writeUInt32BE(block, 18);
  return bytes;
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory, { recursive: true })) {
    // Collected meanwhile.
    const found = await stat(join(directory, name)).catch(() => null);
    if (found?.isFile() === true) bytes += found.blocks * 512;
  }
  return bytes;
}

/** Until what is on disk and what was written have not changed for a second. */
async function rested(directory: string, written: object): Promise<number> {
  for (let before = ""; ;) {
    const bytes = await bytesIn(directory);
    const now = JSON.stringify([bytes, written]);
    if (now === before) return bytes;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function run(name: string, valueOf: (i: number) => Buffer): Promise<void> {
  const directory = await mkdtemp(join(process.argv[3] ?? tmpdir(), "headrace-compactness-"));
  const written = noStoreBytes();
  try {
    const store = await asked<KvStore>((done) =>
      openLevelStore(directory, { compressionRestFactor: 0, written }, done),
    );
    let payloadBytes = 0;
    let blocks = 0;
    let id = 0;
    while (payloadBytes < payloadBytesWanted) {
      const changes: KvChange[] = [];
      for (let i = 0; i < BLOCKS_PER_BATCH; i++) {
        const parts: Buffer[] = [];
        for (let length = 0; length < BLOCK_BYTES;) {
          const value = valueOf(++id);
          const head = `*2\r\n$15\r\n${1_700_000_000_000 + id}-0\r\n*2\r\n$1\r\nv\r\n$${value.length}\r\n`;
          parts.push(Buffer.from(head), value, Buffer.from("\r\n"));
          length += head.length + value.length + 2;
          payloadBytes += value.length;
        }
        changes.push({ key: key(blocks++), value: Buffer.concat(parts) });
      }
      await asked<void>((done) => store.write(changes, done));
    }
    const shown = (bytes: number): string =>
      `${(bytes / MIB).toFixed(1)} MiB, ${(bytes / payloadBytes).toFixed(3)} a byte of payload`;
    const wroteMib = Object.values(written).reduce((sum, bytes) => sum + bytes, 0) / MIB;
    console.log(`${name}  payload ${(payloadBytes / MIB).toFixed(1)} MiB, written so far ${wroteMib.toFixed(1)} MiB`);
    console.log(`${name}  at rest             ${shown(await rested(directory, written))}  ${JSON.stringify(written)}`);
    const remove = async (isKept: (block: number) => boolean): Promise<void> => {
      for (let first = 0; first < blocks; first += DELETED_PER_BATCH) {
        const changes: KvChange[] = [];
        for (let block = first; block < Math.min(blocks, first + DELETED_PER_BATCH); block++) {
          if (!isKept(block)) changes.push({ key: key(block), value: null });
        }
        await asked<void>((done) => store.write(changes, done));
      }
    };
    await remove((block) => block % 10 === 0);
    console.log(`${name}  nine tenths deleted ${shown(await rested(directory, written))}  ${JSON.stringify(written)}`);
    await remove(() => false);
    console.log(`${name}  all deleted         ${shown(await rested(directory, written))}  ${JSON.stringify(written)}`);
    await asked<void>((done) => store.close(done));
  } finally {
    await rm(directory, { recursive: true });
  }
}

await run("random", () => randomBytes(256));
await run("JSON  ", jsonLike);
