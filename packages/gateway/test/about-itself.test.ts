/** What a gateway says about itself, its clients and the cluster: texts with names and numbers of one process, which no fixture can hold. */
import { describe, expect, test } from "vitest";
import { TestCluster } from "../testing/test-cluster.ts";
import type { TestClient } from "../testing/test-cluster.ts";

function clientOf(cluster: TestCluster, version: 2 | 3): TestClient {
  const client = cluster.client();
  client.send("HELLO", String(version));
  cluster.world.run();
  client.take();
  return client;
}

describe.each([2, 3] as const)("in RESP%i", (version) => {
  test("CLIENT INFO is the caller's line of CLIENT LIST", () => {
    const cluster = new TestCluster();
    const client = clientOf(cluster, version);
    client.send("CLIENT", "INFO");
    client.send("CLIENT", "LIST", "TYPE", "NORMAL");
    cluster.world.run();
    const [info, list] = client
      .take()
      .split(/^[$=]\d+\|(?:txt:)?|\n\|[$=]\d+\|(?:txt:)?/)
      .filter((text) => text !== "");
    expect(info).toMatch(
      new RegExp(`^id=1 addr=\\S+ laddr=\\S+ .* cmd=client\\|info user=default .* resp=${version} `),
    );
    expect(list).toMatch(
      new RegExp(`^id=1 addr=\\S+ laddr=\\S+ .* cmd=client\\|list user=default .* resp=${version} `),
    );
  });

  test("CLIENT REPLY OFF and SKIP take replies away", () => {
    const cluster = new TestCluster();
    const client = clientOf(cluster, version);
    for (const words of ["CLIENT REPLY OFF", "PING", "CLIENT REPLY ON", "CLIENT REPLY SKIP", "PING", "ECHO seen"]) {
      client.send(...words.split(" "));
    }
    cluster.world.run();
    expect(client.take()).toBe("+OK|$4|seen|");
  });

  test("CLUSTER INFO, NODES and SHARDS name the gateway for all slots", () => {
    const cluster = new TestCluster();
    const client = clientOf(cluster, version);
    client.send("CLUSTER", "INFO");
    cluster.world.run();
    expect(client.take()).toMatch(/^[$=]\d+\|(txt:)?cluster_state:ok\|cluster_slots_assigned:16384\|/);
    client.send("CLUSTER", "NODES");
    cluster.world.run();
    expect(client.take()).toMatch(/[0-9a-f]{40} 127\.0\.0\.1:6379@6379\S* myself,master - 0 0 \d+ connected 0-16383\n/);
    client.send("CLUSTER", "SHARDS");
    cluster.world.run();
    const shards = client.take();
    expect(shards).toMatch(
      version === 3 ? /^\*1\|%2\|\$5\|slots\|\*2\|:0\|:16383\|/ : /^\*1\|\*4\|\$5\|slots\|\*2\|:0\|:16383\|/,
    );
    expect(shards).toContain("$9|127.0.0.1|");
  });
});
