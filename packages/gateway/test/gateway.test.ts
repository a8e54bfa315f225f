/** A gateway in front of scripted nodes: order, routing, what happens when nodes refuse, lose, vanish; and how it paces its clients. */
import { RefuseReason } from "@headrace/link";
import { describe, expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, outputOf, respOf } from "../testing/test-cluster.ts";

function names(asked: readonly Asked[]): string[] {
  return asked.flatMap((one) => one.commands.map((words) => words.join(" ")));
}

describe("requests and replies", () => {
  test("a run of requests to one shard travels as one frame with the client's own bytes", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    const key = cluster.keyOf(1);
    const requests = ["1", "2", "3"].map((value) => respOf(["XADD", key, "*", "f", value])).join("");
    client.sendRaw(requests);
    cluster.world.run();
    const [asked] = cluster.nodeOf(key).asked;
    expect(asked).toMatchObject({ count: 3, first: 1, epoch: 1, shard: 1, payloadBytes: 32 + requests.length });
    expect(client.take()).toBe(`+XADD ${key} * f 1|+XADD ${key} * f 2|+XADD ${key} * f 3|`);
  });

  test("replies leave in the order of the requests although shards answer in another", () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.keyOf(1), cluster.keyOf(2)];
    const held: Asked[] = [];
    cluster.nodeOf(a).onAsked = (asked) => void held.push(asked);
    const client = cluster.client();
    client.sendRaw([a, b, a, b, b].map((key, i) => respOf(["XLEN", key, String(i)].slice(0, 2))).join(""));
    client.send("PING");
    cluster.world.run();
    expect(client.take()).toBe("");
    cluster.nodeOf(a).answerAll(held[0]!);
    cluster.world.run();
    expect(client.take()).toBe(`+XLEN ${a}|+XLEN ${b}|`);
    cluster.nodeOf(a).answerAll(held[1]!);
    cluster.world.run();
    expect(client.take()).toBe(`+XLEN ${a}|+XLEN ${b}|+XLEN ${b}|+PONG|`);
  });

  test("a frame may be answered in several replies", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodeOf(key);
    node.onAsked = (asked) => {
      node.reply(asked, 1, 1, ":1\r\n");
      node.reply(asked, 2, 2, ":2\r\n:3\r\n");
    };
    const client = cluster.client();
    client.sendRaw(respOf(["XLEN", key]).repeat(3));
    cluster.world.run();
    expect(client.take()).toBe(":1|:2|:3|");
  });

  test("HELLO 3 and CLIENT ACK reach the node before the requests behind them", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodeOf(key);
    const client = cluster.client();
    client.send("XLEN", key);
    cluster.world.run();
    expect(node.opened[0]!.open).toMatchObject({ respVersion: 2, ack: 255 });
    client.send("HELLO", "3");
    client.send("XLEN", key);
    cluster.world.run();
    expect(node.set.at(-1)!.set).toEqual({ respVersion: 3, ack: 255 });
  });

  test("inline commands work, unknown ones and wrong arities get Redis' words", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const client = cluster.client();
    client.sendRaw(`ping\r\nxlen ${key}\r\nNOSUCH a b\r\nXLEN\r\n`);
    cluster.world.run();
    expect(client.take()).toBe(
      `+PONG|+xlen ${key}|-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' |-ERR wrong number of arguments for 'xlen' command|`,
    );
  });

  test("a large reply of the gateway's own is not written over by the next one", () => {
    const cluster = new TestCluster();
    const client = cluster.client();
    client.send("COMMAND");
    cluster.world.run();
    const alone = client.take();
    expect(alone.length).toBeGreaterThan(16 * 1024);
    client.sendRaw(respOf(["COMMAND"]) + respOf(["ECHO", "x".repeat(100)]));
    cluster.world.run();
    expect(client.take()).toBe(`${alone}$100|${"x".repeat(100)}|`);
  });

  test("QUIT answers and closes when earlier replies have left", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodeOf(key);
    let held: Asked | null = null;
    node.onAsked = (asked) => (held = asked);
    const client = cluster.client();
    client.sendRaw(respOf(["XLEN", key]) + respOf(["QUIT"]) + respOf(["XLEN", key]));
    cluster.world.run();
    expect(client.isClosed).toBe(false);
    node.answerAll(held!);
    cluster.world.run();
    expect(client.take()).toBe(`+XLEN ${key}|+OK|`);
    expect(client.isClosed).toBe(true);
    expect(node.asked).toHaveLength(1);
    expect(node.closed).toEqual([1]);
  });
});

