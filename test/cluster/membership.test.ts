/**
 * Members of a running cluster of real processes change by the operator's commands, under load: the commands of the README, a node added, drained
 * and removed, one killed for good and rebuilt elsewhere, the metadata group growing from one voter to three.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClusterState } from "@headrace/meta";
import { freePortRange, LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { ClusterAsker } from "../../packages/server/src/cluster-asker.ts";
import { shellWords, testedCommands } from "../tested-commands.ts";
import { connect, ready, until } from "./connect.ts";

const main = fileURLToPath(new URL("../../packages/server/src/main.ts", import.meta.url));
const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The operator's program, run to its end. */
function headrace(args: readonly string[], seeds: string): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, HEADRACE_SEEDS: seeds } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  return new Promise((done) => child.once("exit", (code) => done({ code, stdout, stderr })));
}

/** `headrace cluster status --json` */
interface Status {
  readonly nodes: readonly {
    readonly nodeId: number;
    readonly duty: string;
    readonly groups: readonly { readonly groupId: number }[];
  }[];
  readonly changes: readonly unknown[];
}

/** Looks at the cluster without a process for each look. */
class Watcher {
  readonly #asker: ClusterAsker;

  constructor(seeds: string) {
    this.#asker = new ClusterAsker(seeds);
    ends.push(() => this.#asker.close());
  }

  /** Until the state fulfils it; then every node that counts has to be ready too. */
  async until(holds: (state: ClusterState) => boolean, readyIds: readonly number[] = []): Promise<ClusterState> {
    return until(async () => {
      const state = await this.#asker.state();
      if (state === null || !holds(state)) return null;
      for (const nodeId of readyIds) {
        const answer = await this.#asker.ask(state.node(nodeId)!.peerAddress, "status", {});
        if (!answer.ok || (answer.value.body["status"] as { ready?: boolean }).ready !== true) return null;
      }
      return state;
    });
  }

  async joined(nodeId: number): Promise<void> {
    await this.until((state) => state.node(nodeId) !== null);
  }
}

const isQuiet = (state: ClusterState): boolean =>
  state.groupIds().every((groupId) => state.membersOf(groupId)!.change === null);

/** One more node process on ports of its own. */
class ExtraNode {
  readonly directory: string = mkdtempSync(join(tmpdir(), "headrace-extra-"));
  readonly seeds: string;
  readonly grpcPort: number;
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;

