import { slotOfKey } from "@headrace/bytes";
import { RefuseReason } from "@headrace/link";
import { expect, test } from "vitest";
import type { Asked, FakeNode } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";
import type { TestClient } from "../testing/test-cluster.ts";

const SLOT = String(slotOfKey("s"));

/** The node answers an EXEC with one element for each part, `+<words>`, and everything else with its words. */
function answering(cluster: TestCluster, exec: (parts: readonly string[]) => string = elements): void {
  for (const node of cluster.nodes) {
    node.onAsked = (asked) => {
      const texts = asked.commands.map((words) =>
        words[0] === "EXEC" ? exec(partsOf(words)) : `+${words.join(" ")}\r\n`,
      );
      node.reply(asked, asked.first, asked.count, texts.join(""), 1, asked.first);
    };
  }
}

function elements(parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `+did ${part}\r\n`).join("")}`;
}

/** What an EXEC brings, as words. */
function partsOf(words: readonly string[]): string[] {
  return words.slice(4).map((part) =>
    part
      .split("\r\n")
      .filter((_, i) => i > 0 && i % 2 === 0)
      .join(" "),
  );
}

function type(cluster: TestCluster, client: TestClient, ...lines: readonly string[]): string {
  client.sendRaw(lines.map((line) => respOf(line.split(" "))).join(""));
  cluster.world.run(10);
  return client.take();
}

function execs(node: FakeNode): readonly (readonly string[])[] {
  return node.asked.flatMap(({ commands }) => commands).filter(([name]) => name === "EXEC");
}

test("what is queued goes to its shard as one request and comes back as one reply", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const client = cluster.client();
  expect(type(cluster, client, "MULTI", "XADD s 1-0 f v", "XLEN s")).toBe("+OK|+QUEUED|+QUEUED|");
  expect(cluster.nodes.flatMap((node) => node.asked)).toEqual([]);
  expect(type(cluster, client, "EXEC", "XLEN s")).toBe("*2|+did XADD s 1-0 f v|+did XLEN s|+XLEN s|");
  const [words] = execs(cluster.nodeOf("s"));
  expect(words!.slice(0, 4)).toEqual(["EXEC", SLOT, "0", "WRITE"]);
  expect(type(cluster, client, "EXEC", "DISCARD")).toBe("-ERR EXEC without MULTI|-ERR DISCARD without MULTI|");
});

test("a WATCH that got -CLUSTERDOWN before the placement was known still counts: the EXEC behind it is for the leader to abort", () => {
  const cluster = new TestCluster({ publish: false });
  answering(cluster);
  const client = cluster.client();
  client.sendRaw(respOf(["WATCH", "s"]) + respOf(["PING"]));
  cluster.world.run(5100);
  expect(client.take()).toBe("-CLUSTERDOWN The placement is not known yet; nothing happened|+PONG|");
  cluster.publish();
  cluster.world.run(100);
  type(cluster, client, "MULTI", "XADD s 1-0 f v", "EXEC");
  expect(execs(cluster.nodeOf("s")).map((words) => words.slice(0, 4))).toEqual([["EXEC", SLOT, "1", "WRITE"]]);
  // An UNWATCH is heard as ever.
  client.sendRaw(respOf(["UNWATCH"]) + respOf(["MULTI"]) + respOf(["XLEN", "s"]) + respOf(["EXEC"]));
  cluster.world.run(10);
  expect(execs(cluster.nodeOf("s")).at(-1)!.slice(0, 4)).toEqual(["EXEC", SLOT, "0", "READ"]);
});

test("commands that the gateway answers stand in their places, and run when the shard's part is done", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const client = cluster.client();
  const lines = ["PING", "XADD s 1-0 f v", "CLIENT SETNAME joe", "CLIENT GETNAME", "XLEN s", "SELECT 9", "ECHO e"];
  expect(type(cluster, client, "MULTI", ...lines, "EXEC", "CLIENT GETNAME")).toBe(
    `+OK|${"+QUEUED|".repeat(7)}*7|+PONG|+did XADD s 1-0 f v|+OK|$3|joe|+did XLEN s|-ERR DB index is out of range|$1|e|$3|joe|`,
  );
  expect(type(cluster, client, "MULTI", "PING", "CONFIG SET maxclients 7", "INFO", "EXEC")).toMatch(
    /^\+OK\|\+QUEUED\|\+QUEUED\|\+QUEUED\|\*3\|\+PONG\|\+OK\|\$\d+\|# Server/,
  );
  expect(type(cluster, client, "MULTI", "EXEC")).toBe("+OK|*0|");
});

test("later commands see what a transaction did to the connection, also while its shard takes its time", () => {
  const cluster = new TestCluster();
  const node = cluster.nodeOf("s");
  const open: Asked[] = [];
  node.onAsked = (asked) => open.push(asked);
  const client = cluster.client();
  expect(type(cluster, client, "MULTI", "XLEN s", "CLIENT SETNAME joe", "EXEC", "CLIENT GETNAME", "PING")).toBe(
    "+OK|+QUEUED|+QUEUED|",
  );
  node.reply(open[0]!, open[0]!.first, 1, "*1\r\n:5\r\n");
  cluster.world.run(10);
  expect(client.take()).toBe("*2|:5|+OK|$3|joe|+PONG|");
});

test("a transaction that changes the protocol waits for the replies of what came before it", () => {
  const cluster = new TestCluster();
  const node = cluster.nodeOf("s");
  const open: Asked[] = [];
  node.onAsked = (asked) => open.push(asked);
  const client = cluster.client();
  expect(type(cluster, client, "XLEN s", "MULTI", "HELLO 3", "XLEN s", "EXEC", "PING")).toBe("");
  expect(open).toHaveLength(1);
  node.reply(open[0]!, open[0]!.first, 1, ":1\r\n");
  cluster.world.run(10);
  expect(client.take()).toBe(":1|+OK|+QUEUED|+QUEUED|");
  expect(node.set).toEqual([]);
  node.reply(open[1]!, open[1]!.first, 1, "*1\r\n:2\r\n");
  cluster.world.run(10);
  expect(client.take()).toMatch(/^\*2\|%7\|.*\|:2\|\+PONG\|$/);
  expect(node.set.map(({ set }) => set.respVersion)).toEqual([3]);
});

test("nil and errors of the shard are the reply, and nothing else of the transaction happens", () => {
  const cluster = new TestCluster();
  for (const nil of ["*-1\r\n", "_\r\n", "-EXECABORT Transaction discarded because of: x\r\n"]) {
    answering(cluster, () => nil);
    const client = cluster.client();
    expect(type(cluster, client, "WATCH s", "MULTI", "CLIENT SETNAME joe", "XLEN s", "EXEC", "CLIENT GETNAME")).toBe(
      `+WATCH s|+OK|+QUEUED|+QUEUED|${nil.replaceAll("\r\n", "|")}$-1|`,
    );
  }
});

test("WATCH goes to the shard, and EXEC says how many there were", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const client = cluster.client();
  type(cluster, client, "WATCH s {s}2", "WATCH s", "MULTI", "PING", "EXEC", "MULTI", "XLEN s", "EXEC");
  const sent = execs(cluster.nodeOf("s")).map((words) => words.slice(0, 4));
  // The first has nothing to run there, but somebody has to look at the keys.
  expect(sent).toEqual([
    ["EXEC", SLOT, "2", "READ"],
    ["EXEC", SLOT, "0", "READ"],
  ]);
});

test("an empty transaction that waits for its shard, since something was watched, has nothing of the next one", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const client = cluster.client();
  expect(type(cluster, client, "WATCH s", "MULTI", "EXEC", "MULTI", "XLEN s", "EXEC")).toBe(
    "+WATCH s|+OK|*0|+OK|+QUEUED|*1|+did XLEN s|",
  );
});

test("the shard hears of it when what is watched is forgotten", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const node = cluster.nodeOf("s");
  const heard = (...lines: readonly string[]): readonly string[] => {
    node.asked.length = 0;
    type(cluster, cluster.client(), "WATCH s", ...lines);
    return node.asked.flatMap(({ commands }) => commands.map(([name]) => name!));
  };
  expect(heard("UNWATCH", "UNWATCH")).toEqual(["WATCH", "UNWATCH"]);
  expect(heard("MULTI", "XLEN s", "DISCARD")).toEqual(["WATCH", "UNWATCH"]);
  expect(heard("MULTI", "NOSUCH", "EXEC")).toEqual(["WATCH", "UNWATCH"]);
  expect(heard("MULTI", "EXEC x")).toEqual(["WATCH", "UNWATCH"]);
  expect(heard("RESET")).toEqual(["WATCH", "UNWATCH"]);
  expect(heard("MULTI", "EXEC")).toEqual(["WATCH", "EXEC"]);
});

test("refused commands spoil the transaction: unknown, wrong arity, another slot, too much, not allowed", () => {
  const cluster = new TestCluster({ limits: { transactionBytes: 2000 } });
  answering(cluster);
  const client = cluster.client();
  const spoiled = "-EXECABORT Transaction discarded because of previous errors.|";
  const crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot|";
  const after = (...lines: readonly string[]): string => type(cluster, client, "MULTI", ...lines, "EXEC").slice(4);
  expect(after("NOSUCH")).toBe(`-ERR unknown command 'NOSUCH', with args beginning with: |${spoiled}`);
  expect(after("XADD s")).toBe(`-ERR wrong number of arguments for 'xadd' command|${spoiled}`);
  expect(after("XLEN s", "XLEN u", "XLEN s")).toBe(`+QUEUED|${crossSlot}+QUEUED|${spoiled}`);
  expect(after("DEL s u")).toBe(crossSlot + spoiled);
  for (const wide of ["FLUSHALL", "DBSIZE", "KEYS *", "SCAN 0", "RANDOMKEY"]) {
    expect(after(wide)).toBe(crossSlot + spoiled);
  }
  expect(after(`XADD s * f ${"v".repeat(2000)}`)).toBe(
    `-ERR the transaction is larger than max-transaction-bytes|${spoiled}`,
  );
  expect(after("XADD s * f v", "EXEC x")).toBe(
    "+QUEUED|-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|-ERR EXEC without MULTI|",
  );
  expect(after("MULTI", "WATCH s")).toBe(
    "-ERR MULTI calls can not be nested|-ERR WATCH inside MULTI is not allowed|*0|",
  );
  expect(type(cluster, client, "WATCH u", "MULTI", "XLEN s", "EXEC")).toBe(`+WATCH u|+OK|${crossSlot}${spoiled}`);
  expect(type(cluster, client, "WATCH s u")).toBe(crossSlot);
  expect(execs(cluster.nodeOf("s"))).toEqual([]);
});

test("where there is one shard, commands over the whole keyspace are part of the transaction", () => {
  const cluster = new TestCluster({ shards: 1 });
  answering(cluster);
  expect(type(cluster, cluster.client(), "MULTI", "FLUSHALL", "XADD s 1-0 f v", "DBSIZE", "EXEC")).toBe(
    "+OK|+QUEUED|+QUEUED|+QUEUED|*3|+did FLUSHALL|+did XADD s 1-0 f v|+did DBSIZE|",
  );
});

test("a transaction that wrote and was lost is uncertain; one that only read is asked again; one that was refused too", () => {
  const cluster = new TestCluster();
  const node = cluster.nodeOf("s");
  const client = cluster.client();
  let isFirst = true;
  node.onAsked = (asked) => {
    if (isFirst) node.lost(asked, asked.first, asked.count);
    else node.reply(asked, asked.first, 1, elements(partsOf(asked.commands[0]!)));
    isFirst = false;
  };
  expect(type(cluster, client, "MULTI", "XADD s 1-0 f v", "PING", "EXEC", "PING")).toBe(
    "+OK|+QUEUED|+QUEUED|-UNCERTAIN The fate of this write is unknown: it may or may not have been executed|+PONG|",
  );
  expect(execs(node)).toHaveLength(1);
  isFirst = true;
  expect(type(cluster, client, "MULTI", "XLEN s", "EXEC")).toBe("+OK|+QUEUED|*1|+did XLEN s|");
  expect(execs(node)).toHaveLength(3);
  isFirst = true;
  node.onAsked = (asked) => {
    if (isFirst) node.refuse(asked, asked.first, RefuseReason.notReady);
    else node.reply(asked, asked.first, 1, elements(partsOf(asked.commands[0]!)));
    isFirst = false;
  };
  client.sendRaw(["MULTI", "XADD s 1-0 f v", "EXEC"].map((line) => respOf(line.split(" "))).join(""));
  cluster.world.run(100);
  expect(client.take()).toBe("+OK|+QUEUED|*1|+did XADD s 1-0 f v|");
});

test("who wants no replies gets none of a transaction's, and it is carried out", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const node = cluster.nodeOf("s");
  const client = cluster.client();
  const lines = ["MULTI", "XADD s 1-0 f v", "PING", "EXEC"];
  expect(type(cluster, client, "CLIENT REPLY OFF", ...lines, "CLIENT REPLY ON")).toBe("+OK|");
  expect(execs(node)).toHaveLength(1);
  // Redis takes it, and answers EXEC with an array that lacks an element.
  expect(type(cluster, client, "MULTI", "XLEN s", "CLIENT REPLY SKIP", "EXEC", "PING")).toBe(
    "+OK|+QUEUED|-ERR Command not allowed inside a transaction|-EXECABORT Transaction discarded because of previous errors.|+PONG|",
  );
  expect(type(cluster, client, "CLIENT REPLY SKIP", ...lines, "CLIENT REPLY SKIP", "PING", "ECHO x")).toBe(
    "+QUEUED|+QUEUED|*2|+did XADD s 1-0 f v|+PONG|$1|x|",
  );
});

test("MONITOR inside MULTI is the error that Redis has for it; SUBSCRIBE answers in its place", () => {
  const cluster = new TestCluster();
  answering(cluster);
  expect(type(cluster, cluster.client(), "MULTI", "MONITOR", "PING", "EXEC")).toBe(
    "+OK|+QUEUED|+QUEUED|*2|-ERR MONITOR isn't allowed for DENY BLOCKING client|+PONG|",
  );
  expect(type(cluster, cluster.client(), "MULTI", "SUBSCRIBE a b", "EXEC")).toBe(
    "+OK|+QUEUED|*1|*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|b|:2|",
  );
});

test("CONFIG SET max-transaction-bytes counts at once", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const client = cluster.client();
  const value = "v".repeat(3000);
  expect(type(cluster, client, "MULTI", `XADD s * f ${value}`, "DISCARD")).toBe("+OK|+QUEUED|+OK|");
  expect(type(cluster, client, "CONFIG SET max-transaction-bytes 2000", "MULTI", `XADD s * f ${value}`)).toBe(
    "+OK|+OK|-ERR the transaction is larger than max-transaction-bytes|",
  );
});

test("CLIENT LIST shows what is queued and watched", () => {
  const cluster = new TestCluster();
  answering(cluster);
  const client = cluster.client();
  type(cluster, client, "WATCH s {s}2", "MULTI", "XLEN s", "XLEN s", "XLEN s");
  expect(type(cluster, cluster.client(), "CLIENT LIST")).toMatch(/flags=x .* multi=3 watch=2 .*\n.* multi=-1 watch=0 /);
});

test("a node's own port redirects inside MULTI as Redis Cluster does", () => {
  const cluster = new TestCluster({ config: { policy: "moved", localNodeId: 1 } });
  answering(cluster);
  const here = cluster.state.shards.find(({ id }) => cluster.leaderOf(id) === 1)!;
  const there = cluster.state.shards.find(({ id }) => cluster.leaderOf(id) === 2)!;
  const mine = cluster.keyOf(here.id);
  const other = cluster.keyOf(there.id);
  const client = cluster.client();
  expect(type(cluster, client, "MULTI", `XLEN ${mine}`, "EXEC")).toBe(`+OK|+QUEUED|*1|+did XLEN ${mine}|`);
  expect(type(cluster, client, "MULTI", `XLEN ${other}`, "EXEC")).toMatch(
    /^\+OK\|-MOVED \d+ 10\.0\.0\.2:7100\|-EXECABORT Transaction discarded because of previous errors\.\|$/,
  );
  expect(type(cluster, client, `WATCH ${other}`)).toMatch(/^-MOVED /);
});
