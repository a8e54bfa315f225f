/** How far consumer groups are behind, as an operator sees it: `headrace lag` and the nodes' metrics, after everything that makes counters lie. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = fileURLToPath(new URL("../../packages/server/src/main.ts", import.meta.url));

let cluster: LocalCluster;
let redis: Redis;

beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "2", "--metrics-groups", "2"] });
  redis = new Redis(cluster.url);
  // While all nodes are down it can not connect.
  redis.on("error", () => undefined);
});
afterAll(async () => {
  redis.disconnect();
  await cluster.destroy();
});

function headraceLag(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [main, "lag", ...args], { encoding: "utf8" }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), out: stdout + stderr }),
    );
  });
}

interface Lag {
  readonly stream: string;
  readonly group: string;
  readonly lag: number;
  readonly lagMs: number | null;
  readonly pending: number;
}

async function lags(...args: readonly string[]): Promise<{ readonly groups: number; readonly lags: readonly Lag[] }> {
  const { code, out } = await headraceLag("--url", cluster.url, "--json", ...args);
  expect(code, out).toBe(0);
  return JSON.parse(out);
}

/** Asks again as long as there is no leader. */
async function lagsOnceServed(): Promise<readonly (readonly unknown[])[]> {
  for (;;) {
    const { code, out } = await headraceLag("--url", cluster.url, "--json");
    if (code !== 0 && out.includes("CLUSTERDOWN")) continue;
    expect(code, out).toBe(0);
    const found = JSON.parse(out) as { readonly lags: readonly Lag[] };
    return found.lags.map(({ stream, group, lag, pending }) => [stream, group, lag, pending]);
  }
}

test("lag is what is there to be delivered, over all shards, after deletions, trims, moved positions and kills", async () => {
  for (const key of ["{a}one", "{b}two", "café"]) {
    const pipeline = redis.pipeline();
    for (let n = 1; n <= 100; n++) pipeline.xadd(key, `${n}-0`, "n", String(n));
    pipeline.xgroup("CREATE", key, "g", "0");
    for (const [error] of (await pipeline.exec())!) expect(error).toBe(null);
  }
  await redis.xreadgroup("GROUP", "g", "c", "COUNT", 10, "STREAMS", "{a}one", ">");
  await redis.xdel("{a}one", "5-0", "50-0", "51-0");
  await redis.xtrim("{b}two", "MINID", "71-0");
  await redis.xgroup("SETID", "café", "g", "98-0");
  const fresh = await redis.xadd("{b}two", "*", "n", "new");
  // {a}one: 11 … 100 but 50 and 51. {b}two: 71 … 100 and the new one. café: 99 and 100.
  const expected = [
    ["{a}one", "g", 88, 10],
    ["{b}two", "g", 31, 0],
    ["café", "g", 2, 0],
  ];
  expect(await lagsOnceServed()).toEqual(expected);
  await cluster.killAll();
  await cluster.run();
  expect(await lagsOnceServed()).toEqual(expected);
  await redis.xgroup("SETID", "{b}two", "g", "100-0");
  const { groups, lags: top } = await lags("--top", "1", "--match", "{b}*");
  expect([groups, top.map(({ stream, lag }) => [stream, lag])]).toEqual([1, [["{b}two", 1]]]);
  expect(top[0]!.lagMs).toBeGreaterThanOrEqual(0);
  expect(top[0]!.lagMs).toBeLessThanOrEqual(Date.now() - Number(fresh!.split("-")[0]) + 60_000);
});

test("it is a table for people, and one line when it can't be asked", async () => {
  await redis.call("XGROUP", "SETMAXLAG", "{a}one", "g", "500");
  const { code, out } = await headraceLag("--url", cluster.url, "--top", "1", "--rates", "0.01");
  expect(code).toBe(0);
  expect(out.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual([
    "stream,group,consumers,behind,since,pending,since,redelivered,dead letters,limit,delivered/s,acked/s".split(","),
    expect.arrayContaining([expect.stringMatching(/^-+$/)]),
    ["{a}one", "g", "1", "88", "-", "10", "-", "0", "0", "500", "0.0", "0.0"],
    ["less behind: 2 more"],
    [""],
  ]);
  const nobody = await headraceLag("--url", "redis://127.0.0.1:1");
  expect([nobody.code, nobody.out.trim().split("\n").length]).toEqual([1, 1]);
  expect((await headraceLag("--url", "http://x")).code).toBe(1);
  expect((await headraceLag("--top", "many")).code).toBe(1);
  expect((await headraceLag("--rates", "0")).code).toBe(1);
});

test("the leaders' metrics show the groups that are the furthest behind, no more than were asked for", async () => {
  const lines: string[] = [];
  for (const { httpPort } of cluster.places().nodes) {
    const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    const found = text.split("\n").filter((line) => line.startsWith("headrace_group_lag_entries{"));
    expect(found.length).toBeLessThanOrEqual(2);
    lines.push(...found);
  }
  expect(lines).toContain('headrace_group_lag_entries{stream="{a}one",group="g"} 88');
});