describe("a refused request", () => {
  test("is sent again in order, at the new leader, in a new epoch, when the old one is done", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    const held: Asked[] = [];
    old.onAsked = (asked) => void held.push(asked);
    const client = cluster.client();
    for (const value of ["1", "2", "3"]) {
      client.send("XADD", key, "*", "f", value);
      cluster.world.run();
    }
    // The first is in the log, the second finds the leader gone.
    old.refuse(held[1]!, 2, RefuseReason.notLeader, 2, 2);
    cluster.world.run();
    client.send("XADD", key, "*", "f", "4");
    cluster.world.run();
    expect(fresh.asked).toHaveLength(0);
    old.reply(held[0]!, 1, 1, "+one\r\n", 1, 1);
    cluster.world.run();
    expect(names(fresh.asked)).toEqual(["2", "3", "4"].map((value) => `XADD ${key} * f ${value}`));
    expect(fresh.asked[0]!.epoch).toBe(2);
    expect(fresh.asked[0]!.first).toBeGreaterThan(3);
    expect(client.take()).toBe(`+one|+XADD ${key} * f 2|+XADD ${key} * f 3|+XADD ${key} * f 4|`);
  });

  test("in the middle of a frame is cut there", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    let first = true;
    node.onAsked = (asked) => {
      if (!first) return node.answerAll(asked);
      first = false;
      node.refuse(asked, 3, RefuseReason.notReady);
      node.reply(asked, 1, 2, "+a\r\n+b\r\n");
    };
    const client = cluster.client();
    client.sendRaw(["1", "2", "3", "4"].map((value) => respOf(["XADD", key, "*", "f", value])).join(""));
    cluster.world.run(100);
    expect(client.take()).toBe(`+a|+b|+XADD ${key} * f 3|+XADD ${key} * f 4|`);
    expect(node.asked[1]).toMatchObject({ count: 2, epoch: 2 });
  });
});

describe("requests that a stopping node did not take", () => {
  test("are sent to the next leader, writes too, in order; what it has answered is not", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    const held: Asked[] = [];
    old.onAsked = (asked) => void held.push(asked);
    const client = cluster.client();
    client.sendRaw(respOf(["XADD", key, "*", "f", "1"]) + respOf(["XADD", key, "*", "f", "2"]));
    cluster.world.run();
    client.send("XADD", key, "*", "f", "3");
    cluster.world.run();
    // The first is executed and answered; the others were still on their way.
    old.reply(held[0]!, 1, 1, "+one\r\n", 1, 1);
    old.leave();
    cluster.world.run(20);
    client.send("XADD", key, "*", "f", "4");
    fresh.leader(1, 2, 2);
    cluster.world.run(100);
    expect(names(fresh.asked)).toEqual(["2", "3", "4"].map((value) => `XADD ${key} * f ${value}`));
    expect(client.take()).toBe(`+one|+XADD ${key} * f 2|+XADD ${key} * f 3|+XADD ${key} * f 4|`);
  });

  test("are lost all the same when the link ends without its Bye", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const old = cluster.nodes[0]!;
    old.onAsked = () => {};
    const client = cluster.client();
    client.send("XADD", key, "*", "f", "1");
    cluster.world.run();
    old.connection!.end();
    cluster.world.run(20);
    expect(client.take()).toMatch(/^-UNCERTAIN [^|]*\|$/);
  });
});

