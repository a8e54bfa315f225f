/**
 * A cluster of real processes whose every connection goes through a FaultyNetwork: nodes find each other, and gateways find nodes, at announced ports
 * that are the proxies'. The processes are started, killed, stopped and continued one by one; nothing starts them again by itself.
 */
import { fork, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FaultyNetwork } from "./faulty-network.ts";
import { groupLeaders, isReady, type GroupLeaders } from "./group-status.ts";
import { freePortRange } from "./local-cluster.ts";

export interface ProxiedClusterOptions {
  readonly nodes: number;
  readonly gateways: number;
  readonly shards: number;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  readonly firstPort?: number;
}

const mainScript = fileURLToPath(new URL("../../server/src/main.ts", import.meta.url));
const READY_WITHIN_MS = 120_000;

/** A node or a gateway: the place outlives its processes. */
export class Place {
  readonly name: string;
  readonly id: number;
  readonly httpPort: number;
  /** Gateways: for Redis clients. */
  readonly port: number;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  isStopped = false;
  child: ChildProcess | null = null;

  constructor(
    name: string,
    ports: { readonly id: number; readonly port: number; readonly httpPort: number },
    program: string,
    environment: Record<string, string>,
  ) {
    this.name = name;
    this.id = ports.id;
    this.port = ports.port;
    this.httpPort = ports.httpPort;
    this.args = [program];
    this.environment = environment;
  }

  get isRunning(): boolean {
    return this.child !== null;
  }
}

export class ProxiedCluster {
  readonly network: FaultyNetwork;
  readonly nodes: readonly Place[];
  readonly gateways: readonly Place[];
  readonly directory: string;
  readonly #killAtExit = (): void => {
    for (const place of this.places()) place.child?.kill("SIGKILL");
  };

  private constructor(network: FaultyNetwork, nodes: readonly Place[], gateways: readonly Place[], directory: string) {
    this.network = network;
    this.nodes = nodes;
    this.gateways = gateways;
    this.directory = directory;
    process.once("exit", this.#killAtExit);
  }

  static async start(options: ProxiedClusterOptions): Promise<ProxiedCluster> {
    const network = new FaultyNetwork(options.chance);
    const first = options.firstPort ?? (await freePortRange());
    const directory = mkdtempSync(join(tmpdir(), "headrace-proxied-"));
    mkdirSync(join(directory, "logs"));
    const ids = Array.from({ length: options.nodes }, (_, index) => index + 1);
    const own = ids.map((id) => ({ data: first + id * 10, grpc: first + id * 10 + 1, http: first + id * 10 + 2 }));
    const announced = await Promise.all(
      ids.map(async (id, at) => ({
        data: await network.listen(`node-${id}`, own[at]!.data),
        grpc: await network.listen(`node-${id}`, own[at]!.grpc),
      })),
    );
    const seeds = announced.map(({ grpc }) => `127.0.0.1:${grpc}`).join(",");
    const nodes = ids.map((id, at) => {
      const { data, grpc, http } = own[at]!;
      return new Place(`node-${id}`, { id, port: 0, httpPort: http }, "node", {
        HEADRACE_DATA: join(directory, `node-${id}`),
        HEADRACE_DATA_PORT: String(data),
        HEADRACE_GRPC_PORT: String(grpc),
        HEADRACE_HTTP_PORT: String(http),
        HEADRACE_ANNOUNCE_PORT: String(announced[at]!.data),
        HEADRACE_ANNOUNCE_GRPC_PORT: String(announced[at]!.grpc),
        HEADRACE_SEEDS: seeds,
        HEADRACE_BOOTSTRAP_EXPECT: String(options.nodes),
        HEADRACE_SHARDS: String(options.shards),
      });
    });
    const gateways = Array.from({ length: options.gateways }, (_, at) => {
      const ports = { id: at + 1, port: first + at * 2, httpPort: first + at * 2 + 1 };
      return new Place(`gateway-${at + 1}`, ports, "gateway", {
        HEADRACE_PORT: String(ports.port),
        HEADRACE_HTTP_PORT: String(ports.httpPort),
        HEADRACE_SEEDS: seeds,
      });
    });
    const cluster = new ProxiedCluster(network, nodes, gateways, directory);
    for (const place of cluster.places()) cluster.run(place);
    try {
      await cluster.awaitReady();
    } catch (error) {
      await cluster.destroy(true);
      throw error;
    }
    return cluster;
  }

  *places(): Iterable<Place> {
    yield* this.nodes;
    yield* this.gateways;
  }

  /** Starts the place's process, if there is none. */
  run(place: Place): void {
    if (place.child !== null) return;
    const log = openSync(join(this.directory, "logs", `${place.name}.log`), "a");
    const child = fork(mainScript, place.args, {
      stdio: ["ignore", log, log, "ipc"],
      execArgv: [],
      env: { ...process.env, ...place.environment, UV_THREADPOOL_SIZE: "8" },
    });
    closeSync(log);
    place.child = child;
    place.isStopped = false;
    this.network.setProcess(place.name, child.pid ?? 0);
    child.once("exit", () => {
      if (place.child === child) place.child = null;
    });
  }

  /** kill -9; resolves when the process is gone. */
  async kill(place: Place): Promise<void> {
    const { child } = place;
    if (child === null) return;
    const gone = new Promise((exit) => child.once("exit", exit));
    child.kill("SIGKILL");
    await gone;
  }

  /** SIGSTOP: the kernel still takes connections and bytes, nobody answers. */
  pause(place: Place): void {
    if (place.child === null || place.isStopped) return;
    place.isStopped = true;
    place.child.kill("SIGSTOP");
  }

  resume(place: Place): void {
    if (place.child === null || !place.isStopped) return;
    place.isStopped = false;
    place.child.kill("SIGCONT");
  }

  /** Starts what is down, continues what is stopped, opens every way. */
  heal(): void {
    this.network.heal();
    for (const place of this.places()) {
      this.resume(place);
      this.run(place);
    }
  }

  leaders(): Promise<GroupLeaders> {
    return groupLeaders(this.nodes.filter((node) => node.isRunning && !node.isStopped));
  }

  async awaitReady(): Promise<void> {
    const giveUpMs = performance.now() + READY_WITHIN_MS;
    for (const place of this.places()) {
      while (!(await isReady(place))) {
        if (place.child === null) throw new Error(`${place.name} has ended, see ${this.directory}/logs`);
        if (performance.now() > giveUpMs) throw new Error(`${place.name} is not ready, see ${this.directory}/logs`);
        await new Promise((next) => setTimeout(next, 20));
      }
    }
  }

  /** Kills everything; `keep`: logs and data stay, for who has to look. */
  async destroy(keep = false): Promise<void> {
    process.off("exit", this.#killAtExit);
    await Promise.all([...this.places()].map((place) => this.kill(place)));
    await this.network.close();
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}
