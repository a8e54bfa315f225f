/** What a gateway measures and counts: SLOWLOG, LATENCY, commandstats, errorstats. */
import { describe, expect, test } from "vitest";
import { CommandLatency } from "../src/command-latency.ts";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

function lineOf(info: string, name: string): string | undefined {
  return info
    .split("|")
    .find((line) => line.startsWith(`${name}:`))
    ?.slice(name.length + 1);
}

describe("SLOWLOG", () => {
  test("holds requests whose reply came late, the youngest first, cut as Redis cuts them", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const key = cluster.keyOf(1);
    client.send("CONFIG", "SET", "slowlog-log-slower-than", "50000");
    client.send("CLIENT", "SETNAME", "joe");
    cluster.world.run();
    client.take();
    const held: Asked[] = [];
    for (const node of cluster.nodes) node.onAsked = (asked) => void held.push(asked);
    client.send("XADD", key, "*", "f", "v".repeat(200));
    cluster.world.run(60);
    cluster.nodeOf(key).answerAll(held[0]!);
    cluster.world.run();
    client.send("XLEN", key);
    cluster.world.run(10);
    cluster.nodeOf(key).answerAll(held[1]!);
    cluster.world.run();
    client.take();
    client.send("SLOWLOG", "GET");
    client.send("SLOWLOG", "LEN");
    cluster.world.run();
    const log = client.take();
    expect(log).toMatch(/^\*1\|\*6\|:0\|:\d+\|:60\d\d\d\|\*5\|\$4\|XADD\|/);
    expect(log).toContain(`${"v".repeat(128)}... (72 more bytes)`);
    expect(log).toMatch(/\|\$3\|joe\|:1\|$/);
    client.send("SLOWLOG", "RESET");
    client.send("SLOWLOG", "LEN");
    cluster.world.run();
    expect(client.take()).toBe("+OK|:0|");
  });

  test("is bounded by slowlog-max-len, takes everything at 0 and nothing below", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const ask = (...words: string[]): string => {
      client.send(...words);
      cluster.world.run();
      return client.take();
    };
    ask("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "10");
    for (let i = 0; i < 100; i++) ask("PING");
    expect(ask("SLOWLOG", "LEN")).toBe(":10|");
    expect(ask("SLOWLOG", "GET", "3")).toMatch(/^\*3\|/);
    expect(ask("SLOWLOG", "GET", "-1")).toMatch(/^\*10\|/);
    expect(ask("AUTH", "default", "secret")).toBe("+OK|");
    expect(ask("SLOWLOG", "GET", "1")).toContain("|$10|(redacted)|$10|(redacted)|");
    ask("CONFIG", "SET", "slowlog-max-len", "0");
    expect(ask("SLOWLOG", "LEN")).toBe(":0|");
    ask("CONFIG", "SET", "slowlog-log-slower-than", "-1", "slowlog-max-len", "10");
    ask("SLOWLOG", "RESET");
    ask("PING");
    expect(ask("SLOWLOG", "LEN")).toBe(":0|");
  });
});

