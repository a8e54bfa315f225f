/** What can be said about the deployment files without running them: their schemas, and that files, ports, probes and settings agree. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DCLinter } from "dclint";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { loadSettings } from "../../packages/server/src/configuration.ts";
import { environmentName, settingRows, type Program } from "../../packages/server/src/settings.ts";
import { ownServices, readCompose } from "./compose.ts";
import { containerOf, find, podsOf, readManifests, workloads, type Manifest } from "./manifests.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compose = readCompose(join(root, "docker-compose.yml"));
const manifests = readManifests(join(root, "deploy/k8s"));

/** The settings that a process gets; throws for a variable that is unknown, not read by the program, or has a wrong value. */
function settingsFor(args: readonly string[], environment: Readonly<Record<string, string>>): Record<string, unknown> {
  expect(args).toHaveLength(1);
  const program = args[0] as Program;
  for (const name of Object.keys(environment).filter((each) => each.startsWith("HEADRACE_"))) {
    const row = settingRows.find((each) => environmentName(each) === name);
    expect(row, `${name} is a setting`).toBeDefined();
    expect(row!.programs, `${name} is read by ${program}`).toContain(program);
  }
  return loadSettings(program, { flags: {}, environment, file: null });
}

/** dclint's findings, one line each. (Its types do not resolve under nodenext: hence the shape here.) */
function lint(path: string, rules: Record<string, 0>): readonly string[] {
  const results = new DCLinter({ rules, quiet: true, debug: false, exclude: [] }).lintFiles([path], false) as readonly {
    readonly messages: readonly { readonly line: number; readonly rule: string; readonly message: string }[];
  }[];
  return results.flatMap((file) => file.messages.map(({ line, rule, message }) => `${line}: ${rule}: ${message}`));
}

function exposedPorts(): readonly number[] {
  const line = /^EXPOSE (.*)$/m.exec(readFileSync(join(root, "deploy/Dockerfile"), "utf8"))![1]!;
  return line.split(" ").map(Number);
}

describe("docker-compose.yml", () => {
  test("it is valid by the compose schema and by dclint's rules", () => {
    // Order of keys is a matter of taste; "require-quotes-in-ports" does not see quotes inside of a list.
    const taste = [
      "service-keys-order",
      "top-level-properties-order",
      "require-quotes-in-ports",
      "services-alphabetical-order",
      "service-dependencies-alphabetical-order",
      "service-ports-alphabetical-order",
    ];
    const off = Object.fromEntries(taste.map((rule) => [rule, 0])) as Record<string, 0>;
    const problems = lint(join(root, "docker-compose.yml"), off);
    expect(problems).toEqual([]);
  });

  test("the check fails for a key that compose does not know", () => {
    const folder = mkdtempSync(join(tmpdir(), "headrace-compose-"));
    const path = join(folder, "docker-compose.yml");
    const text = readFileSync(join(root, "docker-compose.yml"), "utf8");
    writeFileSync(path, text.replaceAll("    healthcheck:", "    healthchek:"));
    const problems = lint(path, {});
    rmSync(folder, { recursive: true, force: true });
    expect(problems.join("\n")).toMatch(/invalid-schema.*additional properties/);
  });

  test("every service's environment is settings that its program reads, with values that it takes", () => {
    for (const [name, service] of ownServices(compose)) {
      const settings = settingsFor(service.command!, service.environment!);
      expect(settings["cluster-secret"], name).toBeTruthy();
      expect(settings["seeds"], name).toEqual(["node-1:7401", "node-2:7401", "node-3:7401"]);
    }
  });

  test("nodes are announced under their service's name; published, exposed and configured ports agree", () => {
    const exposed = exposedPorts();
    for (const [name, service] of ownServices(compose)) {
      const settings = settingsFor(service.command!, service.environment!);
      if (service.command![0] === "node") {
        expect(settings["announce-host"]).toBe(name);
        expect(settings["bootstrap-expect"]).toBe(3);
        expect(service.volumes).toEqual([`${name}:/data`]);
        expect(compose.volumes).toHaveProperty(name);
        expect(settings["data"]).toBe("/data");
      }
      for (const port of ["port", "http-port", "data-port", "grpc-port"]) {
        if (settings[port] !== undefined) expect(exposed).toContain(settings[port]);
      }
      for (const published of service.ports ?? []) expect(Number(published.split(":").at(-1))).toBe(settings["port"]);
      expect(service.healthcheck!.test.join(" ")).toContain(`:${String(settings["http-port"])}/readyz`);
      expect(service.read_only, `${name} writes to its volume only`).toBe(true);
      expect(existsSync(join(root, service.build!.dockerfile))).toBe(true);
      expect(Number.parseInt(service.stop_grace_period!, 10), "longer than stopping takes").toBeGreaterThan(5);
    }
  });

  test("Prometheus scrapes every process, at the port that it has", () => {
    const { scrape_configs: jobs } = parse(readFileSync(join(root, "deploy/prometheus/prometheus.yml"), "utf8")) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const targets = jobs.flatMap((job) => job.static_configs.flatMap((group) => group.targets));
    const processes = ownServices(compose).map(
      ([name, service]) => `${name}:${String(settingsFor(service.command!, service.environment!)["http-port"])}`,
    );
    expect(targets.toSorted()).toEqual(processes.toSorted());
  });
});

