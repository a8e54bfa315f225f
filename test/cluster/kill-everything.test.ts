/**
 * kill -9 of every process at once, under load at ack=all, ten times in a row. After each start everything that was acknowledged is there: entries,
 * groups, pending entries with their consumers and delivery counts.
 *
 * A kill keeps the page cache, so this shows that nothing lived in memory only; that nothing lived in the page cache only is shown by the simulator's
 * power cuts, and by the flags of the log's descriptor.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, ready } from "./connect.ts";

const ROUNDS = 10;
const STREAMS = 4;
const GROUP = "workers";
const O_DSYNC = 0o10000;

/** What the outside world knows of one stream. */
interface Known {
  readonly key: string;
  nextId: number;
  /** Acknowledged entries: id → value. */
  readonly entries: Map<string, string>;
  /** Delivered to us and never acknowledged by us: id → delivery count. */
  readonly pending: Map<string, number>;
  /** Acknowledged with a reply. */
  readonly done: Set<string>;
  /** Entries whose pending state a lost reply made unknown. */
  readonly unknown: Set<string>;
}

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(async () => {
  await cluster.destroy();
});

describe("killing every process at once", () => {
  test(`loses nothing that was acknowledged, ${ROUNDS} times in a row`, { timeout: 300_000 }, async () => {
    const streams: Known[] = Array.from({ length: STREAMS }, (_, index) => ({
      key: `orders:{region-${index}}`,
      nextId: 1,
      entries: new Map(),
      pending: new Map(),
      done: new Set(),
      unknown: new Set(),
    }));
    const admin = connect(cluster.url);
    await ready(admin);
    for (const stream of streams) await admin.xgroup("CREATE", stream.key, GROUP, "0", "MKSTREAM");
    admin.disconnect();

    let inFlightAtKills = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const state = { stopped: false, inFlight: 0 };
      const links: Redis[] = [];
      const work: Promise<void>[] = [];
      for (const stream of streams) {
        const producer = connect(cluster.url);
        const consumer = connect(cluster.url);
        links.push(producer, consumer);
        await Promise.all([ready(producer), ready(consumer)]);
        work.push(produce(producer, stream, state), consumeSome(consumer, stream, state));
      }
      const goal = streams.map((stream) => stream.entries.size + 400);
      while (streams.some((stream, index) => stream.entries.size < goal[index]!) || state.inFlight < 100) {
        await new Promise((next) => setImmediate(next));
      }
      inFlightAtKills += state.inFlight;
      await cluster.killAll();
      state.stopped = true;
      await Promise.all(work);
      for (const link of links) link.disconnect();

      await cluster.run();
      const reader = connect(cluster.url);
      await ready(reader);
      for (const stream of streams) await check(reader, stream, round);
      reader.disconnect();
    }
    expect(inFlightAtKills).toBeGreaterThanOrEqual(ROUNDS * 100);
    expect(streams.reduce((sum, stream) => sum + stream.pending.size, 0)).toBeGreaterThan(0);
  });

  test.runIf(process.platform === "linux")("the open log segment of every node is written with O_DSYNC", () => {
    for (const node of cluster.places().nodes) {
      const flags = readdirSync(`/proc/${node.pid}/fd`)
        .filter((fd) => /\.(seg|wal)$/.test(target(node.pid, fd)))
        .map((fd) => {
          const info = readFileSync(`/proc/${node.pid}/fdinfo/${fd}`, "utf8");
          return Number.parseInt(/flags:\s*([0-7]+)/.exec(info)![1]!, 8);
        });
      expect(
        flags.some((value) => (value & O_DSYNC) !== 0),
        `node ${node.id}: flags ${flags.map((value) => value.toString(8)).join(", ")}`,
      ).toBe(true);
    }
  });
});

function target(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // Closed between the listing and the look.
    return "";
  }
}

