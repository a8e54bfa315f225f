/**
 * `npm run bench:disk-space`: what a byte of payload costs on disk, and how soon disk space comes back. A cluster of one process takes entries, random ones
 * and such as applications write (JSON), until its directory shrinks no more by itself; then XTRIM, DEL and FLUSHALL each give away a third, and the
 * directory is looked at until nothing more comes back. The log's segments are counted apart: they are preallocated, and used again.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { progressBar } from "./progress-bar.ts";

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "512" },
    "value-bytes": { type: "string", default: "256" },
    "quiet-seconds": { type: "string", default: "20" },
    "no-save": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    [
      "npm run bench:disk-space [-- options]",
      "  --mib N             payload of each kind of entries (default 512)",
      "  --value-bytes N     bytes of a value (default 256)",
      "  --quiet-seconds N   so long nothing may change before a size counts as the last one (default 20)",
      "  --no-save           leave bench/results as it is",
      "  --json              one JSON line instead of the report",
    ].join("\n"),
  );
  process.exit(0);
}

const MIB = 1024 * 1024;
const LOOK_EVERY_MS = 250;
/** Sizes that differ by less are the same: the store's own log and counters move all the time. */
const SAME_BYTES = MIB;
const SETTLED_WITHIN_MS = 600_000;
const PIPELINE = 500;
/** Shares of what was there at which time is taken. */
const SHARES = [0.5, 0.9, 0.99];

const payloadBytes = Number(values.mib) * MIB;
const valueBytes = Number(values["value-bytes"]);
const quietMs = Number(values["quiet-seconds"]) * 1000;
const bar = progressBar();

interface Sizes {
  /** Everything but the log's segments. */
  readonly stored: number;
  readonly log: number;
}

interface Returned {
  readonly step: string;
  readonly freedPayloadMiB: number;
  readonly beforeMiB: number;
  readonly afterMiB: number;
  /** Share of what came back in the end → seconds since the command. */
  readonly seconds: Readonly<Record<string, number>>;
}

interface KindResult {
  readonly kind: string;
  readonly payloadMiB: number;
  readonly storedMiB: number;
  readonly logMiB: number;
  readonly bytesPerByte: number;
  readonly returned: readonly Returned[];
}

const kinds: readonly { readonly kind: string; readonly make: (serial: number) => Buffer }[] = [
  { kind: "random", make: () => randomBytes(valueBytes) },
  { kind: "json", make: jsonValue },
];
const results: KindResult[] = [];
for (const { kind, make } of kinds) results.push(await measured(kind, make));
bar("");
const result = {
  command: `npm run bench:disk-space ${process.argv.length > 2 ? "-- " : ""}${process.argv.slice(2).join(" ")}`.trim(),
  date: new Date().toISOString(),
  node: process.version,
  valueBytes,
  kinds: results,
};
if (!values["no-save"]) {
  const folder = join(fileURLToPath(new URL("../results", import.meta.url)));
  writeFileSync(join(folder, "disk-space.json"), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(folder, "disk-space.txt"), report());
}
console.log(values.json ? JSON.stringify(result) : report());

/** Events of an application: names repeat, numbers and words differ. */
function jsonValue(serial: number): Buffer {
  const event = {
    type: ["order.created", "order.paid", "order.shipped"][serial % 3],
    id: randomBytes(8).toString("hex"),
    at: new Date(1_800_000_000_000 + serial * 37).toISOString(),
    customer: { id: serial % 50_000, country: ["DE", "FR", "NL", "PL"][serial % 4], segment: "retail" },
    total: { amount: (serial * 7919) % 100_000, currency: "EUR" },
    note: "",
  };
  const bare = JSON.stringify(event).length;
  return Buffer.from(
    JSON.stringify({ ...event, note: "thank you. ".repeat(40).slice(0, Math.max(0, valueBytes - bare)) }),
  );
}

