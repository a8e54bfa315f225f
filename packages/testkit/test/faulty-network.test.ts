/** The proxies against an echo server: what a program behind them can notice of each fault, and that nothing else happens to its bytes. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultyNetwork } from "../src/index.ts";

let echo: Server;
let arrived: Socket[];
let network: FaultyNetwork;
let port: number;

beforeEach(async () => {
  arrived = [];
  echo = createServer((socket) => {
    arrived.push(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  network = new FaultyNetwork(() => 0.5);
  network.setProcess("here", process.pid);
  port = await network.listen("there", (echo.address() as { port: number }).port);
});

afterEach(async () => {
  await network.close();
  for (const socket of arrived) socket.destroy();
  echo.close();
});

/** Gathers what comes back. */
class Caller {
  readonly socket: Socket;
  text = "";
  constructor() {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.setEncoding("latin1").on("data", (piece: string) => (this.text += piece));
    this.socket.on("error", () => undefined);
  }
  async has(length: number): Promise<void> {
    while (this.text.length < length) await once(this.socket, "data");
  }
}

/** `once` would reject with the socket's error; here the error is what was asked for. */
function closed(socket: Socket): Promise<boolean> {
  return new Promise((end) => socket.once("close", end));
}

/** Enough turns of the loop and of the kernel's sockets for everything to come through that can. */
async function quiet(): Promise<void> {
  const probe = createServer((socket) => socket.end("x"));
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  for (let i = 0; i < 20; i++) {
    const socket = connect({ port: (probe.address() as { port: number }).port, host: "127.0.0.1" });
    socket.resume();
    await once(socket, "close");
  }
  probe.close();
}

describe.runIf(process.platform === "linux")("a faulty network", () => {
  test("carries bytes both ways, and knows who dialled", async () => {
    const caller = new Caller();
    const text = "x".repeat(3_000_000);
    caller.socket.write(text);
    await caller.has(text.length);
    expect(caller.text).toBe(text);
    expect([network.connectionsMade, network.unknownDiallers]).toEqual([1, 0]);
  });

  test.each([
    ["here", "there"],
    ["there", "here"],
  ] as const)("a cut from %s to %s keeps bytes back until it is joined; nothing is lost", async (from, to) => {
    const caller = new Caller();
    caller.socket.write("before");
    await caller.has(6);
    network.cut(from, to);
    caller.socket.write(" and after");
    await quiet();
    expect(caller.text).toBe("before");
    expect(arrived[0]!.bytesRead).toBe(from === "here" ? 6 : 16);
    network.join(from, to);
    await caller.has(16);
    expect(caller.text).toBe("before and after");
  });

  test("through a cut nobody sees the other's end", async () => {
    const caller = new Caller();
    caller.socket.write("hello");
    await caller.has(5);
    network.cut("there", "here");
    arrived[0]!.resetAndDestroy();
    await quiet();
    expect(caller.socket.destroyed).toBe(false);
    const end = closed(caller.socket);
    network.heal();
    expect(await end, "with an error").toBe(true);
  });

  test("what is delayed comes later, in its order", async () => {
    network.delay("here", "there", 30, 10);
    const caller = new Caller();
    await once(caller.socket, "connect");
    const from = performance.now();
    const pieces = Array.from({ length: 200 }, (_, i) => `${i} `);
    for (const piece of pieces) {
      caller.socket.write(piece);
      await new Promise((next) => setImmediate(next));
    }
    const text = pieces.join("");
    await caller.has(text.length);
    expect(caller.text).toBe(text);
    // A bound from below only: a timer never fires early.
    expect(performance.now() - from).toBeGreaterThan(30);
  });

  test("a reset ends the connections between two places on both sides, and no others", async () => {
    const caller = new Caller();
    caller.socket.write("x");
    await caller.has(1);
    expect(network.reset("there", "elsewhere")).toBe(0);
    const ends = [closed(caller.socket), closed(arrived[0]!)];
    expect(network.reset("there", "here")).toBe(1);
    await Promise.all(ends);
  });

  test("an end that was asked for arrives behind the last byte", async () => {
    const caller = new Caller();
    caller.socket.end("last words");
    await once(caller.socket, "close");
    expect(caller.text).toBe("last words");
  });
});
