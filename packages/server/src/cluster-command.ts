/** `headrace cluster …`: asks the nodes and shows what they say. */
import { clusterTables, type GroupReport, type NodeReport } from "@headrace/cli";
import { clusterStateFromJson, type ClusterState } from "@headrace/meta";
import type { MetaClient, MetaResponse, Result } from "@headrace/ports";
import { createMetaClient } from "@headrace/transport";
import { createLogger } from "./logger.ts";
import { shownStatus } from "./node-status.ts";

const ASK_TIMEOUT_MS = 2000;

/** Prints nodes and groups; 1 when no seed answers or some node does not. */
export async function runClusterStatus(seeds: string, asJson: boolean): Promise<number> {
  const client = createMetaClient({
    secret: process.env["HEADRACE_CLUSTER_SECRET"] ?? null,
    logger: createLogger("error", { role: "cli" }),
  });
  try {
    const state = await clusterState(client, seeds.split(","));
    if (state === null) {
      process.stderr.write(`headrace: no node answers at ${seeds}; name one with --seeds host:grpc-port\n`);
      return 1;
    }
    const reports = await Promise.all(state.nodes.map((node) => nodeReport(client, node.id, node.peerAddress)));
    if (asJson) process.stdout.write(`${JSON.stringify({ clusterId: state.clusterId, nodes: reports })}\n`);
    else process.stdout.write(clusterTables(reports));
    return reports.every((report) => report.unreachable === null) ? 0 : 1;
  } finally {
    client.close();
  }
}

function ask(client: MetaClient, address: string, kind: string): Promise<Result<MetaResponse>> {
  return new Promise((done) => client.ask(address, { kind, body: {} }, ASK_TIMEOUT_MS, done));
}

async function clusterState(client: MetaClient, seeds: readonly string[]): Promise<ClusterState | null> {
  for (const seed of seeds) {
    const answer = await ask(client, seed.trim(), "state");
    if (!answer.ok || !answer.value.ok) continue;
    return clusterStateFromJson(answer.value.body["state"]);
  }
  return null;
}

async function nodeReport(client: MetaClient, nodeId: number, address: string): Promise<NodeReport> {
  const answer = await ask(client, address, "status");
  if (!answer.ok || !answer.value.ok) {
    const why = answer.ok ? String(answer.value.body["error"]) : answer.message;
    return { nodeId, address, unreachable: why, ready: false, reasons: [], groups: [] };
  }
  const body = shownStatus((answer.value.body["status"] ?? {}) as Record<string, unknown>);
  return {
    nodeId,
    address,
    unreachable: null,
    ready: body["ready"] === true,
    reasons: (body["reasons"] as string[] | undefined) ?? [],
    groups: (body["groups"] as GroupReport[] | undefined) ?? [],
  };
}
