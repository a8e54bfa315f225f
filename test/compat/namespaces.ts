/**
 * Containers from the kernel's own parts, for tests that run as root: each has a network namespace on a common bridge, a root file system of
 * its own that is read-only but for the volume and /tmp, a hosts file with all names, and the image's user. So a service can be started with nothing
 * changed: its addresses, names, ports, paths and environment are those of the files.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Image } from "../deploy/dockerfile.ts";

const NODE_USER = 1000;

/** Root, and a kernel and tools that make namespaces. */
export function canMakeNamespaces(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const name = `hrprobe${process.pid}`;
  const made = spawnSync("ip", ["netns", "add", name]).status === 0;
  if (made) execFileSync("ip", ["netns", "del", name]);
  return made && spawnSync("unshare", ["--mount", "true"]).status === 0;
}

/** $1 root  $2 folder of node  $3 the image's root  $4 volume or ""  $5 hosts file, then the command. Ends as the command itself. */
const enter = `
set -e
root=$1 node=$2 image=$3 volume=$4 hosts=$5
shift 5
mount -t tmpfs -o mode=755 root "$root"
for name in usr bin sbin lib lib64 etc; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --bind "/$name" "$root/$name"; mount -o remount,ro,bind "$root/$name"; fi
done
mkdir "$root/proc" "$root/dev" "$root/tmp" "$root/node" "$root/app" "$root/data"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount --bind "$node" "$root/node"
mount --bind "$image/app" "$root/app"
mount -o remount,ro,bind "$root/app"
mount --bind "$hosts" "$root/etc/hosts"
if [ -n "$volume" ]; then mount --bind "$volume" "$root/data"; fi
mount -o remount,ro "$root"
exec chroot --userspec=${NODE_USER}:${NODE_USER} "$root" /bin/sh -c 'cd /app && exec "$@"' sh "$@"
`;

export class Network {
  readonly #prefix: string;
  readonly #folder: string;
  readonly #addresses: Map<string, string>;
  readonly #spaces: string[];

  /** `folder` is where roots and the hosts file are kept. */
  constructor(folder: string) {
    this.#prefix = `hr${process.pid}x${Math.floor(Math.random() * 1000)}`;
    this.#folder = folder;
    this.#addresses = new Map();
    this.#spaces = [];
    mkdirSync(folder, { recursive: true });
    this.#ip("netns", "add", this.#space("bridge"));
    this.#spaces.push(this.#space("bridge"));
    this.#ip("-n", this.#space("bridge"), "link", "add", "br0", "type", "bridge");
    this.#ip("-n", this.#space("bridge"), "link", "set", "br0", "up");
  }

  /** A place on the network; `names` resolve to it. All are made before the first container starts. */
  join(name: string, names: readonly string[]): void {
    const number = this.#spaces.length;
    const space = this.#space(name);
    const bridge = this.#space("bridge");
    const port = `port${number}`;
    this.#ip("netns", "add", space);
    this.#spaces.push(space);
    this.#ip("-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space);
    this.#ip("-n", bridge, "link", "set", port, "master", "br0", "up");
    this.#ip("-n", space, "addr", "add", `10.91.0.${number + 10}/24`, "dev", "eth0");
    this.#ip("-n", space, "link", "set", "lo", "up");
    this.#ip("-n", space, "link", "set", "eth0", "up");
    for (const each of names) this.#addresses.set(each, `10.91.0.${number + 10}`);
    const lines = [...this.#addresses].map(([host, address]) => `${address} ${host}\n`);
    writeFileSync(this.#hosts, `127.0.0.1 localhost\n${lines.join("")}`);
  }

  addressOf(hostName: string): string {
    return this.#addresses.get(hostName)!;
  }

  /** Starts the image's program at the place `name`; `volume` is the folder behind /data. */
  start(
    name: string,
    image: Image,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    volume: string | null,
  ): NamespaceContainer {
    const root = join(this.#folder, `root-${name}`);
    mkdirSync(root, { recursive: true });
    if (volume !== null && statSync(volume, { throwIfNoEntry: false }) === undefined) {
      mkdirSync(volume);
      const owner = statSync(join(image.root, "data"));
      chownSync(volume, owner.uid, owner.gid);
    }
    const all = { PATH: "/node:/usr/bin:/bin", ...image.environment, ...environment };
    const isolate = ["netns", "exec", this.#space(name), "unshare", "--mount", "--propagation", "private"];
    const places = [root, dirname(process.execPath), image.root, volume ?? "", this.#hosts];
    const variables = Object.entries(all).map(([key, value]) => `${key}=${value}`);
    const program = ["/usr/bin/env", "-i", ...variables, ...image.entrypoint, ...args];
    const child = spawn("ip", [...isolate, "sh", "-c", enter, "sh", ...places, ...program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new NamespaceContainer(name, child);
  }

  /** Runs a program of this machine at the place `name`: health checks, redis-cli. */
  exec(name: string, words: readonly string[]): { readonly status: number; readonly output: string } {
    const [command, ...args] = words;
    const program = command === "node" ? process.execPath : command!;
    const result = spawnSync("ip", ["netns", "exec", this.#space(name), program, ...args], {
      encoding: "utf8",
      timeout: 20_000,
    });
    return { status: result.status ?? -1, output: result.stdout };
  }

  close(): void {
    for (const space of this.#spaces.toReversed()) this.#ip("netns", "del", space);
  }

  get #hosts(): string {
    return join(this.#folder, "hosts");
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #ip(...args: readonly string[]): void {
    execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  }
}

export class NamespaceContainer {
  readonly name: string;
  readonly #child: ChildProcess;
  #log = "";

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    const keep = (text: string): void => void (this.#log = (this.#log + text).slice(-16_384));
    child.stdout!.setEncoding("utf8").on("data", keep);
    child.stderr!.setEncoding("utf8").on("data", keep);
  }

  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    if (!this.isRunning) return this.#child.exitCode;
    const gone = new Promise<number | null>((done) => this.#child.once("exit", (code) => done(code)));
    this.#child.kill(signal);
    return gone;
  }
}
