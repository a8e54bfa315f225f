/**
 * The services of docker-compose.yml and of the Kubernetes manifests, started from what the Dockerfile puts into its image, with exactly their
 * arguments and environment. There is no container engine here, so a small module stands for the container's network (container-network.mjs: names,
 * own addresses; the files' 0.0.0.0 and ports stay as they are) and a folder for the volume (its path is all that differs). With real namespaces the
 * same runs in test/compat/namespaces.test.ts.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { V8_FLAGS } from "../../packages/server/src/v8-flags.ts";
import { ownServices, readCompose } from "./compose.ts";
import { Container, wipeVolume } from "./container.ts";
import { followDockerfile, listing, type Image } from "./dockerfile.ts";
import { podsOf, readManifests, type Pod } from "./manifests.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
// Addresses of one's own need 127.0.0.0/8 on the loopback interface, as Linux has it.
const here = process.platform === "linux";

/** A network of its own for each test, so that runs at the same time do not meet. */
function subnet(): string {
  return `127.${20 + Math.floor(Math.random() * 200)}.${Math.floor(Math.random() * 250)}`;
}

let folder: string;
let image: Image;
let written: readonly string[];

async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  by: readonly Container[],
): Promise<void> {
  const giveUpAt = performance.now() + 90_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) {
      throw new Error(`waited too long for ${what}\n${by.map((each) => `── ${each.name}\n${each.log}`).join("\n")}`);
    }
    await new Promise((next) => setTimeout(next, 50));
  }
}

function client(container: Container, port: number): Redis {
  const redis = new Redis({ host: container.spec.address, port, maxRetriesPerRequest: 0, retryStrategy: () => 50 });
  redis.on("error", () => {
    // Each failure reaches the caller of the command.
  });
  return redis;
}

interface Status {
  readonly nodeId: number;
  readonly clusterId: string;
  /** Replicas that live there. */
  readonly groups: readonly unknown[];
}

async function statusOf(node: Container): Promise<Status> {
  return JSON.parse((await node.get("/status", 8379))!.text) as Status;
}

/** As the README tells a producer to: explicit ids; a write of unknown fate is repeated, and an id that is there already has arrived. */
async function addSurely(redis: Redis, key: string, id: string, from: string): Promise<void> {
  for (;;) {
    try {
      expect(await redis.xadd(key, id, "from", from)).toBe(id);
      return;
    } catch (error) {
      const message = (error as Error).message;
      if (message.includes("equal or smaller")) return;
      if (!message.startsWith("UNCERTAIN")) throw error;
    }
  }
}

/** Writes through one, reads through the other, with a node killed in between. */
async function serves(nodes: readonly Container[], gateways: readonly Container[], port: number): Promise<void> {
  const clients = gateways.map((gateway) => client(gateway, port));
  try {
    const [first, second] = clients as [Redis, Redis];
    // Keys of several shards, so that the killed node led some of them.
    const keys = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}"];
    for (const key of keys) {
      expect(await first.xadd(key, "1-0", "from", "first")).toBe("1-0");
      expect(await second.xadd(key, "2-0", "from", "second")).toBe("2-0");
    }
    expect(await nodes[1]!.stop("SIGKILL")).toBeNull();
    for (const key of keys) {
      await addSurely(second, key, "3-0", "second");
      expect(await first.xrange(key, "-", "+")).toEqual([
        ["1-0", ["from", "first"]],
        ["2-0", ["from", "second"]],
        ["3-0", ["from", "second"]],
      ]);
    }
  } finally {
    for (const each of clients) each.disconnect();
  }
}

