/** nats-server with JetStream on three nodes, on disk, with its own defaults (it syncs every two minutes). */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePortRange } from "@headrace/testkit";
import { startServer, versionOf, type ServerChild } from "./child-process.ts";
import type { System } from "./system.ts";

const NODES = 3;

export const natsSystem: System = {
  name: "nats",
  what: "nats-server with JetStream on three nodes, stream with three replicas on disk, default settings",
  find: () => {
    const version = versionOf("nats-server", /v?(\d[\w.]+)/);
    return version === null ? { missing: "nats-server is not on PATH" } : { version };
  },
  start: async () => {
    const directory = mkdtempSync(join(tmpdir(), "bench-nats-"));
    const port = await freePortRange();
    const servers: ServerChild[] = [];
    const stop = async (): Promise<void> => {
      for (const server of servers) await server.stop();
      rmSync(directory, { recursive: true, force: true });
    };
    const routes = Array.from({ length: NODES }, (_, i) => `nats://127.0.0.1:${port + 10 + i}`).join(",");
    try {
      for (let i = 0; i < NODES; i++) {
        const folder = join(directory, String(i));
        mkdirSync(folder);
        const args = ["-a", "127.0.0.1", "-p", String(port + i), "-n", `n${i}`, "-js", "-sd", folder];
        const cluster = [
          "--cluster_name",
          "bench",
          "--cluster",
          `nats://127.0.0.1:${port + 10 + i}`,
          "--routes",
          routes,
        ];
        servers.push(await startServer("nats-server", [...args, ...cluster], folder, port + i));
      }
    } catch (error) {
      await stop();
      throw error;
    }
    return {
      port,
      directory,
      processes: () => servers.map(({ pid }, i) => ({ name: `nats ${i + 1}`, pid })),
      // The load deletes its stream before it makes a new one.
      clear: () => Promise.resolve(),
      stop,
    };
  },
};