describe("a lost request", () => {
  test("is repeated when it reads and answered -UNCERTAIN when it writes", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    let first = true;
    node.onAsked = (asked) => {
      if (!first) return node.answerAll(asked);
      first = false;
      node.reply(asked, 1, 1, "+kept\r\n");
      node.lost(asked, 2, 4);
    };
    const client = cluster.client();
    client.sendRaw(
      respOf(["XADD", key, "*", "f", "0"]) +
        respOf(["XLEN", key]) +
        respOf(["XADD", key, "*", "f", "1"]) +
        respOf(["XDEL", key, "1-1"]) +
        respOf(["XRANGE", key, "-", "+"]),
    );
    cluster.world.run(100);
    const uncertain = "-UNCERTAIN The fate of this write is unknown: it may or may not have been executed|";
    expect(client.take()).toBe(`+kept|+XLEN ${key}|${uncertain}${uncertain}+XRANGE ${key} - +|`);
    expect(names(node.asked.slice(1))).toEqual([`XLEN ${key}`, `XRANGE ${key} - +`]);
  });

  test("with its link: the node's death loses what it had, the next leader gets the rest", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    old.onAsked = () => {};
    const client = cluster.client();
    client.sendRaw(respOf(["XADD", key, "*", "f", "1"]) + respOf(["XLEN", key]));
    cluster.world.run();
    old.kill();
    cluster.world.run(20);
    client.send("XADD", key, "*", "f", "2");
    cluster.world.run(100);
    expect(client.take()).toMatch(/^-UNCERTAIN [^|]*\|$/);
    fresh.leader(1, 2, 2);
    cluster.world.run();
    expect(client.take()).toBe(`+XLEN ${key}|+XADD ${key} * f 2|`);
  });

  test("that never gets any fate is given up after reply-timeout-ms, and its late reply is dropped", () => {
    const cluster = new TestCluster({ limits: { replyTimeoutMs: 1000 } });
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    const held: Asked[] = [];
    node.onAsked = (asked) => void held.push(asked);
    const client = cluster.client();
    client.sendRaw(respOf(["XADD", key, "*", "f", "1"]) + respOf(["XLEN", key]));
    cluster.world.run(1200);
    expect(client.take()).toMatch(/^-UNCERTAIN [^|]*\|-CLUSTERDOWN [^|]*\|$/);
    client.send("XADD", key, "*", "f", "2");
    cluster.world.run();
    node.answerAll(held[0]!);
    cluster.world.run();
    expect(client.take()).toBe("");
    node.answerAll(held[1]!);
    cluster.world.run();
    expect(client.take()).toBe(`+XADD ${key} * f 2|`);
  });
});

