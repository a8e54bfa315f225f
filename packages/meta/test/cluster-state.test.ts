import {
  clusterStateFromJson,
  clusterStateToJson,
  decodeMetaCommand,
  defaultSettings,
  encodeMetaCommand,
  foundingPlan,
  MetaFormatError,
  nodeName,
  parseMetaCommand,
  parseSetting,
  UnknownMetaCommandError,
} from "@headrace/meta";
import type { ClusterState, MetaCommand, NodeAddresses } from "@headrace/meta";
import { utf8Bytes } from "@headrace/bytes";
import fc from "fast-check";
import { expect, test } from "vitest";

function addresses(i: number): NodeAddresses {
  return {
    peerAddress: `10.0.0.${i}:7400`,
    dataAddress: `10.0.0.${i}:7500`,
    httpAddress: "",
    announceHost: `node-${i}`,
    announcePort: 7500 + i,
  };
}

function threeNodes(): ClusterState {
  return foundingPlan({
    clusterId: "c",
    founders: [1, 2, 3].map((i) => ({ joinToken: `t${i}`, ...addresses(i) })),
    shardCount: 8,
    replicaCount: 3,
    settings: defaultSettings,
  });
}

const command: fc.Arbitrary<MetaCommand> = fc.oneof(
  fc.record({
    kind: fc.constant("registerNode" as const),
    joinToken: fc.constantFrom("a", "b", "c", "t1"),
    addresses: fc.integer({ min: 1, max: 20 }).map(addresses),
  }),
  fc.record({
    kind: fc.constant("updateNode" as const),
    nodeId: fc.integer({ min: 0, max: 6 }),
    addresses: fc.integer({ min: 1, max: 20 }).map(addresses),
  }),
  fc.record({
    kind: fc.constant("setSetting" as const),
    name: fc.constantFrom("ack", "stream-node-max-bytes", "stream-node-max-entries", "nonsense"),
    value: fc.constantFrom("0", "1", "all", "4kb", "-1", "", "100"),
  }),
);

test("the same commands in the same order give the same state on every member, through the wire form and a restart too", () => {
  fc.assert(
    fc.property(fc.array(command), fc.nat(), (commands, cut) => {
      const lived = threeNodes();
      let restored = threeNodes();
      commands.forEach((each, i) => {
        lived.apply(each);
        restored.apply(decodeMetaCommand(encodeMetaCommand(each)));
        if (i === cut % (commands.length + 1)) {
          restored = clusterStateFromJson(JSON.parse(JSON.stringify(clusterStateToJson(restored))));
        }
      });
      lived.verify();
      expect(clusterStateToJson(restored)).toEqual(clusterStateToJson(lived));
    }),
  );
});

test("a node that asks twice with one token gets one id, another token gets another id", () => {
  const state = threeNodes();
  const ask = (joinToken: string, i: number) =>
    state.apply({ kind: "registerNode", joinToken, addresses: addresses(i) });
  expect(ask("new", 4)).toEqual({ ok: true, nodeId: 4 });
  expect(ask("new", 9)).toEqual({ ok: true, nodeId: 4 });
  expect(ask("newer", 4)).toEqual({ ok: true, nodeId: 5 });
  expect(state.node(4)?.peerAddress).toBe("10.0.0.9:7400");
});

test("version moves with every change, epoch only with the placement's, neither when nothing changes", () => {
  const state = threeNodes();
  const seen = (): [number, number] => [state.version, state.epoch];
  expect(seen()).toEqual([1, 1]);
  state.apply({ kind: "updateNode", nodeId: 1, addresses: addresses(1) });
  expect(seen()).toEqual([1, 1]);
  state.apply({ kind: "updateNode", nodeId: 1, addresses: addresses(7) });
  expect(seen()).toEqual([2, 2]);
  state.apply({ kind: "setSetting", name: "ack", value: "1" });
  expect(seen()).toEqual([3, 2]);
  expect(state.apply({ kind: "updateNode", nodeId: 9, addresses: addresses(1) }).ok).toBe(false);
  expect(state.apply({ kind: "setSetting", name: "ack", value: "2" }).ok).toBe(false);
  expect(seen()).toEqual([3, 2]);
});

test("an unknown command or a newer form stops the member instead of being skipped", () => {
  const state = threeNodes();
  expect(() => parseMetaCommand({ kind: "splitShard" })).toThrow(UnknownMetaCommandError);
  expect(() => parseMetaCommand({ formatVersion: 2, kind: "setSetting" })).toThrow(UnknownMetaCommandError);
  expect(() => state.apply({ kind: "later" } as unknown as MetaCommand)).toThrow(UnknownMetaCommandError);
  expect(() => decodeMetaCommand(utf8Bytes("{"))).toThrow(MetaFormatError);
  expect(() => clusterStateFromJson({ ...clusterStateToJson(state), formatVersion: 2 })).toThrow(MetaFormatError);
});

test("a state whose slots or replicas contradict the rules is refused", () => {
  const json = clusterStateToJson(threeNodes());
  const shards = threeNodes().shards;
  expect(() => clusterStateFromJson({ ...json, shards: shards.slice(1) })).toThrow("a slot has no shard");
  expect(() => clusterStateFromJson({ ...json, shards: shards.slice(1) })).toThrow(MetaFormatError);
  expect(() => clusterStateFromJson({ ...json, shards: [...shards, { ...shards[0]!, id: 9 }] })).toThrow("two shards");
  const twice = { ...shards[0]!, replicas: shards[0]!.replicas.map((r) => ({ ...r, nodeId: 1 })) };
  expect(() => clusterStateFromJson({ ...json, shards: [twice, ...shards.slice(1)] })).toThrow("on one node");
});

test("settings take Redis' memory words and refuse everything else", () => {
  const bytesOf = (value: string) => {
    const parsed = parseSetting(defaultSettings, "stream-node-max-bytes", value);
    return parsed.ok ? parsed.settings.streamNodeMaxBytes : null;
  };
  expect(["4096", "4kb", "4k", "1mb", "0"].map(bytesOf)).toEqual([4096, 4096, 4000, 1048576, 0]);
  expect(["", "-1", "4tb", "1.5k", "99999999999999gb"].map(bytesOf)).toEqual([null, null, null, null, null]);
});

test("the window of idempotent ids has Redis' bounds", () => {
  const outcome = (name: string, value: string) => {
    const parsed = parseSetting(defaultSettings, name, value);
    return parsed.ok ? [parsed.settings.streamIdmpDuration, parsed.settings.streamIdmpMaxSize] : parsed.error;
  };
  expect(outcome("stream-idmp-duration", "86400")).toEqual([86_400, 100]);
  expect(outcome("stream-idmp-maxsize", "10000")).toEqual([100, 10_000]);
  expect(outcome("stream-idmp-duration", "0")).toBe("argument must be between 1 and 86400 inclusive");
  expect(outcome("stream-idmp-maxsize", "10001")).toBe("argument must be between 1 and 10000 inclusive");
  expect(outcome("stream-idmp-maxsize", "x")).toBe("argument couldn't be parsed into an integer");
});

test("a node's name has Redis' form and differs between nodes and clusters", () => {
  const names = [nodeName("c", 1), nodeName("c", 2), nodeName("d", 1)];
  for (const name of names) expect(name).toMatch(/^[0-9a-f]{40}$/);
  expect(new Set(names).size).toBe(3);
});
