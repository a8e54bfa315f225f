import { changeReports, clusterTables, drainingMessage, meantNode, notEmptyMessage, unknownNode } from "@headrace/cli";
import type { NodeReport } from "@headrace/cli";
import { defaultSettings, foundingPlan } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import { expect, test } from "vitest";

function cluster(nodes: number): ClusterState {
  const founders = Array.from({ length: nodes }, (_, i) => ({
    joinToken: `t${i}`,
    peerAddress: `10.0.0.${i + 1}:7401`,
    dataAddress: "",
    httpAddress: "",
    announceHost: "",
    announcePort: 1,
  }));
  return foundingPlan({ clusterId: "c", founders, shardCount: 2, replicaCount: 3, settings: defaultSettings });
}

function report(nodeId: number, role: string, more: Partial<NodeReport> = {}): NodeReport {
  const groups = [{ groupId: 1, role, term: 4, commit: 90 + nodeId, applied: 90, lastIndex: 95 }];
  const address = `10.0.0.${nodeId}:7401`;
  return { nodeId, address, duty: "active", unreachable: null, ready: true, reasons: [], groups, ...more };
}

test("status shows what each node is for, who leads, how far behind the others are, and what is changing", () => {
  const state = cluster(4);
  state.apply({
    kind: "beginChange",
    groupId: 1,
    addNodeIds: [4],
    removeReplicaIds: [state.shards[0]!.replicas[0]!.replicaId],
  });
  const reports = [
    report(1, "leader"),
    report(2, "follower", { duty: "draining", ready: false, reasons: ["is drained"] }),
  ];
  expect(clusterTables(reports, changeReports(state))).toBe(
    [
      "node  address        duty      state       leads  replicas",
      "----  -------------  --------  ----------  -----  --------",
      "1     10.0.0.1:7401  active    ready       1      1",
      "2     10.0.0.2:7401  draining  is drained  0      1",
      "",
      "group  leader  term  commit  behind",
      "-----  ------  ----  ------  ---------",
      "1      node 1  4     92      node 2: 0",
      "",
      "group  new on  leaves  stage",
      "-----  ------  ------  ------",
      "1      node 4  node 1  adding",
      "",
    ].join("\n"),
  );
});

test("a node is meant by its id or by its address", () => {
  const state = cluster(3);
  expect(meantNode(state, "2")).toBe(2);
  expect(meantNode(state, "10.0.0.3:7401")).toBe(3);
  expect(meantNode(state, "9")).toBeNull();
  expect(unknownNode(state, "9")).toContain("headrace node --seeds 10.0.0.1:7401");
});

test("draining says what is left to do, and when nothing can be done", () => {
  const three = cluster(3);
  three.apply({ kind: "setDuty", nodeId: 3, duty: "draining" });
  expect(drainingMessage(three, 3)).toContain("there is no active node without a copy");
  expect(notEmptyMessage(three, 3)).toContain("headrace cluster drain 3 first");
  const four = cluster(4);
  expect(drainingMessage(four, 3)).toContain("when headrace cluster status shows none, headrace cluster remove 3");
});
