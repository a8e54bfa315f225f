import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { scanStream } from "../system/page-scan.ts";

let server: Server | null = null;
afterEach(() => server?.close());

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const entry = (id: string, serial: number | string): string =>
  `*2\r\n${bulk(id)}*4\r\n${bulk("n")}${bulk(String(serial))}${bulk("v")}${bulk("some\r\nvalue")}`;
const page = (...entries: readonly string[]): string => `*${entries.length}\r\n${entries.join("")}`;

/** Answers one reply after the other, in pieces of so many bytes; notes what it was asked. */
async function serving(replies: readonly string[], pieceBytes: number): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  server = createServer({ noDelay: true }, (socket) => {
    socket.on("data", (chunk) => {
      const reply = replies[asked.length]!;
      asked.push(chunk.toString("latin1"));
      for (let at = 0; at < reply.length; at += pieceBytes) socket.write(reply.slice(at, at + pieceBytes), "latin1");
    });
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, asked };
}

/** Has sent so many, all of which were acknowledged. */
const writerOf = (sent: number): Parameters<typeof scanStream>[1] => ({
  key: "key",
  sent,
  acknowledged: new Uint8Array([(1 << sent) - 1]),
});

const atOnce = (): Promise<void> => Promise.resolve();

test.each([1, 2, 3, 7, 1000])(
  "a scan finds every entry of pages that come in pieces of %i bytes",
  async (pieceBytes) => {
    const { port, asked } = await serving(
      [page(entry("5-0", 0), entry("5-1", 1)), page(entry("6-0", 2), entry("7-12", 3)), page()],
      pieceBytes,
    );
    const found = await scanStream(port, writerOf(4), 2, atOnce);
    expect(found).toMatchObject({ entries: 4, lost: 0, twice: 0, foreign: 0 });
    expect(asked.map((request) => request.split("\r\n")[6])).toEqual(["-", "(5-1", "(7-12"]);
  },
);

test("a scan tells what is lost, what is there twice and what was never sent", async () => {
  const { port } = await serving([page(entry("5-0", 0), entry("5-1", 0), entry("5-2", 9), entry("5-3", "x"))], 1000);
  const found = await scanStream(port, writerOf(3), 100, atOnce);
  expect(found).toMatchObject({ entries: 4, lost: 2, twice: 1, foreign: 2 });
});

test("a scan fails where ids go back, and where the reply is no page", async () => {
  const backwards = await serving([page(entry("5-1", 0), entry("5-0", 1))], 1000);
  await expect(scanStream(backwards.port, writerOf(2), 100, atOnce)).rejects.toThrow("key: 5-0 behind 5-1");
  server?.close();
  const failing = await serving(["-CLUSTERDOWN no leader\r\n"], 1000);
  await expect(scanStream(failing.port, writerOf(2), 100, atOnce)).rejects.toThrow("-CLUSTERDOWN no leader");
});
