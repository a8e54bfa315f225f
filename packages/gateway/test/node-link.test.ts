/** Links of a gateway to nodes: when they are dialled. */
import { expect, test } from "vitest";
import { TestCluster } from "../testing/test-cluster.ts";

test("a node that was away is dialled at once when it leads, however long the pause between attempts has become", () => {
  const cluster = new TestCluster({ limits: { reconnectMinMs: 20, reconnectMaxMs: 10_000 } });
  const key = cluster.keyOf(1);
  const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
  const client = cluster.client();
  fresh.kill();
  // Pauses of 20, 40 … 10,000 ms lie behind it, a new one has begun.
  cluster.world.run(30_000);
  fresh.start();
  client.send("XLEN", key);
  cluster.world.run();
  client.take();
  old.leads.delete(1);
  fresh.leads.set(1, 2);
  old.leader(1, 2, 2);
  client.send("XADD", key, "*", "f", "1");
  cluster.world.run(5);
  expect(client.take()).toBe(`+XADD ${key} * f 1|`);
});
