/**
 * `headrace up`: a whole cluster on this machine, each node and the gateway a process of its own. Prints one line on standard output when
 * clients can be served; everything else goes to standard error and to the children's log files.
 */
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { allocatorEnvironment } from "./allocator.ts";
import { writeClusterFile, type ClusterFile } from "./cluster-file.ts";
import { rowsOf, UsageError } from "./configuration.ts";
import { readManifest } from "./backup-directory.ts";
import { BackupError } from "./backup-manifest.ts";
import { claimDirectory, finishRestoring, inspectDirectory, originOf, StartError } from "./data-directory.ts";
import { environmentName, foundingFacts, type Settings } from "./settings.ts";
import { Supervisor, type ChildSpec } from "./supervisor.ts";
import { v8Flags } from "./v8-flags.ts";

/** All must be gone within 5 s of the signal. */
const GATEWAY_GRACE_MS = 1200;
const NODE_GRACE_MS = 3000;
const STARTED_SLOWLY_MS = 20_000;

/** Where node `id` (from 1) listens and lives. */
export interface NodeLayout {
  readonly id: number;
  readonly dataPort: number;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly directory: string;
}

export function nodeLayouts(settings: Settings): readonly NodeLayout[] {
  const base = settings["base-port"] as number;
  const directory = resolve(settings["data"] as string);
  return Array.from({ length: settings["nodes"] as number }, (_, index) => ({
    id: index + 1,
    dataPort: base + index * 10,
    grpcPort: base + index * 10 + 1,
    httpPort: base + index * 10 + 2,
    directory: join(directory, `node-${index + 1}`),
  }));
}

/** The one line on standard output: clients can be served. */
export function readyLine(settings: Settings): string {
  const host = String(settings["host"]);
  return `headrace ready redis://${host}:${String(settings["port"])} http://${host}:${String(settings["http-port"])}\n`;
}

/**
 * Looks at the data directory and makes sure that every port is free, so that problems are one line before anything has started; then the directory
 * is claimed. Answers the settings with what is fixed at founding: what the data says, or else what was asked for or is the default.
 */
export async function prepareUp(given: Settings): Promise<Settings> {
  const directory = resolve(given["data"] as string);
  const asked = {
    nodes: given["nodes"] as number | null,
    replicas: given["replicas"] as number | null,
    shards: given["shards"] as number | null,
  };
  const backup = given["restore"] === null ? null : usableBackup(given["restore"] as string, asked.shards);
  const found = inspectDirectory(directory, "cluster", asked);
  checkOrigin(directory, found !== null, backup?.id ?? null);
  const facts = foundingFacts(backup === null ? given : { ...given, shards: backup.shards.length });
  const replicas = backup === null ? facts.replicas : (asked.replicas ?? Math.min(facts.nodes, backup.replicas));
  const fixed = { ...facts, replicas, ...found };
  if (fixed.replicas > fixed.nodes) {
    throw new UsageError(`--replicas ${fixed.replicas} cannot be more than the nodes, ${fixed.nodes}`);
  }
  const settings: Settings = { ...given, ...fixed };
  await checkPorts(settings);
  // Not before: a start that fails for a port must not fix anything.
  claimDirectory(directory, "cluster", fixed, backup?.id ?? null);
  return settings;
}

/** Its manifest; the nodes read the rest. */
function usableBackup(path: string, askedShards: number | null): ReturnType<typeof readManifest> {
  let manifest;
  try {
    manifest = readManifest(path);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    throw new StartError(error.message);
  }
  const { shards } = manifest;
  if (askedShards === null || askedShards === shards.length) return manifest;
  throw new StartError(
    `--shards ${askedShards} contradicts the backup in ${path}: its cluster has ${shards.length} shards`,
  );
}

/**
 * A backup goes into an empty directory, or on where the same one was being restored; and what is half restored is not started as anything else. Where
 * all of it is there the setting has done its work.
 */
