/** Which replicas a node opens when what it knows of the metadata is older than what it has done. */
import { ClusterState, defaultSettings } from "@headrace/meta";
import type { SharedLogApi } from "@headrace/log";
import { expect, test } from "vitest";
import { ReplicaKeeper } from "../src/replica-keeper.ts";
import type { OwnReplica } from "../src/replica-record.ts";
import { MemoryDisks, MemoryKvStore, MemoryRecordStore, silentLogger } from "./memory-world.ts";
import { Life, sweepPaceIn, VirtualTime } from "./virtual-time.ts";

/** Group 1 with one replica on node 1. */
function stateWith(replicaId: number): ClusterState {
  const replica = { replicaId, nodeId: 1, isJoining: false };
  return new ClusterState({
    version: replicaId,
    epoch: 1,
    clusterId: "c",
    featureLevel: 1,
    nextNodeId: 2,
    nextReplicaId: replicaId + 1,
    nextChangeId: 1,
    replicaTarget: 1,
    restoredFrom: "",
    nodes: [],
    metaReplicas: [],
    metaChange: null,
    shards: [{ id: 1, slotRanges: [], preferredReplicaId: replicaId, replicas: [replica], change: null }],
    settings: defaultSettings,
  });
}

/** The ids that were opened on a node that finds this record. */
function opened(own: OwnReplica, views: readonly ClusterState[]): readonly number[] {
  const time = new VirtualTime();
  const life = new Life("node");
  const disks = new MemoryDisks();
  const ids: number[] = [];
  const log = {
    forget: () => {},
    append: ({ onDurable }: { onDurable: () => void }) => void time.after(1, life, onDurable),
  } as unknown as SharedLogApi;
  const world = {
    scheduler: {
      soon: (run: () => void) => void time.after(0, life, run),
      after: (ms: number, run: () => void) => time.after(ms, life, run),
    },
    recordStore: new MemoryRecordStore(time, life, disks),
    kvStore: new MemoryKvStore(time, life, disks),
    sweeps: sweepPaceIn(time, life),
    log,
    logger: silentLogger,
  };
  const host = {
    prepare: (_groupId: number, replicaId: number, done: (failure: string | null) => void) => {
      ids.push(replicaId);
      done(null);
    },
    admit: () => {},
    retire: (_groupId: number, done: () => void) => done(),
    onFailed: (message: string) => expect.fail(message),
  };
  const keeper = new ReplicaKeeper(1, world, host, [own]);
  for (const view of views) {
    keeper.follow(view);
    time.run(100);
  }
  return ids;
}

test("a replica whose opening was interrupted is not begun again under an older id, whatever an old view says (I19)", () => {
  const own: OwnReplica = { groupId: 1, replicaId: 5, stage: "opening" };
  expect(opened(own, [stateWith(3)])).toEqual([]);
  expect(opened(own, [stateWith(3), stateWith(5)])).toEqual([5]);
});

test("a replica whose opening was interrupted is begun again, or its successor when it has ended meanwhile", () => {
  const own: OwnReplica = { groupId: 1, replicaId: 5, stage: "opening" };
  expect(opened(own, [stateWith(5)])).toEqual([5]);
  expect(opened(own, [stateWith(7)])).toEqual([7]);
});

test("an id that was deleted is not opened again", () => {
  const own: OwnReplica = { groupId: 1, replicaId: 5, stage: "gone" };
  expect(opened(own, [stateWith(3), stateWith(5)])).toEqual([]);
});
