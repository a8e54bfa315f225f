/** What clients do to themselves and to each other at a gateway: KILL, REPLY, PAUSE, MONITOR, time-outs. */
import { describe, expect, test } from "vitest";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

describe("CLIENT KILL", () => {
  test("closes others at once, and the asking client behind its reply", () => {
    const cluster = new TestCluster();
    const [one, two] = [cluster.client(), cluster.client()];
    one.send("CLIENT", "KILL", "ID", "2");
    cluster.world.run();
    expect([one.take(), two.isClosed]).toEqual([":1|", true]);
    one.sendRaw(respOf(["CLIENT", "KILL", "SKIPME", "no"]) + respOf(["PING"]));
    cluster.world.run();
    expect([one.take(), one.isClosed]).toEqual([":1|", true]);
  });

  test("takes the address of CLIENT LIST, and an age", () => {
    const cluster = new TestCluster();
    const [one, two] = [cluster.client(), cluster.client()];
    cluster.world.run(5_000);
    const three = cluster.client();
    one.send("CLIENT", "LIST", "ID", "2", "1", "99");
    cluster.world.run();
    const list = one.take();
    expect(list).toMatch(/id=2 addr=(\S+) .* age=5 .*\nid=1 /s);
    one.send("CLIENT", "KILL", "MAXAGE", "4");
    cluster.world.run();
    expect([one.take(), two.isClosed, three.isClosed]).toEqual([":1|", true, false]);
    const address = /id=1 addr=(\S+)/.exec(list)![1]!;
    three.send("CLIENT", "KILL", address);
    cluster.world.run();
    expect([three.take(), one.isClosed]).toEqual(["+OK|", true]);
  });
});

describe("CLIENT LIST", () => {
  test("has Redis' fields and no other", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.send("CLIENT", "LIST");
    cluster.world.run();
    const line = client.take().split("|")[1]!;
    expect(line).toContain("cmd=client");
    // Redis' own test of CLIENT LIST (tests/unit/introspection.tcl): 26 bytes are this very request.
    expect(line).toContain(" qbuf=26 ");
    client.send("CLIENT", "INFO");
    cluster.world.run();
    const names = [...client.take().matchAll(/ ?([a-z-]+)=/g)].map((match) => match[1]);
    expect(names.join(" ")).toBe(
      "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver io-thread tot-net-in tot-net-out tot-cmds",
    );
  });
});

describe("CLIENT REPLY", () => {
  test("OFF silences everything until ON, also what shards answer late", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const [one, two] = [cluster.keyOf(1), cluster.keyOf(2)];
    client.sendRaw(
      respOf(["CLIENT", "REPLY", "OFF"]) +
        respOf(["XADD", one, "*", "f", "v"]) +
        respOf(["PING"]) +
        respOf(["DEL", one, two]) +
        respOf(["NOSUCH"]) +
        respOf(["CLIENT", "REPLY", "ON"]) +
        respOf(["XLEN", one]),
    );
    cluster.world.run();
    expect(client.take()).toBe(`+OK|+XLEN ${one}|`);
    expect(cluster.nodes.flatMap((node) => node.asked).map((asked) => asked.commands[0]![0])).toContain("XADD");
  });

  test("SKIP leaves out one reply, unless ON comes next", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const key = cluster.keyOf(1);
    client.sendRaw(
      respOf(["CLIENT", "REPLY", "SKIP"]) +
        respOf(["XLEN", key]) +
        respOf(["XRANGE", key, "-", "+"]) +
        respOf(["PING"]),
    );
    cluster.world.run();
    expect(client.take()).toBe(`+XRANGE ${key} - +|+PONG|`);
    client.sendRaw(respOf(["CLIENT", "REPLY", "SKIP"]) + respOf(["CLIENT", "REPLY", "ON"]) + respOf(["PING"]));
    cluster.world.run();
    expect(client.take()).toBe("+OK|+PONG|");
  });
});

