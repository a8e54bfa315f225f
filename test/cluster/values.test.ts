/**
 * Strings, lists, sets, hashes and sorted sets with their times to live, through everything that takes a real cluster away from them: a leader that is killed, all
 * processes killed and asked to go, a snapshot for a node that was away, a backup restored on another number of nodes. After each the cluster holds what a
 * plain model says, to the last member and millisecond.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "@headrace/sim";
import { groupLeaders, groupOfKey, killLeader, LocalCluster, processGone, signal, wholeAgain } from "@headrace/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "./connect.ts";
import { differingKeys, digestOf, formOf, ValueModel } from "./value-model.ts";

const main = fileURLToPath(new URL("../../packages/server/src/main.ts", import.meta.url));
/** One for each node to lead. */
const SHARDS = 3;
const KEYS = 60;
const COMMANDS = 1000;
const LARGE = 4000;
/** 64 KiB each, over the shards: more than the 8 MiB that a leader sends ahead and the log that it keeps. */
const OVERWRITES = 400;
const SEED = 7;

const folder = mkdtempSync(join(tmpdir(), "headrace-values-"));
const model = new ValueModel(new SeededRandom(SEED));
let cluster: LocalCluster;
let redis: Redis;

beforeAll(async () => {
  cluster = await LocalCluster.start({
    flags: ["--shards", String(SHARDS), "--log-retain", "4kb", "--wal-segment-bytes", "1mb"],
  });
  redis = clientOf(cluster);
  await model.grow(redis, LARGE);
});

afterAll(async () => {
  redis.disconnect();
  await cluster.destroy();
  rmSync(folder, { recursive: true, force: true });
});

function clientOf(of: LocalCluster): Redis {
  const client = new Redis(of.url, { retryStrategy: () => 50 });
  client.on("error", () => {
    // Each failure reaches the caller of the command.
  });
  return client;
}

/** Asked until every shard answers: leaders may be on their way. */
async function same(client: Redis): Promise<void> {
  const found = await until(() => formOf(client).catch(() => null));
  const expected = model.form();
  expect(differingKeys(found, expected), `seed ${SEED}`).toEqual([]);
  expect(digestOf(found)).toBe(digestOf(expected));
  expect(found.size).toBeGreaterThan(KEYS);
}

async function change(): Promise<void> {
  await until(() => redis.ping().catch(() => null));
  await model.change(redis, COMMANDS, KEYS);
}

test("who takes over from a killed leader holds them", async () => {
  for (const key of ["string:large", "hash:large"]) {
    await change();
    const leader = await killLeader(cluster, groupOfKey(key, SHARDS));
    await same(redis);
    await wholeAgain(cluster, leader);
  }
  await same(redis);
});

test("all of them are there when every process was killed, but what ended meanwhile", async () => {
  await change();
  const ending = ["string:large", "set:1", "list:2", "hash:3", "zset:4"].filter((key) => model.keys().includes(key));
  const atMs = Date.now() + 300;
  for (const key of ending) await model.end(redis, key, atMs);
  await cluster.killAll();
  await until(() => (Date.now() > atMs ? true : null));
  await cluster.run();
  await same(redis);
  expect(ending.length).toBeGreaterThan(1);
});

test("all of them are there when every process was asked to go", async () => {
  await change();
  const { code } = await cluster.stop();
  expect(code).toBe(0);
  await cluster.run();
  await same(redis);
});

test("a node that was away is sent them in a snapshot, and leads with them", { timeout: 120_000 }, async () => {
  const away = cluster.places().nodes[2]!;
  // Stopped first, so that its supervisor does not bring it back too soon.
  signal(away.pid, "SIGSTOP");
  const others = cluster.places().nodes.filter(({ id }) => id !== away.id);
  await until(async () => {
    const { nodes } = await groupLeaders(others);
    return Array.from({ length: SHARDS }, (_, at) => nodes.get(at + 1)).every((id) => id !== undefined) ? true : null;
  });
  await same(redis);
  await change();
  await model.grow(redis, LARGE);
  await model.overwrite(redis, OVERWRITES);
  await change();
  signal(away.pid, "SIGKILL");
  await processGone(away.pid);
  await wholeAgain(cluster, away);
  await until(async () => ((await statusOf(2)).snapshots.installed > 0 ? true : null));
  // Leadership goes back to whom it was dealt to: what is read then comes out of the snapshot.
  await until(async () =>
    (await statusOf(2)).groups.some(({ groupId, role }) => groupId > 0 && role === "leader") ? true : null,
  );
  await same(redis);
});

interface Status {
  readonly snapshots: { readonly installed: number };
  readonly groups: readonly { readonly groupId: number; readonly role: string }[];
}

async function statusOf(node: number): Promise<Status> {
  return (await cluster.nodeStatus(cluster.places().nodes[node]!)) as unknown as Status;
}

test("a backup restored on one node holds them", { timeout: 120_000 }, async () => {
  const backup = join(folder, "backup");
  const seeds = cluster.places().nodes.map((node) => `127.0.0.1:${node.grpcPort}`);
  await new Promise<void>((done, failed) => {
    execFile(process.execPath, [main, "backup", backup, "--seeds", seeds.join(",")], (error) =>
      error === null ? done() : failed(error),
    );
  });
  const restored = await LocalCluster.start({ flags: ["--nodes", "1", "--restore", backup] });
  const client = clientOf(restored);
  try {
    await same(client);
  } finally {
    client.disconnect();
    await restored.destroy();
  }
});
