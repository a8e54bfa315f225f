/**
 * `headrace backup` of a cluster that is being written to and whose leaders die, and `headrace restore` of it on other numbers of nodes, killed in the
 * middle: what was acknowledged before the backup was begun is there, each stream ends at one point, groups and their pending entries are as they were.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePortRange, LocalCluster, processGone, signal } from "@headrace/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shellWords, testedCommands } from "../tested-commands.ts";
import { until } from "./connect.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "packages/server/src/main.ts");
const folder = mkdtempSync(join(tmpdir(), "headrace-backup-"));
const STREAMS = 12;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function headrace(...args: readonly string[]): Promise<Ended> {
  return headraceWith({}, ".", ...args);
}

/** In a folder below the tests' own. */
function headraceWith(
  environment: Readonly<Record<string, string>>,
  below: string,
  ...args: readonly string[]
): Promise<Ended> {
  const options = { encoding: "utf8", cwd: join(folder, below), env: { ...process.env, ...environment } } as const;
  return new Promise((done) => {
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

let source: LocalCluster;
let redis: Redis;
const backup = join(folder, "backup");
/** Entries of each stream that were acknowledged before the backup was asked for, and all that were sent. */
const before: string[][] = [];
const sent: string[][] = [];
let groupsAtBackup: unknown[] = [];

function seedsOf(cluster: LocalCluster): string {
  return cluster
    .places()
    .nodes.map((node) => `127.0.0.1:${node.grpcPort}`)
    .join(",");
}

function clientOf(cluster: LocalCluster): Redis {
  const client = new Redis(cluster.url);
  client.on("error", () => {
    // Each failure reaches the caller of the command.
  });
  return client;
}

async function groupsOf(from: Redis): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let i = 0; i < STREAMS; i++) {
    const key = `quiet${i}`;
    const [groups, pending] = [await from.xinfo("GROUPS", key), await from.xpending(key, "g", "-", "+", 1000)];
    // The idle time (third of each row) goes on.
    found.push(
      groups,
      (pending as unknown[][]).map(([id, consumer, , deliveries]) => [id, consumer, deliveries]),
    );
    found.push(await from.pexpiretime(key), await from.xrange(key, "-", "+"));
  }
  return found;
}

beforeAll(async () => {
  source = await LocalCluster.start({ flags: ["--shards", "4", "--snapshot-rate", "256kb"], startTimeoutMs: 120_000 });
  redis = clientOf(source);
  for (let i = 0; i < STREAMS; i++) {
    before.push([]);
    sent.push([]);
    const key = `quiet${i}`;
    for (let n = 1; n <= 20; n++) await redis.xadd(key, `${n}-0`, "n", n, "text", "x".repeat(n * 40));
    await redis.xgroup("CREATE", key, "g", "0");
    await redis.xreadgroup("GROUP", "g", "ann", "COUNT", 7, "STREAMS", key, ">");
    await redis.xreadgroup("GROUP", "g", "bob", "COUNT", 5, "STREAMS", key, ">");
    await redis.xack(key, "g", "2-0", "9-0");
    await redis.xdel(key, "3-0", "20-0");
    if (i % 3 === 0) await redis.pexpireat(key, 1_900_000_000_000 + i);
  }
  groupsAtBackup = await groupsOf(redis);
}, 180_000);

afterAll(async () => {
  redis.disconnect();
  await source.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** A write whose fate is unknown is repeated: its id is its own. */
async function written(key: string, n: number): Promise<void> {
  for (;;) {
    try {
      await redis.xadd(key, `${n}-0`, "n", n, "text", "y".repeat(300));
      return;
    } catch (error) {
      const { message } = error as Error;
      if (message.includes("equal or smaller than the target stream top item")) return;
      if (!/^(UNCERTAIN|CLUSTERDOWN) /.test(message)) throw error;
    }
  }
}

test(
  "a backup of a cluster under load, whose leader is killed meanwhile, goes through",
  { timeout: 120_000 },
  async () => {
    let isWriting = true;
    const acknowledged: string[][] = Array.from({ length: STREAMS }, () => []);
    const writers = sent.map(async (ids, i) => {
      for (let n = 1; isWriting; n++) {
        ids.push(`${n}-0`);
        await written(`busy${i}`, n);
        acknowledged[i]!.push(`${n}-0`);
      }
    });
    await until(() => (acknowledged.every((ids) => ids.length > 30) ? true : null));
    for (const [i, ids] of acknowledged.entries()) before[i]!.push(...ids);
    const running = headrace("backup", backup, "--seeds", seedsOf(source), "--json");
    await until(() => (existsSync(join(backup, "incomplete")) ? true : null));
    signal(source.places().nodes[1]!.pid, "SIGKILL");
    const { code, stdout, stderr } = await running;
    isWriting = false;
    await Promise.all(writers);
    expect(stderr.replace(/^headrace: shard \d+ is begun anew: .*\n/gm, "")).toBe("");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, shards: 4 });
    expect(readdirSync(backup).sort()).toEqual([
      "manifest.json",
      ...[1, 2, 3, 4].map((shardId) => `shard-0000${shardId}.rows`),
    ]);
  },
);

test("it is not written over, and nothing is taken where no cluster answers", async () => {
  const again = await headrace("backup", backup, "--seeds", seedsOf(source));
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toBe(`headrace: ${backup} holds a complete backup already; name another directory\n`);
  const nobody = await headrace("backup", join(folder, "none"), "--seeds", "127.0.0.1:1", "--json");
  expect(nobody.code).toBe(1);
  expect(JSON.parse(nobody.stdout)).toMatchObject({ ok: false });
  expect(existsSync(join(folder, "none"))).toBe(false);
});

/** What the restored cluster holds beside what the backup promises. */
async function judge(restored: Redis): Promise<void> {
  expect(await groupsOf(restored)).toEqual(groupsAtBackup);
  for (let i = 0; i < STREAMS; i++) {
    const ids = (await restored.xrange(`busy${i}`, "-", "+")).map(([id]) => id);
    // One point of the stream, not before the backup was begun.
    expect(ids).toEqual(sent[i]!.slice(0, ids.length));
    expect(ids.length).toBeGreaterThanOrEqual(before[i]!.length);
  }
  expect(await restored.dbsize()).toBe(2 * STREAMS);
  // It goes on behind: ids, deliveries.
  await restored.xadd("quiet0", "*", "n", "new");
  const read = await restored.xreadgroup("GROUP", "g", "ann", "COUNT", 100, "STREAMS", "quiet0", ">");
  expect((read as [string, unknown[]][])[0]![1]).toHaveLength(8);
}

test("restored on one node, killed in the middle and gone on with, and started", { timeout: 180_000 }, async () => {
  const data = join(folder, "one");
  const port = await freePortRange();
  const flags = ["--data", data, "--nodes", "1", "--port", port, "--http-port", port + 1, "--base-port", port + 10];
  const args = ["restore", backup, ...flags.map(String)];
  await killInTheMiddle(args, data);
  // Half of it is not started as a cluster.
  const { code, stderr } = await headrace("up", ...args.slice(2));
  expect(code).toBe(1);
  expect(stderr).toMatch(/is half restored from backup [0-9a-f]{64}: restore that one again to go on, or empty it\n$/);
  const done = await headrace(...args);
  expect(done.stderr).not.toContain("failed");
  expect(done.code).toBe(0);
  expect(done.stdout).toMatch(/^backup [0-9a-f]{64} of cluster [0-9a-f]{32} \(4 shards, .*\) is restored on 1 nodes/);
  const cluster = await LocalCluster.start({ dataDirectory: data, firstPort: port });
  const restored = clientOf(cluster);
  try {
    await judge(restored);
    const full = await headrace(...args);
    expect(full.stderr).toContain(`data directory ${data} holds a cluster already`);
    expect(full.code).toBe(1);
  } finally {
    restored.disconnect();
    await cluster.destroy();
  }
});

/** The supervisor and all that it started, with -9, as soon as a node has begun to put rows. */
async function killInTheMiddle(args: readonly string[], data: string): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [main, ...args], { stdio: "ignore" });
  const log = join(data, "logs", "node-1.log");
  const begun = await until(() => {
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    return text.includes('"event":"cluster_founded"') ? text : null;
  });
  const pids = [...new Set([...begun.matchAll(/"pid":(\d+)/g)].map((match) => Number(match[1])))];
  child.kill("SIGKILL");
  for (const pid of pids) signal(pid, "SIGKILL");
  for (const pid of pids) await processGone(pid);
}

