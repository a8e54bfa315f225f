/** Bad disks and clocks under whole nodes: what is damaged is named, counted and never served; a full disk refuses growth only; clocks bound stamps. */
import { crc32 } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import { defaultShardLimits } from "../src/shard-limits.ts";
import type { MemoryDisks } from "./memory-world.ts";
import { founded, keys, lengths, SHARDS, writeAll } from "./node-bench.ts";
import type { Cluster } from "./node-bench.ts";

/** A byte in the middle of the log's first block that holds an entry: blocks follow it. */
function damageLog(disks: MemoryDisks): void {
  const bytes = disks.segments.get(1)!;
  const at = 40 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true) + 60;
  bytes[at]! ^= 1;
}

/** Founded, written to, node 1 stopped, its disks changed, started again. */
function restartedWith(change: (disks: MemoryDisks) => void): Cluster {
  const cluster = founded();
  writeAll(cluster, "1-1");
  // Checkpoints are written meanwhile, and the log is sealed.
  cluster.time.run(6000);
  cluster.kill(0);
  change(cluster.disks[0]!);
  cluster.time.run(2000);
  cluster.start(0);
  cluster.time.run(900);
  return cluster;
}

/** The ids of node 1's replicas. */
function replicasOfFirst(cluster: Cluster): number[] {
  return cluster.nodes[1]!.clusterState!.groupsOn(1).map(({ replicaId }) => replicaId);
}

/** Node 1 has all its replicas, none of them the ones from before, and is ready. */
function untilReplaced(cluster: Cluster, before: readonly number[], withinMs: number = 30_000): void {
  const isReplaced = (): boolean => {
    const now = replicasOfFirst(cluster);
    return now.length === before.length && !now.some((id) => before.includes(id)) && cluster.ready();
  };
  if (cluster.time.runUntil(isReplaced, withinMs)) return;
  throw new Error(
    `${replicasOfFirst(cluster).join()} after ${before.join()}: ${cluster.nodes[0]!.readiness().reasons.join()}`,
  );
}

/** Every replica of every shard has the same state. */
function expectEqualReplicas(cluster: Cluster): void {
  cluster.time.run(2000);
  for (let shardId = 1; shardId <= SHARDS; shardId++) {
    const hashes = cluster.nodes.map((node) => node!.member!.shard(shardId)!.stateHash());
    expect(new Set(hashes.map(({ index, hash }) => `${index} ${hash}`)).size).toBe(1);
  }
}

function status(cluster: Cluster, i: number): Record<string, unknown> {
  return cluster.nodes[i]!.status();
}

function servesOnTwo(cluster: Cluster): void {
  for (let shardId = 1; shardId <= SHARDS; shardId++) expect(cluster.leaderOf(shardId)).toBeGreaterThan(0);
  writeAll(cluster, "2-1");
  expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
}

