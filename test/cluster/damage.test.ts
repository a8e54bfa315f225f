/**
 * Bits that flip on a real node's disk while it is stopped: found at the next start, named in /readyz, metrics and `cluster status`, never served; the other
 * nodes serve meanwhile, and what was damaged is replaced under new ids.
 */
import { spawnSync } from "node:child_process";
import { openSync, closeSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KvRow, KvStore } from "@headrace/ports";
import { openLevelStore } from "@headrace/store";
import { LocalCluster } from "@headrace/testkit";
import type { RunningNode } from "@headrace/testkit";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

const main = fileURLToPath(new URL("../../packages/server/src/main.ts", import.meta.url));
const KEYS = Array.from({ length: 12 }, (_, i) => `orders:{${i}}`);
const ENTRIES = 5;
const BLOCK_HEADER_BYTES = 40;

interface Group {
  readonly groupId: number;
  readonly replicaId: number;
  readonly checkpoint: number;
  readonly lastIndex: number;
}

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "4"] });
});
afterAll(async () => {
  await cluster.destroy();
});

async function connected(): Promise<Redis> {
  const redis = connect(cluster.url);
  await ready(redis);
  return redis;
}

async function writeAll(redis: Redis): Promise<void> {
  for (const key of KEYS) {
    for (let i = 0; i < ENTRIES; i++) await redis.xadd(key, "*", "value", `${key} ${i}`);
  }
}

async function lengths(redis: Redis): Promise<Set<number>> {
  const found = new Set<number>();
  for (const key of KEYS) found.add(await redis.xlen(key));
  return found;
}

async function page(node: RunningNode, path: string): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${node.httpPort}${path}`);
    return await response.text();
  } catch {
    // Not listening yet.
    return "";
  }
}

/** Of the first node, as the metadata has it. */
async function placedOnFirst(): Promise<readonly Group[]> {
  const status = JSON.parse(await page(cluster.places().nodes[0]!, "/status")) as { groups: readonly Group[] };
  return status.groups;
}

function clusterStatus(): string {
  const seeds = cluster
    .places()
    .nodes.map((node) => `127.0.0.1:${node.grpcPort}`)
    .join(",");
  const ended = spawnSync(process.execPath, [main, "cluster", "status", "--seeds", seeds], { encoding: "utf8" });
  return ended.stdout + ended.stderr;
}

/** The first block behind the start of the log's oldest segment; others follow it. */
function flipInLog(directory: string): void {
  const wal = join(directory, "wal");
  const oldest = readdirSync(wal)
    .filter((name) => name.endsWith(".seg"))
    .toSorted()[0]!;
  const file = openSync(join(wal, oldest), "r+");
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  readSync(file, header, 0, header.length, 0);
  expect(header.toString("latin1", 0, 4)).toBe("HDRW");
  const at = BLOCK_HEADER_BYTES + header.readUInt32LE(8) + BLOCK_HEADER_BYTES + 3;
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 8;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

/** One row of a shard's state; its own checksum is not made right again. */
async function flipInStore(directory: string): Promise<void> {
  const path = join(directory, "state");
  const store = valueOf(await settleByWaiting<KvStore>((done) => openLevelStore(path, {}, done)));
  const end = new Uint8Array(16).fill(255);
  const rows = valueOf(
    await settleByWaiting<readonly KvRow[]>((done) => store.scan(new Uint8Array(1), end, 10_000, 1e8, null, done)),
  );
  // Keys of checkpoint rows are short.
  const row = rows.find(({ key }) => key.length > 8)!;
  const value = row.value.slice();
  value[value.length >> 1]! ^= 8;
  valueOf(await settleByWaiting<void>((done) => store.write([{ key: row.key, value }], done)));
  valueOf(await settleByWaiting<void>((done) => store.close(done)));
}

/** Starts again; what the first node says of itself until it is ready, and what the metrics say. */
async function startedAgain(
  node: RunningNode,
): Promise<{ reasons: readonly string[]; metrics: string; table: string }> {
  const reasons = new Set<string>();
  let metrics = "";
  let table = "";
  const starting = cluster.run();
  const failed = async (): Promise<string | null> => {
    for (const line of (await page(node, "/readyz")).split("\n")) reasons.add(line);
    return [...reasons].find((line) => /damaged|corrupt/.test(line)) ?? null;
  };
  await until(failed);
  metrics = await page(node, "/metrics");
  table = clusterStatus();
  await starting;
  await until(async () => ((await page(node, "/readyz")).startsWith("ok") ? true : null));
  return { reasons: [...reasons], metrics, table };
}

test(
  "a bit flipped inside a node's log keeps the node out, by name, until its replicas are replaced",
  { timeout: 120_000 },
  async () => {
    let redis = await connected();
    await writeAll(redis);
    redis.disconnect();
    const before = await placedOnFirst();
    const node = cluster.places().nodes[0]!;
    await cluster.stop();
    flipInLog(node.dir);
    const { reasons, metrics, table } = await startedAgain(node);
    expect(reasons.join("\n")).toMatch(/the log is damaged: segment \d+ is damaged at offset \d+/);
    expect(metrics).toMatch(/^headrace_damage_total\{place="wal"\} 1$/m);
    expect(metrics).toMatch(/^headrace_ready 0$/m);
    // It may be on its way back already.
    expect(table).toMatch(/the log is damaged|quarantined|2 of 3 copies|being copied/);
    redis = await connected();
    expect(await lengths(redis)).toEqual(new Set([ENTRIES]));
    const after = await until(async () => {
      const groups = await placedOnFirst();
      return groups.length === before.length ? groups : null;
    });
    const highest = Math.max(...before.map(({ replicaId }) => replicaId));
    for (const { replicaId } of after) expect(replicaId).toBeGreaterThan(highest);
    await writeAll(redis);
    expect(await lengths(redis)).toEqual(new Set([2 * ENTRIES]));
    redis.disconnect();
  },
);

test(
  "a stored value that does not match its checksum keeps its replica out, and only that one is replaced",
  { timeout: 120_000 },
  async () => {
    // Everything is in the store.
    await until(async () =>
      (await placedOnFirst()).every(({ groupId, checkpoint }) => groupId === 0 || checkpoint > 2) ? true : null,
    );
    const before = await placedOnFirst();
    const node = cluster.places().nodes[0]!;
    await cluster.stop();
    await flipInStore(node.dir);
    const { reasons, metrics } = await startedAgain(node);
    expect(reasons.join("\n")).toMatch(
      /group \d+ failed: corrupt: row does not match its checksum \(slot \d+, key [0-9a-f]+\)/,
    );
    expect(metrics).toMatch(/^headrace_damage_total\{place="state"\} 1$/m);
    const redis = await connected();
    expect(await lengths(redis)).toEqual(new Set([2 * ENTRIES]));
    redis.disconnect();
    const known = new Set(before.map(({ replicaId }) => replicaId));
    const after = await until(async () => {
      const groups = await placedOnFirst();
      return groups.length === before.length && groups.some(({ replicaId }) => !known.has(replicaId)) ? groups : null;
    });
    expect(after.filter(({ replicaId }) => !known.has(replicaId))).toHaveLength(1);
  },
);
