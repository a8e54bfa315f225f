/** Headrace as `headrace up` runs it: nodes and a gateway as processes of their own, or all in one. */
import { readFileSync } from "node:fs";
import { LocalCluster } from "@headrace/testkit";
import { ask } from "../load/ask.ts";
import { firstWrites } from "../system/first-write.ts";
import type { System } from "./system.ts";

/** With very much in it. */
const START_WITHIN_MS = 300_000;

/** Of the flags of `headrace up`. */
export function headraceSystem(name: string, flags: readonly string[]): System {
  return {
    name,
    what: `headrace up ${flags.join(" ")}`,
    find: () => {
      const manifest = new URL("../../package.json", import.meta.url);
      return { version: (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version };
    },
    start: async () => {
      const cluster = await LocalCluster.start({ flags, startTimeoutMs: START_WITHIN_MS });
      return {
        port: cluster.port,
        directory: cluster.dataDirectory,
        processes: () => {
          const { gateways, nodes } = cluster.places();
          const named = [
            ...gateways.map(({ pid }, i) => ({ name: i === 0 ? "gateway" : `gateway ${i + 1}`, pid })),
            ...nodes.map(({ id, pid }) => ({ name: `node ${id}`, pid })),
          ];
          // In one process everything has the same pid.
          return named.every(({ pid }) => pid === named[0]!.pid) ? [{ name: "all", pid: named[0]!.pid }] : named;
        },
        clear: async () => void (await ask(cluster.port, ["FLUSHALL"])),
        restart: async () => {
          await cluster.killAll();
          const fromMs = performance.now();
          await Promise.all([cluster.run(), firstWrites(cluster.port)]);
          return { tookMs: performance.now() - fromMs };
        },
        stop: () => cluster.destroy(),
      };
    },
  };
}