async function produce(redis: Redis, stream: Known, state: { stopped: boolean; inFlight: number }): Promise<void> {
  const running = new Set<Promise<void>>();
  while (!state.stopped) {
    while (running.size < 64 && !state.stopped) {
      const id = `${stream.nextId++}-0`;
      const value = `value-${id}`;
      state.inFlight++;
      const write: Promise<void> = redis
        .xadd(stream.key, id, "value", value)
        .then(
          () => void stream.entries.set(id, value),
          () => undefined,
        )
        .finally(() => {
          state.inFlight--;
          running.delete(write);
        });
      running.add(write);
    }
    await Promise.race(running);
    if (redis.status !== "ready") break;
  }
  await Promise.all(running);
}

/** Reads, acknowledges about half, claims some of the rest once more: delivery counts of 1 and 2. */
async function consumeSome(redis: Redis, stream: Known, state: { stopped: boolean }): Promise<void> {
  const consumer = "ann";
  while (!state.stopped && redis.status === "ready") {
    let ids: string[] = [];
    try {
      const reply = (await redis.xreadgroup("GROUP", GROUP, consumer, "COUNT", 50, "STREAMS", stream.key, ">")) as
        | [string, [string, string[]][]][]
        | null;
      ids = (reply?.[0]?.[1] ?? []).map(([id]) => id);
    } catch {
      break;
    }
    if (ids.length === 0) {
      await new Promise((next) => setImmediate(next));
      continue;
    }
    for (const id of ids) stream.pending.set(id, 1);
    const toAcknowledge = ids.filter((id) => Number(id.split("-")[0]) % 2 === 0);
    const toClaim = ids.filter((id) => Number(id.split("-")[0]) % 10 === 1);
    try {
      if (toAcknowledge.length > 0) {
        for (const id of toAcknowledge) move(stream, id, stream.unknown);
        await redis.xack(stream.key, GROUP, ...toAcknowledge);
        for (const id of toAcknowledge) {
          stream.unknown.delete(id);
          stream.done.add(id);
        }
      }
      if (toClaim.length > 0) {
        for (const id of toClaim) move(stream, id, stream.unknown);
        await redis.xclaim(stream.key, GROUP, consumer, 0, ...toClaim);
        for (const id of toClaim) {
          stream.unknown.delete(id);
          stream.pending.set(id, 2);
        }
      }
    } catch {
      break;
    }
  }
}

function move(stream: Known, id: string, to: Set<string>): void {
  stream.pending.delete(id);
  to.add(id);
}

async function check(redis: Redis, stream: Known, round: number): Promise<void> {
  const where = `round ${round}, ${stream.key}`;
  const entries = new Map((await redis.xrange(stream.key, "-", "+")).map(([id, fields]) => [id, fields[1]!]));
  for (const [id, value] of stream.entries) expect(entries.get(id), `${where}: entry ${id}`).toBe(value);
  // Ids are never given twice: those of lost replies may be there or not, none of them is used again.
  const groups = (await redis.xinfo("GROUPS", stream.key)) as unknown[][];
  expect(groups, where).toHaveLength(1);

  const listed = (await redis.xpending(stream.key, GROUP, "-", "+", 1_000_000)) as [string, string, number, number][];
  const pending = new Map(listed.map(([id, consumer, , count]) => [id, { consumer, count }]));
  for (const [id, count] of stream.pending) {
    expect(pending.get(id), `${where}: pending ${id}`).toEqual({ consumer: "ann", count });
  }
  for (const id of stream.done) expect(pending.has(id), `${where}: ${id} was acknowledged`).toBe(false);
  // What a lost reply left open is settled by looking.
  for (const id of stream.unknown) {
    const found = pending.get(id);
    if (found === undefined) stream.done.add(id);
    else stream.pending.set(id, found.count);
  }
  stream.unknown.clear();
  // Deliveries whose reply was lost: known from now on.
  for (const [id, { count }] of pending) if (!stream.pending.has(id)) stream.pending.set(id, count);
}
