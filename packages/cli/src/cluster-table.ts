/** `headrace cluster status` for people: tables of nodes and shards out of what the nodes say of themselves. Pure text. */

import type { ClusterState } from "@headrace/meta";

/** One node's own status, or why there is none. */
export interface NodeReport {
  readonly nodeId: number;
  readonly address: string;
  /** What the cluster wants of it: active, spare, draining, … */
  readonly duty: string;
  readonly unreachable: string | null;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly groups: readonly GroupReport[];
}

export interface GroupReport {
  readonly groupId: number;
  readonly role: string;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
}

/** A table with a header line; columns as wide as their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** A change of members in flight, in words of nodes. */
export interface ChangeReport {
  readonly groupId: number;
  readonly adds: readonly number[];
  readonly removes: readonly number[];
  readonly stage: string;
}

export function changeReports(state: ClusterState): readonly ChangeReport[] {
  const reports: ChangeReport[] = [];
  for (const groupId of state.groupIds()) {
    const { replicas, change } = state.membersOf(groupId)!;
    if (change === null) continue;
    const nodesOf = (ids: readonly number[]): number[] =>
      replicas.filter((replica) => ids.includes(replica.replicaId)).map((replica) => replica.nodeId);
    reports.push({ groupId, adds: nodesOf(change.adds), removes: nodesOf(change.removes), stage: change.stage });
  }
  return reports;
}

export function clusterTables(reports: readonly NodeReport[], changes: readonly ChangeReport[]): string {
  const nodes = table(
    ["node", "address", "duty", "state", "leads", "replicas"],
    reports.map((report) => [
      String(report.nodeId),
      report.address,
      report.duty,
      report.unreachable ?? (report.ready ? "ready" : report.reasons.join("; ")),
      String(report.groups.filter((group) => group.role === "leader").length),
      String(report.groups.length),
    ]),
  );
  const ids = [...new Set(reports.flatMap((report) => report.groups.map((group) => group.groupId)))].sort(
    (a, b) => a - b,
  );
  const groups = table(
    ["group", "leader", "term", "commit", "behind"],
    ids.map((groupId) => groupRow(groupId, reports)),
  );
  if (changes.length === 0) return `${nodes}\n\n${groups}\n`;
  const moving = table(
    ["group", "new on", "leaves", "stage"],
    changes.map((change) => [
      groupName(change.groupId),
      nodeNames(change.adds),
      nodeNames(change.removes),
      change.stage,
    ]),
  );
  return `${nodes}\n\n${groups}\n\n${moving}\n`;
}

function groupName(groupId: number): string {
  return groupId === 0 ? "0 (metadata)" : String(groupId);
}

function nodeNames(nodeIds: readonly number[]): string {
  return nodeIds.map((nodeId) => `node ${nodeId}`).join(", ");
}

function groupRow(groupId: number, reports: readonly NodeReport[]): readonly string[] {
  const replicas = reports.flatMap((report) =>
    report.groups.filter((group) => group.groupId === groupId).map((group) => ({ nodeId: report.nodeId, group })),
  );
  const leaders = replicas.filter(({ group }) => group.role === "leader").sort((a, b) => b.group.term - a.group.term);
  const leader = leaders[0];
  const commit = Math.max(...replicas.map(({ group }) => group.commit));
  const behind = replicas
    .filter(({ nodeId }) => nodeId !== leader?.nodeId)
    .map(({ nodeId, group }) => `node ${nodeId}: ${Math.max(0, commit - group.commit)}`)
    .join(", ");
  return [
    groupName(groupId),
    leader === undefined ? "none" : `node ${leader.nodeId}`,
    String(Math.max(...replicas.map(({ group }) => group.term))),
    String(commit),
    behind,
  ];
}
