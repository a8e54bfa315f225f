/** Copies of single streams between two servers that run the real commands, over real sockets. */
import { createServer, type AddressInfo, type Server } from "node:net";
import { CommandHarness } from "../../commands/testing/command-harness.ts";
import { afterEach, expect, test } from "vitest";
import { RedisClient, type Reply } from "../src/redis-client.ts";
import { streamDifference } from "../src/stream-compare.ts";
import { copyStream } from "../src/stream-copy.ts";

const servers: Server[] = [];
const clients: RedisClient[] = [];

/** Served by a shard in memory; `onRequest` sees the bytes of each chunk of requests before they run. */
async function serving(onRequest: (text: string) => void = () => {}): Promise<RedisClient> {
  const harness = new CommandHarness();
  const server = createServer((socket) => {
    const connection = harness.connect();
    socket.on("data", (chunk: Buffer) => {
      onRequest(chunk.toString("latin1"));
      for (const { bytes } of harness.send(connection, chunk)) if (bytes !== null) socket.write(bytes);
    });
  });
  servers.push(server);
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const client = new RedisClient({ host: "127.0.0.1", port, user: "", password: "", db: 0 });
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const server of servers.splice(0)) server.close();
});

function typed(client: RedisClient, line: string): Promise<Reply> {
  return client.call(...line.split(" "));
}

test("a copy that is gone on with ends, also of a stream that is always written to and has deleted entries pending", async () => {
  let looks = 0;
  const source = await serving((text) => {
    if (text.includes("CONSUMERS")) looks++;
  });
  const target = await serving();
  for (let ms = 1; ms <= 10; ms++) {
    await typed(source, `XADD k ${ms}-0 f v`);
    // Of the run that was cut short: nothing stands where the deleted entry was.
    if (ms !== 5) await typed(target, `XADD k ${ms}-0 f v`);
  }
  await typed(source, "XGROUP CREATE k g 0");
  await typed(source, "XREADGROUP GROUP g c COUNT 5 STREAMS k >");
  await typed(source, "XDEL k 5-0");
  const writer = await writing(source);
  const copied = await copyStream({
    source,
    target,
    key: "k",
    isBegun: true,
    mayReplace: false,
    onBytes: () => {
      if (looks < 40) writer();
    },
  });
  expect(copied).not.toBe(null);
  expect(looks).toBeLessThan(40);
});

/** Adds one entry with each call. */
async function writing(client: RedisClient): Promise<() => void> {
  const other = new RedisClient(client.address);
  clients.push(other);
  await other.call("PING");
  return () => void typed(other, "XADD k * f more");
}

test("a stream with groups, pending and deleted entries is the same in pieces", async () => {
  const source = await serving();
  const target = await serving();
  for (let ms = 1; ms <= 300; ms++) await typed(source, `XADD k ${ms}-0 f v`);
  await typed(source, "XGROUP CREATE k g 0");
  await typed(source, "XREADGROUP GROUP g c COUNT 150 STREAMS k >");
  await typed(source, "XDEL k 5-0 6-0 300-0");
  await copyStream({ source, target, key: "k", isBegun: false, mayReplace: false, dumpBytesMax: 0, onBytes: () => {} });
  expect(await streamDifference(source, target, "k")).toBe(null);
});
