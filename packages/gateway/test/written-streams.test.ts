/** CLIENT BACKPRESSURE at a gateway: what nodes are told, and who is pushed what. */
import { ChannelKind } from "@headrace/commands";
import { expect, test } from "vitest";
import { TestCluster } from "../testing/test-cluster.ts";

const PRESSURE = ChannelKind.pressure;

function push(key: string, word: string): string {
  return `>3|$12|backpressure|$${key.length}|${key}|$${word.length}|${word}|`;
}

function hearing(cluster: TestCluster): ReturnType<TestCluster["client"]> {
  const client = cluster.client();
  client.send("HELLO", "3");
  client.send("CLIENT", "BACKPRESSURE", "ON");
  cluster.world.run();
  expect(client.take()).toMatch(/\+OK\|$/);
  return client;
}

test("RESP2 has no pushes: it is refused there, and told to nobody", () => {
  const cluster = new TestCluster();
  const client = cluster.client();
  client.send("CLIENT", "BACKPRESSURE", "ON");
  client.send("XADD", cluster.keyOf(1), "*", "f", "v");
  cluster.world.run();
  expect(client.take()).toMatch(/^-ERR CLIENT BACKPRESSURE pushes messages, which needs RESP3[^|]*\|/);
  expect(cluster.nodes[0]!.subscriptions).toEqual([]);
});

test("nodes hear of a stream when a client that wants it writes there; who only reads, or did not ask, hears nothing", () => {
  const cluster = new TestCluster();
  const [node] = cluster.nodes;
  const key = cluster.keyOf(1);
  const [client, reader, other] = [hearing(cluster), hearing(cluster), cluster.client()];
  client.send("XADD", key, "*", "f", "v");
  client.send("XADD", key, "*", "f", "v");
  reader.send("XLEN", key);
  other.send("XADD", key, "*", "f", "v");
  cluster.world.run();
  expect(node!.subscriptions).toEqual([{ kind: PRESSURE, name: key, subscribers: 1 }]);
  for (const each of [client, reader, other]) each.take();
  node!.message(1, 1, PRESSURE, key, "full");
  cluster.world.run();
  expect([client.take(), reader.take(), other.take()]).toEqual([push(key, "full"), "", ""]);
});

test("only what is new is pushed: leaders may say it again, and a stream that was never full is free", () => {
  const cluster = new TestCluster();
  const [node] = cluster.nodes;
  const key = cluster.keyOf(1);
  const client = hearing(cluster);
  client.send("XADD", key, "*", "f", "v");
  cluster.world.run();
  client.take();
  for (const word of ["free", "full", "full", "free", "free"]) {
    node!.message(1, 1, PRESSURE, key, word);
    cluster.world.run();
  }
  expect(client.take()).toBe(push(key, "full") + push(key, "free"));
});

test("who begins to write to a full stream is told so; OFF, RESET and a hang-up end it", () => {
  const cluster = new TestCluster();
  const [node] = cluster.nodes;
  const key = cluster.keyOf(1);
  const clients = [hearing(cluster), hearing(cluster), hearing(cluster)];
  clients[0]!.send("XADD", key, "*", "f", "v");
  cluster.world.run();
  clients[0]!.take();
  node!.message(1, 1, PRESSURE, key, "full");
  cluster.world.run();
  for (const client of clients.slice(1)) client.send("XADD", key, "*", "f", "v");
  cluster.world.run();
  for (const client of clients) expect(client.take()).toContain(push(key, "full"));
  expect(node!.subscriptions.at(-1)).toEqual({ kind: PRESSURE, name: key, subscribers: 3 });
  clients[0]!.send("CLIENT", "BACKPRESSURE", "OFF");
  clients[1]!.send("RESET");
  clients[2]!.connection.destroy();
  cluster.world.run();
  expect(node!.subscriptions.at(-1)).toEqual({ kind: PRESSURE, name: key, subscribers: 0 });
  for (const client of clients.slice(0, 2)) client.take();
  node!.message(1, 1, PRESSURE, key, "free");
  cluster.world.run();
  expect([clients[0]!.take(), clients[1]!.take()]).toEqual(["", ""]);
});

test("of very many streams the last ones that it wrote to are heard of", () => {
  const cluster = new TestCluster();
  const [node] = cluster.nodes;
  const tag = cluster.keyOf(1);
  const client = hearing(cluster);
  for (let i = 0; i < 1025; i++) client.send("XADD", `{${tag}}${i}`, "*", "f", "v");
  cluster.world.run();
  client.take();
  const there = new Map<string, number>();
  for (const { name, subscribers } of node!.subscriptions) there.set(name, subscribers);
  expect([there.get(`{${tag}}0`), there.get(`{${tag}}1`), there.get(`{${tag}}1024`)]).toEqual([0, 1, 1]);
});
