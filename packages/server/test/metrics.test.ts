/** The metrics pages, read by a parser of the exposition format; sources are a status as a node gives it and a gateway without a network. */
import { defaultLimits, noProcessNumbers, Gateway, type GatewayConfig } from "@headrace/gateway";
import { LatencyHistogram } from "@headrace/bytes";
import type { Node } from "@headrace/node";
import type { ByteNetwork, MetaClient } from "@headrace/ports";
import { expect, test } from "vitest";
import { createLogger } from "../src/logger.ts";
import { GroupLags } from "../src/group-lags.ts";
import { gatewayMetrics, nodeMetrics } from "../src/metrics.ts";
import { systemClock, systemScheduler } from "../src/system-clock.ts";
import { systemDigest, SystemRandom } from "../src/system-random.ts";

interface Family {
  type: string;
  help: string;
  readonly samples: Map<string, number>;
}

/** Strict where Prometheus is: HELP and TYPE before samples, each sample once, names and labels of the allowed characters. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const comment = /^# (HELP|TYPE) ([a-z0-9_]+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      const family = families.get(name) ?? { type: "", help: "", samples: new Map<string, number>() };
      expect(family.samples.size, `${kind} of ${name} behind its samples`).toBe(0);
      if (kind === "TYPE") family.type = rest;
      else family.help = rest;
      families.set(name, family);
      continue;
    }
    const sample = /^([a-z0-9_]+)(\{(?:[a-z0-9_]+="[^"]*",?)*\})? (\S+)$/.exec(line);
    expect(sample, line).not.toBeNull();
    const [, name, labels = "", value] = sample as unknown as [string, string, string | undefined, string];
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
    expect(family, line).toBeDefined();
    expect(family!.samples.has(name + labels), line).toBe(false);
    family!.samples.set(name + labels, Number(value));
  }
  return families;
}

function checkRules(families: Map<string, Family>): void {
  for (const [name, { type, help }] of families) {
    expect(help, name).not.toBe("");
    if (!name.startsWith("headrace_")) continue;
    // promtool's rules: counters end in _total, nothing else does; base units only.
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(name, name).not.toMatch(/_(ms|milliseconds|kb|mb|percent)(_|$)/);
  }
}

function nodeWith(status: Record<string, unknown>): Node {
  return { status: () => status, readiness: () => ({ ready: true, reasons: [] }) } as unknown as Node;
}

const durableWrites = new LatencyHistogram();
durableWrites.observe(0.3);
durableWrites.observe(0.9);
durableWrites.observe(20_000);

const times = { turns: new LatencyHistogram(), captures: new LatencyHistogram() };
for (const turnMs of [0.1, 3, 9]) times.turns.observe(turnMs);
times.captures.observe(3);

const written = {
  log: { blockBytes: 8192, zeroBytes: 4096 },
  store: { valueBytes: 6000, movedValueBytes: 1000, rowBytes: 300, tableBytes: 412 },
};

const noLags = new GroupLags({ member: null }, 20, () => 0);

const status = {
  times,
  wal: { writes: 9, bytes: 8192, entryBytes: 5000, segments: 2, lastWriteMs: 1.5, durableWrites },
  metadata: {
    groupId: 0,
    role: 0,
    term: 4,
    commitIndex: 10,
    stateIndex: 10,
    lastIndex: 10,
    leaderNodeId: 2,
    leaderChanges: 1,
  },
  shards: [
    {
      groupId: 1,
      role: 3,
      term: 7,
      commitIndex: 100,
      stateIndex: 103,
      lastIndex: 103,
      leaderNodeId: 1,
      leaderChanges: 3,
      matches: [
        { replica: 2, match: 101, isLearner: false },
        { replica: 3, match: 60, isLearner: false },
      ],
    },
    { groupId: 2, role: 0, term: 7, lastIndex: 5, leaderNodeId: 0, leaderChanges: 2, matches: [] },
  ],
};

test("a node shows its groups by shard, the metadata group as shard 0", async () => {
  const { contentType, text } = await nodeMetrics(nodeWith(status), written, noLags)();
  expect(contentType).toContain("version=0.0.4");
  const families = parse(text);
  checkRules(families);
  const value = (name: string, shard: number): number | undefined =>
    families.get(name)?.samples.get(`${name}{shard="${shard}"}`);
  expect([value("headrace_raft_term", 0), value("headrace_raft_term", 1)]).toEqual([4, 7]);
  expect([value("headrace_raft_role", 0), value("headrace_raft_role", 1)]).toEqual([0, 3]);
  expect(value("headrace_raft_commit_index", 1)).toBe(100);
  expect(value("headrace_raft_applied_index", 1)).toBe(103);
  // 103 − 60: the one that is furthest behind.
  expect([value("headrace_raft_follower_lag_entries", 1), value("headrace_raft_follower_lag_entries", 2)]).toEqual([
    43, 0,
  ]);
  expect([1, 2].map((shard) => value("headrace_raft_leader_changes_total", shard))).toEqual([3, 2]);
  expect([0, 1, 2].map((shard) => value("headrace_raft_quorum_ok", shard))).toEqual([1, 1, 0]);
});

test("a histogram's buckets are sums in seconds, and the last one is everything", async () => {
  const families = parse((await nodeMetrics(nodeWith(status), written, noLags)()).text);
  const { type, samples } = families.get("headrace_raft_fsync_seconds")!;
  expect(type).toBe("histogram");
  const bucket = (bound: string): number | undefined =>
    samples.get(`headrace_raft_fsync_seconds_bucket{le="${bound}"}`);
  expect([bucket("0.00025"), bucket("0.0005"), bucket("0.001"), bucket("8.192"), bucket("+Inf")]).toEqual([
    0, 1, 2, 2, 3,
  ]);
  expect(samples.get("headrace_raft_fsync_seconds_count")).toBe(3);
  expect(samples.get("headrace_raft_fsync_seconds_sum")).toBeCloseTo(20.0012, 9);
});

test("how long the node was kept by turns and by captures can be read from its metrics", async () => {
  const families = parse((await nodeMetrics(nodeWith(status), written, noLags)()).text);
  const bucket = (name: string, bound: string): number | undefined =>
    families.get(name)?.samples.get(`${name}_bucket{le="${bound}"}`);
  expect(["0.002", "0.004", "0.016"].map((bound) => bucket("headrace_turn_seconds", bound))).toEqual([1, 2, 3]);
  expect(bucket("headrace_checkpoint_capture_seconds", "0.004")).toBe(1);
});

test("what is written to disk is told by kind, and beside the log entries that it is for", async () => {
  const families = parse((await nodeMetrics(nodeWith(status), written, noLags)()).text);
  const { samples } = families.get("headrace_disk_written_bytes_total")!;
  expect(Object.fromEntries(samples)).toEqual({
    'headrace_disk_written_bytes_total{kind="log"}': 8192,
    'headrace_disk_written_bytes_total{kind="log_zeros"}': 4096,
    'headrace_disk_written_bytes_total{kind="values"}': 6000,
    'headrace_disk_written_bytes_total{kind="moved_values"}': 1000,
    'headrace_disk_written_bytes_total{kind="rows"}': 300,
    'headrace_disk_written_bytes_total{kind="tables"}': 412,
  });
  // 20,000 bytes written for 5,000.
  expect(families.get("headrace_write_amplification")!.samples.get("headrace_write_amplification")).toBe(4);
  const none = parse((await nodeMetrics(nodeWith({ wal: {}, metadata: null }), written, noLags)()).text);
  expect(none.get("headrace_write_amplification")!.samples.get("headrace_write_amplification")).toBe(0);
});

test("a node that is no member yet has a page too", async () => {
  checkRules(parse((await nodeMetrics(nodeWith({ wal: {}, metadata: null }), written, noLags)()).text));
});

test("a gateway counts commands by name and outcome", async () => {
  const config: GatewayConfig = {
    policy: "proxy",
    listenAddress: null,
    announceHost: "127.0.0.1",
    announcePort: 6379,
    localNodeId: 0,
    gatewayId: "g",
    incarnation: 1,
    seedAddresses: [],
    secret: null,
    processId: 1,
    runId: "0".repeat(40),
    headraceVersion: "0",
    processNumbers: () => noProcessNumbers,
    extraSettings: [],
    limits: defaultLimits,
  };
  const gateway = new Gateway(config, {
    clock: systemClock,
    scheduler: systemScheduler,
    random: new SystemRandom(),
    digest: systemDigest,
    network: {} as ByteNetwork,
    metaClient: {} as MetaClient,
    logger: createLogger("error", {}),
  });
  for (const entry of gateway.commandCounts()) expect(entry).toBeUndefined();
  gateway.statistics.calls[0] = 5;
  gateway.statistics.failed[0] = 2;
  gateway.statistics.errorsByCode.set("NOGROUP", 2);
  gateway.statistics.replies.observe(3);
  const [{ name }] = [...gateway.commandCounts()] as unknown as [{ name: string }];
  const families = parse((await gatewayMetrics(gateway)()).text);
  checkRules(families);
  const commands = families.get("headrace_commands_total")!;
  expect(commands.type).toBe("counter");
  expect(commands.samples.get(`headrace_commands_total{cmd="${name}",status="ok"}`)).toBe(3);
  expect(commands.samples.get(`headrace_commands_total{cmd="${name}",status="failed"}`)).toBe(2);
  expect(
    families.get("headrace_error_replies_total")!.samples.get('headrace_error_replies_total{code="NOGROUP"}'),
  ).toBe(2);
  expect(families.get("headrace_command_seconds")!.samples.get("headrace_command_seconds_count")).toBe(1);
  expect(families.get("headrace_ready")!.samples.get("headrace_ready")).toBe(0);
});
