/** Retention as a shard keeps it: what the leader trims by itself, in how many turns, and what followers, rollbacks and successors make of it. */
import { latin1 } from "@headrace/bytes";
import { ChannelKind } from "@headrace/commands";
import { NO_RETENTION } from "@headrace/engine";
import type { Retention } from "@headrace/engine";
import { parseNotifyFlags } from "@headrace/meta";
import { expect, test } from "vitest";
import type { MessageSink } from "../src/channel-registry.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";

const VALUE = "x".repeat(1000);
/** Entries of that value in a block, and a few to spare. */
const BLOCK_ENTRIES = 33;

function three(retention: Partial<Retention> = {}): { readonly cluster: ShardCluster; readonly leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 3 });
  // Of ids below 2001 nobody knows whether they are times.
  cluster.time.wallAheadMs = Date.UTC(2026, 10, 29);
  cluster.settings.retention = { ...NO_RETENTION, ...retention };
  return { cluster, leader: cluster.elect() };
}

function fill(replica: TestReplica, key: string, count: number, value = VALUE): void {
  const lane = replica.lane();
  lane.queue(...Array.from({ length: count }, () => `XADD ${key} * f ${value}`));
  replica.cluster.settle();
}

function lengthOf(replica: TestReplica, key: string): number {
  const [reply] = replica.lane().send(`XLEN ${key}`);
  return Number(reply!.slice("1 :".length));
}

test("a stream with a bound of entries stays within it and a block, on every replica", () => {
  const { cluster, leader } = three();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM", "XCFGSET s RETENTION-ENTRIES 100");
  fill(leader, "s", 1000);
  fill(leader, "free", 200);
  cluster.pass(20);
  expect(lengthOf(leader, "s")).toBeGreaterThanOrEqual(100);
  expect(lengthOf(leader, "s")).toBeLessThan(100 + BLOCK_ENTRIES);
  expect(lengthOf(leader, "free")).toBe(200);
  cluster.assertSame();
});

test("the cluster's bounds count at once, also when nobody writes any more, and not for who has none of its own", () => {
  const { cluster, leader } = three();
  fill(leader, "s", 300);
  fill(leader, "kept", 300);
  leader.lane().send("XCFGSET kept RETENTION-BYTES 0");
  cluster.settings.retention = { ...NO_RETENTION, bytes: 50_000 };
  // Any turn will do.
  cluster.pass(50);
  expect(lengthOf(leader, "s") * 1000).toBeGreaterThan(50_000 - 5000);
  expect(lengthOf(leader, "s")).toBeLessThan(50 + BLOCK_ENTRIES);
  expect(lengthOf(leader, "kept")).toBe(300);
  cluster.assertSame();
});

test("entries go when their time is over, without a command and without a log entry before that", () => {
  const { cluster, leader } = three({ ageMs: 500 });
  for (let i = 0; i < 10; i++) {
    fill(leader, "s", 20);
    cluster.pass(10);
  }
  const { lastIndex } = leader.up.status();
  cluster.pass(300);
  expect(leader.up.status().lastIndex).toBe(lastIndex);
  expect(lengthOf(leader, "s")).toBe(200);
  cluster.pass(600);
  expect(lengthOf(leader, "s")).toBeLessThanOrEqual(BLOCK_ENTRIES);
  expect(leader.up.status().trimmedByRetention).toBe(200 - lengthOf(leader, "s"));
  cluster.assertSame();
});

test("what was delivered and is not acknowledged waits for its consumer, also over a change of leader", () => {
  const { cluster, leader } = three({ entries: 10, keep: 1 });
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  fill(leader, "s", 200);
  cluster.pass(20);
  expect(lengthOf(leader, "s")).toBe(200);
  leader.lane().send("XREADGROUP GROUP g c STREAMS s >");
  cluster.pass(20);
  expect(lengthOf(leader, "s")).toBe(200);
  cluster.isolate(1);
  const next = cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(100);
  expect(lengthOf(next, "s")).toBe(200);
  const [claimed] = next.lane().send("XAUTOCLAIM s g d 0 0 COUNT 1000 JUSTID");
  const ids = claimed!.match(/\d+-\d+/g)!.filter((one) => one !== "0-0");
  expect(ids).toHaveLength(200);
  next.lane().send(`XACK s g ${ids.slice(0, 150).join(" ")}`);
  cluster.pass(20);
  expect(lengthOf(next, "s")).toBeGreaterThanOrEqual(50);
  expect(lengthOf(next, "s")).toBeLessThan(50 + BLOCK_ENTRIES);
  cluster.assertSame();
});

