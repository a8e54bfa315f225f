/**
 * `npm run bench:tiers`: more data than memory. A cluster with a small budget takes many entries at ack=all; then each stream is read from its first entry to
 * its last, page by page, while one writer goes on at a fixed rate; then nodes are killed with -9 under load, and after each kill everything is read and
 * compared with what was acknowledged. What a node keeps in pages of its own (RssAnon: mapped files do not count) is looked at all the time.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isReady, LocalCluster, processGone, signal } from "@headrace/testkit";
import { type Metrics, metricsOf, type Quantile, quantileOf, sumOf } from "./node-metrics.ts";
import { scanStream, type ScanResult } from "./page-scan.ts";
import { MemoryWatch } from "./process-memory.ts";
import { ProbeProcess } from "./probe-process.ts";
import { progressBar } from "./progress-bar.ts";
import { streamOnShard } from "./shard-streams.ts";
import { StreamWriter } from "./write-load.ts";

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "20000000" },
    "value-bytes": { type: "string", default: "256" },
    memory: { type: "string", default: "256mb" },
    shards: { type: "string", default: "8" },
    count: { type: "string", default: "1000" },
    rate: { type: "string", default: "5000" },
    readers: { type: "string", default: "1,3,3" },
    "scan-rate": { type: "string", default: "0,0,310000" },
    kills: { type: "string", default: "10" },
    flags: { type: "string", default: "" },
    "no-save": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run bench:tiers [-- options]",
      "  --entries N       entries over all streams (default 20,000,000)",
      "  --value-bytes N   bytes of a value (default 256)",
      "  --memory M        budget of each node (default 256mb)",
      "  --shards N        shards, and as many streams (default 8)",
      "  --count N         COUNT of the scan's pages (default 1000)",
      "  --readers N,N,…   a scan each: streams that are read at a time, each on a connection of its own; after a kill as many as in the last (default 1,3,3)",
      "  --scan-rate N,N,… entries a second that each of the scans asks for at most, over all its connections; 0: as many as it gets (default 0,0,310000)",
      "  --rate N          writes a second of the writer that goes on during the scan (default 5000)",
      "  --kills N         nodes killed with -9 under load, with a full comparison after each (default 10)",
      '  --flags "…"       further flags for headrace up',
      "  --no-save         leave bench/results as it is",
      "  --json            one JSON line instead of the report",
    ].join("\n"),
  );
  process.exit(0);
}

const WHOLE_WITHIN_MS = 120_000;
const MIB = 1024 * 1024;

const shards = Number(values.shards);
const entries = Number(values.entries);
const valueBytes = Number(values["value-bytes"]);
const count = Number(values.count);
const readers = values.readers.split(",").map(Number);
const scanRates = values["scan-rate"].split(",").map(Number);
const bar = progressBar();
const cluster = await LocalCluster.start({
  flags: [
    "--shards",
    String(shards),
    "--memory",
    values.memory,
    ...values.flags.split(" ").filter((flag) => flag !== ""),
  ],
});
const watch = new MemoryWatch(() => cluster.places().nodes.map(({ id, pid }) => ({ name: `node ${id}`, pid })));
let good = true;
try {
  const writers = Array.from({ length: shards }, (_, shard) => writerOf(streamOnShard(shard, shards), 100, 0));
  const before = await allMetrics();
  const fill = await filled(writers);
  const pauses = pausesOf(before, await allMetrics(), fill.entries);
  const fillMemory = memoryNow();
  const scans: Scan[] = [];
  for (const [i, atOnce] of readers.entries()) scans.push(await scanned(writers, atOnce, scanRates[i] ?? 0));
  const scanMemory = memoryNow();
  const kills = await killed(writers);
  good = sum([...scans, kills], ({ lost, twice, foreign }) => lost + twice + foreign) === 0;
  const result = {
    command: `npm run bench:tiers ${process.argv.length > 2 ? "-- " : ""}${process.argv.slice(2).join(" ")}`.trim(),
    date: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    memory: values.memory,
    fill,
    pauses,
    rssAnonMiB: { afterFill: fillMemory, afterScan: scanMemory, atMost: memoryNow() },
    scans,
    kills,
  };
  if (!values["no-save"]) {
    const folder = join(fileURLToPath(new URL("../results", import.meta.url)));
    writeFileSync(join(folder, "tiers.json"), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(folder, "tiers.txt"), report(result));
  }
  console.log(values.json ? JSON.stringify(result) : report(result));
} finally {
  bar("");
  watch.stop();
  await cluster.destroy();
}
process.exit(good ? 0 : 1);

function writerOf(key: string, inFlight: number, perSecond: number): StreamWriter {
  return new StreamWriter(key, { port: cluster.port, inFlight, perSecond, valueBytes, random: true, trim: [] });
}

/** Highest RssAnon of each node so far, MiB. */
function memoryNow(): Record<string, number> {
  watch.look();
  return Object.fromEntries([...watch.highest].map(([name, bytes]) => [name, Math.round(bytes / MIB)]));
}

