/** The HTTP port of every process, asked by a real client. */
import { createServer, type AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { serveAdmin, type AdminHttp, type AdminViews } from "../src/admin-http.ts";

let open: AdminHttp | null = null;
afterEach(async () => {
  await open?.close();
  open = null;
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening) => probe.listen(0, "127.0.0.1", listening));
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  return port;
}

async function serve(views: Partial<AdminViews>): Promise<string> {
  const port = await freePort();
  open = await serveAdmin("127.0.0.1", port, {
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
    unreadyReasons: () => [],
    status: () => ({ ready: true }),
    ...views,
  });
  return `http://127.0.0.1:${port}`;
}

test("each path answers with its code and type", async () => {
  const url = await serve({});
  const get = async (path: string, method = "GET"): Promise<[number, string, string]> => {
    const answer = await fetch(url + path, { method });
    return [answer.status, (answer.headers.get("content-type") ?? "").split(";")[0]!, await answer.text()];
  };
  expect(await get("/metrics")).toEqual([200, "text/plain", "up 1\n"]);
  expect(await get("/livez")).toEqual([200, "text/plain", "ok\n"]);
  expect(await get("/healthz")).toEqual([200, "text/plain", "ok\n"]);
  expect(await get("/readyz?verbose")).toEqual([200, "text/plain", "ok\n"]);
  expect(await get("/status")).toEqual([200, "application/json", '{"ready":true}\n']);
  expect((await get("/nosuch"))[0]).toBe(404);
  expect((await get("/status", "POST"))[0]).toBe(405);
  expect(await get("/livez", "HEAD")).toEqual([200, "text/plain", ""]);
});

test("not ready is 503 with the reasons, and no reason against being alive", async () => {
  const url = await serve({ unreadyReasons: () => ["shard 3 has no leader", "draining"] });
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, "shard 3 has no leader\ndraining\n"]);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test("a view that fails is a 500, and the port goes on", async () => {
  const url = await serve({
    metrics: async () => Promise.reject(new Error("broken")),
    status: () => {
      throw new Error("broken");
    },
  });
  expect((await fetch(`${url}/metrics`)).status).toBe(500);
  expect((await fetch(`${url}/status`)).status).toBe(500);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test("a port in use is said in one line", async () => {
  const url = await serve({});
  const port = Number(new URL(url).port);
  const views = { metrics: async () => ({ contentType: "", text: "" }), unreadyReasons: () => [], status: () => null };
  await expect(serveAdmin("127.0.0.1", port, views)).rejects.toThrow(`127.0.0.1:${port} is already in use`);
});
