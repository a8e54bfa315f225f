/** Subscribers of a gateway: when their replies leave, what the nodes are told, who hears what, and what a node's own port does. */
import { describe, expect, test } from "vitest";
import { TestCluster, outputOf, respOf } from "../testing/test-cluster.ts";

function words(...list: readonly string[]): string {
  return `*${list.length}|${list.map((word) => (/^:\d/.test(word) ? `${word}|` : `$${word.length}|${word}|`)).join("")}`;
}

describe("SUBSCRIBE", () => {
  test("is answered when every node has taken it, one reply for each name", () => {
    const cluster = new TestCluster();
    const [first, second] = cluster.nodes;
    second!.takesSubscriptions = false;
    const client = cluster.client();
    client.send("SUBSCRIBE", "a", "b", "a");
    cluster.world.run();
    expect(client.take()).toBe("");
    expect(first!.subscriptions).toEqual([
      { kind: 0, name: "a", subscribers: 1 },
      { kind: 0, name: "b", subscribers: 1 },
    ]);
    second!.takesSubscriptions = true;
    client.send("PSUBSCRIBE", "p*");
    cluster.world.run();
    expect(client.take()).toBe(
      words("subscribe", "a", ":1") +
        words("subscribe", "b", ":2") +
        words("subscribe", "a", ":2") +
        words("psubscribe", "p*", ":3"),
    );
  });

  test("does not wait for a node that is out of reach", () => {
    const cluster = new TestCluster();
    cluster.nodes[1]!.kill();
    const client = cluster.client();
    client.send("SUBSCRIBE", "a");
    cluster.world.run(100);
    expect(client.take()).toBe("");
    cluster.world.run(400);
    expect(client.take()).toBe(words("subscribe", "a", ":1"));
    client.send("SUBSCRIBE", "b");
    cluster.world.run(10);
    expect(client.take()).toBe(words("subscribe", "b", ":2"));
  });

  test("keeps its place behind earlier replies, and messages come after it", () => {
    const cluster = new TestCluster();
    const [node] = cluster.nodes;
    const held: (() => void)[] = [];
    node!.onAsked = (asked) => void held.push(() => node!.answerAll(asked));
    const client = cluster.client();
    const key = cluster.keyOf(1);
    client.sendRaw(respOf(["HELLO", "3"]));
    cluster.world.run();
    client.take();
    client.sendRaw(respOf(["XLEN", key]) + respOf(["SUBSCRIBE", "a"]) + respOf(["PING"]));
    cluster.world.run();
    node!.message(1, 1, 0, "a", "too early");
    cluster.world.run();
    expect(client.take()).toBe("");
    for (const answer of held) answer();
    node!.message(1, 1, 0, "a", "heard");
    cluster.world.run();
    const push = words("message", "a", "heard").replace("*", ">");
    expect(client.take()).toBe(`+XLEN ${key}|>3|$9|subscribe|$1|a|:1|+PONG|${push}`);
  });

  test("what a node has to know is told again over a new link, before anything else", () => {
    const cluster = new TestCluster();
    const [first] = cluster.nodes;
    const client = cluster.client();
    client.send("SUBSCRIBE", "a");
    client.send("SSUBSCRIBE", "s");
    cluster.world.run();
    client.send("UNSUBSCRIBE", "a");
    client.send("PSUBSCRIBE", "p*");
    cluster.world.run();
    expect(first!.subscriptions.at(-2)).toEqual({ kind: 0, name: "a", subscribers: 0 });
    first!.subscriptions.length = 0;
    first!.kill();
    first!.start();
    cluster.world.run(200);
    expect(first!.subscriptions).toEqual([
      { kind: 1, name: "p*", subscribers: 1 },
      { kind: 2, name: "s", subscribers: 1 },
    ]);
  });

  test("is refused at the bound of what all names may take", () => {
    const cluster = new TestCluster({ limits: { subscriptionBytes: 200 } });
    const client = cluster.client();
    client.send("SUBSCRIBE", "a", "b");
    client.send("SUBSCRIBE", "c");
    client.send("UNSUBSCRIBE", "b");
    client.send("SUBSCRIBE", "c");
    cluster.world.run();
    expect(client.take()).toMatch(
      /\$1\|b\|:2\|-BACKPRESSURE .*unsubscribe\|\$1\|b\|:1\|\*3\|\$9\|subscribe\|\$1\|c\|:2\|$/,
    );
  });
});