interface Fill {
  readonly entries: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly errors: Record<string, number>;
}

async function filled(writers: readonly StreamWriter[]): Promise<Fill> {
  const from = performance.now();
  for (const writer of writers) writer.start();
  for (;;) {
    const written = sum(writers, (writer) => writer.succeeded);
    const seconds = (performance.now() - from) / 1000;
    bar(`fill`, written / entries, `${Math.round(written / seconds)}/s, ${shownMemory()}`);
    if (written >= entries) break;
    await pause(1000);
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  const seconds = (performance.now() - from) / 1000;
  const written = sum(writers, (writer) => writer.succeeded);
  const errors = new Map<string, number>();
  for (const writer of writers)
    for (const [code, times] of writer.errors) errors.set(code, (errors.get(code) ?? 0) + times);
  return { entries: written, seconds, perSecond: Math.round(written / seconds), errors: Object.fromEntries(errors) };
}

/** While it was filled, of the node where it was worst. */
interface Pauses {
  readonly capture: Quantile;
  readonly turn: Quantile;
  /** Bytes that a node has written to its disk for each byte of a value. */
  readonly amplification: Readonly<Record<string, number>>;
}

function allMetrics(): Promise<Metrics[]> {
  return Promise.all(cluster.places().nodes.map(metricsOf));
}

function pausesOf(before: readonly Metrics[], after: readonly Metrics[], written: number): Pauses {
  const worst = (name: string): Quantile =>
    after
      .map((metrics, i) => quantileOf(before[i]!, metrics, name, 0.999))
      .reduce((a, b) => (b.atMostMs > a.atMostMs ? b : a));
  const name = "headrace_disk_written_bytes_total";
  const kinds = [...after[0]!.keys()].filter((line) => line.startsWith(name));
  const grown = (line: string): number =>
    sum(after, (metrics) => metrics.get(line) ?? 0) - sum(before, (metrics) => metrics.get(line) ?? 0);
  const payload = written * valueBytes * after.length;
  const share = (bytes: number): number => Math.round((bytes / payload) * 100) / 100;
  return {
    capture: worst("headrace_checkpoint_capture_seconds"),
    turn: worst("headrace_turn_seconds"),
    amplification: {
      ...Object.fromEntries(kinds.map((line) => [/kind="([^"]+)"/.exec(line)?.[1] ?? line, share(grown(line))])),
      all: share(sum(after, (each) => sumOf(each, name)) - sum(before, (each) => sumOf(each, name))),
    },
  };
}

interface Scan {
  readonly readers: number;
  /** Entries that were asked for each second, at most; 0: as many as it got. */
  readonly askedPerSecond: number;
  readonly entries: number;
  readonly perSecond: number;
  readonly lost: number;
  readonly twice: number;
  readonly foreign: number;
  readonly pageP50Ms: number;
  readonly pageP99Ms: number;
  /** Of the writer at the fixed rate: before the scan, and during it. */
  readonly writerMs: { readonly before: Latency; readonly during: Latency };
}

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/** Answers when the next page is due. */
type Pace = () => Promise<void>;

function paceOf(perSecond: number): Pace {
  if (perSecond === 0) return () => Promise.resolve();
  let dueMs = performance.now();
  return async () => {
    const waitMs = dueMs - performance.now();
    dueMs += (1000 * count) / perSecond;
    if (waitMs > 0) await pause(waitMs);
  };
}

/** Every stream from its first entry on, `atOnce` of them at a time. */
async function readAll(
  writers: readonly StreamWriter[],
  atOnce: number,
  pace: Pace,
  readOne?: () => void,
): Promise<ScanResult[]> {
  const found: ScanResult[] = [];
  const waiting = writers.slice();
  const read = async (): Promise<void> => {
    for (let writer = waiting.shift(); writer !== undefined; writer = waiting.shift()) {
      found.push(await scanStream(cluster.port, writer, count, pace));
      readOne?.();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, read));
  return found;
}

/** All is read while a writer goes on. */
async function scanned(writers: readonly StreamWriter[], atOnce: number, askedPerSecond: number): Promise<Scan> {
  const probe = new ProbeProcess(cluster.port, "paced:{0}", Number(values.rate), valueBytes);
  await probe.start();
  bar("the writer alone", 0, "");
  await pause(5000);
  const before = await probe.take();
  const from = performance.now();
  let done = 0;
  bar("scan", 0, shownMemory());
  const found = await readAll(writers, atOnce, paceOf(askedPerSecond), () =>
    bar("scan", ++done / writers.length, shownMemory()),
  );
  const seconds = (performance.now() - from) / 1000;
  const during = await probe.take();
  await probe.stop();
  const entriesRead = sum(found, (each) => each.entries);
  return {
    readers: atOnce,
    askedPerSecond,
    entries: entriesRead,
    perSecond: Math.round(entriesRead / seconds),
    lost: sum(found, (each) => each.lost),
    twice: sum(found, (each) => each.twice),
    foreign: sum(found, (each) => each.foreign),
    pageP50Ms: Math.max(...found.map((each) => each.pageP50Ms)),
    pageP99Ms: Math.max(...found.map((each) => each.pageP99Ms)),
    writerMs: { before, during },
  };
}

interface Kills {
  readonly kills: number;
  readonly written: number;
  readonly lost: number;
  readonly twice: number;
  readonly foreign: number;
  readonly backMs: readonly number[];
}

/** Each at a random moment, under the load that filled the cluster. */
async function killed(filling: readonly StreamWriter[]): Promise<Kills> {
  const times = Number(values.kills);
  const backMs: number[] = [];
  let [lost, twice, foreign] = [0, 0, 0];
  const before = sum(filling, (writer) => writer.succeeded);
  for (let kill = 0; kill < times; kill++) {
    bar("kill -9", kill / times, shownMemory());
    for (const writer of filling) writer.resume();
    await pause(500 + Math.random() * 3000);
    const { nodes } = cluster.places();
    const node = nodes[Math.floor(Math.random() * nodes.length)]!;
    signal(node.pid, "SIGKILL");
    await processGone(node.pid);
    const goneAt = performance.now();
    await wholeAgain(node.id, node.pid);
    backMs.push(Math.round(performance.now() - goneAt));
    await Promise.all(filling.map((writer) => writer.stop()));
    for (const scan of await readAll(filling, readers.at(-1)!, paceOf(0))) {
      lost += scan.lost;
      twice += scan.twice;
      foreign += scan.foreign;
    }
  }
  return { kills: times, written: sum(filling, (writer) => writer.succeeded) - before, lost, twice, foreign, backMs };
}

async function wholeAgain(nodeId: number, formerPid: number): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const { nodes } = cluster.places();
    const isBack = nodes.some(({ id, pid }) => id === nodeId && pid !== formerPid && pid > 0);
    if (isBack && (await Promise.all(nodes.map(isReady))).every(Boolean)) return;
    if (performance.now() > giveUpMs) throw new Error(`node ${nodeId} did not become ready again`);
    await pause(20);
  }
}

