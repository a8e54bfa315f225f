/** Dead letters between two shards on real processes: over gRPC, also large ones, and with every process killed while they are under way. */
import { LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

/** Slots of the first shard and of the second one. */
const SOURCE = "orders:{b}";
const DEAD = "dead:{d}";
const LARGE_BYTES = 5_000_000;

let cluster: LocalCluster;
let redis: Redis;

async function open(): Promise<void> {
  redis = connect(cluster.url);
  await ready(redis);
}

beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "2"] });
  await open();
});
afterAll(async () => {
  redis.disconnect();
  await cluster.destroy();
});

/** Adds it, has it delivered once and claimed once: it is given up. */
async function giveUp(value: string): Promise<string> {
  const id = (await redis.xadd(SOURCE, "*", "f", value))!;
  await redis.xreadgroup("GROUP", "g", "c", "STREAMS", SOURCE, ">");
  expect(await redis.xautoclaim(SOURCE, "g", "d", 0, "0")).toEqual(["0-0", [], []]);
  return id;
}

/** Ids that came there, once as many are there. */
async function letters(count: number): Promise<readonly string[]> {
  await until(async () => ((await redis.xlen(DEAD)) >= count ? true : null));
  const entries = await redis.xrange(DEAD, "-", "+");
  return entries.map(([, fields]) => fields[fields.indexOf("dlq:id") + 1]!);
}

test(
  "letters come to another shard once, large ones too, whoever is killed meanwhile, and back",
  { timeout: 120_000 },
  async () => {
    await redis.xgroup("CREATE", SOURCE, "g", "0", "MKSTREAM");
    expect(await redis.call("XGROUP", "SETDLQ", SOURCE, "g", DEAD, "MAX_RETRIES", "1")).toBe("OK");
    const ids = [await giveUp("small"), await giveUp("x".repeat(LARGE_BYTES))];
    expect(await letters(2)).toEqual(ids);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5; i++) ids.push(await giveUp(`round ${round}`));
      redis.disconnect();
      await cluster.killAll();
      await cluster.run();
      await open();
    }
    expect([...(await letters(ids.length))].sort()).toEqual([...ids].sort());
    expect(await redis.xlen(DEAD)).toBe(ids.length);
    expect(await redis.call("XGROUP", "REDRIVE", SOURCE, "g")).toBe("OK");
    await until(async () => ((await redis.xpending(SOURCE, "g"))[0] === ids.length ? true : null));
    expect(await redis.xlen(DEAD)).toBe(0);
    const rows = (await redis.xpending(SOURCE, "g", "-", "+", 100)) as unknown as readonly (readonly [
      string,
      string,
      number,
      number,
    ])[];
    expect(rows.map(([id, consumer, , deliveries]) => [id, consumer, deliveries])).toEqual(
      ids.map((id) => [id, "", 0]),
    );
  },
);
