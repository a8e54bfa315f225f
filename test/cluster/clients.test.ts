/** The clients that people have, with their default handshake: HELLO 3, CLIENT SETINFO, INFO. */
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(async () => {
  await cluster.destroy();
});

describe("ioredis", () => {
  test.each([2, 3])("does a consumer group's round over RESP%i", async (protocol) => {
    const redis = new Redis(cluster.url, { protocol } as Record<string, unknown>);
    const key = `ioredis:${protocol}`;
    const id = await redis.xadd(key, "*", "temperature", "21");
    expect(await redis.xgroup("CREATE", key, "g", "0")).toBe("OK");
    const reply = await redis.xreadgroup("GROUP", "g", "c", "COUNT", 10, "STREAMS", key, ">");
    expect(reply).toEqual([[key, [[id, ["temperature", "21"]]]]]);
    expect(await redis.xack(key, "g", id!)).toBe(1);
    expect(await redis.xlen(key)).toBe(1);
    expect(await redis.del(key)).toBe(1);
    await redis.quit();
  });

  test("wakes a blocked reader", async () => {
    const reader = new Redis(cluster.url);
    const writer = new Redis(cluster.url);
    await reader.ping();
    const blocked = reader.xread("BLOCK", 0, "STREAMS", "wake", "$");
    // Whether the reader already stands in the queue does not show from outside; the writer repeats until it is served.
    let served = false;
    void blocked.then(() => (served = true));
    while (!served) await writer.xadd("wake", "*", "f", "v");
    const [[key, entries]] = (await blocked) as [[string, [string, string[]][]]];
    expect(key).toBe("wake");
    expect(entries[0]![1]).toEqual(["f", "v"]);
    reader.disconnect();
    writer.disconnect();
  });

  test("a pipeline over streams of many shards keeps its order", async () => {
    const redis = new Redis(cluster.url);
    const pipeline = redis.pipeline();
    for (let i = 1; i <= 300; i++) pipeline.xadd(`many:${i % 37}`, `${i}-0`, "n", String(i));
    const replies = await pipeline.exec();
    expect(replies!.map(([error, id]) => error ?? id)).toEqual(Array.from({ length: 300 }, (_, i) => `${i + 1}-0`));
    expect(await redis.exists(...Array.from({ length: 37 }, (_, i) => `many:${i}`))).toBe(37);
    const found = new Set<string>();
    let cursor = "0";
    do {
      const [next, keys] = await redis.scan(cursor, "MATCH", "many:*", "COUNT", 7);
      cursor = next;
      for (const key of keys) found.add(key);
    } while (cursor !== "0");
    expect(found.size).toBe(37);
    expect(await redis.del(...found)).toBe(37);
    await redis.quit();
  });
});

describe("transactions", () => {
  test("of ioredis: queued, answered together, and given up when a watched key was changed", async () => {
    const redis = new Redis(cluster.url);
    const other = new Redis(cluster.url);
    const [one, two] = ["{io}:one", "{io}:two"];
    const replies = await redis.multi().xadd(one, "1-0", "f", "v").xadd(one, "1-0", "f", "v").xlen(two).ping().exec();
    expect(replies!.map(([error, reply]) => error?.message ?? reply)).toEqual([
      "1-0",
      "ERR The ID specified in XADD is equal or smaller than the target stream top item",
      0,
      "PONG",
    ]);
    await redis.watch(one, two);
    await other.xadd(two, "1-0", "f", "v");
    expect(await redis.multi().xadd(one, "2-0", "f", "v").exec()).toBe(null);
    await redis.watch(one);
    await redis.unwatch();
    await other.xadd(one, "3-0", "f", "v");
    expect(await redis.multi().xlen(one).exec()).toEqual([[null, 2]]);
    await expect(redis.multi().xlen(one).xlen("elsewhere").exec()).rejects.toThrow(/EXECABORT|CROSSSLOT/);
    await redis.del(one, two);
    redis.disconnect();
    other.disconnect();
  });

  test("of node-redis", async () => {
    const client = createClient({ url: cluster.url });
    await client.connect();
    const key = "{node}:one";
    expect(await client.multi().xAdd(key, "1-0", { f: "v" }).xLen(key).exec()).toEqual(["1-0", 1]);
    await client.watch(key);
    const other = client.duplicate();
    await other.connect();
    await other.xAdd(key, "2-0", { f: "v" });
    await expect(client.multi().xLen(key).exec()).rejects.toThrow(/watched keys has been changed/);
    expect(await client.del(key)).toBe(1);
    await other.quit();
    await client.quit();
  });
});

describe("node-redis", () => {
  test.each([2, 3] as const)("does a consumer group's round over RESP%i", async (RESP) => {
    const client = createClient({ url: cluster.url, RESP });
    await client.connect();
    const key = `node-redis:${RESP}`;
    const id = await client.xAdd(key, "*", { temperature: "21" });
    await client.xGroupCreate(key, "g", "0");
    const reply = (await client.xReadGroup("g", "c", { key, id: ">" })) as unknown as
      | { name: string; messages: { id: string; message: Record<string, string> }[] }[]
      | null;
    expect(reply?.[0]?.name).toBe(key);
    expect(reply?.[0]?.messages[0]).toMatchObject({ id, message: { temperature: "21" } });
    expect(await client.xAck(key, "g", id)).toBe(1);
    const info = await client.xInfoStream(key);
    expect(info.length).toBe(1);
    expect(await client.xPending(key, "g")).toMatchObject({ pending: 0 });
    await client.quit();
  });
});
