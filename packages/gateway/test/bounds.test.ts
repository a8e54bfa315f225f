/** What a gateway bounds, and what must stand when the bounds are moved while requests are open. */
import { RefuseReason } from "@headrace/link";
import { expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, outputOf, respOf } from "../testing/test-cluster.ts";

test("requests that were taken stay requests although CONFIG SET lowers what a client may send", () => {
  const cluster = new TestCluster();
  const key = cluster.keyOf(1);
  const node = cluster.nodeOf(key);
  const held: Asked[] = [];
  node.onAsked = (asked) => void held.push(asked);
  const client = cluster.client();
  const value = "x".repeat(5000);
  client.sendRaw(respOf(["XADD", key, "*", "f", value]) + respOf(["XLEN", key]));
  cluster.world.run();
  const other = cluster.client();
  other.send("CONFIG", "SET", "proto-max-bulk-len", "1024");
  cluster.world.run();
  expect(other.take()).toBe("+OK|");
  node.lost(held[0]!, 1, 2);
  cluster.world.run();
  node.refuse(held[1]!, held[1]!.first, RefuseReason.notReady);
  node.onAsked = (asked) => node.answerAll(asked);
  cluster.world.run(100);
  expect(client.take()).toMatch(new RegExp(`^-UNCERTAIN [^|]*\\|\\+XLEN ${key}\\|$`));
});

test("an argument as large as proto-max-bulk-len allows is no harm to INFO", () => {
  const cluster = new TestCluster();
  const client = cluster.client();
  client.send("CONFIG", "SET", "proto-max-bulk-len", String(32 * 1024 * 1024));
  client.send("INFO", "x".repeat(17 * 1024 * 1024));
  client.send("PING");
  cluster.world.run(200);
  expect(client.take()).toMatch(/^\+OK\|.*\+PONG\|$/);
});

test("CONFIG SET takes no value that a node would not take, nor one that nobody could take back", () => {
  const cluster = new TestCluster();
  const client = cluster.client();
  for (const [name, value] of [
    ["client-query-buffer-limit", "9999999999"],
    ["client-query-buffer-limit", "1"],
    ["proto-max-bulk-len", "1"],
    ["maxclients", "2000000"],
  ] as const) {
    client.send("CONFIG", "SET", name, value);
    cluster.world.run();
    expect(client.take(), name).toMatch(/^-ERR CONFIG SET failed .*argument must be between/);
  }
});

test("replies that wait for an earlier one count against the client's output limit", () => {
  const cluster = new TestCluster({ limits: { output: outputOf(100_000) } });
  const [slow, fast] = [cluster.keyOf(1), cluster.keyOf(2)];
  cluster.nodeOf(slow).onAsked = () => {};
  const node = cluster.nodeOf(fast);
  node.onAsked = (asked) => {
    for (let i = 0; i < asked.count; i++) {
      node.reply(asked, asked.first + i, 1, `$60000\r\n${"x".repeat(60_000)}\r\n`);
    }
  };
  const client = cluster.client();
  client.sendRaw(respOf(["XLEN", slow]) + respOf(["XRANGE", fast, "-", "+"]).repeat(10));
  cluster.world.run();
  expect(client.isClosed).toBe(true);
  expect(cluster.gateway.statistics.outputLimitClosed).toBe(1);
});

test("what changes a connection's version or ack level waits for the replies of what was sent before it", () => {
  for (const words of [["HELLO", "3"], ["CLIENT", "ACK", "0"], ["RESET"]]) {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodeOf(key);
    const client = cluster.client();
    client.send("CLIENT", "ACK", "1");
    client.send("XLEN", key);
    cluster.world.run();
    client.take();
    const held: Asked[] = [];
    node.onAsked = (asked) => void held.push(asked);
    // One write of the client: all of it is there before the node has answered anything.
    client.sendRaw(respOf(["XADD", key, "*", "f", "v"]) + respOf(words) + respOf(["XLEN", key]));
    cluster.world.run();
    expect([held.length, node.set.length], words[0]).toEqual([1, 0]);
    node.onAsked = (asked) => node.answerAll(asked);
    node.answerAll(held[0]!);
    cluster.world.run();
    expect(node.set, words[0]).toHaveLength(1);
    expect(client.take()).toMatch(new RegExp(`^\\+XADD ${key} .*\\+XLEN ${key}\\|$`));
  }
});

