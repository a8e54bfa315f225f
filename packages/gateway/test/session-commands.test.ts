/** Commands that a gateway answers itself, as clients use them on connecting and operators afterwards. */
import { clusterStateToJson } from "@headrace/meta";
import { describe, expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

function lineOf(info: string, name: string): string | undefined {
  return info
    .split("|")
    .find((line) => line.startsWith(`${name}:`))
    ?.slice(name.length + 1);
}

describe("session commands", () => {
  test("a large reply made here is not written over by the next one", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const [first, second] = ["x".repeat(20_000), "y".repeat(5000)];
    client.sendRaw(respOf(["ECHO", first]) + respOf(["ECHO", second]));
    cluster.world.run();
    expect(client.take()).toBe(`$20000|${first}|$5000|${second}|`);
  });

  test("the handshakes of ioredis, node-redis and redis-py pass", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.send("HELLO", "3");
    cluster.world.run();
    expect(client.take()).toMatch(/^%7\|\$6\|server\|\$5\|redis\|.*\$4\|mode\|\$10\|standalone\|/);
    client.sendRaw(respOf(["CLIENT", "SETINFO", "LIB-NAME", "x"]) + respOf(["SELECT", "0"]) + respOf(["CLIENT", "ID"]));
    cluster.world.run();
    expect(client.take()).toBe("+OK|+OK|:1|");
  });

  test("INFO counts keys over all shards, commands and errors", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    for (const node of cluster.nodes) {
      node.onAsked = (asked) => {
        const isQuestion = asked.commands[0]![0] === "CLUSTER";
        const numbers = "*1\r\n*11\r\n:21\r\n:1\r\n:4\r\n:5\r\n:2\r\n:1\r\n:7\r\n:3\r\n:100\r\n:2000\r\n:500\r\n";
        node.reply(asked, asked.first, 1, isQuestion ? numbers : "-NOGROUP No such key\r\n");
      };
    }
    const client = cluster.client();
    client.send("XACK", key, "g", "1-1");
    client.send("INFO", "everything");
    client.send("PING");
    cluster.world.run();
    const info = client.take();
    expect(lineOf(info, "db0")).toMatch(/^keys=42,/);
    expect(lineOf(info, "rdb_changes_since_last_save")).toBe("10");
    expect(lineOf(info, "total_blocking_keys")).toBe("4");
    expect(lineOf(info, "total_blocking_keys_on_nokey")).toBe("2");
    expect(lineOf(info, "keyspace_hits")).toBe("14");
    expect(lineOf(info, "keyspace_misses")).toBe("6");
    expect(lineOf(info, "connected_clients")).toBe("1");
    expect(lineOf(info, "errorstat_NOGROUP")).toBe("count=1");
    expect(lineOf(info, "cmdstat_xack")).toMatch(/^calls=1,.*failed_calls=1$/);
    expect(lineOf(info, "redis_mode")).toBe("standalone");
    expect(info.endsWith("|+PONG|")).toBe(true);
  });

  test("INFO answers although a shard does not", () => {
    const cluster = new TestCluster();
    for (const node of cluster.nodes) node.onAsked = () => {};
    const client = cluster.client();
    client.sendRaw(respOf(["INFO"]) + respOf(["PING"]));
    cluster.world.run(150);
    expect(client.take()).toMatch(/redis_version.*\+PONG\|$/);
  });

  test("CONFIG SET of a cluster's setting is asked of the metadata group, of a local one applied here", () => {
    const cluster = new TestCluster();
    const asked: unknown[] = [];
    cluster.world.onAsk = (request) => {
      asked.push(request);
      return { ok: true, body: {} };
    };
    const client = cluster.client();
    client.sendRaw(respOf(["CONFIG", "SET", "ack", "1"]) + respOf(["CONFIG", "GET", "ack"]));
    cluster.world.run(50);
    expect(client.take(), "the gateway has not heard of it yet").toBe("");
    const json = clusterStateToJson(cluster.state);
    const settings = { ...(json["settings"] as Record<string, unknown>), ack: "1" };
    cluster.world.publish({ ...json, version: (json["version"] as number) + 1, settings });
    cluster.world.run(50);
    expect(client.take()).toBe("+OK|*2|$3|ack|$1|1|");
    expect(asked).toEqual([{ kind: "setSetting", body: { name: "ack", value: "1" } }]);
    client.send("CONFIG", "SET", "ack", "5");
    client.send("CONFIG", "SET", "maxclients", "77");
    client.send("CONFIG", "GET", "maxclients");
    cluster.world.run();
    expect(client.take()).toMatch(/^-ERR CONFIG SET failed [^|]*\|\+OK\|\*2\|\$10\|maxclients\|\$2\|77\|$/);
  });

  test("CLUSTER SLOTS names the gateway for all slots, a node's port the shards' nodes", () => {
    const proxy = new TestCluster();
    const client = proxy.client();
    client.send("CLUSTER", "SLOTS");
    proxy.world.run();
    expect(client.take()).toMatch(/^\*1\|\*3\|:0\|:16383\|\*4\|\$9\|127\.0\.0\.1\|:6379\|/);
    const direct = new TestCluster({ config: { policy: "moved", localNodeId: 1 } });
    const other = direct.client();
    other.send("CLUSTER", "SLOTS");
    direct.world.run();
    expect(other.take()).toMatch(/^\*2\|.*10\.0\.0\.1.*10\.0\.0\.2/);
  });

  test("a placement that is damaged or older is not taken", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    cluster.world.publish({ formatVersion: 99 });
    cluster.world.publish({
      ...clusterStateToJson(cluster.state),
      version: 0,
      nodes: [],
      shards: [],
      metaReplicas: [],
    });
    cluster.world.run();
    const client = cluster.client();
    client.send("XLEN", key);
    cluster.world.run();
    expect(client.take()).toBe(`+XLEN ${key}|`);
  });

  test("a blocking read that never found a leader is not told that there was nothing to read", () => {
    const cluster = new TestCluster();
    cluster.nodes[0]!.leader(1, 0, 2);
    cluster.world.run();
    const [two, three] = [cluster.client(), cluster.client()];
    three.send("HELLO", "3");
    cluster.world.run();
    three.take();
    for (const client of [two, three]) client.send("XREAD", "BLOCK", "300", "STREAMS", cluster.keyOf(1), "0");
    // Its own 300 ms are over, but nobody has looked: it waits for a leader as long as every other request.
    cluster.world.run(400);
    expect(two.take()).toBe("");
    expect(three.take()).toBe("");
    cluster.world.run(20_000);
    expect(two.take()).toMatch(/^-CLUSTERDOWN /);
    expect(three.take()).toMatch(/^-CLUSTERDOWN /);
  });

  test("a gateway that stops lets open requests be answered first", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const held: Asked[] = [];
    cluster.nodes[0]!.onAsked = (asked) => void held.push(asked);
    const client = cluster.client();
    client.send("XADD", key, "*", "f", "v");
    cluster.world.run();
    let stopped = false;
    cluster.gateway.stop(() => (stopped = true));
    cluster.world.run(100);
    expect(stopped).toBe(false);
    cluster.nodes[0]!.answerAll(held[0]!);
    cluster.world.run();
    expect(client.take()).toBe(`+XADD ${key} * f v|`);
    expect([stopped, client.isClosed]).toEqual([true, true]);
  });
});
