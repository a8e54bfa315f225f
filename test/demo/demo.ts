/**
 * `npm run demo`: the main job on real input. 200,000 flights go into eight streams at ack=all while three consumers read and acknowledge them; the
 * leader of a shard is killed with -9 on the way, and later the whole cluster. At the end a fresh process compares every row with the file.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { LocalCluster, signal } from "@headrace/testkit";
import { Redis } from "ioredis";
import { consume, Deliveries } from "./consumer.ts";
import { GROUP, loadFlights, STREAM_COUNT, streamName } from "./flights.ts";
import { Producer, type ProducerCounts } from "./producer.ts";

const CONSUMERS = ["ann", "bob", "cid"];
const MIN_IN_FLIGHT = 500;
const EXPECTED = { delay: 1_500_159, distance: 145_847_125 };

if (process.argv.includes("--help")) {
  console.log(
    "npm run demo [-- --json]   runs the whole demonstration on a cluster of its own; --json prints the result as one JSON line",
  );
  process.exit(0);
}
const asJson = process.argv.includes("--json");
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const flights = loadFlights();
const cluster = await LocalCluster.start({ flags: ["--ack", "all"] });
say(`cluster at ${cluster.url}, data in ${cluster.dataDirectory}`);

const connections: Redis[] = [];
function connect(): Redis {
  const redis = new Redis(cluster.url, {
    // Nothing is sent twice behind the producer's back: what is uncertain is resolved by looking.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
    lazyConnect: false,
  });
  redis.on("error", () => {
    // Every failure reaches the caller of the command; the event must only have a listener.
  });
  connections.push(redis);
  return redis;
}

const setup = connect();
await new Promise((ready) => setup.once("ready", ready));
for (let stream = 0; stream < STREAM_COUNT; stream++) {
  await setup.xgroup("CREATE", streamName(stream), GROUP, "0", "MKSTREAM");
}

const counts: ProducerCounts = {
  acknowledged: 0,
  uncertain: 0,
  foundAfterwards: 0,
  writtenAgain: 0,
  inFlight: 0,
  lastSuccessMs: Array<number>(STREAM_COUNT).fill(performance.now()),
  longestGapMs: Array<number>(STREAM_COUNT).fill(0),
};
const deliveries = new Deliveries(flights.length);
let produced = false;

const producerLinks = Array.from({ length: STREAM_COUNT }, connect);
const consumerLinks = CONSUMERS.flatMap((name) =>
  Array.from({ length: STREAM_COUNT }, (_, stream) => ({ name, stream, redis: connect() })),
);
await Promise.all(
  [...producerLinks, ...consumerLinks.map((link) => link.redis)].map((redis) =>
    redis.status === "ready" ? Promise.resolve() : new Promise((ready) => redis.once("ready", ready)),
  ),
);

const startedMs = performance.now();
counts.lastSuccessMs.fill(startedMs);
const bar = setInterval(progress, process.stderr.isTTY ? 200 : 2000);
const producing = Promise.all(
  producerLinks.map((redis, stream) => new Producer(redis, flights, stream, counts).run()),
).then(() => {
  produced = true;
});
const consuming = Promise.all(
  consumerLinks.map(({ redis, stream, name }) => consume(redis, stream, name, deliveries, () => produced)),
);

const leaderKill = await killLeader(0.3);
const clusterKill = await killCluster(0.6);
await producing;
const producedMs = performance.now() - startedMs;
await consuming;
clearInterval(bar);
progress();
if (process.stderr.isTTY) process.stderr.write("\n");

for (const redis of connections) redis.disconnect();
const verification = spawnSync(
  process.execPath,
  [fileURLToPath(new URL("./verify.ts", import.meta.url)), cluster.url],
  { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
);
const verified = JSON.parse(verification.stdout) as {
  entries: number;
  twice: number;
  different: number;
  lost: number;
  delaySum: number;
  distanceSum: number;
};
const undelivered = deliveries.perRow.reduce((missing, times) => missing + (times === 0 ? 1 : 0), 0);
if (undelivered > 0) await explainUndelivered();
await cluster.destroy();

const result = {
  entriesAcknowledged: counts.acknowledged,
  entriesDelivered: deliveries.distinct,
  duplicatesDelivered: deliveries.delivered - deliveries.distinct,
  uncertainWrites: counts.uncertain,
  uncertainFoundInStream: counts.foundAfterwards,
  uncertainWrittenAgain: counts.writtenAgain,
  rowsAddedTwice: verified.twice,
  entriesLost: verified.lost,
  rowsDifferent: verified.different,
  rowsNeverDelivered: undelivered,
  delaySum: verified.delaySum,
  distanceSum: verified.distanceSum,
  entriesPerSecond: Math.round(flights.length / (producedMs / 1000)),
  leaderKill,
  clusterKill,
};
const good =
  verification.status === 0 &&
  verified.lost === 0 &&
  verified.different === 0 &&
  undelivered === 0 &&
  counts.acknowledged >= flights.length &&
  verified.delaySum === EXPECTED.delay &&
  verified.distanceSum === EXPECTED.distance;
report();
process.exit(good ? 0 : 1);

/** Where the rows are that no consumer got: still pending (and whose), or behind the group's position. */
async function explainUndelivered(): Promise<void> {
  const redis = connect();
  await new Promise((ready) => redis.once("ready", ready));
  for (let stream = 0; stream < STREAM_COUNT; stream++) {
    const key = streamName(stream);
    const entries = await redis.xrange(key, "-", "+");
    const missed = entries.filter(([, fields]) => deliveries.perRow[Number(fields[1])] === 0).map(([id]) => id);
    if (missed.length === 0) continue;
    const pending = (await redis.xpending(key, GROUP, "-", "+", 1_000_000)) as [string, string, number, number][];
    const owners = new Map(pending.map(([id, owner, , count]) => [id, `${owner} x${count}`]));
    say(
      `${key}: ${missed.length} not delivered, ${missed[0]} … ${missed.at(-1)}, pending: ${missed
        .map((id) => owners.get(id) ?? "no")
        .join(",")
        .slice(0, 300)}`,
    );
    say(JSON.stringify(await redis.xinfo("GROUPS", key)));
  }
}

