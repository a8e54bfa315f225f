/** A cluster that is founded from a backup holds what the backup holds, on every founder, whatever happens while it is being founded. */
import { describe, expect, test } from "vitest";
import { FoundingAsk } from "../src/founding.ts";
import { defaultNodeConfig } from "../src/node-config.ts";
import { MemoryBackup } from "./memory-backup.ts";
import { TestRandom } from "./memory-world.ts";
import { Cluster, founded, keys, lengths, SHARDS, writeAll } from "./node-bench.ts";

const SMALL_CHUNKS = { shardLimits: { ...defaultNodeConfig.shardLimits, snapshotChunkRows: 2 } };

/** Streams with a group that has delivered, a deleted entry, an empty stream, a time to live; and what is told of them. */
function source(): Cluster {
  const cluster = founded(3, SMALL_CHUNKS);
  for (let i = 1; i <= 6; i++) writeAll(cluster, `${i}-1`);
  cluster.command("a", ["XGROUP", "CREATE", "a", "g", "0"]);
  cluster.command("a", ["XREADGROUP", "GROUP", "g", "ann", "COUNT", "3", "STREAMS", "a", ">"]);
  cluster.command("a", ["XACK", "a", "g", "1-1"]);
  cluster.command("b", ["XDEL", "b", "6-1"]);
  cluster.command("c", ["XTRIM", "c", "MAXLEN", "0"]);
  cluster.command("d", ["PEXPIREAT", "d", "1900000000000"]);
  return cluster;
}

const questions: readonly (readonly [key: string, args: readonly string[]])[] = [
  ...keys.map((key) => [key, ["XRANGE", key, "-", "+"]] as const),
  ...keys.map((key) => [key, ["XINFO", "STREAM", key, "FULL"]] as const),
  ["a", ["XPENDING", "a", "g"]],
  ["d", ["PEXPIRETIME", "d"]],
];

function answers(cluster: Cluster): readonly string[] {
  return questions.map(([key, args]) => cluster.command(key, args));
}

function restored(backup: MemoryBackup, size: number): Cluster {
  const cluster = new Cluster(size, { ...SMALL_CHUNKS, shards: null });
  cluster.backup = backup;
  cluster.seed = 1;
  cluster.startAll();
  return cluster;
}

function isRestoring(cluster: Cluster, i: number): boolean {
  return cluster.nodes[i]!.readiness().reasons.join().startsWith("restoring");
}

/** Every replica of a shard has the same state at the same index. */
function assertSameReplicas(cluster: Cluster): void {
  for (let shardId = 1; shardId <= SHARDS; shardId++) {
    const hashes = cluster.nodes.flatMap((node) => {
      const shard = node?.member?.shard(shardId) ?? null;
      return shard === null ? [] : [JSON.stringify(shard.stateHash())];
    });
    expect(new Set(hashes).size).toBe(1);
  }
}

