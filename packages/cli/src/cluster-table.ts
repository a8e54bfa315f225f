/** `headrace cluster status` for people: tables of nodes and shards out of what the nodes say of themselves. Pure text. */

/** One node's own status, or why there is none. */
export interface NodeReport {
  readonly nodeId: number;
  readonly address: string;
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

export function clusterTables(reports: readonly NodeReport[]): string {
  const nodes = table(
    ["node", "address", "state", "leads", "replicas"],
    reports.map((report) => [
      String(report.nodeId),
      report.address,
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
  return `${nodes}\n\n${groups}\n`;
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
    groupId === 0 ? "0 (metadata)" : String(groupId),
    leader === undefined ? "none" : `node ${leader.nodeId}`,
    String(Math.max(...replicas.map(({ group }) => group.term))),
    String(commit),
    behind,
  ];
}
