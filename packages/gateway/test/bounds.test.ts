/** What a gateway bounds, and what must stand when the bounds are moved while requests are open. */
import { RefuseReason } from "@headrace/link";
import { expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

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
