/** How much log replicas keep behind their checkpoints: what a replica that lags may still ask whoever leads then for, and no more. */
import type { Logger } from "@headrace/ports";
import { Role } from "@headrace/raft-ts";
import { expect, test } from "vitest";
import { compactLog } from "../src/log-retention.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";

const VALUE = "v".repeat(1000);
const LIMITS = { checkpointKeys: 1, logRetainBytes: 1 << 30 };

function write(leader: TestReplica, count: number): void {
  const lane = leader.lane();
  for (let i = 0; i < count; i++) {
    lane.queue(`XADD s * f ${VALUE}`);
    leader.cluster.settle();
    leader.cluster.pass(100);
  }
  leader.cluster.pass(2000);
}

test("followers keep no log that every replica has, as their leader does not", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: LIMITS });
  write(cluster.elect(), 60);
  for (const { up } of cluster.replicas) expect(up.status().firstLogIndex).toBe(up.status().checkpointIndex + 1);
  cluster.assertSame();
});

test("for a replica that is away all keep the log, and a follower that leads then helps it without a snapshot", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: LIMITS });
  let snapshotFrames = 0;
  cluster.onSnapshotFrame = (frame) => {
    snapshotFrames++;
    return frame;
  };
  write(cluster.elect(), 5);
  const known = cluster.replica(3).up.status().lastIndex;
  cluster.isolate(3);
  write(cluster.replica(1), 60);
  for (const id of [1, 2]) {
    const { firstLogIndex, checkpointIndex } = cluster.replica(id).up.status();
    expect(firstLogIndex).toBeLessThanOrEqual(known + 1);
    expect(checkpointIndex).toBe(known + 60);
  }
  cluster.heal();
  cluster.isolate(1);
  const next = cluster.awaitLeader([2]);
  write(next, 1);
  expect(cluster.replica(3).up.status().commitIndex).toBe(next.up.status().commitIndex);
  expect(snapshotFrames).toBe(0);
});

test("a leader warns when it cuts what a slow replica may need, and not when that was cut before", () => {
  const warned: unknown[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (event, fields) => void warned.push([event, fields]),
    error() {},
    child: () => logger,
  };
  const snapshots = { holdIndex: () => Infinity, holdBytes: 0, giveUp() {} };
  const retention = { groupId: 7, retainBytes: 1000, logger, snapshots };
  // Entries of 100 bytes from 51 on.
  const cuts: number[] = [];
  const log = {
    evict() {},
    firstIndex: () => 51,
    indexWithTail: (bytes: number) => Math.max(50, 80 - bytes / 100),
    compact: (index: number) => void cuts.push(index),
  };
  const leader = { role: Role.leader, heldByAll: 0 };
  compactLog(log, leader, 80, { ...retention, retainBytes: 1_000_000 });
  expect(warned).toEqual([]);
  compactLog(log, leader, 80, retention);
  expect(warned).toEqual([["log_cut_before_slow_replica", { group: 7, slowest: 0, cut: 70 }]]);
  compactLog(log, { ...leader, heldByAll: 75 }, 80, retention);
  compactLog(log, { ...leader, role: Role.follower }, 80, retention);
  expect(warned.length).toBe(1);
  expect(cuts).toEqual([50, 70, 75, 70]);
});