describe("messages", () => {
  test("go to channels, then to patterns that match, in each client's protocol", () => {
    const cluster = new TestCluster();
    const old = cluster.client();
    const young = cluster.client();
    young.send("HELLO", "3");
    young.send("SUBSCRIBE", "news");
    old.send("PSUBSCRIBE", "n*");
    old.send("SUBSCRIBE", "news");
    cluster.world.run();
    old.take();
    young.take();
    cluster.nodes[0]!.message(1, 1, 0, "news", "hi");
    cluster.world.run();
    expect(old.take()).toBe(words("message", "news", "hi") + words("pmessage", "n*", "news", "hi"));
    expect(young.take()).toBe(words("message", "news", "hi").replace("*", ">"));
    old.send("SSUBSCRIBE", "news");
    cluster.world.run();
    old.take();
    cluster.nodes[0]!.message(1, 1, 2, "news", "shard");
    cluster.world.run();
    expect(old.take()).toBe(words("smessage", "news", "shard"));
    expect(young.take()).toBe("");
  });

  test("of an older term are dropped: a leader that was deposed cannot bring disorder", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.send("SUBSCRIBE", "a");
    cluster.world.run();
    client.take();
    cluster.nodes[1]!.message(1, 3, 0, "a", "new");
    cluster.world.run();
    cluster.nodes[0]!.message(1, 2, 0, "a", "late");
    cluster.nodes[0]!.message(2, 1, 0, "a", "of another shard");
    cluster.world.run();
    expect(client.take()).toBe(words("message", "a", "new") + words("message", "a", "of another shard"));
  });

  test("that a subscriber does not read close it, and neither the link nor others", () => {
    const limits = outputOf(0);
    const cluster = new TestCluster({
      limits: { output: { ...limits, pubsub: { hardBytes: 50_000, softBytes: 10_000, softSeconds: 1 } } },
    });
    const [hard, soft, good] = [cluster.client(), cluster.client(), cluster.client()];
    for (const client of [hard, soft, good]) client.send("SUBSCRIBE", "a");
    soft.send("UNSUBSCRIBE", "a");
    soft.send("SUBSCRIBE", "b");
    cluster.world.run();
    hard.connection.pause();
    soft.connection.pause();
    const [node] = cluster.nodes;
    node!.message(1, 1, 0, "b", "x".repeat(20_000));
    for (let i = 0; i < 3; i++) {
      node!.message(1, 1, 0, "a", "x".repeat(20_000));
      cluster.world.run();
    }
    expect([hard.isClosed, soft.isClosed, good.isClosed]).toEqual([true, false, false]);
    cluster.world.run(1200);
    expect([soft.isClosed, good.isClosed]).toEqual([true, false]);
    good.take();
    good.send("PING");
    cluster.world.run();
    expect(good.take()).toBe(words("pong", ""));
    expect(node!.subscriptions.at(-1)).toMatchObject({ name: "b", subscribers: 0 });
  });
});

describe("PUBLISH", () => {
  test("goes to the shard of the channel's slot, PUBSUB to any", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const channel = cluster.keyOf(2);
    client.sendRaw(
      respOf(["PUBLISH", channel, "m"]) + respOf(["SPUBLISH", channel, "m"]) + respOf(["PUBSUB", "NUMPAT"]),
    );
    cluster.world.run();
    expect(client.take()).toBe(`+PUBLISH ${channel} m|+SPUBLISH ${channel} m|+PUBSUB NUMPAT|`);
    const asked = cluster.nodes.flatMap((node) => node.asked);
    expect(asked.find(({ commands }) => commands[0]![0] === "PUBLISH")?.shard).toBe(2);
  });

  test("whose fate is not known is not published again", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const channel = cluster.keyOf(1);
    const node = cluster.nodeOf(channel);
    node.onAsked = () => {};
    client.send("PUBLISH", channel, "m");
    cluster.world.run();
    node.kill();
    cluster.world.run();
    expect(client.take()).toMatch(/^-UNCERTAIN /);
  });
});

describe("on a node's own port", () => {
  test("PUBLISH goes to the leader wherever it is, SSUBSCRIBE is redirected, SUBSCRIBE is not", () => {
    const cluster = new TestCluster({ config: { policy: "moved", localNodeId: 1 } });
    const client = cluster.client();
    const [near, far] = [cluster.keyOf(1), cluster.keyOf(2)];
    client.send("XLEN", far);
    client.send("SPUBLISH", far, "m");
    client.send("SSUBSCRIBE", far);
    client.send("SSUBSCRIBE", far, near);
    cluster.world.run();
    expect(client.take()).toMatch(/^(-MOVED \d+ 10\.0\.0\.2:7100\|){3}-CROSSSLOT /);
    expect(cluster.nodes[1]!.connection).toBe(null);
    client.send("PUBLISH", far, "m");
    cluster.world.run(100);
    expect(client.take()).toBe(`+PUBLISH ${far} m|`);
    expect(cluster.nodes[1]!.asked).toHaveLength(1);
    client.send("XLEN", far);
    client.send("SUBSCRIBE", far);
    client.send("SSUBSCRIBE", near);
    cluster.world.run();
    expect(client.take()).toMatch(/^-MOVED [^|]*\|\*3\|\$9\|subscribe\|.*\*3\|\$10\|ssubscribe\|/);
    cluster.nodes[1]!.message(2, 1, 0, far, "m");
    cluster.world.run();
    expect(client.take()).toBe(words("message", far, "m"));
  });
});