function checkOrigin(directory: string, isFounded: boolean, backupId: string | null): void {
  const origin = originOf(directory);
  if (!isFounded || origin?.backupId === backupId) return;
  if (origin?.isRestored === false) {
    throw new StartError(
      `data directory ${directory} is half restored from backup ${origin.backupId}: restore that one again to go on, or empty it`,
    );
  }
  if (backupId !== null) throw new StartError(holdsCluster(directory));
}

export function holdsCluster(directory: string): string {
  return `data directory ${directory} holds a cluster already; choose an empty one with --data to restore`;
}

const IN_USE = "is already in use";
/** Processes that were killed a moment ago hold their ports until their last thread has ended. */
const PORT_PATIENCE_MS = 2000;
const PORT_LOOK_EVERY_MS = 20;

async function checkPorts(settings: Settings): Promise<void> {
  const host = settings["host"] as string;
  const ports: [string, number, string][] = [
    [host, settings["port"] as number, "--port"],
    [host, settings["http-port"] as number, "--http-port"],
  ];
  for (const node of nodeLayouts(settings)) {
    for (const port of [node.dataPort, node.grpcPort, node.httpPort]) ports.push(["127.0.0.1", port, "--base-port"]);
  }
  const deadlineMs = performance.now() + PORT_PATIENCE_MS;
  for (const [address, port, flag] of ports) {
    let problem = port === 0 ? null : await bindProblem(address, port);
    while (problem === IN_USE && performance.now() < deadlineMs) {
      await pause(PORT_LOOK_EVERY_MS);
      problem = await bindProblem(address, port);
    }
    if (problem !== null) throw new StartError(`${address}:${port} ${problem}; choose another with ${flag}`);
  }
}

function bindProblem(host: string, port: number): Promise<string | null> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      done(error.code === "EADDRINUSE" ? IN_USE : `cannot be listened on: ${error.message}`);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => done(null)));
  });
}

/** Settings that a child shares with the supervisor, as its environment: no secret ever stands in a process list. */
function sharedEnvironment(settings: Settings, program: "node" | "gateway"): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const row of rowsOf(program)) {
    const value = settings[row.name];
    if (value === undefined || value === null) continue;
    environment[environmentName(row)] = Array.isArray(value) ? value.join(",") : String(value);
  }
  return environment;
}

function childSpecs(settings: Settings): { readonly nodes: readonly ChildSpec[]; readonly gateway: ChildSpec } {
  const script = fileURLToPath(new URL("./main.ts", import.meta.url));
  const layouts = nodeLayouts(settings);
  const seeds = layouts.map((node) => `127.0.0.1:${node.grpcPort}`).join(",");
  const logs = join(resolve(settings["data"] as string), "logs");
  // The pool serves the log, LevelDB and DNS; concurrent kv work stays two below it so that it never delays the log (design §6).
  const pool = { UV_THREADPOOL_SIZE: process.env["UV_THREADPOOL_SIZE"] ?? "8" };
  const nodes = layouts.map((node) => ({
    name: `node-${node.id}`,
    script,
    args: ["node"],
    v8Flags: v8Flags(settings["memory"] as number),
    environment: {
      ...sharedEnvironment(settings, "node"),
      ...pool,
      ...allocatorEnvironment(settings["memory"] as number, process.env),
      HEADRACE_BIND: "127.0.0.1",
      HEADRACE_DATA: node.directory,
      HEADRACE_DATA_PORT: String(node.dataPort),
      HEADRACE_GRPC_PORT: String(node.grpcPort),
      HEADRACE_HTTP_PORT: String(node.httpPort),
      HEADRACE_SEEDS: seeds,
      HEADRACE_BOOTSTRAP_EXPECT: String(layouts.length),
    },
    logPath: join(logs, `node-${node.id}.log`),
  }));
  const gateway = {
    name: "gateway-1",
    script,
    args: ["gateway"],
    v8Flags: v8Flags(0),
    environment: { ...sharedEnvironment(settings, "gateway"), ...pool, HEADRACE_SEEDS: seeds },
    logPath: join(logs, "gateway-1.log"),
  };
  return { nodes, gateway };
}

