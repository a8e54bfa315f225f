/**
 * `npm run bench:value-memory`: what an element takes beside the streams: a million small strings, fields, members. A node of its own process takes them as
 * clients send them and is left alone until nothing more is packed; a redis-server takes the same. Bytes are by how much each has grown for an element: of
 * the node its heap and buffers after a collection, of Redis its `used_memory`; and of both what the kernel counts (RssAnon), which has garbage, holes,
 * buffers of the log and of the store in it.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LocalCluster } from "@headrace/testkit";
import { fill } from "../load/fill.ts";
import { redisSystem } from "../suite/redis-system.ts";
import { metricsOf, sumOf } from "./node-metrics.ts";
import { rssAnonBytes } from "./process-memory.ts";
import { progressBar } from "./progress-bar.ts";
import { NodeMemory, redisUsedBytes } from "./used-memory.ts";

const { values } = parseArgs({
  options: {
    elements: { type: "string", default: "1000000" },
    only: { type: "string", default: "" },
    "no-save": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run bench:value-memory [-- options]",
      "  --elements N   of each kind (default 1,000,000)",
      "  --only WORD    kinds whose names have this word",
      "  --no-save      leave bench/results as it is",
      "  --json         one JSON line instead of the report",
    ].join("\n"),
  );
  process.exit(0);
}

const LOOK_EVERY_MS = 500;
/** So many looks in a row that show the same number of packed keys. */
const SAME_LOOKS = 6;

interface Kind {
  readonly name: string;
  readonly request: (i: number) => readonly string[];
}

const kinds: readonly Kind[] = [
  { name: "strings: counters of 7 digits", request: (i) => ["SET", keyOf(i), String(1_000_000 + i)] },
  { name: "strings of 16 bytes", request: (i) => ["SET", keyOf(i), `value ${digits(i, 10)}`] },
  { name: "strings of 40 bytes", request: (i) => ["SET", keyOf(i), `value ${digits(i, 34)}`] },
  {
    name: "fields of one hash, integers",
    request: (i) => ["HSET", "h", `field:${digits(i, 7)}`, String(1_000_000 + i)],
  },
  {
    name: "fields of hashes of ten, texts of 16",
    request: tenth("HSET", (i) => [`field-${i % 10}`, `value ${digits(i, 10)}`]),
  },
  { name: "members of one set, 16 bytes", request: (i) => ["SADD", "s", `member ${digits(i, 9)}`] },
  { name: "members of one set, ids of 36 bytes", request: (i) => ["SADD", "s", digits(i, 36)] },
  {
    name: "members of one sorted set, 13 bytes",
    request: (i) => ["ZADD", "z", String((i * 7919) % 1_000_003), `user:${digits(i, 8)}`],
  },
];

/** 12 bytes. */
function keyOf(i: number): string {
  return `user:${digits(i, 7)}`;
}

function digits(i: number, length: number): string {
  return String(i).padStart(length, "0");
}

/** Ten elements under each key. */
function tenth(command: string, rest: (i: number) => readonly string[]): Kind["request"] {
  return (i) => [command, keyOf(Math.floor(i / 10)), ...rest(i)];
}

interface Grown {
  readonly usedBytes: number;
  readonly rssAnonBytes: number;
}

interface Row {
  readonly kind: string;
  readonly headrace: Grown & { readonly packedKeys: number };
  readonly redis: Grown | null;
}

const elements = Number(values.elements);
const redis = redisSystem("redis", "no", 0);
const bar = progressBar();
const rows: Row[] = [];
const chosen = kinds.filter(({ name }) => name.includes(values.only));
for (const [at, kind] of chosen.entries()) {
  bar(kind.name, at / chosen.length);
  rows.push({
    kind: kind.name,
    headrace: await onHeadrace(kind),
    redis: "missing" in redis.find() ? null : await onRedis(kind),
  });
}
bar("");
const result = {
  command:
    `npm run bench:value-memory ${process.argv.length > 2 ? "-- " : ""}${process.argv.slice(2).join(" ")}`.trim(),
  date: new Date().toISOString(),
  node: process.version,
  elements,
  rows,
};
if (!values["no-save"]) {
  const place = fileURLToPath(new URL("../results/value-memory", import.meta.url));
  writeFileSync(`${place}.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${place}.txt`, report());
}
console.log(values.json ? JSON.stringify(result) : report());

async function onHeadrace(kind: Kind): Promise<Row["headrace"]> {
  const cluster = await LocalCluster.start({ flags: ["--nodes", "1", "--replicas", "1"] });
  try {
    const node = cluster.places().nodes[0]!;
    const memory = await NodeMemory.open(node.pid);
    const used = await memory.usedBytes();
    const rssAnon = rssAnonBytes(node.pid)!;
    await fill(cluster.port, elements, kind.request);
    const packedKeys = await packedAtLast(async () => sumOf(await metricsOf(node), "headrace_packed_streams"));
    const rssGrown = rssAnonBytes(node.pid)! - rssAnon;
    const usedGrown = (await memory.usedBytes()) - used;
    memory.close();
    return { usedBytes: usedGrown / elements, rssAnonBytes: rssGrown / elements, packedKeys };
  } finally {
    await cluster.destroy();
  }
}

async function onRedis(kind: Kind): Promise<Grown> {
  const running = await redis.start();
  try {
    const { pid } = running.processes()[0]!;
    const used = await redisUsedBytes(running.port);
    const rssAnon = rssAnonBytes(pid)!;
    await fill(running.port, elements, kind.request);
    const usedGrown = (await redisUsedBytes(running.port)) - used;
    return { usedBytes: usedGrown / elements, rssAnonBytes: (rssAnonBytes(pid)! - rssAnon) / elements };
  } finally {
    await running.stop();
  }
}

/** When it has been the same for a while. */
async function packedAtLast(look: () => Promise<number>): Promise<number> {
  let [packed, same] = [await look(), 0];
  while (same < SAME_LOOKS) {
    await pause(LOOK_EVERY_MS);
    const now = await look();
    same = now === packed ? same + 1 : 0;
    packed = now;
  }
  return packed;
}

function report(): string {
  return [
    `${result.date}, node ${result.node}: ${result.command}`,
    `${elements} elements of each kind; bytes an element with keys and all, by how much a node of one replica and ${"missing" in redis.find() ? "(no redis-server)" : `redis-server ${(redis.find() as { version: string }).version}`} have grown`,
    "",
    ...rows.map(({ kind, headrace, redis: theirs }) => {
      const ours = `${kind}: ${headrace.usedBytes.toFixed(1)} (RssAnon ${headrace.rssAnonBytes.toFixed(1)}; ${headrace.packedKeys} keys packed)`;
      if (theirs === null) return ours;
      const times = (headrace.usedBytes / theirs.usedBytes).toFixed(2);
      return `${ours}, Redis ${theirs.usedBytes.toFixed(1)} (RssAnon ${theirs.rssAnonBytes.toFixed(1)}): ${times} ×`;
    }),
    "",
  ].join("\n");
}