async function measured(kind: string, make: (serial: number) => Buffer): Promise<KindResult> {
  const cluster = await LocalCluster.start({ flags: ["--nodes", "1", "--replicas", "1", "--shards", "2"] });
  const redis = new Redis({ port: cluster.port, host: "127.0.0.1" });
  try {
    const keys = ["a", "b", "c"].map((tag) => `${kind}:{${tag}}`);
    const written = await fill(redis, kind, keys, make);
    const full = await settled(cluster.dataDirectory, `${kind}: filled`);
    const third = written / 3;
    const returned = [
      await returning(cluster, "XTRIM MAXLEN 0", third, () => redis.xtrim(keys[0]!, "MAXLEN", 0)),
      await returning(cluster, "DEL", third, () => redis.del(keys[1]!)),
      await returning(cluster, "FLUSHALL", third, () => redis.flushall()),
    ];
    return {
      kind,
      payloadMiB: written / MIB,
      storedMiB: full.stored / MIB,
      logMiB: full.log / MIB,
      bytesPerByte: full.stored / written,
      returned,
    };
  } finally {
    redis.disconnect();
    await cluster.destroy();
  }
}

/** Answers the bytes of all values. */
async function fill(
  redis: Redis,
  kind: string,
  keys: readonly string[],
  make: (serial: number) => Buffer,
): Promise<number> {
  let written = 0;
  for (let serial = 0; written < payloadBytes;) {
    const pipeline = redis.pipeline();
    for (let i = 0; i < PIPELINE; i++, serial++) {
      const value = make(serial);
      written += value.length;
      pipeline.xadd(keys[serial % keys.length]!, "*", "v", value);
    }
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    bar(`${kind}: filling`, written / payloadBytes, `${Math.round(written / MIB)} MiB`);
  }
  return written;
}

async function returning(
  cluster: LocalCluster,
  step: string,
  freedBytes: number,
  give: () => Promise<unknown>,
): Promise<Returned> {
  const before = sizesOf(cluster.dataDirectory).stored;
  const from = performance.now();
  const seen: { readonly seconds: number; readonly stored: number }[] = [];
  await give();
  const after = await settled(cluster.dataDirectory, step, (stored) => {
    seen.push({ seconds: (performance.now() - from) / 1000, stored });
  });
  const came = before - after.stored;
  const seconds: Record<string, number> = {};
  for (const share of SHARES) {
    const reached = seen.find(({ stored }) => before - stored >= came * share);
    if (came > SAME_BYTES && reached !== undefined) seconds[`${share * 100}%`] = reached.seconds;
  }
  return {
    step,
    freedPayloadMiB: freedBytes / MIB,
    beforeMiB: before / MIB,
    afterMiB: after.stored / MIB,
    seconds,
  };
}

/** The sizes when they have not changed for a while. */
async function settled(
  directory: string,
  what: string,
  look: (stored: number) => void = () => undefined,
): Promise<Sizes> {
  const giveUpMs = performance.now() + SETTLED_WITHIN_MS;
  let last = sizesOf(directory);
  let changedMs = performance.now();
  while (performance.now() - changedMs < quietMs && performance.now() < giveUpMs) {
    await pause(LOOK_EVERY_MS);
    const sizes = sizesOf(directory);
    look(sizes.stored);
    bar(what, (performance.now() - changedMs) / quietMs, `${Math.round(sizes.stored / MIB)} MiB stored`);
    if (Math.abs(sizes.stored - last.stored) < SAME_BYTES) continue;
    last = sizes;
    changedMs = performance.now();
  }
  return sizesOf(directory);
}

/** What the files take on disk, holes left out; files that go away meanwhile count nothing. */
function sizesOf(directory: string): Sizes {
  let stored = 0;
  let log = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    const bytes = found.blocks * 512;
    if (/[\\/]wal$/.test(entry.parentPath)) log += bytes;
    else stored += bytes;
  }
  return { stored, log };
}

function report(): string {
  const lines = [`${result.command}, ${result.date}, node ${result.node}, values of ${valueBytes} bytes`];
  for (const { kind, payloadMiB, storedMiB, logMiB, bytesPerByte, returned } of results) {
    lines.push(
      "",
      `${kind}: ${payloadMiB.toFixed(0)} MiB of values → ${storedMiB.toFixed(0)} MiB in the store, ${bytesPerByte.toFixed(2)} bytes a byte (and ${logMiB.toFixed(0)} MiB of log segments)`,
    );
    for (const { step, freedPayloadMiB, beforeMiB, afterMiB, seconds } of returned) {
      const times = Object.entries(seconds).map(([share, time]) => `${share} of that after ${time.toFixed(1)} s`);
      lines.push(
        `  ${step.padEnd(16)} ${freedPayloadMiB.toFixed(0)} MiB of values: ${beforeMiB.toFixed(0)} → ${afterMiB.toFixed(0)} MiB; ${times.join(", ") || "nothing came back"}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
