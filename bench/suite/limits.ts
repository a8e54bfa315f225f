/**
 * What the machine itself does, from the same program and in the same run as the figures that stand above: nothing that is built on it is faster than TCP on
 * the loopback, a durable write, a copy of memory.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { LatencyHistogram } from "../load/histogram.ts";
import type { PeerPorts } from "../load/loopback-peer.ts";
import { RawConnection } from "../load/raw-connection.ts";
import { pageAligned } from "../../packages/wal/src/direct-staging.ts";
import { renderTable, type Cell } from "./table.ts";

export interface LimitLine {
  readonly what: string;
  readonly perSecond: number;
  /** 10⁶ bytes a second, in one direction. */
  readonly megabytesPerSecond: number;
  /** NaN where only the whole was timed. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export const LIMIT_HEAD: readonly string[] = ["", "a second", "MB/s", "p50 ms", "p99 ms"];

export function limitCells({ what, perSecond, megabytesPerSecond, p50Ms, p99Ms }: LimitLine): readonly Cell[] {
  return [what, perSecond, megabytesPerSecond, ...[p50Ms, p99Ms].map((ms) => (Number.isNaN(ms) ? null : ms))];
}

export function limitsText(lines: readonly LimitLine[]): string {
  return [
    "What the machine itself does, measured in this run:",
    renderTable(LIMIT_HEAD, lines.map(limitCells)),
    "",
  ].join("\n");
}

const SECONDS = 1.5;
/** An XADD of 256 B on the wire, about; and what a full turn sends. */
const MESSAGES = [300, 64 * 1024];
const WRITES = [4096, 128 * 1024];
const FILE_BYTES = 64 * 1024 * 1024;
/** In a row, before the event loop gets its turn. */
const WRITES_IN_A_ROW = 64;
/** Far beyond all caches; and within the nearest large one. */
const COPIES = [64 * 1024 * 1024, 64 * 1024];
const peer = fileURLToPath(new URL("../load/loopback-peer.ts", import.meta.url));

/** Takes some fifteen seconds. Files are made where the systems' own are. */
export async function measureLimits(seconds: number = SECONDS): Promise<readonly LimitLine[]> {
  return [...(await network(seconds)), ...disk(seconds), ...COPIES.map((bytes) => copies(bytes, seconds))];
}

async function network(seconds: number): Promise<LimitLine[]> {
  const child = spawn(process.execPath, [peer], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { echo, sink } = JSON.parse(line) as PeerPorts;
      const lines: LimitLine[] = [];
      for (const bytes of MESSAGES) lines.push(await roundTrips(echo, bytes, seconds));
      for (const bytes of MESSAGES) lines.push(await oneWay(sink, bytes, seconds));
      return lines;
    }
    throw new Error("the other end of the connections did not start");
  } finally {
    child.kill("SIGKILL");
  }
}

/** One message at a time to another process, and back. */
async function roundTrips(port: number, messageBytes: number, seconds: number): Promise<LimitLine> {
  const connection = await RawConnection.open(port);
  const message = Buffer.alloc(messageBytes, 120);
  const latencies = new LatencyHistogram();
  const fromMs = performance.now();
  await new Promise<void>((done, failed) => {
    let missing = messageBytes;
    let sentMs = performance.now();
    connection.listen((_, length) => {
      missing -= length;
      if (missing > 0) return;
      const nowMs = performance.now();
      latencies.record(nowMs - sentMs);
      if (nowMs - fromMs >= seconds * 1000) return done();
      missing = messageBytes;
      sentMs = nowMs;
      connection.write(message);
    }, failed);
    connection.write(message);
  });
  const took = (performance.now() - fromMs) / 1000;
  connection.close();
  return line(
    `TCP on the loopback, ${sizeText(messageBytes)} there and back, one at a time`,
    latencies,
    took,
    messageBytes,
  );
}