describe("CLIENT PAUSE", () => {
  test("WRITE holds writes back and lets reads pass, until UNPAUSE", () => {
    const cluster = new TestCluster();
    const [one, two] = [cluster.client(), cluster.client()];
    const key = cluster.keyOf(1);
    one.send("CLIENT", "PAUSE", "60000", "WRITE");
    two.sendRaw(respOf(["XLEN", key]) + respOf(["XADD", key, "*", "f", "v"]) + respOf(["XLEN", key]));
    cluster.world.run();
    expect([one.take(), two.take()]).toEqual(["+OK|", `+XLEN ${key}|`]);
    expect(cluster.gateway.gauges().blockedClients).toBe(1);
    one.send("CLIENT", "UNPAUSE");
    cluster.world.run();
    expect([one.take(), two.take()]).toEqual(["+OK|", `+XADD ${key} * f v|+XLEN ${key}|`]);
    expect(cluster.gateway.gauges().blockedClients).toBe(0);
  });

  test("ALL holds everything until its time is over; a shorter pause does not cut it", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.sendRaw(respOf(["CLIENT", "PAUSE", "1000"]) + respOf(["PING"]));
    cluster.world.run(500);
    expect(client.take()).toBe("+OK|");
    cluster.world.run(600);
    expect(client.take()).toBe("+PONG|");
    client.send("CLIENT", "PAUSE", "1000", "WRITE");
    client.send("CLIENT", "PAUSE", "10", "WRITE");
    client.send("XADD", cluster.keyOf(1), "*", "f", "v");
    cluster.world.run(900);
    expect(client.take()).toBe("+OK|+OK|");
    cluster.world.run(200);
    expect(client.take()).toMatch(/^\+XADD /);
  });

  test("ends when the gateway stops: what it held is answered first", () => {
    const cluster = new TestCluster();
    const [one, two] = [cluster.client(), cluster.client()];
    one.send("CLIENT", "PAUSE", "60000", "WRITE");
    cluster.world.run();
    two.send("XADD", cluster.keyOf(1), "1-0", "f", "v");
    cluster.world.run();
    expect(two.take()).toBe("");
    let stopped = false;
    cluster.gateway.stop(() => (stopped = true));
    cluster.world.run(500);
    expect([two.take(), two.isClosed, stopped]).toEqual([`+XADD ${cluster.keyOf(1)} 1-0 f v|`, true, true]);
  });

  test("a transaction is held when it has a write", () => {
    const cluster = new TestCluster();
    const [one, two] = [cluster.client(), cluster.client()];
    const key = cluster.keyOf(1);
    two.sendRaw(respOf(["MULTI"]) + respOf(["XADD", key, "*", "f", "v"]));
    cluster.world.run();
    expect(two.take()).toBe("+OK|+QUEUED|");
    one.send("CLIENT", "PAUSE", "60000", "WRITE");
    two.send("EXEC");
    cluster.world.run();
    expect(two.take()).toBe("");
    one.send("CLIENT", "UNPAUSE");
    cluster.world.run();
    expect(two.take()).not.toBe("");
  });
});

describe("MONITOR", () => {
  test("shows the commands of all clients, without passwords and without admin commands", () => {
    const cluster = new TestCluster();
    const [watcher, other] = [cluster.client(), cluster.client()];
    watcher.send("MONITOR");
    cluster.world.run();
    expect(watcher.take()).toBe("+OK|");
    const key = cluster.keyOf(1);
    other.send("XADD", key, "*", 'a"b', "\u0001\n");
    other.send("AUTH", "default", "secret");
    other.send("HELLO", "2", "AUTH", "default", "secret");
    other.send("CONFIG", "GET", "save");
    other.send("XADD");
    cluster.world.run();
    const lines = watcher
      .take()
      .split("|")
      .map((line) => line.replace(/^\+\d+\.\d{6} \[0 [^\]]+\] /, ""));
    expect(lines).toEqual([
      `"XADD" "${key}" "*" "a\\"b" "\\x01\\n"`,
      '"AUTH" "(redacted)" "(redacted)"',
      '"HELLO" "2" "AUTH" "(redacted)" "(redacted)"',
      "",
    ]);
    watcher.send("RESET");
    cluster.world.run();
    watcher.take();
    other.send("PING");
    cluster.world.run();
    expect(watcher.take()).toBe("");
  });
});

describe("the setting timeout", () => {
  test("closes who says nothing for so long, and spares who waits", () => {
    const cluster = new TestCluster();
    for (const node of cluster.nodes) node.onAsked = () => {};
    const [idle, busy, waiting] = [cluster.client(), cluster.client(), cluster.client()];
    waiting.send("XREAD", "BLOCK", "0", "STREAMS", cluster.keyOf(1), "$");
    busy.send("CONFIG", "SET", "timeout", "2");
    cluster.world.run(1_500);
    busy.send("PING");
    cluster.world.run(1_000);
    expect([idle.isClosed, busy.isClosed, waiting.isClosed]).toEqual([true, false, false]);
  });
});
