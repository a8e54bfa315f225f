/** What bounds a replica when its disk does not keep up: a follower's log ahead of its checkpoint, and a store without space. */
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";

const BOUND = { logCacheBytes: 2000, logAheadBytes: 10_000, checkpointKeys: 1 };

function storedOn(cluster: ShardCluster, id: number): number {
  return cluster.replica(id).up.status().checkpointIndex;
}

test("a follower whose checkpoints stand still takes no more appends at the bound, and all of them once it can write again", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: BOUND });
  const lane = cluster.elect().lane();
  cluster.replica(3).kv.hold = true;
  for (let i = 1; i <= 60; i++) {
    lane.queue(`XADD s ${i}-1 f ${"v".repeat(1000)}`);
    cluster.settle();
    cluster.pass(20);
  }
  // The leader and the other follower have everything; a majority is enough.
  expect(lane.take()).toHaveLength(60);
  const { appendsPaused, refusedAppends, logBytes } = cluster.replica(3).up.status();
  expect(appendsPaused).toBe(true);
  expect(refusedAppends).toBeGreaterThan(0);
  // One message may hold several entries of 1 KiB.
  expect(logBytes).toBeLessThan(2000 + 10_000 + 8 * 1100);
  cluster.replica(3).kv.releaseHeld();
  cluster.settle();
  cluster.pass(2000);
  expect(cluster.replica(3).up.status().appendsPaused).toBe(false);
  const hashes = [1, 2, 3].map((id) => cluster.replica(id).up.stateHash().hash);
  expect(new Set(hashes).size).toBe(1);
});

test("a checkpoint for which there is no space is tried again until it is written, and the node is told each time", () => {
  const cluster = new ShardCluster({ replicas: 1, limits: BOUND });
  const replica = cluster.elect();
  const lane = replica.lane();
  replica.kv.refusal = "space";
  const before = storedOn(cluster, 1);
  expect(lane.send("XADD s 1-1 f v")).toHaveLength(1);
  cluster.pass(3500);
  expect(replica.noSpace).toBe(4);
  expect(storedOn(cluster, 1)).toBe(before);
  expect(replica.failure).toBeNull();
  // Meanwhile the replica serves: what it answers is in its log.
  expect(lane.send("XADD s 2-1 f v")).toHaveLength(1);
  replica.kv.refusal = null;
  cluster.pass(2500);
  expect(storedOn(cluster, 1)).toBe(replica.up.status().lastIndex);
});

test("what grows the data is refused while the node's disk is low: an error of its own lane, and nothing has happened", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const replica = cluster.elect();
  const lane = replica.lane();
  lane.send("XADD s 1-1 f v");
  const { lastIndex } = replica.up.status();
  cluster.settings.refuseGrowth = true;
  const [added, length] = lane.send("XADD s 2-1 f v", "XLEN s");
  expect(added).toMatch(/^2 -MISCONF /);
  expect(length).toMatch(/^3 :1/);
  expect(replica.up.status()).toMatchObject({ lastIndex, refusedForSpace: 1 });
  expect(lane.send("XDEL s 1-1")[0]).toMatch(/^4 :1/);
  cluster.settings.refuseGrowth = false;
  expect(lane.send("XADD s 2-1 f v")[0]).toBe("5 2-1");
});