/** Waits until that share of the rows is acknowledged and enough writes are in flight. */
async function reach(share: number): Promise<number> {
  while (counts.acknowledged < flights.length * share || counts.inFlight < MIN_IN_FLIGHT) {
    await new Promise((next) => setImmediate(next));
    if (produced) throw new Error("all rows were written before the kill");
  }
  return counts.inFlight;
}

interface Leader {
  readonly nodeId: number;
  readonly term: number;
  readonly pid: number;
}

interface GroupStatus {
  readonly groupId: number;
  readonly role: string;
  readonly term: number;
}

/** Who leads the group by its nodes' own status; the highest term counts. */
async function leaderOf(groupId: number): Promise<Leader | null> {
  let leader: Leader | null = null;
  for (const node of cluster.places().nodes) {
    try {
      const status = (await cluster.nodeStatus(node)) as { groups?: readonly GroupStatus[] };
      const group = status.groups?.find((candidate) => candidate.groupId === groupId);
      if (group?.role === "leader" && (leader === null || group.term > leader.term)) {
        leader = { nodeId: node.id, term: group.term, pid: node.pid };
      }
    } catch {
      // A node that is down leads nothing.
    }
  }
  return leader;
}

async function awaitLeader(groupId: number, differentFrom: number): Promise<Leader> {
  for (;;) {
    const leader = await leaderOf(groupId);
    if (leader !== null && leader.nodeId !== differentFrom) return leader;
    await pause(20);
  }
}

async function killLeader(share: number): Promise<Record<string, unknown>> {
  const before = await awaitLeader(1, -1);
  const inFlight = await reach(share);
  counts.longestGapMs.fill(0);
  counts.lastSuccessMs.fill(performance.now());
  signal(before.pid, "SIGKILL");
  const uncertainBefore = counts.uncertain;
  const after = await awaitLeader(1, before.nodeId);
  await everyStreamFlows();
  const kill = {
    shard: 1,
    inFlight,
    leaderBefore: before.nodeId,
    termBefore: before.term,
    leaderAfter: after.nodeId,
    termAfter: after.term,
    uncertain: counts.uncertain - uncertainBefore,
    longestGapMs: Math.round(Math.max(...counts.longestGapMs)),
  };
  if (process.stderr.isTTY) say("");
  say(`killed -9 the leader of shard 1: ${JSON.stringify(kill)}`);
  return kill;
}

async function killCluster(share: number): Promise<Record<string, unknown>> {
  // The node killed before must be back: a majority of each shard is what ack=all needs, and a clean picture what the reader needs.
  const before = await awaitLeader(1, -1);
  const inFlight = await reach(share);
  counts.longestGapMs.fill(0);
  counts.lastSuccessMs.fill(performance.now());
  const uncertainBefore = counts.uncertain;
  await cluster.killAll();
  await cluster.run();
  const after = await awaitLeader(1, -1);
  await everyStreamFlows();
  const kill = {
    inFlight,
    leaderBefore: before.nodeId,
    termBefore: before.term,
    leaderAfter: after.nodeId,
    termAfter: after.term,
    uncertain: counts.uncertain - uncertainBefore,
    longestGapMs: Math.round(Math.max(...counts.longestGapMs)),
  };
  if (process.stderr.isTTY) say("");
  say(`killed -9 every process and started again: ${JSON.stringify(kill)}`);
  return kill;
}

/** The gap is known once every stream has had a successful write after now. */
async function everyStreamFlows(): Promise<void> {
  const from = performance.now();
  while (counts.lastSuccessMs.some((lastMs) => lastMs < from) && !produced) await pause(5);
}

function progress(): void {
  const total = flights.length;
  const share = Math.min(1, counts.acknowledged / total);
  const filled = "#".repeat(Math.round(share * 30)).padEnd(30, ".");
  const rate = Math.round(counts.acknowledged / ((performance.now() - startedMs) / 1000));
  const line = `[${filled}] ${counts.acknowledged}/${total} acknowledged, ${deliveries.distinct} delivered, ${counts.inFlight} in flight, ${rate}/s`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}` : `${line}\n`);
}

function report(): void {
  if (asJson) {
    console.log(JSON.stringify({ good, ...result }));
    return;
  }
  const rows: readonly (readonly [string, string | number])[] = [
    ["entries acknowledged to the producer", result.entriesAcknowledged],
    ["entries delivered", result.entriesDelivered],
    ["duplicates delivered (in flight at a kill)", result.duplicatesDelivered],
    ["uncertain writes", result.uncertainWrites],
    ["  found in the stream afterwards", result.uncertainFoundInStream],
    ["  not there, written again", result.uncertainWrittenAgain],
    ["rows added twice", result.rowsAddedTwice],
    ["entries lost", result.entriesLost],
    ["rows that differ from the file", result.rowsDifferent],
    ["sum of delay over distinct rows", result.delaySum],
    ["sum of distance over distinct rows", result.distanceSum],
    ["entries a second", result.entriesPerSecond],
    ["longest gap of a stream's writes at the leader's kill, ms", Number(leaderKill["longestGapMs"])],
    ["longest gap of a stream's writes at the cluster's kill, ms", Number(clusterKill["longestGapMs"])],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(62)} ${value}`);
  console.log(good ? "nothing acknowledged was lost" : "NOT AS IT SHOULD BE");
}
