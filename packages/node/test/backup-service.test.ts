/** What a node gives to whoever takes a backup: all that was answered before, as it was at one moment, and nothing to keep for ever. */
import { MetaAsk } from "@headrace/meta";
import type { MetaResponse } from "@headrace/ports";
import { expect, test } from "vitest";
import { decodeCheckpointRow } from "../src/checkpoint-row.ts";
import { defaultNodeConfig } from "../src/node-config.ts";
import { decodeSnapshotFrame } from "../src/snapshot-codec.ts";
import { openShard, rowsOf, rowTexts } from "./memory-backup.ts";
import { founded, writeAll } from "./node-bench.ts";

const SMALL_CHUNKS = { shardLimits: { ...defaultNodeConfig.shardLimits, snapshotChunkRows: 2 } };

test("a view holds every write that was answered before it was asked for, and none of later", () => {
  const cluster = founded(3, SMALL_CHUNKS);
  writeAll(cluster, "1-1");
  const shardId = cluster.shardOf("a");
  const opened = openShard(cluster, shardId);
  const shard = cluster.nodes[cluster.leaderOf(shardId)]!.member!.shard(shardId)!;
  expect(opened.body["index"]).toBeLessThanOrEqual(shard.status().commitIndex);
  let id = 2;
  const chunks = rowsOf(cluster, shardId, opened, () => writeAll(cluster, `${id++}-1`));
  expect(id).toBeGreaterThan(2);
  const texts = rowTexts(chunks);
  expect(texts.some((text) => text.includes("v1-1"))).toBe(true);
  expect(texts.some((text) => /v[2-9]-1/.test(text))).toBe(false);
  const head = decodeCheckpointRow(decodeSnapshotFrame(chunks[0]!)!.head);
  expect(head).toMatchObject({ index: opened.body["index"], term: opened.body["term"] });
  // Taken again at once: what was written meanwhile is in it.
  const again = rowTexts(rowsOf(cluster, shardId, openShard(cluster, shardId), () => undefined));
  expect(again.some((text) => text.includes(`v${id - 1}-1`))).toBe(true);
});

test("who does not lead the shard names the node that does, and one cut off from the others opens nothing", () => {
  const cluster = founded();
  writeAll(cluster, "1-1");
  const leader = cluster.leaderOf(1);
  const other = (leader + 1) % 3;
  expect(cluster.ask(other, MetaAsk.backupOpen, { shardId: 1 })).toMatchObject({
    ok: false,
    body: { retry: true, leaderNodeId: leader + 1 },
  });
  cluster.kill(other);
  cluster.kill((leader + 2) % 3);
  let answer: MetaResponse | null = null;
  cluster.nodes[leader]!.onMetaRequest({ kind: MetaAsk.backupOpen, body: { shardId: 1 } }, (response) => {
    answer = response;
  });
  cluster.time.run(30_000);
  expect(answer).toMatchObject({ ok: false, body: { retry: true } });
});

test("a view that nobody asks about is let go, and so is one whose replica stops", () => {
  const cluster = founded();
  writeAll(cluster, "1-1");
  const leader = cluster.leaderOf(1);
  const { backupId } = openShard(cluster, 1).body;
  cluster.time.run(29_000);
  expect(cluster.ask(leader, MetaAsk.backupRows, { backupId, after: "" }).ok).toBe(true);
  cluster.time.run(31_000);
  expect(cluster.ask(leader, MetaAsk.backupRows, { backupId, after: "" })).toMatchObject({
    ok: false,
    body: { gone: true },
  });
  const second = openShard(cluster, 1).body["backupId"];
  cluster.nodes[leader]!.member!.shard(1)!.fail("the disk failed");
  expect(cluster.ask(leader, MetaAsk.backupRows, { backupId: second, after: "" })).toMatchObject({
    ok: false,
    body: { gone: true },
  });
});

test("no more than two views are open at once, and questions that make no sense are refused", () => {
  const cluster = founded(1);
  writeAll(cluster, "1-1");
  const first = openShard(cluster, 1).body["backupId"];
  expect(openShard(cluster, 2).ok).toBe(true);
  expect(openShard(cluster, 3)).toMatchObject({ ok: false, body: { retry: true } });
  cluster.ask(0, MetaAsk.backupClose, { backupId: first });
  expect(openShard(cluster, 3).ok).toBe(true);
  expect(cluster.ask(0, MetaAsk.backupOpen, { shardId: "x" }).ok).toBe(false);
  expect(cluster.ask(0, MetaAsk.backupRows, { backupId: first, after: "" }).ok).toBe(false);
});

test("rows leave no faster than snapshots to other nodes may", () => {
  const cluster = founded(1, { ...SMALL_CHUNKS, snapshotBytesPerSecond: 1000 });
  writeAll(cluster, "1-1");
  const before = cluster.time.nowMs;
  const chunks = rowsOf(cluster, 1, openShard(cluster, 1), () => undefined);
  const paidFor = chunks.slice(0, -1).reduce((sum, chunk) => sum + chunk.length, 0);
  expect(chunks.length).toBeGreaterThan(1);
  expect(cluster.time.nowMs - before).toBeGreaterThanOrEqual(paidFor);
});
