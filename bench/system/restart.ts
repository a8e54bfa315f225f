/**
 * `npm run bench:restart`: how long a cluster takes from the start of its process to its first successful write, with how much in it; beside the same cluster
 * with nothing in it. After a clean stop and after kill -9, for several amounts, so that the slope shows. `--streams` spreads the entries over that many keys.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { LocalCluster } from "@headrace/testkit";
import { BulkWriter } from "./bulk-writer.ts";
import { firstWrites } from "./first-write.ts";
import { rssAnonBytes } from "./process-memory.ts";
import { progressBar } from "./progress-bar.ts";

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "1000000,10000000,20000000" },
    "value-bytes": { type: "string", default: "256" },
    streams: { type: "string", default: "8" },
    groups: { type: "string", default: "3" },
    pending: { type: "string", default: "100000" },
    nodes: { type: "string", default: "1" },
    runs: { type: "string", default: "3" },
    flags: { type: "string", default: "" },
    name: { type: "string", default: "restart" },
    "no-save": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run bench:restart [-- options]",
      "  --entries N,N,…   entries in all, ascending: the cluster grows from one to the next (default 1000000,10000000,20000000)",
      "  --value-bytes N   bytes of a value (default 256)",
      "  --streams N       keys that the entries are spread over (default 8)",
      "  --groups N        consumer groups, all on the first stream (default 3)",
      "  --pending N       pending entries, dealt to the groups (default 100,000)",
      "  --nodes N         nodes, each with a copy of all (default 1)",
      "  --runs N          restarts of each kind; the median counts (default 3)",
      '  --flags "…"       further flags for headrace up',
      "  --name NAME       of the files in bench/results (default restart)",
      "  --no-save         leave bench/results as it is",
      "  --json            one JSON line instead of the table",
    ].join("\n"),
  );
  process.exit(0);
}

const MIB = 1024 * 1024;
const nodes = values.nodes;
const bar = progressBar();
const cluster = await LocalCluster.start({
  flags: ["--nodes", nodes, "--replicas", nodes, ...values.flags.split(" ").filter((flag) => flag !== "")],
  startTimeoutMs: 300_000,
});
const keys = Array.from({ length: Number(values.streams) }, (_, i) => `restart:${i}`);

interface Row {
  readonly entries: number;
  readonly writtenPerSecond: number;
  readonly cleanMs: number;
  readonly killedMs: number;
  /** Of the first node, a second after a restart; MiB. */
  readonly rssAnonMiB: number;
}

try {
  const rows: Row[] = [await measured(0, 0)];
  let written = 0;
  for (const amount of values.entries.split(",").map(Number)) {
    const from = performance.now();
    await write(written, amount);
    const perSecond = Math.round(((amount - written) * 1000) / (performance.now() - from));
    if (written === 0) await makePending();
    written = amount;
    rows.push(await measured(amount, perSecond));
  }
  const result = {
    command: `npm run bench:restart ${process.argv.length > 2 ? "-- " : ""}${process.argv.slice(2).join(" ")}`.trim(),
    date: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    streams: keys.length,
    rows,
  };
  if (!values["no-save"]) {
    const folder = join(fileURLToPath(new URL("../results", import.meta.url)));
    writeFileSync(join(folder, `${values.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(folder, `${values.name}.txt`), report(result));
  }
  console.log(values.json ? JSON.stringify(result) : report(result));
} finally {
  bar("");
  await cluster.destroy();
}

async function write(from: number, to: number): Promise<void> {
  const writer = new BulkWriter(cluster.port, keys, Number(values["value-bytes"]));
  await writer.write(from, to, (done) => bar("writing", (done - from) / (to - from), `${done} of ${to}`));
}

/** Groups whose entries were handed out and not acknowledged. */
async function makePending(): Promise<void> {
  const redis = new Redis(cluster.url, { protocol: 2 });
  const groups = Number(values.groups);
  const each = Math.floor(Number(values.pending) / Math.max(1, groups));
  for (let i = 0; i < groups; i++) {
    await redis.xgroup("CREATE", keys[0]!, `group${i}`, "0");
    for (let left = each; left > 0;) {
      const found = await redis.xreadgroup(
        "GROUP",
        `group${i}`,
        `consumer${left % 10}`,
        "COUNT",
        Math.min(1000, left),
        "STREAMS",
        keys[0]!,
        ">",
      );
      const [, entries] = (found as [string, unknown[]][] | null)?.[0] ?? ["", []];
      if (entries.length === 0) break;
      left -= entries.length;
    }
  }
  redis.disconnect();
}

async function measured(entries: number, writtenPerSecond: number): Promise<Row> {
  const cleanMs: number[] = [];
  const killedMs: number[] = [];
  let rssAnonMiB = 0;
  for (let run = 0; run < Number(values.runs); run++) {
    bar(`restarting with ${entries} entries`, run / Number(values.runs));
    await cluster.stop();
    cleanMs.push(await started());
    await pause(1000);
    rssAnonMiB = Math.round((rssAnonBytes(cluster.places().nodes[0]!.pid) ?? 0) / MIB);
    await cluster.killAll();
    killedMs.push(await started());
    await pause(1000);
  }
  return { entries, writtenPerSecond, cleanMs: median(cleanMs), killedMs: median(killedMs), rssAnonMiB };
}

/** From the start of the process to the first write that succeeds on every shard. */
async function started(): Promise<number> {
  const from = performance.now();
  const ready = cluster.run();
  await Promise.all([ready, firstWrites(cluster.port)]);
  return performance.now() - from;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return Math.round(sorted[sorted.length >> 1]!);
}

function report(result: {
  readonly command: string;
  readonly date: string;
  readonly node: string;
  readonly cores: number;
  readonly rows: readonly Row[];
}): string {
  const { command, date, node, cores, rows } = result;
  return [
    `${date}, node ${node}, ${cores} cores shared by ${nodes} node(s), the gateway and the load`,
    command,
    `${keys.length} streams, values of ${values["value-bytes"]} bytes, ${values.groups} groups with ${values.pending} pending; process start to the first write on all of five keys, median of ${values.runs}`,
    "",
    "   entries  written/s  after a clean stop  after kill -9   RssAnon MiB",
    ...rows.map(
      ({ entries, writtenPerSecond, cleanMs, killedMs, rssAnonMiB }) =>
        `${String(entries).padStart(10)}${String(writtenPerSecond).padStart(11)}${`${cleanMs} ms`.padStart(20)}${`${killedMs} ms`.padStart(15)}${String(rssAnonMiB).padStart(14)}`,
    ),
    "",
  ].join("\n");
}
