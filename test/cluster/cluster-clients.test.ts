/**
 * Cluster clients as people have them: through the gateway, where every slot is the gateway's, and directly against the nodes, where they follow the
 * slot map and MOVED.
 */
import { LocalCluster } from "@headrace/testkit";
import { Cluster } from "ioredis";
import { createCluster } from "redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "4"] });
});
afterAll(async () => {
  await cluster.destroy();
});

const DOORS = ["through the gateway", "directly against the nodes"] as const;

function portsOf(door: (typeof DOORS)[number]): readonly number[] {
  return door === DOORS[0] ? [cluster.port] : cluster.places().nodes.map((node) => node.dataPort);
}

/** Keys of all shards. */
const KEYS = Array.from({ length: 40 }, (_, i) => `rider:${i}`);

describe.each(DOORS)("%s", (door) => {
  test("ioredis Cluster does a consumer group's round on keys of all shards", async () => {
    const [port] = portsOf(door);
    const redis = new Cluster([{ host: "127.0.0.1", port: port! }]);
    const at = (key: string): string => `ioredis:${door}:${key}`;
    for (const key of KEYS) {
      const id = await redis.xadd(at(key), "*", "speed", "30.2");
      expect(await redis.xgroup("CREATE", at(key), "g", "0")).toBe("OK");
      const read = await redis.xreadgroup("GROUP", "g", "c", "COUNT", 10, "STREAMS", at(key), ">");
      expect(read).toEqual([[at(key), [[id, ["speed", "30.2"]]]]]);
      expect(await redis.xack(at(key), "g", id!)).toBe(1);
    }
    const lengths = await Promise.all(KEYS.map((key) => redis.xlen(at(key))));
    expect(lengths).toEqual(KEYS.map(() => 1));
    expect(await redis.cluster("KEYSLOT", "123456789")).toBe(12_739);
    await redis.quit();
  });

  test("a reader blocked through ioredis Cluster is woken by another client", async () => {
    const [port] = portsOf(door);
    const [reader, writer] = [0, 1].map(() => new Cluster([{ host: "127.0.0.1", port: port! }]));
    const key = `wake:${door}`;
    await writer!.xadd(key, "1-0", "f", "v");
    const blocked = reader!.xread("BLOCK", 30_000, "STREAMS", key, "1-0");
    await writer!.xadd(key, "2-0", "f", "w");
    expect(await blocked).toEqual([[key, [["2-0", ["f", "w"]]]]]);
    await Promise.all([reader!.quit(), writer!.quit()]);
  });

  test("node-redis' cluster does the same, and a transaction in one slot", async () => {
    const rootNodes = portsOf(door).map((port) => ({ url: `redis://127.0.0.1:${port}` }));
    const client = createCluster({ rootNodes });
    await client.connect();
    for (const key of KEYS) {
      const name = `node-redis:${door}:${key}`;
      const id = await client.xAdd(name, "*", { speed: "28.8" });
      await client.xGroupCreate(name, "g", "0");
      expect(await client.xLen(name)).toBe(1);
      expect(await client.xAck(name, "g", id)).toBe(0);
    }
    const tagged = `node-redis:{${door}}:tx`;
    const replies = await client
      .multi()
      .xAdd(tagged, "1-0", { a: "1" })
      .xAdd(tagged, "2-0", { a: "2" })
      .xLen(tagged)
      .exec();
    expect(replies).toEqual(["1-0", "2-0", 2]);
    await client.close();
  });
});
