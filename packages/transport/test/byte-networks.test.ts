import { createServer } from "node:net";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { testByteNetwork } from "@headrace/testkit/conformance/byte-network.ts";
import {
  createLoopbackNetwork,
  createRoutedNetwork,
  createTcpNetwork,
  isLoopbackHost,
  parseHostPort,
} from "../src/index.ts";

async function freeTcpAddress(): Promise<string> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  probe.close();
  await once(probe, "close");
  return `127.0.0.1:${address.port}`;
}

let names = 0;
const freeLoopbackAddress = (): Promise<string> => Promise.resolve(`loopback:node-${++names}:7401`);

testByteNetwork("TCP", () => ({ network: createTcpNetwork(), freeAddress: freeTcpAddress }));
testByteNetwork("the loopback", () => ({ network: createLoopbackNetwork(), freeAddress: freeLoopbackAddress }));
testByteNetwork("a routed network", () => ({
  network: createRoutedNetwork({ loopback: createLoopbackNetwork(), tcp: createTcpNetwork() }),
  freeAddress: () => (names++ % 2 === 0 ? freeTcpAddress() : freeLoopbackAddress()),
}));

describe("TCP addresses", () => {
  test("port 0 takes a free port, told once it listens, on IPv6 too", async () => {
    const network = createTcpNetwork();
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const listener = network.accept("[::1]:0", () => undefined, resolve);
    expect(await promise).toBe(null);
    expect(listener.boundAddress()).toMatch(/^\[::1\]:[1-9]\d*$/);
    await new Promise<void>((done) => listener.close(done));
  });

  test("an address that cannot be parsed is a listening failure, not a crash", async () => {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    createTcpNetwork().accept("no-port", () => undefined, resolve);
    expect(await promise).toBe("no-port is not host:port");
  });

  test("host and port are split at the last colon, brackets are optional around IPv6", () => {
    expect(parseHostPort("node-0.nodes:7400")).toEqual({ host: "node-0.nodes", port: 7400 });
    expect(parseHostPort("[::1]:7400")).toEqual({ host: "::1", port: 7400 });
    expect(parseHostPort("::1:7400")).toEqual({ host: "::1", port: 7400 });
    for (const wrong of ["", ":1", "a", "a:", "a:b", "a:70000", "a:b:1", "[::1]", "[]:1"]) {
      expect(parseHostPort(wrong), wrong).toBe(null);
    }
  });

  test("only addresses that stay on the machine count as loopback", () => {
    for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) expect(isLoopbackHost(host), host).toBe(true);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "node-0", "128.0.0.1"])
      expect(isLoopbackHost(host), host).toBe(false);
  });
});
