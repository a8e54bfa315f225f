/** What becomes of a replica whose damage nobody met but who looked for it: it is replaced while it serves on, and never at the cost of the group. */
import { describe, expect, test } from "vitest";
import { founded, keys, lengths, SHARDS, writeAll } from "./node-bench.ts";
import type { Cluster } from "./node-bench.ts";

const EVERY_MS = 2000;

function scrubbed(): Cluster {
  const cluster = founded(3, { scrubEveryMs: EVERY_MS });
  writeAll(cluster, "1-1");
  // Checkpoints are written meanwhile.
  cluster.time.run(6000);
  expect(damage(cluster, 0)).toEqual({ wal: 0, state: 0, records: 0 });
  return cluster;
}

/** One bit of an entry of that shard on node 1's disk. */
function flip(cluster: Cluster, shardId: number): void {
  const disks = cluster.disks[0]!;
  const row = disks.rows.find(({ key }) => key[0]! * 256 + key[1]! === shardId && key[4]! >= 0x80)!;
  const value = row.value.slice();
  value[value.length >> 1]! ^= 1;
  disks.rows = disks.rows.map((each) => (each === row ? { key: row.key, value } : each));
}

function damage(cluster: Cluster, i: number): unknown {
  return cluster.nodes[i]!.status()["damage"];
}

/** Of node 1, in this shard; 0: it has none. */
function replicaOfFirst(cluster: Cluster, shardId: number): number {
  const { replicas } = cluster.nodes[1]!.clusterState!.shards.find(({ id }) => id === shardId)!;
  return replicas.find(({ nodeId }) => nodeId === 1)?.replicaId ?? 0;
}

/** Nobody says that it has failed meanwhile. */
function untilReplaced(cluster: Cluster, shardId: number, before: number): void {
  const isReplaced = (): boolean => {
    const { ready, reasons } = cluster.nodes[0]!.readiness();
    expect(reasons.filter((reason) => reason.includes("failed"))).toEqual([]);
    return ready && ![0, before].includes(replicaOfFirst(cluster, shardId));
  };
  expect(cluster.time.runUntil(isReplaced, 30_000)).toBe(true);
  cluster.untilReady(20_000);
  cluster.time.run(2000);
  for (let id = 1; id <= SHARDS; id++) {
    const hashes = cluster.nodes.map((node) => node!.member!.shard(id)!.stateHash());
    expect(new Set(hashes.map(({ index, hash }) => `${index} ${hash}`)).size).toBe(1);
  }
}

describe("a replica of which a row is damaged that nobody reads", () => {
  test.each([
    ["a follower", false],
    ["the leader", true],
  ])("is replaced under a new id, with the data of the others, while it serves on: %s", (_who, isLeader) => {
    const cluster = scrubbed();
    const shardId = [1, 2, 3, 4].find((id) => (cluster.leaderOf(id) === 0) === isLeader)!;
    const before = replicaOfFirst(cluster, shardId);
    flip(cluster, shardId);
    untilReplaced(cluster, shardId, before);
    expect(damage(cluster, 0)).toEqual({ wal: 0, state: 1, records: 0 });
    expect(cluster.nodes[0]!.status()["scrubbing"]).toMatchObject({ damaged: 1, unread: 0 });
    for (const i of [1, 2]) expect(damage(cluster, i)).toEqual({ wal: 0, state: 0, records: 0 });
    writeAll(cluster, "2-1");
    expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
    // The other replicas of the node stay, and the new one's rows are whole.
    cluster.time.run(2 * EVERY_MS);
    expect(damage(cluster, 0)).toEqual({ wal: 0, state: 1, records: 0 });
  });

  test("goes on as long as its group can't do without it, and is replaced when it can", () => {
    const cluster = scrubbed();
    cluster.kill(2);
    const shardId = 1;
    const before = replicaOfFirst(cluster, shardId);
    flip(cluster, shardId);
    cluster.time.run(10_000);
    expect(damage(cluster, 0)).toMatchObject({ wal: 0, records: 0 });
    expect(cluster.nodes[0]!.status()["scrubbing"]).toMatchObject({ unread: 0 });
    expect(replicaOfFirst(cluster, shardId)).toBe(before);
    expect(cluster.nodes[0]!.readiness().reasons).toEqual([]);
    writeAll(cluster, "2-1");
    expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
    cluster.start(2);
    untilReplaced(cluster, shardId, before);
    expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
  });
});
