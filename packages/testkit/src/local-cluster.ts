/**
 * A real cluster for tests, demo and benchmarks: starts `headrace up` as a child on free ports, waits for its ready line, reads cluster.json, and
 * ends only what it started.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface RunningNode {
  readonly id: number;
  readonly pid: number;
  readonly dataPort: number;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly dir: string;
}

export interface ClusterPlaces {
  readonly gateways: readonly { readonly pid: number; readonly port: number; readonly httpPort: number }[];
  readonly nodes: readonly RunningNode[];
}

export interface LocalClusterOptions {
  /** Further flags of `headrace up`. */
  readonly flags?: readonly string[];
  /** Kept after `destroy` when given; else a temporary one. */
  readonly dataDirectory?: string;
  /** Give a fixed first port (tests that run one after another); else a free range is looked for. */
  readonly firstPort?: number;
  readonly startTimeoutMs?: number;
  /** Beside this process' own. */
  readonly environment?: Readonly<Record<string, string>>;
}

const mainScript = fileURLToPath(new URL("../../server/src/main.ts", import.meta.url));

export class LocalCluster {
  readonly port: number;
  readonly httpPort: number;
  readonly basePort: number;
  readonly dataDirectory: string;
  readonly #flags: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #temporary: boolean;
  readonly #startTimeoutMs: number;
  #child: ChildProcess | null = null;
  #stderr = "";

  private constructor(firstPort: number, options: LocalClusterOptions) {
    this.port = firstPort;
    this.httpPort = firstPort + 1;
    this.basePort = firstPort + 10;
    this.#temporary = options.dataDirectory === undefined;
    this.dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), "headrace-"));
    this.#flags = options.flags ?? [];
    this.#environment = options.environment ?? {};
    this.#startTimeoutMs = options.startTimeoutMs ?? 60_000;
  }

  /** Starts a cluster and waits until it serves. */
  static async start(options: LocalClusterOptions = {}): Promise<LocalCluster> {
    const cluster = new LocalCluster(options.firstPort ?? (await freePortRange()), options);
    await cluster.run();
    return cluster;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Pid of the supervisor. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What the supervisor has said on standard error. */
  get diagnostics(): string {
    return this.#stderr;
  }

  /** Starts the supervisor (again, on the same data) and waits for the ready line. */
  async run(): Promise<void> {
    const child = spawn(
      process.execPath,
      [
        mainScript,
        "up",
        "--port",
        String(this.port),
        "--http-port",
        String(this.httpPort),
        "--base-port",
        String(this.basePort),
        "--data",
        this.dataDirectory,
        ...this.#flags,
      ],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...this.#environment } },
    );
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-16_384);
    });
    await new Promise<void>((ready, failed) => {
      let output = "";
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        failed(new Error(`not ready in ${this.#startTimeoutMs} ms\n${this.#stderr}`));
      }, this.#startTimeoutMs);
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (!output.includes("headrace ready ")) return;
        clearTimeout(timer);
        ready();
      });
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        failed(new Error(`the cluster ended before it was ready (${signal ?? code})\n${this.#stderr}`));
      });
    });
  }

  places(): ClusterPlaces {
    return JSON.parse(readFileSync(join(this.dataDirectory, "cluster.json"), "utf8")) as ClusterPlaces;
  }

  /** Status of one node as its HTTP port gives it. */
  async nodeStatus(node: RunningNode): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${node.httpPort}/status`);
    return (await response.json()) as Record<string, unknown>;
  }

  /** SIGKILL to every process of the cluster, supervisor first so that it starts nothing again. */
  async killAll(): Promise<void> {
    const places = this.places();
    const child = this.#child;
    const pids = [...places.nodes, ...places.gateways].map((place) => place.pid).filter((pid) => pid > 0);
    if (child !== null) child.kill("SIGKILL");
    for (const pid of pids) signal(pid, "SIGKILL");
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      await new Promise((gone) => child.once("exit", gone));
    }
    for (const pid of pids) await processGone(pid);
    this.#child = null;
  }

  /** SIGTERM to the supervisor; answers its exit code and how long it took. */
  async stop(): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return { code: child?.exitCode ?? 0, tookMs: 0 };
    const from = performance.now();
    const exited = new Promise<number | null>((gone) => child.once("exit", (code) => gone(code)));
    child.kill("SIGTERM");
    const code = await exited;
    this.#child = null;
    return { code, tookMs: performance.now() - from };
  }

  /** Stops and removes what it made. */
  async destroy(): Promise<void> {
    await this.stop();
    if (this.#temporary && existsSync(this.dataDirectory)) {
      rmSync(this.dataDirectory, { recursive: true, force: true });
    }
  }
}

/** Sends a signal; a process that is already gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Resolves when the process no longer exists (polled: it may not be our child). */
export async function processGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    // A killed child of a killed parent stays as a zombie until init reaps it: that counts as gone.
    const state = stateOf(pid);
    if ((state === "Z" || state === "X") && !hasThreads(pid)) return;
    await new Promise((next) => setTimeout(next, 10));
  }
}

/** The letter of /proc; null where there is no such file: another system, or the process ended since it was looked for. */
function stateOf(pid: number): string | null {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** The first thread is a zombie while others still end, and until they have, the process' ports are taken. */
function hasThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** First port of a range of 60 that is free now, away from the ephemeral ports. */
export async function freePortRange(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const first = 10_000 + Math.floor(Math.random() * 200) * 100;
    const checks = [first, first + 1, ...Array.from({ length: 40 }, (_, i) => first + 10 + i)];
    const free = await Promise.all(checks.map(isFree));
    if (free.every(Boolean)) return first;
  }
  throw new Error("no free range of ports");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once("error", () => answer(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => answer(true)));
  });
}