test("a request that comes before the placement is known waits for it, in order; after hold-ms it gets -CLUSTERDOWN", () => {
  const cluster = new TestCluster({ publish: false });
  const key = cluster.keyOf(1);
  const client = cluster.client();
  client.sendRaw(respOf(["PING"]) + respOf(["XADD", key, "*", "f", "v"]) + respOf(["XLEN", key]) + respOf(["PING"]));
  cluster.world.run(1000);
  expect(client.take()).toBe("+PONG|");
  cluster.publish();
  cluster.world.run(100);
  expect(client.take()).toBe(`+XADD ${key} * f v|+XLEN ${key}|+PONG|`);

  const never = new TestCluster({ publish: false });
  const impatient = never.client();
  impatient.send("XLEN", key);
  never.world.run(4900);
  expect(impatient.take()).toBe("");
  never.world.run(200);
  expect(impatient.take()).toBe("-CLUSTERDOWN The placement is not known yet; nothing happened|");
});

test("who asks where slots are before the placement is known waits for it, and is told that there are none after hold-ms", () => {
  const cluster = new TestCluster({ publish: false });
  const client = cluster.client();
  client.sendRaw(respOf(["CLUSTER", "SLOTS"]) + respOf(["PING"]));
  cluster.world.run(1000);
  expect(client.take()).toBe("");
  cluster.publish();
  cluster.world.run(100);
  expect(client.take()).toMatch(/^\*1\|\*3\|:0\|:16383\|.*\+PONG\|$/);

  const never = new TestCluster({ publish: false });
  const impatient = never.client();
  impatient.send("CLUSTER", "SLOTS");
  never.world.run(4900);
  expect(impatient.take()).toBe("");
  never.world.run(200);
  expect(impatient.take()).toBe("*0|");
});

test("a short blocking call that was held for a leader keeps its time to be answered", () => {
  const cluster = new TestCluster({ leaders: false, limits: { replyTimeoutMs: 500 } });
  const key = cluster.keyOf(1);
  for (const node of cluster.nodes) for (const shard of [1, 2]) node.leader(shard, 0, 1);
  cluster.world.run();
  const client = cluster.client();
  client.send("XREAD", "BLOCK", "100", "STREAMS", key, "$");
  cluster.world.run(2000);
  const held: Asked[] = [];
  const node = cluster.nodes[1]!;
  node.onAsked = (asked) => void held.push(asked);
  node.leader(1, 2, 2);
  cluster.world.run(200);
  expect(held).toHaveLength(1);
  node.reply(held[0]!, held[0]!.first, 1, "*-1\r\n");
  cluster.world.run();
  expect(client.take()).toBe("*-1|");
});

test("on a node's own port SCAN walks the shards that the node leads, and WAIT asks their leaders", () => {
  const cluster = new TestCluster({ shards: 4, config: { policy: "moved", localNodeId: 2 } });
  for (const shard of cluster.state.shards) {
    for (const node of cluster.nodes) node.leader(shard.id, cluster.leaderOf(shard.id), 1);
  }
  cluster.world.run();
  const own = cluster.state.shards.filter((shard) => cluster.leaderOf(shard.id) === 2).map((shard) => shard.id);
  expect(own).toHaveLength(2);
  const node = cluster.nodes[1]!;
  node.onAsked = (asked) => node.reply(asked, asked.first, 1, `*2\r\n$1\r\n0\r\n*1\r\n$2\r\ns${asked.shard}\r\n`);
  node.onWait = (shard, query) => node.answerWait(shard, query.query, 0, 1);
  const client = cluster.client();
  const keys: string[] = [];
  let cursor = "0";
  for (let i = 0; i < 9; i++) {
    client.send("SCAN", cursor);
    cluster.world.run();
    const words = client.take().split("|");
    cursor = words[2]!;
    keys.push(...words.filter((word) => /^s\d$/.test(word)));
    if (cursor === "0") break;
  }
  expect(keys).toEqual(own.map((id) => `s${id}`));
  client.send("WAIT", "1", "100");
  cluster.world.run();
  expect(client.take()).toBe(":1|");
});

test("what the launcher was told is shown, not the fixed answer of the same name", () => {
  const cluster = new TestCluster({ config: { extraSettings: [["maxmemory", "1048576"]] } });
  const client = cluster.client();
  client.send("CONFIG", "GET", "maxmemory");
  client.send("INFO", "memory");
  cluster.world.run(200);
  expect(client.take()).toMatch(/^\*2\|\$9\|maxmemory\|\$7\|1048576\|.*\|maxmemory:1048576\|/);
});