  constructor(firstPort: number, seeds: string, flags: readonly string[] = []) {
    this.grpcPort = firstPort + 1;
    this.seeds = seeds;
    this.#flags = flags;
    const ports = ["--data-port", firstPort, "--grpc-port", firstPort + 1, "--http-port", firstPort + 2].map(String);
    const args = [main, "node", "--data", this.directory, "--seeds", seeds, ...ports, ...this.#flags];
    this.#child = spawn(process.execPath, args, { stdio: "ignore" });
  }

  async destroy(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null && child.exitCode === null) {
      child.kill("SIGKILL");
      await new Promise((gone) => child.once("exit", gone));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Writes to many streams at once, one after another on each, until told to stop; what was acknowledged has to be there in the end. */
class Load {
  readonly #redis: Redis;
  readonly acknowledged: Map<string, string[]> = new Map();
  readonly errors: string[] = [];
  longestGapMs = 0;
  #running = true;
  readonly #writers: Promise<void>[];

  constructor(redis: Redis, streams: number) {
    this.#redis = redis;
    ends.push(() => this.#stop());
    this.#writers = Array.from({ length: streams }, (_, i) => this.#write(`load:{${i}}`));
  }

  async #write(stream: string): Promise<void> {
    const ids: string[] = [];
    this.acknowledged.set(stream, ids);
    let lastMs = performance.now();
    while (this.#running) {
      try {
        ids.push((await this.#redis.xadd(stream, "*", "n", String(ids.length)))!);
        this.longestGapMs = Math.max(this.longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
      } catch (error) {
        this.errors.push((error as Error).message);
        // A connection that is closed refuses at once, for ever.
        await new Promise((next) => setTimeout(next, 20));
      }
    }
  }

  async #stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#writers);
  }

  /** Every acknowledged entry is there. */
  async check(): Promise<number> {
    await this.#stop();
    let count = 0;
    for (const [stream, ids] of this.acknowledged) {
      const there = new Set((await this.#redis.xrange(stream, "-", "+")).map(([id]) => id));
      expect(ids.filter((id) => !there.has(id))).toEqual([]);
      count += ids.length;
    }
    return count;
  }
}

async function startCluster(flags: readonly string[]): Promise<{ cluster: LocalCluster; seeds: string; redis: Redis }> {
  const cluster = await LocalCluster.start({ flags: [...flags, "--loglevel", "info"] });
  ends.push(() => cluster.destroy());
  const seeds = cluster
    .places()
    .nodes.map((node) => `127.0.0.1:${node.grpcPort}`)
    .join(",");
  const redis = connect(cluster.url);
  ends.push(() => redis.disconnect());
  await ready(redis);
  return { cluster, seeds, redis };
}

async function extraNode(seeds: string, flags: readonly string[] = []): Promise<ExtraNode> {
  const node = new ExtraNode(await freePortRange(), seeds, flags);
  ends.push(() => node.destroy());
  return node;
}

describe("a running cluster of three", () => {
  test("takes a fourth node in, empties and lets go of another, by the README's commands and without losing a write", async () => {
    const { cluster, seeds, redis } = await startCluster(["--shards", "4"]);
    const watcher = new Watcher(seeds);
    const load = new Load(redis, 8);
    const commands = testedCommands(readme, "headrace").map(shellWords);
    expect(commands.map((words) => words.slice(1, 3).join(" "))).toEqual([
      "cluster status",
      "cluster add",
      "cluster drain",
      "cluster remove",
    ]);
    const early = await headrace(["cluster", "remove", "2"], seeds);
    expect(early.code).toBe(1);
    expect(early.stderr).toContain("headrace cluster drain 2");
    const unknown = await headrace(["cluster", "add", "4"], seeds);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain("headrace node --seeds");
    await extraNode(seeds);
    await watcher.joined(4);
    for (const [program, ...words] of commands) {
      expect(program).toBe("headrace");
      const ended = await headrace(words, seeds);
      expect(ended, words.join(" ")).toMatchObject({ code: 0, stderr: "" });
    }
    const status = await headrace(["cluster", "status", "--json"], seeds.split(",")[0]!);
    const { nodes, changes } = JSON.parse(status.stdout) as Status;
    expect(nodes.map(({ nodeId, duty }) => [nodeId, duty])).toEqual([
      [1, "active"],
      [3, "active"],
      [4, "active"],
    ]);
    // Four shards and the metadata, three copies of each on three nodes.
    expect(nodes.map(({ groups }) => groups.map(({ groupId }) => groupId))).toEqual(
      [0, 1, 2].map(() => [0, 1, 2, 3, 4]),
    );
    expect(changes).toEqual([]);
    expect(await load.check()).toBeGreaterThan(100);
    // Planned moves are hand-overs: nobody has to be told anything.
    for (const error of load.errors) expect(error).toMatch(/^(UNCERTAIN|CLUSTERDOWN)/);
    // The cluster starts again without waiting for the one that was removed.
    await cluster.stop();
    await cluster.run();
    const again = connect(cluster.url);
    ends.push(() => again.disconnect());
    await ready(again);
    for (const [stream, ids] of load.acknowledged) expect(await again.xlen(stream)).toBeGreaterThanOrEqual(ids.length);
  }, 180_000);

  test("rebuilds the replicas of a node that is killed for good on a spare, and still serves when another one goes", async () => {
    const { cluster, seeds, redis } = await startCluster([
      "--shards",
      "3",
      "--node-down-after",
      "2000",
      "--no-restart",
    ]);
    await extraNode(seeds, ["--node-down-after", "2000"]);
    const watcher = new Watcher(seeds);
    await watcher.joined(4);
    const load = new Load(redis, 6);
    process.kill(cluster.places().nodes[1]!.pid, "SIGKILL");
    await watcher.until((state) => isQuiet(state) && state.groupsOn(4).length === 4, [1, 3, 4]);
    process.kill(cluster.places().nodes[2]!.pid, "SIGKILL");
    await load.check();
    await redis.xadd("after", "1-1", "f", "v");
    for (const error of load.errors) expect(error).toMatch(/^(UNCERTAIN|CLUSTERDOWN)/);
  }, 180_000);
});

test("a cluster of one grows to three voters of the metadata and three copies of everything, and then survives its founder", async () => {
  const directory = mkdtempSync(join(tmpdir(), "headrace-founder-"));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
  const firstPort = await freePortRange();
  const seeds = `127.0.0.1:${firstPort + 1}`;
  const founder = new ExtraNode(firstPort, seeds, ["--bootstrap-expect", "1", "--shards", "2"]);
  ends.push(() => founder.destroy());
  const watcher = new Watcher(seeds);
  await watcher.joined(1);
  const redis = connect(`redis://127.0.0.1:${firstPort}`);
  ends.push(() => redis.disconnect());
  await ready(redis);
  expect(await until(() => redis.xadd("before", "1-1", "f", "v").catch(() => null))).toBe("1-1");
  const others = [await extraNode(seeds), await extraNode(seeds)];
  await watcher.joined(2);
  await watcher.joined(3);
  const all = [seeds, ...others.map((node) => `127.0.0.1:${node.grpcPort}`)].join(",");
  for (const node of others) {
    // By address, as an operator would.
    const ended = await headrace(["cluster", "add", `127.0.0.1:${node.grpcPort}`, "--json"], all);
    expect(JSON.parse(ended.stdout)).toMatchObject({ ok: true });
  }
  const isGrown = (state: ClusterState): boolean => [1, 2, 3].every((nodeId) => state.groupsOn(nodeId).length === 3);
  await watcher.until((state) => isQuiet(state) && isGrown(state), [1, 2, 3]);
  await founder.destroy();
  const direct = connect(`redis://127.0.0.1:${others[0]!.grpcPort - 1}`);
  ends.push(() => direct.disconnect());
  await ready(direct);
  // Until it has heard of the new leader, it may still name the founder.
  const survivors = new RegExp(`^(1|MOVED .*127\\.0\\.0\\.1:${others[1]!.grpcPort - 1})$`);
  const reply = await until(async () => {
    const found = await direct.call("XLEN", "before").catch((error: Error) => error.message);
    return survivors.test(String(found)) ? String(found) : null;
  });
  expect(reply).toMatch(survivors);
}, 120_000);
