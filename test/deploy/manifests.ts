/** The manifests of deploy/k8s as a cluster would run them: one pod for each replica, its environment resolved. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Spec;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

type Labels = Readonly<Record<string, string>>;

/** What these tests look at, of all kinds together. */
export interface Spec {
  readonly replicas: number;
  readonly serviceName?: string;
  readonly clusterIP?: string;
  readonly selector?: Labels & { readonly matchLabels?: Labels };
  readonly podSelector?: { readonly matchLabels: Labels };
  readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort?: string }[];
  readonly template: {
    readonly metadata: { readonly labels: Labels };
    readonly spec: { readonly enableServiceLinks?: boolean; readonly containers: readonly Container[] };
  };
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

export interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: readonly EnvironmentRow[];
  readonly envFrom?: readonly Reference[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean };
}

interface EnvironmentRow {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string };
    readonly configMapKeyRef?: { readonly name: string; readonly key: string };
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
  };
}

interface Reference {
  readonly configMapRef?: { readonly name: string };
  readonly secretRef?: { readonly name: string };
}

export interface Pod {
  readonly name: string;
  /** Names under which others find it. */
  readonly hostNames: readonly string[];
  readonly container: Container;
  readonly environment: Readonly<Record<string, string>>;
}

/** What kustomization.yaml lists, in its order. */
export function readManifests(folder: string): readonly Manifest[] {
  const { resources } = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8")) as { resources: string[] };
  return resources.flatMap((name) =>
    parseAllDocuments(readFileSync(join(folder, name), "utf8"), { strict: true }).map((document) => {
      if (document.errors.length > 0) throw document.errors[0]!;
      return document.toJS() as Manifest;
    }),
  );
}

export function workloads(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.filter((each) => each.kind === "StatefulSet" || each.kind === "Deployment");
}

export function containerOf(workload: Manifest): Container {
  const containers = workload.spec!.template.spec.containers;
  if (containers.length !== 1) throw new Error(`${workload.metadata.name}: one container expected`);
  return containers[0]!;
}

export function podsOf(manifests: readonly Manifest[]): readonly Pod[] {
  return workloads(manifests).flatMap((workload) => {
    const replicas = workload.spec!.replicas;
    const container = containerOf(workload);
    return Array.from({ length: replicas }, (_, ordinal) => {
      const name = `${workload.metadata.name}-${ordinal}`;
      const governing = workload.spec!.serviceName;
      return {
        name,
        hostNames: governing === undefined ? [] : [`${name}.${governing}`],
        container,
        environment: environmentOf(manifests, workload, name),
      };
    });
  });
}

/** Least first, as the kubelet does it: service links, envFrom, env. */
function environmentOf(manifests: readonly Manifest[], workload: Manifest, pod: string): Record<string, string> {
  const container = containerOf(workload);
  const environment: Record<string, string> =
    workload.spec!.template.spec.enableServiceLinks === false ? {} : serviceLinks(manifests);
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) Object.assign(environment, find(manifests, "ConfigMap", configMapRef.name).data);
    if (secretRef !== undefined) Object.assign(environment, find(manifests, "Secret", secretRef.name).stringData);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) {
      if (valueFrom.fieldRef.fieldPath !== "metadata.name") throw new Error(`${name}: ${valueFrom.fieldRef.fieldPath}`);
      environment[name] = pod;
    } else if (valueFrom?.configMapKeyRef !== undefined) {
      environment[name] = keyOf(find(manifests, "ConfigMap", valueFrom.configMapKeyRef.name).data, name);
    } else if (valueFrom?.secretKeyRef !== undefined) {
      environment[name] = keyOf(find(manifests, "Secret", valueFrom.secretKeyRef.name).stringData, name);
    } else {
      environment[name] = value!.replaceAll(/\$\((\w+)\)/g, (_, other: string) => keyOf(environment, other));
    }
  }
  return environment;
}

/**
 * What Kubernetes puts into every container of a namespace for each Service with an address, unless told not to. For a Service named
 * `headrace` that is HEADRACE_PORT=tcp://…, which looks like a setting of ours.
 */
function serviceLinks(manifests: readonly Manifest[]): Record<string, string> {
  const links: Record<string, string> = {};
  for (const service of manifests.filter((each) => each.kind === "Service" && each.spec!.clusterIP !== "None")) {
    const name = service.metadata.name.toUpperCase().replaceAll("-", "_");
    const port = service.spec!.ports[0]!.port;
    links[`${name}_SERVICE_HOST`] = "10.0.0.1";
    links[`${name}_SERVICE_PORT`] = String(port);
    links[`${name}_PORT`] = `tcp://10.0.0.1:${port}`;
  }
  return links;
}

export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} in the manifests`);
  return found;
}

function keyOf(values: Readonly<Record<string, string>> | undefined, key: string): string {
  const value = values?.[key];
  if (value === undefined) throw new Error(`no value for ${key}`);
  return value;
}
