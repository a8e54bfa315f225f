/**
 * Under `everysec` and `no` only a leader's own entries may stay with the operating system, and only as long as nobody waits for them: each of those
 * who may wait, alone, makes the log sync at once (design §6). Time stands still unless a test lets it pass, so nothing here is the sync of a second.
 */
import { describe, expect, test } from "vitest";
import { Ack } from "@headrace/commands";
import type { TestReplica } from "../testing/shard-cluster.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";

describe.each(["everysec", "no"] as const)("with fsync %s", (fsync) => {
  /** A leader with entries at ack=1 that are written and not synced, and the lane that wrote them. */
  function undurable(): { cluster: ShardCluster; leader: TestReplica; lane: ReturnType<TestReplica["lane"]> } {
    const cluster = new ShardCluster({ replicas: 1, fsync });
    const leader = cluster.elect();
    const lane = leader.lane();
    expect(lane.send("XADD s 1-0 f v", "XGROUP CREATE s g 0")).toEqual(["1 1-0", "2 +OK"]);
    lane.ack = Ack.persisted;
    const before = leader.log.durableWrites;
    expect(lane.send("XADD s 2-0 f v")).toEqual(["3 2-0"]);
    expect(leader.log.durableWrites).toBe(before);
    return { cluster, leader, lane };
  }

  test("ack=1 and ack=0 wait for no sync", () => {
    const { leader, lane } = undurable();
    const before = leader.log.durableWrites;
    lane.ack = Ack.executed;
    expect(lane.send("XADD s 3-0 f v")).toEqual(["4 3-0"]);
    lane.ack = Ack.persisted;
    expect(lane.send("XADD s 4-0 f v", "XDEL s 1-0")).toEqual(["5 4-0", "6 :1"]);
    expect(leader.log.durableWrites).toBe(before);
  });

  test.each([
    ["ack=all", "XADD s 9-0 f v"],
    ["a read of what was written", "XRANGE s 2-0 2-0"],
    ["a read that finds nothing of it", "XRANGE s 5-0 6-0"],
    ["an error that depends on it", "XADD s 2-0 f v"],
  ])("%s waits until it is synced, and has it synced at once", (_what, command) => {
    const { cluster, leader } = undurable();
    const before = leader.log.durableWrites;
    const other = leader.lane();
    leader.log.holdDisk = true;
    expect(other.send(command)).toEqual([]);
    leader.log.releaseDisk();
    cluster.settle();
    expect(other.take()).toHaveLength(1);
    expect(leader.log.durableWrites).toBeGreaterThan(before);
  });

  test("entries that are handed out to a group are synced first, whatever the connection's level", () => {
    const { cluster, leader } = undurable();
    const reader = leader.lane();
    reader.ack = Ack.executed;
    leader.log.holdDisk = true;
    expect(reader.send("XREADGROUP GROUP g c STREAMS s >")).toEqual([]);
    leader.log.releaseDisk();
    cluster.settle();
    expect(reader.take()).toEqual(["1 [[s [[1-0 [f v]] [2-0 [f v]]]]]"]);
  });

  test("WAITAOF counts this node only when it has synced, and has it synced at once; WAIT does not ask for it", () => {
    const { cluster, leader, lane } = undurable();
    const before = leader.log.durableWrites;
    const written = { term: lane.writeTerm, index: lane.writeIndex };
    const wait = cluster.wait(leader, { ...written, replicasWanted: 0, kind: "wait", timeoutMs: 0 });
    cluster.settle();
    expect(wait).toEqual(["counted 0"]);
    expect(leader.log.durableWrites).toBe(before);
    leader.log.holdDisk = true;
    const late = cluster.wait(leader, { ...written, replicasWanted: 0, kind: "waitaof", timeoutMs: 50 });
    cluster.settle();
    expect(late).toEqual([]);
    cluster.pass(60);
    expect(late).toEqual(["counted 0"]);
    const patient = cluster.wait(leader, { ...written, replicasWanted: 0, kind: "waitaof", timeoutMs: 0 });
    cluster.settle();
    expect(patient).toEqual([]);
    leader.log.releaseDisk();
    cluster.settle();
    expect(patient).toEqual(["counted 0 local"]);
  });

  test("a follower acknowledges entries only when it has synced them", () => {
    const cluster = new ShardCluster({ replicas: 3, fsync });
    const leader = cluster.elect();
    const lane = leader.lane();
    expect(lane.send("XADD s 1-0 f v")).toEqual(["1 1-0"]);
    // Without the leader's own disk both followers are needed.
    leader.log.holdDisk = true;
    cluster.replica(2).log.holdDisk = true;
    expect(lane.send("XADD s 2-0 f v")).toEqual([]);
    cluster.replica(2).log.releaseDisk();
    cluster.settle();
    cluster.pass(20);
    expect(lane.take()).toEqual(["1 1-0", "2 2-0"]);
  });

  test("a vote is synced before it is given", () => {
    const cluster = new ShardCluster({ replicas: 3, fsync });
    for (const id of [2, 3]) cluster.replica(id).log.holdDisk = true;
    cluster.replica(1).up.campaign();
    cluster.settle();
    expect(cluster.replica(1).up.isReady).toBe(false);
    cluster.replica(2).log.releaseDisk();
    cluster.settle();
    cluster.pass(20);
    expect(cluster.replica(1).up.isReady).toBe(true);
  });
});
