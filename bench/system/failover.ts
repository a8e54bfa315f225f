/**
 * `npm run bench:failover`: how long writes at ack=all stand still when a leader dies with kill -9, goes silent (SIGSTOP), or is asked to go (SIGTERM),
 * with real processes, default settings and load on every shard; and whether anything acknowledged is lost. `--soak-minutes` instead lets the cluster
 * run at full load without faults and counts elections.
 *
 * The gap of one fault is the longest time without a successful write that any stream had, from the fault until every stream is written to again (and, of a
 * node that was asked to go, until its process has ended). What follows, a node that starts again or wakes up and gets its leaderships back, is reported
 * by itself, and so is the longest gap of the seconds before the fault: on a busy machine that is not 0 either.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { groupLeaders, isReady, LocalCluster, processGone, signal, type RunningNode } from "@headrace/testkit";
import { failoverReport, type FailoverResult, type Fault, type FaultKind, type Soak } from "./failover-report.ts";
import { readBack } from "./read-back.ts";
import { streamOnShard } from "./shard-streams.ts";
import { StreamWriter, type WriteLoadOptions } from "./write-load.ts";

const SHARDS = 8;
const SILENT_MS = 10_000;
/** Long enough that leadership has gone back to where the placement wants it, so that a planned stop is measured with what follows from it. */
const AFTER_PLANNED_MS = 8000;
/** Between two faults, for comparison. */
const CALM_MS = 1000;
const WHOLE_WITHIN_MS = 60_000;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "15" },
    silent: { type: "string", default: "15" },
    planned: { type: "string", default: "5" },
    "soak-minutes": { type: "string", default: "0" },
    rate: { type: "string", default: "6000" },
    flags: { type: "string", default: "" },
    "first-port": { type: "string" },
    "no-save": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run bench:failover [-- options]",
      "  --kills N          leaders killed with -9 (default 15)",
      "  --silent N         leaders stopped with SIGSTOP for 10 s (default 15)",
      "  --planned N        leaders' nodes asked to go with SIGTERM (default 5)",
      "  --rate N           writes a second over all shards during the faults (default 6000; 0 = as fast as replies come)",
      "  --soak-minutes M   no faults: full load for M minutes, elections counted",
      '  --flags "…"        further flags for headrace up',
      "  --first-port N     else a free range is looked for",
      "  --no-save          leave bench/results as it is",
      "  --json             one JSON line instead of the tables",
    ].join("\n"),
  );
  process.exit(0);
}

const soakMinutes = Number(values["soak-minutes"]);
const cluster = await LocalCluster.start({
  flags: ["--shards", String(SHARDS), ...values.flags.split(" ").filter((flag) => flag !== "")],
  ...(values["first-port"] === undefined ? {} : { firstPort: Number(values["first-port"]) }),
});
const streams = Array.from({ length: SHARDS }, (_, shard) => streamOnShard(shard, SHARDS));
let good: boolean;
try {
  await balanced();
  const result = soakMinutes > 0 ? await soak() : await faults();
  good = result.good;
  const command =
    `npm run bench:failover ${process.argv.length > 2 ? "-- " : ""}${process.argv.slice(2).join(" ")}`.trim();
  const whole: FailoverResult = {
    command,
    date: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    ...result,
  };
  const text = failoverReport(whole);
  if (!values["no-save"]) save(soakMinutes > 0 ? "soak" : "failover", whole, text);
  console.log(values.json ? JSON.stringify({ ...whole, faults: undefined }) : text);
} finally {
  bar("");
  await cluster.destroy();
}
process.exit(good ? 0 : 1);

