/**
 * What test harnesses of Redis and tools that watch a Redis do around and beside the commands that are looked at: clean up, read and write back every
 * setting, wait by INFO's counters. Through a gateway, on a cluster of several shards.
 */
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "./connect.ts";

let cluster: LocalCluster;
let redis: Redis;

beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "4"] });
  redis = new Redis(cluster.url, { protocol: 2 });
});

afterAll(async () => {
  redis.disconnect();
  await cluster.destroy();
});

beforeEach(async () => {
  await redis.flushall();
});

/** One field of INFO, as Redis' suite reads it. */
async function field(name: string): Promise<string> {
  const info = await redis.info("everything");
  return new RegExp(`^${name.replace("|", "\\|")}:(.*)\r$`, "m").exec(info)?.[1] ?? "";
}

describe("around each test", () => {
  test("the data, functions, scripts and counters are cleaned up", async () => {
    await redis.xadd("s", "*", "f", "v");
    expect(await redis.flushall()).toBe("OK");
    expect(await redis.function("FLUSH")).toBe("OK");
    expect(await redis.script("FLUSH")).toBe("OK");
    expect(await redis.config("RESETSTAT")).toBe("OK");
    expect(await redis.dbsize()).toBe(0);
    expect(await field("total_commands_processed")).toBe("2");
  });

  test("every setting is read, and written back", async () => {
    const listed = (await redis.config("GET", "*")) as string[];
    expect(listed.length / 2).toBeGreaterThan(120);
    for (let i = 0; i < listed.length; i += 2) {
      expect([listed[i], await redis.config("SET", listed[i]!, listed[i + 1]!)]).toEqual([listed[i], "OK"]);
    }
    // One that is the cluster's from now on may stand elsewhere.
    expect(pairsOf((await redis.config("GET", "*")) as string[])).toEqual(pairsOf(listed));
  });

  test("a test's own settings count until they are taken back", async () => {
    await redis.config("SET", "stream-node-max-entries", "2");
    for (let i = 1; i <= 3; i++) await redis.xadd("s", `${i}-0`, "xitem", "v");
    expect(await redis.xtrim("s", "MAXLEN", "~", 0, "LIMIT", 1)).toBe(0);
    await redis.config("SET", "stream-node-max-entries", "100");
  });
});