describe("a node whose log is damaged", () => {
  test("stays up, serves and votes for nothing, and says why; the others go on", () => {
    const cluster = restartedWith(damageLog);
    expect(cluster.failures[0]).toBeNull();
    const { ready, reasons } = cluster.nodes[0]!.readiness();
    expect(ready).toBe(false);
    expect(reasons[0]).toMatch(/^the log is damaged: segment 1 is damaged at offset \d+/);
    expect(reasons[1]).toMatch(/^waits for /);
    expect(status(cluster, 0)).toMatchObject({ nodeId: 1, damage: { wal: 1, state: 0, records: 0 } });
    expect(cluster.nodes[0]!.member).toBeNull();
    servesOnTwo(cluster);
  });

  test("knows the cluster that it belongs to, and follows its state", () => {
    const cluster = restartedWith(damageLog);
    expect(cluster.ask(1, "setSetting", { name: "ack", value: "1" })).toMatchObject({ ok: true });
    cluster.time.run(2500);
    const { body } = cluster.ask(0, "state", {});
    expect(body["state"]).toMatchObject({ settings: { ack: "1" } });
  });

  test("gets its replicas again under new ids, with the data of the others", () => {
    const cluster = restartedWith(damageLog);
    const before = replicasOfFirst(cluster);
    writeAll(cluster, "2-1");
    untilReplaced(cluster, before);
    expect(Math.min(...replicasOfFirst(cluster))).toBeGreaterThan(Math.max(...before));
    expect(cluster.nodes[0]!.nodeId).toBe(1);
    writeAll(cluster, "3-1");
    expect(lengths(cluster)).toEqual(keys.map(() => ":3"));
    expectEqualReplicas(cluster);
    // And it can be relied on again: another node may go.
    cluster.kill(1);
    cluster.time.run(2000);
    writeAll(cluster, "4-1");
    cluster.kill(0);
    cluster.start(0);
    cluster.start(1);
    cluster.untilReady(10_000);
    expect(lengths(cluster)).toEqual(keys.map(() => ":4"));
  });

  test("can be killed at any moment of being replaced, and is whole in the end", () => {
    for (let killAtMs = 200; killAtMs < 4000; killAtMs += 300) {
      const cluster = restartedWith(damageLog);
      const before = replicasOfFirst(cluster);
      cluster.time.run(killAtMs);
      cluster.kill(0);
      cluster.time.run(100);
      cluster.start(0);
      untilReplaced(cluster, before);
      writeAll(cluster, "2-1");
      expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
      expectEqualReplicas(cluster);
    }
  });

  test("comes back also over a full disk, as soon as there is space", () => {
    const cluster = restartedWith(damageLog);
    const before = replicasOfFirst(cluster);
    cluster.disks[0]!.isStoreFull = true;
    cluster.time.run(10_000);
    expect(cluster.ready()).toBe(false);
    cluster.disks[0]!.isStoreFull = false;
    untilReplaced(cluster, before);
    expect(lengths(cluster)).toEqual(keys.map(() => ":1"));
    expectEqualReplicas(cluster);
  });

  test("is not replaced while the others are no healthy majority: it waits, and says for what", () => {
    const cluster = restartedWith(damageLog);
    cluster.kill(2);
    const before = replicasOfFirst(cluster);
    cluster.time.run(20_000);
    expect(replicasOfFirst(cluster)).toEqual(before);
    expect(cluster.nodes[0]!.readiness().reasons.join()).toMatch(/waits for .*operator/);
    cluster.start(2);
    untilReplaced(cluster, before, 40_000);
    expect(lengths(cluster)).toEqual(keys.map(() => ":1"));
  });

  test("that runs is kept out, too, when a record that it reads back is damaged", () => {
    // Entries leave memory as soon as a checkpoint covers them.
    const shardLimits = { ...defaultShardLimits, logCacheBytes: 1, checkpointIntervalMs: 100 };
    const cluster = founded(3, { shardLimits });
    const before = replicasOfFirst(cluster);
    cluster.kill(2);
    for (const id of ["1-1", "2-1", "3-1"]) {
      writeAll(cluster, id);
      cluster.time.run(500);
    }
    for (const bytes of cluster.disks[0]!.segments.values()) {
      for (let at = Buffer.from(bytes).indexOf("v2-1"); at >= 0; at = Buffer.from(bytes).indexOf("v2-1", at)) {
        bytes[at]! ^= 1;
      }
    }
    // What it has missed is read from the leaders' logs.
    cluster.start(2);
    const isDamaged = (): boolean => !cluster.nodes[0]!.readiness().ready && status(cluster, 0)["damage"] !== undefined;
    const reason = (): string => cluster.nodes[0]!.readiness().reasons[0] ?? "";
    expect(cluster.time.runUntil(() => isDamaged() && reason().startsWith("the log is damaged"), 5000)).toBe(true);
    expect(reason()).toMatch(
      /^the log is damaged: segment \d+ is damaged at offset \d+: not log entry \d+ of group \d+$/,
    );
    expect(status(cluster, 0)["damage"]).toMatchObject({ wal: 1 });
    cluster.time.run(2000);
    writeAll(cluster, "4-1");
    expect(lengths(cluster)).toEqual(keys.map(() => ":4"));
    untilReplaced(cluster, before);
    expectEqualReplicas(cluster);
  });

  test("is still damaged after another start", () => {
    const cluster = restartedWith(damageLog);
    cluster.kill(0);
    cluster.start(0);
    cluster.time.run(500);
    expect(cluster.nodes[0]!.readiness().reasons.join()).toMatch(/^the log is damaged/);
  });
});

test("a log of a newer program is no damage: the node does not start, and says so", () => {
  const cluster = restartedWith((disks) => {
    const bytes = disks.segments.get(1)!;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    bytes[4] = 9;
    const covered = crc32(bytes.subarray(0, 36), view.getUint32(32, true));
    view.setUint32(36, crc32(bytes.subarray(40, 40 + view.getUint32(8, true)), covered), true);
  });
  expect(cluster.failures[0]).toMatchObject({
    reason: "newer",
    message: "the log was written by a newer headrace: segment 1 at offset 0: format version 9 is not known",
  });
});

