/**
 * The third judge of the fixtures: the same input, typed into a simulated cluster with faults, is answered as the pure handlers and redis-server answer
 * it. One cluster for each file, from a fixed seed.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, utf8Bytes } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import { maskNumbers, parseTranscript, respVersions } from "../../packages/commands/testing/transcript.ts";
import { TranscriptCluster } from "./transcript-cluster.ts";

const folder = join(import.meta.dirname, "../../packages/commands/test/testdata");
const files = readdirSync(folder).toSorted();
/** Commands that a gateway spreads over shards; most others are of one slot, and their fixtures are not. */
const OVER_SHARDS = new Set(
  ["dbsize", "del", "exists", "flushall", "flushdb", "touch", "unlink", "xread", "xreadgroup"].map(
    (name) => `${name}.txt`,
  ),
);
/** Another run over the same fixtures, with other faults. */
const round = Number(process.env["HEADRACE_SEED"] ?? 1);
const faults = new Map<string, number>();

describe("fixtures on a cluster with faults", () => {
  test.each(files)("%s", (file) => {
    const seed = crc32(utf8Bytes(`${file} ${round}`));
    const cluster = new TranscriptCluster(seed, OVER_SHARDS.has(file) ? 3 : 1);
    for (const each of parseTranscript(readFileSync(join(folder, file), "latin1"))) {
      // Says of one process what a cluster says otherwise.
      if (each.marks.has("process")) continue;
      const mask = (text: string): string => (each.marks.has("clock") ? maskNumbers(text) : text);
      for (const version of respVersions(each)) {
        expect(mask(cluster.type(each, version)), `${file}:${each.at} RESP${version}, round ${round}`).toBe(
          mask(each.expected),
        );
      }
    }
    for (const [kind, times] of cluster.faults) faults.set(kind, (faults.get(kind) ?? 0) + times);
  });

  test.each([
    "handOver",
    "killLeader",
    "powerCutLeader",
    "restartFollower",
    "everyNode",
    "cutOffLeader",
    "roughNetwork",
  ])("there was %s", (kind) => {
    expect(faults.get(kind) ?? 0).toBeGreaterThan(0);
  });
});