/** Messages one behind the other, a write each, until the other process has counted the last. */
function oneWay(port: number, messageBytes: number, seconds: number): Promise<LimitLine> {
  const message = Buffer.alloc(messageBytes, 120);
  return new Promise((done, failed) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let fromMs = 0;
    let sent = 0;
    const send = (): void => {
      for (let i = 0; i < WRITES_IN_A_ROW; i++) {
        sent++;
        if (!socket.write(message)) break;
      }
      if (performance.now() - fromMs >= seconds * 1000) socket.end();
      else if (socket.writableNeedDrain) socket.once("drain", send);
      else setImmediate(send);
    };
    let counted = "";
    socket.once("error", failed);
    socket.once("connect", () => {
      fromMs = performance.now();
      send();
    });
    socket.on("data", (chunk: Buffer) => (counted += chunk.toString("latin1")));
    socket.once("end", () => {
      const took = (performance.now() - fromMs) / 1000;
      if (Number(counted) !== sent * messageBytes)
        return failed(new Error(`${counted} bytes of ${sent} messages came`));
      done({
        what: `TCP on the loopback, ${sizeText(messageBytes)} one way, a write each`,
        perSecond: sent / took,
        megabytesPerSecond: (sent * messageBytes) / took / 1e6,
        p50Ms: Number.NaN,
        p99Ms: Number.NaN,
      });
    });
  });
}

/** Durable writes into a file of final size, one behind the other, as a log makes them. */
function disk(seconds: number): LimitLine[] {
  const folder = mkdtempSync(join(tmpdir(), "bench-limits-"));
  const path = join(folder, "file");
  try {
    fill(path);
    return durableWays().flatMap(({ name, flags, isSynced }) =>
      WRITES.map((bytes) => {
        const fd = openSync(path, flags);
        try {
          return durableWrites(`${name} ${sizeText(bytes)}`, fd, bytes, isSynced, seconds);
        } finally {
          closeSync(fd);
        }
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface DurableWay {
  readonly name: string;
  readonly flags: number;
  readonly isSynced: boolean;
}

/** Not every platform has all of them. */
function durableWays(): DurableWay[] {
  const { O_WRONLY, O_DSYNC, O_DIRECT } = constants as Partial<typeof constants> & typeof constants;
  const ways: DurableWay[] = [{ name: "write and fdatasync,", flags: O_WRONLY, isSynced: true }];
  if (O_DSYNC === undefined) return ways;
  ways.push({ name: "write with O_DSYNC,", flags: O_WRONLY | O_DSYNC, isSynced: false });
  if (O_DIRECT === undefined) return ways;
  return [
    ...ways,
    { name: "write with O_DSYNC past the page cache,", flags: O_WRONLY | O_DSYNC | O_DIRECT, isSynced: false },
  ];
}

/** Blocks are there and written once, so that a write changes no metadata. */
function fill(path: string): void {
  const fd = openSync(path, "w");
  const zeros = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < FILE_BYTES; at += zeros.length) writeSync(fd, zeros, 0, zeros.length, at);
  fdatasyncSync(fd);
  closeSync(fd);
}

function durableWrites(what: string, fd: number, bytes: number, isSynced: boolean, seconds: number): LimitLine {
  const chunk = pageAligned(bytes).fill(120);
  const latencies = new LatencyHistogram();
  const fromMs = performance.now();
  let beganMs = fromMs;
  for (let at = 0; beganMs - fromMs < seconds * 1000; at = (at + bytes) % FILE_BYTES) {
    writeSync(fd, chunk, 0, bytes, at);
    if (isSynced) fdatasyncSync(fd);
    const nowMs = performance.now();
    latencies.record(nowMs - beganMs);
    beganMs = nowMs;
  }
  return line(what, latencies, (beganMs - fromMs) / 1000, bytes);
}

function copies(bytes: number, seconds: number): LimitLine {
  const source = new Uint8Array(bytes).fill(120);
  const target = new Uint8Array(bytes);
  target.set(source);
  const perLook = Math.max(1, Math.ceil(1e7 / bytes));
  const fromMs = performance.now();
  let count = 0;
  while (performance.now() - fromMs < seconds * 1000) {
    for (let i = 0; i < perLook; i++) target.set(source);
    count += perLook;
  }
  const took = (performance.now() - fromMs) / 1000;
  return {
    what: `copy of ${sizeText(bytes)} of memory`,
    perSecond: count / took,
    megabytesPerSecond: (count * bytes) / took / 1e6,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
  };
}

function line(what: string, latencies: LatencyHistogram, seconds: number, bytes: number): LimitLine {
  const perSecond = latencies.count / seconds;
  return {
    what,
    perSecond,
    megabytesPerSecond: (perSecond * bytes) / 1e6,
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
  };
}

export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${bytes / 1024 / 1024} MiB`;
}
