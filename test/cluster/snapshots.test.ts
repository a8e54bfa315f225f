/**
 * A real node that was away for longer than the log reaches: it gets snapshots from the leaders while writes go on, and then serves what it got. It is
 * stopped like a machine that hangs, and it is killed.
 */
import { LocalCluster, processGone, signal } from "@headrace/testkit";
import type { RunningNode } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

const STREAMS = 12;
const SHARDS = 4;
const VALUE = "v".repeat(1000);
/** In some shard more than the 8 MiB that a leader sends ahead (they wait in the sockets of a node that hangs) and the log that it keeps. */
const ENTRIES_AWAY = 60_000;

interface Group {
  readonly groupId: number;
  readonly role: string;
  readonly applied: number;
  readonly lastIndex: number;
}

interface Status {
  readonly groups: readonly Group[];
  readonly snapshots: { readonly sent: number; readonly installed: number };
}

class Load {
  readonly acknowledged: Map<string, Set<string>> = new Map();
  readonly #links: Redis[] = [];
  readonly #work: Promise<void>[] = [];
  #isOver = false;
  total = 0;

  async start(url: string): Promise<void> {
    for (let i = 0; i < STREAMS; i++) {
      const redis = connect(url);
      await ready(redis);
      const key = `snap:{${i}}`;
      this.acknowledged.set(key, new Set());
      this.#links.push(redis);
      this.#work.push(this.#write(redis, key));
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#work);
    for (const link of this.#links) link.disconnect();
  }

  async #write(redis: Redis, key: string): Promise<void> {
    const known = this.acknowledged.get(key)!;
    for (let next = 1; !this.#isOver; next += 16) {
      const ids = Array.from({ length: 16 }, (_, i) => `${next + i}-0`);
      const results = await Promise.allSettled(ids.map((id) => redis.xadd(key, id, "value", VALUE)));
      for (const [i, result] of results.entries()) {
        if (result.status !== "fulfilled") continue;
        known.add(ids[i]!);
        this.total++;
      }
      if (redis.status !== "ready") await ready(redis);
    }
  }
}

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start({
    flags: ["--shards", String(SHARDS), "--log-retain", "64kb", "--wal-segment-bytes", "4mb"],
  });
}, 90_000);
afterAll(async () => {
  await cluster.destroy();
});

function node(id: number): RunningNode {
  return cluster.places().nodes.find((place) => place.id === id)!;
}

async function status(id: number): Promise<Status> {
  return (await cluster.nodeStatus(node(id))) as unknown as Status;
}

/** Every shard of the node is as far as its leader was a moment ago. */
async function hasCaughtUp(id: number): Promise<boolean> {
  const others = await Promise.all([1, 2, 3].filter((other) => other !== id).map(status));
  const goals = new Map<number, number>();
  for (const { groups } of others) {
    for (const { groupId, applied } of groups) goals.set(groupId, Math.max(goals.get(groupId) ?? 0, applied));
  }
  const { groups } = await status(id).catch((): Pick<Status, "groups"> => ({ groups: [] }));
  const mine = new Map(groups.map(({ groupId, applied }) => [groupId, applied]));
  return [...goals].every(([groupId, goal]) => groupId === 0 || (mine.get(groupId) ?? 0) >= goal);
}

/** Leadership goes back to whom it was dealt to: what is read of those shards then comes out of what the node has installed. */
async function check(load: Load, id: number): Promise<void> {
  await until(async () => {
    const { groups } = await status(id);
    return groups.some(({ groupId, role }) => groupId > 0 && role === "leader") ? true : null;
  });
  const reader = connect(cluster.url);
  await ready(reader);
  for (const [key, ids] of load.acknowledged) {
    const entries = await until(() =>
      reader.xrange(key, "-", "+").catch((error: Error) => {
        // Leaderships are still on their way back.
        if (error.message.startsWith("CLUSTERDOWN")) return null;
        throw error;
      }),
    );
    const found = new Set(entries.map(([entry]) => entry));
    const missing = [...ids].filter((entry) => !found.has(entry));
    expect(missing, `${key} after node ${id} came back`).toEqual([]);
  }
  reader.disconnect();
}

describe("a node that was away for longer than the log reaches", () => {
  test("gets snapshots under load, whether it hung or died", { timeout: 400_000 }, async () => {
    const load = new Load();
    await load.start(cluster.url);
    await until(() => (load.total > 1000 ? true : null));

    const hung = node(3);
    signal(hung.pid, "SIGSTOP");
    const goal = load.total + ENTRIES_AWAY;
    await until(() => (load.total > goal ? true : null));
    signal(hung.pid, "SIGCONT");
    const before = load.total;
    await until(async () => ((await hasCaughtUp(3)) ? true : null));
    expect(load.total).toBeGreaterThan(before);
    const afterHang = await status(3);
    expect(afterHang.snapshots.installed).toBeGreaterThan(0);

    const dead = node(2);
    // Stopped first, so that its supervisor does not bring it back too soon.
    signal(dead.pid, "SIGSTOP");
    const next = load.total + ENTRIES_AWAY;
    await until(() => (load.total > next ? true : null));
    signal(dead.pid, "SIGKILL");
    await processGone(dead.pid);
    await until(async () => {
      const back = node(2);
      return back.pid !== dead.pid && (await status(2).catch(() => null)) !== null ? true : null;
    });
    await until(async () => ((await hasCaughtUp(2)) ? true : null));
    expect((await status(2)).snapshots.installed).toBeGreaterThan(0);
    await load.end();

    const sent = (await Promise.all([1, 2, 3].map(status))).map(({ snapshots }) => snapshots.sent);
    expect(sent.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    await check(load, 3);
    await check(load, 2);
  });
});
