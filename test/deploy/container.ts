/**
 * A container without an engine: one process of the image with exactly the given environment and arguments, at its own loopback address, as the
 * image's user when this test may change users. Its volume is a folder; everything else is only to be read.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, rmSync, statSync, chownSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { cleanEnvironment, type Image } from "./dockerfile.ts";

const network = pathToFileURL(fileURLToPath(new URL("./container-network.mjs", import.meta.url))).href;
const NODE_USER = 1000;

export interface ContainerSpec {
  readonly name: string;
  readonly address: string;
  readonly image: Image;
  /** Instead of the image's CMD. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The folder behind the one volume; null: none. */
  readonly volume: string | null;
  /** Names of all containers. */
  readonly hosts: Readonly<Record<string, string>>;
}

export class Container {
  readonly spec: ContainerSpec;
  #child: ChildProcess | null = null;
  #log = "";

  constructor(spec: ContainerSpec) {
    this.spec = spec;
  }

  get name(): string {
    return this.spec.name;
  }

  get log(): string {
    return this.#log;
  }

  start(): void {
    const { image, args } = this.spec;
    if (this.spec.volume !== null) makeVolume(image, this.spec.volume);
    const [command, ...before] = image.entrypoint;
    const child = spawn(command === "node" ? process.execPath : command!, [...before, ...args], {
      cwd: join(image.root, image.workdir),
      env: this.#environment(),
      stdio: ["ignore", "pipe", "pipe"],
      ...asUser(),
    });
    this.#child = child;
    const keep = (text: string): void => void (this.#log = (this.#log + text).slice(-16_384));
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
  }

  /** Runs a command in the container, as a health check does; its exit code. */
  exec(words: readonly string[]): number {
    const [command, ...args] = words;
    const result = spawnSync(command === "node" ? process.execPath : command!, args, {
      cwd: join(this.spec.image.root, this.spec.image.workdir),
      env: this.#environment(),
      stdio: "ignore",
      timeout: 10_000,
      ...asUser(),
    });
    return result.status ?? -1;
  }

  #environment(): Record<string, string> {
    const { image, environment, hosts, address, volume } = this.spec;
    const place = image.volumes[0];
    const mapped = Object.entries({ ...image.environment, ...environment }).map(([name, value]) => [
      name,
      // The one thing that differs from what the file says: the volume's folder stands elsewhere.
      value === place && volume !== null ? volume : value,
    ]);
    return {
      PATH: cleanEnvironment()["PATH"]!,
      ...(Object.fromEntries(mapped) as Record<string, string>),
      NODE_OPTIONS: `--import=${network}`,
      CONTAINER_HOSTS: JSON.stringify(hosts),
      CONTAINER_ADDRESS: address,
    };
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the process; its exit code, null when a signal ended it. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.isRunning) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((done) => child.once("exit", (code) => done(code)));
    child.kill(signal);
    return gone;
  }

  async get(path: string, port: number): Promise<{ readonly status: number; readonly text: string } | null> {
    try {
      const response = await fetch(`http://${this.spec.address}:${port}${path}`);
      return { status: response.status, text: await response.text() };
    } catch {
      return null;
    }
  }
}

/** As an engine makes a named volume: from what the image has at that place, with the owner that it has there. */
function makeVolume(image: Image, folder: string): void {
  const place = image.volumes[0];
  if (place === undefined) throw new Error("the image declares no volume");
  const source = join(image.root, place);
  try {
    mkdirSync(folder);
  } catch {
    return;
  }
  const owner = statSync(source, { throwIfNoEntry: false });
  if (owner === undefined) {
    // Not in the image: an engine makes it for root, and the image's user can't write.
    chmodSync(folder, 0o555);
    return;
  }
  cpSync(source, folder, { recursive: true });
  if (process.getuid?.() === 0) chownSync(folder, owner.uid, owner.gid);
}

export function wipeVolume(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

let userOptions: { readonly uid: number; readonly gid: number } | Record<string, never> | null = null;

/** Root runs the services as the image's user, if that user may reach node and the files; everyone else as themselves. */
function asUser(): { readonly uid?: number; readonly gid?: number } {
  if (userOptions !== null) return userOptions;
  const tried = { uid: NODE_USER, gid: NODE_USER };
  const may = process.getuid?.() === 0 && spawnSync(process.execPath, [fileURLToPath(network)], tried).status === 0;
  userOptions = may ? tried : {};
  return userOptions;
}