describe("a stored value that does not match its checksum", () => {
  /** A row of the first key's state, not a checkpoint row. */
  function damageRow(disks: MemoryDisks, change: (value: Uint8Array) => void): void {
    const row = disks.rows.find(({ key }) => key.length > 8)!;
    const value = row.value.slice();
    change(value);
    disks.rows = disks.rows.map((each) => (each === row ? { key: row.key, value } : each));
  }

  test("keeps its replica from serving, not the node's others", () => {
    const cluster = restartedWith((disks) => damageRow(disks, (value) => (value[5]! ^= 4)));
    const before = replicasOfFirst(cluster);
    const { ready, reasons } = cluster.nodes[0]!.readiness();
    expect(ready).toBe(false);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toMatch(
      /^group \d+ failed: corrupt: row does not match its checksum \(slot \d+, key [0-9a-f]+\); asks to be replaced$/,
    );
    expect(status(cluster, 0)).toMatchObject({ damage: { wal: 0, state: 1, records: 0 } });
    expect([...cluster.nodes[0]!.member!.shards()]).toHaveLength(SHARDS - 1);
    writeAll(cluster, "2-1");
    expect(lengths(cluster)).toEqual(keys.map(() => ":2"));
    // Its data is fetched again under a new id, the other replicas stay.
    const isNew = (replicaId: number): boolean => !before.includes(replicaId);
    const isReplaced = (): boolean => replicasOfFirst(cluster).some(isNew) && cluster.ready();
    expect(cluster.time.runUntil(isReplaced, 20_000)).toBe(true);
    expect(replicasOfFirst(cluster).filter(isNew)).toHaveLength(1);
    expect(replicasOfFirst(cluster)).toHaveLength(before.length);
    expectEqualReplicas(cluster);
  });

  test("is not replaced while the others are no healthy majority", () => {
    const cluster = restartedWith((disks) => damageRow(disks, (value) => (value[5]! ^= 4)));
    const before = replicasOfFirst(cluster);
    cluster.kill(2);
    cluster.time.run(10_000);
    expect(replicasOfFirst(cluster)).toEqual(before);
    expect(cluster.nodes[0]!.readiness().reasons[0]).toMatch(
      /; waits for an operator: the other voters are no healthy majority$/,
    );
    cluster.start(2);
    cluster.untilReady(20_000);
    expectEqualReplicas(cluster);
  });

  test("is not called damaged when it is whole but of a newer program", () => {
    const cluster = restartedWith((disks) => {
      const row = disks.rows.find(({ key }) => key.length < 8)!;
      const value = row.value.slice();
      value[0] = 9;
      const view = new DataView(value.buffer);
      view.setUint32(value.length - 4, crc32(value.subarray(0, value.length - 4)), true);
      disks.rows = disks.rows.map((each) => (each === row ? { key: row.key, value } : each));
    });
    expect(cluster.nodes[0]!.readiness().reasons[0]).toMatch(
      /^group \d+ failed: unsupported: a checkpoint row of version 9$/,
    );
    expect(status(cluster, 0)).toMatchObject({ damage: { wal: 0, state: 0, records: 0 } });
  });
});

test("a cluster whose feature level this program does not know is not taken part in", () => {
  const cluster = restartedWith((disks) => {
    const record = JSON.parse(new TextDecoder().decode(disks.records.get("metadata"))) as Record<string, unknown>;
    const { crc32: _digest, ...body } = record;
    (body["state"] as Record<string, unknown>)["featureLevel"] = 9;
    const digest = (crc32(new TextEncoder().encode(JSON.stringify(body))) >>> 0).toString(16).padStart(8, "0");
    disks.records.set("metadata", new TextEncoder().encode(JSON.stringify({ ...body, crc32: digest })));
  });
  expect(cluster.nodes[0]!.readiness().reasons).toEqual([
    "the cluster runs at feature level 9, this program knows 1: it is too old",
  ]);
  servesOnTwo(cluster);
});

