/** Figures of the bar that are no load: they come from benchmarks of their own, run once, or from their last kept result. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ask } from "../load/ask.ts";
import { fillStream } from "../load/fill.ts";
import { redisUsedBytes } from "../system/used-memory.ts";
import { median } from "./statistics.ts";
import type { System } from "./system.ts";

export interface ProbeResult {
  readonly name: string;
  readonly ours: number | null;
  readonly peer: number | null;
  readonly peerName: string;
  /** How it was measured, or why not. */
  readonly note: string;
}

const RESTART_ENTRIES = 5_000_000;
const PENDING = 1_000_000;
const PENDING_PER_READ = 10_000;
const bench = fileURLToPath(new URL("..", import.meta.url));

function run(script: string, args: readonly string[], nodeFlags: readonly string[] = []): Promise<string> {
  return new Promise((done, failed) => {
    execFile(
      process.execPath,
      [...nodeFlags, join(bench, script), ...args],
      { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) done(stdout);
        else failed(new Error(`${script}: ${stderr.slice(-500)}`));
      },
    );
  });
}

/** Never rejects: a probe that fails says so in its note. */
async function probe(
  name: string,
  peerName: string,
  measure: () => Promise<Omit<ProbeResult, "name" | "peerName">>,
): Promise<ProbeResult> {
  try {
    return { name, peerName, ...(await measure()) };
  } catch (error) {
    return { name, peerName, ours: null, peer: null, note: (error as Error).message };
  }
}

/** What a pending entry takes: in our engine's state alone, and of Redis' used_memory. */
export function pendingMemory(redis: System): Promise<ProbeResult> {
  return probe("pending-memory", "redis", async () => {
    const text = await run("micro/engine-memory.ts", ["pending"], ["--expose-gc"]);
    const ours = Number(/pending entries of one group: (\d+) bytes each/.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(ours)) throw new Error(`engine-memory.ts says nothing of pending entries: ${text}`);
    const peer = "missing" in redis.find() ? null : await redisPending(redis);
    return {
      ours,
      peer,
      note: `node --expose-gc bench/micro/engine-memory.ts pending; ${PENDING} entries, redis: used_memory`,
    };
  });
}

async function redisPending(redis: System): Promise<number> {
  const running = await redis.start();
  try {
    await fillStream(running.port, "s", PENDING, 16);
    await ask(running.port, ["XGROUP", "CREATE", "s", "g", "0"]);
    const before = await redisUsedBytes(running.port);
    for (let i = 0; i < PENDING / PENDING_PER_READ; i++) {
      await ask(running.port, [
        "XREADGROUP",
        "GROUP",
        "g",
        `c${i % 10}`,
        "COUNT",
        String(PENDING_PER_READ),
        "STREAMS",
        "s",
        ">",
      ]);
    }
    return ((await redisUsedBytes(running.port)) - before) / PENDING;
  } finally {
    await running.stop();
  }
}

interface RestartRow {
  readonly entries: number;
  readonly killedMs: number;
}

/** Seconds from the start of the processes to the first write on five keys, after kill -9: with five million entries, and with none. */
export function restart(): Promise<ProbeResult> {
  return probe("restart", "empty", async () => {
    const args = ["--entries", String(RESTART_ENTRIES), "--nodes", "3", "--runs", "3", "--json"];
    // Its files in bench/results are for longer runs than this one.
    const { rows } = JSON.parse(await run("system/restart.ts", [...args, "--no-save"])) as { rows: RestartRow[] };
    const seconds = (entries: number): number => rows.find((row) => row.entries === entries)!.killedMs / 1000;
    return {
      ours: seconds(RESTART_ENTRIES),
      peer: seconds(0),
      note: `npm run bench:restart -- ${args.join(" ")}: after kill -9 of all processes, median of 3`,
    };
  });
}

interface FailoverFile {
  readonly command: string;
  readonly date: string;
  readonly faults: readonly { readonly kind: string; readonly gapMs: number }[];
}

/** The last result that was kept: killing leaders takes longer than all the rest. */
export function failover(): Promise<ProbeResult> {
  return probe("failover", "", () => {
    const file = join(bench, "results", "failover.json");
    if (!existsSync(file)) throw new Error("there is no bench/results/failover.json; npm run bench:failover writes it");
    const { command, date, faults } = JSON.parse(readFileSync(file, "utf8")) as FailoverFile;
    const gaps = faults.filter(({ kind }) => kind === "kill").map(({ gapMs }) => gapMs);
    return Promise.resolve({
      ours: median(gaps) / 1000,
      peer: null,
      note: `not measured now: the kept result of ${command}, ${date}, ${gaps.length} kills`,
    });
  });
}