describe("deploy/k8s", () => {
  test("every manifest has the types and no other fields than Kubernetes' API", () => {
    expect(typeProblems(manifests)).toBe("");
  }, 120_000);

  test("the check fails for a field that Kubernetes does not know and for a wrong type", () => {
    const nodes = find(manifests, "StatefulSet", "headrace-node");
    const unknown = { ...nodes, spec: { ...nodes.spec!, replicaz: 3 } };
    expect(typeProblems([unknown])).toContain("'\"replicaz\"' does not exist");
    const wrong = { ...nodes, spec: { ...nodes.spec!, replicas: "three" as unknown as number } };
    expect(typeProblems([wrong])).toContain("'string' is not assignable to type 'number'");
  }, 120_000);

  test("the models' own validation finds nothing", async () => {
    for (const manifest of manifests) {
      const path = join(root, "node_modules/kubernetes-models", folderOf(manifest), `${manifest.kind}.js`);
      const module = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as Record<
        string,
        new (data: Manifest) => { validate(): void }
      >;
      new module[manifest.kind]!(manifest).validate();
    }
  });

  test.runIf(spawnSync("kubectl", ["version", "--client"]).status === 0)("kubectl kustomize renders all of it", () => {
    const rendered = execFileSync("kubectl", ["kustomize", join(root, "deploy/k8s")], { encoding: "utf8" });
    const kinds = rendered.split(/^---$/m).map((part) => (parse(part) as Manifest).kind);
    expect(kinds.toSorted()).toEqual(manifests.map((each) => each.kind).toSorted());
    expect(rendered).toContain("image: headrace:0.1.0");
  });

  test("every pod's environment is settings that its program reads, with values that it takes", () => {
    const pods = podsOf(manifests);
    expect(pods.map((pod) => pod.name)).toEqual([
      "headrace-node-0",
      "headrace-node-1",
      "headrace-node-2",
      "headrace-gateway-0",
      "headrace-gateway-1",
    ]);
    const founders = pods.filter((pod) => pod.container.args[0] === "node");
    for (const pod of pods) {
      const settings = settingsFor(pod.container.args, pod.environment);
      expect(settings["cluster-secret"], pod.name).toBeTruthy();
      expect(settings["seeds"]).toEqual(founders.map((each) => `${each.hostNames[0]!}:7401`));
      if (pod.container.args[0] !== "node") continue;
      expect(settings["announce-host"], "the name that the headless service gives it").toBe(pod.hostNames[0]);
      expect(settings["bootstrap-expect"]).toBe(founders.length);
      expect(pod.container.volumeMounts.map((mount) => mount.mountPath)).toContain(settings["data"]);
    }
  });

  test("ports, probes, services and policies name what is there", () => {
    for (const workload of workloads(manifests)) {
      const container = containerOf(workload);
      const pod = podsOf(manifests).find((each) => each.container === container)!;
      const settings = settingsFor(container.args, pod.environment);
      const declared = Object.fromEntries(container.ports.map((port) => [port.name, port.containerPort]));
      const wanted =
        container.args[0] === "node"
          ? { data: settings["data-port"], grpc: settings["grpc-port"], http: settings["http-port"] }
          : { redis: settings["port"], http: settings["http-port"] };
      expect(declared, workload.metadata.name).toEqual(wanted);
      for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
        expect(declared).toHaveProperty(probe.httpGet.port);
      }
      expect(container.livenessProbe.httpGet.path, "liveness is never the quorum").toBe("/livez");
      expect(container.readinessProbe.httpGet.path).toBe("/readyz");
      expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
      const labels = workload.spec!.template.metadata.labels;
      const service = manifests.find((each) => each.kind === "Service" && selects(each.spec!.selector!, labels))!;
      for (const port of service.spec!.ports) {
        expect(declared, `${service.metadata.name} → ${port.name}`).toHaveProperty(port.targetPort ?? port.name);
      }
      for (const kind of ["PodDisruptionBudget", "NetworkPolicy"]) {
        const chosen = manifests.filter(
          (each) =>
            each.kind === kind && selects((each.spec!.selector ?? each.spec!.podSelector)!.matchLabels!, labels),
        );
        expect(chosen, `${kind} of ${workload.metadata.name}`).toHaveLength(1);
      }
    }
    expect(find(manifests, "Service", "headrace-nodes").spec).toMatchObject({
      clusterIP: "None",
      publishNotReadyAddresses: true,
    });
  });
});

function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** `apps/v1`, `v1`, `networking.k8s.io/v1`: the folders of kubernetes-models are the API's groups. */
function folderOf(manifest: Manifest): string {
  return manifest.apiVersion;
}

/**
 * Each manifest as an object literal of its type: the compiler then refuses wrong types, unknown fields and values outside of an enumeration.
 * What it says, or "".
 */
function typeProblems(checked: readonly Manifest[]): string {
  const folder = mkdtempSync(join(tmpdir(), "headrace-manifests-"));
  const lines = checked.flatMap((manifest, i) => [
    `import type { I${manifest.kind} as Kind${i} } from "kubernetes-models/${folderOf(manifest)}/${manifest.kind}";`,
    `export const manifest${i}: Kind${i} = ${JSON.stringify(manifest, null, 2)};`,
  ]);
  writeFileSync(join(folder, "manifests.ts"), lines.join("\n"));
  const options = {
    compilerOptions: {
      target: "es2023",
      module: "nodenext",
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      types: [],
      paths: { "kubernetes-models/*": [join(root, "node_modules/kubernetes-models/*.d.ts")] },
    },
    files: ["manifests.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  const tsc = join(root, "node_modules/.bin/tsc");
  const result = spawnSync(tsc, ["-p", folder, "--pretty", "false"], { encoding: "utf8" });
  rmSync(folder, { recursive: true, force: true });
  return result.stdout;
}