/** What `headrace restore` makes of it: the cluster is ended when it is complete. */
export interface UpOnce {
  /** Called when all nodes are there and serve. */
  onComplete(layouts: readonly NodeLayout[]): Promise<void>;
  /** The nodes are about to start. */
  onStarting(layouts: readonly NodeLayout[]): void;
}

/** Runs until a signal, or once; resolves with the exit code. */
export async function runUp(given: Settings, once: UpOnce | null = null): Promise<number> {
  const settings = await prepareUp(given);
  const layouts = nodeLayouts(settings);
  const specs = childSpecs(settings);
  const names = [...specs.nodes.map((spec) => spec.name), specs.gateway.name];
  const directory = resolve(settings["data"] as string);
  const say = (text: string): void => void process.stderr.write(`headrace: ${text}\n`);

  return new Promise<number>((finish) => {
    const waiting = new Set(names);
    let announced = false;
    let stopping = false;

    const writeFile = (): void => {
      if (stopping) return;
      const content: ClusterFile = {
        gateways: [
          {
            pid: supervisor.pid(specs.gateway.name),
            port: settings["port"] as number,
            httpPort: settings["http-port"] as number,
          },
        ],
        nodes: layouts.map((node) => ({
          id: node.id,
          pid: supervisor.pid(`node-${node.id}`),
          dataPort: node.dataPort,
          grpcPort: node.grpcPort,
          httpPort: node.httpPort,
          dir: node.directory,
        })),
      };
      try {
        writeClusterFile(directory, content);
      } catch (error) {
        // A full disk must not take the cluster down with it.
        say(`cluster.json cannot be written: ${(error as Error).message}`);
      }
    };

    const stop = (code: number): void => {
      if (stopping) return;
      stopping = true;
      clearTimeout(slow);
      void (async () => {
        await supervisor.stop([specs.gateway.name], { type: "stop", handOver: false }, GATEWAY_GRACE_MS);
        await supervisor.stop(
          specs.nodes.map((spec) => spec.name),
          { type: "stop", handOver: false },
          NODE_GRACE_MS,
        );
        finish(code);
      })();
    };

    const supervisor: Supervisor = new Supervisor(
      { restart: settings["no-restart"] !== true },
      {
        onReady: (name) => {
          waiting.delete(name);
          if (announced || waiting.size > 0) return;
          announced = true;
          clearTimeout(slow);
          if (settings["restore"] !== null) finishRestoring(directory);
          writeFile();
          if (once === null) process.stdout.write(readyLine(settings));
          else void once.onComplete(layouts).finally(() => stop(0));
        },
        onPids: () => {
          if (announced) writeFile();
        },
        onFailed: (name, message) => {
          say(`${name}: ${message}`);
          // Before the first "ready" a failure is the operator's to solve: one clear line, nothing left running.
          if (!announced) stop(1);
        },
      },
    );

    const slow = setTimeout(() => {
      if (once === null)
        say(`still waiting for ${[...waiting].join(", ")}; see the logs in ${join(directory, "logs")}`);
    }, STARTED_SLOWLY_MS);

    // Ending a cluster is in order; ending what was to be completed is not.
    const interrupted = once === null ? 0 : 1;
    process.on("SIGTERM", () => stop(interrupted));
    process.on("SIGINT", () => stop(interrupted));
    process.on("SIGHUP", () => stop(interrupted));
    say(`starting ${layouts.length} nodes and a gateway; logs in ${join(directory, "logs")}`);
    once?.onStarting(layouts);
    for (const spec of specs.nodes) supervisor.start(spec);
    supervisor.start(specs.gateway);
  });
}
