/** `headrace cluster …`: asks the nodes and shows what they say. */
import { changeReports, clusterTables, type GroupReport, type NodeReport } from "@headrace/cli";
import type { NodeRecord } from "@headrace/meta";
import { ClusterAsker, noAnswer } from "./cluster-asker.ts";
import { shownStatus } from "./node-status.ts";

/** Prints nodes and groups; 1 when no seed answers or some node does not. */
export async function runClusterStatus(seeds: string, asJson: boolean): Promise<number> {
  const asker = new ClusterAsker(seeds);
  try {
    const state = await asker.state();
    if (state === null) {
      process.stderr.write(`headrace: ${noAnswer(seeds)}\n`);
      return 1;
    }
    const reports = await Promise.all(state.nodes.map((node) => nodeReport(asker, node)));
    const changes = changeReports(state);
    if (asJson) process.stdout.write(`${JSON.stringify({ clusterId: state.clusterId, nodes: reports, changes })}\n`);
    else process.stdout.write(clusterTables(reports, changes));
    return reports.every((report) => report.unreachable === null) ? 0 : 1;
  } finally {
    asker.close();
  }
}

async function nodeReport(asker: ClusterAsker, node: NodeRecord): Promise<NodeReport> {
  const known = { nodeId: node.id, address: node.peerAddress, duty: node.duty };
  const answer = await asker.ask(node.peerAddress, "status", {});
  if (!answer.ok || !answer.value.ok) {
    const why = answer.ok ? String(answer.value.body["error"]) : answer.message;
    return { ...known, unreachable: why, ready: false, reasons: [], groups: [] };
  }
  const body = shownStatus((answer.value.body["status"] ?? {}) as Record<string, unknown>);
  return {
    ...known,
    unreachable: null,
    ready: body["ready"] === true,
    reasons: (body["reasons"] as string[] | undefined) ?? [],
    groups: (body["groups"] as GroupReport[] | undefined) ?? [],
  };
}
