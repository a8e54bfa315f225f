/** CONFIG as harnesses use it: everything that it lists can be read, written back, and is either taken or clearly refused. */
import { describe, expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster } from "../testing/test-cluster.ts";
import type { TestClient } from "../testing/test-cluster.ts";

/** A setting of the cluster that nobody has heard of by then counts as set. */
const PATIENCE_MS = 3000;

function opened(): { cluster: TestCluster; client: TestClient; ask: (...words: string[]) => string } {
  const cluster = new TestCluster({
    config: {
      extraSettings: [
        ["bind", "127.0.0.1"],
        ["port", "6379"],
        ["dir", "./data"],
      ],
    },
  });
  cluster.world.onAsk = () => ({ ok: true, body: {} });
  const client = cluster.client();
  return {
    cluster,
    client,
    ask: (...words) => {
      client.send(...words);
      cluster.world.run(words[2] === "maxmemory" ? PATIENCE_MS : undefined);
      return client.take();
    },
  };
}

/** Names and values of CONFIG GET *. */
function listed(ask: (...words: string[]) => string): [string, string][] {
  const words = [...ask("CONFIG", "GET", "*").matchAll(/\$\d+\|([^|]*)\|/g)].map((match) => match[1]!);
  return words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]!] as [string, string]] : []));
}

describe("CONFIG", () => {
  test("every name that it lists takes its own value, and has it afterwards", () => {
    const { ask } = opened();
    const before = listed(ask);
    expect(before.length).toBeGreaterThan(120);
    for (const [name, value] of before) expect([name, ask("CONFIG", "SET", name, value)]).toEqual([name, "+OK|"]);
    expect(listed(ask)).toEqual(before);
  });

  test("what Redis' test harness sets while it runs is there", () => {
    const { ask } = opened();
    const names = new Set(listed(ask).map(([name]) => name));
    // tests/support and the overrides of tests/unit that are not marked external:skip.
    const wanted =
      "slowlog-log-slower-than slowlog-max-len latency-tracking latency-monitor-threshold maxmemory maxmemory-policy appendonly save timeout stream-node-max-entries stream-node-max-bytes list-max-listpack-size list-max-ziplist-size list-compress-depth lazyfree-lazy-user-flush client-output-buffer-limit proto-max-bulk-len busy-reply-threshold lua-time-limit tracking-table-max-keys set-max-intset-entries hash-max-listpack-entries zset-max-listpack-entries aof-use-rdb-preamble activedefrag repl-diskless-sync min-replicas-to-write bind port databases requirepass notify-keyspace-events slaveof replicaof";
    expect(wanted.split(" ").filter((name) => !names.has(name))).toEqual([]);
  });

  test("a setting does not count for what its client asked before it", () => {
    const { cluster, client, ask } = opened();
    const asked: Asked[] = [];
    for (const node of cluster.nodes) node.onAsked = (each) => void asked.push(each);
    client.send("XADD", cluster.keyOf(1), "1-0", "f", "v");
    expect(ask("CONFIG", "SET", "stream-node-max-entries", "7")).toBe("");
    const other = cluster.client();
    const shown = (): string => {
      other.send("CONFIG", "GET", "stream-node-max-entries");
      cluster.world.run();
      return other.take();
    };
    expect(shown()).toContain("|$3|100|");
    cluster.nodes[0]!.reply(asked[0]!, asked[0]!.first, 1, "+1-0\r\n");
    cluster.world.run(PATIENCE_MS);
    expect(client.take()).toBe("+1-0|+OK|");
  });

  test("a tunable takes what Redis takes and nothing else", () => {
    const { ask } = opened();
    expect(ask("CONFIG", "SET", "list-max-ziplist-size", "16")).toBe("+OK|");
    expect(ask("CONFIG", "GET", "list-max-listpack-size")).toContain("|$2|16|");
    expect(ask("CONFIG", "SET", "activedefrag", "maybe")).toMatch(/argument must be 'yes' or 'no'\|$/);
    expect(ask("CONFIG", "SET", "hz", "x")).toMatch(/argument couldn't be parsed into an integer\|$/);
    expect(ask("CONFIG", "SET", "maxmemory-samples", "65")).toMatch(/argument must be between 1 and 64 inclusive\|$/);
    expect(ask("CONFIG", "SET", "hll-sparse-max-bytes", "1mb")).toBe("+OK|");
    expect(ask("CONFIG", "SET", "repl-diskless-load", "foo")).toMatch(
      /argument\(s\) must be one of the following: disabled, on-empty-db, swapdb\|$/,
    );
  });

  test("what promises something takes its true value only", () => {
    const { ask } = opened();
    for (const [name, truth, lie] of [
      ["appendonly", "yes", "no"],
      ["maxmemory-policy", "noeviction", "allkeys-lru"],
      ["requirepass", "", "secret"],
      ["replicaof", "", "10.0.0.1 6379"],
      ["save", "", "3600 1"],
      ["dir", "./data", "/tmp"],
    ] as const) {
      expect(ask("CONFIG", "SET", name, lie)).toMatch(/^-ERR CONFIG SET failed .*'\w.*can't set immutable config\|$/);
      expect(ask("CONFIG", "SET", name, truth)).toBe("+OK|");
    }
  });

  test("the memory budget is what the process was told until the cluster has one", () => {
    const { cluster, client, ask } = opened();
    const asked: unknown[] = [];
    cluster.world.onAsk = (request) => {
      asked.push(request.body);
      return { ok: true, body: {} };
    };
    expect(ask("CONFIG", "GET", "maxmemory")).toContain("|$1|0|");
    expect(ask("CONFIG", "SET", "maxmemory", "lots")).toMatch(/argument must be a memory value\|$/);
    client.send("CONFIG", "SET", "maxmemory", "100mb");
    cluster.world.run(10_000);
    expect(client.take()).toBe("+OK|");
    expect(asked).toEqual([{ name: "maxmemory", value: "100mb" }]);
  });

  test("of several settings all are set or none, the cluster's too", () => {
    const { cluster, client, ask } = opened();
    const asked: unknown[] = [];
    cluster.world.onAsk = (request) => {
      asked.push(request);
      return { ok: true, body: {} };
    };
    expect(ask("CONFIG", "SET", "hz", "20", "ack", "0", "nosuch", "1")).toMatch(/^-ERR Unknown option .*'nosuch'\|$/);
    expect(ask("CONFIG", "SET", "hz", "20", "ack", "0", "appendonly", "no")).toMatch(/immutable/);
    expect(ask("CONFIG", "SET", "hz", "20", "HZ", "30")).toMatch(/argument 'HZ'\) - duplicate parameter\|$/);
    expect(asked).toEqual([]);
    expect(ask("CONFIG", "GET", "hz")).toContain("|10|");
    client.send("CONFIG", "SET", "hz", "20", "ack", "0");
    // The cluster's setting is answered when the gateway has heard of it, or has waited for long enough.
    cluster.world.run(10_000);
    expect(client.take()).toBe("+OK|");
    expect(asked).toHaveLength(1);
    expect(ask("CONFIG", "GET", "hz")).toContain("|20|");
  });

  test("the output limit of normal clients is the one that counts", () => {
    const { ask } = opened();
    const limits = "normal 1048576 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
    expect(ask("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0")).toBe("+OK|");
    expect(ask("CONFIG", "GET", "client-output-buffer-limit")).toContain(limits);
    expect(ask("CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0")).toMatch(/^-ERR CONFIG SET failed/);
    expect(ask("CONFIG", "SET", "client-output-buffer-limit", "wrong 0 0 0")).toMatch(/Invalid client class/);
  });
});
