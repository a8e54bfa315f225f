/**
 * Subscribers, publishers and events of keys beside a real redis-server 7.0.15: the same steps over several connections, and every connection gets the same
 * bytes, step by step. On our side they talk to a gateway and to the ports of two nodes.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { LocalCluster } from "@headrace/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

/** Round trips of another connection after each step: redis-server has then said all that it will say, and we have read it. */
const REDIS_ROUNDS = 4;
const PATIENCE_MS = 5000;
const TEST_MS = 120_000;

class RawConnection {
  received: string = "";
  isClosed: boolean = false;
  readonly #socket: Socket;
  #onMore: () => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => {
      this.received += chunk.toString("latin1");
      this.#onMore();
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.isClosed = true;
      this.#onMore();
    });
  }

  send(command: string): void {
    const words = command.split(" ").map((word) => (word === '""' ? "" : word));
    this.#socket.write(
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`,
      "latin1",
    );
  }

  /** Until so much is there, or patience ends. */
  async awaitBytes(count: number, closed: boolean): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    while ((this.received.length < count || (closed && !this.isClosed)) && performance.now() < untilMs) {
      await new Promise<void>((more) => {
        const timer = setTimeout(more, 50);
        this.#onMore = () => {
          clearTimeout(timer);
          more();
        };
      });
    }
  }

  async switchToResp3(): Promise<void> {
    this.send("HELLO 3");
    while (!/modules\r\n\*\d+\r\n/.test(this.received)) await this.awaitBytes(this.received.length + 1, false);
    this.received = "";
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** `name> command`; the names are connections. */
interface Step {
  readonly name: string;
  readonly command: string;
}

function stepsOf(text: string): Step[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [name, command] = line.trim().split("> ");
      return { name: name!, command: command! };
    });
}

type Seen = readonly Readonly<Record<string, string>>[];

/** What each connection got, by step. `expected` null: whatever comes while it settles. */
async function run(steps: readonly Step[], portOf: (name: string) => number, expected: Seen | null): Promise<Seen> {
  const connections = new Map<string, RawConnection>();
  for (const { name } of steps) {
    if (connections.has(name)) continue;
    const connection = new RawConnection(portOf(name));
    connections.set(name, connection);
    // HELLO tells who is there: that differs.
    if (name.startsWith("r")) await connection.switchToResp3();
  }
  const control = expected === null ? await RedisConnection.open(portOf("control")) : null;
  const seen: Record<string, string>[] = [];
  for (const [i, { name, command }] of steps.entries()) {
    connections.get(name)!.send(command);
    if (expected === null) for (let round = 0; round < REDIS_ROUNDS; round++) await control!.ask("PING");
    const step: Record<string, string> = {};
    for (const [who, connection] of connections) {
      const wanted = expected?.[i]![who] ?? "";
      await connection.awaitBytes(wanted.replace(/ \(closed\)$/, "").length, wanted.endsWith("(closed)"));
      step[who] = connection.received + (connection.isClosed ? " (closed)" : "");
    }
    seen.push(step);
    // What follows would only differ too.
    if (expected !== null && !isDeepStrictEqual(step, expected[i])) break;
  }
  for (const connection of connections.values()) connection.close();
  control?.close();
  return seen;
}

let redis: RedisServer;
let cluster: LocalCluster;

beforeAll(async () => {
  redis = await startRedis();
  cluster = await LocalCluster.start();
});

afterAll(async () => {
  await cluster.destroy();
  await redis.stop();
});

async function same(text: string): Promise<void> {
  const steps = stepsOf(text);
  const theirs = await run(steps, () => redis.port, null);
  const { nodes } = cluster.places();
  // Names that begin with b or n talk to a node's own port: gateways of their own.
  const portOf = (name: string): number => {
    if (name.startsWith("n")) return nodes[1]!.dataPort;
    return name.startsWith("b") ? nodes[0]!.dataPort : cluster.port;
  };
  const ours = await run(steps, portOf, theirs);
  for (const [i, seen] of ours.entries()) {
    expect(seen, `after ${steps[i]!.name}> ${steps[i]!.command}`).toEqual(theirs[i]);
  }
}

describe("subscribers", () => {
  test(
    "of channels, patterns and shard channels over RESP2",
    async () => {
      await same(`
      a> SUBSCRIBE news
      b> PSUBSCRIBE n* x*
      p> PUBLISH news one
      p> PUBLISH nothing two
      a> SUBSCRIBE other news
      a> PSUBSCRIBE n[e]ws
      b> SUBSCRIBE news
      bp> PUBLISH news three
      a> PING
      a> PING hello
      a> XLEN s
      a> UNSUBSCRIBE news
      bp> PUBLISH news four
      a> UNSUBSCRIBE
      a> PUNSUBSCRIBE
      bp> PUBLISH news five
      a> PING
      a> SSUBSCRIBE shard
      p> SPUBLISH shard six
      p> PUBLISH shard seven
      a> XLEN x
      a> SUNSUBSCRIBE
      a> UNSUBSCRIBE
      b> PUNSUBSCRIBE n*
      p> PUBLISH news eight
      b> RESET
      p> PUBLISH news nine
      b> PING
      b> QUIT
    `);
    },
    TEST_MS,
  );

  test(
    "over RESP3 call what they like, and hear themselves",
    async () => {
      await same(`
      r> SUBSCRIBE news
      b> PSUBSCRIBE *
      r> ECHO between
      r> PING
      r> PING x
      p> PUBLISH news one
      p> PUBLISH news ""
      r> UNSUBSCRIBE nothing
      r> UNSUBSCRIBE
      r> UNSUBSCRIBE
      r> PSUBSCRIBE n*
      p> PUBLISH news two
      r> PUNSUBSCRIBE
      r> PUNSUBSCRIBE
      r> SSUBSCRIBE news
      p> SPUBLISH news three
      r> SUNSUBSCRIBE news
      r> SUNSUBSCRIBE
      r> SUBSCRIBE back
      r> XADD s 1-0 f v
      r> DEL s
      r> RESET
      p> PUBLISH back four
      r> PING
      r2> SUBSCRIBE quiet
      r2> CLIENT REPLY OFF
      p> PUBLISH quiet five
      r2> PING
      r2> SUBSCRIBE more
      p> PUBLISH more six
      r2> CLIENT REPLY ON
      r2> UNSUBSCRIBE quiet
    `);
    },
    TEST_MS,
  );

  test(
    "may be anywhere: at either gateway and at a node's own port",
    async () => {
      await same(`
      a> SUBSCRIBE news
      b> SUBSCRIBE news
      n> SUBSCRIBE news
      n2> PSUBSCRIBE n*
      n3> PUBLISH news one
      a2> PUBLISH news two
      b2> PUBLISH news three
      n> UNSUBSCRIBE news
      n3> PUBLISH news four
      a2> PUBSUB NUMSUB news other
      b2> PUBSUB NUMPAT
      n3> PUBSUB NUMSUB news
      a2> PUBSUB CHANNELS
    `);
    },
    TEST_MS,
  );

  test(
    "get what is published in a transaction when it is executed",
    async () => {
      await same(`
      a> SUBSCRIBE news
      p> MULTI
      p> XADD s{news} 1-0 f v
      p> PUBLISH news one
      p> PUBLISH other two
      p> PUBLISH news three
      p> EXEC
      p> DEL s{news}
      p> MULTI
      p> PUBLISH news four
      p> DISCARD
      p> PUBLISH news five
    `);
    },
    TEST_MS,
  );
});

describe("events of keys", () => {
  test(
    "come in Redis' order, with Redis' names",
    async () => {
      await same(`
      p> CONFIG SET notify-keyspace-events KEA
      p> CONFIG GET notify-keyspace-events
      a> PSUBSCRIBE __key*@0__:*
      p> XADD s 1-0 f v
      p> XADD s MAXLEN 1 2-0 f v
      p> XADD s MAXLEN 1 2-0 f v
      p> XTRIM s MAXLEN 0
      p> XTRIM s MAXLEN 0
      p> XGROUP CREATE s g 0
      p> XGROUP CREATE s g 0
      p> XGROUP CREATE m g 0 MKSTREAM
      p> XGROUP SETID s g 0
      p> XGROUP CREATECONSUMER s g c
      p> XGROUP CREATECONSUMER s g c
      p> XADD s 3-0 f v
      p> XREADGROUP GROUP g new STREAMS s >
      p> XREADGROUP GROUP g new STREAMS s 0
      p> XACK s g 3-0
      p> XDEL s 3-0 4-0
      p> XDEL s 3-0
      p> XSETID s 9-0
      p> XGROUP DELCONSUMER s g c
      p> XGROUP DELCONSUMER s g nobody
      p> XGROUP DESTROY s g
      p> XGROUP DESTROY s g
      p> DEL s none
      p> UNLINK m
      p> MULTI
      p> XADD t 1-0 f v
      p> XADD t 2-0 f v
      p> DEL t
      p> EXEC
      p> FLUSHALL
      p> CONFIG SET notify-keyspace-events Et
      p> XADD s 1-0 f v
      p> DEL s
      p> CONFIG SET notify-keyspace-events Kg
      p> XADD s 1-0 f v
      p> DEL s
      p> CONFIG SET notify-keyspace-events ""
      p> XADD s 1-0 f v
      p> DEL s
    `);
    },
    TEST_MS,
  );

  test(
    "of keys, their time to live and their names",
    async () => {
      await same(`
      p> CONFIG SET notify-keyspace-events KEgxn
      a> PSUBSCRIBE __key*@0__:*
      p> XADD {k}1 1-0 f v
      p> EXPIRE {k}1 100
      p> PEXPIREAT {k}1 99999999999999
      p> EXPIRE {k}1 100 GT
      p> PERSIST {k}1
      p> PERSIST {k}1
      p> RENAME {k}1 {k}2
      p> XADD {k}1 1-0 f v
      p> RENAME {k}1 {k}2
      p> RENAMENX {k}2 {k}3
      p> COPY {k}3 {k}4
      p> COPY {k}3 {k}4
      p> COPY {k}3 {k}4 REPLACE
      p> EXPIRE {k}4 -1
      p> EXPIRE {k}3 0
      p> TOUCH {k}3
      p> CONFIG SET notify-keyspace-events ""
      p> DEL {k}1 {k}2 {k}3 {k}4
    `);
    },
    TEST_MS,
  );

  test(
    "of hashes",
    async () => {
      await same(`
      p> CONFIG SET notify-keyspace-events KEhgn
      a> PSUBSCRIBE __key*@0__:*
      p> HSET h a 1 b 2
      p> HSET h a 1
      p> HMSET h c 3
      p> HSETNX h a 4
      p> HSETNX h d 4
      p> HINCRBY h a 1
      p> HINCRBY h e 1
      p> HINCRBY h e x
      p> HINCRBYFLOAT h f 1.5
      p> HINCRBYFLOAT {n}1 f 1.5
      p> HDEL h nobody
      p> HDEL h a nobody
      p> HDEL h b c d e f
      p> HGETALL {n}1
      p> COPY {n}1 {n}2
      p> CONFIG SET notify-keyspace-events ""
      p> HSET h a 1
    `);
    },
    TEST_MS,
  );

  test(
    "of keys that are looked up in vain",
    async () => {
      await same(`
      p> CONFIG SET notify-keyspace-events Em
      a> PSUBSCRIBE __key*@0__:*
      p> XLEN none
      p> XRANGE none - +
      p> EXISTS none
      p> TYPE none
      p> XACK none g 1-0
      p> XDEL none 1-0
      p> XPENDING none g
      p> XINFO STREAM none
      p> XCLAIM none g c 0 1-0
      p> XAUTOCLAIM none g c 0 0
      p> XREADGROUP GROUP g c STREAMS none >
      p> XGROUP CREATE none g 0
      p> XTRIM none MAXLEN 1
      p> XADD none NOMKSTREAM * f v
      p> DEL none
      p> TTL none
      p> EXPIRE none 10
      p> PERSIST none
      p> TOUCH none
      p> OBJECT ENCODING none
      p> MEMORY USAGE none
      p> DUMP none
      p> RENAME {none} {none}2
      p> CONFIG SET notify-keyspace-events ""
    `);
    },
    TEST_MS,
  );

  test(
    "the setting is checked and shown as Redis shows it",
    async () => {
      await same(`
      p> CONFIG GET notify-keyspace-events
      p> CONFIG SET notify-keyspace-events EKxtg
      p> CONFIG GET notify-keyspace-events
      p> CONFIG SET notify-keyspace-events Kq
      p> CONFIG SET notify-keyspace-events mKA
      p> CONFIG GET notify-keyspace-events
      p> CONFIG SET notify-keyspace-events g$lshzxetdK
      p> CONFIG GET notify-keyspace-events
      p> CONFIG SET notify-keyspace-events nE
      p> CONFIG GET notify-keyspace-events
      p> CONFIG SET notify-keyspace-events ""
      p> CONFIG GET notify-keyspace-events
    `);
    },
    TEST_MS,
  );
});