function save(name: string, whole: FailoverResult, text: string): void {
  const folder = join(fileURLToPath(new URL("../results", import.meta.url)));
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(whole, null, 2)}\n`);
  writeFileSync(join(folder, `${name}.txt`), text);
}

function startLoad(options: Omit<WriteLoadOptions, "port">): StreamWriter[] {
  const writers = streams.map((key) => new StreamWriter(key, { port: cluster.port, ...options }));
  for (const writer of writers) writer.start();
  return writers;
}

// ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function faults(): Promise<Pick<FailoverResult, "good" | "faults" | "lost" | "twice" | "acknowledged">> {
  const writers = startLoad({ inFlight: 16, perSecond: Number(values.rate) / SHARDS, valueBytes: 64, trim: [] });
  await pause(2000);
  const found: Fault[] = [];
  const plan: FaultKind[] = [
    ...Array<FaultKind>(Number(values.kills)).fill("kill"),
    ...Array<FaultKind>(Number(values.silent)).fill("silent"),
    ...Array<FaultKind>(Number(values.planned)).fill("planned"),
  ];
  for (const [at, kind] of plan.entries()) {
    bar(
      `[${"#".repeat(at).padEnd(plan.length, ".")}] ${kind}, ${sum(writers, (writer) => writer.succeeded)} acknowledged`,
    );
    if (kind === "planned" && plan[at - 1] !== "planned") await balanced();
    found.push(await inject(kind, at, writers));
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  bar("reading everything back");
  let lost = 0;
  let twice = 0;
  for (const writer of writers) {
    const seen = await readBack(cluster.url, writer);
    lost += seen.lost;
    twice += seen.twice;
  }
  const acknowledged = sum(writers, (writer) => writer.succeeded);
  const isClean = found.filter((fault) => fault.kind === "planned").every((fault) => fault.errors === 0);
  const otherErrors = sum(found, (fault) => fault.errors - fault.uncertain);
  return { good: lost === 0 && twice === 0 && isClean && otherErrors === 0, faults: found, lost, twice, acknowledged };
}

/** One fault at the leader of a shard, and everything until all nodes are ready again. */
async function inject(kind: FaultKind, at: number, writers: readonly StreamWriter[]): Promise<Fault> {
  const shard = (at % SHARDS) + 1;
  const before = await leadersKnown();
  const node = cluster.places().nodes.find((candidate) => candidate.id === before.nodes.get(shard))!;
  const led = [...before.nodes].filter(([group, leader]) => leader === node.id && group !== 0).length;
  const errorsBefore = sum(writers, (writer) => writer.errorCount());
  const uncertainBefore = sum(writers, (writer) => writer.errors.get("UNCERTAIN") ?? 0);
  const lostBefore = sum(writers, (writer) => writer.connectionsLost);
  const inFlight = sum(writers, (writer) => writer.inFlight);
  const calmMs = longestGap(writers);
  for (const writer of writers) writer.mark();
  const fromMs = performance.now();
  if (kind === "kill") signal(node.pid, "SIGKILL");
  else if (kind === "silent") signal(node.pid, "SIGSTOP");
  else signal(node.pid, "SIGTERM");
  let gaps: readonly number[];
  try {
    // A stream that the node does not lead goes on at once: the others show when they have found their new leader.
    await newLeaders(before.nodes, node.id, kind === "silent" ? node : null);
    if (kind === "planned") await processGone(node.pid);
    await everyStreamFlows(writers, performance.now());
    gaps = writers.map((writer) => writer.gapMs(performance.now()));
    for (const writer of writers) writer.mark();
    if (kind === "silent") await pause(Math.max(0, SILENT_MS - (performance.now() - fromMs)));
  } finally {
    if (kind === "silent") signal(node.pid, "SIGCONT");
  }
  if (kind !== "silent") await processGone(node.pid);
  const goneMs = performance.now() - fromMs;
  await whole(node, kind !== "silent");
  if (kind === "planned") await pause(AFTER_PLANNED_MS);
  await everyStreamFlows(writers, performance.now());
  const afterwardsMs = longestGap(writers);
  for (const writer of writers) writer.mark();
  await pause(CALM_MS);
  const after = await leadersKnown();
  return {
    kind,
    shard,
    node: node.id,
    shardsLed: led,
    inFlight,
    gapMs: Math.max(...gaps),
    afterwardsMs,
    calmMs,
    gapByStreamMs: gaps.map((gap) => Math.round(gap)),
    goneMs: kind === "silent" ? null : goneMs,
    errors:
      sum(writers, (writer) => writer.errorCount()) -
      errorsBefore +
      sum(writers, (w) => w.connectionsLost) -
      lostBefore,
    uncertain: sum(writers, (writer) => writer.errors.get("UNCERTAIN") ?? 0) - uncertainBefore,
    elections: electionsBetween(before.terms, after.terms),
  };
}

function longestGap(writers: readonly StreamWriter[]): number {
  return Math.max(...writers.map((writer) => writer.gapMs(performance.now())));
}

/** Every group that the node led is led by another one. `silent`: it would not answer, and only cost time. */
async function newLeaders(led: ReadonlyMap<number, number>, nodeId: number, silent: RunningNode | null): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  const others = cluster.places().nodes.filter(({ id }) => id !== nodeId || silent === null);
  for (;;) {
    const { nodes } = await groupLeaders(others);
    if ([...led].every(([group, leader]) => leader !== nodeId || (nodes.get(group) ?? nodeId) !== nodeId)) return;
    if (performance.now() > giveUpMs) throw new Error(`nobody took over from node ${nodeId}`);
    await pause(50);
  }
}

async function everyStreamFlows(writers: readonly StreamWriter[], sinceMs: number): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  while (writers.some((writer) => writer.lastSuccessMs < sinceMs)) {
    if (performance.now() > giveUpMs) throw new Error("a stream takes no writes any more");
    await pause(5);
  }
}

/** All nodes ready; `replaced`: the one that went has been started again. */
async function whole(node: RunningNode, replaced: boolean): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const { nodes } = cluster.places();
    const isBack = !replaced || nodes.some(({ id, pid }) => id === node.id && pid !== node.pid && pid > 0);
    if (isBack && (await Promise.all(nodes.map(isReady))).every(Boolean)) return;
    if (performance.now() > giveUpMs) throw new Error(`node ${node.id} did not become ready again`);
    await pause(20);
  }
}

async function leadersKnown(): Promise<Awaited<ReturnType<typeof groupLeaders>>> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const leaders = await groupLeaders(cluster.places().nodes);
    // The shards and the metadata group.
    if (leaders.nodes.size === SHARDS + 1) return leaders;
    if (performance.now() > giveUpMs) throw new Error("not every group has a leader");
    await pause(20);
  }
}

/** Waits until leadership is where the placement wants it: shard i at node i, i + 3, … */
async function balanced(): Promise<void> {
  const giveUpMs = performance.now() + WHOLE_WITHIN_MS;
  for (;;) {
    const { nodes } = cluster.places();
    const leaders = await leadersKnown();
    const counts = nodes.map(
      ({ id }) => [...leaders.nodes].filter(([group, leader]) => group !== 0 && leader === id).length,
    );
    if (Math.max(...counts) <= Math.ceil(SHARDS / nodes.length)) return;
    if (performance.now() > giveUpMs) throw new Error(`leadership stays uneven: ${counts.join(", ")}`);
    await pause(100);
  }
}

function electionsBetween(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  let elections = 0;
  for (const [group, term] of after) elections += term - (before.get(group) ?? 0);
  return elections;
}

// ── soak ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function soak(): Promise<Pick<FailoverResult, "good" | "faults" | "lost" | "twice" | "acknowledged" | "soak">> {
  // The streams are kept short: how much fits into memory is another question.
  const writers = startLoad({ inFlight: 100, perSecond: 0, valueBytes: 256, trim: ["MAXLEN", "~", "20000"] });
  await pause(2000);
  for (const writer of writers) writer.mark();
  const before = await leadersKnown();
  const fromMs = performance.now();
  const untilMs = fromMs + soakMinutes * 60_000;
  const atFirst = sum(writers, (writer) => writer.succeeded);
  while (performance.now() < untilMs) {
    const done = (performance.now() - fromMs) / (untilMs - fromMs);
    const rate = Math.round(
      (sum(writers, (writer) => writer.succeeded) - atFirst) / ((performance.now() - fromMs) / 1000),
    );
    bar(`[${"#".repeat(Math.round(done * 40)).padEnd(40, ".")}] ${rate} writes/s`);
    await pause(Math.min(1000, Math.max(1, untilMs - performance.now())));
  }
  const seconds = (performance.now() - fromMs) / 1000;
  const longestGapMs = Math.max(...writers.map((writer) => writer.gapMs(performance.now())));
  const writes = sum(writers, (writer) => writer.succeeded) - atFirst;
  const after = await leadersKnown();
  await Promise.all(writers.map((writer) => writer.stop()));
  const changed = [...after.nodes].filter(([group, node]) => before.nodes.get(group) !== node).length;
  const result: Soak = {
    minutes: soakMinutes,
    writesPerSecond: Math.round(writes / seconds),
    longestGapMs,
    elections: electionsBetween(before.terms, after.terms),
    leadersChanged: changed,
    errors: sum(writers, (writer) => writer.errorCount()),
  };
  return {
    good: result.elections === 0 && result.errors === 0,
    faults: [],
    lost: 0,
    twice: 0,
    acknowledged: writes,
    soak: result,
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function bar(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== "") process.stderr.write(`${text}\n`);
}