test("what the README says is done", { timeout: 180_000 }, async () => {
  const commands = testedCommands(readFileSync(join(root, "README.md"), "utf8"), "headrace backup").map(shellWords);
  expect(commands.map(([program, verb]) => `${program} ${verb}`)).toEqual(["headrace backup", "headrace restore"]);
  mkdirSync(join(folder, "walk"));
  const port = await freePortRange();
  const environment = {
    HEADRACE_SEEDS: seedsOf(source),
    HEADRACE_PORT: String(port),
    HEADRACE_HTTP_PORT: String(port + 1),
    HEADRACE_BASE_PORT: String(port + 10),
  };
  for (const [, ...args] of commands) {
    const { code, stdout, stderr } = await headraceWith(environment, "walk", ...args);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("backup ");
  }
  const cluster = await LocalCluster.start({ dataDirectory: join(folder, "walk", "restored"), firstPort: port });
  const restored = clientOf(cluster);
  expect(await groupsOf(restored)).toEqual(groupsAtBackup);
  restored.disconnect();
  await cluster.destroy();
});

test("founded from it on five nodes by `up`, which serves at once", { timeout: 180_000 }, async () => {
  const cluster = await LocalCluster.start({ flags: ["--nodes", "5", "--restore", backup], startTimeoutMs: 120_000 });
  const restored = clientOf(cluster);
  try {
    await judge(restored);
    const state = JSON.parse((await headrace("cluster", "status", "--seeds", seedsOf(cluster), "--json")).stdout) as {
      nodes: { groups: unknown[] }[];
    };
    expect(state.nodes).toHaveLength(5);
    // Four shards of three replicas, and the metadata's five.
    expect(state.nodes.reduce((sum, node) => sum + node.groups.length, 0)).toBe(17);
  } finally {
    restored.disconnect();
    await cluster.destroy();
  }
});

test(
  "a damaged backup, half of one and another number of shards are refused before anything is founded",
  { timeout: 180_000 },
  async () => {
    const damaged = join(folder, "damaged");
    cpSync(backup, damaged, { recursive: true });
    const path = join(damaged, "shard-00003.rows");
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(path, bytes);
    const port = await freePortRange();
    const refused = async (from: string, ...more: readonly string[]): Promise<string> => {
      const data = join(folder, "refused");
      const ports = ["--port", port, "--http-port", port + 1, "--base-port", port + 10].map(String);
      const { code, stderr } = await headrace("restore", from, "--data", data, "--nodes", "1", ...ports, ...more);
      expect(code).toBe(1);
      rmSync(data, { recursive: true, force: true });
      return stderr;
    };
    expect(await refused(damaged)).toContain(
      `headrace: node-1: backup ${damaged}: shard-00003.rows does not match its checksum\n`,
    );
    rmSync(join(damaged, "manifest.json"));
    expect(await refused(damaged)).toBe(`headrace: ${damaged} holds no backup: there is no manifest.json\n`);
    expect(await refused(backup, "--shards", "8")).toBe(
      `headrace: --shards 8 contradicts the backup in ${backup}: its cluster has 4 shards\n`,
    );
  },
);