describe("a cluster founded from a backup", () => {
  const original = source();
  const told = answers(original);
  const backup = MemoryBackup.take(original);
  let killedWhileRestoring = 0;

  test.each([1, 3, 5])("answers as the original did, on %d nodes, under another cluster id", (size) => {
    const cluster = restored(backup, size);
    cluster.untilReady(20_000);
    expect(answers(cluster)).toEqual(told);
    const state = cluster.nodes[0]!.clusterState!;
    expect(state.clusterId).not.toBe(original.nodes[0]!.clusterState!.clusterId);
    expect(state.shards.map((shard) => [shard.id, shard.slotRanges])).toEqual(
      original.nodes[0]!.clusterState!.shards.map((shard) => [shard.id, shard.slotRanges]),
    );
    expect(state.shards[0]!.replicas).toHaveLength(Math.min(size, 3));
    // It goes on as any cluster: writes, killed and started again without the backup.
    writeAll(cluster, "7-1");
    const grown = lengths(cluster);
    cluster.backup = null;
    for (let i = 0; i < size; i++) cluster.kill(i);
    cluster.startAll();
    cluster.untilReady();
    expect(lengths(cluster)).toEqual(grown);
    cluster.time.run(3000);
    assertSameReplicas(cluster);
  });

  test("settings of the cluster come along, what the nodes were started with does not count", () => {
    const other = founded(1, { settings: { ...defaultNodeConfig.settings, ack: 1, streamNodeMaxEntries: 7 } });
    const cluster = restored(MemoryBackup.take(other), 1);
    cluster.untilReady();
    expect(cluster.nodes[0]!.clusterState!.settings).toMatchObject({ ack: 1, streamNodeMaxEntries: 7 });
  });

  test("a new replica of a restored shard gets a snapshot, as anywhere", () => {
    const cluster = restored(backup, 3);
    cluster.untilReady(20_000);
    cluster.backup = null;
    cluster.kill(2);
    cluster.disks.splice(2, 1);
    cluster.start(2);
    cluster.untilReady(60_000);
    expect(cluster.nodes[2]!.nodeId).toBe(4);
    cluster.time.run(3000);
    assertSameReplicas(cluster);
    expect(answers(cluster)).toEqual(told);
  });

  test.each(Array.from({ length: 12 }, (_, i) => i))(
    "founders that are killed at any moment go on where they were, and nothing half is served (seed %d)",
    (seed) => {
      const random = new TestRandom(seed);
      const cluster = restored(backup, 3);
      for (let kills = 0; kills < 6; kills++) {
        const victim = random.below(3);
        if (kills % 2 === 1) cluster.time.run(random.below(40) * (1 + random.below(30)));
        else cluster.time.runUntil(() => isRestoring(cluster, victim), 2000);
        cluster.time.run(random.below(10));
        if (isRestoring(cluster, victim)) killedWhileRestoring++;
        cluster.kill(victim);
        // Who serves a shard has all of it.
        for (const [i, [key, args]] of questions.entries()) {
          const leads = cluster.nodes.some((node) => node !== null && node.clusterState !== null);
          if (leads && cluster.leaderOf(cluster.shardOf(key)) >= 0) expect(cluster.command(key, args)).toBe(told[i]);
        }
        cluster.start(victim);
      }
      cluster.untilReady(60_000);
      expect(answers(cluster)).toEqual(told);
      expect(cluster.nodes.map((node) => node!.nodeId)).toEqual([1, 2, 3]);
    },
  );

  test("those kills were in the middle of it", () => {
    expect(killedWhileRestoring).toBeGreaterThan(5);
  });

  test("a founder that comes back in the middle without the backup stays out and says what to do", () => {
    const cluster = restored(backup, 3);
    expect(cluster.time.runUntil(() => isRestoring(cluster, 1), 10_000)).toBe(true);
    cluster.kill(1);
    cluster.backup = null;
    cluster.start(1);
    cluster.time.run(10_000);
    expect(cluster.nodes[1]!.readiness().reasons.join()).toBe(
      `restoring was not finished: start it with --restore and backup ${backup.content.id}`,
    );
    expect(cluster.nodes[1]!.member).toBeNull();
    // The others are a majority, and whole.
    expect(answers(cluster)).toEqual(told);
    cluster.kill(1);
    cluster.backup = backup;
    cluster.start(1);
    cluster.untilReady(20_000);
    expect(answers(cluster)).toEqual(told);
  });

  test("founders with different backups, or one with none, found nothing and say so", () => {
    const { content, chunks } = backup;
    const another = new MemoryBackup({ ...content, id: "of-another" }, chunks);
    const cluster = new Cluster(3, SMALL_CHUNKS);
    cluster.backup = backup;
    cluster.backups[2] = another;
    cluster.startAll();
    cluster.time.run(5000);
    expect(cluster.nodes[0]!.readiness().reasons.join()).toContain("waiting for one backup: n3:7400 has of-another");
    cluster.kill(2);
    cluster.backups.length = 0;
    cluster.backup = null;
    cluster.start(2);
    cluster.time.run(5000);
    expect(cluster.nodes[0]!.readiness().reasons.join()).toContain("n3:7400 has none");
    expect(cluster.nodes.every((node) => node!.clusterState === null)).toBe(true);
    cluster.kill(2);
    cluster.backup = backup;
    cluster.start(2);
    cluster.untilReady(20_000);
    expect(answers(cluster)).toEqual(told);
  });

  test("a plan that names another backup is not taken", () => {
    const cluster = new Cluster(2, SMALL_CHUNKS);
    cluster.backups[1] = backup;
    cluster.start(1);
    cluster.time.run(1000);
    const { token } = cluster.ask(1, FoundingAsk.hello, {}).body;
    const state = founded(1).ask(0, "state", {}).body["state"] as { nodes: { joinToken: unknown }[] };
    state.nodes[0]!.joinToken = token;
    expect(cluster.ask(1, FoundingAsk.prepare, { token, nodeId: 1, plan: state })).toMatchObject({
      ok: false,
      body: { error: "has another backup" },
    });
  });

  test("a damaged backup, and one with another number of shards, keep a node from starting", () => {
    const damaged = new MemoryBackup(backup.content, backup.chunks);
    damaged.objection = "shard-00001.rows does not match its checksum";
    const cluster = restored(damaged, 1);
    cluster.time.run(1000);
    expect(cluster.failures[0]).toEqual({ reason: "backup", message: damaged.objection });
    const asked = new Cluster(1, { shards: SHARDS + 1 });
    asked.backup = backup;
    asked.start(0);
    asked.time.run(1000);
    expect(asked.failures[0]).toMatchObject({ reason: "contradiction" });
    expect(asked.failures[0]!.message).toContain(`the backup has ${SHARDS} shards, not ${SHARDS + 1}`);
  });

  test("a backup of a newer program keeps a node from starting", () => {
    const newer = new MemoryBackup({ ...backup.content, featureLevel: 99 }, backup.chunks);
    const cluster = restored(newer, 1);
    cluster.time.run(1000);
    expect(cluster.failures[0]!.message).toContain("feature level 99");
  });

  test("a chunk that is damaged after all was read is noticed, and nothing of the node is served", () => {
    const chunks = backup.chunks.get(2)!;
    expect(chunks.length).toBeGreaterThan(2);
    const flipped = Uint8Array.from(chunks[1]!);
    flipped[flipped.length >> 1]! ^= 1;
    for (const bad of [flipped, chunks[2]!, backup.chunks.get(1)![1]!]) {
      const cluster = restored(backup.with(2, 1, bad), 1);
      cluster.time.run(5000);
      expect(cluster.nodes[0]!.readiness()).toMatchObject({ ready: false });
      expect(cluster.nodes[0]!.readiness().reasons[0]).toMatch(/^the backup can't be restored: shard 2: chunk 1 /);
      expect(cluster.nodes[0]!.member).toBeNull();
      // With a whole copy it goes on.
      cluster.kill(0);
      cluster.backup = backup;
      cluster.start(0);
      cluster.untilReady();
      expect(answers(cluster)).toEqual(told);
    }
  });

  test("a full disk delays it, and nothing else", () => {
    const cluster = new Cluster(1, { ...SMALL_CHUNKS, shards: null });
    cluster.backup = backup;
    cluster.disks[0]!.isStoreFull = true;
    cluster.startAll();
    cluster.time.run(10_000);
    expect(cluster.nodes[0]!.readiness().reasons.join()).toContain("restoring shard 1 of 4");
    cluster.disks[0]!.isStoreFull = false;
    cluster.untilReady();
    expect(answers(cluster)).toEqual(told);
  });
});
