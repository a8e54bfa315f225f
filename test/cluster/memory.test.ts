/** Nodes with less memory than data: everything is still there, in order, and what can't leave memory is refused before it fills it. */
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";

let cluster: LocalCluster | null = null;
let redis: Redis | null = null;
afterEach(async () => {
  redis?.disconnect();
  await cluster?.destroy();
  cluster = null;
});

async function started(...flags: readonly string[]): Promise<Redis> {
  cluster = await LocalCluster.start({ flags });
  redis = new Redis(cluster.url);
  return redis;
}

/** Sum of a metric's samples over all nodes. */
async function metric(name: string): Promise<number> {
  let sum = 0;
  for (const { httpPort } of cluster!.places().nodes) {
    const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))) sum += Number(value);
  }
  return sum;
}

/** Asks again as long as there is no leader: nothing has happened then. */
async function served<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("CLUSTERDOWN"))) throw error;
    }
  }
}

/** In pipelines of a thousand. */
async function addAll(client: Redis, key: string, count: number, value: string): Promise<void> {
  for (let first = 1; first <= count; first += 1000) {
    const pipeline = client.pipeline();
    for (let n = first; n < first + 1000 && n <= count; n++) pipeline.xadd(key, `${n}-0`, "n", String(n), "v", value);
    for (const [error] of (await pipeline.exec())!) if (error !== null) throw error;
  }
}

test("more data than memory comes back whole and in order, also after all nodes have been killed", async () => {
  const client = await started("--memory", "8mb", "--shards", "2");
  const count = 20_000;
  await addAll(client, "log", count, "v".repeat(1000));
  const readAll = async (): Promise<void> => {
    let from = "-";
    let next = 1;
    for (;;) {
      const page = await served(() => client.xrange("log", from, "+", "COUNT", 1000));
      if (page.length === 0) break;
      for (const [id, fields] of page) {
        expect(id).toBe(`${next}-0`);
        expect(fields[1]).toBe(String(next));
        next++;
      }
      from = `(${page.at(-1)![0]}`;
    }
    expect(next - 1).toBe(count);
  };
  await readAll();
  expect(await metric("headrace_memory_evicted_bytes_total")).toBeGreaterThan(8 * 1024 * 1024);
  expect(await metric("headrace_cold_waits_total")).toBeGreaterThan(0);
  // What is read in order, and by nobody who has to have it at once, never holds up a node.
  expect(await metric("headrace_cold_reads_now_total")).toBe(0);
  for (const { pid } of cluster!.places().nodes) process.kill(pid, "SIGKILL");
  await readAll();
}, 240_000);

test("pending lists that fill the budget make writes fail with OOM, XACK frees them, and a larger budget does too", async () => {
  const client = await started("--memory", "2mb", "--shards", "1", "--nodes", "1");
  await client.xgroup("CREATE", "jobs", "workers", "0", "MKSTREAM");
  const count = 80_000;
  await addAll(client, "jobs", count, "x");
  const ids: string[] = [];
  for (;;) {
    const read = (await client.xreadgroup("GROUP", "workers", "w", "COUNT", 5000, "STREAMS", "jobs", ">")) as
      | [[string, [string, string[]][]]]
      | null;
    if (read === null) break;
    for (const [id] of read[0][1]) ids.push(id);
  }
  expect(ids).toHaveLength(count);
  const oom = /^OOM command not allowed when used memory > 'maxmemory'\.$/;
  const refusal = async (): Promise<string> => {
    for (;;) {
      const answer = await client.xadd("jobs", "*", "n", "1").catch((error: Error) => error.message);
      if (typeof answer === "string" && oom.test(answer)) return answer;
      await client.ping();
    }
  };
  expect(await refusal()).toMatch(oom);
  await expect(client.multi().xadd("jobs", "*", "n", "1").exec()).rejects.toThrow(/EXECABORT .*OOM/);
  expect(await client.xlen("jobs")).toBeGreaterThanOrEqual(count);
  expect((await client.xrange("jobs", "-", "+", "COUNT", 1))[0]![0]).toBe("1-0");
  const accepted = async (): Promise<void> => {
    for (;;) {
      const answer = await client.xadd("jobs", "*", "n", "1").catch((error: Error) => error.message);
      if (typeof answer === "string" && /^\d+-\d+$/.test(answer)) return;
      expect(answer).toMatch(oom);
      await client.ping();
    }
  };
  for (let i = 0; i < ids.length; i += 1000) await client.xack("jobs", "workers", ...ids.slice(i, i + 1000));
  await accepted();
  expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", String(2 * 1024 * 1024)]);
  expect(await client.config("SET", "maxmemory", "1gb")).toBe("OK");
  expect(await client.config("GET", "maxmemory")).toEqual(["maxmemory", String(1024 ** 3)]);
  await accepted();
}, 240_000);