describe("INFO, by which tests wait and count", () => {
  test("blocked clients and the keys that they wait for", async () => {
    const waiting = [0, 1, 2].map(() => new Redis(cluster.url));
    await redis.xgroup("CREATE", "groups", "g", "$", "MKSTREAM");
    const calls = [
      waiting[0]!.xread("BLOCK", 0, "STREAMS", "plain", "$"),
      waiting[1]!.xread("BLOCK", 0, "STREAMS", "other", "$"),
      waiting[2]!.xreadgroup("GROUP", "g", "c", "BLOCK", 0, "STREAMS", "groups", ">"),
    ];
    await until(async () => ((await field("blocked_clients")) === "3" ? true : null));
    await until(async () => ((await field("total_blocking_keys")) === "3" ? true : null));
    expect(await field("total_blocking_keys_on_nokey")).toBe("1");
    for (const key of ["plain", "other", "groups"]) await redis.xadd(key, "*", "f", "v");
    await Promise.all(calls);
    expect([await field("blocked_clients"), await field("total_blocking_keys")]).toEqual(["0", "0"]);
    for (const client of waiting) client.disconnect();
  });

  // The three cases of Redis' own suite, tests/unit/type/stream-cgroups.tcl.
  test("changes: a delivery is one, reading one's history is none, a new consumer is one", async () => {
    const changes = async (): Promise<number> => Number(await field("rdb_changes_since_last_save"));
    for (const id of ["1-0", "2-0", "3-0"]) await redis.xadd("x", id, "data", id);
    await redis.xgroup("CREATE", "x", "g", "0");
    await redis.xgroup("CREATECONSUMER", "x", "g", "alice");
    let before = await changes();
    await redis.xreadgroup("GROUP", "g", "alice", "COUNT", 2, "STREAMS", "x", ">");
    expect(await changes()).toBe(before + 1);
    before = await changes();
    await redis.xreadgroup("GROUP", "g", "alice", "COUNT", 1, "NOACK", "STREAMS", "x", ">");
    expect(await changes()).toBe(before + 1);
    before = await changes();
    await redis.xreadgroup("GROUP", "g", "alice", "COUNT", 2, "STREAMS", "x", "0");
    await redis.xreadgroup("GROUP", "g", "alice", "COUNT", 2, "STREAMS", "x", "9000");
    expect(await changes()).toBe(before);
    await redis.xreadgroup("GROUP", "g", "noconsumer", "COUNT", 1, "STREAMS", "x", "0");
    expect(await changes()).toBe(before + 1);
  });

  test("errors and refusals by command and by code", async () => {
    await redis.config("RESETSTAT");
    await redis.xgroup("CREATE", "s", "g", "$", "MKSTREAM");
    const waiting = new Redis(cluster.url);
    const blocked = waiting.xreadgroup("GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">");
    const failed = blocked.then(
      () => "",
      (error: Error) => error.message,
    );
    await until(async () => ((await field("blocked_clients")) === "1" ? true : null));
    await redis.xgroup("DESTROY", "s", "g");
    expect(await failed).toMatch(/^NOGROUP /);
    waiting.disconnect();
    expect(await field("errorstat_NOGROUP")).toBe("count=1");
    expect(await field("cmdstat_xreadgroup")).toMatch(
      /^calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=1$/,
    );
    await expect(redis.call("XADD", "s")).rejects.toThrow(/wrong number of arguments/);
    expect(await field("cmdstat_xadd")).toMatch(/rejected_calls=1,failed_calls=0$/);
    expect(await field("total_error_replies")).toBe("2");
  });

  test("keys, those that expire, and lookups", async () => {
    await redis.config("RESETSTAT");
    for (let i = 0; i < 8; i++) await redis.xadd(`k${i}`, "*", "f", "v");
    await redis.expire("k1", 1000);
    const [hits, misses] = [Number(await field("keyspace_hits")), Number(await field("keyspace_misses"))];
    await redis.xlen("k1");
    await redis.xlen("nosuch");
    expect(await field("db0")).toMatch(/^keys=8,expires=1,avg_ttl=/);
    expect([Number(await field("keyspace_hits")), Number(await field("keyspace_misses"))]).toEqual([
      hits + 1,
      misses + 1,
    ]);
  });
});

describe("operators", () => {
  test("MONITOR, SLOWLOG, LATENCY, ROLE, MODULE, ACL and CLIENT answer what tools ask on connecting", async () => {
    const monitor = await redis.monitor();
    const seen = new Promise<string[]>((resolve) => monitor.on("monitor", (_time, args: string[]) => resolve(args)));
    await redis.xlen("watched");
    expect(await seen).toEqual(["xlen", "watched"]);
    monitor.disconnect();
    const role = (await redis.role()) as unknown[];
    expect([role[0], typeof role[1], role[2]]).toEqual(["master", "number", []]);
    expect(await redis.call("MODULE", "LIST")).toEqual([]);
    expect(await redis.acl("WHOAMI")).toBe("default");
    expect(await redis.call("LATENCY", "LATEST")).toEqual([]);
    expect(await redis.slowlog("LEN")).toBeGreaterThanOrEqual(0);
    expect(await redis.lastsave()).toBeGreaterThan(1_700_000_000);
    expect(await redis.bgsave()).toBe("Background saving started");
    expect(await redis.client("LIST")).toMatch(/^id=\d+ addr=127\.0\.0\.1:\d+ /);
  });

  test("a client is killed by its id and comes back; a pause of writes ends", async () => {
    const other = new Redis(cluster.url);
    const id = await other.client("ID");
    expect(await redis.client("KILL", "ID", id)).toBe(1);
    expect(await until(async () => ((await other.client("ID")) === id ? null : true))).toBe(true);
    await redis.client("PAUSE", 300, "WRITE");
    expect(await redis.xlen("nothing")).toBe(0);
    const begunMs = performance.now();
    await other.xadd("s", "*", "f", "v");
    expect(performance.now() - begunMs).toBeGreaterThan(200);
    other.disconnect();
  });
});

function pairsOf(listed: readonly string[]): Record<string, string> {
  return Object.fromEntries(listed.flatMap((name, i) => (i % 2 === 0 ? [[name, listed[i + 1]!]] : [])));
}
