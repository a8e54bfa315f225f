/** WAIT and WAITAOF: which leaders are asked for which writes, and when no number may be given. */
import { describe, expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

describe("WAIT", () => {
  test("asks the leader of each shard written, behind the replies, and answers the minimum", () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.keyOf(1), cluster.keyOf(2)];
    const client = cluster.client();
    let late: Asked | null = null;
    cluster.nodes[0]!.onAsked = (asked) => (late = asked);
    cluster.nodes.forEach((node, i) => {
      node.onWait = (shard, query) => node.answerWait(shard, query.query, 0, i === 0 ? 2 : 1);
    });
    client.sendRaw(respOf(["XADD", a, "*", "f", "1"]) + respOf(["XADD", b, "*", "f", "1"]));
    client.sendRaw(respOf(["WAIT", "2", "500"]) + respOf(["PING"]));
    cluster.world.run();
    expect(cluster.nodes[1]!.waits).toEqual([]);
    cluster.nodes[0]!.reply(late!, 1, 1, "+a\r\n", 3, 17);
    cluster.world.run();
    expect(cluster.nodes[0]!.waits[0]).toMatchObject({ shard: 1, query: { term: 3, index: 17, replicasWanted: 2 } });
    expect(client.take()).toBe(`+a|+XADD ${b} * f 1|:1|+PONG|`);
  });

  test("counts what is known when its time is over", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.send("XADD", cluster.keyOf(1), "*", "f", "1");
    client.send("WAIT", "1", "300");
    cluster.world.run(250);
    client.take();
    cluster.world.run(300);
    expect(client.take()).toBe(":0|");
    expect(cluster.nodes[0]!.waitCancels).toHaveLength(1);
  });

  test("is an error when a failover may have taken a write back, or a write was lost", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    node.onWait = (shard, query) => node.answerWait(shard, query.query, 1, 0);
    const client = cluster.client();
    client.send("XADD", key, "*", "f", "1");
    client.send("WAIT", "1", "0");
    cluster.world.run();
    expect(client.take()).toMatch(/^\+XADD [^|]*\|-UNCERTAIN [^|]*\|$/);
    node.onAsked = (asked) => node.lost(asked, asked.first, 1);
    client.send("XADD", key, "*", "f", "2");
    client.send("WAIT", "1", "0");
    cluster.world.run(100);
    expect(client.take()).toMatch(/^-UNCERTAIN [^|]*\|-UNCERTAIN [^|]*\|$/);
  });

  test("a write that a new leader has does not vouch for one that its predecessor answered", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    const client = cluster.client();
    for (const [term, index] of [
      [1, 7],
      [2, 6],
      [2, 8],
    ] as const) {
      node.onAsked = (asked) => node.reply(asked, asked.first, 1, "+a\r\n", term, index);
      client.send("XADD", key, "*", "f", "1");
      cluster.world.run();
    }
    // The new leader has not got (1, 7).
    node.onWait = (shard, query) => node.answerWait(shard, query.query, query.term === 1 ? 1 : 0, 2);
    client.send("WAIT", "1", "0");
    cluster.world.run();
    expect(client.take()).toMatch(/^\+a\|\+a\|\+a\|-UNCERTAIN [^|]*\|$/);
    expect(node.waits.map(({ query }) => [query.term, query.index])).toEqual([
      [1, 7],
      [2, 8],
    ]);
    // That has been said; from now on it is about what came after.
    client.send("WAIT", "1", "0");
    cluster.world.run();
    expect(client.take()).toBe(":2|");
  });

  test("asks again where the leader has gone", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    fresh.onWait = (shard, query) => fresh.answerWait(shard, query.query, 0, 2);
    const client = cluster.client();
    client.send("XADD", key, "*", "f", "1");
    client.send("WAIT", "2", "0");
    cluster.world.run();
    old.kill();
    fresh.leader(1, 2, 2);
    cluster.world.run(100);
    expect(fresh.waits[0]).toMatchObject({ shard: 1, query: { term: 1, index: 1 } });
    expect(client.take()).toBe(`+XADD ${key} * f 1|:2|`);
  });

  test("asks the new leader when the old one falls silent", () => {
    const cluster = new TestCluster({ limits: { pingTimeoutMs: 60_000 } });
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    fresh.onWait = (shard, query) => fresh.answerWait(shard, query.query, 0, 1);
    const client = cluster.client();
    client.send("XADD", cluster.keyOf(1), "*", "f", "1");
    client.send("WAIT", "1", "0");
    cluster.world.run();
    client.take();
    old.answersPings = false;
    fresh.leader(1, 2, 2);
    cluster.world.run(1000);
    expect(client.take()).toBe(":1|");
  });

  test("WAITAOF says whether every leader has fsynced; without writes the replicas in contact count", () => {
    const cluster = new TestCluster();
    cluster.nodes.forEach((node, i) => {
      node.onWait = (shard, query) => node.answerWait(shard, query.query, 0, 1, i === 0);
    });
    const client = cluster.client();
    client.send("WAITAOF", "1", "1", "100");
    client.send("WAIT", "1", "100");
    cluster.world.run();
    expect(client.take()).toBe("*2|:0|:1|:1|");
    expect(cluster.nodes[0]!.waits[0]!.query).toMatchObject({ term: 0, index: 0, kind: 1 });
  });
});