test("many blocks go a bounded number in a turn", () => {
  const { cluster, leader } = three();
  // A block each.
  fill(leader, "s", 600, "x".repeat(20_000));
  expect(lengthOf(leader, "s")).toBe(600);
  const { lastIndex } = leader.up.status();
  cluster.settings.retention = { ...NO_RETENTION, entries: 1 };
  cluster.pass(100);
  expect(lengthOf(leader, "s")).toBe(1);
  expect(leader.up.status().lastIndex - lastIndex).toBeGreaterThanOrEqual(2);
  cluster.assertSame();
});

test("what a deposed leader has trimmed alone is there again, and is trimmed by its successor", () => {
  const { cluster, leader } = three();
  fill(leader, "s", 300);
  cluster.isolate(1);
  leader.lane().send("XCFGSET s RETENTION-ENTRIES 10");
  cluster.time.pass(10);
  expect(leader.up.status().trimmedByRetention).toBeGreaterThan(0);
  const next = cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(200);
  expect(lengthOf(next, "s")).toBe(300);
  cluster.assertSame();
  next.lane().send("XCFGSET s RETENTION-ENTRIES 10");
  cluster.pass(20);
  expect(lengthOf(next, "s")).toBeLessThan(10 + BLOCK_ENTRIES);
  cluster.assertSame();
});

test("a stream keeps its bounds over checkpoint and restart", () => {
  const { cluster, leader } = three();
  fill(leader, "s", 100);
  leader.lane().send("XCFGSET s RETENTION-ENTRIES 50");
  for (const id of [1, 2, 3]) cluster.replica(id).up.checkpoint(() => {});
  cluster.pass(50);
  for (const id of [1, 2, 3]) cluster.replica(id).crash();
  for (const id of [1, 2, 3]) cluster.replica(id).restart();
  cluster.pass(50);
  const next = cluster.awaitLeader([1, 2, 3]);
  fill(next, "s", 200);
  cluster.pass(20);
  expect(lengthOf(next, "s")).toBeLessThan(50 + BLOCK_ENTRIES);
  cluster.assertSame();
});

test("a transaction whose key retention has trimmed since WATCH answers nil, as when XTRIM does it", () => {
  const { cluster, leader } = three();
  fill(leader, "s", 100);
  const lane = leader.lane();
  lane.send("WATCH s");
  cluster.settings.retention = { ...NO_RETENTION, entries: 10 };
  cluster.pass(20);
  expect(leader.up.status().trimmedByRetention).toBeGreaterThan(0);
  expect(lane.send("EXEC 0 1 WRITE *2\r\n$3\r\nDEL\r\n$1\r\ns\r\n")).toEqual(["2 nil"]);
  expect(lengthOf(leader, "s")).toBeGreaterThan(0);
});

test("whoever listens for keyspace events hears of it as of XTRIM", () => {
  const { cluster, leader } = three();
  cluster.settings.notify = parseNotifyFlags("Kt")!;
  const heard: string[] = [];
  const sink: MessageSink = {
    message: (_shard, _term, _kind, channel, message) => {
      heard.push(`${channel} ${latin1(message, 0, message.length)}`);
    },
  };
  leader.channels.set(sink, ChannelKind.channel, "__keyspace@0__:s", 1);
  fill(leader, "s", 100);
  expect(heard.filter((line) => !line.endsWith(" xadd"))).toEqual([]);
  cluster.settings.retention = { ...NO_RETENTION, entries: 10 };
  cluster.pass(20);
  expect(heard.filter((line) => !line.endsWith(" xadd"))).toEqual(["__keyspace@0__:s xtrim"]);
});
