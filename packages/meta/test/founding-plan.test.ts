import { SLOT_COUNT } from "@headrace/bytes";
import {
  clusterStateFromJson,
  clusterStateToJson,
  defaultSettings,
  foundingPlan,
  metaMemberCount,
  Placement,
} from "@headrace/meta";
import type { Founder } from "@headrace/meta";
import fc from "fast-check";
import { expect, test } from "vitest";

function founder(i: number): Founder {
  return {
    joinToken: `token-${i}`,
    peerAddress: `10.0.0.${i}:7400`,
    dataAddress: `10.0.0.${i}:7500`,
    httpAddress: `10.0.0.${i}:7600`,
    announceHost: `node-${i}`,
    announcePort: 7500,
  };
}

function plan(nodes: number, shardCount: number, replicaCount: number) {
  return foundingPlan({
    clusterId: "c",
    founders: Array.from({ length: nodes }, (_, i) => founder(i + 1)),
    shardCount,
    replicaCount,
    settings: defaultSettings,
  });
}

const sizes = fc.record({
  nodes: fc.integer({ min: 1, max: 9 }),
  shards: fc.integer({ min: 1, max: 200 }),
  replicas: fc.integer({ min: 1, max: 5 }),
});

test("every slot has exactly one shard and shards differ by at most one slot", () => {
  fc.assert(
    fc.property(sizes, ({ nodes, shards, replicas }) => {
      const state = plan(nodes, shards, replicas);
      const owners = new Map<number, number>();
      for (let slot = 0; slot < SLOT_COUNT; slot++) {
        const holding = state.shards.filter((shard) =>
          shard.slotRanges.some((range) => range.from <= slot && slot <= range.to),
        );
        if (holding.length !== 1) return false;
        owners.set(holding[0]!.id, (owners.get(holding[0]!.id) ?? 0) + 1);
      }
      const counts = [...owners.values()];
      return (
        counts.length === shards &&
        Math.max(...counts) - Math.min(...counts) <= 1 &&
        state.shards.every((shard) => shard.slotRanges.length === 1)
      );
    }),
    { numRuns: 15 },
  );
});

test("replicas of a shard sit on distinct nodes, as many as asked for and there are nodes", () => {
  fc.assert(
    fc.property(sizes, ({ nodes, shards, replicas }) => {
      const state = plan(nodes, shards, replicas);
      for (const shard of state.shards) {
        const hosts = new Set(shard.replicas.map((replica) => replica.nodeId));
        expect(hosts.size).toBe(Math.min(replicas, nodes));
        expect(shard.replicas.length).toBe(hosts.size);
      }
    }),
  );
});

test("replicas and preferred leaders are spread evenly over the nodes", () => {
  fc.assert(
    fc.property(sizes, ({ nodes, shards, replicas }) => {
      const state = plan(nodes, shards, replicas);
      const held = Array.from({ length: nodes }, () => 0);
      const led = Array.from({ length: nodes }, () => 0);
      for (const shard of state.shards) {
        for (const replica of shard.replicas) {
          held[replica.nodeId - 1]!++;
          if (replica.replicaId === shard.preferredReplicaId) led[replica.nodeId - 1]!++;
        }
      }
      expect(Math.max(...led) - Math.min(...led)).toBeLessThanOrEqual(1);
      expect(Math.max(...held) - Math.min(...held)).toBeLessThanOrEqual(Math.min(replicas, nodes));
    }),
  );
});

test("no replica id is given twice in the whole cluster, the metadata group included", () => {
  fc.assert(
    fc.property(sizes, ({ nodes, shards, replicas }) => {
      const state = plan(nodes, shards, replicas);
      const ids = [state.metaReplicas, ...state.shards.map((shard) => shard.replicas)]
        .flat()
        .map((replica) => replica.replicaId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(Math.max(...ids)).toBeLessThan(state.nextReplicaId);
    }),
  );
});

test("the metadata group has five members from five nodes on, else three, else one", () => {
  expect([1, 2, 3, 4, 5, 6, 9].map(metaMemberCount)).toEqual([1, 1, 3, 3, 5, 5, 5]);
});

test("the same founders give the same plan, and its JSON form gives it back", () => {
  fc.assert(
    fc.property(sizes, ({ nodes, shards, replicas }) => {
      const state = plan(nodes, shards, replicas);
      const text = JSON.stringify(clusterStateToJson(state));
      expect(JSON.stringify(clusterStateToJson(plan(nodes, shards, replicas)))).toBe(text);
      const back = clusterStateFromJson(JSON.parse(text));
      expect(JSON.stringify(clusterStateToJson(back))).toBe(text);
    }),
  );
});

test("the placement finds the shard whose range holds the slot", () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: SLOT_COUNT - 1 }), ({ nodes, shards }, slot) => {
      const state = plan(nodes, shards, 3);
      const shard = state.shard(new Placement(state).shardOf(slot));
      expect(shard?.slotRanges.some((range) => range.from <= slot && slot <= range.to)).toBe(true);
    }),
  );
});