describe("without a leader", () => {
  test("requests are held until one is known", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    cluster.nodes[0]!.leader(1, 0, 2);
    cluster.world.run();
    const client = cluster.client();
    client.send("XADD", key, "*", "f", "1");
    cluster.world.run(1000);
    expect(client.take()).toBe("");
    cluster.nodes[1]!.leader(1, 2, 3);
    cluster.world.run();
    expect(client.take()).toBe(`+XADD ${key} * f 1|`);
    expect(names(cluster.nodes[1]!.asked)).toEqual([`XADD ${key} * f 1`]);
  });

  test("requests get -CLUSTERDOWN after hold-ms, and nothing was sent", () => {
    const cluster = new TestCluster({ limits: { holdMs: 500 } });
    const key = cluster.keyOf(1);
    cluster.nodes[0]!.leader(1, 0, 2);
    cluster.world.run();
    const client = cluster.client();
    client.sendRaw(respOf(["XADD", key, "*", "f", "1"]) + respOf(["XLEN", key]) + respOf(["PING"]));
    cluster.world.run(400);
    expect(client.take()).toBe("");
    cluster.world.run(200);
    expect(client.take()).toMatch(/^(-CLUSTERDOWN [^|]*\|){2}\+PONG\|$/);
    expect(cluster.nodes[0]!.asked.concat(cluster.nodes[1]!.asked)).toEqual([]);
  });

  test("an older leader's word does not count against a newer term", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    cluster.nodes[1]!.leader(1, 2, 5);
    cluster.nodes[0]!.leader(1, 1, 4);
    cluster.world.run();
    const client = cluster.client();
    client.send("XLEN", key);
    cluster.world.run();
    expect(cluster.nodes[1]!.asked).toHaveLength(1);
  });

  test("a candidate's term that was lost with its power does not hide the leader of a lower one", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    // Node 1 leads in term 1. It steps down and campaigns: nobody leads in its term 9, which never becomes durable.
    cluster.nodes[0]!.leader(1, 0, 9);
    cluster.nodes[1]!.leader(1, 0, 9);
    cluster.world.run();
    cluster.nodes[1]!.leader(1, 2, 3);
    cluster.world.run();
    const client = cluster.client();
    client.send("XLEN", key);
    cluster.world.run();
    expect(names(cluster.nodes[1]!.asked)).toEqual([`XLEN ${key}`]);
  });

  test("a node that stops answering holds nobody up once the shard has another leader", () => {
    const cluster = new TestCluster({ limits: { pingTimeoutMs: 60_000, pingIntervalMs: 100, suspectMs: 300 } });
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    const held: Asked[] = [];
    old.onAsked = (asked) => void held.push(asked);
    const client = cluster.client();
    client.sendRaw(respOf(["XADD", key, "*", "f", "1"]) + respOf(["XLEN", key]));
    cluster.world.run(1000);
    fresh.leader(1, 2, 2);
    cluster.world.run(1000);
    // It still answers pings: a slow reply is waited for.
    expect(client.take()).toBe("");
    old.answersPings = false;
    cluster.world.run(500);
    expect(client.take()).toMatch(/^-UNCERTAIN [^|]*\|\+XLEN [^|]*\|$/);
    old.answersPings = true;
    old.answerAll(held[0]!);
    old.leader(1, 1, 3);
    cluster.world.run();
    client.send("XLEN", key);
    cluster.world.run();
    expect(held[1]).toMatchObject({ epoch: 3 });
    old.answerAll(held[1]!);
    cluster.world.run();
    expect(client.take()).toBe(`+XLEN ${key}|`);
  });

  test("a link that is silent is given up", () => {
    const cluster = new TestCluster({ limits: { pingTimeoutMs: 300, pingIntervalMs: 100 } });
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    node.onAsked = () => {};
    const client = cluster.client();
    client.send("XADD", key, "*", "f", "1");
    cluster.world.run(1000);
    expect(client.take()).toBe("");
    node.answersPings = false;
    cluster.world.run(500);
    expect(client.take()).toMatch(/^-UNCERTAIN /);
  });
});

