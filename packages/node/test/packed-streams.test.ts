/** Replicas whose budget is small and whose streams are many: who packs what is nobody's business but its own. */
import { expect, test } from "vitest";
import { ShardCluster, type TestReplica } from "../testing/shard-cluster.ts";

const EAGER = { checkpointKeys: 32, checkpointBytes: 4096 };
const STREAMS = 400;

/** `count` streams of three entries and a group each, on a leader. */
function filled(memoryBytes: number): { cluster: ShardCluster; leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 3, limits: EAGER, memoryBytes });
  const leader = cluster.elect();
  const lane = leader.lane();
  for (let i = 0; i < STREAMS; i++) {
    const commands = [1, 2, 3].map((ms) => `XADD k${i} ${ms}-0 f v${i}`);
    lane.send(...commands, `XGROUP CREATE k${i} g 0`);
    lane.take();
  }
  cluster.pass(2000);
  return { cluster, leader };
}

function packed(cluster: ShardCluster): number[] {
  return cluster.replicas.map(({ up }) => up.status().packedStreams);
}

test("without a budget nothing is packed, but what a replica opens with", () => {
  const { cluster } = filled(0);
  expect(packed(cluster)).toEqual([0, 0, 0]);
  cluster.replica(3).restart();
  cluster.pass(1000);
  expect(packed(cluster).slice(0, 2)).toEqual([0, 0]);
  expect(cluster.replica(3).up.status().packedStreams).toBeGreaterThan(STREAMS / 2);
  cluster.assertSame();
});

test("with one, leader and followers pack what nobody uses, and every command finds it as it was", () => {
  const { cluster, leader } = filled(200_000);
  for (const count of packed(cluster)) expect(count).toBeGreaterThan(STREAMS / 2);
  cluster.assertSame();
  const lane = leader.lane();
  expect(lane.send("XLEN k1", "XADD k1 4-0 f v", "XRANGE k1 3 4", "TYPE k2", "EXISTS k3 k4 nosuch", "DBSIZE")).toEqual([
    "1 :3",
    "2 4-0",
    "3 [[3-0 [f v1]] [4-0 [f v]]]",
    "4 +stream",
    "5 :2",
    `6 :${STREAMS}`,
  ]);
  expect(
    lane.send("XREADGROUP GROUP g c COUNT 1 STREAMS k5 >", "XACK k5 g 1-0", "DEL k6", "RENAME {k7} {k7}x"),
  ).toEqual(["7 [[k5 [[1-0 [f v5]]]]]", "8 :1", "9 :1", "10 -ERR no such key"]);
  cluster.pass(2000);
  cluster.assertSame();
  for (const { up } of cluster.replicas) up.verify();
});

test("another leader, who has packed others, goes on where the first one was", () => {
  const { cluster, leader } = filled(200_000);
  leader.lane().send("XADD k9 7-0 f v", "XADD k10 7-0 f v");
  cluster.pass(1000);
  leader.crash();
  const next = cluster.awaitLeader([2, 3]);
  const lane = next.lane();
  expect(lane.send("XRANGE k9 - +", "XADD k11 9-0 f v", "XLEN k11", "XINFO GROUPS k12")).toHaveLength(4);
  expect(lane.send("XLEN k9", "XLEN k10", "DBSIZE")).toEqual(["5 :4", "6 :4", `7 :${STREAMS}`]);
  leader.open();
  cluster.pass(2000);
  cluster.assertSame();
});
