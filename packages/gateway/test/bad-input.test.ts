/** What hostile or broken clients send never reaches a node, never harms the gateway, never disturbs another client. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TestClient, TestCluster, respOf } from "../testing/test-cluster.ts";
import { defaultLimits } from "../src/config.ts";

describe("bad input", () => {
  test("10,000 random byte strings: each ends in replies or a closed connection, and a neighbour keeps getting its own replies", () => {
    const cluster = new TestCluster();
    const neighbour = cluster.client();
    const key = cluster.keyOf(1);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.uint8Array({ maxLength: 30 }).map((noise) => Buffer.concat([Buffer.from("*2\r\n$4\r\nXLEN\r\n$"), noise])),
      fc
        .array(fc.constantFrom("*", "$", "3", "-1", "\r\n", "PING", "XADD", "\0", " ", "999999999999"), {
          maxLength: 12,
        })
        .map((parts) => Buffer.from(parts.join(""))),
    );
    let rounds = 0;
    fc.assert(
      fc.property(bytes, (noise) => {
        const client = new TestClient(cluster.world.connect("127.0.0.1:6379"));
        client.connection.write(Uint8Array.from(noise));
        if (rounds++ % 10 === 0) {
          neighbour.send("XLEN", key);
          cluster.world.run();
          expect(neighbour.take()).toBe(`+XLEN ${key}|`);
        } else {
          cluster.world.run();
        }
        client.connection.destroy();
        cluster.world.run();
      }),
      { numRuns: 10_000 },
    );
    expect(cluster.gateway.gauges().clients).toBe(1);
    expect(cluster.gateway.statistics.linkLosses).toBe(0);
  }, 60_000);

  test("a half-sent command followed by a hang-up leaves nothing behind", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.sendRaw(respOf(["XADD", cluster.keyOf(1), "*", "f", "v"]).slice(0, -5));
    cluster.world.run();
    client.connection.end();
    cluster.world.run();
    expect(cluster.nodes[0]!.asked).toEqual([]);
    expect(cluster.gateway.gauges().clients).toBe(0);
  });

  test("protocol errors get Redis' text after earlier replies, then the connection is closed", () => {
    const cluster = new TestCluster({ limits: { decoder: { ...defaultLimits.decoder, maxBulkBytes: 1000 } } });
    const key = cluster.keyOf(1);
    const cases: [string, string][] = [
      [`*2\r\n$4\r\nXLEN\r\n$1001\r\n`, "-ERR Protocol error: invalid bulk length|"],
      ["*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length|"],
      ["*1048577\r\n", "-ERR Protocol error: invalid multibulk length|"],
      ["*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'|"],
      ['"unbalanced\r\n', "-ERR Protocol error: unbalanced quotes in request|"],
    ];
    for (const [bad, text] of cases) {
      const client = cluster.client();
      client.sendRaw(respOf(["XLEN", key]) + bad);
      cluster.world.run();
      expect(client.take()).toBe(`+XLEN ${key}|${text}`);
      expect(client.isClosed).toBe(true);
    }
  });

  test("binary keys and values pass unchanged", () => {
    const cluster = new TestCluster({ nodes: 1, shards: 1 });
    const client = cluster.client();
    const binary = String.fromCharCode(0, 255, 13, 10, 42, 36);
    client.send("XADD", binary, "*", binary, binary);
    cluster.world.run();
    expect(cluster.nodes[0]!.asked[0]!.commands).toEqual([["XADD", binary, "*", binary, binary]]);
  });

  test("a request cut into single bytes is still one request", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(2);
    const client = cluster.client();
    for (const byte of respOf(["XADD", key, "*", "f", "v"])) {
      client.sendRaw(byte);
      cluster.world.run();
    }
    expect(client.take()).toBe(`+XADD ${key} * f v|`);
  });
});