describe("a disk below its reserve", () => {
  const key = "a";

  function fill(cluster: Cluster, freeBytes: number): void {
    for (const disks of cluster.disks) disks.freeBytes = freeBytes;
    cluster.time.run(1200);
  }

  test("refuses what may grow the data, before it is executed, and takes the rest", () => {
    const cluster = founded(3, { diskReserveBytes: 1000 });
    writeAll(cluster, "1-1");
    cluster.command(key, ["XGROUP", "CREATE", key, "g", "0"]);
    fill(cluster, 999);
    const refused = /^-MISCONF .*disk space/;
    expect(cluster.command(key, ["XADD", key, "2-1", "f", "v"])).toMatch(refused);
    expect(cluster.command(key, ["XGROUP", "CREATE", key, "h", "0"])).toMatch(refused);
    expect(cluster.command(key, ["XSETID", key, "9-9"])).toMatch(refused);
    expect(cluster.command(key, ["XLEN", key])).toBe(":1\r\n");
    expect(cluster.command(key, ["XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">"])).toContain("v1-1");
    expect(cluster.command(key, ["XACK", key, "g", "1-1"])).toBe(":1\r\n");
    expect(cluster.command(key, ["XTRIM", key, "MAXLEN", "0"])).toBe(":1\r\n");
    expect(cluster.command(key, ["DEL", key])).toBe(":1\r\n");
  });

  test("takes writes again without a restart once there is more than the reserve, with a gap between", () => {
    const cluster = founded(3, { diskReserveBytes: 1000 });
    fill(cluster, 10);
    const write = (): string => cluster.command(key, ["XADD", key, "*", "f", "v"]);
    expect(write()).toContain("MISCONF");
    fill(cluster, 1100);
    expect(write()).toContain("MISCONF");
    fill(cluster, 1125);
    expect(write()).toMatch(/^\$/);
  });

  test("moves leadership to nodes that have space, and not back before it has space again", () => {
    const cluster = founded(3, { diskReserveBytes: 1000, balanceAfterMs: 100 });
    const leads = (): number => [1, 2, 3, 4].filter((shardId) => cluster.leaderOf(shardId) === 0).length;
    expect(leads()).toBeGreaterThan(0);
    cluster.disks[0]!.freeBytes = 10;
    cluster.time.run(8000);
    expect(leads()).toBe(0);
    writeAll(cluster, "1-1");
    cluster.disks[0]!.freeBytes = 1e12;
    cluster.time.run(8000);
    expect(leads()).toBeGreaterThan(0);
  });
});

describe("clocks", () => {
  /** The id that a `*` write gets, in ms. */
  function stamp(cluster: Cluster, key: string): number {
    const reply = cluster.command(key, ["XADD", key, "*", "f", "v"]);
    return Number(/\r\n(\d+)-/.exec(reply)![1]);
  }

  test("a leader whose clock is minutes ahead stamps at most 1 s beyond the others, and hands over", () => {
    const cluster = founded(3, { balanceAfterMs: 100 });
    const key = keys.find((each) => cluster.leaderOf(cluster.shardOf(each)) === 0)!;
    const shard = cluster.shardOf(key);
    cluster.processes[0]!.skewMs = 180_000;
    const trueMs = (): number => cluster.processes[1]!.clock.wallMs();
    expect(stamp(cluster, key)).toBeLessThanOrEqual(trueMs() + 1000);
    cluster.time.run(5000);
    expect(cluster.leaderOf(shard)).not.toBe(0);
    expect(stamp(cluster, key)).toBeLessThanOrEqual(trueMs() + 1000);
    expect(Number(cluster.nodes[0]!.status()["clockAheadMs"])).toBeCloseTo(180_000, -2);
  });

  test("a leader whose clock is minutes behind hands over, and log time does not go back", () => {
    const cluster = founded(3, { balanceAfterMs: 100 });
    const key = keys.find((each) => cluster.leaderOf(cluster.shardOf(each)) === 0)!;
    const before = stamp(cluster, key);
    cluster.processes[0]!.skewMs = -180_000;
    expect(stamp(cluster, key)).toBeGreaterThanOrEqual(before);
    cluster.time.run(5000);
    expect(cluster.leaderOf(cluster.shardOf(key))).not.toBe(0);
    expect(stamp(cluster, key)).toBeGreaterThan(before + 4000);
  });

  test("with one other clock only nobody can say which is wrong: leadership stays, stamps stay near the earlier one", () => {
    const cluster = founded(3, { balanceAfterMs: 100 });
    const key = keys.find((each) => cluster.leaderOf(cluster.shardOf(each)) === 0)!;
    cluster.kill(2);
    // Its successor has never heard of the third one's clock.
    cluster.kill(0);
    cluster.start(0);
    const leads = (): boolean => cluster.leaderOf(cluster.shardOf(key)) === 0;
    expect(cluster.time.runUntil(leads, 10_000)).toBe(true);
    cluster.processes[0]!.skewMs = 180_000;
    cluster.time.run(5000);
    expect(leads()).toBe(true);
    expect(stamp(cluster, key)).toBeLessThanOrEqual(cluster.processes[1]!.clock.wallMs() + 1000);
  });
});