describe("LATENCY", () => {
  test("keeps the worst reply of each second above the threshold", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const key = cluster.keyOf(1);
    client.send("CONFIG", "SET", "latency-monitor-threshold", "100");
    cluster.world.run();
    const held: Asked[] = [];
    for (const node of cluster.nodes) node.onAsked = (asked) => void held.push(asked);
    for (const waitMs of [150, 40, 300]) {
      client.send("XLEN", key);
      cluster.world.run(waitMs);
      cluster.nodeOf(key).answerAll(held.shift()!);
      cluster.world.run(1_000);
    }
    client.take();
    client.send("LATENCY", "LATEST");
    client.send("LATENCY", "HISTORY", "command");
    client.send("LATENCY", "GRAPH", "command");
    cluster.world.run();
    const [, latest, history, graph] = /^(\*1\|.*?)(\*2\|\*2\|.*?)(\$\d+\|.*)$/s.exec(client.take())!;
    expect(latest).toMatch(/^\*1\|\*4\|\$7\|command\|:\d+\|:300\|:300\|$/);
    expect(history).toMatch(/^\*2\|\*2\|:\d+\|:150\|\*2\|:\d+\|:300\|$/);
    expect(graph).toContain("command - high 300 ms, low 150 ms (all time high 300 ms)");
    client.send("LATENCY", "RESET", "nosuch");
    client.send("LATENCY", "RESET");
    client.send("LATENCY", "LATEST");
    cluster.world.run();
    expect(client.take()).toBe(":0|:1|*0|");
  });

  test("a histogram's percentiles are off by no more than a bucket", () => {
    const latency = new CommandLatency();
    for (let us = 1; us <= 10_000; us++) latency.observe(us / 1000, 1);
    for (const percent of [1, 50, 90, 99, 99.9]) {
      const exact = percent * 100;
      expect(latency.percentile(percent)).toBeGreaterThanOrEqual(exact);
      expect(latency.percentile(percent)).toBeLessThanOrEqual(Math.ceil(exact * 1.0625));
    }
    const buckets = latency.powersOfTwo();
    expect(buckets.at(-1)).toEqual({ microseconds: 16_384, calls: 10_000 });
    expect(buckets.find((bucket) => bucket.microseconds === 8)!.calls).toBe(8);
    expect(buckets.every(({ microseconds }) => Number.isInteger(Math.log2(microseconds)))).toBe(true);
  });
});

describe("INFO's counters", () => {
  test("an error is counted wherever it stands in a frame of replies, a value that looks like one is not", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const key = cluster.keyOf(1);
    for (const node of cluster.nodes) {
      node.onAsked = (asked) => {
        const replies = asked.commands.map(([name]) => {
          if (name === "XACK") return "-NOGROUP No such key\r\n";
          if (name === "XADD") return "-ERR The ID\r\n";
          return "*1\r\n$12\r\n\r\n-WRONG x\r\n\r\n";
        });
        node.reply(asked, asked.first, asked.count, replies.join(""));
      };
    }
    const words = [
      ["XRANGE", key, "-", "+"],
      ["XACK", key, "g", "1-1"],
      ["XRANGE", key, "-", "+"],
      ["XADD", key, "*", "f", "v"],
      ["XACK", key, "g", "1-1"],
    ];
    client.sendRaw(words.map((one) => respOf(one)).join(""));
    cluster.world.run();
    client.take();
    client.send("INFO", "commandstats", "errorstats", "stats");
    cluster.world.run(200);
    const info = client.take();
    expect(lineOf(info, "errorstat_NOGROUP")).toBe("count=2");
    expect(lineOf(info, "errorstat_ERR")).toBe("count=1");
    expect(info).not.toContain("errorstat_WRONG");
    expect(lineOf(info, "total_error_replies")).toBe("3");
    expect(lineOf(info, "cmdstat_xack")).toMatch(/^calls=2,.*failed_calls=2$/);
    expect(lineOf(info, "cmdstat_xadd")).toMatch(/^calls=1,.*failed_calls=1$/);
    expect(lineOf(info, "cmdstat_xrange")).toMatch(/^calls=2,.*failed_calls=0$/);
  });

  test("the time of a command is that from its request to its reply, once CONFIG RESETSTAT has set it back", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const key = cluster.keyOf(1);
    const held: Asked[] = [];
    cluster.nodeOf(key).onAsked = (asked) => void held.push(asked);
    client.send("CONFIG", "RESETSTAT");
    client.sendRaw(respOf(["XLEN", key]) + respOf(["XLEN", key]));
    cluster.world.run(20);
    cluster.nodeOf(key).answerAll(held[0]!);
    cluster.world.run();
    client.take();
    client.send("INFO", "everything");
    cluster.world.run(200);
    const info = client.take();
    expect(lineOf(info, "cmdstat_xlen")).toMatch(/^calls=2,usec=4\d{4},usec_per_call=2\d{4}\.\d\d,/);
    expect(lineOf(info, "latency_percentiles_usec_xlen")).toMatch(/^p50=2\d{4}\.000,p99=2\d{4}\.000,p99\.9=/);
    expect(lineOf(info, "total_commands_processed")).toBe("3");
  });
});