describe("commands over several shards", () => {
  test("DEL and EXISTS are split by keys and summed", () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.keyOf(1), cluster.keyOf(2)];
    for (const node of cluster.nodes) {
      node.onAsked = (asked) => node.reply(asked, asked.first, 1, `:${asked.commands[0]!.length - 1}\r\n`);
    }
    const client = cluster.client();
    client.send("EXISTS", a, b, a, b, b);
    cluster.world.run();
    expect(client.take()).toBe(":5|");
    expect(names(cluster.nodes[0]!.asked)).toEqual([`EXISTS ${a} ${a}`]);
    expect(names(cluster.nodes[1]!.asked)).toEqual([`EXISTS ${b} ${b} ${b}`]);
  });

  test("DBSIZE sums, KEYS concatenates, FLUSHALL needs every shard; an error of one is the answer", () => {
    const cluster = new TestCluster();
    const answers: Record<string, [string, string]> = {
      DBSIZE: [":2\r\n", ":40\r\n"],
      KEYS: ["*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*1\r\n$1\r\nc\r\n"],
      FLUSHALL: ["+OK\r\n", "+OK\r\n"],
      FLUSHDB: ["+OK\r\n", "-MISCONF full\r\n"],
    };
    cluster.nodes.forEach((node, i) => {
      node.onAsked = (asked) => node.reply(asked, asked.first, 1, answers[asked.commands[0]![0]!]![i]!);
    });
    const client = cluster.client();
    client.send("DBSIZE");
    client.send("KEYS", "*");
    client.send("FLUSHALL");
    client.send("FLUSHDB");
    cluster.world.run();
    expect(client.take()).toBe(":42|*3|$1|a|$1|b|$1|c|+OK|-MISCONF full|");
  });

  test("RANDOMKEY draws a shard by how many keys each has, and draws again when that one has nothing left", () => {
    const cluster = new TestCluster();
    const sizes = [300, 100];
    let isGone = false;
    cluster.nodes.forEach((node, i) => {
      node.onAsked = (asked) => {
        if (asked.commands[0]![0] === "DBSIZE") {
          node.reply(asked, asked.first, 1, `:${sizes[i]!}\r\n`);
          return;
        }
        node.reply(asked, asked.first, 1, isGone ? "$-1\r\n" : `$2\r\nk${i}\r\n`);
        isGone = false;
      };
    });
    const client = cluster.client();
    let first = 0;
    for (let draw = 0; draw < 400; draw++) {
      client.send("RANDOMKEY");
      cluster.world.run();
      if (client.take() === "$2|k0|") first++;
    }
    expect(first).toBeGreaterThan(250);
    expect(first).toBeLessThan(350);
    isGone = true;
    client.send("RANDOMKEY");
    cluster.world.run();
    expect(client.take()).toMatch(/^\$2\|k[01]\|$/);
    sizes[0] = sizes[1] = 0;
    client.send("RANDOMKEY");
    cluster.world.run();
    expect(client.take()).toBe("$-1|");
  });

  test("RENAME and COPY of keys in two shards are refused as Redis Cluster refuses them", () => {
    const cluster = new TestCluster();
    const [a, b] = [cluster.keyOf(1), cluster.keyOf(2)];
    const client = cluster.client();
    for (const command of ["RENAME", "RENAMENX", "COPY"]) client.send(command, a, b);
    cluster.world.run();
    expect(client.take()).toBe("-CROSSSLOT Keys in request don't hash to the same slot|".repeat(3));
    expect(names(cluster.nodes.flatMap((node) => node.asked))).toEqual([]);
  });

  test("SCAN goes through the shards in the order of their slots", () => {
    const cluster = new TestCluster();
    for (const node of cluster.nodes) {
      node.onAsked = (asked) => {
        const own = asked.commands[0]![1]!;
        const cursor = own === "0" ? "7" : "0";
        node.reply(asked, asked.first, 1, `*2\r\n$${cursor.length}\r\n${cursor}\r\n*1\r\n$2\r\nk${node.nodeId}\r\n`);
      };
    }
    const client = cluster.client();
    client.send("SCAN", "0");
    cluster.world.run();
    expect(client.take()).toBe("*2|$1|7|*1|$2|k1|");
    client.send("SCAN", "7");
    cluster.world.run();
    // Slot 8192 begins the second shard: 8192 · 2^38 + 1.
    expect(client.take()).toBe("*2|$16|2251799813685249|*1|$2|k1|");
    client.send("SCAN", "2251799813685249");
    cluster.world.run();
    expect(client.take()).toBe("*2|$1|0|*1|$2|k2|");
  });
});