function shownMemory(): string {
  return [...watch.highest].map(([name, bytes]) => `${name} ${Math.round(bytes / MIB)} MiB`).join(", ");
}

interface Result {
  readonly command: string;
  readonly date: string;
  readonly node: string;
  readonly cores: number;
  readonly memory: string;
  readonly fill: Fill;
  readonly pauses: Pauses;
  readonly rssAnonMiB: Record<"afterFill" | "afterScan" | "atMost", Record<string, number>>;
  readonly scans: readonly Scan[];
  readonly kills: Kills;
}

function report({ command, date, node, cores, memory, fill, pauses, rssAnonMiB, scans, kills }: Result): string {
  const shown = (each: Record<string, number>): string =>
    Object.entries(each)
      .map(([name, mib]) => `${name} ${mib}`)
      .join(", ");
  const errors = Object.entries(fill.errors).map(([code, times]) => `${times} × ${code}`);
  return [
    `${date}, node ${node}, ${cores} cores shared by three nodes, the gateway and the load`,
    command,
    "",
    `--memory ${memory}, ${fill.entries} entries of ${valueBytes} random bytes at ack=all in ${fill.seconds.toFixed(0)} s: ${fill.perSecond}/s, errors: ${errors.join(", ") || "none"}`,
    `meanwhile 99.9 % of ${pauses.capture.count} captures took at most ${pauses.capture.atMostMs} ms, of ${pauses.turn.count} turns ${pauses.turn.atMostMs} ms; bytes written for each byte of a value: ${shown(pauses.amplification)}`,
    `highest RssAnon, MiB: after filling ${shown(rssAnonMiB.afterFill)}; after the scan ${shown(rssAnonMiB.afterScan)}; after the kills ${shown(rssAnonMiB.atMost)}`,
    ...scans.flatMap(scanLines),
    `${kills.kills} kills with -9 under load (${kills.written} more entries), everything compared after each: lost ${kills.lost}, twice ${kills.twice}, extra ${kills.foreign}; ready again after ms: ${kills.backMs.join(" ")}`,
    "",
  ].join("\n");
}

function scanLines(scan: Scan): readonly string[] {
  const { before, during } = scan.writerMs;
  return [
    `XRANGE COUNT ${count} over all of it, ${scan.readers === 1 ? "one connection" : `${scan.readers} connections`}${scan.askedPerSecond === 0 ? "" : `, at most ${scan.askedPerSecond}/s asked for`}: ${scan.entries} entries, ${scan.perSecond}/s, pages p50 ${scan.pageP50Ms.toFixed(1)} p99 ${scan.pageP99Ms.toFixed(1)} ms; lost ${scan.lost}, twice ${scan.twice}, extra ${scan.foreign}`,
    `  a writer at ${values.rate}/s: alone p50 ${before.p50.toFixed(1)} p99 ${before.p99.toFixed(1)} ms (${before.perSecond}/s); during the scan p50 ${during.p50.toFixed(1)} p99 ${during.p99.toFixed(1)} ms (${during.perSecond}/s)`,
  ];
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
