/** Limits of lag over real processes: who is held and refused, whom a kill -9 of the leader finds held, and what RESP3 clients are pushed. */
import { createConnection } from "node:net";
import { LocalCluster, signal } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

let cluster: LocalCluster;
const clients: Redis[] = [];

beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "1"] });
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await cluster.destroy();
});

async function client(): Promise<Redis> {
  const redis = connect(cluster.url);
  clients.push(redis);
  await ready(redis);
  return redis;
}

async function heldWrites(): Promise<number> {
  let held = 0;
  for (const node of cluster.places().nodes) {
    const { groups = [] } = (await cluster.nodeStatus(node)) as { groups?: readonly { heldWrites: number }[] };
    for (const group of groups) held += group.heldWrites;
  }
  return held;
}

function read(redis: Redis, stream: string): Promise<unknown> {
  return redis.xreadgroup("GROUP", "g", "c", "COUNT", 1, "STREAMS", stream, ">");
}

async function limited(redis: Redis, stream: string, ...policy: readonly string[]): Promise<void> {
  await redis.xgroup("CREATE", stream, "g", "0", "MKSTREAM");
  await redis.call("XGROUP", "SETMAXLAG", stream, "g", ...policy);
  await redis.xadd(stream, "1-0", "f", "v");
}

test("a write is refused at the limit, or held until a consumer reads, or until its time is over", async () => {
  const [producer, consumer] = [await client(), await client()];
  await limited(producer, "refused", "1");
  const text = "BACKPRESSURE group 'g' of 'refused' is 1 entries behind (limit 1)";
  await expect(producer.xadd("refused", "*", "f", "v")).rejects.toThrow(text);
  await limited(producer, "held", "1", "POLICY", "DELAY", "MAX", "30000");
  const [held, behind] = [producer.xadd("held", "2-0", "f", "v"), producer.xlen("held")];
  await until(async () => ((await heldWrites()) === 1 ? true : null));
  expect(await consumer.xlen("held")).toBe(1);
  await read(consumer, "held");
  expect([await held, await behind]).toEqual(["2-0", 2]);
  await producer.call("XGROUP", "SETMAXLAG", "held", "g", "1", "POLICY", "DELAY", "MAX", "50");
  await expect(producer.xadd("held", "3-0", "f", "v")).rejects.toThrow("is 1 entries behind (limit 1)");
  expect(await consumer.xlen("held")).toBe(2);
});

test("a held write outlives its leader, and is written once", async () => {
  const [producer, consumer] = [await client(), await client()];
  await limited(producer, "moved", "1", "POLICY", "DELAY", "MAX", "60000");
  const held = producer.xadd("moved", "*", "f", "held");
  await until(async () => ((await heldWrites()) === 1 ? true : null));
  const { nodes } = cluster.places();
  const roles = await Promise.all(nodes.map((node) => cluster.nodeStatus(node)));
  const leader = nodes.find((_, i) => JSON.stringify(roles[i]).includes('"heldWrites":1'))!;
  signal(leader.pid, "SIGKILL");
  // Answered at once would be wrong: nobody has read. The next leader holds it.
  await until(async () => ((await heldWrites().catch(() => 0)) === 1 ? true : null));
  await read(consumer, "moved");
  const id = await held;
  expect((await consumer.xrange("moved", "-", "+")).map(([entry, fields]) => [entry, fields[1]])).toEqual([
    ["1-0", "v"],
    [id, "held"],
  ]);
});

test("a client that asked in RESP3 is pushed that a stream is nearly full, and that it is free again", async () => {
  const consumer = await client();
  await limited(consumer, "told", "2");
  const { hostname, port } = new URL(cluster.url);
  const socket = createConnection(Number(port), hostname);
  let seen = "";
  socket.setEncoding("latin1").on("data", (text: string) => (seen += text));
  const sees = (text: string): Promise<boolean> => until(() => (seen.includes(text) ? true : null));
  socket.write("HELLO 3\r\nCLIENT BACKPRESSURE ON\r\nXADD told 2-0 f v\r\n");
  await sees(">3\r\n$12\r\nbackpressure\r\n$4\r\ntold\r\n$4\r\nfull\r\n");
  await read(consumer, "told");
  await read(consumer, "told");
  await sees(">3\r\n$12\r\nbackpressure\r\n$4\r\ntold\r\n$4\r\nfree\r\n");
  socket.destroy();
});
