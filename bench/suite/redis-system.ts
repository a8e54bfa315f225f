/** Debian's redis-server, alone or with replicas, each with its own append-only file. No snapshots and no rewriting, so that no fork falls into a run. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePortRange } from "@headrace/testkit";
import { ask } from "../load/ask.ts";
import { firstWrites } from "../system/first-write.ts";
import { startServer, versionOf, type ServerChild } from "./child-process.ts";
import type { System } from "./system.ts";

export type AppendOnly = "no" | "everysec" | "always";

const REPLICAS_WITHIN_MS = 30_000;

export function redisSystem(name: string, aof: AppendOnly, replicas: number): System {
  const flags = redisFlags(aof, replicas);
  return {
    name,
    what: `redis-server ${flags.map((flag) => flag || '""').join(" ")}${replicas > 0 ? `, and ${replicas} replicas with the same` : ""}`,
    find: () => {
      const version = versionOf("redis-server", /v=(\S+)/);
      return version === null ? { missing: "redis-server is not installed" } : { version };
    },
    start: () => started(flags, replicas),
  };
}

function redisFlags(aof: AppendOnly, replicas: number): string[] {
  const persistence =
    aof === "no"
      ? ["--appendonly", "no"]
      : ["--appendonly", "yes", "--appendfsync", aof, "--auto-aof-rewrite-percentage", "0"];
  const replication = [
    "--repl-backlog-size",
    "64mb",
    "--repl-diskless-sync-delay",
    "0",
    "--client-output-buffer-limit",
    "replica 0 0 0",
  ];
  return ["--save", "", ...persistence, ...(replicas > 0 ? replication : [])];
}

async function started(flags: readonly string[], replicas: number): ReturnType<System["start"]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-redis-"));
  const port = await freePortRange();
  let servers: ServerChild[] = [];
  const run = async (): Promise<void> => {
    servers = [];
    for (let i = 0; i <= replicas; i++) {
      const folder = join(directory, String(i));
      mkdirSync(folder, { recursive: true });
      const place = ["--port", String(port + i), "--bind", "127.0.0.1", "--dir", folder];
      const master = i === 0 ? [] : ["--replicaof", `127.0.0.1 ${port}`];
      servers.push(await startServer("redis-server", [...place, ...flags, ...master], folder, port + i));
    }
  };
  const stop = async (): Promise<void> => {
    for (const server of servers) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await run();
    for (let i = 1; i <= replicas; i++) await replicating(port + i);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    directory,
    processes: () => servers.map(({ pid }, i) => ({ name: i === 0 ? "redis" : `replica ${i}`, pid })),
    clear: async () => {
      await ask(port, ["FLUSHALL"]);
      if (replicas > 0) await ask(port, ["WAIT", String(replicas), "0"]);
    },
    restart: async () => {
      for (const server of servers) await server.stop();
      const fromMs = performance.now();
      await run();
      await firstWrites(port);
      return { tookMs: performance.now() - fromMs };
    },
    stop,
  };
}

async function replicating(port: number): Promise<void> {
  const giveUpMs = performance.now() + REPLICAS_WITHIN_MS;
  while (!(await ask(port, ["INFO", "replication"])).includes("master_link_status:up")) {
    if (performance.now() > giveUpMs) throw new Error(`the replica on port ${port} does not reach its master`);
    await pause(50);
  }
}
