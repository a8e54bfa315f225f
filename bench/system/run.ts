/**
 * `npm run bench`: XADD throughput and latency of a real cluster (three nodes and a gateway, fsync always, ack=all), interleaved run by run with the
 * bare prototype when it is there. Prints a table of medians and writes the raw figures to bench/results/.
 */
import { existsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalCluster } from "@headrace/testkit";
import { readDiskCounters } from "./disk-counters.ts";
import { Prototype, PROTOTYPE_PORT } from "./prototype.ts";
import { runLoad, type LoadCase, type LoadResult } from "./redis-benchmark.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Options {
  readonly runs: number;
  readonly scale: number;
  readonly prototype: string | null;
  readonly json: boolean;
  readonly flags: readonly string[];
}

if (process.argv.includes("--help")) {
  console.log(
    [
      "npm run bench [-- options]",
      "  --runs N          repetitions, interleaved (default 5)",
      "  --scale X         factor on the number of requests (default 1)",
      "  --prototype DIR   folder of the bare prototype (default ../shared/prototype when it is there)",
      "  --no-prototype    measure Headrace alone",
      '  --flags "…"       further flags for headrace up',
      "  --json            one JSON line instead of the table",
    ].join("\n"),
  );
  process.exit(0);
}

const options = readOptions();
const cases: readonly LoadCase[] = [
  { name: "8 x 100", clients: 8, pipeline: 100, requests: 1_000_000 },
  { name: "1 x 100", clients: 1, pipeline: 100, requests: 300_000 },
  { name: "50 x 1", clients: 50, pipeline: 1, requests: 60_000 },
  { name: "1 x 1", clients: 1, pipeline: 1, requests: 6000 },
].map((load) => ({ ...load, requests: Math.max(100, Math.round(load.requests * options.scale)) }));

interface Sample extends LoadResult {
  readonly flushesPerSecond: number | null;
  readonly writesPerSecond: number | null;
}
type Samples = Record<string, Sample[]>;

const samples: { headrace: Samples; prototype: Samples } = { headrace: {}, prototype: {} };
const prototype = options.prototype === null ? null : new Prototype(options.prototype);
for (let run = 1; run <= options.runs; run++) {
  if (prototype !== null) {
    progress(run, "prototype");
    await prototype.start();
    try {
      await measure(PROTOTYPE_PORT, prototype.folder, samples.prototype);
    } finally {
      await prototype.stop();
    }
  }
  progress(run, "headrace");
  const cluster = await LocalCluster.start({ flags: options.flags });
  try {
    await measure(cluster.port, cluster.dataDirectory, samples.headrace);
  } finally {
    await cluster.destroy();
  }
}
prototype?.remove();
report();

async function measure(port: number, directory: string, into: Samples): Promise<void> {
  for (const load of cases) {
    const before = readDiskCounters(directory);
    const from = performance.now();
    const result = await runLoad(port, load);
    const seconds = (performance.now() - from) / 1000;
    const after = readDiskCounters(directory);
    (into[load.name] ??= []).push({
      ...result,
      flushesPerSecond:
        before === null || after === null ? null : Math.round((after.flushes - before.flushes) / seconds),
      writesPerSecond: before === null || after === null ? null : Math.round((after.writes - before.writes) / seconds),
    });
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function report(): void {
  const rows = cases.map((load) => {
    const ours = samples.headrace[load.name] ?? [];
    const theirs = samples.prototype[load.name] ?? [];
    const perSecond = median(ours.map((sample) => sample.perSecond));
    const p50Ms = median(ours.map((sample) => sample.p50Ms));
    const flushes = ours.map((sample) => sample.flushesPerSecond).filter((value) => value !== null);
    const writes = ours.map((sample) => sample.writesPerSecond).filter((value) => value !== null);
    return {
      case: load.name,
      perSecond: Math.round(perSecond),
      lowest: Math.round(Math.min(...ours.map((sample) => sample.perSecond))),
      highest: Math.round(Math.max(...ours.map((sample) => sample.perSecond))),
      p50Ms,
      p99Ms: median(ours.map((sample) => sample.p99Ms)),
      diskFlushesPerSecond: flushes.length === 0 ? null : median(flushes),
      diskWritesPerSecond: writes.length === 0 ? null : median(writes),
      prototypePerSecond: theirs.length === 0 ? null : Math.round(median(theirs.map((sample) => sample.perSecond))),
      prototypeP50Ms: theirs.length === 0 ? null : median(theirs.map((sample) => sample.p50Ms)),
      throughputRatio: theirs.length === 0 ? null : perSecond / median(theirs.map((sample) => sample.perSecond)),
      p50Ratio: theirs.length === 0 ? null : p50Ms / median(theirs.map((sample) => sample.p50Ms)),
    };
  });
  const result = {
    what: "XADD s * f <256 bytes>, three nodes and a gateway on one machine, fsync always, ack=all",
    command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.trim(),
    date: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    runs: options.runs,
    rows,
    samples,
  };
  writeFileSync(join(root, "bench", "results", "system-xadd.json"), `${JSON.stringify(result, null, 2)}\n`);
  if (options.json) console.log(JSON.stringify({ ...result, samples: undefined }));
  else console.table(rows);
}

function progress(run: number, who: string): void {
  process.stderr.write(`run ${run} of ${options.runs}: ${who}\n`);
}

function readOptions(): Options {
  const args = process.argv.slice(2);
  const value = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  const fallback = join(root, "..", "shared", "prototype");
  const named = value("--prototype") ?? (existsSync(join(fallback, "node.mjs")) ? fallback : null);
  return {
    runs: Number(value("--runs") ?? 5),
    scale: Number(value("--scale") ?? 1),
    prototype: args.includes("--no-prototype") ? null : named,
    json: args.includes("--json"),
    flags: (value("--flags") ?? "").split(" ").filter((flag) => flag !== ""),
  };
}
