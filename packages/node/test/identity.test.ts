import { bytesOf, utf8, utf8Bytes } from "@headrace/bytes";
import { expect, test } from "vitest";
import { contradiction, loadIdentity, parseIdentity, storeIdentity } from "../src/identity.ts";
import type { Identity, Loaded } from "../src/identity.ts";
import { encodeRecord } from "../src/record-json.ts";
import { MemoryDisks, MemoryRecordStore } from "./memory-world.ts";
import { Life, VirtualTime } from "./virtual-time.ts";

const identity: Identity = {
  clusterId: "c1",
  nodeId: 2,
  incarnation: 7,
  opened: true,
  foundedWith: { nodes: 3, shards: 8, replicas: 3 },
};

function reasonOf(loaded: Loaded<Identity | null>): string {
  return loaded.ok ? "ok" : loaded.failure.reason;
}

test("an identity that was stored is found again, an empty directory has none", () => {
  const time = new VirtualTime();
  const disks = new MemoryDisks();
  const records = new MemoryRecordStore(time, new Life("n"), disks);
  const found: unknown[] = [];
  loadIdentity(records, (loaded) => found.push(loaded));
  time.run(5);
  storeIdentity(records, identity, () => loadIdentity(records, (loaded) => found.push(loaded)));
  time.run(5);
  expect(found).toEqual([
    { ok: true, value: null },
    { ok: true, value: identity },
  ]);
  const text = JSON.parse(utf8(disks.records.get("identity")!)) as Record<string, unknown>;
  expect(text).toMatchObject({ formatVersion: 1, clusterId: "c1", nodeId: 2 });
});

test("a newer, a foreign and a damaged directory are told apart and all refused", () => {
  expect(reasonOf(parseIdentity(utf8Bytes('{"formatVersion":2,"clusterId":"c","nodeId":1}')))).toBe("newer");
  expect(reasonOf(parseIdentity(encodeRecord({ name: "somebody else's" })))).toBe("foreign");
  expect(reasonOf(parseIdentity(encodeRecord({ ...identity, nodeId: 0 })))).toBe("foreign");
  expect(reasonOf(parseIdentity(bytesOf("not json")))).toBe("damaged");
  expect(reasonOf(parseIdentity(utf8Bytes('{"clusterId":"c","nodeId":1}')))).toBe("damaged");
});

test("any single changed byte of an identity is noticed", () => {
  const whole = encodeRecord({ ...identity });
  for (let at = 0; at < whole.length - 1; at++) {
    const bitten = whole.slice();
    bitten[at] = bitten[at]! ^ 1;
    const loaded = parseIdentity(bitten);
    // One bit turns the digit of formatVersion 1 into 0; everything else is damage.
    expect(reasonOf(loaded), `byte ${at}`).not.toBe("ok");
  }
});

test("settings that contradict the founding are one clear error, those that say nothing are none", () => {
  expect(contradiction(identity, { shards: null, replicas: null })).toBeNull();
  expect(contradiction(identity, { shards: 8, replicas: 3 })).toBeNull();
  expect(contradiction(identity, { shards: 4, replicas: null })?.message).toBe(
    "this cluster was founded with 8 shards, not 4: the setting can't be changed afterwards",
  );
  expect(contradiction(identity, { shards: null, replicas: 1 })?.reason).toBe("contradiction");
  expect(contradiction(identity, { shards: null, replicas: 5 })).toBeNull();
  expect(contradiction({ ...identity, foundedWith: null }, { shards: 4, replicas: 1 })).toBeNull();
});
