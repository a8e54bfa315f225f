/**
 * What each acknowledgement level promises, on real processes: with both followers of a shard stopped (SIGSTOP) nothing reaches a majority, and it
 * shows who waits, who does not, and what is said when the leader is deposed.
 */
import { LocalCluster, signal } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

interface GroupStatus {
  readonly groupId: number;
  readonly role: string;
  readonly term: number;
}

let cluster: LocalCluster;
const open: Redis[] = [];
const stopped: number[] = [];

async function client(): Promise<Redis> {
  const redis = connect(cluster.url);
  open.push(redis);
  await ready(redis);
  return redis;
}

/** Stops both followers of the shard that owns the key's slot, which all shards share with it in a cluster of one shard. */
async function stopFollowers(): Promise<void> {
  const nodes = cluster.places().nodes;
  const leader = await until(async () => {
    for (const node of nodes) {
      const status = (await cluster.nodeStatus(node)) as { groups: readonly GroupStatus[] };
      if (status.groups.some((group) => group.groupId === 1 && group.role === "leader")) return node.id;
    }
    return null;
  });
  for (const node of nodes) {
    if (node.id === leader) continue;
    signal(node.pid, "SIGSTOP");
    stopped.push(node.pid);
  }
}

function goOn(): void {
  for (const pid of stopped.splice(0)) signal(pid, "SIGCONT");
}

/** The state of a promise without waiting for it: settled after everything that was already on its way. */
function watch<T>(promise: Promise<T>): { settled: boolean } {
  const state = { settled: false };
  promise.then(
    () => (state.settled = true),
    () => (state.settled = true),
  );
  return state;
}

describe("with an election timeout of ten seconds", () => {
  beforeAll(async () => {
    cluster = await LocalCluster.start({
      flags: ["--shards", "1", "--election-timeout-ms", "10000", "--heartbeat-ms", "50", "--reply-timeout-ms", "30000"],
    });
  });
  afterEach(() => {
    goOn();
    for (const redis of open.splice(0)) redis.disconnect();
  });
  afterAll(async () => {
    await cluster.destroy();
  });

  test("ack=all waits, ack=1 and ack=0 do not, reads of those keys wait, WAIT counts truly", async () => {
    const writer = await client();
    const other = await client();
    const relaxed = await client();
    const reader = await client();
    await writer.xadd("before", "1-0", "f", "v");
    await stopFollowers();

    const all = writer.xadd("strict", "1-0", "f", "v");
    const allState = watch(all);
    expect(await relaxed.call("XADD", "one", "ACK", "1", "1-0", "f", "v")).toBe("1-0");
    expect(await relaxed.call("XADD", "zero", "ACK", "0", "1-0", "f", "v")).toBe("1-0");
    // Level of the connection, for other writes than XADD.
    expect(await other.call("CLIENT", "ACK", "1")).toBe("OK");
    expect(await other.xdel("before", "1-0")).toBe(1);

    const read = reader.xrange("one", "-", "+");
    const readState = watch(read);
    const nothing = await relaxed.call("WAIT", "2", "500");
    expect(nothing).toBe(0);
    // The WAIT alone took half a second: whatever did not have to wait would have come by now.
    expect(allState.settled).toBe(false);
    expect(readState.settled).toBe(false);

    goOn();
    expect(await all).toBe("1-0");
    expect(await read).toEqual([["1-0", ["f", "v"]]]);
    expect(await relaxed.call("WAIT", "2", "5000")).toBe(2);
    expect(await reader.xlen("before")).toBe(0);
  });
});

describe("with default timeouts", () => {
  beforeAll(async () => {
    cluster = await LocalCluster.start({ flags: ["--shards", "1", "--hold-ms", "1500"] });
  });
  afterAll(async () => {
    goOn();
    for (const redis of open.splice(0)) redis.disconnect();
    await cluster.destroy();
  });

  test("a deposed leader's held writes are uncertain, new ones are refused, and nothing acknowledged is missing", async () => {
    const writer = await client();
    const later = await client();
    const acknowledged: string[] = [];
    for (let i = 1; i <= 50; i++) acknowledged.push((await writer.xadd("s", `${i}-0`, "f", String(i))) as string);

    await stopFollowers();
    const held = writer.xadd("s", "1000-0", "f", "held");
    await expect(held).rejects.toThrow(/^UNCERTAIN/);
    await expect(later.xadd("s", "2000-0", "f", "all")).rejects.toThrow(/^CLUSTERDOWN/);
    await expect(later.call("XADD", "s", "ACK", "1", "2001-0", "f", "one")).rejects.toThrow(/^CLUSTERDOWN/);
    await expect(later.call("XADD", "s", "ACK", "0", "2002-0", "f", "zero")).rejects.toThrow(/^CLUSTERDOWN/);
    await expect(writer.call("WAIT", "1", "300")).rejects.toThrow(/^(UNCERTAIN|CLUSTERDOWN)/);

    goOn();
    const back = await until(async () => {
      try {
        return (await later.xadd("s", "*", "f", "after")) as string;
      } catch {
        return null;
      }
    });
    const entries = await later.xrange("s", "-", "+");
    const ids = new Set(entries.map(([id]) => id));
    for (const id of acknowledged) expect(ids.has(id), id).toBe(true);
    expect(ids.has(back)).toBe(true);
    for (const refused of ["2000-0", "2001-0", "2002-0"]) expect(ids.has(refused), refused).toBe(false);
  });
});