describe("pace", () => {
  test("a client whose lane has no credit is not sent, then not parsed, then not read", () => {
    const cluster = new TestCluster({
      limits: { pendingBytes: 4096, backlogBytes: 1024 },
      prepare: (nodes) => {
        for (const node of nodes) {
          node.returnsCredit = false;
          node.credits = { laneCreditBytes: 100, linkCreditBytes: 1 << 20 };
        }
      },
    });
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    const client = cluster.client();
    const value = "x".repeat(1000);
    for (let i = 0; i < 20; i++) {
      client.send("XADD", key, "*", "f", value);
      cluster.world.run();
    }
    // One request may overdraw; everything else waits in the gateway, and then in the client's own socket.
    expect(node.asked).toHaveLength(1);
    expect(client.connection.bufferedBytes()).toBeGreaterThan(0);
    expect(client.connection.peer!.isPaused).toBe(true);
    const other = cluster.client();
    other.send("XLEN", key);
    cluster.world.run();
    expect(other.take()).toBe(`+XLEN ${key}|`);
    node.returnsCredit = true;
    node.credit(1, 1 << 20);
    cluster.world.run();
    expect(node.asked.filter((one) => one.lane === 1).reduce((sum, one) => sum + one.count, 0)).toBe(20);
    expect(client.take().split("|")).toHaveLength(21);
    expect(client.connection.bufferedBytes()).toBe(0);
  });

  test("an exhausted link stops all its lanes until it gets credit", () => {
    const cluster = new TestCluster({
      prepare: (nodes) => {
        for (const node of nodes) {
          node.returnsCredit = false;
          node.credits = { laneCreditBytes: 1 << 20, linkCreditBytes: 10 };
        }
      },
    });
    const key = cluster.keyOf(1);
    const [one, two] = [cluster.client(), cluster.client()];
    one.send("XLEN", key);
    cluster.world.run();
    two.send("XLEN", key);
    cluster.world.run();
    expect(one.take() + two.take()).toBe(`+XLEN ${key}|`);
    cluster.nodes[0]!.credit(0, 1000);
    cluster.world.run();
    expect(two.take()).toBe(`+XLEN ${key}|`);
  });

  test("a client over its output limit is closed, the others and the link are not", () => {
    const cluster = new TestCluster({ limits: { output: outputOf(100_000) } });
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    node.onAsked = (asked) => {
      const large = asked.commands[0]![0] === "XRANGE";
      node.reply(asked, asked.first, 1, large ? `$60000\r\n${"x".repeat(60_000)}\r\n` : "+ok\r\n");
    };
    const slow = cluster.client();
    slow.connection.pause();
    slow.sendRaw(respOf(["XRANGE", key, "-", "+"]));
    cluster.world.run();
    slow.sendRaw(respOf(["XRANGE", key, "-", "+"]));
    cluster.world.run();
    const other = cluster.client();
    other.send("XLEN", key);
    cluster.world.run();
    expect(slow.isClosed).toBe(true);
    expect(other.take()).toBe("+ok|");
    expect(cluster.gateway.statistics.outputLimitClosed).toBe(1);
    expect(cluster.gateway.statistics.linkLosses).toBe(0);
  });

  test("clients beyond maxclients get Redis' error and are closed", () => {
    const cluster = new TestCluster({ limits: { maxClients: 1 } });
    const first = cluster.client();
    const second = cluster.client();
    cluster.world.run();
    expect(second.take()).toBe("-ERR max number of clients reached|");
    expect(second.isClosed).toBe(true);
    first.send("PING");
    cluster.world.run();
    expect(first.take()).toBe("+PONG|");
  });
});

describe("a node's own port", () => {
  const config = { policy: "moved", localNodeId: 1 } as const;

  test("redirects to the leader and refuses keys of several slots", () => {
    const cluster = new TestCluster({ config });
    cluster.nodes[0]!.leader(2, 2, 1);
    cluster.world.run();
    const client = cluster.client();
    const [a, b] = [cluster.keyOf(1), cluster.keyOf(2)];
    client.send("XLEN", a);
    client.send("DEL", a, b);
    client.send("CLUSTER", "KEYSLOT", b);
    client.send("XLEN", b);
    cluster.world.run();
    const [own, cross, slot, moved] = client.take().split("|");
    expect([own, cross]).toEqual([`+XLEN ${a}`, "-CROSSSLOT Keys in request don't hash to the same slot"]);
    expect(moved).toBe(`-MOVED ${slot!.slice(1)} 10.0.0.2:7100`);
    expect(cluster.nodes[1]!.asked).toEqual([]);
  });

  test("redirects what it had taken when leadership moves away", () => {
    const cluster = new TestCluster({ config });
    const node = cluster.nodes[0]!;
    node.onAsked = (asked) => node.refuse(asked, asked.first, RefuseReason.notLeader, 2, 2);
    const client = cluster.client();
    client.send("XLEN", cluster.keyOf(1));
    cluster.world.run(200);
    expect(client.take()).toMatch(/^-MOVED \d+ 10\.0\.0\.2:7100\|$/);
  });
});
