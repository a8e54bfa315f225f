/**
 * What a hostile or broken client can send: a Redis-style protocol error or a closed connection, never a crash, and nobody else notices.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, ready } from "./connect.ts";

let cluster: LocalCluster;
let neighbour: Redis;
let pids: string;

beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", "2"] });
  neighbour = connect(cluster.url);
  await ready(neighbour);
  pids = JSON.stringify(cluster.places());
});
afterAll(async () => {
  neighbour.disconnect();
  await cluster.destroy();
});

/** The neighbour is still served, and no process was replaced. */
async function allIsWell(): Promise<void> {
  expect(neighbour.status).toBe("ready");
  expect(await neighbour.xadd("neighbour", "*", "f", "v")).toMatch(/^\d+-\d+$/);
  expect(JSON.stringify(cluster.places())).toBe(pids);
}

/** Sends the bytes, answers what came back until the other side closed or `enough` says so. */
function exchange(bytes: Uint8Array, enough: (answer: string) => boolean = () => false): Promise<string> {
  return new Promise((done) => {
    let answer = "";
    const socket: Socket = connectTcp(cluster.port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (enough(answer)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => done(answer));
  });
}

const text = (value: string): Uint8Array => Buffer.from(value, "latin1");

describe("bad input", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["a negative bulk length", "*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
    ["an oversized bulk", "*2\r\n$4\r\nECHO\r\n$2147483648\r\n", "-ERR Protocol error: invalid bulk length\r\n"],
    [
      "a bulk beyond proto-max-bulk-len",
      "*2\r\n$4\r\nECHO\r\n$16777217\r\n",
      "-ERR Protocol error: invalid bulk length\r\n",
    ],
    ["a multibulk length that is no number", "*abc\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
    ["a multibulk length that is too large", "*1048577\r\n", "-ERR Protocol error: invalid multibulk length\r\n"],
    ["an argument without its dollar", "*1\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'P'\r\n"],
    ["unbalanced quotes", 'ECHO "half\r\n', "-ERR Protocol error: unbalanced quotes in request\r\n"],
  ];
  test.each(cases)("%s gets Redis' protocol error and a closed connection", async (_, sent, expected) => {
    expect(await exchange(text(sent))).toBe(expected);
    await allIsWell();
  });

  test("inline commands are served", async () => {
    expect(await exchange(text("PING\r\n"), (answer) => answer.length > 0)).toBe("+PONG\r\n");
    expect(await exchange(text('ECHO "a b"\r\n'), (answer) => answer.length > 3)).toBe("$3\r\na b\r\n");
  });

  test("an inline command that never ends is cut off", async () => {
    const answer = await exchange(text("A".repeat(70_000)));
    expect(answer).toBe("-ERR Protocol error: too big inline request\r\n");
    await allIsWell();
  });

  test("binary keys, fields and values come back byte for byte", async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const key = Buffer.concat([Buffer.from("{bin}"), every]);
    const id = await neighbour.xaddBuffer(key, "*", every, Buffer.concat([every, every]));
    const [entry] = (await neighbour.xrangeBuffer(key, "-", "+")) as [Buffer, Buffer[]][];
    expect(entry![0].equals(id!)).toBe(true);
    expect(entry![1][0]!.equals(every)).toBe(true);
    expect(entry![1][1]!.equals(Buffer.concat([every, every]))).toBe(true);
  });

  test("10,000 random byte strings break nothing", async () => {
    let seed = 20_261_121;
    const next = (): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed >>> 8;
    };
    const pieces = [
      "*",
      "$",
      "\r\n",
      "XADD",
      "XREADGROUP",
      "-1",
      "99999999999",
      "\0",
      "s",
      "GROUP",
      "STREAMS",
      ">",
      ":",
      "+",
    ];
    for (let batch = 0; batch < 100; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, () => {
          const parts: Buffer[] = [];
          for (let i = next() % 12; i >= 0; i--) {
            parts.push(
              next() % 2 === 0
                ? Buffer.from(pieces[next() % pieces.length]!, "latin1")
                : Buffer.from(Array.from({ length: next() % 20 }, () => next() & 0xff)),
            );
          }
          return new Promise<void>((done) => {
            const socket = connectTcp(cluster.port, "127.0.0.1", () => socket.end(Buffer.concat(parts)));
            socket.on("data", () => undefined);
            socket.on("error", () => undefined);
            socket.on("close", () => done());
          });
        }),
      );
    }
    await allIsWell();
  });

  test("half a command followed by a hang-up leaves nothing behind", async () => {
    for (let i = 0; i < 50; i++) {
      await new Promise<void>((done) => {
        const socket = connectTcp(cluster.port, "127.0.0.1", () => {
          socket.write("*5\r\n$4\r\nXADD\r\n$4\r\nhalf\r\n$1\r\n*\r\n$1\r\nf\r\n$100\r\nonly a part", () =>
            socket.destroy(),
          );
        });
        socket.on("error", () => undefined);
        socket.on("close", () => done());
      });
    }
    expect(await neighbour.exists("half")).toBe(0);
    await allIsWell();
  });
});
