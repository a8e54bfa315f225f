/**
 * `--fsync everysec` and `no` on a real process: what ack=1 promises there (the page cache, so a kill -9 takes nothing), and what it does not change:
 * ack=all, reads behind a gate and WAITAOF wait for the disk. The disk is made to wait by a shim in front of fdatasync (held-sync.c).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { connect, ready } from "./connect.ts";

const canHold = process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0;

let cluster: LocalCluster | null = null;
const open: Redis[] = [];

async function started(fsync: string, environment: Readonly<Record<string, string>> = {}): Promise<LocalCluster> {
  const flags = ["--nodes", "1", "--shards", "1", "--fsync", fsync, "--reply-timeout-ms", "60000"];
  cluster = await LocalCluster.start({ flags, environment });
  return cluster;
}

async function client(ack: string): Promise<Redis> {
  const redis = connect(cluster!.url);
  open.push(redis);
  await ready(redis);
  expect(await redis.call("CLIENT", "ACK", ack)).toBe("OK");
  return redis;
}

afterEach(async () => {
  for (const redis of open.splice(0)) redis.disconnect();
  await cluster?.destroy();
  cluster = null;
});

describe.each(["everysec", "no"])("with --fsync %s", (fsync) => {
  test("a kill -9 takes nothing that was answered at ack=1", { timeout: 180_000 }, async () => {
    await started(fsync);
    const answered: string[] = [];
    let sent = 0;
    for (let round = 0; round < 2; round++) {
      const writer = await client("1");
      const enough = answered.length + 300 + round * 111;
      let isOver = false;
      const work = Array.from({ length: 20 }, async () => {
        while (!isOver) {
          const id = `${++sent}-0`;
          // Written at the same time by others: the id that is behind is refused, and nothing was written.
          const reply = await writer.xadd("s", id, "f", String(sent)).catch(() => null);
          if (reply !== null) answered.push(id);
        }
      });
      while (answered.length < enough) await new Promise((next) => setImmediate(next));
      isOver = true;
      await cluster!.killAll();
      await Promise.all(work);
      writer.disconnect();
      await cluster!.run();
      const reader = await client("all");
      const ids = new Set((await reader.xrange("s", "-", "+")).map(([id]) => id));
      expect(answered.filter((id) => !ids.has(id))).toEqual([]);
      // What was sent and never answered may be there; nothing else may.
      expect(ids.size).toBeLessThanOrEqual(sent);
    }
  });

  test.skipIf(!canHold)(
    "while the disk does not sync ack=1 is answered, and ack=all, a read of the entry and WAITAOF are not",
    { timeout: 120_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "headrace-held-"));
      const shim = join(folder, "held-sync.so");
      const held = join(folder, "held");
      execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", shim, join(import.meta.dirname, "held-sync.c"), "-ldl"]);
      try {
        await started(fsync, { LD_PRELOAD: shim, HELD_SYNC: held });
        const one = await client("1");
        const all = await client("all");
        const reader = await client("all");
        // A sync that is on its way when it begins holds everything up: then again.
        let id = "";
        for (let attempt = 1; id === ""; attempt++) {
          writeFileSync(held, "");
          const reply = one.xadd("s", `${attempt}-0`, "f", "v");
          const outcome = await Promise.race([reply, new Promise<null>((late) => setTimeout(late, 500, null))]);
          if (outcome !== null) id = outcome;
          else {
            rmSync(held);
            await reply;
          }
        }
        // Answered although nothing can have been synced since.
        expect(await one.call("WAITAOF", "1", "0", "300")).toEqual([0, 0]);
        const settled: string[] = [];
        const write = all.xadd("t", "1-0", "f", "v").then((reply) => settled.push(`wrote ${reply}`));
        const read = reader.xrevrange("s", "+", "-", "COUNT", 1).then(([entry]) => settled.push(`read ${entry![0]}`));
        expect(await one.call("WAITAOF", "1", "0", "300")).toEqual([0, 0]);
        expect(settled).toEqual([]);
        rmSync(held);
        await Promise.all([write, read]);
        expect(settled.toSorted((a, b) => a.localeCompare(b))).toEqual([`read ${id}`, "wrote 1-0"]);
        expect(await one.call("WAITAOF", "1", "0", "0")).toEqual([1, 0]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
