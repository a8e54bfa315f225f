/**
 * The services of docker-compose.yml and of the manifests in network and mount namespaces: nothing of their arguments and environment is changed.
 * Needs root and iproute2; test/deploy/services.test.ts does the same without either. Clients are redis-cli at a place of their own.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownServices, readCompose } from "../deploy/compose.ts";
import { followDockerfile, listing, type Image } from "../deploy/dockerfile.ts";
import { podsOf, readManifests } from "../deploy/manifests.ts";
import { canMakeNamespaces, Network, type NamespaceContainer } from "./namespaces.ts";

const root = join(import.meta.dirname, "../..");

interface Planned {
  readonly name: string;
  readonly hostNames: readonly string[];
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly isHealthy: (network: Network) => boolean;
}

const readyz = "fetch('http://127.0.0.1:8379/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))";

function composeServices(): readonly Planned[] {
  return ownServices(readCompose(join(root, "docker-compose.yml"))).map(([name, service]) => ({
    name,
    hostNames: [name],
    args: service.command!,
    environment: service.environment!,
    isHealthy: (network) => network.exec(name, service.healthcheck!.test.slice(1)).status === 0,
  }));
}

function pods(): readonly Planned[] {
  return podsOf(readManifests(join(root, "deploy/k8s"))).map((pod) => ({
    // Short enough for a namespace's name; the host names are the manifests'.
    name: pod.name.replace("headrace-", ""),
    hostNames: pod.hostNames.length === 0 ? [pod.name] : pod.hostNames,
    args: pod.container.args,
    environment: pod.environment,
    isHealthy: (network) => network.exec(pod.name.replace("headrace-", ""), ["node", "-e", readyz]).status === 0,
  }));
}

let folder: string;
let image: Image;

describe.runIf(canMakeNamespaces())("the deployment files in namespaces", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "headrace-namespaces-"));
    chmodSync(folder, 0o755);
    image = followDockerfile(join(root, "deploy/Dockerfile"), root, join(folder, "image"));
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ["docker-compose.yml", composeServices],
    ["deploy/k8s", pods],
  ] as const)(
    "%s: found a cluster, serve through both gateways, survive a killed node",
    async (what, plan) => {
      const place = join(folder, what.replaceAll("/", "-"));
      mkdirSync(place);
      const before = listing(image.root);
      const network = new Network(join(place, "network"));
      const running = new Map<string, NamespaceContainer>();
      const logs = (): string => [...running.values()].map((each) => `── ${each.name}\n${each.log}`).join("\n");
      try {
        const services = plan();
        for (const service of services) network.join(service.name, service.hostNames);
        network.join("client", ["client"]);
        for (const { name, args, environment } of services) {
          const volume = args[0] === "node" ? join(place, name) : null;
          running.set(name, network.start(name, image, args, environment, volume));
        }
        const giveUpAt = performance.now() + 90_000;
        for (const service of services) {
          while (!service.isHealthy(network)) {
            if (performance.now() > giveUpAt) throw new Error(`${service.name} is not healthy\n${logs()}`);
          }
        }
        const gateways = services.filter((service) => service.args[0] === "gateway");
        const nodes = services.filter((service) => service.args[0] === "node");
        const cli = (gateway: Planned, ...words: string[]): string =>
          network.exec("client", ["redis-cli", "-h", network.addressOf(gateway.hostNames[0]!), ...words]).output.trim();
        const keys = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}"];
        for (const key of keys) {
          expect(cli(gateways[0]!, "XADD", key, "1-0", "from", "first"), logs()).toBe("1-0");
          expect(cli(gateways[1]!, "XADD", key, "2-0", "from", "second")).toBe("2-0");
        }
        await running.get(nodes[1]!.name)!.stop("SIGKILL");
        for (const key of keys) {
          // Of unknown fate if it had left for the killed node: repeated with its explicit id, as the README says.
          let reply = cli(gateways[1]!, "XADD", key, "3-0", "from", "second");
          while (reply.startsWith("UNCERTAIN")) reply = cli(gateways[1]!, "XADD", key, "3-0", "from", "second");
          expect(reply).toMatch(/^3-0$|equal or smaller/);
          expect(cli(gateways[0]!, "XRANGE", key, "-", "+").split("\n")).toEqual([
            "1-0",
            "from",
            "first",
            "2-0",
            "from",
            "second",
            "3-0",
            "from",
            "second",
          ]);
        }
        for (const [name, container] of running) {
          if (container.isRunning) expect(await container.stop("SIGTERM"), `${name}\n${container.log}`).toBe(0);
        }
        for (const node of nodes)
          expect(statSync(join(place, node.name, "headrace.json")).uid, "the image's user").toBe(1000);
        expect(listing(image.root), "nothing is written outside of the volume").toEqual(before);
      } finally {
        for (const container of running.values()) await container.stop("SIGKILL");
        network.close();
      }
    },
    150_000,
  );
});
