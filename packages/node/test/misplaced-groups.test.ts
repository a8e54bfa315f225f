/** Where leadership should be, as the plan has it and as the nodes are. */
import type { ShardRecord } from "@headrace/meta";
import { expect, test } from "vitest";
import { misplacedGroups } from "../src/misplaced-groups.ts";
import { PeerNotes } from "../src/peer-notes.ts";
import type { ShardReplica } from "../src/shard.ts";

const OWN_NODE = 1;
const OWN_REPLICA = 9;
const PREFERRED = 7;
const THIRD = 8;

/** Replicas 9, 7 and 8 on nodes 1, 2 and 3; 7 is the preferred one, and this node leads. */
function shard(change: ShardRecord["change"] = null): ShardRecord {
  const replicas = [OWN_REPLICA, PREFERRED, THIRD].map((replicaId, i) => ({
    replicaId,
    nodeId: i + 1,
    isJoining: false,
  }));
  return { id: 2, slotRanges: [{ from: 0, to: 16383 }], replicas, change, preferredReplicaId: PREFERRED };
}

function targets(placed: ShardRecord, isLowOnSpace: boolean = false): readonly number[] {
  const notes = new PeerNotes(OWN_NODE, { wallMs: () => 0, monotonicMs: () => 0 });
  for (const nodeId of [2, 3]) notes.heard(nodeId, { wallMs: 0, isLowOnSpace: false });
  const replica = {
    isReady: true,
    status: () => ({
      lastIndex: 30,
      matches: placed.replicas.map(({ replicaId }) => ({ replica: replicaId, match: 30, isLearner: false })),
    }),
  };
  const found = misplacedGroups([placed], {
    nodeId: OWN_NODE,
    notes,
    isLowOnSpace,
    shard: () => replica as unknown as ShardReplica,
    nodesOf: () => [1, 2, 3],
  });
  return found.map(({ toReplicaId }) => toReplicaId);
}

test("a group goes back to its preferred replica, from a node without space to any other", () => {
  expect(targets(shard())).toEqual([PREFERRED]);
  expect(targets(shard(), true)).toEqual([PREFERRED, THIRD]);
});

test("a replica that a change removes is not given leadership back: it has just handed over in order to go", () => {
  const change = { id: 4, stage: "swapping", adds: [10], removes: [PREFERRED], mark: 0 } as const;
  expect(targets(shard(change))).toEqual([]);
  expect(targets(shard(change), true)).toEqual([THIRD]);
});