describe.runIf(here)("the deployment files, run", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "headrace-deploy-"));
    // The image's user has to reach it.
    chmodSync(folder, 0o755);
    image = followDockerfile(join(root, "deploy/Dockerfile"), root, join(folder, "image"));
    written = listing(image.root);
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("the image's CMD shows help, and its parts are those that the manifests rely on", async () => {
    const container = new Container({
      name: "help",
      address: "127.0.0.1",
      image,
      args: image.command,
      environment: {},
      volume: null,
      hosts: {},
    });
    container.start();
    await until("the help", () => !container.isRunning, [container]);
    expect(await container.stop("SIGTERM")).toBe(0);
    expect(container.log).toContain("Usage: headrace");
    expect(image).toMatchObject({
      user: "node",
      volumes: ["/data"],
      entrypoint: ["node", ...V8_FLAGS, "packages/server/src/main.ts"],
    });
    expect(image.ports).toEqual(expect.arrayContaining([6379, 7400, 7401, 8379]));
    // The image's user can't write there: what was compiled, for these flags and no others, is in the image.
    expect(readFileSync(join(root, "deploy/Dockerfile"), "utf8")).toContain(
      `\nRUN node ${V8_FLAGS.join(" ")} packages/server/src/main.ts --version\n`,
    );
    expect(existsSync(join(image.root, "app/node_modules/.cache/compiled"))).toBe(true);
  });

  test("compose: three nodes found a cluster, two gateways serve it, and go on when a node is killed", async () => {
    const file = readCompose(join(root, "docker-compose.yml"));
    const network = subnet();
    const hosts = Object.fromEntries(ownServices(file).map(([name], i) => [name, `${network}.${11 + i}`]));
    const containers = new Map(
      ownServices(file).map(([name, service]) => [
        name,
        new Container({
          name,
          address: hosts[name]!,
          image,
          args: service.command!,
          environment: service.environment!,
          volume: service.volumes === undefined ? null : join(folder, `compose-${name}`),
          hosts,
        }),
      ]),
    );
    const all = [...containers.values()];
    const started = new Set<string>();
    const healthy = (name: string): boolean => {
      // `CMD` and the words of the command.
      const [how, ...words] = file.services[name]!.healthcheck!.test;
      expect(how).toBe("CMD");
      return containers.get(name)!.exec(words) === 0;
    };
    try {
      // depends_on is followed: what a service waits for is healthy before it starts.
      while (started.size < containers.size) {
        const next = [...containers].filter(
          ([name]) =>
            !started.has(name) &&
            Object.keys(file.services[name]!.depends_on ?? {}).every((other) => started.has(other)),
        );
        expect(next.length, "depends_on can be met").toBeGreaterThan(0);
        for (const [, container] of next) container.start();
        for (const [name] of next) await until(`${name} to be healthy`, () => healthy(name), all);
        for (const [name] of next) started.add(name);
      }
      const named = (prefix: string): Container[] => all.filter((each) => each.name.startsWith(prefix));
      await serves(named("node-"), named("gateway-"), 6379);
      for (const each of all) {
        if (!each.isRunning) continue;
        expect(await each.stop("SIGTERM"), `${each.name}\n${each.log}`).toBe(0);
      }
      expect(listing(image.root), "nothing is written outside of the volume").toEqual(written);
    } finally {
      for (const each of all) await each.stop("SIGKILL");
    }
  }, 150_000);

  test("manifests: the pods found one cluster; a pod whose volume was lost joins it under a new id and founds nothing", async () => {
    const manifests = readManifests(join(root, "deploy/k8s"));
    const network = subnet();
    const pods = podsOf(manifests);
    const hosts = Object.fromEntries(
      pods.flatMap((pod, i) => pod.hostNames.map((name) => [name, `${network}.${11 + i}`])),
    );
    const containers = pods.map(
      (pod, i) =>
        new Container({
          name: pod.name,
          address: `${network}.${11 + i}`,
          image,
          args: pod.container.args,
          environment: pod.environment,
          volume: pod.container.volumeMounts.some((mount) => mount.mountPath === "/data")
            ? join(folder, pod.name)
            : null,
          hosts,
        }),
    );
    const nodes = containers.filter((each) => each.spec.volume !== null);
    const gateways = containers.filter((each) => each.spec.volume === null);
    const port = (pod: Pod, name: string): number =>
      pod.container.ports.find((each) => each.name === name)!.containerPort;
    const probe = async (container: Container, which: "livenessProbe" | "readinessProbe"): Promise<number> => {
      const pod = pods.find((each) => each.name === container.name)!;
      const { path, port: named } = pod.container[which].httpGet;
      return (await container.get(path, port(pod, named)))?.status ?? 0;
    };
    const readyReasons = async (node: Container): Promise<string> => (await node.get("/readyz", 8379))?.text ?? "";
    try {
      // One founder alone lives, is not ready, says why, and founds nothing.
      nodes[0]!.start();
      await until("the reason", async () => (await readyReasons(nodes[0]!)).includes("can't be reached"), containers);
      expect(await readyReasons(nodes[0]!)).toContain("headrace-node-1.headrace-nodes:7401");
      expect(await probe(nodes[0]!, "livenessProbe")).toBe(200);
      expect(await probe(nodes[0]!, "readinessProbe")).toBe(503);

      for (const each of [...nodes.slice(1), ...gateways]) each.start();
      for (const each of containers) {
        await until(`${each.name} to be ready`, async () => (await probe(each, "readinessProbe")) === 200, containers);
        expect(await probe(each, "livenessProbe")).toBe(200);
      }
      const before = await Promise.all(nodes.map(statusOf));
      expect(new Set(before.map((status) => status.clusterId)).size).toBe(1);
      expect(new Set(before.map((status) => status.nodeId))).toEqual(new Set([1, 2, 3]));
      await serves(nodes, gateways, port(pods.at(-1)!, "redis"));

      // serves() has killed the second pod; its volume is gone too.
      const lost = nodes[1]!;
      wipeVolume(lost.spec.volume!);
      lost.start();
      await until(
        "the empty pod to be a member",
        async () => {
          const answer = await lost.get("/status", 8379);
          return answer !== null && ((JSON.parse(answer.text) as Status).nodeId ?? 0) > 0;
        },
        containers,
      );
      const after = await statusOf(lost);
      expect(after.clusterId, "of the cluster that was there").toBe(before[0]!.clusterId);
      expect(after.nodeId, "never an id that was used before").toBeGreaterThan(3);
      // It gets the place of the pod that was there, by replicas under new ids, and is not ready before it has them: a rolling restart waits.
      await until("the empty pod to be ready", async () => (await probe(lost, "readinessProbe")) === 200, containers);
      await until(
        "the empty pod to hold every group again",
        async () => (await statusOf(lost)).groups.length === before[0]!.groups.length,
        containers,
      );
      expect(listing(image.root), "nothing is written outside of the volume").toEqual(written);
    } finally {
      for (const each of containers) await each.stop("SIGKILL");
    }
  }, 150_000);
});
